"""Images as layers and file systems: archives of `docker save` and OCI layouts, read without an engine; whiteouts applied.

Sources: the OCI image specification 1.1 (image layout, index, manifest, configuration, layer: whiteouts and opaque folders) and
Docker's image specification 1.2 (`manifest.json`).
"""

import gzip
import hashlib
import io
import json
import os
import posixpath
import re
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import IO, Any, NamedTuple


class UnreadableImage(Exception):
    """What was given is no image, or one that cannot be read; the message says what is wrong, and with which file."""


class Entry(NamedTuple):
    """One path of a file system. `content` is the SHA-256 of a file, the target of a symbolic link, the numbers of a device;
    `size` is a file's, in bytes.

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


class Layer(NamedTuple):
    """A layer as stored: its entries, each with the name of the first path of the same file; the paths that it hides, the
    folders whose lower content it hides; hard links to files of lower layers (path -> path); the content of dpkg's status
    and lists and of the files of users and groups. `digest` is that of the uncompressed layer, `stored` its bytes in the archive."""

    entries: Mapping[str, tuple[Entry, str]]
    hidden: frozenset[str]
    opaque: frozenset[str]
    texts: Mapping[str, bytes]
    links: Mapping[str, str] = {}
    digest: str = ""
    stored: int = 0

    @property
    def size(self) -> int:
        """The bytes of the files in it, each file once however many names it has."""
        return sum(entry.size for path, (entry, root) in self.entries.items() if path == root)


class Step(NamedTuple):
    """An entry of an image's history: the command as the builder wrote it, and the number of the layer that it made, None where
    it made none."""

    created_by: str
    layer: int | None
    comment: str = ""


class Image(NamedTuple):
    """An image: its layers, lowest first, its history and its configuration as flat keys (`Env.PATH`, `User`)."""

    name: str
    layers: tuple[Layer, ...]
    history: tuple[Step, ...]
    configuration: Mapping[str, str]

    @property
    def size(self) -> int:
        """The bytes of all files in all layers."""
        return sum(layer.size for layer in self.layers)


# ----------------------------------------------------------------------------------------------------- archives


def read(path: str, name: str = "", platform: str = "", known: dict[str, Layer] | None = None) -> Image:
    """The image in a file or folder: an archive of `docker save` or an OCI layout, as a tar (compressed by gzip or not) or a folder.

    `name` chooses one of several (`repository:tag`, or the annotation of an OCI index), `platform` (`linux/arm64`) one of an
    index of several. `known` keeps layers that were read, by digest, so that a base image is read once. Raises UnreadableImage.
    """
    with _opened(path) as store:
        return _image(store, *_found(store, name, platform), {} if known is None else known)


def pushed(path: str, there: Collection[str], platform: str = "") -> int:
    """The bytes that a registry is sent of the image in a file or folder when it has the layers with the (uncompressed) digests `there`.

    A layer that is stored uncompressed counts as gzip makes it, which is what engines do when they push. Raises UnreadableImage.
    """
    with _opened(path) as store:
        _, configuration, blobs = _found(store, "", platform)
        total = 0
        for (blob, stored), digest in zip(blobs, configuration["rootfs"]["diff_ids"]):
            if digest not in there:
                with store.open(blob) as stream:
                    compressed = stream.read(4).startswith((_GZIP, _ZSTD))
                    stream.seek(0)
                    total += stored if compressed else _packed(stream)
        return total


def _packed(stream: IO[bytes]) -> int:
    packer = zlib.compressobj(wbits=31)
    return sum(len(packer.compress(block)) for block in iter(lambda: stream.read(1 << 20), b"")) + len(packer.flush())


@contextmanager
def _opened(path: str) -> Iterator["_Store"]:
    """The files of an image. What is wrong with them is raised as UnreadableImage that names it."""
    try:
        with ExitStack() as stack:
            yield _Folder(path) if os.path.isdir(path) else stack.enter_context(closing(_Archive(path)))
    except UnreadableImage as error:
        raise UnreadableImage(f"{path}: {error}") from None
    except (
        OSError, EOFError, tarfile.TarError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise UnreadableImage(f"{path}: {_why(error, path)}") from error


def _why(error: Exception, path: str) -> str:
    """What is wrong with an image, in one line that a reader who does not know Python understands."""
    match error:
        case FileNotFoundError() if error.filename is not None and str(error.filename) != path:
            return f"`{os.path.relpath(error.filename, path)}` is missing"
        case OSError() if error.strerror:
            return error.strerror[:1].lower() + error.strerror[1:]
        case tarfile.ReadError() if str(error).startswith("file could not be opened"):
            return "it, or a layer in it, is no tar"  # tarfile tells in five lines of each compression why not
        case KeyError() if error.args:
            return f"`{error.args[0]}` is missing"
        case json.JSONDecodeError() | UnicodeDecodeError():
            return f"its JSON cannot be read: {str(error)[:1].lower()}{str(error)[1:]}"
        case RecursionError():
            return "its JSON cannot be read: it is nested too deep"
        case TypeError() | AttributeError():
            return "its JSON is not that of an image"
    return str(error) or type(error).__name__


class _Folder:
    """The files of an OCI layout in a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        return os.path.isfile(os.path.join(self.path, name))

    def open(self, name: str) -> IO[bytes]:
        path = os.path.join(self.path, name)
        if os.path.realpath(path) != os.path.join(os.path.realpath(self.path), os.path.normpath(name)):
            raise UnreadableImage(f"`{name}` lies outside of it")
        return open(path, "rb")

    def size(self, name: str) -> int:
        return os.path.getsize(os.path.join(self.path, name))


