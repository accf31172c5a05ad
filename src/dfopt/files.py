"""The files to read and write: found by path, folder or pattern, read as bytes, replaced whole or not at all.

A folder is walked for files named as Dockerfiles are; what `.gitignore` leaves out is left out. A file that is named
is always taken.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator

from dfopt.startup import NamedTuple

STDIN = "-"
SKIPPED_FOLDERS = frozenset((".git", ".hg", ".svn", "node_modules"))


class Found(NamedTuple):
    """A file to work on, or (with `error`) a target that gives none; `path` is spelled as the user spelled it."""

    path: str
    error: str = ""


class Changed(OSError):
    """The file is no longer what was read."""


def is_dockerfile(name: str) -> bool:
    """Whether a file of this name is taken on a walk."""
    stem, dot, rest = name.partition(".")
    named = stem in ("Dockerfile", "Containerfile") and bool(rest or not dot)
    return (named or (bool(stem) and name.endswith((".Dockerfile", ".dockerfile")))) and not is_other(name)


def is_other(name: str) -> bool:
    """Whether a name says that the file, though it may be called after a Dockerfile, is something else."""
    return name.endswith((".dockerignore", ".md", ".j2", ".bak", ".orig", "~"))


def keep_all(path: str) -> bool:
    """Leaves nothing out."""
    return False


def find(targets: Iterable[str], excluded: Callable[[str], bool] = keep_all) -> Iterator[Found]:
    """The files that `targets` (files, folders, patterns with `*`, `**`, `?`, `[...]`) stand for, each once.

    Targets come in the order given; in a folder its files come first, then its subfolders, each by name. `excluded` is
    asked of each file and folder met on a walk, never of a file or folder that was named itself. `-` stands for itself.
    """
    seen: set[object] = set()
    for target in targets:
        for found in [Found(STDIN)] if target == STDIN else _expand(target, excluded):
            if found.error:
                yield found
                continue
            identity = _identity(found.path)
            if identity not in seen:
                seen.add(identity)
                yield found


# What a Dockerfile or a log of a build may hold; a device such as `/dev/zero` never ends.
MOST_BYTES = 256 * 1024 * 1024


def read(path: str) -> bytes:
    """The bytes of a file. Raises OSError, also for one of more than `MOST_BYTES`."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= MOST_BYTES and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file.read()
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"more than {MOST_BYTES // 1024**2} MiB, which no Dockerfile has")
    return data


def replace(path: str, before: bytes, after: bytes) -> None:
    """Put `after` in the place of `before` in one step, so that no reader ever sees half a file.

    The mode, the extended attributes and, where that is allowed, the owner stay; of a symbolic link the file that it
    leads to is replaced. Raises `Changed` where the file is no longer `before`, and OSError where it cannot be written;
    the file is then as it was.
    """
    target = os.path.realpath(path)
    status = os.stat(target)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"not a regular file: `{path}`")
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "the file is read-only", path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.dfopt")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            _copy_attributes(target, status, temporary)
            os.fsync(file.fileno())
        if read(target) != before:
            raise Changed(f"`{path}` was changed by someone else while it was being fixed -> run `dfopt fix` again")
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
    _sync_folder(folder)


def create(path: str, data: bytes) -> None:
    """Write a report to `path`, whole or not at all. Raises OSError."""
    try:
        is_regular = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        is_regular = False
    if is_regular:
        replace(path, read(path), data)
    else:
        # New, or a device or pipe, which is never read: it may have no end.
        with open(path, "wb") as file:
            file.write(data)


