"""Which archives a RUN fetches, packs, unpacks and deletes, each by the name that it has where the command runs."""

import itertools
import posixpath
import re

from dfopt import layers
from dfopt.build import Build, Command, Run, Stage, State, once
from dfopt.shell import Simple, Word
from dfopt.startup import NamedTuple, pattern

_VARIABLE = pattern(r"\$(?:(\w+)|\{(\w+)\})")
_UNKNOWN = pattern(r"\$(?:\w+|\{[^{}]*\}|\(.*\))|`[^`]*`")


# Options by which curl and wget store what they fetch under names that the command does not say.
_ELSEWHERE = {
    "curl": re.compile(r"-[A-Za-z]*J|--remote-header-name|--output-dir|-K|--config"),
    "wget": re.compile(r"-[A-Za-z]*P|--directory-prefix|--content-disposition|-[A-Za-z]*i|--input"),
}


class File(NamedTuple):
    """A file as a command names it: `key` is equal where it is the same file, in one RUN; `path` is absolute, with `*` for what a
    variable stands for, None where it is not known."""

    text: str
    key: str
    path: str | None


class Placed(NamedTuple):
    """A command of a RUN and where it runs: `folder` is absolute, None where not known; `times` counts the changes of folder before it."""

    command: Command
    folder: str | None
    times: int


@once
def placed(build: Build, index: int) -> tuple[Placed, ...]:
    """The commands of a RUN in order, each with the folder that it runs in."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return ()
    state = build.state(index)
    folder, times = state.workdir, 0
    found = []
    for command in run.commands:
        found.append(Placed(command, folder, times))
        if command.name in ("cd", "pushd", "popd"):
            words = command.simple.words
            target = _expand(words[1].text, run, state) if command.name == "cd" and len(words) == 2 else None
            times += 1
            if target is None or "$" in target or "`" in target or target.startswith(("-", "~")) or command.nesting:
                folder = None
            elif target.startswith("/"):
                folder = posixpath.normpath(target)
            else:
                folder = posixpath.normpath(posixpath.join(folder, target)) if folder is not None else None
    return tuple(found)


def _expand(text: str, run: Run, state: State) -> str:
    """A word's text without its quotes, the variables of the Dockerfile in it replaced where their values are known."""
    text = text.replace('"', "").replace("'", "")

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        known, found = state.lookup(name)
        if not known or found is None or re.search(rf"\b{name}=|\bread\b|\bfor {name}\b", run.script.text):
            return match[0]
        return found

    return _VARIABLE.sub(value, text) if "$" in text else text


def masked(name: str) -> str:
    """A name with `*` for what a variable or a command stands for."""
    return _UNKNOWN.sub("*", name)


def file_of(build: Build, index: int, place: Placed, text: str) -> File:
    """The file that `text`, a word as written, names to a command."""
    run, state = build.run(index), build.state(index)
    assert run is not None, "a placed command stands in a RUN that is read"
    name = _expand(text, run, state)
    if name.startswith("~/") and state.home:
        name = state.home + name[1:]
    if not name.startswith(("/", "$", "`", "~")):
        name = posixpath.join(place.folder, name) if place.folder is not None else f"?{place.times}/{name}"
    name = posixpath.normpath(name)
    path = masked(name) if name.startswith("/") else None
    return File(text, name, "/" + path.lstrip("/") if path is not None else None)


def _own_words(simple: Simple) -> tuple[str, tuple[Word, ...]]:
    """The program's name and its words, sudo taken off."""
    words = simple.words
    if words and words[0].value == "sudo" and len(words) > 1:
        words = words[1:]
    return (posixpath.basename(words[0].value or "") if words else "", words)


def fetched(simple: Simple) -> list[str]:
    """The names under which curl and wget store what they fetch, as written."""
    name, words = _own_words(simple)
    if name not in ("curl", "wget"):
        return []
    found: list[str] = []
    urls = [word.text.replace('"', "").replace("'", "") for word in words[1:] if "://" in word.text]
    short, long = ("o", "--output") if name == "curl" else ("O", "--output-document")
    named = remote = False
    for before, word in itertools.pairwise(words):
        text, last = word.text, before.text
        if _ELSEWHERE[name].match(text):
            return []
        if last == long or (re.fullmatch(r"-[A-Za-z]+", last) and last.endswith(short)):
            found.append(text)
            named = True
        elif text.startswith(long + "="):
            found.append(text.partition("=")[2])
            named = True
        elif re.fullmatch(r"-[a-zA-Z]*O[a-zA-Z]*|--remote-name(?:-all)?", text) and name == "curl":
            remote = True
    if not named and (remote or (name == "wget" and not simple.redirections)):
        for url in urls:
            base = url.rpartition("/")[2].partition("?")[0]
            if base and (name == "curl" or "?" not in url) and re.search(r"[\w}]$", base):
                found.append(base)
    found += [one.target.text for one in simple.redirections if one.operator == ">" and one.descriptor in (None, "1")]
    return [one for one in found if one.strip("\"'") not in ("-", "") and not one.startswith("/dev/")]


