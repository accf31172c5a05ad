"""Builds that write times or places of their own into what they make, so that the same source gives another layer each time."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import caches, context, layers, packages, projects, rewrite
from dfopt.build import Build, Command, Run, Stage
from dfopt.packages import Use
from dfopt.rule import AddsWord, Changes, Finding, Fix, Given, Saving
from dfopt.shell import Script, Simple
from dfopt.startup import NamedTuple, pattern

_SAVES = Saving("new layers of what has not changed", source="")
_REFUSAL = "which time it is to write is its author's to say"


class _Row(NamedTuple):
    """A kind of command that varies: what it writes, and what to do."""

    what: str
    cure: str


_TRIMPATH = _Row("writes the folders of the build into the program", "add `-trimpath`")
_MAVEN = _Row(
    "writes the time of the build into each archive",
    "set `project.build.outputTimestamp` in pom.xml, or with `-D` to the time of the commit",
)
_GRADLE = _Row(
    "writes the time of the build into each archive",
    "set `isPreserveFileTimestamps = false` and `isReproducibleFileOrder = true` for archive tasks",
)
_PYTHON = _Row("writes the times of the sources into byte code", "add `--invalidation-mode checked-hash`")
_WHEEL = _Row(
    "writes the times of files into the package", "declare `ARG SOURCE_DATE_EPOCH` and give it the time of the commit"
)
_TAR = _Row("writes the times of files and the order of folders into the archive", "add `--sort=name --mtime=@0`")
_ZIP = _Row("writes the times and owners of files into the archive", "set the files' times before, and add `-X`")
_DATE = _Row("writes the time of the build", "give the time as a build argument, the last commit's for instance")

# What shows that the author thinks of it already.
_DECIDED = pattern(r"SOURCE_DATE_EPOCH|outputTimestamp|reproducible|\bfaketime\b|strip-nondeterminism")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for index, instruction in enumerate(build.instructions):
        run = build.run(index) if instruction.name == "RUN" and build.stage(index) is not None else None
        if run is None or run.script.opaque is not None:
            continue
        decided = _DECIDED.search(instruction.body.text) is not None or build.state(index).lookup(
            "SOURCE_DATE_EPOCH"
        ) != (False, None)
        decided = decided and (_DECIDED.search(build.syntax.source.text) is not None)
        for command in run.commands:
            if command.use is not None:
                row = _managed(build, given, index, command.use, decided)
                if row is _TRIMPATH:
                    yield _trimmed(build, index, run, command.use)
                    continue
            else:
                row = None if decided else _made(command)
            if row is None and not decided and _writes_time(run.script, command):
                row = _DATE
            if row is not None:
                label = _shown(run.script.text[command.simple.start : command.simple.end])
                span = run.span(command.simple.start, command.simple.end)
                yield Finding(span, f"`{label}` {row.what} -> {row.cure}", None, _SAVES, (), _REFUSAL)


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57].rstrip() + "..."


def _managed(build: Build, given: Given, index: int, use: Use, decided: bool) -> _Row | None:
    name = use.manager.name
    if name == "go" and use.verb in ("build", "install"):
        return _TRIMPATH if _untrimmed(build, index, use) else None
    if decided:
        return None
    if name == "maven" and any(word.value in _PHASES for word in use.command.words[1:]):
        return None if _says(build, given, ("pom.xml",), "outputTimestamp") else _MAVEN
    if name == "gradle" and use.action == "build" and _is_old_gradle(build, index):
        files = ("build.gradle", "build.gradle.kts", "*/build.gradle", "*/build.gradle.kts", "buildSrc/*/*")
        return None if _says(build, given, files, "eproducibleFileOrder") else _GRADLE
    return None


# The phases of Maven that pack.
_PHASES = frozenset("package verify install deploy".split())


def _untrimmed(build: Build, index: int, use: Use) -> bool:
    texts = [word.text for word in use.command.words]
    if any("trimpath" in text or "gcflags" in text for text in texts) or use.has("-race", "-cover", "-n"):
        return False
    for name, value in use.environment:
        if name == "GOFLAGS" and (value is None or "trimpath" in value):
            return False
    is_set, value = build.state(index).lookup("GOFLAGS")
    if is_set and build.state(index).environment.sets("GOFLAGS") and (value is None or "trimpath" in value):
        return False
    if projects.configured(build, index, _GOFLAGS):
        return False
    stage = build.stage(index)
    image = build.chain(stage)[-1].image if stage is not None else None
    old = re.match(r"(?:docker\.io/)?(?:library/)?golang:1\.(\d+)", image or "")
    return old is None or int(old[1]) >= 13


_GOFLAGS = pattern(r"GOFLAGS|go env -w")


def _trimmed(build: Build, index: int, run: Run, use: Use) -> Finding:
    message = f"`{caches.label(use)}` {_TRIMPATH.what} -> {_TRIMPATH.cure}"
    span = caches.span_of(run, use)
    if use.uncertain or use.verb_index == use.name_index:
        return Finding(span, message, None, _SAVES, (), "it is not known where the flag may stand")
    word = use.command.words[use.verb_index]
    stage = build.stage(index)
    assert stage is not None, "only a RUN of a stage is asked for"
    places = _places(build, stage, index, use)
    if places is None:
        return Finding(span, message, None, _SAVES, (), "it is not known where the program is stored, or copied to")
    fix = Fix(
        "add `-trimpath`",
        (rewrite.add_word_behind(run, word.start, word.end, "-trimpath"),),
        False,
        "to agree: Go is 1.13 or later, and stack traces and debuggers name packages, not folders of the build",
        (
            AddsWord(index, word.end, ("-trimpath",)),
            *(Changes(paths, image) for image, paths in places),
        ),
    )
    return Finding(span, message, fix, _SAVES)


def _places(build: Build, stage: Stage, index: int, use: Use) -> list[tuple[int, tuple[str, ...]]] | None:
    """Where the program may lie, by stage: in the folder that the build works in or names, and wherever a stage copies from it."""
    state = build.state(index)
    run = build.run(index)
    folder = projects.folder(build, index, run, use) if run is not None else None
    output = use.value_of("-o")
    if folder is None or (use.has("-o") and output is None):
        return None
    made = posixpath.normpath(posixpath.join(folder, output or "."))
    own = [made, f"{made.rstrip('/')}/**"] if made != "/" else ["/*"]
    seen = layers.environment(state)
    for one in (packages.locate(cache, state.home, seen, use) for cache in use.manager.caches):
        own += [f"{one}/**"] if one is not None else []
    if use.verb == "install":
        own += ["/go/bin/*", "/root/go/bin/*"]
    found = [(image.index, tuple(own)) for image in (stage, *build.children(stage))]
    reached = {image for image, _ in found}
    for other in build.stages:
        for reference in build.references:
            if reference.within != other.index or reference.stage not in reached:
                continue
            copy = build.copy(reference.instruction)
            if copy is None:
                continue
            if copy.destination is None:
                return None
            into = copy.destination.rstrip("/")
            reached.add(other.index)
            found += [
                (image.index, (into or "/*", f"{into}/**" if into else "/*/**"))
                for image in (other, *build.children(other))
            ]
    return found


def _is_old_gradle(build: Build, index: int) -> bool:
    """Whether Gradle is known to be older than 9, which makes archives alike by itself."""
    stage = build.stage(index)
    image = build.chain(stage)[-1].image if stage is not None else None
    found = re.match(r"(?:docker\.io/)?(?:library/)?gradle:(\d+)", image or "")
    return found is not None and int(found[1]) < 9


def _says(build: Build, given: Given, files: tuple[str, ...], word: str) -> bool:
    """Whether a file of the context says a word; also where the context is not known to hold the project."""
    place = context.of(build, given)
    if place is None:
        return False
    return any(word in (place.text(path) or "") for name in files for path in place.matching(name))


def _made(command: Command) -> _Row | None:
    """What a command that packs varies in."""
    simple = command.simple
    values = [word.value or word.text for word in simple.words]
    if not values:
        return None
    name, rest = posixpath.basename(values[0]), values[1:]
    if re.fullmatch(r"python[\d.]*", name):
        if rest[:2] == ["-m", "compileall"]:
            return None if any("invalidation-mode" in one for one in rest) else _PYTHON
        packs = rest[:2] == ["-m", "build"] or (rest[:1] == ["setup.py"] and {"bdist_wheel", "sdist"} & set(rest))
        return _WHEEL if packs else None
    if name == "tar" and rest and _packs(rest):
        kept = any(one.startswith(("--mtime", "--clamp-mtime")) for one in rest)
        return None if kept or _to_pipe(simple, rest) else _TAR
    if name == "zip" and len([one for one in rest if not one.startswith("-")]) > 1:
        return _ZIP if not any(re.fullmatch(r"-\w*[Xd]\w*", one) for one in rest) else None
    return None


def _packs(rest: list[str]) -> bool:
    return "--create" in rest or re.fullmatch(r"-?[a-zA-Z]*c[a-zA-Z]*", rest[0]) is not None


def _to_pipe(simple: Simple, rest: list[str]) -> bool:
    """Whether an archive goes to a pipe, and is no file."""
    if any(one.operator.startswith(">") for one in simple.redirections):
        return False
    named = any(re.fullmatch(r"-?[a-zA-Z]*f[a-zA-Z]*", one) or one.startswith("--file") for one in rest)
    return not named or "-" in rest


# A command that prints leaves nothing where its output goes nowhere.
_PRINTING = frozenset("echo printf test [ true :".split())

# Options by which `date` tells another time than now.
_OTHER_TIME = pattern(r"-\w*[dr]|--(?:date|reference)|-\w*f|--file")


def _writes_time(script: Script, command: Command) -> bool:
    """Whether a command writes the time of the build: what it says or stores comes of `date`."""
    simple = command.simple
    name = posixpath.basename(command.name or "")
    stored = any(
        one.operator.startswith(">") and not one.target.text.startswith("/dev/") for one in simple.redirections
    )
    if name == "date":
        return stored and not any(_OTHER_TIME.match(word.text) for word in simple.words[1:])
    if name in _PRINTING and not stored:
        return False
    words = [*simple.words, *(one.value for one in simple.assignments if one.value is not None)]
    return any(_is_date(inner) for word in words for inner in word.substitutions)


def _is_date(script: Script) -> bool:
    for step in script.steps:
        for command in step.pipeline.commands:
            if isinstance(command, Simple) and command.words and command.words[0].value == "date":
                return not any(_OTHER_TIME.match(word.text) for word in command.words[1:])
    return False
