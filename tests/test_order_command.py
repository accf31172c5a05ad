"""`dfopt order`: the report, what is written and what is not, and that nothing of it reaches `check` and `fix`."""

import io
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import CHECKOUT
from test_history import put, repository

from dfopt import costs, engine, reorder
from dfopt.build import Build
from dfopt.cli import main
from dfopt.order import Ordered
from dfopt.rule import Fix
from dfopt.source import Source
from dfopt.syntax import parse

WORSE = """\
FROM debian:bookworm-slim
WORKDIR /app

# what is run
COPY src /app/src
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*

# the end
CMD ["/app/src/run"]
"""
BETTER = """\
FROM debian:bookworm-slim
WORKDIR /app

RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*

# what is run
COPY src /app/src

# the end
CMD ["/app/src/run"]
"""

pytestmark = pytest.mark.usefixtures("git_alone")


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project of which each commit changes `src/run`, one in four its notes, and some only what is not copied."""
    commits = [
        put("src/run", "notes"),
        *[put("src/run"), put("src/run", "src/more"), put("notes"), put("README.md")] * 12,
    ]
    top = repository(tmp_path / "project", commits)
    (top / "src").mkdir()
    (top / "src/run").write_text("x")
    (top / "Dockerfile").write_text(WORSE)
    monkeypatch.chdir(top)
    return top


def order(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["order", "--no-config", *words])
    done = capsys.readouterr()
    return code, done.out, done.err


def test_the_report(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = order(capsys, "Dockerfile")
    assert (code, error) == (1, "")
    assert "how often files change: git history, 49 commits in 2 days" in out
    assert re.search(r"^ +5 +0\.1  measured \d{4}-\d\d-\d\d +50%  COPY src /app/src$", out, re.MULTILINE)
    assert re.search(r"^ +6 +20\.0  typical, undated +50%  RUN apt-get update", out, re.MULTILINE)
    assert re.search(r"^ +4 +20\.0  typical, undated +0%  RUN apt-get update", out, re.MULTILINE)
    # 0.5 x (20 + 0.1 s), 48 commits in 47 hours
    assert re.search(r"a commit rebuilds 10\.\d s in the mean; 246 s a day at 24\.5 commits a day", out)
    assert "because of: src/ 100%" in out
    assert "line 5: move the COPY behind line 6" in out
    assert (project / "Dockerfile").read_text() == WORSE


def test_apply(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Dockerfile").chmod(0o640)
    code, out, _ = order(capsys, "--apply")
    assert code == 0
    assert "as written" in out
    assert (project / "Dockerfile").read_text() == BETTER
    assert (project / "Dockerfile").stat().st_mode & 0o777 == 0o640
    code, out, _ = order(capsys, "--apply", "Dockerfile")
    assert code == 0
    assert "nothing to gain: no cheaper order is shown to build the same image" in out
    assert (project / "Dockerfile").read_text() == BETTER


def test_line_ends_stay(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Dockerfile").write_bytes(WORSE.replace("\n", "\r\n").encode())
    assert order(capsys, "--apply")[0] == 0
    assert (project / "Dockerfile").read_bytes() == BETTER.replace("\n", "\r\n").encode()


def test_diff(project: pathlib.Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["order", "--no-config", "--diff"]) == 1
    done = capfdbinary.readouterr()
    assert done.out.startswith(b"--- a/")
    assert b"\n+RUN apt-get update" in done.out
    assert b"\n-RUN apt-get update" in done.out
    assert b"as proposed" in done.err
    assert (project / "Dockerfile").read_text() == WORSE
    patched = subprocess.run(["git", "apply", "-"], input=done.out, check=False, timeout=60)
    assert patched.returncode == 0
    assert (project / "Dockerfile").read_text() == BETTER


def test_what_is_moved_by_commuting_alone(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No rule speaks of a COPY before a slow command that is no package manager's; the costs say that it pays."""
    (project / "Dockerfile").write_text(
        "FROM debian:bookworm-slim\n# changes\nCOPY src /app/src\n\nRUN mkdir /data && chmod 700 /data\nCOPY notes /app/notes\n"
    )
    log = project / "log"
    log.write_text("#1 [1/4] FROM x\n#1 DONE 0.0s\n#2 [3/4] RUN mkdir /data && chmod 700 /data\n#2 DONE 30.0s\n")
    (project / "notes").write_text("x")
    code, out, _ = order(capsys, "--costs", "log", "--apply", "Dockerfile")
    assert code == 0, out
    assert re.search(r"^ +5 +30\.0  build log +50%", out, re.MULTILINE), out
    assert "neither writes what the other reads or writes" in out
    text = (project / "Dockerfile").read_text()
    assert text.startswith("FROM debian:bookworm-slim\n")
    assert text.index("RUN mkdir") < text.index("# changes\nCOPY src")


