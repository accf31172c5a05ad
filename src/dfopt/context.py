"""What lies beside a Dockerfile: the build context, its files and what its ignore file keeps out; read-only, on demand.

The patterns of an ignore file are Docker's own language, neither gitignore's nor the shell's: each is anchored at the
context's root, the last one that matches decides, and a folder that is kept out keeps out what is in it unless a later `!`
pattern names it. Source: moby/patternmatcher v0.6.1 (`patternmatcher.go`, `ignorefile/ignorefile.go`), as tonistiigi/fsutil
calls it while it walks a context.
"""

import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from functools import cache

from dfopt.build import Build, mount_options, once
from dfopt.rule import Given, Place
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any


class BadPattern(ValueError):
    """A pattern that BuildKit refuses, or that dfopt does not read; `line` is its line, from 1, in the ignore file `path`."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.path = ""


class Pattern(NamedTuple):
    """A pattern of an ignore file: `text` as it is matched (cleaned, without `!`), `exception` whether `!` stood before it.

    `kind` is `exact`, `prefix`, `suffix` or `expression`; `line` is its line in the file, from 1.
    """

    text: str
    exception: bool
    kind: str
    expression: re.Pattern[str] | None
    line: int

    def matches(self, path: str) -> bool:
        """Whether the pattern itself matches a path; folders above it are the caller's."""
        if self.kind == "exact":
            return path == self.text
        if self.kind == "prefix":
            return path.startswith(self.text[:-2])
        if self.kind == "suffix":
            return path.endswith(self.text[2:]) or (self.text[2:3] == "/" and path == self.text[3:])
        return self.expression is not None and self.expression.fullmatch(path) is not None


def read_patterns(text: str) -> tuple[Pattern, ...]:
    """The patterns of an ignore file. Raises BadPattern where BuildKit stops, or where a pattern is not read."""
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#"):
            continue
        pattern = line.removesuffix("\r").strip(_BLANKS)
        exception = pattern.startswith("!")
        pattern = pattern[exception:].strip(_BLANKS)
        if not pattern:
            if exception:
                raise BadPattern("`!` names nothing", number)
            continue
        pattern = _clean(pattern)
        if len(pattern) > 1 and pattern.startswith("/"):
            pattern = pattern[1:]
        # BuildKit cleans twice, the second time with the `!`: "/!a" has lost its "/" by then.
        pattern = _clean((("!" if exception else "") + pattern).strip(_BLANKS))
        exception = pattern.startswith("!")
        pattern = pattern[exception:]
        if not pattern:
            raise BadPattern("`!` names nothing", number)
        try:
            _well_formed(pattern)
            kind, expression = _compile(pattern)
        except (BadPattern, re.error):
            raise BadPattern(f"`{pattern}` is no pattern", number) from None
        found.append(Pattern(pattern, exception, kind, expression, number))
    return tuple(found)


_BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def _clean(path: str) -> str:
    """Go's filepath.Clean."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else posixpath.normpath(path)


def _well_formed(pattern: str) -> None:
    """Raise BadPattern for what Go's filepath.Match calls malformed: an open or empty class, a trailing backslash."""
    place = 0

    def single() -> None:
        nonlocal place
        if place >= len(pattern) or pattern[place] in "-]":
            raise BadPattern(pattern)
        if pattern[place] == "\\":
            place += 1
            if place >= len(pattern):
                raise BadPattern(pattern)
        place += 1
        if place >= len(pattern):
            raise BadPattern(pattern)

    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "\\":
            if place >= len(pattern):
                raise BadPattern(pattern)
            place += 1
        elif character == "[":
            place += pattern[place : place + 1] == "^"
            count = 0
            while not (place < len(pattern) and pattern[place] == "]" and count):
                single()
                if pattern[place] == "-":
                    place += 1
                    single()
                count += 1
            place += 1


def _compile(pattern: str) -> tuple[str, re.Pattern[str] | None]:
    """How a pattern matches: its kind, and the expression where it is one."""
    kind = "exact"
    parts: list[str] = []
    place = 0
    first = True
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "*" and pattern[place : place + 1] == "*":
            place += 1
            place += pattern[place : place + 1] == "/"
            if place < len(pattern):
                parts.append("(.*/)?")
                kind = "expression"
            elif kind == "exact":
                kind = "prefix"
            else:
                parts.append(".*")
                kind = "expression"
            if first:
                kind = "suffix"
        elif character == "*":
            parts.append("[^/]*")
            kind = "expression"
        elif character == "?":
            parts.append("[^/]")
            kind = "expression"
        elif character in ".+()|{}$":
            parts.append("\\" + character)
        elif character == "\\":
            parts.append("\\" + pattern[place : place + 1])
            place += 1
            kind = "expression"
        else:
            parts.append(character)
            if character in "[]":
                kind = "expression"
        first = False
    return kind, re.compile(_translate("".join(parts)), re.DOTALL) if kind == "expression" else None


