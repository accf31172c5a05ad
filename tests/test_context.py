"""The build context: Docker's ignore patterns as BuildKit's own packages read them, and what lies in a folder."""

import os
import pathlib
import random

import pytest
from buildkit_oracle import oracle_or_skip

from dfopt import context
from dfopt.context import BadPattern, Ignore, read_patterns

# The pattern language as its documentation gives it (docs.docker.com/build/concepts/context, "dockerignore files").
DOCUMENTED = [
    ("# comment\n*/temp*", ["a/temporary.txt", "a/temp"], ["temporary.txt", "a/b/temp", "# comment"]),
    ("*/*/temp*", ["a/b/temporary.txt"], ["a/temporary.txt", "a/b/c/temp"]),
    ("temp?", ["tempa", "tempb"], ["temp", "tempab", "x/tempa"]),
    ("**/*.go", ["a.go", "x/a.go", "x/y/a.go"], ["a.god"]),
    ("*.md\n!README.md", ["a.md"], ["README.md", "x/a.md"]),
    ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md", "README-x.md"]),
    ("*.md\nREADME-secret.md\n!README*.md", ["a.md"], ["README.md", "README-secret.md"]),
    ("/foo/bar\n", ["foo/bar", "foo/bar/x"], ["x/foo/bar"]),
    ("node_modules", ["node_modules", "node_modules/a/b"], ["web/node_modules"]),
    ("**/node_modules", ["node_modules", "web/node_modules/a"], ["node_modules2"]),
    ("*\n!src\n!*.toml", ["a", "b/c"], ["src", "src/a/b", "x.toml"]),
    ("dir\n!dir/keep", ["dir", "dir/a"], ["dir/keep", "dir/keep/x"]),
    ("  spaced  \n\n", ["spaced"], ["  spaced  "]),
    ("a/./b/../c", ["a/c"], ["a/b"]),
    ("[a-c]x\n[^d]y", ["ax", "cx", "ay"], ["dx", "dy"]),
    ("a\\*b", ["a*b"], ["axb"]),
    ("foo/**", ["foo/a", "foo/a/b"], ["foo"]),
    ("**", ["a", "a/b"], []),
    ("\ufeffa\r\nb\r\n", ["a", "b"], []),
]


@pytest.mark.parametrize(("text", "hidden", "kept"), DOCUMENTED)
def test_documented_patterns(text: str, hidden: list[str], kept: list[str]) -> None:
    ignore = Ignore(read_patterns(text))
    assert [path for path in hidden if not ignore.hides(path)] == []
    assert [path for path in kept if ignore.hides(path)] == []


@pytest.mark.parametrize("text", ["!", "a\n! ", "[a", "[]a]", "a[", "b\\", "[a-]"])
def test_a_pattern_that_is_refused_names_its_line(text: str) -> None:
    with pytest.raises(BadPattern) as caught:
        read_patterns("# first\n" + text)
    assert caught.value.line == 2 + text.count("\n")
    assert oracle_or_skip().hides(text, ["a"]) is None


def test_patterns_against_buildkit() -> None:
    """Made-up ignore files and paths: the same answer for each path, refused where BuildKit refuses; what dfopt alone
    does not read is rare."""
    oracle = oracle_or_skip()
    chance = random.Random(20261121)
    alphabet = "ab./*?!-[]^\\{}+$ #x"
    pieces = [
        "a",
        "b",
        "ab",
        "**",
        "*",
        "?",
        "a*",
        "*.b",
        "[ab]",
        "[^a]",
        "[a-b]",
        "..",
        ".",
        "a\\*",
        "**a",
        "a**",
        "b?",
        "{a}",
        "a.b",
    ]
    unread, count = 0, int(os.environ.get("DFOPT_IGNORES", "3000"))
    for _ in range(count):
        lines = []
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.15:
                line = "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 6)))
            else:
                line = "/".join(chance.choice(pieces) for _ in range(chance.randint(1, 3)))
            lines.append(
                chance.choice(["", "", "", "!", "/", "! ", "!/", " "])
                + line
                + chance.choice(["", "", "/", "/**", "\r"])
            )
        text = "\n".join(lines)
        names = ["a", "b", "ab", "a.b", "ba", "a*", "{a}", "x", "-"]
        paths = ["/".join(chance.choice(names) for _ in range(chance.randint(1, 4))) for _ in range(8)]
        wanted = oracle.hides(text, paths)
        try:
            ignore = Ignore(read_patterns(text))
        except BadPattern:
            unread += wanted is not None
            continue
        assert [ignore.hides(path) for path in paths] == wanted, (text, paths)
    assert unread <= count / 100


