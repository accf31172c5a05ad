"""Families of base images: tags taken apart, the same image in another variant, ends of life."""

import pytest

from dfopt import bases, families
from dfopt.build import Build
from dfopt.rebase import change_base, default_image
from dfopt.rule import ChangesArgument, ChangesBase
from dfopt.source import Source, apply_edits
from dfopt.syntax import parse


@pytest.mark.parametrize(
    ("image", "to", "other"),
    [
        ("python", "slim", "python:slim"),
        ("python:3.12", "slim", "python:3.12-slim"),
        ("python:3.12-bookworm", "slim", "python:3.12-slim-bookworm"),
        ("python:3.13-rc", "slim", "python:3.13-rc-slim"),
        ("python:bookworm", "slim", "python:slim-bookworm"),
        ("docker.io/library/python:3.12", "slim", "docker.io/library/python:3.12-slim"),
        ("node:22-bookworm", "slim", "node:22-bookworm-slim"),
        ("node:lts", "slim", "node:lts-slim"),
        ("node:latest", "slim", "node:slim"),
        ("debian:12.5", "slim", "debian:12.5-slim"),
        ("debian:bookworm-20240101", "slim", "debian:bookworm-20240101-slim"),
        ("debian", "slim", None),  # no `debian:slim`
        ("debian:bookworm-backports", "slim", None),
        ("python:3.12-slim", "slim", None),
        ("python:3.12-alpine", "slim", None),
        ("python:3.12-windowsservercore", "slim", None),
        ("python:3.12@sha256:00", "slim", None),
        ("python:$VERSION", "slim", None),
        ("php:8.4-cli", "slim", None),
        ("golang:1.24", "slim", None),
        ("localhost:5000/python:3.12", "slim", None),
        ("eclipse-temurin:21", "jre", "eclipse-temurin:21-jre"),
        ("eclipse-temurin:21-alpine", "jre", "eclipse-temurin:21-jre-alpine"),
        ("eclipse-temurin:17.0.8_7-jdk-jammy", "jre", "eclipse-temurin:17.0.8_7-jre-jammy"),
        ("eclipse-temurin:8u392-b08-jdk", "jre", "eclipse-temurin:8u392-b08-jre"),
        ("eclipse-temurin:21-jre", "jre", None),
        ("eclipse-temurin:latest", "jre", None),
        ("eclipse-temurin:110", "jre", None),
        ("nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", "runtime", "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"),
        ("nvidia/cuda:11.8.0-devel-ubi8", "runtime", "nvidia/cuda:11.8.0-runtime-ubi8"),
        ("nvidia/cuda:11.8.0-base-ubi8", "runtime", None),
        ("pytorch/pytorch:2.7.1-cuda11.8-cudnn9-devel", "runtime", "pytorch/pytorch:2.7.1-cuda11.8-cudnn9-runtime"),
        ("mcr.microsoft.com/dotnet/sdk:8.0-noble", "aspnet", "mcr.microsoft.com/dotnet/aspnet:8.0-noble"),
        ("mcr.microsoft.com/dotnet/sdk:8.0.404", "aspnet", None),
        ("mcr.microsoft.com/dotnet/core/sdk:3.1", "aspnet", "mcr.microsoft.com/dotnet/core/aspnet:3.1"),
    ],
)
def test_variant(image: str, to: str, other: str | None) -> None:
    assert families.variant(image, to) == other


@pytest.mark.parametrize(
    ("image", "ended"),
    [
        ("python:3.8.10-slim-buster", ["Python 3.8", "Debian buster"]),
        ("python:2", ["Python 2"]),
        ("python:3", []),
        ("python:3.14-trixie", []),
        ("node:gallium-alpine", ["Node 16"]),
        ("golang:1.15-alpine3.12", ["Go 1.15", "Alpine 3.12"]),
        ("golang:1", []),
        ("debian:9.1", ["Debian 9"]),
        ("ubuntu:xenial-20210101", ["Ubuntu 16.04"]),
        ("ubuntu:24.04", []),
        ("alpine:3.10.2", ["Alpine 3.10"]),
        ("alpine:3.1000", []),
        ("nvidia/cuda:11.8.0-devel-ubuntu20.04", ["Ubuntu 20.04"]),
        ("mcr.microsoft.com/dotnet/aspnet:6.0-focal", [".NET 6.0", "Ubuntu 20.04"]),
        # What its publisher ends in the month of the table is not said to have ended.
        ("mcr.microsoft.com/dotnet/aspnet:8.0", []),
        ("gcr.io/distroless/static-debian10", ["Debian 10"]),
        ("gcr.io/distroless/cc-debian12:nonroot", []),
        ("example.com/python:3.8", []),
        ("example.com/tool:1-buster", ["Debian buster"]),
        ("", []),
    ],
)
def test_ends(image: str, ended: list[str]) -> None:
    assert [one.what for one in families.ends(*bases.repository_of(image))] == ended


