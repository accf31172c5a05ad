"""The command line: both parsers read alike, exit codes, streams, and files that are only ever replaced whole."""

import io
import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stand_in_rules

from dfopt import __version__, cli, console, files
from dfopt.build import Build
from dfopt.rule import Finding, Given

Call = Callable[..., tuple[int, str, str]]
stand_ins = stand_in_rules.stand_ins

SOURCES = os.path.join(os.path.dirname(__file__), "..", "src")
CLEAN = "FROM debian:12\n"
BLANKS = "FROM  debian:12\nRUN true\n"
BAD = "FROM debian:12\nRUN echo BAD\n"
REFUSED = "FROM debian:12\nFOO bar\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with no configuration above it that counts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dfopt.toml").write_text("")
    return tmp_path


@pytest.fixture
def call(stand_ins: None, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Runs dfopt in this process; gives exit code, standard output and standard error."""

    def run(*words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        before = sys.stdin
        if stdin is not None:
            sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
        try:
            code = cli.main(words)
        finally:
            sys.stdin = before
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    return run


def process(*words: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Runs dfopt as a user does."""
    environment = {**os.environ, "PYTHONPATH": SOURCES, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "dfopt", *words], capture_output=True, env=environment, timeout=60, **options
    )


# ------------------------------------------------------------------------------------------- the two parsers


def by_typer(words: list[str]) -> tuple[cli.Arguments | None, int]:
    """What typer reads, and the exit code where it does not get that far."""
    read: list[cli.Arguments] = []

    def act(arguments: cli.Arguments) -> int:
        read.append(arguments)
        return 0

    code = cli.run_typer(words, act)
    return (read[0] if read else None), code


def generated_calls() -> Iterator[list[str]]:
    """Plain calls over the whole table, and disturbed ones."""
    draw = random.Random(20261121)
    for command in cli.COMMANDS:
        options = [option for option in cli.OPTIONS if command in option.commands]
        for option, flag in ((each, flag) for each in options for flag in each.flags):
            for value in option.choices or ("a,b", "", "-x", "--", "a=b"):
                if not option.metavar:
                    yield [command, flag, "P"]
                elif flag.startswith("--"):
                    yield [command, f"{flag}={value}", "P"]
                    yield [command, "P", flag, value]
                else:
                    yield [command, flag, value, "P"]
        for _ in range(150):
            words = []
            for option in draw.sample(options, draw.randint(0, 5)):
                flag = draw.choice(option.flags)
                words += [flag, draw.choice(option.choices or ("DF1", "x y", "ä"))] if option.metavar else [flag]
            for path in draw.sample(["a", "-", "b/c", "d d", "**/Dockerfile"], draw.randint(0, 3)):
                words.insert(0, path)
            if draw.random() < 0.2:
                words += ["--", "--diff", "-q"]
            yield [command, *words]


def test_both_parsers_read_plain_calls_alike(capsys: pytest.CaptureFixture[str]) -> None:
    compared = 0
    for words in generated_calls():
        plain = cli.read_plain(words)
        if plain is not None:
            read, code = by_typer(words)
            assert (read, code) == (plain, 0), words
            compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--bogus"], ["check", "--diff"], ["check", "--unsafe"], ["fix", "--diff=yes"], ["check", "--format"],
        ["check", "--format", "xml"], ["check", "--format=xml", "P"], ["check", "-x"], ["chekc"],
        ["--format", "json", "check"],
        ["check", "--fail-level", "off"], ["explain"],
    ],
)  # fmt: skip
def test_what_is_wrong_goes_to_typer_and_gives_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.read_plain(words) is None
    assert cli.run_typer(words, lambda arguments: 0) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"], ["fix", "-h"], ["--version"]])
def test_help_and_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.read_plain(words) is None
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert __version__ in out if words == ["--version"] else "Usage" in out