def test_the_pattern_that_decides() -> None:
    ignore = Ignore(read_patterns("*\n!src\nsrc/*.log"))
    decisions = {path: ignore.decides(path) for path in ("a", "src", "src/a.log")}
    assert {path: found and found.line for path, found in decisions.items()} == {"a": 1, "src": 2, "src/a.log": 3}
    assert Ignore(read_patterns("b")).decides("a") is None


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for path in (
        "package.json",
        "package-lock.json",
        "src/app.js",
        "src/deep/x.js",
        "node_modules/a/index.js",
        ".git/HEAD",
        "[x].txt",
    ):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path)
    (tmp_path / "link").symlink_to("src")
    return tmp_path


def test_a_context_shows_what_a_build_finds(folder: pathlib.Path) -> None:
    (folder / ".dockerignore").write_text("node_modules\n.git\n**/deep\n!src/deep/x.js\n")
    found = context.open_context(str(folder))
    assert [one.path for one in found.walk()] == [
        ".dockerignore",
        "[x].txt",
        "link",
        "package-lock.json",
        "package.json",
        "src/app.js",
        "src/deep/x.js",
    ]
    assert "node_modules/a/index.js" in [one.path for one in found.walk(hidden=True)]
    assert found.has(".") and found.has("src") and found.has("/src/app.js") and found.has("src/deep")
    assert not found.has("node_modules") and not found.has("missing") and not found.has("link/app.js")
    assert found.matching("package*.json") == ("package-lock.json", "package.json")
    assert found.matching("s?c/[a-b]*.js") == ("src/app.js",) and found.matching("\\[x\\].txt") == ("[x].txt",)
    assert found.matching("yarn.lock*") == () and found.matching("./src/") == ("src",)
    assert found.text("package.json") == "package.json" and found.text(".git/HEAD") is None
    entry = found.entry("link")
    assert entry is not None and entry.kind == "link"


def test_the_ignore_file_beside_the_dockerfile_wins(folder: pathlib.Path) -> None:
    (folder / ".dockerignore").write_text("src")
    (folder / "web.Dockerfile.dockerignore").write_text("package.json")
    found = context.open_context(str(folder), str(folder / "web.Dockerfile"))
    assert found.has("src") and not found.has("package.json")
    assert context.open_context(str(folder), str(folder / "Dockerfile")).has("package.json")


def test_patterns_against_docker_py(tmp_path: pathlib.Path) -> None:
    """Docker's own Python library agrees where it should: on plain names, `*` and `?` within a name, and exceptions.

    It reads `**` and classes in its own way, has other ideas of exceptions with wildcards and of excepted folders.
    """
    from docker.utils.build import exclude_paths

    names = ["a", "b", "ab", "ba.x"]
    for one in names:
        for two in names:
            place = tmp_path / f"{one}.d" / f"{two}.d" / "f"
            place.parent.mkdir(parents=True)
            place.write_text("")
            (tmp_path / f"{one}.d" / two).write_text("")
        (tmp_path / one).write_text("")
    chance = random.Random(4)
    literal = ["a", "b.d", "ab", "a.d", "ba.x.d", "f"]
    pieces = [*literal, "a*", "?b", "b?.x", "*", "*.d"]
    for _ in range(300):
        lines = []
        for _ in range(chance.randint(1, 4)):
            exception = chance.random() < 0.3
            line = "/".join(chance.choice(pieces) for _ in range(chance.randint(1, 3)))
            if exception:
                line = "/".join((chance.choice(literal), chance.choice(literal), "f"))
            lines.append("!" + line if exception else line)
        ours = Ignore(read_patterns("\n".join(lines)))
        theirs = {path for path in exclude_paths(str(tmp_path), list(lines)) if (tmp_path / path).is_file()}
        assert {one.path for one in context.Context(str(tmp_path), ours).walk()} == theirs, lines
