"""dfopt as users get it: what the two distributions hold, and an installed wheel at work outside the checkout."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest
from conftest import CHECKOUT, Distributions, skip_without_network

import dfopt
from dfopt import catalogue

PAGES = sorted(path.name for path in (CHECKOUT / "rules").glob("*.md"))


def test_both_hold_the_pages(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = wheel.namelist()
        for page in PAGES:
            assert wheel.read(f"dfopt/pages/{page}") == (CHECKOUT / "rules" / page).read_bytes()
        assert sorted(name[12:] for name in names if name.startswith("dfopt/pages/")) == PAGES
        index: dict[str, object] = {}
        exec(wheel.read("dfopt/_index.py"), index)
    assert index["INDEX"] == tuple(tuple(info) for info in catalogue.read_heads(str(CHECKOUT / "rules")))
    with tarfile.open(distributions.sdist) as sdist:
        root = f"dfopt-{dfopt.__version__}"
        held = {name.removeprefix(root + "/") for name in sdist.getnames()}
    assert {f"rules/{page}" for page in PAGES} <= held
    wanted = (
        "LICENSE README.md CHANGELOG.md CONTRIBUTING.md .pre-commit-hooks.yaml .ci/run hatch_build.py pyproject.toml"
    )
    assert set(wanted.split()) <= held
    assert {"docs/index.md", "examples/go/Dockerfile", "tests/conftest.py", "tools/generate.py"} <= held


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    sources = CHECKOUT / "src"
    modules = {path.relative_to(sources).as_posix() for path in (sources / "dfopt").rglob("*.py")}
    assert set(names) == modules | {"dfopt/py.typed", "dfopt/_index.py"} | {f"dfopt/pages/{page}" for page in PAGES}


def test_a_wheel_from_the_sdist_is_the_same(distributions: Distributions) -> None:
    assert distributions.wheel.name == distributions.direct_wheel.name
    with zipfile.ZipFile(distributions.wheel) as one, zipfile.ZipFile(distributions.direct_wheel) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }


def test_the_index_is_not_left_in_the_checkout(distributions: Distributions) -> None:
    assert not list((CHECKOUT / "src").rglob("_index.py"))
    assert not (CHECKOUT / "src/dfopt/pages").exists()


@pytest.fixture(scope="module")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of programs of a fresh environment in which the wheel was installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    done = run(folder, programs / "python", "-m", "pip", "install", "-q", "--no-cache-dir", distributions.wheel)
    if done.returncode:
        skip_without_network(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    return programs


def run(folder: pathlib.Path, *words: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_an_installed_dfopt_works_elsewhere(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    dfopt_program = installed / "dfopt"
    version = run(tmp_path, dfopt_program, "--version")
    assert (version.returncode, version.stdout) == (0, f"dfopt {dfopt.__version__}\n")

    rules = run(tmp_path, dfopt_program, "rules")
    assert rules.returncode == 0, rules.stderr
    assert [line.split()[0] for line in rules.stdout.splitlines()[1:]] == [info.code for info in catalogue.infos()]

    for info in catalogue.infos():
        page = run(tmp_path, dfopt_program, "explain", info.name)
        assert page.stdout == (CHECKOUT / f"rules/{info.name}.md").read_text(encoding="utf-8")

    text = (CHECKOUT / "examples/python/Dockerfile").read_bytes()
    (tmp_path / "Dockerfile").write_bytes(text)
    checked = run(tmp_path, dfopt_program, "check", "--format", "json")
    assert checked.returncode == 1, checked.stderr
    assert "examples" not in checked.stdout
    assert json.loads(checked.stdout)
    fixed = run(tmp_path, dfopt_program, "fix")
    assert fixed.returncode in (0, 1), fixed.stderr
    expected = dfopt.fix(text, config=None).source.to_bytes()
    assert (tmp_path / "Dockerfile").read_bytes() == expected != text


def test_the_installed_package_is_the_one_that_ran(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    program = "import dfopt, dfopt.catalogue as c; print(dfopt.__file__); print(c.folder())"
    done = run(tmp_path, installed / "python", "-c", program)
    module, pages = done.stdout.splitlines()
    assert pathlib.Path(module).is_relative_to(installed.parent)
    assert pathlib.Path(pages).is_relative_to(installed.parent)