def _tar(words: tuple[Word, ...]) -> tuple[str, list[str], list[str]]:
    """tar's operation (`x`, `c`, `t` ..., "" where not known), its archives, and its other operands."""
    operation, archives, rest = "", [], []
    waiting = ""  # letters of a cluster whose values follow
    for at, word in enumerate(words[1:]):
        text = word.text
        if waiting:
            if waiting[0] == "f":
                archives.append(text)
            waiting = waiting[1:]
        elif text.startswith("--"):
            name, _, value = text.partition("=")
            operation = {"--extract": "x", "--get": "x", "--create": "c", "--list": "t"}.get(name, operation)
            if name == "--file":
                if value:
                    archives.append(value)
                else:
                    waiting = "f"
            elif name in ("--directory", "--exclude", "--transform", "--wildcards-match") and not value:
                waiting = "C"
        elif (text.startswith("-") and len(text) > 1) or (at == 0 and re.fullmatch(r"[A-Za-z]+", text)):
            letters = text.lstrip("-")
            for place, letter in enumerate(letters):
                if letter in "xctru":
                    operation = letter
                elif letter in "fCTXIK":
                    if text.startswith("-") and place + 1 < len(letters):
                        if letter == "f":
                            archives.append(letters[place + 1 :])
                        break
                    waiting += letter
        else:
            rest.append(text)
    return operation, archives, rest


def unpacked(command: Command) -> list[str]:
    """The archives that a command unpacks or installs from, as written."""
    name, words = _own_words(command.simple)
    found: list[str] = []
    if command.use is not None:
        if command.use.manager.family == "apt" and command.use.action == "install":
            found = [word.text for word in command.use.operands if re.match(r"[\"']?\.{0,2}/", word.text)]
        return [text for text in found if text.strip("\"'").endswith(".deb")]
    if name in ("tar", "bsdtar", "gtar", "jar"):
        operation, archives, _ = _tar(words)
        found = archives if operation == "x" else []
    elif name == "unzip":
        skip = False
        for word in words[1:]:
            if skip:
                skip = False
            elif re.fullmatch(r"-[a-zA-Z]*[ltpvZz][a-zA-Z]*", word.text):
                return []
            elif word.text.startswith("-"):
                skip = word.text.endswith(("d", "P"))
            else:
                found = [word.text]
                break
    elif name in ("7z", "7za", "7zr", "7zz") and len(words) > 2 and words[1].value in ("x", "e"):
        found = [word.text for word in words[2:] if not word.text.startswith("-")][:1]
    elif name == "dpkg" and any(word.value in ("-i", "--install") for word in words):
        found = [word.text for word in words[1:] if word.text.strip("\"'").endswith(".deb")]
    elif name == "rpm" and any(
        re.fullmatch(r"-[a-zA-Z]*[iUF][a-zA-Z]*|--install|--upgrade", word.text) for word in words
    ):
        found = [word.text for word in words[1:] if word.text.strip("\"'").endswith(".rpm") and "://" not in word.text]
    return [text for text in found if text.strip("\"'") not in ("-", "/dev/stdin") and not set(text) & set("*?[")]


def packed(simple: Simple) -> list[tuple[str, list[str]]]:
    """The archives that a command writes, as written, and what it packs into each."""
    name, words = _own_words(simple)
    if name in ("tar", "bsdtar", "gtar"):
        operation, archives, rest = _tar(words)
        return [(one, rest) for one in archives if one != "-"] if operation == "c" else []
    operands = [word.text for word in words[1:] if not word.text.startswith("-")]
    if name == "zip" and len(operands) > 1:
        return [(operands[0], operands[1:])]
    if name in ("gzip", "pigz", "xz", "bzip2", "zstd") and not any(
        re.fullmatch(r"-[a-zA-Z0-9]*[dcltk][a-zA-Z0-9]*|--(?:decompress|stdout|keep|list|test)", word.text)
        for word in words[1:]
    ):
        ending = {"gzip": ".gz", "pigz": ".gz", "xz": ".xz", "bzip2": ".bz2", "zstd": ".zst"}[name]
        return [(one + ending, [one]) for one in operands]
    return []


def packer(build: Build, stage: Stage, path: str) -> tuple[int, Placed] | None:
    """The command of a stage, or of those that it stands on, that packs the archive at `path`, and its instruction; None where none is known."""
    for one in build.chain(stage):
        for index in one.indexes:
            for place in placed(build, index):
                for text, _ in packed(place.command.simple):
                    if file_of(build, index, place, text).path == path:
                        return index, place
    return None


class _Removal(NamedTuple):
    """What a command deletes or moves away: `files` as far as their names are known; `unsure` is whether there may be others."""

    start: int
    files: tuple[tuple[str, File], ...]
    unsure: bool


@once
def _removals(build: Build, index: int) -> tuple[_Removal, ...]:
    """The commands of a RUN that delete or move files."""
    found = []
    for place in placed(build, index):
        name, words = _own_words(place.command.simple)
        start = place.command.simple.start
        if name in ("xargs", "trap"):
            found.append(_Removal(start, (), True))
            continue
        if name not in ("rm", "unlink", "mv", "find", "shred"):
            continue
        if name == "find" and not any(word.value in ("-delete", "-exec") for word in words):
            continue
        operands = [word.text for word in words[1:] if not word.text.startswith("-")]
        operands = operands[:-1] if name == "mv" else operands
        files = tuple((text, file_of(build, index, place, text)) for text in operands)
        found.append(_Removal(start, files, False))
    return tuple(found)


def may_be_removed(build: Build, index: int, file: File, since: int) -> bool:
    """Whether a command of a RUN behind offset `since` of its script deletes or moves a file, or may: its names are not all known."""
    for removal in _removals(build, index):
        if removal.start < since:
            continue
        if removal.unsure:
            return True
        for text, other in removal.files:
            if other.path is None or file.path is None:
                if other.key == file.key or "$" in other.key or other.path is None:
                    return True
            elif (
                layers.covers(other.path, file.path) or layers.overlaps(other.path, file.path) or set(text) & set("$`{")
            ):
                return True
    return False