def test_json(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = order(capsys, "--format", "json", "Dockerfile")
    found = json.loads(out)
    assert code == 1
    assert found["version"] == 1
    (one,) = found["files"]
    assert one["history"] == {
        "source": one["history"]["source"],
        "recorded": True,
        "commits_a_day": pytest.approx(24.0, abs=1),
    }
    assert one["text"] == BETTER
    assert one["before"]["seconds_a_commit"] > one["after"]["seconds_a_commit"]
    assert [step["line"] for step in one["after"]["steps"]] == [1, 2, 4, 7]
    assert {step["source"] for step in one["before"]["steps"]} == {"unknown", "measured", "typical"}
    assert one["changes"][0]["safe"] is True
    assert not one["written"]


def test_records_of_earlier_builds(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "RUN " + WORSE.split("RUN ")[1].split("\n")[0]
    assert costs.record("Dockerfile", [costs.Measured("", 4, 4, text, 77.0)], "2026-11-21")
    assert re.search(r"77\.0  earlier builds +50%  RUN apt", order(capsys, "Dockerfile")[1])


def test_standard_input(
    project: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(WORSE.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    code, out, error = order(capsys, "--apply", "-")
    assert (code, out) == (0, BETTER)
    assert "standard input has no history: defaults by kind of file" in error


def test_what_wants_consent_is_named_and_left(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = WORSE.replace("/app/src", "/srv/src")
    (project / "Dockerfile").write_text(text)
    code, out, _ = order(capsys, "--apply", "Dockerfile")
    assert code == 1
    assert "nothing to gain without your consent" in out
    assert "to agree: " in out
    assert (project / "Dockerfile").read_text() == text
    assert order(capsys, "--apply", "--unsafe", "Dockerfile")[0] == 0
    assert (project / "Dockerfile").read_text() == BETTER.replace("/app/src", "/srv/src")


def test_why_steps_stay(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Dockerfile").write_text("FROM debian:bookworm-slim\nARG GIT_SHA\nCOPY src /app\nRUN make -C /app\n")
    code, out, _ = order(capsys, "Dockerfile")
    assert code == 0
    assert "nothing to gain" in out
    assert "line 4 `RUN make -C /app`" in out.split("what stays")[1]
    assert "steps of unknown time" in out


def test_a_locked_file_stays(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Dockerfile").write_text("# syntax=example.org/other\n" + WORSE)
    code, out, _ = order(capsys, "--apply", "Dockerfile")
    assert code == 0
    assert "the order stays: the frontend `example.org/other` may read the file differently" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["missing"], 2, "missing: no such file"),
        (["--costs", "missing", "Dockerfile"], 2, "--costs: `missing`: no such file"),
        (["--costs", "Dockerfile", "Dockerfile"], 2, "it is no log"),
        (["--context", "missing", "Dockerfile"], 2, "is no folder"),
        (["--apply", "--diff", "Dockerfile"], 2, "give one of them"),
        (["--format", "sarif", "Dockerfile"], 2, ""),
        (["refused"], 1, "refused: BuildKit refuses it"),
        (["empty"], 1, "empty: BuildKit refuses it"),
    ],
)
def test_wrong_use(
    project: pathlib.Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    (project / "refused").write_text("RUN x\n")
    (project / "empty").write_text("")
    found, _, error = order(capsys, *words)
    assert found == code
    assert said in error
    assert "Traceback" not in error


def test_a_context_that_is_told(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "deploy").mkdir()
    (project / "deploy/Dockerfile").write_text("FROM debian:bookworm-slim\nCOPY run /x\n")
    code, out, _ = order(capsys, "--context", "src", "deploy/Dockerfile")
    assert code == 0
    assert "build context `src`" in out
    assert re.search(r"100%  COPY run /x", out)


def test_ignored_files_change_nothing(project: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Dockerfile").write_text("FROM debian:bookworm-slim\nCOPY . /app\n")
    (project / ".dockerignore").write_text("src\nREADME.md\n")
    (project / "notes").write_text("x")
    assert re.search(r" 25%  COPY \. /app", order(capsys, "Dockerfile")[1])


def test_examples_and_fixtures_do_not_crash(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(CHECKOUT / "examples"), str(CHECKOUT / "tests/fixtures/projects"), str(CHECKOUT / "benchmarks")]
    code, out, error = order(capsys, *paths)
    assert code in (0, 1)
    assert error == ""
    assert out.count("how often files change") >= 4


@pytest.mark.parametrize("command", ["check", "fix"])
def test_check_and_fix_know_no_history(project: pathlib.Path, command: str) -> None:
    program = (
        "import sys; from dfopt.cli import main; main(sys.argv[1:]);"
        " print([name for name in ('history', 'order', 'costs', 'reorder', 'store') if 'dfopt.' + name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, "Dockerfile"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip().endswith("[]"), done.stdout


def test_the_page_shows_what_is_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CHECKOUT / "docs/order.md").read_text(encoding="utf-8")
    example = re.search(r"<!-- example -->\n```dockerfile\n(.*?)```", page, re.DOTALL)
    output = re.search(r"<!-- output -->\n```text\n(.*?)\n```", page, re.DOTALL)
    assert example is not None
    assert output is not None

    text = example[1]

    class Stdin:
        buffer = io.BytesIO(text.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert order(capsys, "-")[1].rstrip() == output[1]
    for name, figure in costs.rows():
        date = figure.date or "undated"
        assert f"| {name} | {figure.seconds:g} | {figure.source}, {date} | {figure.origin} |\n" in page


@pytest.mark.parametrize("after", [(1, 2, 4, 3), (1, 4, 2, 3), (1, 3, 2, 4)])
def test_a_step_moves_behind_a_setting_or_before_it(after: tuple[int, ...]) -> None:
    text = "FROM debian:bookworm-slim\nRUN true\nENV A=1\nRUN mkdir /srv/b\nRUN mkdir /srv/c\n"
    build = Build(parse(Source(text)))
    steps = {1: 1e3, 3: 1e3, 4: 1e3}
    ordered = Ordered(build.stages[0], (1, 2, 3, 4), after, steps, True, 0.0, {})
    items = [3] if after == (1, 3, 2, 4) else [4]
    made = Fix("order", tuple(reorder._edits(build, ordered, items)), True, "", tuple(reorder._effects(ordered, items)))
    lines = text.splitlines(keepends=True)
    assert engine.apply_fix(Source(text), made).text == "".join(lines[number] for number in (0, *after))