class _Archive:
    """The same in a tar."""

    def __init__(self, path: str) -> None:
        self.archive = tarfile.open(path)  # noqa: SIM115  closed by `close`
        try:
            self.members = {posixpath.normpath(member.name): member for member in self.archive}
        except BaseException:
            self.archive.close()
            raise

    def close(self) -> None:
        self.archive.close()

    def has(self, name: str) -> bool:
        return name in self.members

    def open(self, name: str) -> IO[bytes]:
        # Archives of older engines hold a layer that another image has as a symbolic link to it.
        seen = {name}
        member = self.members[posixpath.normpath(name)]
        while member.issym():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
            if target in seen:
                raise UnreadableImage(f"`{name}` is a link to itself")
            seen.add(target)
            member = self.members[target]
        return _member(self.archive, member)

    def size(self, name: str) -> int:
        return self.members[posixpath.normpath(name)].size


_Store = _Folder | _Archive


def _json(store: _Store, name: str) -> Any:
    with store.open(name) as stream:
        return json.load(stream)


# The name of an image, its configuration, and its layers with their bytes as stored.
_Parts = tuple[str, Mapping[str, Any], list[tuple[str, int]]]


def _found(store: _Store, name: str, platform: str) -> _Parts:
    if store.has("manifest.json"):
        return _docker(store, name)
    if store.has("index.json"):
        return _oci(store, name, platform)
    raise UnreadableImage("neither an archive of `docker save` nor an OCI layout")


def _docker(store: _Store, name: str) -> _Parts:
    images = _json(store, "manifest.json")
    tags = [tag for image in images for tag in image.get("RepoTags") or ()]
    chosen = [image for image in images if not name or _is_named(name, image.get("RepoTags") or ())]
    if name and not chosen and len(images) == 1 and not tags:
        chosen = images  # saved by its id, so that it has no name
    image = _one(chosen, len(images), name, tags)
    configuration = _json(store, image["Config"])
    blobs = [(layer, store.size(layer)) for layer in image["Layers"]]
    return name or (tags[0] if len(tags) == 1 else ""), configuration, blobs


def _is_named(name: str, tags: Iterable[str]) -> bool:
    wanted = {name, name if ":" in name.rpartition("/")[2] else f"{name}:latest"}
    return any(tag in wanted or tag.removeprefix("docker.io/").removeprefix("library/") in wanted for tag in tags)


