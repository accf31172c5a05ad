"""What a COPY or ADD lays where."""

import pytest

from dfopt import bases, layers
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse


def laid(line: str, before: str = "") -> list[tuple[str, str]] | None:
    build = Build(parse(Source(f"FROM debian:12\n{before}{line}\n")))
    found = layers.laid(build, len(build.instructions) - 1)
    return None if found is None else [(one.path, one.kind) for one in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY a.sh /b.sh", [("/b.sh", "file")]),
        ("COPY a.sh /srv/", [("/srv/a.sh", "file")]),
        ("COPY a.sh b.sh /srv/", [("/srv/a.sh", "file"), ("/srv/b.sh", "file")]),
        ("COPY a.sh /srv/app", [("/srv/app", "")]),  # may be a folder that takes it
        ("COPY a.sh /usr/local/bin/a", [("/usr/local/bin/a", "file")]),
        ("COPY a.sh /start", [("/start", "file")]),
        ("COPY a.sh /opt", [("/opt", "")]),
        ("COPY tool /usr/local/bin/", [("/usr/local/bin", "")]),
        ("COPY conf.d /etc/x", [("/etc/x", "")]),
        ("COPY . .", [("/", "")]),
        ("COPY $A /x", None),
        ("ADD a.tar.gz /srv", [("/srv", "archive")]),
        ("COPY a.tar.gz /srv/", [("/srv/a.tar.gz", "file")]),
        ("ADD https://example.com/tool?x=1 /usr/bin/", [("/usr/bin/tool", "file")]),
        ("ADD https://example.com/a.tar.gz /srv/", [("/srv/a.tar.gz", "file")]),
        ("ADD https://example.com/a.git /srv/", [("/srv", "")]),
        ("COPY <<EOF /usr/bin/x\ny\nEOF", [("/usr/bin/x", "file")]),
    ],
)
def test_what_lies_where(line: str, expected: list[tuple[str, str]] | None) -> None:
    assert laid(line) == expected


@pytest.mark.parametrize("before", ["WORKDIR /data\n", "RUN mkdir -p /data\n", "COPY x /data/y\n"])
def test_a_file_may_go_into_a_folder_of_that_name(before: str) -> None:
    assert laid("COPY a.sh /data", before) == [("/data", "")]


def test_users_that_an_image_brings() -> None:
    assert bases.has_user(bases.facts("node:20"), "node")
    assert bases.has_user(bases.facts("python:3.12-slim"), "www-data")
    assert not bases.has_user(bases.facts("alpine:3"), "www-data")
    assert not bases.has_user(bases.facts("debian:12"), "app")
    assert not bases.has_user(None, "root")
