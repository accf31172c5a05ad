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


def brought(line: str, before: str = "") -> list[tuple[str, str]]:
    build = Build(parse(Source(f"FROM debian:12\n{before}RUN {line}\n")))
    return [(one.kind, one.path) for one in layers.brought(build, len(build.instructions) - 1)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("git clone https://example.com/a.git", ["/srv/a"]),
        ("git clone https://example.com/a/", ["/srv/a"]),
        ("git clone --depth 1 -b v1 --filter=blob:none https://example.com/a.git b", ["/srv/b"]),
        ('git clone "$URL" /opt/c', ["/opt/c"]),
        ('git clone "$URL"', []),
        ("git clone --unheard https://example.com/a.git", []),
        ("cd /opt && git clone https://example.com/a.git", []),
        ("cd /opt && git clone https://example.com/a.git /opt/d", ["/opt/d"]),
        ("git clone https://example.com/a.git && rm -rf a", []),
        ("git -C /x pull", []),
    ],
)
def test_clones(line: str, expected: list[str]) -> None:
    found = brought(line, "WORKDIR /srv\n")
    assert [path for kind, path in found if kind == "clone"] == expected
    assert [path for kind, path in found if kind == "history"] == [f"{path}/.git" for path in expected]


def test_a_clone_without_its_history() -> None:
    assert brought("git clone https://example.com/a.git /a && rm -rf /a/.git") == [("clone", "/a")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tar -xf /x.tar -C /tmp/a", [("unpacked", "/tmp/a")]),
        ("unzip x.zip -d /tmp/a", [("unpacked", "/tmp/a")]),
        ("tar -xf /x.tar -C /opt", []),  # with all that is there
        ("wget -P /tmp https://example.com/a.zip", []),
        ("wget https://example.com/a.zip", [("download", "/a.zip")]),
    ],
)
def test_what_is_unpacked_and_downloaded(line: str, expected: list[tuple[str, str]]) -> None:
    assert brought(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("find /a /b -type f -delete", ("/a/*", "/b/*")),
        ("find /a -name '*.zip' -exec rm -f {} +", ("/a/*.zip",)),
        ("find /a -name '*.zip' -exec rm -f {} \\;", ("/a/*.zip",)),
        ("find /a -size +0 -delete", None),
        ("find /a \\( -name x -o -name y \\) -delete", None),
        ("find /a -name x -print", None),
    ],
)
def test_what_find_deletes(line: str, expected: tuple[str, ...] | None) -> None:
    build = Build(parse(Source(f"FROM debian:12\nRUN {line}\n")))
    found = layers.cleaned(build, 1)
    assert [one.paths for one in found] == ([] if expected is None else [expected])
    assert not any(one.exact for one in found)


@pytest.mark.parametrize(("path", "expected"), [
    ("/", "/"),
    ("/app", "/app"),
    ("/app/lib/x/", "/app"),
    ("/opt", "/opt"),
    ("/opt/app/lib", "/opt/app"),
    ("/usr/local/bin", "/usr/local/bin"),
    ("/usr/local/bin/tool", "/usr/local/bin/tool"),
    ("/etc/nginx/conf.d", "/etc/nginx"),
])  # fmt: skip
def test_regions(path: str, expected: str) -> None:
    assert layers.region(path) == expected


@pytest.mark.parametrize(
    ("before", "path", "why"),
    [
        ("", "/app/x", ""),
        ("", "/etc/x", "may hold"),
        ("RUN mkdir -p /app && chown -R app /app", "/app/x", ""),
        ("RUN mkdir -p /app && chown -R app /app", "/app", "names"),
        ("RUN mkdir -m 700 -p /app", "/app/x", "names"),
        ("RUN mkdir -p /app/x", "/app/x", "names"),
        ("RUN mkdir -p /app/y", "/app/x", ""),
        ("RUN mkdir /app && chmod 2775 /app", "/app/x", "names"),
        ("RUN mkdir /app > /app/x", "/app/x", "names"),
        ("RUN for d in /app; do mkdir $d; done", "/app/x", "names"),
        ("WORKDIR /app", "/app/x", ""),
        ("WORKDIR /app/x/y", "/app/x", "WORKDIR"),
        ("ARG A\nWORKDIR $A", "/app/x", "WORKDIR"),
        ("COPY a.txt /app/", "/app/x", ""),
        ("COPY a.txt /app/x/", "/app/x", "COPY"),
        ("COPY a /app/", "/app/x", "COPY"),
        ("COPY --parents a/b.txt /app/", "/app/x", "COPY"),
        ("ADD a.tar.gz /app", "/app/x", "ADD"),
        ("RUN apt-get install -y x", "/usr/local/bin/tool", ""),
        ("RUN npm install -g x", "/usr/local/bin/tool", "npm install"),
        ("RUN unknown-program", "/app/x", "not known"),
        ("WORKDIR /app\nRUN curl -fsSLo /usr/bin/x https://example.com/y", "/app/x", ""),
        ("WORKDIR /app\nRUN curl -fsSLo x https://example.com/y", "/app/x", "names"),
        ("WORKDIR /app\nRUN curl -fsSLO https://example.com/x", "/app/x", "works in"),
        ("WORKDIR /app\nRUN tar -xzf /a.tgz -C /opt", "/app/x", ""),
        ("WORKDIR /app\nRUN tar -xzf /a.tgz -C /", "/app/x", "names"),
        ("WORKDIR /app\nRUN tar -xzf /a.tgz", "/app/x", "works in"),
    ],
)
def test_what_may_lie_somewhere_before(before: str, path: str, why: str) -> None:
    build = Build(parse(Source(f"FROM debian:12\n{before}\nCOPY a.txt /z/\n")))
    found = layers.occupied(build, build.stages[0], (path,), len(build.instructions) - 1)
    assert (why in found) if why else found == ""


@pytest.mark.parametrize(("before", "there"), [
    ("", False),
    ("WORKDIR /srv/a/b", True),
    ("RUN mkdir -p /srv/a && echo 1", True),
    ("RUN mkdir -p /srv/a || true", False),
    ("COPY x.txt /srv/a/x.txt", True),
    ("COPY x.txt /srv/a", False),
    # It may be a file, which comes to lie under that name.
    ("COPY x /srv/a", False),
    ("COPY x /srv/a/", True),
    ("COPY x /srv/a/x", True),
    ("COPY x/ /srv/a", True),
    ("COPY . /srv/a", True),
    ("ADD a.tar.gz /srv/a", True),
])  # fmt: skip
def test_whether_a_folder_is_there(before: str, there: bool) -> None:
    build = Build(parse(Source(f"FROM debian:12\n{before}\nCOPY a.txt /z/\n")))
    assert layers.exists(build, build.stages[0], "/srv/a", len(build.instructions) - 1) is there
