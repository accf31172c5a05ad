"""How often the files of a build context change: what the commits of its git repository touched, by the names of today.

One `git log` along the first parents of HEAD is read: a merge is one change of all that it brings, as it is one build of the main
line. The first commit of a repository made its files and rebuilt nothing, so that it counts as none. Renames are followed: what a
file was called before counts for its name of today. The newest 5,000 commits are read, for 10 seconds at most.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from dfopt import store
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess

COMMITS = 5000
SECONDS = 10
BYTES = 64 << 20

# With fewer commits one says little about the next.
ENOUGH = 10

# What the cache folder holds of it.
_ENTRIES, _SIZE = 20, 64 << 20
_VERSION = 1


class History(NamedTuple):
    """What was recorded. `commits` are the paths that each commit touched below the asked folder, newest first, those left out that touched
    none (no image is built for them); `days` the time from the oldest to the newest; `seen` all paths that a commit names there, `complete` whether these are all that
    ever were. `source` says in words where it is from, or why there is none: then `commits` is empty."""

    commits: tuple[frozenset[str], ...]
    days: float
    seen: frozenset[str]
    complete: bool
    source: str


def of(folder: str) -> History:
    """The history of what lies below a folder (the root of a build context)."""
    top = _top(os.path.realpath(folder))
    if top is None:
        return none("no git repository")
    prefix = os.path.relpath(os.path.realpath(folder), top).replace(os.sep, "/")
    prefix = "" if prefix == "." else prefix + "/"
    log = _log(top)
    if isinstance(log, str):
        return none(log)
    shallow = "shallow clone" if _shallow(_common(top) or "") else ""
    below = [_below(touched, prefix) for _, touched in log.commits]
    commits = tuple(touched for touched in below if touched)
    number = len(below) + log.complete  # with the first one, which counts as no change
    counted = f"{number} commit{'' if number == 1 else 's'}"
    if len(below) < ENOUGH:
        return none(f"{shallow or 'git history'} of {counted}")
    if len(commits) < ENOUGH:
        touching = f"{len(commits) or 'none'} of {counted} touch{'es' if len(commits) < 2 else ''}"
        return none(f"{shallow or 'git history'}: {touching} the build context")
    times = [time for time, _ in log.commits]
    days = (max(times) - min(times)) / 86400
    span = f" in {_spoken(days)}" if days >= 1 else ""
    some = f", {len(commits)} touch the build context" if len(commits) < len(below) else ""
    cut = " (no more are read)" if number >= COMMITS else ""
    source = f"{shallow or 'git history'}, {counted}{cut}{span}{some}"
    return History(commits, days, _below(log.seen, prefix), log.complete, source)


def none(why: str) -> History:
    return History((), 0.0, frozenset(), False, why)


def _spoken(days: float) -> str:
    whole = round(days)
    return f"{whole} day{'' if whole == 1 else 's'}"


def _below(paths: frozenset[str], prefix: str) -> frozenset[str]:
    return frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix)) if prefix else paths


# ---------------------------------------------------------------------------------------------------- the repository


def _top(folder: str) -> str | None:
    """The root of the working tree that a folder lies in."""
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def _text(*path: str) -> str:
    try:
        with open(os.path.join(*path), "rb") as file:
            return file.read(1 << 24).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return ""


def _own(top: str) -> str | None:
    """The folder that HEAD of a working tree lies in; a `.git` that is a file says where."""
    place = os.path.join(top, ".git")
    if os.path.isdir(place):
        return place
    text = _text(place)
    return os.path.join(top, text[len("gitdir:") :].strip()) if text.startswith("gitdir:") else None


def _common(top: str) -> str | None:
    """The folder that all working trees of a repository share."""
    own = _own(top)
    shared = _text(own, "commondir").strip() if own is not None else ""
    return os.path.join(own, shared) if own is not None and shared else own


def _shallow(common: str) -> str:
    return _text(common, "shallow") if common else ""


def _head(top: str) -> str:
    """The id of the commit that HEAD is; "" where it is not found by reading two or three files."""
    own, common = _own(top), _common(top)
    if own is None or common is None:
        return ""
    text = _text(own, "HEAD").strip()
    if text.startswith("ref:"):
        name = text[4:].strip()
        if ".." in name.split("/"):
            return ""
        text = _text(common, name).strip()
        if not text:
            for line in _text(common, "packed-refs").split("\n"):
                identity, _, other = line.partition(" ")
                if other == name:
                    text = identity
    return text if len(text) in (40, 64) and not set(text) - set("0123456789abcdef") else ""


# ----------------------------------------------------------------------------------------------------------- the log


class _Log(NamedTuple):
    """Commits with their time (seconds since 1970) and what they touched, newest first."""

    commits: tuple[tuple[int, frozenset[str]], ...]
    seen: frozenset[str]
    complete: bool


def _log(top: str) -> _Log | str:
    """The log of a repository, kept by the id of its newest commit; or why there is none."""
    name = _name(top)
    kept = _kept(store.read(name)) if name else None
    if kept is not None:
        return kept
    output = _asked(top)
    if isinstance(output, str):
        return output
    data, whole = output
    log = _parsed(data, whole)
    if name and whole:
        numbers: dict[str, int] = {}
        commits = [
            [time, sorted(numbers.setdefault(path, len(numbers)) for path in touched)] for time, touched in log.commits
        ]
        seen = sorted(numbers.setdefault(path, len(numbers)) for path in log.seen)
        written = store.write(
            name,
            {"version": _VERSION, "paths": list(numbers), "commits": commits, "seen": seen, "complete": log.complete},
        )
        if written:
            store.prune("history", _ENTRIES, _SIZE)
    return log


def _name(top: str) -> str:
    """What the log is kept under; "" where the newest commit is not known. All that the log depends on is in it."""
    import hashlib

    head, common = _head(top), _common(top) or ""
    if not head:
        return ""
    parts = (str(_VERSION), str(COMMITS), os.path.realpath(common), head, _shallow(common))
    return "history/" + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _kept(found: object) -> _Log | None:
    """A log as it was kept; None where that is damaged."""
    try:
        assert isinstance(found, dict)
        if found["version"] != _VERSION:
            return None
        paths = [path for path in found["paths"] if isinstance(path, str)]
        commits = tuple(
            (int(time), frozenset(paths[number] for number in touched)) for time, touched in found["commits"]
        )
        return _Log(commits, frozenset(paths[number] for number in found["seen"]), found["complete"] is True)
    except (AssertionError, KeyError, IndexError, TypeError, ValueError):
        return None


# Nothing of the user's configuration may change what is printed, and nothing may be run or fetched.
_SETTINGS = (
    "core.quotePath=false", "core.fsmonitor=false", "color.ui=false", "diff.renames=true", "diff.renameLimit=400",
    "diff.ignoreSubmodules=none", "diff.relative=false", "log.showSignature=false", "log.showRoot=true", "log.diffMerges=separate",
    "log.follow=false", "protocol.allow=never",
)  # fmt: skip


def _words(top: str) -> list[str]:
    # Where the contents of files were not fetched, only renames without a change can be seen.
    partial = "partialclone" in _text(_common(top) or "", "config").lower()
    words = ["git", "--no-pager", "--literal-pathspecs"]
    for setting in _SETTINGS:
        words += ["-c", setting]
    return [
        *words, "log", f"--max-count={COMMITS}", "--first-parent", "-m", "--name-status", "-M100%" if partial else "-M", "-z",
        "--no-color", "--no-ext-diff", "--no-textconv", "--no-notes", "--no-decorate", "-O" + os.devnull, "--format=%ct %P", "HEAD", "--",
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """The environment without what hooks of git set; where configuration lies is kept, since it names the repositories to trust."""
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")
    }
    found.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", GIT_NO_LAZY_FETCH="1", GIT_PAGER="cat")
    return found


def _asked(top: str) -> tuple[bytes, bool] | str:
    """What git prints, and whether that is all; or why there is nothing."""
    import subprocess
    import tempfile
    import threading

    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                _words(top),
                cwd=top,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except OSError:
            return "`git` cannot be run"
        stopped = threading.Event()
        timer = threading.Timer(SECONDS, _stop, (process, stopped))
        timer.start()
        try:
            assert process.stdout is not None, "a pipe was asked for"
            data = process.stdout.read(BYTES)
            if len(data) == BYTES:
                _stop(process, stopped)
            process.stdout.close()
            code = process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if stopped.is_set():
            return (data, False) if b"\0" in data else f"`git log` gave nothing in {SECONDS} seconds"
        errors.seek(0)
        said = errors.read(4096).decode("utf-8", "replace")
    return (data, True) if code == 0 else _reason(said)


def _stop(process: subprocess.Popen[bytes], stopped: object) -> None:
    stopped.set()  # type: ignore[attr-defined]
    process.kill()


def _reason(said: str) -> str:
    """Why git gave no log, by what it said."""
    if "dubious ownership" in said or "unsafe repository" in said:
        return "the repository belongs to another user, whom git is not told to trust (`safe.directory`)"
    if "does not have any commits" in said or "bad revision 'HEAD'" in said or "ambiguous argument 'HEAD'" in said:
        return "git history without a commit"
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    line = next((line for line in lines if line.startswith("fatal:")), lines[0] if lines else "no reason given")
    return f"`git log` failed: {line.removeprefix('fatal:').strip()[:200]}"


def _parsed(data: bytes, whole: bool) -> _Log:
    """The output of `git log -z --name-status`: each path by its name of today, which newer commits have told."""
    today: dict[str, str] = {}
    commits: list[tuple[int, frozenset[str]]] = []
    seen: set[str] = set()
    complete = False
    for time, root, changes in _records(data, whole):
        touched: set[str] = set()
        renamed: dict[str, str] = {}
        for old, new in changes:
            now = today.get(new, new)
            touched.add(now)
            if old:
                touched.add(old)
                renamed[old] = now
                renamed.setdefault(new, "")
        # Before it was made by a rename, the new name was another file's, or nobody's.
        for name, now in renamed.items():
            if now:
                today[name] = now
            else:
                today.pop(name, None)
        seen |= touched
        if root:
            complete = True
        else:
            commits.append((time, frozenset(touched)))
    return _Log(tuple(commits), frozenset(seen), complete)


def _records(data: bytes, whole: bool) -> Iterator[tuple[int, bool, list[tuple[str, str]]]]:
    """For each commit its time, whether it has no parent, and what it changed: old names of renamed files (else "") and names."""
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    at, end = 0, len(fields) - 1  # behind the last NUL there is nothing, or what was cut off
    while at < end:
        head = fields[at].strip("\n").split(" ")
        at += 1
        changes: list[tuple[str, str]] = []
        while at < end:
            status = fields[at].lstrip("\n")
            if not status[:1].isalpha():
                break
            if status[0] in "RC":
                if at + 2 < end:
                    changes.append((fields[at + 1] if status[0] == "R" else "", fields[at + 2]))
                at += 3
            else:
                if at + 1 < end:
                    changes.append(("", fields[at + 1]))
                at += 2
        if at < end or whole:  # of one that was cut off not all is known
            yield int(head[0]) if head[0].isdigit() else 0, len(head) < 2 or not head[1], changes