def test_the_fast_path_imports_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN)
    script = (
        "import sys; from dfopt import cli; before = set(sys.modules); code = cli.main(['check', 'Dockerfile']);"
        "slow = {'typer', 'rich', 'pathlib', 'logging', 'subprocess', 'dataclasses', 'importlib.metadata',"
        " 'tomllib', 'json', 'pathspec', 'difflib', 'argparse', 'inspect', 'tempfile', 'glob', 'traceback',"
        " 'urllib.parse', 'unicodedata'};"
        "print(code, sorted(slow & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.endswith("0 []\n"), done.stdout + done.stderr


# ------------------------------------------------------------------------------------------------- exit codes


def test_exit_codes_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN)
    (tmp_path / "refused.dockerfile").write_text(REFUSED)
    results = {
        words: process(*words, cwd=tmp_path).returncode
        for words in [
            ("check", "Dockerfile"), ("check",), ("check", "missing"), ("check", "--nonsense"),
            ("check", "--exit-zero"), ("check", "refused.dockerfile", "missing"), ("check", "--exit-zero", "missing"),
            ("check", "--select", "DF99999"),
            ("fix", "refused.dockerfile"), ("explain", "no-such-rule"),
        ]
    }  # fmt: skip
    assert list(results.values()) == [0, 1, 2, 2, 0, 2, 2, 2, 1, 2], results


