"""How often files change, read from git: renames, merges, subfolders, limits, the cache, and every reason why there is no history."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable

import pytest

from dfopt import history, store

pytestmark = pytest.mark.usefixtures("git_alone")


def git(folder: pathlib.Path, *words: str, text: str = "") -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, input=text, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def repository(folder: pathlib.Path, commits: Iterable[str]) -> pathlib.Path:
    """A repository made by `git fast-import`: each commit is lines of its language (`M 100644 inline a` and the like, without
    data; `R old new`, `D path`), an hour after the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    stream = []
    for number, changes in enumerate(commits):
        stream.append(
            f"commit refs/heads/main\ncommitter a <a@example.org> {1_700_000_000 + 3600 * number} +0000\ndata 1\nx"
        )
        for line in changes.split("\n"):
            stream.append(line)
            if line.startswith("M "):
                # Enough lines that a rename with a change is still seen as one.
                text = "\n".join(f"{line} {row}" for row in range(20)) + f"\n{number}\n"
                stream.append(f"data {len(text.encode())}\n{text}")
        stream.append("")
    git(folder, "fast-import", "--quiet", text="\n".join(stream))
    return folder


def put(*paths: str) -> str:
    return "\n".join(f"M 100644 inline {path}" for path in paths)


FILLING = [put("other")] * history.ENOUGH


