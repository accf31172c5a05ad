"""Compares two images, file system and configuration, and tells which differences no declared effect covers.

An image is read through the client alone (`docker save`, `docker image inspect`), so any engine with docker's command line
serves. Times of files are not compared: two builds of one Dockerfile differ in them.
"""

import hashlib
import json
import posixpath
import re
import subprocess
import tarfile
import tempfile
from typing import IO, Any, Callable, Iterable, Mapping, NamedTuple

from dfopt.rule import Adds, Changes, ChangesBase, ChangesConfig, Effect, Keeps, Layers, PackagesRemoved, Removes


class Entry(NamedTuple):
    """One path of a file system. `content` is the SHA-256 of a file, the target of a symbolic link, the numbers of a device.

    `linked` are the other paths of the same file (hard links), in order.
    """

    type: str
    mode: int
    owner: tuple[int, int]
    size: int
    content: str
    attributes: tuple[tuple[str, str], ...] = ()
    linked: tuple[str, ...] = ()


FileSystem = Mapping[str, Entry]


class Image(NamedTuple):
    """A built image: absolute path -> entry, the configuration as flat keys (`Env.PATH`, `User`), its number of layers, its size
    in bytes; the paths of each package, and the lines of the files that hold users and groups."""

    files: FileSystem
    configuration: Mapping[str, str]
    layers: int
    size: int = 0
    packages: Mapping[str, frozenset[str]] = {}
    accounts: Mapping[str, frozenset[bytes]] = {}


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
    """`uncovered` is what no effect declares (empty: proved), `idle` the declared patterns that matched nothing, `covered` and
    `noise` the number of differences that an effect declares and that two builds of one file have as well."""

    uncovered: tuple[Difference, ...]
    idle: tuple[str, ...]
    covered: int
    noise: int


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
# Packages bring users and groups; what packages that are gone brought are lines that are gone.
ACCOUNTS = ("/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow")
# dpkg's database: what is installed, and what was removed but for its configuration.
DPKG_STATUS = "/var/lib/dpkg/status"


# --------------------------------------------------------------------------------------------------- comparing


def compare(before: Image, after: Image, effects: Iterable[Effect]) -> Result:
    """Which differences between two images no effect covers, and which patterns of the effects matched nothing.

    `effects` are those of the stage that was built and of the stages that it is FROM; other stages' leave no trace.
    """
    effects = tuple(effects)
    patterns = [
        (kind, pattern, matcher(pattern))
        for effect in effects
        for kind in (Removes, Adds, Changes)
        if isinstance(effect, kind)
        for pattern in effect.paths
    ]
    keeps = [matcher(pattern) for one in effects if isinstance(one, Keeps) for pattern in one.paths]
    # Without a list of what it keeps, a change of the base covers nothing.
    base_changes = bool(keeps) and any(isinstance(one, ChangesBase) for one in effects)
    gone = _vanished(before, after) if any(isinstance(one, PackagesRemoved) for one in effects) else frozenset()
    used: set[tuple[str, str]] = set()
    uncovered, covered, noise = [], 0, 0
    for difference in file_differences(before.files, after.files):
        hits = [
            (kind.__name__, pattern)
            for kind, pattern, matches in patterns
            if _fits(kind, difference.kind) and matches(difference.path)
        ]
        used.update(hits)
        if hits:
            covered += 1
        elif base_changes and not any(matches(difference.path) for matches in keeps):
            covered += 1
        elif _is_noise(difference):
            noise += 1
        elif gone and _is_of_packages(difference, gone, before, after):
            covered += 1
        else:
            uncovered.append(difference)
    for difference in configuration_differences(before.configuration, after.configuration):
        keys = [one for one in effects if isinstance(one, ChangesConfig) and one.key == difference.path]
        if any((one.old, one.new) == (difference.before, difference.after) for one in keys):
            covered += 1
            used.add(("ChangesConfig", difference.path))
        else:
            uncovered.append(difference)
    declared = sum(one.change for one in effects if isinstance(one, Layers))
    if after.layers - before.layers != declared and not base_changes:
        uncovered.append(Difference("layers", "the image", str(before.layers + declared), str(after.layers)))
    idle = [f"{kind.__name__} {text}" for kind, text, _ in patterns if (kind.__name__, text) not in used]
    idle += [
        f"ChangesConfig {one.key}"
        for one in effects
        if isinstance(one, ChangesConfig) and ("ChangesConfig", one.key) not in used
    ]
    if any(isinstance(one, PackagesRemoved) for one in effects) and not gone:
        idle.append("PackagesRemoved")
    return Result(tuple(uncovered), tuple(dict.fromkeys(idle)), covered, noise)


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