def _translate(expression: str) -> str:
    """One of Go's regular expressions, of the few forms that a pattern becomes, in Python's spelling."""
    out: list[str] = []
    place = 0
    while place < len(expression):
        character = expression[place]
        if character == "[":
            place, members = _class(expression, place + 1)
            out.append(members)
            continue
        place += 1
        if character == "\\":
            out.append(re.escape(_escaped(expression, place)))
            place += 1
        elif character == ".":
            out.append("[^\n]")
        else:
            out.append(character if character in "()?*^" else re.escape(character))
    return "".join(out)


def _escaped(expression: str, place: int) -> str:
    """The character behind a backslash; letters and digits would mean something else to Go's regular expressions."""
    character = expression[place : place + 1]
    if not character or character.isalnum() or character == "_" or ord(character) > 127:
        raise BadPattern(expression)
    return character


def _class(expression: str, place: int) -> tuple[int, str]:
    """A class from behind its `[`: the place behind its `]`, and it in Python's spelling."""
    negated = expression[place : place + 1] == "^"
    place += negated
    members: list[str] = []
    start = place

    def single() -> str:
        nonlocal place
        if place >= len(expression) or expression.startswith("[:", place):
            raise BadPattern(expression)
        character = expression[place]
        place += 1
        if character == "\\":
            character = _escaped(expression, place)
            place += 1
        return character

    while not expression.startswith("]", place) or place == start:
        low = high = single()
        if expression.startswith("-", place) and not expression.startswith("-]", place):
            place += 1
            high = single()
        if high < low:
            raise BadPattern(expression)
        members.append(re.escape(low) + ("-" + re.escape(high) if high != low else ""))
    return place + 1, f"[{'^' if negated else ''}{''.join(members)}]"


class Ignore:
    """What an ignore file keeps out of the context; `path` is its path on disk, "" where there is none.

    A folder that is kept out may still hold files that a `!` pattern brings back.
    """

    __slots__ = ("path", "patterns", "_folders")

    def __init__(self, patterns: tuple[Pattern, ...] = (), path: str = "") -> None:
        self.path = path
        self.patterns = patterns
        # What each pattern says of a folder: BuildKit asks from the root down, and a pattern that it had no need to try on
        # the folder counts as one that did not match it.
        self._folders: dict[str, tuple[bool, ...]] = {}

    def hides(self, path: str) -> bool:
        """Whether a path below the context's root (`a/b`, no `/` before it) is kept out."""
        return self._judge(path)[0]

    def decides(self, path: str) -> Pattern | None:
        """The pattern that decides over a path, the last one that matches it or a folder above it; None where none does."""
        hidden, matched = self._judge(path)
        found = [pattern for pattern, hit in zip(self.patterns, matched) if hit and pattern.exception != hidden]
        return found[-1] if found else None

    def _judge(self, path: str) -> tuple[bool, tuple[bool, ...]]:
        folder = posixpath.dirname(path)
        above = self._above(folder) if folder else (False,) * len(self.patterns)
        hidden = False
        matched = []
        for pattern, hit in zip(self.patterns, above):
            if not hit and pattern.exception == hidden:
                hit = pattern.matches(path)
            if hit:
                hidden = not pattern.exception
            matched.append(hit)
        return hidden, tuple(matched)

    def _above(self, folder: str) -> tuple[bool, ...]:
        if folder not in self._folders:
            self._folders[folder] = self._judge(folder)[1]
        return self._folders[folder]


class Entry(NamedTuple):
    """Something in the context: its path below the root, and what it is: `file`, `folder`, `link` or `other`."""

    path: str
    kind: str