def _one(chosen: list[Any], count: int, name: str, names: list[str]) -> Any:
    if len(chosen) == 1:
        return chosen[0]
    if not count:
        raise UnreadableImage("no image in it")
    listed = ", ".join(f"`{one}`" for one in names[:6]) or "none with a name"
    if not chosen and name:
        raise UnreadableImage(f"no image `{name}` in it -> one of {listed}")
    raise UnreadableImage(f"{count} images in it -> name one of {listed}")


def _oci(store: _Store, name: str, platform: str) -> _Parts:
    entries = _json(store, "index.json")["manifests"]
    names = [text for entry in entries if (text := (entry.get("annotations") or {}).get(_REFERENCE))]
    chosen = [entry for entry in entries if not name or _is_named(name, _names(entry))]
    if name and not chosen and len(entries) == 1 and not names:
        chosen = entries
    descriptor = chosen[0] if len(chosen) > 1 and _same_image(chosen) else None
    descriptor = descriptor or (
        _of_platform(chosen, platform) if chosen and not names else _one(chosen, len(entries), name, names)
    )
    manifest = _json(store, _blob(descriptor["digest"]))
    depth = 0
    while "manifests" in manifest:
        depth += 1
        if depth > 4:
            raise UnreadableImage("indexes in indexes without end")
        manifest = _json(store, _blob(_of_platform(manifest["manifests"], platform)["digest"]))
    if "config" not in manifest:
        raise UnreadableImage("a manifest without a configuration, which is none of an image")
    configuration = _json(store, _blob(manifest["config"]["digest"]))
    blobs = [(_blob(layer["digest"]), layer["size"]) for layer in manifest["layers"]]
    return name, configuration, blobs


_REFERENCE = "org.opencontainers.image.ref.name"


def _names(entry: Mapping[str, Any]) -> list[str]:
    annotations = entry.get("annotations") or {}
    return [annotations[key] for key in (_REFERENCE, "io.containerd.image.name") if key in annotations]


def _same_image(entries: list[Any]) -> bool:
    return len({entry["digest"] for entry in entries}) == 1


def _of_platform(entries: list[Any], platform: str) -> Any:
    """The entry of an index for a platform; without one the only one, else that of this machine."""
    images = [entry for entry in entries if not _is_attestation(entry)]
    if len(images) == 1 and (not platform or not images[0].get("platform")):
        return images[0]
    wanted = platform or f"linux/{_MACHINES.get(os.uname().machine, os.uname().machine)}"
    for entry in images:
        if wanted in (_platform(entry), _platform(entry).rpartition("/")[0]):
            return entry
    listed = ", ".join(f"`{_platform(entry)}`" for entry in images[:8]) or "none"
    raise UnreadableImage(f"no image for `{wanted}` in it -> `--platform` with one of {listed}")


_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    # BuildKit puts provenance beside the images, for the platform `unknown/unknown`.
    return "vnd.docker.reference.type" in (entry.get("annotations") or {})


def _platform(entry: Mapping[str, Any]) -> str:
    platform = entry.get("platform") or {}
    parts = (platform.get("os", ""), platform.get("architecture", ""), platform.get("variant", ""))
    return "/".join(part for part in parts if part)


def _blob(digest: str) -> str:
    algorithm, _, text = digest.partition(":")
    if not re.fullmatch(r"[a-z0-9+._-]+", algorithm) or not re.fullmatch(r"[A-Za-z0-9=_-]+", text):
        raise UnreadableImage(f"`{digest}` is no digest")
    return f"blobs/{algorithm}/{text}"


def _image(
    store: _Store, name: str, configuration: Mapping[str, Any], blobs: list[tuple[str, int]], known: dict[str, Layer]
) -> Image:
    digests = configuration["rootfs"]["diff_ids"]
    if len(digests) != len(blobs):
        raise UnreadableImage(f"{len(blobs)} layers and {len(digests)} digests of layers: they do not belong together")
    layers = []
    for (blob, stored), digest in zip(blobs, digests):
        if digest not in known:
            with store.open(blob) as stream, _plain(stream) as plain:
                known[digest] = read_layer(plain)._replace(digest=digest, stored=stored)
        layers.append(known[digest])
    return Image(name, tuple(layers), _history(configuration, len(layers)), flat_configuration(configuration))


