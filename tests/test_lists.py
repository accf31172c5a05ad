"""Package lists over several steps, and packages that come and go."""

import pytest

from dfopt import installed, layers, lists
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse

UPDATE = "RUN apt-get update\n"
INSTALL = "RUN apt-get install -y curl\n"


def read(text: str) -> Build:
    return Build(parse(Source(text)))


def readers(text: str) -> lists.Readers:
    """Who reads the lists of the first RUN."""
    build = read(f"FROM debian:12\n{UPDATE}{text}")
    (one,) = [one for one in layers.written(build, 1) if one.kind == "lists"]
    return lists.readers(build, 1, one)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (INSTALL, [2]),
        ("COPY a /a\n" + INSTALL + INSTALL, [3, 4]),
        ("RUN apt-get update && apt-get install -y curl\n" + INSTALL, []),
        ("RUN rm -rf /var/lib/apt/lists/*\n" + INSTALL, []),
        ("RUN test -e /x && rm -rf /var/lib/apt/lists/*; true\n" + INSTALL, [3]),
        ("RUN dnf install -y curl\n", []),
        ("FROM debian:12\n" + INSTALL, []),
    ],
)
def test_who_certainly_reads(text: str, expected: list[int]) -> None:
    assert [one.instruction for one in readers(text).certain] == expected


def test_a_stage_on_top_reads() -> None:
    build = read(f"FROM debian:12 AS a\n{UPDATE}FROM a\n{INSTALL}")
    (one,) = [one for one in layers.written(build, 1) if one.kind == "lists"]
    assert [one.instruction for one in lists.readers(build, 1, one).certain] == [3]


def test_what_may_read() -> None:
    assert "make" in readers("RUN make\n").doubt
    assert "ONBUILD" in readers("ONBUILD RUN make\n").doubt
    assert "CMD" in readers("CMD apt-get install -y curl\n").doubt
    assert readers("RUN useradd app\nCOPY a /a\n").doubt == ""
    found = readers("RUN test -e /x || apt-get update; apt-get install -y curl\n" + INSTALL)
    assert found.certain == ()
    assert "does not run" in found.conditional


def missing(text: str) -> list[int]:
    build = read(text)
    return [one.instruction for stage in build.stages for one in lists.missing(build, stage)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"FROM debian:12\n{INSTALL}", [1]),
        (f"FROM example.com/x\n{INSTALL}", []),
        (f"FROM alpine\n{INSTALL}", []),
        (f"FROM debian:12\n{UPDATE}{INSTALL}", []),
        (f"FROM debian:12\n{UPDATE}RUN rm -rf /var/lib/apt/lists/*\n{INSTALL}", [3]),
        (f"FROM debian:12\nRUN ./x\n{INSTALL}", []),
        (f"FROM debian:12\nCOPY lists /var/lib/apt/lists\n{INSTALL}", []),
        (f"FROM debian:12\nCOPY lists /srv/lists\n{INSTALL}", [2]),
        (f"FROM debian:12 AS a\nFROM a\n{INSTALL}", [2]),
        (f"FROM debian:12 AS a\n{UPDATE}FROM a\n{INSTALL}", []),
        ("FROM debian:12\nRUN apt-get install -U -y curl\n", []),
        ("FROM debian:12\nRUN apt-get install -y ./a.deb\n", []),
        ("FROM debian:12\nRUN apt-get -f install\n", []),
        ("FROM debian:12\nRUN which curl || apt-get install -y curl\n", []),
        ('FROM debian:12\nRUN ["apt-get", "install", "curl"]\n' + INSTALL, []),
    ],
)
def test_where_there_are_certainly_none(text: str, expected: list[int]) -> None:
    assert missing(text) == expected


def removed(text: str) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    build = read(text)
    return [(one.names, one.origins) for stage in build.stages for one in installed.removed(build, stage)]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("apt-get install -y gcc=12 make:amd64", "apt-get purge -y gcc make", ("gcc", "make")),
        ("apt-get install -y gcc && apt-get remove -y gcc", "apt-get purge -y gcc", None),
        ("apt-get install -y gcc", "apt-get purge -y g++", None),
        ("apk add -t .deps gcc", "apk del .deps", (".deps",)),
        ("apk add --virtual=.deps gcc", "apk del gcc", None),
        ("pip install 'Flit_Core[x]>=1'", "pip uninstall -y flit-core", ("flit-core",)),
        ("pip install ./flit_core", "pip uninstall -y flit-core", None),
        ("npm install -g @a/b@1", "npm uninstall -g @a/b", ("@a/b",)),
        ("npm ci", "npm prune --production", (installed.DEVELOPMENT,)),
        ("npm ci --omit=dev", "npm prune --production", None),
        ("zypper -n install gcc", "zypper -n rm gcc", ("gcc",)),
        ("yum install -y gcc", "dnf erase -y gcc", ("gcc",)),
    ],
)
def test_what_is_removed_too_late(first: str, second: str, expected: tuple[str, ...] | None) -> None:
    found = removed(f"FROM node:20\nRUN {first}\nRUN true\nRUN {second}\n")
    assert found == ([] if expected is None else [(expected, (1,))])


def test_the_first_install_keeps_it() -> None:
    install = "RUN apt-get update && apt-get install -y gcc\n"
    assert removed(f"FROM debian\n{install}{install}RUN apt-get purge gcc\n") == [(("gcc",), (1,))]
    assert removed(f"FROM debian AS a\n{install}FROM a\nRUN apt-get purge gcc\n") == [(("gcc",), (1,))]
