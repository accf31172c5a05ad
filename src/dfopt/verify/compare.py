"""Compares two images, file system and configuration, and tells which differences no declared effect covers.

Times of files are not compared: two builds of one Dockerfile differ in them.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dfopt import images
from dfopt.images import ACCOUNTS, Entry, FileSystem, any_of, matcher
from dfopt.rule import (
    Adds,
    Changes,
    ChangesBase,
    ChangesConfig,
    Effect,
    Keeps,
    Layers,
    PackagesRemoved,
    Removes,
    SplitsStage,
)


class Image(NamedTuple):
    """An image to compare: absolute path -> entry, the configuration as flat keys (`Env.PATH`, `User`), its number of layers, its size
    in bytes; the paths of each package, and the lines of the files that hold users and groups."""

    files: FileSystem
    configuration: Mapping[str, str]
    layers: int
    size: int = 0
    packages: Mapping[str, frozenset[str]] = {}
    accounts: Mapping[str, frozenset[bytes]] = {}


def view(image: images.Image) -> Image:
    """An image as it is compared."""
    files = images.stack(image.layers)
    texts = images.texts_of(image.layers, files)
    accounts = {path: frozenset(text.split(b"\n")) for path, text in texts.items() if path in ACCOUNTS}
    packages = images.debian_packages(files, texts)
    return Image(files, image.configuration, len(image.layers), image.size, packages, accounts)


class Difference(NamedTuple):
    """`kind` is added, removed, type, mode, owner, content, target, attributes, linked, configuration or layers; None is a key of
    the configuration that is not set."""

    kind: str
    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.kind in ("added", "removed"):
            return f"{self.kind} {self.path}"
        return f"{self.kind} of {self.path}: {self.before} -> {self.after}"


class Result(NamedTuple):
    """`uncovered` is what no effect declares (empty: proved), `idle` the declared patterns that matched nothing, `covered` the
    number of differences that an effect declares, `noise` those that two builds of one file have as well. `shares` are the
    differences that each effect covers, in the order of the effects."""

    uncovered: tuple[Difference, ...]
    idle: tuple[str, ...]
    covered: int
    noise: tuple[Difference, ...]
    shares: tuple[tuple[Difference, ...], ...] = ()


# The effects that speak of images.
EFFECTS = (Removes, Adds, Changes, ChangesConfig, ChangesBase, SplitsStage, Keeps, PackagesRemoved, Layers)

# Paths whose content differs between two builds of one Dockerfile, read back from real builds: logs with times, the cache
# of ldconfig (inode numbers and times), byte code (time of the source in its head), V8's of yarn (times too).
NOISE = (
    "/var/log/dpkg.log",
    "/var/log/alternatives.log",
    "/var/log/apt/history.log",
    "/var/log/apt/term.log",
    "/var/cache/ldconfig/aux-cache",
    "/**/*.pyc",
    "/**/.npm/_cacache/index-v5/**",
    "/tmp/v8-compile-cache-*/**",
)
# Files whose very name holds a time, or is random.
NOISE_NAMES = ("/**/_logs/*-debug-*.log", "/tmp/pipenv-re*.json")

# What the package manager itself writes; it changes with the set of packages.
PACKAGE_STATE = (
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/available*",
    "/var/lib/dpkg/info/**",
    "/var/lib/dpkg/triggers/**",
    "/var/lib/dpkg/alternatives/**",
    "/var/lib/dpkg/diversions*",
    "/var/lib/dpkg/statoverride*",
    "/var/lib/apt/extended_states",
    "/var/cache/debconf/**",
    "/var/cache/ldconfig/**",
    "/var/log/**",
    "/var/lib/systemd/deb-systemd-*",
    "/var/lib/systemd/deb-systemd-*/**",
    "/etc/systemd/*/*.wants",
    "/etc/systemd/*/*.wants/**",
    "/etc/alternatives/**",
    "/etc/ld.so.cache",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/run/adduser",
    "/lib/apk/db/**",
)

# --------------------------------------------------------------------------------------------------- comparing


def compare(before: Image, after: Image, effects: Iterable[Effect]) -> Result:
    """Which differences between two images no effect covers, and which patterns of the effects matched nothing.

    `effects` are those of the stage that was built and of the stages that it is FROM; other stages' leave no trace.
    """
    effects = tuple(effects)
    patterns = [
        (number, kind, pattern, matcher(pattern))
        for number, effect in enumerate(effects)
        for kind in (Removes, Adds, Changes)
        if isinstance(effect, kind)
        for pattern in effect.paths
    ]
    keeps = [matcher(pattern) for one in effects if isinstance(one, Keeps) for pattern in one.paths]
    # Without a list of what it keeps, a change of the base covers nothing.
    kinds = [type(one) for one in effects]
    based = next((number for number, kind in enumerate(kinds) if kind in (ChangesBase, SplitsStage)), None)
    base = based if keeps else None
    packages = kinds.index(PackagesRemoved) if PackagesRemoved in kinds else None
    gone = _vanished(before, after) if packages is not None else frozenset()
    used: set[tuple[str, str]] = set()
    uncovered: list[Difference] = []
    noise: list[Difference] = []
    shares: list[list[Difference]] = [[] for _ in effects]
    for difference in file_differences(before.files, after.files):
        hits = [
            (number, kind.__name__, pattern)
            for number, kind, pattern, matches in patterns
            if _fits(kind, difference.kind) and matches(difference.path)
        ]
        used.update((name, pattern) for _, name, pattern in hits)
        if hits:
            shares[hits[0][0]].append(difference)
        elif base is not None and not any(matches(difference.path) for matches in keeps):
            shares[base].append(difference)
        elif _is_noise(difference):
            noise.append(difference)
        elif packages is not None and gone and _is_of_packages(difference, gone, before, after):
            shares[packages].append(difference)
        else:
            uncovered.append(difference)
    for difference in configuration_differences(before.configuration, after.configuration):
        fitting = [
            number
            for number, one in enumerate(effects)
            if isinstance(one, ChangesConfig)
            and (one.key, one.old, one.new) == (difference.path, difference.before, difference.after)
        ]
        fitting += [
            number for number, one in enumerate(effects) if isinstance(one, SplitsStage) and _is_split(one, difference)
        ]
        if fitting:
            shares[fitting[0]].append(difference)
            used.add(("ChangesConfig", difference.path))
        else:
            uncovered.append(difference)
    declared = sum(one.change for one in effects if isinstance(one, Layers))
    if after.layers - before.layers != declared and base is None:
        uncovered.append(Difference("layers", "the image", str(before.layers + declared), str(after.layers)))
    idle = [f"{kind.__name__} {text}" for _, kind, text, _ in patterns if (kind.__name__, text) not in used]
    idle += [
        f"ChangesConfig {one.key}"
        for one in effects
        if isinstance(one, ChangesConfig) and ("ChangesConfig", one.key) not in used
    ]
    if packages is not None and not gone:
        idle.append("PackagesRemoved")
    covered = sum(len(share) for share in shares)
    return Result(tuple(uncovered), tuple(dict.fromkeys(idle)), covered, tuple(noise), tuple(map(tuple, shares)))


def _is_split(effect: SplitsStage, difference: Difference) -> bool:
    """Whether a key changes as a split declares it, or is a variable of the old base image, which nobody knows better than the image."""
    declared = {key: new for key, _, new in effect.changed}
    if difference.path in declared:
        return difference.path == "Env.PATH" or declared[difference.path] == difference.after
    return difference.path == "Env.PATH" or (difference.path.startswith("Env.") and difference.after is None)


def _fits(effect: type, kind: str) -> bool:
    match kind:
        case "added":
            return effect is Adds
        case "removed":
            return effect is Removes
        case _:
            return effect is Changes


def file_differences(before: FileSystem, after: FileSystem) -> list[Difference]:
    """All differences of two file systems, in order of path; a path that is gone is one difference."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            kind = "added" if old is None else "removed"
            found.append(Difference(kind, path, _show(old), _show(new)))
            continue
        if old == new:
            continue
        if old.type != new.type:
            found.append(Difference("type", path, _show(old), _show(new)))
            continue
        if old.mode != new.mode:
            found.append(Difference("mode", path, f"{old.mode:04o}", f"{new.mode:04o}"))
        if old.owner != new.owner:
            found.append(Difference("owner", path, _owner(old), _owner(new)))
        if old.content != new.content:
            if old.type == "file":
                sizes = f"{old.size} bytes {old.content[:8]}", f"{new.size} bytes {new.content[:8]}"
                found.append(Difference("content", path, *sizes))
            else:
                found.append(Difference("target", path, old.content, new.content))
        if old.attributes != new.attributes:
            found.append(Difference("attributes", path, str(dict(old.attributes)), str(dict(new.attributes))))
        # A name of the same file that came or went is a difference of its own.
        if [one for one in old.linked if one in after] != [one for one in new.linked if one in before]:
            found.append(Difference("linked", path, " ".join(old.linked) or "-", " ".join(new.linked) or "-"))
    return found


