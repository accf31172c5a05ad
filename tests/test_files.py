"""Finding files as git and the user mean it, and replacing them whole or not at all."""

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dfopt import files


def tree(root: Path, *paths: str) -> None:
    """Make the files `paths` below `root`; a path that ends in `/` is a folder; `path=text` gives content."""
    for path in paths:
        path, _, text = path.partition("=")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_text(text)


def found(*targets: str, **options: Any) -> list[str]:
    """The paths found; an error stands as `!path`."""
    return [("!" if each.error else "") + each.path for each in files.find(targets, **options)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_of_dockerfiles(here: Path) -> None:
    taken = ["Containerfile", "Containerfile.dev", "Dockerfile", "Dockerfile.prod", "api.Dockerfile", "web.dockerfile"]
    left = [
        "Dockerfile.dockerignore", "Dockerfile.md", "Dockerfile.j2", "Dockerfile.bak", "Dockerfile.orig", "Dockerfile~",
        "dockerfile.txt", "MyDockerfile", "Dockerfile-dev", "app.py", ".dockerignore", "api.Dockerfile.j2",
    ]  # fmt: skip
    tree(here, *taken, *left)
    assert found(".") == taken
    assert found(*left) == left, "what is named is taken"


def test_order_and_each_file_once(here: Path) -> None:
    tree(here, "b/Dockerfile", "a/x/Dockerfile", "a/Dockerfile", "Dockerfile", "a.dockerfile")
    inside = ["Dockerfile", "a.dockerfile", "a/Dockerfile", "a/x/Dockerfile", "b/Dockerfile"]
    assert found(".") == [path.replace("/", os.sep) for path in inside]
    assert found("b", ".", "a/Dockerfile", "./Dockerfile", str(here)) == ["b/Dockerfile", *inside[:-1]]
    os.symlink("Dockerfile", "z.dockerfile")
    os.link("Dockerfile", "y.dockerfile")
    assert found("z.dockerfile", "Dockerfile", "y.dockerfile") == ["z.dockerfile", "y.dockerfile"]


def test_a_walk_follows_no_folder_links_and_skips_what_is_not_the_users(here: Path) -> None:
    tree(
        here,
        "src/Dockerfile",
        ".git/Dockerfile",
        "node_modules/p/Dockerfile",
        ".devcontainer/Dockerfile",
        "Dockerfile.d/",
    )
    os.symlink("..", "src/loop")
    os.symlink("nowhere", "src/Dockerfile.dangling")
    assert found(".") == [".devcontainer/Dockerfile", "src/Dockerfile"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here to be asked")
def test_gitignore_means_what_git_means(here: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    tree(
        here,
        ".gitignore=/build\n*.gen.dockerfile\n# a comment\n\nsub/skip/\n**/deep\n!keep.gen.dockerfile\n"
        "trailing\\ \n[bad\n",
        "sub/.gitignore=!back.gen.dockerfile\nDockerfile.no\r\n",
        "build/Dockerfile", "sub/build/Dockerfile", "a.gen.dockerfile", "keep.gen.dockerfile",
        "sub/back.gen.dockerfile", "sub/other.gen.dockerfile", "sub/Dockerfile.no", "Dockerfile.no",
        "sub/skip/Dockerfile", "x/y/deep/Dockerfile",
        "build/keep.gen.dockerfile", "Dockerfile",
    )  # fmt: skip
    seen = found(".")
    everything = [str(path.relative_to(here)) for path in here.rglob("*ockerfile*") if ".git" not in path.parts]
    assert len(everything) == 12
    for path in everything:
        git = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], check=False).returncode
        assert (git == 0) == (path not in seen), path
    assert seen == [
        "Dockerfile", "Dockerfile.no", "keep.gen.dockerfile", "sub/back.gen.dockerfile", "sub/build/Dockerfile",
    ]  # fmt: skip
    assert found("sub") == ["sub/back.gen.dockerfile", "sub/build/Dockerfile"], "files above the folder count"
    assert found("build", "a.gen.dockerfile") == [
        "build/Dockerfile",
        "build/keep.gen.dockerfile",
        "a.gen.dockerfile",
    ], "what is named is taken"


def test_gitignore_of_a_repository_ends_at_another(here: Path) -> None:
    tree(here, ".git/HEAD", ".gitignore=*.dockerfile\n", "inner/.git/HEAD", "inner/a.dockerfile", "b.dockerfile")
    assert found(".") == ["inner/a.dockerfile"]
    assert found("inner") == ["inner/a.dockerfile"]


def test_patterns(here: Path) -> None:
    tree(
        here,
        "Dockerfile",
        "a/Dockerfile.x",
        "a/b/Dockerfile",
        "a/b/Dockerfile.md",
        "svc/one/Dockerfile",
        "svc/two/x.txt",
    )
    assert found("**/Dockerfile") == ["Dockerfile", "a/b/Dockerfile", "svc/one/Dockerfile"]
    assert found("a/**/Dockerfile*") == ["a/Dockerfile.x", "a/b/Dockerfile"]
    assert found("*/Dockerfile*") == ["a/Dockerfile.x"]
    assert found("**/*.md") == ["a/b/Dockerfile.md"], "a pattern that asks for it gets it"
    assert found("svc/*") == ["svc/one/Dockerfile"], "a folder that matches is walked"
    assert found("svc/t*/*.txt") == ["svc/two/x.txt"]
    assert found("svc/[!t]*/Dockerfil?") == ["svc/one/Dockerfile"]
    assert found("**/nothing", "none*/x") == ["!**/nothing", "!none*/x"]
    assert found(str(here / "**" / "Dockerfile.x")) == [str(here / "a" / "Dockerfile.x")]
    tree(here, "odd[1]/Dockerfile")
    assert found("odd[1]/Dockerfile") == ["odd[1]/Dockerfile"], "a file of that name comes first"


def test_excluded_is_asked_on_walks_only(here: Path) -> None:
    tree(here, "a/Dockerfile", "b/Dockerfile")
    assert found(".", excluded=lambda path: path == "a") == ["b/Dockerfile"]
    assert found("a/Dockerfile", "a", excluded=lambda path: path.endswith("Dockerfile")) == ["a/Dockerfile"]


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("Dockerfile", ["Dockerfile", "a/b/Dockerfile"], ["Dockerfile.x", "xDockerfile"]),
        ("tests/", ["tests/Dockerfile", "a/tests/x/y"], ["atests/x"]),
        ("a/*.dockerfile", ["a/x.dockerfile"], ["b/a/x.dockerfile", "a/b/x.dockerfile"]),
        ("a/**", ["a/x", "a/x/y"], ["a", "b/a"]),
        ("**/x/*", ["x/y", "a/b/x/y"], ["x"]),
        ("[ab]?", ["a1", "c/b2"], ["c1", "a/"]),
        ("a[", ["a["], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_pattern(text: str, yes: list[str], no: list[str]) -> None:
    matches = files.pattern(text).fullmatch
    assert all(matches(path) for path in yes)
    assert not any(matches(path) for path in no)


def test_replace_keeps_mode_and_link(here: Path) -> None:
    (here / "real").mkdir()
    path = here / "real" / "Dockerfile"
    path.write_bytes(b"old")
    path.chmod(0o751)
    os.symlink("real/Dockerfile", "Dockerfile")
    files.replace("Dockerfile", b"old", b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert os.readlink("Dockerfile") == "real/Dockerfile"
    assert os.listdir(here / "real") == ["Dockerfile"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_replace_keeps_the_owner(here: Path) -> None:
    (here / "Dockerfile").write_bytes(b"old")
    os.chown("Dockerfile", 12345, 23456)
    (here / "Dockerfile").chmod(0o640)
    files.replace("Dockerfile", b"old", b"new")
    status = os.stat("Dockerfile")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o640)


def test_replace_never_overwrites_a_change(here: Path) -> None:
    (here / "Dockerfile").write_bytes(b"edited meanwhile")
    with pytest.raises(files.Changed, match="Dockerfile"):
        files.replace("Dockerfile", b"old", b"new")
    assert (here / "Dockerfile").read_bytes() == b"edited meanwhile"
    assert os.listdir() == ["Dockerfile"]


@pytest.mark.parametrize("step", ["replace", "fsync", "chmod"])
def test_replace_leaves_nothing_behind_when_it_fails(here: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    (here / "Dockerfile").write_bytes(b"old")

    def fail(*arguments: object, **options: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        files.replace("Dockerfile", b"old", b"new")
    assert (here / "Dockerfile").read_bytes() == b"old"
    assert os.listdir() == ["Dockerfile"]


def test_replace_refuses_what_is_no_file_and_what_is_read_only(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe")
        with pytest.raises(OSError, match="not a regular file"):
            files.replace("pipe", b"", b"new")
    (here / "Dockerfile").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError):
        files.replace("Dockerfile", b"old", b"new")
    assert (here / "Dockerfile").read_bytes() == b"old"


def test_names_that_are_not_utf8(here: Path) -> None:
    name = os.fsdecode(b"\xff.dockerfile")
    try:
        (here / name).write_bytes(b"old")
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    assert found(".") == [name]
    files.replace(name, b"old", b"new")
    assert files.read(name) == b"new"


def test_what_has_no_end_is_not_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    with pytest.raises(OSError, match="more than"):
        files.read("/dev/zero")
    (here / "large").write_bytes(b"x" * 1001)
    with pytest.raises(OSError, match="more than"):
        files.read("large")
    (here / "fits").write_bytes(b"x" * 1000)
    assert len(files.read("fits")) == 1000
    files.create(os.devnull, b"a report")
    with pytest.raises(OSError, match="[Nn]o space left"):
        files.create("/dev/full", b"a report")


def test_a_named_folder_that_cannot_be_read_is_said(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(here, "shut/Dockerfile", "open/shut/Dockerfile", "open/Dockerfile")
    scan = os.scandir

    def refuse(path: str) -> Any:
        if os.path.basename(path) == "shut":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found("shut", "open") == ["!shut", "open/Dockerfile"]
