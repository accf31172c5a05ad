"""What an image wastes: bytes by layer and by instruction, files that later layers hide, and what no one needs at run time."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dfopt import packages, unwanted
from dfopt.build import Build
from dfopt.context import read_patterns
from dfopt.images import Entry, FileSystem, Image, Layer, any_of, hides, stack
from dfopt.source import Source
from dfopt.syntax import parse


class Waste(NamedTuple):
    """Bytes that the image carries for nothing, or so it seems. `kind` is one of KINDS; `layer` is the number of the layer that
    holds them, from 0, `by` that of the layer that hides them (None: they are in the image's file system). `rule` is the
    name of the rule that cures it, "" where none does; `paths` are what it is made of, each with its bytes, the largest first."""

    kind: str
    size: int
    layer: int
    by: int | None
    rule: str
    paths: tuple[tuple[str, int], ...]


# kind -> how it is told
KINDS = {
    "overwritten": "files that a later layer writes anew",
    "removed": "files that a later layer removes",
    "moved": "files that a later layer moves",
    "metadata": "files that a later layer copies whole for another mode or owner",
    "lists": "package lists",
    "caches": "caches of package managers",
    "byte code": "compiled Python files",
    "documentation": "documentation",
    "version control": "version control",
    "secrets": "secrets",
    "tool chains": "compilers and build tools",
    "duplicates": "the same content at several places",
}


class Row(NamedTuple):
    """A layer: its number, bytes of the files in it, bytes that a later layer hides, the instruction that made it, and the line of
    it in the Dockerfile where one was given (0: not known)."""

    number: int
    size: int
    hidden: int
    instruction: str
    line: int


class Audit(NamedTuple):
    """What there is to say of an image. `size` is the bytes of all files in all layers, `shown` of those in its file system;
    `efficiency`, `wasted` (bytes) and `user_wasted` (a share) are dive's measures; `notes` are what is said of the whole."""

    name: str
    size: int
    shown: int
    layers: tuple[Row, ...]
    wastes: tuple[Waste, ...]
    efficiency: float
    wasted: int
    user_wasted: float
    notes: tuple[str, ...]


# Beyond these a layer and an image are worth a question (the seeds of the project; Docker itself allows 127 layers).
LARGE_LAYER = 100_000_000
MANY_LAYERS = 15


def audit(image: Image, dockerfile: Source | None = None) -> Audit:
    """Look through an image; `dockerfile` is what it was built from, where that is known."""
    files = stack(image.layers)
    origins = _origins(image.layers)
    lost = list(_hidden(image.layers))
    wastes = [*_grouped(lost), *_kept(files, origins), *_duplicates(files, origins)]
    hidden: dict[int, int] = {}
    for one in lost:
        hidden[one.layer] = hidden.get(one.layer, 0) + one.size
    instructions = {step.layer: step.created_by for step in image.history if step.layer is not None}
    lines = _lines(instructions, dockerfile)
    rows = tuple(
        Row(number, layer.size, hidden.get(number, 0), plain(instructions.get(number, "")), lines.get(number, 0))
        for number, layer in enumerate(image.layers)
    )
    notes = [
        f"layer {row.number + 1} holds {unwanted.amount(row.size)} -> parts that change at different times are better apart"
        for row in rows
        if row.size > LARGE_LAYER and row.number
    ]
    if len(rows) > MANY_LAYERS:
        notes.append(f"{len(rows)} layers -> RUNs that follow each other may be one")
    shown = sum(entry.size for path, entry in files.items() if not entry.linked or path < entry.linked[0])
    wastes.sort(key=lambda one: (-one.size, one.kind, one.layer))
    efficiency, wasted, user_wasted = _dive(image.layers)
    return Audit(image.name, image.size, shown, rows, tuple(wastes), efficiency, wasted, user_wasted, tuple(notes))


# ------------------------------------------------------------------------------------------------------- hidden


class _Lost(NamedTuple):
    """A file of a lower layer that a higher one hides."""

    kind: str
    path: str
    size: int
    layer: int
    by: int
    rule: str


def _hidden(layers: tuple[Layer, ...]) -> Iterator[_Lost]:
    """Each file that does not reach the image's file system, once for each layer that has it; a file of several names is lost when the
    last of them is."""
    there: dict[str, tuple[Entry, int, str]] = {}
    names: dict[tuple[int, str], int] = {}

    def lose(path: str, by: int) -> tuple[Entry, int] | None:
        entry, number, root = there.pop(path)
        names[number, root] -= 1
        return (entry, number) if entry.type == "file" and entry.size and not names[number, root] else None

    for number, layer in enumerate(layers):
        contents = {entry.content for entry, _ in layer.entries.values() if entry.type == "file" and entry.size}
        gone = [path for path in hides(layer, there) if path not in layer.entries]
        for path in gone:
            found = lose(path, number)
            if found is not None:
                moved = found[0].content in contents
                rule = "file-moved-later" if moved else _rule_of_removed(path)
                yield _Lost("moved" if moved else "removed", path, found[0].size, found[1], number, rule)
        for path, (entry, root) in layer.entries.items():
            old = there.get(path)
            if old is not None:
                found = lose(path, number)
                if found is not None:
                    same = entry.type == "file" and found[0].content == entry.content
                    same = same and (found[0].mode, found[0].owner) != (entry.mode, entry.owner)
                    rule = "permissions-rewritten" if same else "consecutive-runs"
                    yield _Lost("metadata" if same else "overwritten", path, found[0].size, found[1], number, rule)
            there[path] = entry, number, root
            names[number, root] = names.get((number, root), 0) + 1
        for path, first in layer.links.items():
            if first in there:
                there[path] = there[first]
                names[there[first][1:]] += 1


_ARCHIVES = re.compile(r"\.(?:zip|tar|tgz|tbz2?|txz|tzst|tar\.\w+|whl|jar|deb|rpm|apk|gz|xz|bz2|zst)$")


def _rule_of_removed(path: str) -> str:
    if _SECRETS(path):
        return "secret-removed-later"
    if _LISTS(path):
        return "split-cleanup"
    return "archive-kept" if _ARCHIVES.search(path) else "split-cleanup"


def _grouped(lost: Iterable[_Lost]) -> Iterator[Waste]:
    groups: dict[tuple[str, int, int, str], list[tuple[str, int]]] = {}
    for one in lost:
        groups.setdefault((one.kind, one.layer, one.by, one.rule), []).append((one.path, one.size))
    for (kind, layer, by, rule), paths in groups.items():
        yield Waste(kind, sum(size for _, size in paths), layer, by, rule, _largest(paths))


def _largest(paths: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(paths, key=lambda one: (-one[1], one[0])))


# --------------------------------------------------------------------------------------------------------- kept


def _folders(which: str) -> tuple[str, ...]:
    """The folders of all package managers' lists or caches, wherever a home folder is."""
    found: dict[str, None] = {}
    for manager in packages.MANAGERS.values():
        for folder in getattr(manager, which):
            for home in ("/root", "/home/*") if "{home}" in folder.path else ("",):
                path = folder.path.replace("{home}", home)
                if path.startswith("/") and path.count("/") > 1:
                    found[posixpath.join(path, folder.copies or "**")] = None
    return tuple(found)


_LISTS = any_of(_folders("lists"))
_CACHES = any_of(_folders("caches"))
_BYTE_CODE = any_of(("/**/*.pyc", "/**/*.pyo"))
_DOCUMENTATION = any_of(
    ("/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/gtk-doc/**", "/usr/local/share/man/**")
)
_VERSION_CONTROL = any_of(("/**/.git/**", "/**/.hg/**", "/**/.svn/**"))
# By the names that GNU, LLVM, Go, Rust and OpenJDK give their programs and folders.
_TOOL_CHAINS = any_of(
    (
        *(f"/usr/bin/{name}" for name in ("gcc", "gcc-*", "g++", "g++-*", "*-gcc", "*-gcc-*", "*-g++", "*-g++-*", "cpp", "cpp-*", "*-cpp-*")),
        *(f"/usr/bin/{name}" for name in ("clang", "clang-*", "make", "cmake", "ninja", "ld", "ld.*", "as", "*-ld", "*-ld.*", "*-as")),
        "/usr/lib/gcc/**", "/usr/libexec/gcc/**", "/usr/lib/llvm-*/**", "/usr/local/go/**", "/usr/lib/go-*/**", "/usr/local/rustup/**",
        "/usr/local/cargo/bin/**", "/root/.rustup/**", "/root/.cargo/bin/**", "/usr/include/**", "/**/jmods/*.jmod",
        "/**/lib/ct.sym", "/usr/share/dotnet/sdk/**", "/usr/share/maven/**", "/opt/gradle/**", "/usr/local/cuda*/bin/nvcc",
        "/usr/lib/*/*.a", "/usr/lib/*.a",
    )
)  # fmt: skip
_SECRET_ROWS = [
    read_patterns(row.pattern.removeprefix("!"))[0]
    for row in unwanted.ROWS
    if row.kind == "secrets" and not row.pattern.startswith("!")
]
_NO_SECRETS = re.compile(
    r"\.(?:example|sample|template|dist|md)$|/\.ssh/(?:known_hosts|authorized_keys|config)$|\.pub$"
)
_KEYS = re.compile(r"/(?:id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.ppk|\.npmrc|\.pypirc|\.netrc|\.git-credentials)$")


def _SECRETS(path: str) -> bool:
    if _NO_SECRETS.search(path) or path.startswith(("/proc/", "/sys/", "/usr/share/", "/usr/lib/")):
        return False
    if _KEYS.search(path) is not None:
        return True
    parts = path.lstrip("/").split("/")
    above = [
        "/".join(parts[:count])
        for count in range(1, len(parts) + 1)
        if parts[count - 1].startswith(".") or count == len(parts)
    ]
    return any(pattern.matches(one) for pattern in _SECRET_ROWS for one in above)


_SORTS = (
    ("secrets", _SECRETS, "secret-copied"),
    ("version control", _VERSION_CONTROL, "unwanted-copied"),
    ("lists", _LISTS, "package-lists-kept"),
    ("caches", _CACHES, "install-cache-kept"),
    ("byte code", _BYTE_CODE, "bytecode-kept"),
    ("documentation", _DOCUMENTATION, "documentation-kept"),
    ("tool chains", _TOOL_CHAINS, "toolchain-shipped"),
)


def _kept(files: FileSystem, origins: Mapping[str, int]) -> Iterator[Waste]:
    """What is in the image's file system and is not needed to run it, each file under the first sort that it is of."""
    groups: dict[tuple[str, int, str], list[tuple[str, int]]] = {}
    for path, entry in files.items():
        if entry.type != "file" or not entry.size or (entry.linked and path > entry.linked[0]):
            continue
        for kind, matches, rule in _SORTS:
            if matches(path):
                groups.setdefault((kind, origins[path], rule), []).append((path, entry.size))
                break
    for (kind, layer, rule), paths in groups.items():
        yield Waste(kind, sum(size for _, size in paths), layer, None, rule, _largest(paths))


def _duplicates(files: FileSystem, origins: Mapping[str, int]) -> Iterator[Waste]:
    """Files of the same content at several paths, other than by hard links; all but one of them are counted."""
    same: dict[tuple[str, int], list[str]] = {}
    for path, entry in files.items():
        first = not entry.linked or path < entry.linked[0]
        told = any(matches(path) for _, matches, _ in _SORTS)
        if entry.type == "file" and entry.size >= _WORTH_A_LOOK and first and not told:
            same.setdefault((entry.content, entry.size), []).append(path)
    for (_, size), paths in same.items():
        if len(paths) > 1:
            ordered = sorted(paths, key=lambda path: (origins[path], path))
            yield Waste(
                "duplicates",
                size * (len(paths) - 1),
                origins[ordered[-1]],
                None,
                "",
                tuple((path, size) for path in ordered),
            )


# Small files are often equal by chance: licences, empty modules.
_WORTH_A_LOOK = 100_000


def _origins(layers: tuple[Layer, ...]) -> dict[str, int]:
    """The layer that each path of the file system comes from."""
    found: dict[str, int] = {}
    for number, layer in enumerate(layers):
        found.update(dict.fromkeys((*layer.entries, *layer.links), number))
    return found


# --------------------------------------------------------------------------------------------------------- dive


def _dive(layers: tuple[Layer, ...]) -> tuple[float, int, float]:
    """Efficiency, wasted bytes and their share of what lies above the first layer, as dive defines them: a path that occurs in several
    layers, its removals counted with what they remove, is wasted in all of them, and needed in the smallest.

    Source: the definitions in dive's README and its user interface ("Image efficiency score", "wasted space").
    """
    sizes: dict[str, list[int]] = {}
    there: dict[str, Entry] = {}
    for layer in layers:
        for path, size in _removals(layer, there).items():
            sizes.setdefault(path, []).append(size)
        gone = hides(layer, there)
        for path in gone:
            there.pop(path, None)
        for path, (entry, _) in layer.entries.items():
            if entry.type != "directory":
                sizes.setdefault(path, []).append(entry.size)
            there[path] = entry
    total = sum(sum(one) for one in sizes.values())
    needed = sum(min(one) for one in sizes.values())
    wasted = sum(sum(one) for one in sizes.values() if len(one) > 1)
    above = sum(layer.size for layer in layers[1:])
    return needed / total if total else 1.0, wasted, wasted / above if above else 0.0


def _removals(layer: Layer, there: Mapping[str, Entry]) -> dict[str, int]:
    """The bytes that each whiteout of a layer takes away, with all below it."""
    sizes = dict.fromkeys(layer.hidden, 0)
    for path, entry in there.items() if sizes else ():
        above = path
        while True:
            if above in sizes:
                sizes[above] += entry.size
            if above == "/":
                break
            above = posixpath.dirname(above)
    return sizes


# ------------------------------------------------------------------------------------------------- instructions


def plain(created_by: str) -> str:
    """An entry of the history as its author wrote it: without the shell that the builders put before it."""
    text = re.sub(r"\s+", " ", created_by).strip().removesuffix("# buildkit").strip()
    text = re.sub(r"^/bin/sh -c #\(nop\)\s*", "", text)
    text = re.sub(r"^(?:RUN )?(?:\|\d+ (?:\S+=.*? )*?)?/bin/sh -c ", "RUN ", text)
    return text


def _lines(instructions: Mapping[int, str], dockerfile: Source | None) -> dict[int, int]:
    """The lines of a Dockerfile that layers come from: its last stage's steps are the image's last layers, in their order."""
    if dockerfile is None:
        return {}
    build = Build(parse(dockerfile))
    if build.final is None:
        return {}
    steps = [
        (instruction.name, _words(instruction.logical.text), dockerfile.line_of(instruction.keyword_span.start))
        for stage in reversed(build.chain(build.final))
        for index in stage.indexes
        if (instruction := build.instructions[index]).name in ("RUN", "COPY", "ADD", "WORKDIR")
    ]
    found: dict[int, int] = {}
    for number in sorted(instructions, reverse=True):
        made = _words(plain(instructions[number]))
        while steps:
            name, text, line = steps.pop()
            if _is_same(name, text, made):
                found[number] = line
                break
            if name != "WORKDIR":
                return found  # the history is another file's from here on
        else:
            break
    return found


def _words(text: str) -> str:
    return re.sub(r"[\s\\]+", " ", text).strip()


def _is_same(name: str, text: str, made: str) -> bool:
    if not made.upper().startswith(name):
        return False
    # Flags are left out of the history, variables and heredocs are written out: the kind and the last word decide where words differ.
    return (
        text == made
        or name in ("COPY", "ADD", "WORKDIR")
        or made.endswith(text.split(" ", 1)[-1][-40:])
        or "<<" in text
    )


def top(files: Iterable[tuple[str, int]], count: int = 3) -> str:
    """The largest of some paths, as one text."""
    listed = [path for path, _ in files]
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more


def folder_of(paths: Iterable[tuple[str, int]]) -> str:
    """The deepest folder that all paths lie in."""
    return posixpath.commonpath([posixpath.dirname(path) for path, _ in paths])
