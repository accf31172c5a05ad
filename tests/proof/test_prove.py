"""What stands around the builds: the cases are found, fixed as they say, and effects are counted for the stage that is built."""

import pathlib

import pytest

from dfopt import engine
from dfopt.build import Build
from dfopt.rule import Assembles, Effect, Given, Layers, Removes
from dfopt.source import Source, Span
from dfopt.syntax import parse
from dfopt.verify import declared, unique_mounts
from proof.prove import (
    Case,
    example_cases,
    fixture_cases,
    page_cases,
    prove,
    without_frontend,
    write_sources,
)

CASES = [*page_cases(), *fixture_cases(), *example_cases()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{'unsafe' if case.unsafe else 'safe'}")
def test_each_case_is_fixed_as_it_says(case: Case) -> None:
    verdict = prove(case, None, "no engine")
    assert not verdict.is_fault, verdict.detail
    assert verdict.state in ("text only", "left alone")


def test_a_case_whose_rule_is_silent_is_a_fault() -> None:
    case = Case("silent", "FROM debian:bookworm-slim\n", ("ALL",), ("DF101",), Given(), False, "")
    assert prove(case, None, "no engine").state == "nothing fixed"


def effects_of(fixed: engine.Fixed, build: Build, target: int) -> list[Effect]:
    return [effect for _, effect in declared(fixed, build, target)]


def _applied(number: int, *effects: Effect) -> engine.Applied:
    return engine.Applied("DF999", "a-rule", "title", "because", None, True, 1, number, effects)


def _fixed(*applied: engine.Applied) -> engine.Fixed:
    source = Source("")
    return engine.Fixed(source, engine.Report(source, (), False, ""), applied, ())


def test_effects_of_the_stage_and_those_below_it() -> None:
    build = Build(parse(Source("FROM a AS base\nFROM b AS other\nFROM base\nCOPY --from=other /x /x\n")))
    effects = [Removes((f"/{index}",), index) for index in range(3)]
    fixed = _fixed(_applied(1, *effects))
    assert effects_of(fixed, build, 2) == [effects[0], effects[2]]
    assert effects_of(fixed, build, 1) == [effects[1]]
    assert effects_of(fixed, build, 0) == [effects[0]]


def test_effects_after_a_round_that_brought_a_stage_in() -> None:
    build = Build(parse(Source("FROM a AS base\nFROM base\nCOPY --from=x /x /x\nCOPY --from=x /y /y\n")))
    before, after, elsewhere = Removes(("/before",), 1), Removes(("/after",), 2), Removes(("/elsewhere",), 1)
    layers = Layers(1, -1)
    fixed = _fixed(_applied(1, before, Assembles((2, 3), "assembly", "/"), layers), _applied(2, after, elsewhere))
    assert effects_of(fixed, build, 1) == [before, layers, after]


def test_mounts_get_ids_of_their_own() -> None:
    text = (
        "FROM a\nRUN --mount=type=cache,target=/a --mount=type=cache,id=b,target=/c --mount=type=bind,target=/d true\n"
        "RUN --mount=target=/root/.cache,type=cache true\n"
    )
    found = unique_mounts(text, "my run/1")
    assert found == (
        "FROM a\nRUN --mount=type=cache,target=/a,id=my-run-1-a --mount=type=cache,target=/c,id=my-run-1b"
        " --mount=type=bind,target=/d true\nRUN --mount=target=/root/.cache,type=cache,id=my-run-1-root-.cache true\n"
    )
    assert unique_mounts("FROM a\nRUN true\n", "x") == "FROM a\nRUN true\n"


def test_the_frontend_is_left_out_and_nothing_else() -> None:
    assert without_frontend("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\n") == "# escape=`\nFROM a\n"
    assert without_frontend("# escape=`\r\n# syntax=docker/dockerfile:1\r\nFROM a\r\n") == "# escape=`\r\nFROM a\r\n"
    assert without_frontend("# a comment\n# syntax=x\nFROM a\n") == "# a comment\n# syntax=x\nFROM a\n"


def test_spans_of_directives_begin_at_their_line() -> None:
    """What `without_frontend` counts on."""
    assert parse(Source("# escape=`\n# syntax=x\nFROM a\n")).directives[1].span.start == Span(11, 12).start


def test_what_a_case_copies_is_there(tmp_path: pathlib.Path) -> None:
    (tmp_path / "here").write_text("mine")
    text = "FROM a AS b\nCOPY here ./etc/rc files/ /x/\nCOPY --from=b /other /\nADD https://example.com/y *.txt . /\nCOPY <<EOF /z\nEOF\n"
    write_sources(tmp_path, text)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"here", "etc/rc", "files/content"}
    assert (tmp_path / "here").read_text() == "mine"