# ---------------------------------------------------------------------------------------------------- patterns


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether an absolute path matches a Docker-style pattern: `*` and `?` stay in one name, `**` is any number of names,
    and `P/**` is all below P without P itself."""
    compiled = re.compile(_expression(pattern))
    return lambda path: compiled.fullmatch(path) is not None


def _expression(pattern: str) -> str:
    out, place = "", 0
    while place < len(pattern):
        character = pattern[place]
        if pattern.startswith("/**/", place):
            out += "/(?:.+/)?"
            place += 4
        elif pattern.startswith("**", place):
            out += ".+"
            place += 2
        elif character == "*":
            out += "[^/]*"
            place += 1
        elif character == "?":
            out += "[^/]"
            place += 1
        elif character == "[" and (end := pattern.find("]", place + 2)) > 0:
            out += "(?!/)[" + pattern[place + 1 : end].replace("\\", "\\\\") + "]"
            place = end + 1
        else:
            out += re.escape(character)
            place += 1
    return out


def any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of the patterns."""
    compiled = re.compile("|".join(_expression(pattern) for pattern in patterns))
    return lambda path: compiled.fullmatch(path) is not None


_NOISE = any_of(NOISE)
_NOISE_NAMES = any_of(NOISE_NAMES)
_PACKAGE_STATE = any_of(PACKAGE_STATE)


# ----------------------------------------------------------------------------------------------------- reading

_TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


class Layer(NamedTuple):
    """A layer as stored: its entries, each with the name of the first path of the same file, the paths that it hides, the
    directories whose lower content it hides, and the content of dpkg's status and lists and of the users' and groups' files."""

    entries: Mapping[str, tuple[Entry, str]]
    hidden: frozenset[str]
    opaque: frozenset[str]
    texts: Mapping[str, bytes]


def read_layer(stream: IO[bytes]) -> Layer:
    """The layer in a tar, compressed or not. Raises tarfile.TarError where it is none."""
    entries: dict[str, tuple[Entry, str]] = {}
    hidden, opaque = set(), set()
    texts: dict[str, bytes] = {}
    with tarfile.open(fileobj=stream, mode="r:*") as archive:
        for member in archive:
            path = _absolute(member.name)
            folder, name = posixpath.split(path)
            if name == ".wh..wh..opq":
                opaque.add(folder)
                continue
            if name.startswith(".wh."):
                if not name.startswith(".wh..wh."):
                    hidden.add(posixpath.join(folder, name[4:]))
                continue
            if member.islnk():
                first = _absolute(member.linkname)
                known, root = entries[first]
                entries[path] = known, root
                continue
            kind = _TYPES.get(member.type, f"type {member.type!r}")
            content = ""
            if kind == "file" and (path in ACCOUNTS or path == DPKG_STATUS or _PACKAGE_LIST.fullmatch(path)):
                texts[path] = _member(archive, member).read()
                content = hashlib.sha256(texts[path]).hexdigest()
            elif kind == "file":
                content = _digest(_member(archive, member))
            elif kind == "symbolic link":
                content = member.linkname
            elif kind.endswith("device"):
                content = f"{member.devmajor}:{member.devminor}"
            attributes = tuple(
                sorted(
                    (key[13:], value) for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")
                )
            )
            # The mode of a symbolic link means nothing and the size of a directory is the file system's own affair.
            mode = 0o777 if kind == "symbolic link" else member.mode & 0o7777
            size = member.size if kind == "file" else 0
            entries[path] = Entry(kind, mode, (member.uid, member.gid), size, content, attributes), path
    return Layer(entries, frozenset(hidden), frozenset(opaque), texts)


def stack(layers: Iterable[Layer]) -> dict[str, Entry]:
    """The file system that the layers make, lowest first, whiteouts applied."""
    files: dict[str, tuple[Entry, tuple[int, str]]] = {}
    for number, layer in enumerate(layers):
        for path in layer.hidden:
            _drop(files, path, itself=True)
        for path in layer.opaque:
            _drop(files, path, itself=False)
        for path, (entry, root) in layer.entries.items():
            old = files.get(path)
            if old is not None and old[0].type == "directory" and entry.type != "directory":
                _drop(files, path, itself=False)
            files[path] = entry, (number, root)
    groups: dict[tuple[int, str], list[str]] = {}
    for path, (_, group) in files.items():
        groups.setdefault(group, []).append(path)
    return {
        path: entry._replace(linked=tuple(sorted(one for one in groups[group] if one != path)))
        for path, (entry, group) in files.items()
    }