def pattern(text: str, anchored: bool = False) -> re.Pattern[str]:
    """A pattern over paths with `/`: `*` and `?` stay in one part, `**` crosses parts, `[...]` is one of a set.

    Unless `anchored`, a pattern without a `/` inside matches at any depth, and one that matches a folder matches all
    that lies below it.
    """
    body = text.strip("/")
    expression = "(?s:" if anchored or "/" in text.rstrip("/") else "(?s:(?:.*/)?"
    at = 0
    while at < len(body):
        character = body[at]
        if body.startswith("**/", at) and (at == 0 or body[at - 1] == "/"):
            expression += "(?:[^/]+/)*"
            at += 3
            continue
        if body.startswith("**", at) and at + 2 == len(body) and (at == 0 or body[at - 1] == "/"):
            expression += ".+"
            at += 2
            continue
        end = (
            body.find("]", at + 2 + (body.startswith("[!", at) or body.startswith("[^", at)))
            if character == "["
            else -1
        )
        if character == "*":
            expression += "[^/]*"
        elif character == "?":
            expression += "[^/]"
        elif end > 0:
            members = body[at + 1 : end]
            negated = members[0] in "!^"
            members = members[negated:].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            expression += f"(?!/)[{'^' if negated else ''}{members}]"
            at = end
        else:
            expression += re.escape(character)
        at += 1
    tail = ")" if anchored else "(?:/.*)?)"
    try:
        return re.compile(expression + tail)
    except re.error:
        return re.compile(re.escape(body))


def relative(path: str, folder: str) -> str | None:
    """`path` as seen from `folder`, with `/`; None where it lies outside."""
    path, folder = os.path.abspath(path), os.path.abspath(folder)
    prefix = folder if folder.endswith(os.sep) else folder + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else None


def _identity(path: str) -> object:
    try:
        status = os.stat(path) if path != STDIN else None
    except OSError:
        status = None
    if status is None:
        return path
    # One inode under two names is two files: replacing one leaves the other.
    return (status.st_dev, status.st_ino) if status.st_nlink == 1 and status.st_ino else os.path.realpath(path)


def _expand(target: str, excluded: Callable[[str], bool]) -> Iterator[Found]:
    try:
        mode = os.stat(target).st_mode
    except (OSError, ValueError) as error:
        if any(character in target for character in "*?["):
            yield from _matching(target, excluded)
        else:
            yield Found(target, getattr(error, "strerror", None) or "no such file or folder")
        return
    if stat.S_ISDIR(mode):
        # Below it a folder that may not be read holds no file that could be; the one that was asked for must be said.
        try:
            os.scandir(target).close()
        except OSError as error:
            yield Found(target, error.strerror or "cannot be read")
            return
        for path in _walk(target, excluded):
            if is_dockerfile(os.path.basename(path)):
                yield Found(path)
    else:
        yield Found(target)


def _matching(target: str, excluded: Callable[[str], bool]) -> Iterator[Found]:
    """What a pattern stands for: a file that matches, and the Dockerfiles in a folder that matches."""
    parts = target.replace(os.sep, "/").split("/")
    fixed = next(index for index, part in enumerate(parts) if any(character in part for character in "*?["))
    base = "/".join(parts[:fixed]) or ("/" if fixed else ".")
    rest = "/".join(parts[fixed:])
    matches = pattern(rest, anchored=True).fullmatch
    suffix = os.path.splitext(rest)[1]
    none = True
    if os.path.isdir(base):
        for path in _walk(base, excluded):
            # The walk joins `base` and the rest with one separator, and leaves out a `.` for the base.
            below = path[len(base.rstrip("/")) + 1 :] if base != "." else path
            below = below.replace(os.sep, "/")
            if matches(below):
                taken = not is_other(path) or (bool(suffix) and path.endswith(suffix))
            else:
                folders = below.split("/")[:-1]
                inside = any(matches("/".join(folders[:count])) for count in range(1, len(folders) + 1))
                taken = inside and is_dockerfile(os.path.basename(path))
            if taken:
                none = False
                yield Found(path)
    if none:
        yield Found(target, "no file matches the pattern")


class _Ignore(NamedTuple):
    """A `.gitignore` file read: the folder it lies in and what it says of a path below (None: nothing)."""

    folder: str
    verdict: Callable[[str], bool | None]