def test_a_refused_file_is_a_finding_at_its_place_and_is_not_rewritten(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text("from  debian:12\nFOO bar\n")
    code, out, err = call("fix", "--unsafe")
    assert code == 1
    assert out.startswith("Dockerfile:2:1: DF801 error")
    assert not err
    assert (here / "Dockerfile").read_text() == "from  debian:12\nFOO bar\n"


@pytest.mark.parametrize(
    ("level", "text", "code"),
    [("error", BLANKS, 0), ("warning", BLANKS, 1), ("info", BLANKS, 1), ("error", BAD, 1),
     ("warning", "from debian\n", 0), ("info", "from debian\n", 1)],
)  # fmt: skip
def test_fail_level(here: Path, call: Call, level: str, text: str, code: int) -> None:
    (here / "Dockerfile").write_text(text)
    got, out, _ = call("check", "--fail-level", level)
    assert got == code
    assert "1 finding" in out
    assert call("check")[0] == 1, "without the option every finding counts"
    assert call("check", "--exit-zero")[0] == 0


def test_a_missing_file_does_not_stop_the_others(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text(BAD)
    code, out, err = call("check", "missing", "Dockerfile", "**/none*")
    assert code == 2
    assert "Dockerfile:2:10: DF291 error" in out
    assert "2 errors, given above" in out
    assert err == "dfopt: missing: no such file or directory\ndfopt: **/none*: no file matches the pattern\n"


def test_an_unreadable_file_is_2(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "Dockerfile").write_text(CLEAN)
    (here / "Dockerfile.b").write_text(BAD)
    read = files.read

    def refuse(path: str) -> bytes:  # root reads everything, whatever the mode
        if path == "Dockerfile":
            raise PermissionError(13, "Permission denied", path)
        return read(path)

    monkeypatch.setattr(files, "read", refuse)
    code, out, err = call("check")
    assert code == 2
    assert err == "dfopt: Dockerfile: permission denied\n"
    assert "Dockerfile.b:2:10: DF291" in out


def test_a_fault_in_one_file_names_it_and_leaves_the_others(here: Path, call: Call) -> None:
    (here / "Dockerfile.a").write_text("FROM debian\nRUN echo CRASH\n")
    (here / "Dockerfile.b").write_text(BLANKS)
    code, out, err = call("fix", "--extend-select", "DF293")
    assert code == 3
    assert err.startswith("dfopt: Dockerfile.a: a fault of dfopt: RuntimeError: a fault of the rule -> ")
    assert "report" in err
    assert (here / "Dockerfile.a").read_text() == "FROM debian\nRUN echo CRASH\n"
    assert (here / "Dockerfile.b").read_text() == CLEAN + "RUN true\n"
    assert "Dockerfile.b:1: fixed DF191" in out


def test_a_fix_that_breaks_its_promise_is_undone_and_3(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text("FROM  debian\nRUN sh -c true\n")
    code, _, err = call("fix", "--extend-select", "DF292", "Dockerfile")
    assert code == 3
    assert "DF292" in err
    assert err.startswith("dfopt: Dockerfile: a fault of dfopt: ")
    assert (here / "Dockerfile").read_text() == "FROM debian\nRUN sh -c true\n", "the other fix is made all the same"


def test_unknown_rules_are_named_with_the_nearest(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text(CLEAN)
    code, out, err = call("check", "--ignore", "two-blank")
    assert code == 2
    assert "`two-blank`" in err
    assert "`two-blanks`" in err
    assert not out
    code, _, err = call("explain", "bad-wort")
    assert code == 2
    assert "`bad-word`" in err
    code, _, err = call("explain", "DF29")
    assert code == 2
    assert "no rule is called `DF29` -> one of `DF29" in err, "a prefix names several"


def test_interrupted_is_130(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "Dockerfile").write_text(CLEAN)

    def stop(path: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "read", stop)
    assert call("check", "Dockerfile") == (130, "", "")


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that breaks")
def test_a_broken_pipe_is_quiet(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"Dockerfile.{number}").write_text(REFUSED)
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    words = [sys.executable, "-m", "dfopt", "check"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.read(10)
        running.stdout.close()
        err = running.stderr.read()
        assert running.wait(60) == 141
    assert err == b""


# --------------------------------------------------------------------------------------------------- check, fix


def test_fix_writes_reports_and_is_done(here: Path, call: Call) -> None:
    path = here / "Dockerfile"
    path.write_text("FROM  debian:12\nfrom  alpine\nRUN echo BAD\n")
    code, out, err = call("fix", "Dockerfile")
    assert path.read_text() == "FROM debian:12\nfrom alpine\nRUN echo BAD\n"
    lines = out.splitlines()
    assert lines[0] == "Dockerfile:1: fixed DF191 leave one blank (saves: a few bytes; safe: blanks there mean nothing)"
    assert lines[1].startswith("Dockerfile:2: fixed DF191")
    assert code == 1
    assert not err
    assert "Dockerfile:3:10: DF291 error" in out
    assert lines[-4:] == [
        "fixed 2 in 1 file",
        "2 findings left in 1 file: 1 error, 1 info",
        "known savings left: about 38 MB in 1 finding",
        "1 can be fixed by `dfopt fix --unsafe`, after a look at each",
    ]
    assert call("fix", "--unsafe", "--ignore=DF2", "Dockerfile")[0] == 0
    assert path.read_text() == "FROM debian:12\nFROM alpine\nRUN echo BAD\n"


def test_a_file_that_does_not_change_is_not_written(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "Dockerfile").write_text(CLEAN)
    monkeypatch.setattr(files, "replace", lambda *arguments: pytest.fail("written"))
    assert call("fix")[0] == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here to apply the patch")
def test_diff_writes_nothing_and_is_a_patch(here: Path, call: Call) -> None:
    path = here / "Dockerfile"
    original = b"\xef\xbb\xbfFROM  debian:12\r\n# caf\xe9 \xff\r\nRUN  echo \xe4\xb8\xad"
    path.write_bytes(original)
    code, out, err = call("fix", "--diff", "Dockerfile")
    assert code == 1
    assert path.read_bytes() == original
    assert out.startswith("--- a/Dockerfile\n+++ b/Dockerfile\n@@ ")
    assert "\\ No newline at end of file\n" in out
    assert "would fix 2 in 1 file" in err
    patch = subprocess.run(
        ["git", "apply", "--whitespace=nowarn"],
        input=out.encode("utf-8", "surrogateescape"),
        cwd=here,
        capture_output=True,
        timeout=60,
    )
    assert patch.returncode == 0, patch.stdout + patch.stderr
    assert path.read_bytes() == original.replace(b"FROM  ", b"FROM ").replace(b"RUN  ", b"RUN ")
    assert call("fix", "--diff", "Dockerfile")[:2] == (0, "")


def test_standard_input_goes_through_byte_for_byte(here: Path, call: Call) -> None:
    data = b"FROM  debian:12\r\n# caf\xe9\r\nRUN true"
    code, out, err = call("fix", "-", stdin=data)
    assert out.encode("utf-8", "surrogateescape") == data.replace(b"  ", b" ")
    assert code == 0
    assert err.splitlines() == [
        "<stdin>:1: fixed DF191 leave one blank (saves: a few bytes; safe: blanks there mean nothing)",
        "fixed 1 in 1 file",
        "no findings left in 1 file",
    ]
    code, out, _ = call("check", "--stdin-filename", "x/Dockerfile", "-", stdin=data)
    assert code == 1
    assert out.startswith("x/Dockerfile:1:5: DF191")


@pytest.mark.parametrize("text", [CLEAN, REFUSED, "", "FROM debian\nRUN echo CRASH\n"])
def test_standard_input_is_never_lost(here: Path, call: Call, text: str) -> None:
    assert call("fix", "--extend-select=DF293", "-", stdin=text.encode())[1] == text


def test_a_template_is_checked_and_never_fixed(here: Path, call: Call) -> None:
    text = "FROM  debian:12\nCOPY {{ name }} /opt/\n"
    (here / "Dockerfile").write_text(text)
    code, out, _ = call("fix", "--unsafe")
    assert code == 1
    assert "not fixed: " in out
    assert "template" in out
    assert "DF191" in out
    assert (here / "Dockerfile").read_text() == text


def test_output_goes_to_a_file(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text(BAD)
    assert call("check", "--output", "report.txt") == (1, "", "")
    assert (here / "report.txt").read_text().startswith("Dockerfile:2:10: DF291 error")
    assert call("check", "--output", "no/such/folder.txt")[0] == 2


def test_quiet(here: Path, call: Call) -> None:
    (here / "Dockerfile").write_text(BLANKS)
    assert call("fix", "--quiet") == (0, "", "")
    (here / "Dockerfile").write_text(BAD)
    out = call("check", "--quiet")[1]
    assert "DF291" in out
    assert "1 finding" not in out


def test_color(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "Dockerfile").write_text(BAD)
    assert "\x1b[" not in call("check")[1]
    assert "\x1b[" in call("check", "--color", "always")[1]
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.colored("auto", stream)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.colored("auto", stream)
    assert console.colored("always", stream)


def test_nothing_found_says_so(here: Path, call: Call) -> None:
    assert call("check") == (
        0,
        "",
        "dfopt: no Dockerfile found in `.` -> name the file itself if it has another name\n",
    )


def test_rules_and_explain(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = call("rules")
    assert code == 0
    assert len(out.splitlines()) == 1 + len(stand_in_rules.INFOS)
    assert "DF191" in out
    monkeypatch.setattr("dfopt.catalogue.page", lambda name: f"# {name}")
    assert call("explain", "DF191") == (0, "# DF191\n", "")


def test_whatever_the_encoding_of_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"FROM debian\nF\xc3\xa4 \xff\x1b[31m \xe4\xb8\xad\n")
    for form, encoding in itertools.product(("text", "json", "lsp", "github", "sarif"), ("ascii", "latin-1", "utf-8")):
        environment = {**os.environ, "PYTHONPATH": SOURCES, "PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [sys.executable, "-m", "dfopt", "check", "-f", form],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (1, b""), (form, encoding)
        assert b"\x1b" not in done.stdout, "the file must not speak to the terminal"


@pytest.mark.parametrize(
    ("option", "value", "field"), [("--cache", "mount", "cache"), ("--assembly", "off", "assembly")]
)
def test_policies_reach_the_rules(
    here: Path, call: Call, monkeypatch: pytest.MonkeyPatch, option: str, value: str, field: str
) -> None:
    seen = []

    def look(build: Build, given: Given) -> Iterator[Finding]:
        seen.append(given)
        return iter(())

    monkeypatch.setitem(stand_in_rules.CHECKS, "two-blanks", look)
    (here / "Dockerfile").write_text(CLEAN)
    call("check", option, value, "--build-context", "base=docker-image://x", "--build-context=other")
    assert [getattr(given, field) for given in seen] == [value]
    assert seen[0].contexts == ("base", "other")


def test_the_documentation_names_every_option_and_no_other() -> None:
    import re

    page = (Path(__file__).parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    table = page[page.index("## Options of") : page.index("## Exit codes")]
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \| (\(`fix`\) )?", table, re.MULTILINE)
    documented = {flag: bool(only_fix) for flags, only_fix in rows for flag in re.findall("`([^`]+)`", flags)}
    assert documented == {flag: option.commands == ("fix",) for option in cli.OPTIONS for flag in option.flags}


@pytest.mark.skipif(os.name != "posix", reason="closes streams by the shell")
def test_closed_streams(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(REFUSED)
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    for words, code in {"check >&-": 1, "check 2>&-": 1, "fix - <&-": 2, "check >&- 2>&- <&-": 1}.items():
        done = subprocess.run(
            f'"{sys.executable}" -m dfopt {words}',
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False), (words, done.stderr)
