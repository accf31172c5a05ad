"""The hooks, run by the real pre-commit in a repository of their own."""

import os
import pathlib
import re
import subprocess
import sys
import tarfile

import pytest
from conftest import CHECKOUT, Distributions, skip_without_network

from dfopt import files

pytest.importorskip("pre_commit", reason="pre-commit is not installed")

DIRTY = "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl\nRUN rm -rf /var/lib/apt/lists/*\n"
REFUSED = "FROM debian:bookworm-slim\nRUN <<EOF\n"


def run(folder: pathlib.Path, *words: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    """A command, with a home and a configuration of git that are the test's own."""
    own = folder.parent / "home"
    own.mkdir(exist_ok=True)
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "PRE_COMMIT", "PYTHONPATH"))
        },
        "PRE_COMMIT_HOME": str(own / "pre-commit"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def repository(folder: pathlib.Path) -> None:
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        done = run(folder, "git", *words)
        assert done.returncode == 0, done.stderr


def hook(project: pathlib.Path, name: str) -> subprocess.CompletedProcess[str]:
    return run(project, sys.executable, "-m", "pre_commit", "run", name, "--all-files", "--color", "never")


@pytest.fixture(scope="module")
def project(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository whose configuration names dfopt's hooks, from a repository with what the sdist holds."""
    top = tmp_path_factory.mktemp("pre-commit")
    with tarfile.open(distributions.sdist) as sdist:
        sdist.extractall(top, filter="data")
    (hooks,) = top.iterdir()
    repository(hooks)
    revision = run(hooks, "git", "rev-parse", "HEAD").stdout.strip()
    project = top / "project"
    project.mkdir()
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {hooks.as_posix()}\n    rev: {revision}\n"
        "    hooks:\n      - id: dfopt-check\n        args: [--fail-level=info]\n      - id: dfopt-fix\n"
    )
    (project / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    repository(project)
    first = hook(project, "dfopt-check")
    if first.returncode:
        skip_without_network(first.stdout + first.stderr)
    assert first.returncode == 0, first.stdout + first.stderr
    return project


def test_fix_changes_the_file_and_fails_once(project: pathlib.Path) -> None:
    path = project / "service.Dockerfile"
    path.write_text(DIRTY)
    (project / "notes.md").write_text(DIRTY)
    assert run(project, "git", "add", "-A").returncode == 0
    first = hook(project, "dfopt-fix")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "files were modified by this hook" in first.stdout
    assert "rm -rf /var/lib/apt/lists/*\nRUN" not in path.read_text()
    assert path.read_text() != DIRTY
    assert (project / "notes.md").read_text() == DIRTY
    again = hook(project, "dfopt-fix")
    assert again.returncode == 0, again.stdout + again.stderr


def test_check_fails_and_changes_nothing(project: pathlib.Path) -> None:
    path = project / "Containerfile.ci"
    path.write_text(DIRTY)
    assert run(project, "git", "add", "-A").returncode == 0
    done = hook(project, "dfopt-check")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Containerfile.ci:3:" in done.stdout
    assert path.read_text() == DIRTY
    path.unlink()


def test_fix_fails_on_an_error_that_is_left(project: pathlib.Path) -> None:
    path = project / "broken.Dockerfile"
    path.write_text(REFUSED)
    assert run(project, "git", "add", "-A").returncode == 0
    done = hook(project, "dfopt-fix")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DF801" in done.stdout
    assert path.read_text() == REFUSED
    path.unlink()


NAMES = {
    "Dockerfile": True,
    "dockerfile": True,
    "a/b/Containerfile": True,
    "containerfile": True,
    "Dockerfile.prod": True,
    "a/api.Dockerfile": True,
    "api.dockerfile": True,
    "Dockerfile.dockerignore": False,
    "Dockerfile.md": False,
    "Dockerfile.j2": False,
    "Dockerfile.bak": False,
    "Dockerfile~": False,
    "dockerfile.py": False,
    "src/containerfile.go": False,
    "MyDockerfile": False,
    "Dockerfile/readme": False,
    "docker-compose.yaml": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_hooks_take_what_a_walk_takes(name: str, tmp_path: pathlib.Path) -> None:
    text = (CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    wanted = re.findall(r"^  files: '(.*)'$", text, re.MULTILINE)
    unwanted = re.findall(r"^  exclude: '(.*)'$", text, re.MULTILINE)
    assert len(wanted) == len(unwanted) == 2
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(DIRTY)
    walked = [found.path for found in files.find((str(tmp_path),), lambda _: False) if not found.error]
    for files_pattern, exclude_pattern in zip(wanted, unwanted, strict=True):
        taken = bool(re.search(files_pattern, name)) and not re.search(exclude_pattern, name)
        assert taken == NAMES[name]
        # A walk may guess less than a hook, never more.
        assert taken or not walked
