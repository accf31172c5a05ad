"""`dfopt ignore`: what it writes, what it leaves, what it says; and that it never hides what a Dockerfile names."""

import os
import pathlib
import random

import pytest

from dfopt import cli, context, ignoring
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


def made(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def propose(folder: pathlib.Path, *dockerfiles: str) -> ignoring.Proposal:
    builds = [(f"Dockerfile{number}", Build(parse(Source(text)))) for number, text in enumerate(dockerfiles)]
    return ignoring.propose(context.open_context(str(folder)), builds)


def patterns(proposal: ignoring.Proposal) -> list[str]:
    return [pattern for _, found in proposal.added for pattern in found]


NODE = {"package.json": "{}", "index.js": "", "node_modules/a/index.js": "1234", ".git/HEAD": "ref", "Dockerfile": ""}


def test_a_new_file(tmp_path: pathlib.Path) -> None:
    proposal = propose(made(tmp_path, NODE), "FROM node:20\nCOPY . .\nRUN npm ci\n")
    assert proposal.before is None
    assert proposal.after == (
        "# version control\n.git\n\n# secrets\n**/.env\n**/.env.*\n\n# Docker's own files\nDockerfile*\n*.dockerignore\n\n# Node.js\n**/node_modules\n"
    )
    assert proposal.files == (5, 2)
    assert proposal.size == (2 + 4 + 3, 2)


def test_what_stands_there_stays(tmp_path: pathlib.Path) -> None:
    before = "# ours\r\nnode_modules/\r\n!.env.example\r\n*.md"
    made(tmp_path, {**NODE, ".env.example": ""})
    (tmp_path / ".dockerignore").write_bytes(before.encode())
    proposal = propose(tmp_path, "FROM node:20\nCOPY . .\n")
    assert proposal.after.startswith(before + "\r\n\r\n# version control\r\n.git\r\n")
    assert "\n" not in proposal.after.replace("\r\n", "")
    assert "**/node_modules" not in patterns(proposal), "it stands there, and none lies deeper"
    assert ("**/.env.*", "`!.env.example` brings it back on purpose") in proposal.left


def test_what_is_named_is_wanted(tmp_path: pathlib.Path) -> None:
    files = {
        **NODE,
        "dist/app.js": "",
        "certs/me.pem": "-----BEGIN PRIVATE KEY-----\n",
        "other.key": "-----BEGIN RSA PRIVATE KEY-----\n",
    }
    text = "FROM node:20\nCOPY dist/*.js certs/me.pem /x/\nCOPY . .\nRUN --mount=type=bind,source=node_modules,target=/n npm run build\n"
    proposal = propose(made(tmp_path, files), text)
    left = dict(proposal.left)
    assert left["dist"] == "`COPY dist/*.js` on line 2 of Dockerfile0 copies it"
    assert left["**/node_modules"] == "the mount on line 4 of Dockerfile0 copies it"
    assert left["certs/me.pem"] == "`COPY certs/me.pem` on line 2 of Dockerfile0 copies it"
    assert "other.key" in patterns(proposal)


def test_a_second_dockerfile_of_the_context_counts(tmp_path: pathlib.Path) -> None:
    proposal = propose(made(tmp_path, NODE), "FROM node:20\nCOPY . .\n", "FROM scratch\nCOPY node_modules /n\n")
    assert "**/node_modules" not in patterns(proposal)


@pytest.mark.parametrize(
    ("files", "text", "why"),
    [
        ({"pyproject.toml": "[tool.setuptools_scm]\n"}, "COPY . .", "`pyproject.toml` takes the version from it (`setuptools_scm`)"),
        ({}, "COPY . .\nRUN git rev-parse HEAD > /version", "Dockerfile0 runs `git`"),
    ],
)  # fmt: skip
def test_the_history_is_kept_where_a_build_reads_it(
    tmp_path: pathlib.Path, files: dict[str, str], text: str, why: str
) -> None:
    proposal = propose(made(tmp_path, {**NODE, **files}), f"FROM node:20\n{text}\n")
    assert (".git", why) in proposal.left


def test_outputs_only_where_the_dockerfile_builds_them(tmp_path: pathlib.Path) -> None:
    made(tmp_path, {**NODE, "dist/app.js": ""})
    assert "dist" not in patterns(propose(tmp_path, "FROM nginx\nCOPY . /srv\n"))
    assert "dist" in patterns(propose(tmp_path, "FROM node:20\nCOPY . /srv\nRUN npm run build\n"))


def test_a_file_that_lets_in_by_name_is_left_alone(tmp_path: pathlib.Path) -> None:
    made(tmp_path, {**NODE, ".dockerignore": "*\n!src\n", "src/a.js": ""})
    assert propose(tmp_path, "FROM node:20\nCOPY . .\n").added == ()


def test_notes(tmp_path: pathlib.Path) -> None:
    made(tmp_path, {**NODE, "web/node_modules/b/c.js": "", "lib/x": "", "built/app": ""})
    (tmp_path / ".dockerignore").write_text("node_modules\n!lib\n!nowhere\nbuilt\n.git\n")
    (tmp_path / "away").symlink_to("/etc/hosts")
    (tmp_path / "up").symlink_to("../elsewhere")
    (tmp_path / "near").symlink_to("lib")
    with open(tmp_path / "model.pt", "wb") as file:
        file.truncate(60_000_000)
    proposal = propose(tmp_path, "FROM node:20\nCOPY . .\nCOPY built /b\n")
    told = list(ignoring.told(proposal, ".dockerignore", False))
    assert (
        "  line 1: `node_modules` is looked for at the root alone, and `web/node_modules` comes with the context -> write `**/node_modules`"
        not in told
    ), "the new pattern cures it"
    assert "  line 2: `!lib` brings nothing back: nothing before it keeps that out" in told
    assert "  line 3: `!nowhere` brings nothing back: there is no such file" in told
    assert "  line 4: `COPY built` on line 3 of Dockerfile0 finds nothing: `built` keeps it out" in told
    assert "  `away` is a link to `/etc/hosts`, which is a path of this machine: the image has only the link" in told
    assert "  `up` is a link to `../elsewhere`, outside of the context: the image has only the link" in told
    assert "  `model.pt` has 60 MB -> keep it out where the image does not need it" in told
    assert told[-1] == "  `COPY --from` takes files from stages and images, which no ignore file touches"
    assert not any("near" in line for line in told)


def test_an_anchored_pattern_of_the_author_is_noted(tmp_path: pathlib.Path) -> None:
    made(tmp_path, {"a": "", "web/logs/x": "", ".dockerignore": "logs\n"})
    notes = [note.text for note in propose(tmp_path, "FROM a\nCOPY . .\n").notes]
    assert notes == ["`logs` is looked for at the root alone, and `web/logs` comes with the context -> write `**/logs`"]


def test_it_never_hides_what_is_named_and_rests(tmp_path: pathlib.Path) -> None:
    """Made-up projects, ignore files and Dockerfiles: each source that was found before is found after, what stood there is the
    beginning of what stands there now, and a second run adds nothing."""
    chance = random.Random(7)
    names = [".git/HEAD", ".env", ".env.example", "dist/a", "dist/b/c", "node_modules/x/y", "web/node_modules/z", "target/app", "src/__pycache__/a.pyc",
             "key.pem", "package.json", "Cargo.toml", "pyproject.toml", "Dockerfile", ".vscode/s", "vendor/v", "composer.json", "build/o", "a.pyd"]  # fmt: skip
    for number in range(200):
        folder = tmp_path / str(number)
        chosen = chance.sample(names, chance.randint(3, len(names)))
        made(folder, {name: "-----BEGIN PRIVATE KEY-----" if name == "key.pem" else "x" for name in chosen})
        lines = chance.sample(
            ["*", "!src", "!dist", "**/node_modules", ".git", "dist/b", "!**/.env", "*.pem", "!target"],
            chance.randint(0, 3),
        )
        if lines:
            (folder / ".dockerignore").write_text("\n".join(lines) + chance.choice(["", "\n"]))
        sources = [chance.choice([*chosen, *(os.path.dirname(name) or "." for name in chosen)]) for _ in range(2)]
        text = (
            "FROM node:20\n"
            + "".join(f"COPY {source} /x/\n" for source in sources)
            + "RUN npm run build && cargo build && composer install\n"
        )
        before = context.open_context(str(folder))
        found = {source for source in sources if before.has(source)}
        proposal = propose(folder, text)
        assert proposal.after.startswith(proposal.before or "")
        (folder / ".dockerignore").write_text(proposal.after)
        after = context.open_context(str(folder))
        assert {source for source in found if source != "." and not after.has(source)} == set(), (lines, text)
        assert propose(folder, text).added == (), (lines, text)


def test_the_command(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made(tmp_path, {**NODE, "Dockerfile": "FROM node:20\nCOPY . .\n"}))
    assert cli.main(["ignore", "--diff"]) == 1
    out, err = capsys.readouterr()
    assert "+**/node_modules" in out
    assert ".dockerignore: would write 6 patterns" in err
    assert not (tmp_path / ".dockerignore").exists()
    assert cli.main(["ignore"]) == 0
    assert "wrote 6 patterns" in capsys.readouterr().out
    written = (tmp_path / ".dockerignore").read_text()
    assert cli.main(["ignore", "."]) == 0
    assert "nothing to add" in capsys.readouterr().out
    assert (tmp_path / ".dockerignore").read_text() == written
    (tmp_path / "Dockerfile").write_text("FROM\n")
    assert cli.main(["ignore"]) == 2
    assert "BuildKit refuses it" in capsys.readouterr().err
    assert cli.main(["ignore", "--context", "missing"]) == 2
    (tmp_path / "Dockerfile").write_text("FROM node:20\n")
    (tmp_path / ".dockerignore").write_text("a\n[\n")
    assert cli.main(["ignore"]) == 2
    assert ".dockerignore:2: `[` is no pattern" in capsys.readouterr().err
    (tmp_path / ".dockerignore").unlink()

    def refuse(path: str, data: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dfopt.files.create", refuse)
    assert cli.main(["ignore"]) == 2
    assert capsys.readouterr().err == "dfopt: .dockerignore: permission denied\n"
