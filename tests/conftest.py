"""What all tests share: a clean environment, bounded properties, and dfopt built once as users get it."""

import os
import pathlib
import subprocess
import sys
from typing import NamedTuple, NoReturn

import pytest
from hypothesis import HealthCheck, settings

# Small projects, some of which have tests of their own.
collect_ignore = ["fixtures"]

CHECKOUT = pathlib.Path(__file__).parents[1]

# A shared runner may be slow at any moment; what is slow is held by the benchmarks.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


class Distributions(NamedTuple):
    """dfopt as it is published: the source distribution, the wheel made from it, and one made from the checkout."""

    sdist: pathlib.Path
    wheel: pathlib.Path
    direct_wheel: pathlib.Path


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours and completion are switched by the environment of whoever runs the tests; no test depends on that."""
    for name in ("FORCE_COLOR", "NO_COLOR", "_DFOPT_COMPLETE"):
        monkeypatch.delenv(name, raising=False)


_IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


@pytest.fixture
def git_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Git, dfopt's records and the home folder without anything of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in _IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """dfopt, built."""
    folder = tmp_path_factory.mktemp("distributions")
    both, direct = folder / "both", folder / "direct"
    for target, options in ((both, []), (direct, ["--wheel"])):
        built = subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(target), str(CHECKOUT)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert built.returncode == 0, built.stdout + built.stderr
    return Distributions(_only(both, "*.tar.gz"), _only(both, "*.whl"), _only(direct, "*.whl"))


def _only(folder: pathlib.Path, pattern: str) -> pathlib.Path:
    (found,) = folder.glob(pattern)
    return found


def skip_without_network(output: str) -> None:
    """Skip the calling test where `output` of a failed installer says that it reached nothing; in CI it fails.

    Returns where something else was wrong.
    """
    signs = ("name resolution", "NewConnectionError", "Network is unreachable", "Connection refused")
    if any(sign in output for sign in signs):
        _unreachable(output)


def _unreachable(output: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"the package index cannot be reached:\n{output}", pytrace=False)
    pytest.skip("the package index cannot be reached, and this test installs from it")