def configuration_differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """All keys whose value differs."""
    return [
        Difference("configuration", key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _show(entry: Entry | None) -> str:
    if entry is None:
        return "-"
    return f"{entry.type} {entry.mode:04o} {_owner(entry)} {entry.size}"


def _owner(entry: Entry) -> str:
    return f"{entry.owner[0]}:{entry.owner[1]}"


def _is_noise(difference: Difference) -> bool:
    if difference.kind == "content" and _NOISE(difference.path):
        return True
    # Two builds name such a file differently: one is added and another one removed.
    return difference.kind in ("added", "removed") and _NOISE_NAMES(difference.path)


def _is_of_packages(difference: Difference, gone: frozenset[str], before: Image, after: Image) -> bool:
    """Whether packages that are gone explain the difference: their files, their names in `/etc/alternatives`, their users and
    groups, and what the package manager keeps about them."""
    path = difference.path
    if _PACKAGE_STATE(path):
        return True
    if path in ACCOUNTS:
        return difference.kind == "content" and after.accounts[path] < before.accounts[path]
    link = before.files[path].content if difference.kind == "removed" else ""
    return difference.kind == "removed" and (path in gone or link.startswith("/etc/alternatives/"))


def _vanished(before: Image, after: Image) -> frozenset[str]:
    """The paths that belong to packages which `after` no longer has; of files only those that no other package has.

    A folder that a package lists is there only where dpkg had something to put in it (slim images leave translations out), so
    that one which other packages list too may vanish as well.
    """
    kept = frozenset().union(*after.packages.values()) if after.packages else frozenset()
    lost = [paths for name, paths in before.packages.items() if name not in after.packages]
    gone = frozenset().union(*lost) if lost else frozenset()
    return frozenset(path for path in gone if path not in kept or before.files.get(path, _NO_ENTRY).type == "directory")


_NO_ENTRY = Entry("", 0, (0, 0), 0, "")


_NOISE = any_of(NOISE)
_NOISE_NAMES = any_of(NOISE_NAMES)
_PACKAGE_STATE = any_of(PACKAGE_STATE)
