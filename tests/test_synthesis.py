"""Builder and runtime from one stage: real small projects of each language, with their plan and what `dfopt fix --unsafe` makes of them.

`fixtures/synthesis/<language>-<name>/project/` is a project with its `Dockerfile` and, where it answers questions, a `dfopt.toml`. Beside it
`plan.txt` is what `dfopt plan` prints, `Dockerfile.after` what the fix alone makes of the file, absent where it makes nothing;
`DFOPT_UPDATE_GOLDENS=1` writes both anew: read the difference before you commit it.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from buildkit_oracle import oracle_or_skip

from dfopt import catalogue, config, engine
from dfopt.build import Build
from dfopt.plan import Wishes, placed, planner
from dfopt.report import plans
from dfopt.rule import Given
from dfopt.source import Source
from dfopt.syntax import parse
from dfopt.synthesis import LANGUAGES, Kept, Plan, plan_of

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "synthesis"
UPDATE = os.environ.get("DFOPT_UPDATE_GOLDENS") == "1"
PROJECTS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
RULE = "toolchain-shipped"


def given_of(folder: pathlib.Path) -> Given:
    """What a run of dfopt in the project's folder is given: its configuration, and its folder as the build context."""
    folder = folder / "project"
    path = folder / "dfopt.toml"
    settings = config.load(str(path)) if path.exists() else config.NONE
    wishes = Wishes(context=str(folder))
    dockerfile = str(folder / "Dockerfile")
    return placed(planner(wishes)(settings, dockerfile), settings, wishes, dockerfile, {}).given


def source_of(folder: pathlib.Path) -> Source:
    return Source.from_bytes((folder / "project/Dockerfile").read_bytes(), "Dockerfile")


def plan_for(source: Source, given: Given) -> plans.Planned:
    build = Build(parse(source))
    assert build.final is not None
    return plans.Planned("Dockerfile", build, plan_of(build, given, build.final))


def golden(path: pathlib.Path, text: str | None) -> None:
    """Hold `text` against a golden file; None: there is none."""
    if UPDATE:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(text.encode())
    assert (path.read_bytes().decode() if path.exists() else None) == text


@pytest.mark.parametrize("name", PROJECTS)
def test_plan(name: str) -> None:
    golden(FOLDER / name / "plan.txt", plans.text_of([plan_for(source_of(FOLDER / name), given_of(FOLDER / name))]))


@pytest.mark.parametrize("name", PROJECTS)
def test_fixed(name: str) -> None:
    """The result is as declared, keeps each of the author's lines, comes to rest, and is planned no more."""
    source, given = source_of(FOLDER / name), given_of(FOLDER / name)
    fixed = engine.fix(source, catalogue.rules([RULE]), given, unsafe=True)
    assert fixed.faults == ()
    golden(FOLDER / name / "Dockerfile.after", fixed.source.text if fixed.applied else None)
    if not fixed.applied:
        return
    lines = fixed.source.text.split("\n")
    opening = [one for one in Build(parse(source)).instructions if one.name == "FROM"][-1]
    text = source.text[opening.span.start : opening.span.end].strip()
    for line in source.text.split("\n"):
        assert line in lines or line.strip() == text, "a line of the author's is lost"
    again = engine.fix(fixed.source, catalogue.rules([RULE]), given, unsafe=True)
    assert (again.applied, again.faults) == ((), ())


@pytest.mark.parametrize("name", PROJECTS)
def test_the_result_is_clean(name: str) -> None:
    """With all default rules the file comes to rest, and nothing is found then that was not found before."""
    source, given = source_of(FOLDER / name), given_of(FOLDER / name)
    rules = catalogue.rules()
    before = {one.code for one in engine.check(source, rules, given).diagnostics}
    fixed = engine.fix(source, rules, given, unsafe=True)
    assert fixed.faults == ()
    assert {one.code for one in fixed.report.diagnostics} - before == set()
    again = engine.fix(fixed.source, rules, given, unsafe=True)
    assert (again.applied, again.faults) == ((), ())


@pytest.mark.parametrize("name", PROJECTS)
def test_the_plan_decides(name: str) -> None:
    """Without the template's lines the result is the author's own instructions: each in the builder, or behind it."""
    planned = plan_for(source_of(FOLDER / name), given_of(FOLDER / name))
    if not isinstance(planned.plan, Plan) or planned.plan.questions:
        return
    instructions = planned.build.instructions
    steps = {one.instruction for one in planned.plan.lines if isinstance(one, Kept)}
    assert all(instructions[index].name not in ("RUN", "COPY", "ADD", "FROM") for index in steps)


def test_buildkit_accepts_all() -> None:
    oracle = oracle_or_skip()
    for path in sorted(FOLDER.glob("*/Dockerfile.after")):
        assert oracle.parse(path.read_bytes()).refusal is None, path


def test_hadolint_finds_no_more(tmp_path: pathlib.Path) -> None:
    program = shutil.which("hadolint", path=f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("hadolint is not installed")

    def codes(path: pathlib.Path) -> set[str]:
        done = subprocess.run(
            [program, "--no-color", str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        return {line.split()[1] for line in done.stdout.split("\n") if len(line.split()) > 1}

    for after in sorted(FOLDER.glob("*/Dockerfile.after")):
        assert codes(after) - codes(after.with_name("project") / "Dockerfile") - {"DL3008", "DL3018"} == set(), after


def test_each_language_has_three_projects() -> None:
    for language in LANGUAGES:
        assert sum(name.startswith(f"{language}-") for name in PROJECTS) >= 3, language
