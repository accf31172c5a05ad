"""The table of sizes: well formed, honest about where its figures are from, and asked as the rules ask it."""

import datetime

import pytest

from dfopt import bases, sizes
from dfopt.build import Build
from dfopt.rule import Saving
from dfopt.source import Source
from dfopt.syntax import parse

DEBIAN = bases.facts("debian:bookworm-slim")


def test_each_row_has_its_source_and_date() -> None:
    for (what, on), figure in sizes._table().items():
        assert what and on in ("debian", "ubuntu", "alpine", "redhat", "suse", "image")
        assert figure.bytes is not None and figure.bytes > 0
        assert figure.source in ("measured", "table")
        assert figure.origin
        assert not figure.date or datetime.date.fromisoformat(figure.date) <= datetime.date.today()
        assert figure.source != "measured" or figure.date, f"{what}: a measured figure has a day"


def test_no_row_stands_twice() -> None:
    assert len(sizes._table()) == len(sizes._ROWS.strip().split("\n"))


def test_a_figure_fills_a_saving() -> None:
    saving = Saving("the package lists", *sizes.lists("apt", DEBIAN))
    assert saving.is_known
    assert (saving.source, saving.origin) == ("measured", "Debian bookworm")
    assert not Saving("x", *sizes.UNKNOWN).is_known


@pytest.mark.parametrize(
    "image",
    [
        "ubuntu:22.04",
        "eclipse-temurin:21-jdk-jammy",
        "mcr.microsoft.com/dotnet/sdk:8.0-noble",
        "alpine",
        "fedora",
        "example.com/x",
    ],
)
def test_what_was_measured_on_debian_says_nothing_of_others(image: str) -> None:
    assert sizes.lists("apt", bases.facts(image)) == sizes.UNKNOWN


@pytest.mark.parametrize("image", ["debian:12", "python:3.12-slim", "node:20", "swift:6.0-bookworm"])
def test_images_of_debian(image: str) -> None:
    assert sizes.lists("apt", bases.facts(image)).source == "measured"


def test_an_unknown_base_or_package_is_unknown() -> None:
    assert sizes.lists("apt", None) == sizes.UNKNOWN
    assert sizes.lists("conda", DEBIAN) == sizes.UNKNOWN
    assert sizes.recommended("apt", DEBIAN, ("no-such-package",)) == sizes.UNKNOWN
    assert sizes.recommended("apt", DEBIAN, ()) == sizes.UNKNOWN


def test_the_state_of_a_build_knows_its_base() -> None:
    build = Build(parse(Source("FROM debian:bookworm-slim\nRUN apt-get update\n")))
    assert sizes.lists("apt", build.state(1).base).source == "measured"