def _drop(files: dict[str, Any], path: str, itself: bool) -> None:
    below = path.rstrip("/") + "/"
    for one in [one for one in files if one.startswith(below) and one != path]:
        del files[one]
    if itself:
        files.pop(path, None)


def _absolute(name: str) -> str:
    return posixpath.normpath("/" + name.strip("/")) if name.strip("/") else "/"


def _digest(stream: IO[bytes]) -> str:
    total = hashlib.sha256()
    while block := stream.read(1 << 20):
        total.update(block)
    return total.hexdigest()


def read_archive(path: str, known: dict[str, Layer] | None = None) -> Image:
    """The one image in an archive of `docker save`, its configuration and size left out.

    `known` keeps layers that were read, by digest, so that a base image is read once.
    """
    known = {} if known is None else known
    with tarfile.open(path) as archive:
        manifest = json.load(_member(archive, "manifest.json"))[0]
        digests = json.load(_member(archive, manifest["Config"]))["rootfs"]["diff_ids"]
        for name, digest in zip(manifest["Layers"], digests, strict=True):
            if digest not in known:
                known[digest] = read_layer(_member(archive, name))
        files = stack(known[digest] for digest in digests)
        texts: dict[str, bytes] = {}
        for digest in digests:
            texts.update(known[digest].texts)
    texts = {path: text for path, text in texts.items() if path in files}
    accounts = {path: frozenset(text.split(b"\n")) for path, text in texts.items() if path in ACCOUNTS}
    return Image(files, {}, len(digests), packages=debian_packages(files, texts), accounts=accounts)


def _member(archive: tarfile.TarFile, name: str | tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise tarfile.TarError(f"{name} is no file")
    return found


_PACKAGE_LIST = re.compile(r"/var/lib/dpkg/info/([^/]+?)(?::[^/]*)?\.list")


def debian_packages(files: FileSystem, texts: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Which paths belong to which installed package, symbolic links of folders followed (merged /usr).

    dpkg's status says what is installed, its lists whose the files are: a package that was removed keeps a list of its
    configuration, and one without a status is none.
    """
    installed = _installed(texts.get(DPKG_STATUS, b"").decode("utf-8", "surrogateescape"))
    found = {}
    for path, text in texts.items():
        match = _PACKAGE_LIST.fullmatch(path)
        if match is not None and match.group(1) in installed:
            owned = text.decode("utf-8", "surrogateescape").split("\n")
            found[match.group(1)] = frozenset(_real(files, one) for one in owned if one and one != "/.")
    return found


def _installed(status: str) -> set[str]:
    """The names of the packages that dpkg's status has as installed."""
    found = set()
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.split("\n") if ": " in line and line[0] not in " \t")
        if fields.get("Status", "").endswith(" installed"):
            found.add(fields.get("Package", ""))
    return found


def _real(files: FileSystem, path: str) -> str:
    parts, done, steps = path.strip("/").split("/"), "", 0
    while len(parts) > 1 and steps < 40:
        done += "/" + parts.pop(0)
        entry = files.get(done)
        if entry is not None and entry.type == "symbolic link":
            target = posixpath.normpath(posixpath.join(posixpath.dirname(done), entry.content))
            parts, done, steps = target.strip("/").split("/") + parts, "", steps + 1
    return done + "/" + parts[0]


# What of the configuration is a table, and so is compared by its keys.
_TABLES = ("Labels", "ExposedPorts", "Volumes", "Healthcheck")
# Written by the old builder and by the engine, no part of what runs.
_NO_CONFIGURATION = ("Image", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr")


def flat_configuration(inspected: Mapping[str, Any]) -> dict[str, str]:
    """The configuration in what `docker image inspect` prints of one image, as flat keys and texts."""
    found = {"Os": inspected.get("Os", ""), "Architecture": inspected.get("Architecture", "")}
    for key, value in (inspected.get("Config") or {}).items():
        if key in _NO_CONFIGURATION or value in (None, "", [], {}, False):
            continue
        if key == "Env":
            found.update((f"Env.{name}", text) for name, _, text in (one.partition("=") for one in value))
        elif key in _TABLES:
            found.update((f"{key}.{name}", _text(item)) for name, item in value.items())
        else:
            found[key] = _text(value)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def read_image(docker: str, reference: str, known: dict[str, Layer] | None = None) -> Image:
    """The image `reference` of the engine that the client `docker` speaks to. Raises subprocess.CalledProcessError where there is none."""
    inspected = json.loads(_output(docker, "image", "inspect", reference))[0]
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        subprocess.run([docker, "save", "-o", archive.name, reference], check=True, capture_output=True)
        read = read_archive(archive.name, known)
    return read._replace(configuration=flat_configuration(inspected), size=inspected.get("Size", 0))


def _output(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
