"""What a stage needs of its base image: read from commands, and from the requirements and lock files of a build context."""

import json
from pathlib import Path

import pytest

from dfopt import needs
from dfopt.build import Build
from dfopt.rule import Given, Place
from dfopt.source import Source
from dfopt.syntax import parse

PYTHON = frozenset("python python3 pip pip3 uv poetry".split())


def found(text: str, folder: Path | None = None) -> list[tuple[str, str]]:
    build = Build(parse(Source(text)))
    given = Given(place=Place(str(folder / "Dockerfile"), str(folder))) if folder is not None else Given()
    return [(need.kind, need.label) for need in needs.of(build, given, build.stages[0], PYTHON)]


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("mkdir -p /a && chown -R app /a", []),
        ("apt-get update && apt-get install -y git && git clone x", []),
        ("apt-get install -y build-essential && make", [("build", "`make`")]),
        ("git clone x", [("tool", "git")]),
        ("ls | xargs curl", [("tool", "curl")]),
        ("find / -name a -exec gcc {} ;", [("build", "`gcc`")]),
        ("env A=1 unzip x", [("tool", "unzip")]),
        ("for a in b; do make $a; done", [("build", "`make`")]),
        ("$X", [("unknown", "`$X`")]),
        ("./configure", [("unknown", "`./configure`")]),
        ("python setup.py install", [("unknown", "`python setup.py install`")]),
        ("python -m venv /venv && python --version", []),
        ("frobnicate", [("unknown", "`frobnicate`")]),
        ("pip install flask 'uvicorn[standard]>=0.2'", []),
        ("pip install Flask PyYAML ruamel_yaml", []),
        ("pip install mysqlclient", [("unknown", "`pip install` of `mysqlclient`")]),
        ("pip install --no-binary :all: flask", [("unknown", "`pip install` of sources")]),
        ("pip install git+https://example.com/a", [("unknown", "`pip install` of `git+https://example.com/a`")]),
        ("pip install .", [("unknown", "`pip install` of `.`")]),
        ("pip cache purge", []),
        ("npm install -g pnpm", []),
        ("npm install -g node-sass", [("unknown", "`npm install` of `node-sass`")]),
        ("npm ci --ignore-scripts", []),
        ("gem install puma", [("build", "`gem install`")]),
    ],
)
def test_commands(command: str, needed: list[tuple[str, str]]) -> None:
    assert found(f"FROM x\nRUN {command}\n") == needed


def test_what_stands_on_it_and_what_others_bring() -> None:
    text = "FROM x AS a\nFROM a AS b\nRUN gcc a.c\nFROM a\nCOPY --from=b /x /x\nCOPY --from=ghcr.io/astral-sh/uv:0.7.11 /uv /bin/\n"
    assert found(text) == [("build", "`gcc`"), ("unknown", "what `--from=b` brings")]
    assert found('FROM x\nRUN ["make"]\nHEALTHCHECK CMD ["curl", "x"]\n') == [
        ("unknown", "a script that is not read"),
        ("tool", "curl"),
    ]


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("flask==3.0 --hash=sha256:00  # web\n\n-c limits.txt\n--index-url x\n", []),
        ("flask\nmysqlclient==2\n", [("unknown", "`pip install` of `mysqlclient==2`")]),
        ("-r more.txt\n", []),
        ("-r missing.txt\n", [("unknown", "`pip install` of `missing.txt`, which is not read")]),
        ("-e .\n", [("unknown", "`pip install` of `-e .`")]),
        ("-r requirements.txt\n", []),
    ],
)
def test_requirements(tmp_path: Path, text: str, needed: list[tuple[str, str]]) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    (tmp_path / "more.txt").write_text("requests\n")
    for copy in ("COPY . .", "COPY *.txt ./", "COPY requirements.txt more.txt /app/", "COPY . /app"):
        assert found(f"FROM x\nWORKDIR /app\n{copy}\nRUN pip install -r requirements.txt\n", tmp_path) == needed, copy
    unread = [("unknown", "`pip install` of `requirements.txt`, which is not read")]
    assert found("FROM x\nWORKDIR /app\nCOPY app /app\nRUN pip install -r requirements.txt\n", tmp_path) == unread
    assert found("FROM x\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n") == unread


WHEEL = 'wheels = [{ url = "https://example.com/a-1-py3-none-any.whl" }]\n'
LINUX = 'wheels = [{ url = "https://example.com/a-1-cp312-cp312-manylinux_2_17_x86_64.whl" }]\n'
WINDOWS = 'wheels = [{ url = "https://example.com/a-1-cp312-cp312-win_amd64.whl" }]\n'
SDIST = 'sdist = { url = "https://example.com/a-1.tar.gz" }\n'


@pytest.mark.parametrize(
    ("package", "needed"),
    [
        (WHEEL + SDIST, ""),
        (LINUX + SDIST, ""),
        (WINDOWS, ""),  # not for this system
        (WINDOWS + SDIST, "`uv sync` of `a`"),
        (SDIST, "`uv sync` of `a`"),
        ('source = { git = "https://example.com/a" }\n', "`uv sync` of `a`"),
        ('source = { virtual = "." }\n', ""),
        ("nonsense", "`uv sync` of `uv.lock`, which is not read"),
    ],
)
def test_lock_file(tmp_path: Path, package: str, needed: str) -> None:
    (tmp_path / "uv.lock").write_text(f'version = 1\n[[package]]\nname = "a"\n{package}')
    text = "FROM x\nWORKDIR /app\nCOPY uv.lock .\nRUN uv sync --locked --no-install-project\n"
    assert found(text, tmp_path) == ([("unknown", needed)] if needed else [])
    whole = found(text.replace(" --no-install-project", ""), tmp_path)
    assert whole == [("unknown", "`uv sync` of the project")]


@pytest.mark.parametrize(
    ("package", "scripts", "needed"),
    [
        ({}, {}, ""),
        ({"hasInstallScript": True}, {}, "`npm ci` runs a script of `a`"),
        ({"hasInstallScript": True, "os": ["darwin"]}, {}, ""),
        ({"resolved": "git+ssh://example.com/a"}, {}, "`npm ci` clones `a`"),
        ({}, {"postinstall": "make"}, "`npm ci` may run scripts of the project"),
    ],
)
def test_package_lock(tmp_path: Path, package: dict[str, object], scripts: dict[str, str], needed: str) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"name": "x", "scripts": scripts}))
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": {"": {}, "node_modules/a": package}}))
    text = "FROM x\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n"
    assert found(text, tmp_path) == ([("unknown", needed)] if needed else [])


@pytest.mark.parametrize(
    "text",
    [
        "package = [1]",
        "package = 1",
        '[[package]]\nwheels = [1]\nsource = 2\nfiles = "x"',
        "\0",
        "[[",
        "a = " + "[" * 9999,
    ],
)
def test_a_lock_file_may_hold_anything(tmp_path: Path, text: str) -> None:
    (tmp_path / "uv.lock").write_text(text)
    assert found("FROM x\nWORKDIR /app\nCOPY . .\nRUN uv sync --no-install-project\n", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        '{"packages": {"a": 1}}',
        '{"packages": {"a": {"hasInstallScript": 1, "os": 3}}}',
        "{",
        "\0",
        "[" * 99999,
    ],
)
def test_a_package_lock_may_hold_anything(tmp_path: Path, text: str) -> None:
    (tmp_path / "package-lock.json").write_text(text)
    assert found("FROM x\nWORKDIR /app\nCOPY . .\nRUN npm ci\n", tmp_path)