def _history(configuration: Mapping[str, Any], count: int) -> tuple[Step, ...]:
    steps, number = [], 0
    for entry in configuration.get("history") or ():
        made = None
        if not entry.get("empty_layer"):
            made, number = number, number + 1
        steps.append(Step(entry.get("created_by") or "", made, entry.get("comment") or ""))
    if number == count:
        return tuple(steps)
    # A squashed or imported image has no history, or not all of it: its layers are all that is known.
    return tuple(Step("", layer) for layer in range(count))


# ------------------------------------------------------------------------------------------------------- layers

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

# Packages bring users and groups.
ACCOUNTS = ("/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow")
# dpkg's database: what is installed, and what was removed but for its configuration.
DPKG_STATUS = "/var/lib/dpkg/status"
# apk's: packages and their files in one.
APK_INSTALLED = "/lib/apk/db/installed"
_PACKAGE_LIST = re.compile(r"/var/lib/dpkg/info/([^/]+?)(?::[^/]*)?\.(list|postinst)")
_NAMED = re.compile(rb"(?<![\w/.$}~-])/(?:etc|opt|srv|usr|var)/[\w./+-]*\w")


_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # how compressed data begins


@contextmanager
def _plain(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The uncompressed layer. Python has zstd from 3.14 on; before that the program of this name is asked."""
    start = stream.read(4)
    stream.seek(0)
    if start.startswith(_GZIP):
        with gzip.open(stream) as plain:
            yield io.BufferedReader(plain)
    elif start == _ZSTD:
        with _zstd(stream) as plain_zstd:
            yield plain_zstd
    else:
        yield stream


def _zstd(stream: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]

        opened: AbstractContextManager[IO[bytes]] = zstd.open(stream)
        return opened
    except ImportError:
        return _zstd_by_program(stream)


@contextmanager
def _zstd_by_program(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    import shutil
    import tempfile

    program = shutil.which("zstd")
    if program is None:
        raise UnreadableImage("a layer is compressed by zstd -> install the program `zstd`, or Python 3.14")
    with tempfile.TemporaryFile() as packed, tempfile.TemporaryFile() as plain:
        shutil.copyfileobj(stream, packed)
        packed.seek(0)
        done = subprocess.run([program, "-dcq"], stdin=packed, stdout=plain, stderr=subprocess.PIPE)
        if done.returncode:
            raise UnreadableImage(f"a layer cannot be unpacked: {done.stderr.decode(errors='replace').strip()}")
        plain.seek(0)
        yield plain


def read_layer(stream: IO[bytes]) -> Layer:
    """The layer in an uncompressed or compressed tar. Raises tarfile.TarError where it is none."""
    entries: dict[str, tuple[Entry, str]] = {}
    hidden, opaque = set(), set()
    texts: dict[str, bytes] = {}
    links: dict[str, str] = {}
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
                if first in entries:
                    entries[path] = entries[first]
                else:
                    links[path] = first
                continue
            kind = _TYPES.get(member.type, f"type {member.type!r}")
            content = ""
            if kind == "file" and (path in ACCOUNTS or path in _DATABASES or _PACKAGE_LIST.fullmatch(path)):
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
            # The mode of a symbolic link means nothing and the size of a folder is the file system's own affair.
            mode = 0o777 if kind == "symbolic link" else member.mode & 0o7777
            size = member.size if kind == "file" else 0
            entries[path] = Entry(kind, mode, (member.uid, member.gid), size, content, attributes), path
    return Layer(entries, frozenset(hidden), frozenset(opaque), texts, links)


_DATABASES = (DPKG_STATUS, APK_INSTALLED)


def stack(layers: Iterable[Layer]) -> dict[str, Entry]:
    """The file system that the layers make, lowest first, whiteouts applied."""
    files: dict[str, tuple[Entry, tuple[int, str]]] = {}
    for number, layer in enumerate(layers):
        for path in hides(layer, files):
            files.pop(path, None)
        for path, (entry, root) in layer.entries.items():
            files[path] = entry, (number, root)
        for path, first in layer.links.items():
            if first in files:
                files[path] = files[first]
    groups: dict[tuple[int, str], list[str]] = {}
    for path, (_, group) in files.items():
        groups.setdefault(group, []).append(path)
    return {
        path: entry._replace(linked=tuple(sorted(one for one in groups[group] if one != path)))
        for path, (entry, group) in files.items()
    }


def hides(layer: Layer, lower: Iterable[str]) -> list[str]:
    """Which of the paths below a layer it takes away: those that it hides, with all in them; what is in its opaque folders; what was
    in a folder that is a file, a link or a device in it. A path that it has itself is overwritten instead."""
    inside = {path for path, (entry, _) in layer.entries.items() if entry.type != "directory"}
    inside |= layer.opaque | layer.hidden
    known: dict[str, bool] = {"/": "/" in inside}

    def covered(folder: str) -> bool:
        if folder not in known:
            known[folder] = folder in inside or covered(posixpath.dirname(folder))
        return known[folder]

    return [path for path in lower if path in layer.hidden or (path != "/" and covered(posixpath.dirname(path)))]


def _absolute(name: str) -> str:
    return posixpath.normpath("/" + name.strip("/")) if name.strip("/") else "/"


def _digest(stream: IO[bytes]) -> str:
    total = hashlib.sha256()
    while block := stream.read(1 << 20):
        total.update(block)
    return total.hexdigest()


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(member)
    if found is None:
        raise tarfile.TarError(f"{member.name} is no file")
    return found


# ----------------------------------------------------------------------------------------------------- patterns


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether an absolute path matches a Docker-style pattern: `*` and `?` stay in one name, `**` is any number of names,
    and `P/**` is all below P without P itself."""
    compiled = re.compile(_expression(pattern))
    return lambda path: compiled.fullmatch(path) is not None


def any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of the patterns."""
    compiled = re.compile("|".join(_expression(pattern) for pattern in patterns))
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


# ----------------------------------------------------------------------------------------------------- packages


def texts_of(layers: Iterable[Layer], files: FileSystem) -> dict[str, bytes]:
    """The kept texts of an image's files, as its highest layers have them."""
    texts: dict[str, bytes] = {}
    for layer in layers:
        texts.update(layer.texts)
    return {path: text for path, text in texts.items() if path in files}


def debian_packages(files: FileSystem, texts: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Which paths belong to which installed package, symbolic links of folders followed (merged /usr).

    dpkg's status says what is installed, its lists whose the files are: a package that was removed keeps a list of its
    configuration, and one without a status is none. A folder that the package's own script names is its too: no list has
    what the script makes.
    """
    installed = _installed(texts.get(DPKG_STATUS, b"").decode("utf-8", "surrogateescape"))
    found: dict[str, frozenset[str]] = {}
    for path, text in texts.items():
        match = _PACKAGE_LIST.fullmatch(path)
        if match is None or match.group(1) not in installed:
            continue
        if match.group(2) == "list":
            owned = {
                _real(files, one)
                for one in text.decode("utf-8", "surrogateescape").split("\n")
                if one not in ("", "/.")
            }
        else:
            named = {one.decode("ascii") for one in _NAMED.findall(text)}
            owned = {one for one in named if one in files and files[one].type == "directory"}
        found[match.group(1)] = found.get(match.group(1), frozenset()) | owned
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


# ------------------------------------------------------------------------------------------------ configuration

# What of the configuration is a table, and so is compared by its keys.
_TABLES = ("Labels", "ExposedPorts", "Volumes", "Healthcheck")
# Written by the old builder and by the engine, no part of what runs.
_NO_CONFIGURATION = ("Image", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr")


def flat_configuration(stored: Mapping[str, Any]) -> dict[str, str]:
    """The configuration of an image (an OCI configuration, or what `docker image inspect` prints) as flat keys and texts."""
    found = {
        "Os": stored.get("os") or stored.get("Os") or "",
        "Architecture": stored.get("architecture") or stored.get("Architecture") or "",
    }
    for key, value in (stored.get("config") or stored.get("Config") or {}).items():
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
