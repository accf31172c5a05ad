"""Whether caches are mounted or cleaned is decided in one place, and no fix turns that decision."""

import pytest

from dfopt import policy
from dfopt.build import Build
from dfopt.rule import Given
from dfopt.source import Source
from dfopt.syntax import parse


def build(text: str) -> Build:
    return Build(parse(Source(text, "Dockerfile")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nRUN b\n", "clean"),
        ("# syntax=docker/dockerfile:1\nFROM a\n", "mount"),
        ("# syntax=docker/dockerfile:1.2\nFROM a\n", "mount"),
        ("# syntax=docker/dockerfile:1.1-experimental\nFROM a\n", "mount"),
        ("# syntax=docker/dockerfile:1.1\nFROM a\n", "clean"),
        ("# syntax=docker/dockerfile:1.0.3\nFROM a\nRUN --mount=type=cache,target=/c b\n", "clean"),
        ("# a comment\n# syntax=docker/dockerfile:1\nFROM a\n", "clean"),
        ("FROM a\nRUN --mount=type=secret,id=s b\n", "mount"),
        ("FROM a\nCOPY <<EOF /f\nb\nEOF\n", "mount"),
        ("FROM a\nRUN <<EOF\nb\nEOF\n", "mount"),
        ("FROM a\nRUN b --mount=type=cache,target=/c\n", "clean"),
    ],
)
def test_auto_is_read_off_the_file(text: str, expected: str) -> None:
    assert policy.cache(build(text), Given()) == expected


@pytest.mark.parametrize("text", ["FROM a\n", "# syntax=docker/dockerfile:1\nFROM a\n"])
@pytest.mark.parametrize("wanted", ["mount", "clean"])
def test_the_configuration_decides_where_it_says_something(text: str, wanted: str) -> None:
    assert policy.cache(build(text), Given(cache=wanted)) == wanted


def test_an_engine_that_is_no_buildkit_has_no_mounts() -> None:
    assert policy.cache(build("# syntax=docker/dockerfile:1\nFROM a\n"), Given(engine="kaniko")) == "clean"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", False),
        ("# syntax=docker/dockerfile:1\n", True),
        ("# syntax=docker/dockerfile\n", True),
        ("# syntax=docker/dockerfile:1.14-labs\n", True),
        ("# syntax=docker/dockerfile:1.13\n", False),
        ("# syntax=docker/dockerfile:1.4.0@sha256:0\n", False),
    ],
)
def test_symbolic_modes_come_with_the_frontend(line: str, expected: bool) -> None:
    assert policy.has_symbolic_modes(build(line + "FROM a\n")) == expected