def _walk(top: str, excluded: Callable[[str], bool]) -> Iterator[str]:
    """All files below `top` that are not ignored."""
    prefix = "" if top == "." else top if top.endswith(("/", os.sep)) else top + os.sep
    yield from _walk_folder(top, prefix, _ignores_above(top), excluded)


def _walk_folder(
    folder: str, prefix: str, ignores: tuple[_Ignore, ...], excluded: Callable[[str], bool]
) -> Iterator[str]:
    pending = [(folder, prefix, ignores)]
    while pending:
        folder, prefix, ignores = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that may not be read holds no file that could be
        names = {entry.name for entry in entries}
        if ".git" in names:
            ignores = tuple(ignore for ignore in ignores if _same(ignore.folder, folder))
        if ".gitignore" in names and not any(_same(ignore.folder, folder) for ignore in ignores):
            ignores += _ignore_file(folder)
        subfolders = []
        for entry in entries:
            path = prefix + entry.name
            try:
                is_folder, is_file = entry.is_dir(follow_symlinks=False), entry.is_file()
            except OSError:
                continue
            if is_folder:
                if entry.name not in SKIPPED_FOLDERS and not _ignored(path, True, ignores) and not excluded(path):
                    subfolders.append((path, path + os.sep, ignores))
            elif is_file and not _ignored(path, False, ignores) and not excluded(path):
                yield path
        pending.extend(reversed(subfolders))


def _same(one: str, other: str) -> bool:
    return os.path.abspath(one) == os.path.abspath(other)


def _ignores_above(top: str) -> tuple[_Ignore, ...]:
    """The `.gitignore` files from the root of the repository down to `top`; none where `top` itself is ignored by
    them, since it was asked for by name."""
    folder = os.path.abspath(top)
    chain = []
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()  # no repository: only what the walk meets counts
        chain.append(folder)
        folder = parent
    chain.append(folder)
    ignores: tuple[_Ignore, ...] = ()
    for folder in reversed(chain):
        if _ignored(folder, True, ignores):
            ignores = ()
        if os.path.isfile(os.path.join(folder, ".gitignore")):
            ignores += _ignore_file(folder)
    return ignores


def _ignore_file(folder: str) -> tuple[_Ignore, ...]:
    try:
        data = read(os.path.join(folder, ".gitignore"))
    except OSError:
        return ()
    lines = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return ()
    import pathspec

    patterns = []
    for line in lines:
        try:
            patterns.append(pathspec.GitIgnoreSpec.from_lines([line.removesuffix("\r")]).patterns[0])
        except (ValueError, IndexError):
            continue  # git passes over what it cannot read as a pattern
    check = pathspec.GitIgnoreSpec(patterns).check_file
    return (_Ignore(os.path.abspath(folder), lambda path: check(path).include),)


def _ignored(path: str, is_folder: bool, ignores: tuple[_Ignore, ...]) -> bool:
    """What the nearest `.gitignore` that speaks of the path says."""
    for ignore in reversed(ignores):
        below = relative(path, ignore.folder)
        if below is not None:
            verdict = ignore.verdict(below + "/" if is_folder else below)
            if verdict is not None:
                return verdict
    return False


def _copy_attributes(source: str, status: os.stat_result, target: str) -> None:
    if hasattr(os, "chown"):
        made = os.stat(target)
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            for owner, group in ((status.st_uid, status.st_gid), (-1, status.st_gid)):
                try:
                    os.chown(target, owner, group)
                    break
                except OSError:
                    continue  # only root may give files away; a group of one's own is still right
    if hasattr(os, "listxattr"):
        try:
            for name in os.listxattr(source):
                os.setxattr(target, name, os.getxattr(source, name))
        except OSError:
            pass  # a file system without them, or a name that only root may set
    os.chmod(target, stat.S_IMODE(status.st_mode))  # last: a change of owner clears bits


def _sync_folder(folder: str) -> None:
    """Make the rename itself last through a power cut, where the system lets one do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