def test_paths_of_each_commit_newest_first(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a", "b"), put("a"), "D b", *FILLING, put("src/x y", 'src/"q"')])
    found = history.of(str(top))
    assert found.commits[0] == {"src/x y", 'src/"q"'}
    assert list(map(set, found.commits[-2:])) == [{"b"}, {"a"}]
    assert len(found.commits) == history.ENOUGH + 3, "the first commit made the files and rebuilt nothing"
    assert found.seen == {"a", "b", "other", "src/x y", 'src/"q"'}
    assert found.complete
    assert found.source == f"git history, {history.ENOUGH + 4} commits"


def test_days(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a")] * 50)
    found = history.of(str(top))
    assert found.days == 2
    assert found.source == "git history, 50 commits in 2 days"


def test_a_renamed_file_keeps_its_history(tmp_path: pathlib.Path) -> None:
    changes = [put("old"), put("old"), 'R "old" "middle"', put("middle"), 'R "middle" "new"', put("new"), *FILLING]
    found = history.of(str(repository(tmp_path / "r", changes)))
    own = [commit for commit in found.commits if commit != {"other"}]
    assert own == [{"new"}, {"new", "middle"}, {"new"}, {"new", "old"}, {"new"}]


def test_a_name_that_is_taken_again_is_another_file(tmp_path: pathlib.Path) -> None:
    """`a` becomes `b`, then a new `a` comes: what touched the first one counts for `b`."""
    changes = [put("a"), put("a"), 'R "a" "b"', put("a"), put("a"), *FILLING]
    found = history.of(str(repository(tmp_path / "r", changes)))
    own = [commit for commit in found.commits if commit != {"other"}]
    assert own == [{"a"}, {"a"}, {"a", "b"}, {"b"}]


def test_a_merge_is_one_change(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    git(top, "reset", "-q", "--hard", "main")
    git(top, "checkout", "-q", "-b", "side")
    for name in ("one", "two"):
        (top / name).write_text("x")
        git(top, "add", ".")
        git(top, "commit", "-q", "-m", name)
    git(top, "checkout", "-q", "main")
    git(top, "merge", "-q", "--no-ff", "-m", "merge", "side")
    found = history.of(str(top))
    assert found.commits[0] == {"one", "two"}
    assert len(found.commits) == history.ENOUGH + 1


def test_a_subfolder(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("app/a"), *FILLING, put("app/a", "other"), 'R "other" "app/b"'])
    (top / "app").mkdir()
    found = history.of(str(top / "app"))
    assert list(map(set, found.commits)) == [{"b"}, {"a", "b"}, *[{"b"}] * history.ENOUGH]
    (top / "none").mkdir()
    nothing = history.of(str(top / "none"))
    assert nothing.commits == ()
    assert nothing.source == f"git history: none of {history.ENOUGH + 3} commits touches the build context"


def test_too_few_commits(tmp_path: pathlib.Path) -> None:
    found = history.of(str(repository(tmp_path / "r", [put("a")] * 3)))
    assert (found.commits, found.source) == ((), "git history of 3 commits")


def test_a_shallow_clone(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING, *FILLING])
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{top}", "one")
    assert history.of(str(tmp_path / "one")).source == "shallow clone of 1 commit"
    git(tmp_path, "clone", "-q", "--depth", "15", f"file://{top}", "some")
    assert history.of(str(tmp_path / "some")).source == "shallow clone, 15 commits"


def test_no_commit_and_no_repository(tmp_path: pathlib.Path) -> None:
    (tmp_path / "plain").mkdir()
    assert history.of(str(tmp_path / "plain")).source == "no git repository"
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q")
    assert history.of(str(tmp_path / "new")).source == "git history without a commit"


def test_no_git(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert history.of(str(top)).source == "`git` cannot be run"


def test_a_damaged_repository(tmp_path: pathlib.Path) -> None:
    top = tmp_path / "r"
    (top / ".git").mkdir(parents=True)
    (top / ".git/HEAD").write_text("ref: refs/heads/../../main\n")
    assert history.of(str(top)).source.startswith("`git log` failed: not a git repository")
    other = tmp_path / "link"
    other.mkdir()
    (other / ".git").write_text("gitdir: nowhere\n")
    assert history.of(str(other)).source.startswith("`git log` failed: ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_someone_else(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    for path in (top, top / ".git"):
        os.chown(path, 12345, 12345)
    assert "safe.directory" in history.of(str(top)).source


def test_the_users_configuration_changes_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [put("a"), put("ä b"), 'R "a" "c"', *FILLING]
    expected = history.of(str(repository(tmp_path / "plain", changes)))
    top = repository(tmp_path / "set", changes)
    (tmp_path / "order").write_text("nothing\n")
    for key, value in (
        ("core.quotePath", "true"), ("diff.renames", "false"), ("log.showSignature", "true"), ("color.ui", "always"),
        ("core.pager", "false"), ("log.showRoot", "false"), ("diff.orderFile", str(tmp_path / "gone")), ("log.decorate", "full"),
        ("diff.renameLimit", "1"), ("log.diffMerges", "combined"), ("diff.relative", "true"), ("format.pretty", "fuller"),
        ("gpg.program", "false"), ("diff.external", "false"), ("log.follow", "true"), ("log.date", "relative"), ("diff.noprefix", "true"),
    ):  # fmt: skip
        git(top, "config", key, value)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert history.of(str(top)) == expected


def entries(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    return sorted((tmp_path / "cache/dfopt/history").iterdir())


def test_the_cache_is_used(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r", [put("a"), put("b"), *FILLING])
    first = history.of(str(top))
    assert len(entries(tmp_path)) == 1
    monkeypatch.setenv("PATH", str(tmp_path))
    assert history.of(str(top)) == first
    git_folder = top / ".git"
    head = (git_folder / "refs/heads/main").read_text()
    (git_folder / "refs/heads/main").unlink()
    (git_folder / "packed-refs").write_text(
        f"# pack-refs with: peeled fully-peeled sorted \n{head.strip()} refs/heads/main\n"
    )
    assert history.of(str(top)) == first


def test_another_commit_is_another_entry(tmp_path: pathlib.Path) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    first = history.of(str(top))
    git(top, "reset", "-q", "--hard", "main")
    (top / "new").write_text("x")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "x")
    assert len(history.of(str(top)).commits) == len(first.commits) + 1
    assert len(entries(tmp_path)) == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"version":1}',
        b'{"version":1,"paths":["a"],"commits":[[1,[7]]],"seen":[],"complete":true}',
        b"\xff",
    ],
)
def test_a_damaged_cache_is_ignored(tmp_path: pathlib.Path, damage: bytes) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    first = history.of(str(top))
    entries(tmp_path)[0].write_bytes(damage)
    assert history.of(str(top)) == first
    assert json.loads(entries(tmp_path)[0].read_text())["version"] == 1


def test_a_cache_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cache").write_text("a file")
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    assert len(history.of(str(top)).commits) == history.ENOUGH


def test_old_entries_go(tmp_path: pathlib.Path) -> None:
    for number in range(30):
        assert store.write(f"history/{number}", number)
        os.utime(tmp_path / f"cache/dfopt/history/{number}.json", (number, number))
    store.prune("history", 20, 1 << 20)
    assert {int(path.stem) for path in entries(tmp_path)} == set(range(10, 30))
    store.prune("history", 20, 10)
    assert {int(path.stem) for path in entries(tmp_path)} == set(range(25, 30)), "two bytes each"


def test_five_thousand_commits_are_the_most(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "COMMITS", 20)
    found = history.of(str(repository(tmp_path / "r", [put("a")] * 30)))
    assert len(found.commits) == 20
    assert not found.complete
    assert "no more are read" in found.source


def test_what_is_cut_off_is_left_out(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r", [put(f"f{number}") for number in range(60)])
    whole = history.of(str(top))
    for path in entries(tmp_path):
        path.unlink()
    monkeypatch.setattr(history, "BYTES", 2000)
    part = history.of(str(top))
    assert 10 < len(part.commits) < 59
    assert part.commits == whole.commits[: len(part.commits)]
    assert not part.complete
    assert entries(tmp_path) == [], "a part is not kept"


def test_git_that_hangs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r", [put("a"), *FILLING])
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(history, "SECONDS", 0.3)
    assert history.of(str(top)).source == "`git log` gave nothing in 0.3 seconds"
