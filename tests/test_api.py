"""dfopt as a library: what it takes, what it gives back, what it writes."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in_rules

import dfopt

stand_ins = stand_in_rules.stand_ins
pytestmark = pytest.mark.usefixtures("stand_ins")

BEFORE = "FROM  debian:12\nRUN echo BAD\n"
AFTER = "FROM debian:12\nRUN echo BAD\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dfopt.toml").write_text("")
    return tmp_path


def codes(report: dfopt.Report) -> list[str]:
    return [item.code for item in report.diagnostics]


def test_text_bytes_and_paths(here: Path) -> None:
    (here / "Dockerfile").write_text(BEFORE)
    for target in (BEFORE, BEFORE.encode(), bytearray(BEFORE.encode()), Path("Dockerfile")):
        report = dfopt.check(target)
        assert isinstance(report, dfopt.Report)
        assert codes(report) == ["DF191", "DF291"]
        fixed = dfopt.fix(target)
        assert isinstance(fixed, dfopt.Fixed)
        assert fixed.source.text == AFTER
        assert codes(fixed.report) == ["DF291"]
        assert fixed.source.to_bytes() == AFTER.encode()
        assert [item.code for item in fixed.applied] == ["DF191"]
    assert (here / "Dockerfile").read_text() == BEFORE, "nothing is written unasked"
    assert set(codes(dfopt.check("Dockerfile"))) == {"DF801"}, "a `str` is always text"


def test_write(here: Path) -> None:
    (here / "Dockerfile").write_text(BEFORE)
    dfopt.fix(Path("Dockerfile"), write=True)
    assert (here / "Dockerfile").read_text() == AFTER
    with pytest.raises(ValueError, match="write=True"):
        dfopt.fix(BEFORE, write=True)


def test_names(here: Path) -> None:
    (here / "Dockerfile").write_text(BEFORE)
    assert dfopt.check(BEFORE).source.name == "<text>"
    assert dfopt.check(Path("Dockerfile")).source.name == "Dockerfile"
    assert dfopt.check(BEFORE.encode(), name="x").source.name == "x"


def test_rules_and_policies(here: Path) -> None:
    assert codes(dfopt.check(BEFORE, select=["bad-word"])) == ["DF291"]
    assert codes(dfopt.check(BEFORE, select="DF1,DF291", ignore=("DF191",))) == ["DF291"]
    assert dfopt.fix("from x\n", unsafe=True).source.text == "FROM x\n"
    assert dfopt.fix("from x\n").source.text == "from x\n"
    with pytest.raises(ValueError, match="`DF19x`"):
        dfopt.check(BEFORE, select=["DF19x"])
    with pytest.raises(ValueError, match="`cache` must be one of auto, mount, clean"):
        dfopt.check(BEFORE, cache="mnt")
    with pytest.raises(TypeError, match="not `int`"):
        dfopt.check(3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        dfopt.check(Path("missing"))


def test_configuration(here: Path) -> None:
    (here / "Dockerfile").write_text(BEFORE)
    (here / "dfopt.toml").write_text('ignore = ["DF291"]')
    (here / "other.toml").write_text('select = ["DF291"]')
    assert codes(dfopt.check(Path("Dockerfile"))) == ["DF191"]
    assert codes(dfopt.check(Path("Dockerfile"), isolated=True)) == ["DF191", "DF291"]
    assert codes(dfopt.check(Path("Dockerfile"), config="other.toml")) == ["DF291"]
    assert codes(dfopt.check(BEFORE)) == ["DF191", "DF291"], "text lies in no folder"
    assert codes(dfopt.check(BEFORE, config=Path("other.toml"))) == ["DF291"]
    (here / "dfopt.toml").write_text("x")
    with pytest.raises(dfopt.ConfigError, match=r"dfopt\.toml:1"):
        dfopt.check(Path("Dockerfile"))


@pytest.mark.parametrize("cache", [False, True])
def test_a_parser_over_a_file_object(here: Path, cache: bool) -> None:
    dockerfile_parse = pytest.importorskip("dockerfile_parse")
    file = io.BytesIO(BEFORE.encode())
    parser = dockerfile_parse.DockerfileParser(fileobj=file, cache_content=cache)
    assert codes(dfopt.check(parser)) == ["DF191", "DF291"]
    assert dfopt.fix(parser, write=False).source.text == AFTER
    assert file.getvalue() == BEFORE.encode()
    assert dfopt.fix(parser).source.text == AFTER
    assert file.getvalue() == AFTER.encode()
    assert parser.content == AFTER
    assert parser.baseimage == "debian:12"


@pytest.mark.parametrize("cache", [False, True])
def test_a_parser_over_a_path(here: Path, cache: bool) -> None:
    dockerfile_parse = pytest.importorskip("dockerfile_parse")
    (here / "Dockerfile").write_bytes(BEFORE.replace("\n", "\r\n").encode())
    parser = dockerfile_parse.DockerfileParser(str(here), cache_content=cache)
    assert codes(dfopt.fix(parser).report) == ["DF291"]
    assert (here / "Dockerfile").read_bytes() == AFTER.replace("\n", "\r\n").encode()
    assert parser.content == AFTER.replace("\n", "\r\n")
    (here / "dfopt.toml").write_text('ignore = ["DF291"]')
    assert codes(dfopt.check(parser)) == [], "its path has a configuration"


@pytest.mark.parametrize("over", ["fileobj", "path"])
def test_a_parser_over_bytes_that_are_not_utf8(here: Path, over: str) -> None:
    """Its own `content` setter empties the file and then fails on such bytes."""
    dockerfile_parse = pytest.importorskip("dockerfile_parse")
    before = b"FROM  debian:12\n# caf\xe9\n"
    (here / "Dockerfile").write_bytes(before)
    file = io.BytesIO(before)
    parser = dockerfile_parse.DockerfileParser(**({"fileobj": file} if over == "fileobj" else {"path": str(here)}))
    dfopt.fix(parser)
    after = file.getvalue() if over == "fileobj" else (here / "Dockerfile").read_bytes()
    assert after == b"FROM debian:12\n# caf\xe9\n"


def test_anything_with_content(here: Path) -> None:
    class Holder:
        content = BEFORE

    holder = Holder()
    dfopt.fix(holder)
    assert holder.content == AFTER


def test_an_unchanged_parser_is_not_written(here: Path) -> None:
    class Holder:
        content = property(lambda self: AFTER)

    assert codes(dfopt.fix(Holder()).report) == ["DF291"]


def test_public_names() -> None:
    for name in dfopt.__all__:
        assert getattr(dfopt, name) is not None
        assert name in dir(dfopt)
    assert set(dfopt._HOMES) | {"__version__"} == set(dfopt.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        dfopt.nothing  # noqa: B018


def test_importing_dfopt_is_cheap() -> None:
    script = "import sys; before = set(sys.modules); import dfopt; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=Path(dfopt.__file__).parents[1]
    )
    assert done.stdout == "['dfopt']\n", done.stderr