class Context:
    """A build context on disk. It is read on demand and each place only once; nothing is written, no link is followed.

    Paths are below the root, in the form `a/b`; `.` and "" are the root itself. What the ignore file hides is not there.
    """

    __slots__ = ("root", "ignore", "answers", "_entries", "_known")

    def __init__(self, root: str, ignore: Ignore, same: "Context | None" = None) -> None:
        """`same` is a context of the same root, whose knowledge of what lies there is shared. `answers` is for those who ask
        much of a context, to keep what they found."""
        self.root = root
        self.ignore = ignore
        self.answers: dict[object, Any] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {} if same is None else same._entries
        self._known: dict[str, Entry | None] = {} if same is None else same._known

    def inside(self, folder: str) -> tuple[Entry, ...]:
        """What lies in a folder, the hidden entries too, by name; nothing where it is no folder or cannot be read."""
        folder = normal(folder)
        if folder not in self._entries:
            self._entries[folder] = tuple(sorted(self._read(folder)))
        return self._entries[folder]

    def _read(self, folder: str) -> Iterator[Entry]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as found:
                for one in found:
                    yield Entry(posixpath.join(folder, one.name), _kind_of(one))
        except OSError:
            return

    def entry(self, path: str) -> Entry | None:
        """What a path names, hidden or not; None where there is nothing, or a folder above it is a link."""
        path = normal(path)
        if not path:
            return Entry("", "folder")
        if path not in self._known:
            folder, _, _ = path.rpartition("/")
            above = self.entry(folder) if folder else None
            if above is not None and above.kind != "folder" or (folder and above is None):
                self._known[path] = None
            else:
                try:
                    mode = os.lstat(os.path.join(self.root, path)).st_mode
                    self._known[path] = Entry(path, _KINDS.get(stat.S_IFMT(mode), "other"))
                except (OSError, ValueError):
                    self._known[path] = None
        return self._known[path]

    def size(self, one: Entry) -> int:
        """The bytes of a file, 0 for anything else."""
        if one.kind != "file":
            return 0
        try:
            return os.lstat(os.path.join(self.root, one.path)).st_size
        except OSError:
            return 0

    def has(self, path: str) -> bool:
        """Whether a build finds a path: it is there, and it or something in it is not hidden."""
        found = self.entry(path)
        if found is None:
            return False
        if not found.path or not self.ignore.hides(found.path):
            return True
        return found.kind == "folder" and any(True for _ in self.walk(found.path))

    def walk(self, folder: str = "", hidden: bool = False) -> Iterator[Entry]:
        """All files and links below a folder that a build finds, in order of their paths; with `hidden` those kept out as well."""
        exceptions = any(pattern.exception for pattern in self.ignore.patterns)
        pending = list(reversed(self.inside(folder)))
        while pending:
            one = pending.pop()
            out = not hidden and self.ignore.hides(one.path)
            if one.kind == "folder":
                # Nothing comes back from a folder that is out where no pattern is an exception.
                if not out or exceptions:
                    pending += reversed(self.inside(one.path))
            elif not out:
                yield one

    def matching(self, source: str, hidden: bool = False) -> tuple[str, ...]:
        """The paths that a source of COPY names, itself where it is no pattern and there; with `hidden` those kept out as well.
        Source: Go's filepath.Match."""
        source = normal(source)
        if not set(source) & set("*?[\\"):
            there = self.entry(source) is not None if hidden else self.has(source)
            return (source,) if there else ()
        parts = source.split("/")
        found = [""]
        for part in parts:
            wanted = _component(part)
            if wanted is None:
                return ()
            found = [
                one.path
                for folder in found
                for one in self.inside(folder)
                if wanted.fullmatch(one.path.rpartition("/")[2])
            ]
        return tuple(path for path in found if hidden or self.has(path))

    def text(self, path: str, limit: int = 1 << 20) -> str | None:
        """The text of a file that a build finds; None where it is none, is larger than `limit` bytes, or cannot be read."""
        found = self.entry(path)
        if found is None or found.kind != "file" or self.size(found) > limit or self.ignore.hides(found.path):
            return None
        try:
            with open(os.path.join(self.root, found.path), "rb") as file:
                return file.read().decode("utf-8", "replace")
        except OSError:
            return None


def _kind_of(one: "os.DirEntry[str]") -> str:
    """What a folder's entry is; this asks the system for most file systems' entries no more than the folder itself did."""
    if one.is_symlink():
        return "link"
    if one.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if one.is_file(follow_symlinks=False) else "other"


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


@cache
def _component(part: str) -> re.Pattern[str] | None:
    """A name with wildcards as an expression, None where it is no pattern: unlike in an ignore file `**` is `*` twice."""

    def spelled(hit: re.Match[str]) -> str:
        text = hit[0]
        if text.startswith("\\") and text[1].isalnum():
            return text[1]
        return _WILD.get(text, text)

    try:
        _well_formed(part)
        text = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]|[*?.+()|{}$^]", spelled, part, flags=re.DOTALL)
        return re.compile(_translate(text), re.DOTALL)
    except (BadPattern, re.error):
        return None


def name_matches(part: str, name: str) -> bool:
    """Whether one name matches one part of a source of COPY with wildcards. Source: Go's filepath.Match."""
    wanted = _component(part)
    return wanted is not None and wanted.fullmatch(name) is not None


_WILD = {"*": "[^/]*", "?": "[^/]", **{character: "\\" + character for character in ".+()|{}$^"}}