def test_every_end_is_a_day_and_of_a_family() -> None:
    for (family, _), date in families._ends().items():
        year, month, day = map(int, date.split("-"))
        assert family in families._NAMES and 2010 < year < 2030 and 1 <= month <= 12 and 1 <= day <= 31


@pytest.mark.parametrize(
    ("text", "new", "result", "effect"),
    [
        ("FROM a:1", "a:1-x", "FROM a:1-x", ChangesBase(0, "a:1", "a:1-x")),
        ("FROM a:1-y AS b", "a:1-x-y", "FROM a:1-x-y AS b", ChangesBase(0, "a:1-y", "a:1-x-y")),
        ("ARG V=1\nFROM a:$V", "a:1-x", "ARG V=1\nFROM a:$V-x", ChangesBase(0, "a:$V", "a:$V-x")),
        ('ARG V="1"\nFROM a:${V}-y', "a:1-x-y", 'ARG V="1"\nFROM a:${V}-x-y', ChangesBase(0, "a:${V}-y", "a:${V}-x-y")),
        ("ARG V=1-y W\nFROM a:$V", "a:1-x-y", "ARG V=1-x-y W\nFROM a:$V", ChangesArgument("V", "1-y", "1-x-y")),
        ('ARG V="1-y"\nFROM a:$V', "a:1-z", 'ARG V="1-z"\nFROM a:$V', ChangesArgument("V", '"1-y"', '"1-z"')),
        ("ARG I=r/a:1\nFROM $I", "r/b:1", "ARG I=r/b:1\nFROM $I", ChangesArgument("I", "r/a:1", "r/b:1")),
    ],
)
def test_change_base(text: str, new: str, result: str, effect: ChangesBase | ChangesArgument) -> None:
    build = Build(parse(Source(text)))
    changed = change_base(build, build.stages[0], new)
    assert not isinstance(changed, str), changed
    assert (apply_edits(text, [changed[0]]), changed[1]) == (result, effect)


@pytest.mark.parametrize(
    "text",
    [
        "ARG V=1-y\nFROM a:$V AS b\nFROM c:$V",  # another base
        "ARG V=1-y\nFROM a:$V\nARG V\nRUN echo $V",  # the build
        "ARG V=1-y\nARG W=$V\nFROM a:$V",  # another argument
        "ARG V=1- W=y\nFROM a:$V$W",  # no one place
    ],
)
def test_an_argument_that_others_use_stays(text: str) -> None:
    build = Build(parse(Source(text)))
    assert default_image(build, build.stages[0]) == "a:1-y"
    assert isinstance(change_base(build, build.stages[0], "a:2-x"), str)


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("FROM a:1", "a:1"),
        ("ARG V=1\nFROM a:${V}-y", "a:1-y"),
        ("ARG V\nFROM a:$V", None),
        ("ARG V=1\nARG V=2\nFROM a:$V", None),
        ("ARG V=1 W=$V\nFROM a:$W", None),
        ("ARG V=1\nFROM a:${V:-2}", None),
        ("FROM scratch", None),
        ("FROM a AS b\nFROM b", "a"),
        ("FROM a\\\n:1", None),
    ],
)
def test_default_image(text: str, image: str | None) -> None:
    build = Build(parse(Source(text)))
    assert default_image(build, build.stages[0]) == image
    if len(build.stages) > 1:
        assert default_image(build, build.stages[1]) is None
