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


@pytest.fixture
def small_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfopt.debian.KIB", (1, 2, 4, 8))
    monkeypatch.setattr("dfopt.debian.INSTALLS", "\na | 0 | 1-2\nb | 0 2 | 3\nbase |  |\n")


@pytest.mark.usefixtures("small_index")
def test_what_several_packages_bring_is_counted_once() -> None:
    def kib(figure: sizes.Figure) -> int | None:
        return figure.bytes // 1024 if figure.bytes is not None else None

    assert kib(sizes.packages("apt", DEBIAN, ("a",))) == 1
    assert kib(sizes.packages("apt", DEBIAN, ("a", "b=1.*"))) == 1 + 4
    assert kib(sizes.packages("apt", DEBIAN, ("b",), ("a",))) == 4
    assert kib(sizes.packages("apt", DEBIAN, ("b", "base"))) == 1 + 4
    assert kib(sizes.recommended("apt", DEBIAN, ("a",))) == 2 + 4
    assert kib(sizes.recommended("apt", DEBIAN, ("a", "b"))) == 2 + 8, "what b needs is not what a recommends"
    assert kib(sizes.recommended("apt", DEBIAN, ("a",), lean=("b",))) == 2
    assert kib(sizes.recommended("apt", DEBIAN, ("b",), rich=("b",))) is None
    assert sizes.packages("apt", DEBIAN, ("a",)).source == "table"


@pytest.mark.usefixtures("small_index")
def test_one_package_that_is_not_in_the_index_makes_all_unknown() -> None:
    assert sizes.packages("apt", DEBIAN, ("a", "other")) == sizes.UNKNOWN
    assert sizes.packages("apt", DEBIAN, ("a",), ("other",)) == sizes.UNKNOWN
    assert sizes.recommended("apt", DEBIAN, ("a",), rich=("other",)) == sizes.UNKNOWN
    assert sizes.packages("apt", DEBIAN, ("base",)) == sizes.UNKNOWN, "nothing is no figure"
    assert sizes.packages("apk", bases.facts("alpine"), ("a",)) == sizes.UNKNOWN


@pytest.mark.usefixtures("small_index")
@pytest.mark.parametrize("image", ["python:3.12", "node:20-bookworm", "ubuntu:24.04", "buildpack-deps"])
def test_an_image_that_has_much_already_tells_nothing_of_packages(image: str) -> None:
    assert sizes.packages("apt", bases.facts(image), ("a",)) == sizes.UNKNOWN
    assert sizes.recommended("apt", bases.facts(image), ("git",)) == sizes.UNKNOWN


def test_the_index_is_whole_and_agrees_with_what_was_built() -> None:
    from dfopt import debian

    rows = debian.INSTALLS.strip().split("\n")
    numbers = {number for row in rows for part in row.split(" |")[1:] for number in sizes._numbers(part)}
    assert numbers == set(range(len(debian.KIB)))
    for name in ("build-essential", "git", "curl", "python3-pip"):
        built = sizes.recommended("apt", DEBIAN, (name,)).bytes
        groups = sizes._groups("apt", DEBIAN, (name,))
        assert built is not None and groups is not None
        table = sizes._of_index(groups[1] - groups[0]).bytes
        assert table is not None and 0.8 < built / table < 1.25, (name, built, table)