def normal(path: str) -> str:
    """A path below the root in the form `a/b`: COPY reads `/a`, `./a` and `../a` from the root too; "" is the root itself."""
    return posixpath.normpath("/" + path).lstrip("/")


def open_context(root: str, dockerfile: str = "") -> Context:
    """The context at a folder, with the ignore file that holds for a Dockerfile: `Dockerfile.dockerignore` beside it before
    `.dockerignore` at the root. Raises BadPattern, and OSError where the ignore file cannot be read."""
    places = [dockerfile + ".dockerignore"] if dockerfile else []
    places.append(os.path.join(root, ".dockerignore"))
    for place in places:
        if os.path.isfile(place):
            with open(place, "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
            try:
                return Context(root, Ignore(read_patterns(text), place))
            except BadPattern as error:
                error.path = place
                raise
    return Context(root, Ignore())


def of(build: Build, given: Given, evidence: Iterable[tuple[str, ...]] = ()) -> Context | None:
    """The build context of a file: as told, else the nearest folder above the file, within its repository, where all that it copies
    by name lies; None where there is none, or its ignore file is not read.

    `evidence` are groups of names or patterns of which one must be there too, where the folder is not told: `COPY . .` alone
    fits every folder.
    """
    root = root_of(build, given, evidence)
    return _opened(given, root) if root is not None else None


def root_of(build: Build, given: Given, evidence: Iterable[tuple[str, ...]] = ()) -> str | None:
    """The folder that `of` opens."""
    place = given.place
    if place is None:
        return None
    if place.root is not None:
        return place.root
    sources = _sources(build)
    for folder in _above(os.path.abspath(place.dockerfile)):
        bare = _bare(place, folder)
        if all(bare.entry(source) is not None for source in sources) and all(
            any(bare.matching(name) for name in names) for names in evidence
        ):
            return folder
    return None


def _opened(given: Given, root: str) -> Context | None:
    assert given.place is not None, "asked for a file that lies somewhere"
    known, key = given.place.known, (root, given.place.dockerfile)
    if key not in known:
        try:
            opened = open_context(root, given.place.dockerfile)
            known[key] = Context(root, opened.ignore, _bare(given.place, root))
        except (BadPattern, OSError):
            known[key] = None
    found: Context | None = known[key]
    return found


def _bare(place: Place, root: str) -> Context:
    """A folder as a context without an ignore file."""
    found: Context = place.known.setdefault(root, Context(root, Ignore()))
    return found


def _above(dockerfile: str) -> list[str]:
    """The folder of a file and those above it up to its repository's root; the first alone where it is in no repository."""
    folders = [os.path.dirname(dockerfile)]
    while not os.path.exists(os.path.join(folders[-1], ".git")):
        parent = os.path.dirname(folders[-1])
        if parent == folders[-1]:
            return folders[:1]
        folders.append(parent)
    return folders


@once
def _sources(build: Build) -> tuple[str, ...]:
    """What the file takes from its context by name: sources of COPY and ADD without wildcards, and of bind mounts."""
    found: list[str] = []
    for index, instruction in enumerate(build.instructions):
        found += named_by(build, index)
        for flag in instruction.flags if instruction.name == "RUN" else ():
            options = mount_options(flag.value or "") if flag.name == "mount" else {}
            if options.get("type") == "bind" and "from" not in options and "$" not in options.get("source", ""):
                found.append(options.get("source", ""))
    return tuple(dict.fromkeys(found))


def named_by(build: Build, index: int) -> tuple[str, ...]:
    """The paths of the context that a COPY or ADD names without wildcards, below the root; the root itself is no name."""
    instruction = build.instructions[index]
    copy = build.copy(index) if instruction.name in ("COPY", "ADD") else None
    if copy is None or copy.origin is not None:
        return ()
    heredocs = {heredoc.name for heredoc in instruction.heredocs}
    return tuple(
        path
        for source in copy.sources or ()
        if source not in heredocs and not _elsewhere(source) and (path := normal(source))
    )


def folders_of(build: Build, index: int, place: Context) -> tuple[str, ...]:
    """The folders of the context whose contents a COPY or ADD takes, the root as ""."""
    copy = build.copy(index) if build.instructions[index].name in ("COPY", "ADD") else None
    if copy is None or copy.origin is not None:
        return ()
    found = []
    for source in copy.sources or ():
        entry = place.entry(source) if not _elsewhere(source) else None
        if entry is not None and entry.kind == "folder":
            found.append(entry.path)
    return tuple(found)


def _elsewhere(source: str) -> bool:
    """Whether a source is a pattern or lies outside of the context."""
    return "://" in source or source.startswith("git@") or bool(set(source) & set("*?[\\"))
