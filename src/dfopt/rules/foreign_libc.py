"""A program that is linked against glibc, in an image that has musl or no C library at all."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, layers, needs, rebase
from dfopt.build import Build, Command, Run, Stage
from dfopt.packages import Use
from dfopt.rule import AddsWord, Changes, Finding, Fix, Given, Related
from dfopt.shell import Simple
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern


class _Program(NamedTuple):
    """A command that links a program: where it stands, its label, what it makes (a path, or a folder that holds it; a trailing `/`
    says so), how certain that needs glibc, and what to do."""

    instruction: int
    run: Run
    simple: Simple
    label: str
    path: str
    when: str
    advice: str
    cures: bool


# Alpine's stand-ins for glibc; who installs one has thought of it.
_COMPATIBLE = pattern(r"\b(?:gcompat|libc6-compat|glibc[\w.-]*|alpine-pkg-glibc)\b")

# What makes a program static, or links it against musl.
_STATIC = pattern(
    r"-static\b|extldflags|linkmode|\bnetgo\b|\bmusl|\bzig\b|zigbuild|crt-static|-nostdlib|-buildmode|GOOS=(?!\"?(?:linux|\$))|osusergo",
    re.IGNORECASE,
)

# Distributions on PyPI without wheels for musl: pip finds nothing there, or builds for hours. Source: PyPI's lists of files, as
# known in 2026-11.
_NOT_FOR_MUSL = frozenset(
    "torch torchvision torchaudio tensorflow tensorflow-cpu onnxruntime jaxlib opencv-python opencv-python-headless opencv-contrib-python"
    " playwright mediapipe ray triton open3d paddlepaddle vllm faiss-cpu".split()
)

# Where an install of Python's or Node's lies.
_MODULES = pattern(r"(?:^|/)node_modules(?:/|$)")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        image = rebase.default_image(build, build.chain(stage)[-1])
        library = _library(build, stage, image)
        if library not in ("musl", "none") or build.windows or not _runs_programs(build, stage):
            continue
        if library == "musl" and any(_COMPATIBLE.search(text) for text in _texts(build, build.chain(stage))):
            continue
        named = f"`{image or 'scratch'}`"
        if library == "musl":
            yield from _packages(build, given, stage, named)
        for index in stage.indexes:
            yield from _copied(build, given, index, library, named)


def _runs_programs(build: Build, stage: Stage) -> bool:
    """Whether a stage is an image, or has a RUN: what others only copy from, as an assembly stage, runs nothing."""
    stages = (stage, *build.children(stage))
    return build.is_shipped(stage) or any(build.instructions[i].name == "RUN" for one in stages for i in one.indexes)


def _library(build: Build, stage: Stage, image: str | None) -> str:
    """The C library of a stage: `glibc`, `musl`, `none`, or "" where it is not known."""
    if build.chain(stage)[-1].base.kind == "scratch":
        # A root that is unpacked into it may hold any.
        return (
            "none"
            if not any(build.instructions[index].name == "ADD" for one in build.chain(stage) for index in one.indexes)
            else ""
        )
    if image is None:
        return ""
    if bases.repository_of(image)[0].startswith("gcr.io/distroless/static"):
        return "none"
    known = bases.facts(image)
    if known is None or known.distribution is None:
        return ""
    return {"alpine": "musl", "debian": "glibc", "redhat": "glibc", "suse": "glibc", "arch": "glibc"}.get(
        known.distribution, ""
    )


def _texts(build: Build, stages: list[Stage]) -> Iterator[str]:
    for stage in stages:
        for index in stage.indexes:
            instruction = build.instructions[index]
            yield instruction.logical.text
            yield from (heredoc.body.text for heredoc in instruction.heredocs)


# --------------------------------------------------------------------------------------------------------- programs


def _copied(build: Build, given: Given, index: int, library: str, named: str) -> Iterator[Finding]:
    lacks = "has musl in its place" if library == "musl" else "has no C library"
    span = build.instructions[index].text_span
    for origin, sources in _origins(build, index):
        image = rebase.default_image(build, build.chain(origin)[-1])
        if image is None or _library(build, origin, image) != "glibc":
            continue
        for program in _programs(build, given, origin, bases.repository_of(image)[0]):
            if any(_brings(source, program.path) for source in sources):
                place = program.run.span(program.simple.start, program.simple.end)
                fix = _without_c(build, origin, program) if program.cures else None
                message = (
                    f"`{program.label}` links against glibc{program.when}, and {named} {lacks} -> {program.advice}"
                )
                yield Finding(place, message, fix, None, (Related(span, "the program goes there"),))
        if library == "musl" and any(_MODULES.search(source) for source in sources):
            yield from _modules(build, given, origin, span, named)


def _origins(build: Build, index: int) -> Iterator[tuple[Stage, list[str]]]:
    """The stages that a COPY takes paths from, with these paths; of a stage that only holds copies, those that they come from."""
    copy = build.copy(index)
    if copy is None or copy.origin is None or copy.origin.stage is None or copy.sources is None:
        return
    origin = build.stages[copy.origin.stage]
    sources = [posixpath.normpath(posixpath.join("/", source)) for source in copy.sources]
    if _runs_programs(build, origin) or build.chain(origin)[-1].base.kind != "scratch":
        yield origin, sources
        return
    for one in build.chain(origin):
        for inner in one.indexes:
            held = build.copy(inner) if build.instructions[inner].name == "COPY" else None
            target = held.destination.rstrip("/") if held is not None and held.destination is not None else None
            if target is not None and any(_overlap(target or "/", source) for source in sources):
                yield from _origins(build, inner)


def _overlap(one: str, other: str) -> bool:
    return (one.rstrip("/") + "/").startswith(other.rstrip("/") + "/") or (other.rstrip("/") + "/").startswith(
        one.rstrip("/") + "/"
    )


def _brings(source: str, path: str) -> bool:
    """Whether a copied path is what a command makes, or a folder above it; of a folder that it makes something in, only what lies
    directly there."""
    if path.endswith("/"):
        return posixpath.dirname(source) == path.rstrip("/") and not layers.is_file_name(posixpath.basename(source))
    return source == path or (source != "/" and path.startswith(source.rstrip("/") + "/")) or source == "/"


def _programs(build: Build, given: Given, stage: Stage, repository: str) -> Iterator[_Program]:
    chain = build.chain(stage)
    if any(_STATIC.search(text) for text in _texts(build, chain)):
        return
    for one in reversed(chain):
        for index in one.indexes:
            run = build.run(index)
            if run is None or run.script.opaque is not None:
                continue
            folder = build.state(index).workdir
            for command in run.commands:
                if command.name == "cd":
                    folder = (
                        layers.path_of(command.simple.words[1], build.state(index), folder)
                        if len(command.simple.words) == 2
                        else None
                    )
                if folder is None:
                    continue
                if command.use is not None and command.use.manager.name == "go" and repository == "golang":
                    yield from _go(build, index, run, command.use, folder)
                elif (
                    command.use is not None
                    and command.use.manager.name == "cargo"
                    and repository in ("rust", "lukemathwalker/cargo-chef")
                ):
                    yield from _cargo(build, index, run, command.use, folder)
                elif posixpath.basename(command.name or "") in ("gcc", "g++", "cc", "c++", "clang", "clang++"):
                    yield from _c(build, index, run, command, folder)


_PLAIN_IMAGES = "or ship an image with glibc"


def _go(build: Build, index: int, run: Run, use: Use, folder: str) -> Iterator[_Program]:
    if use.verb not in ("build", "install"):
        return
    own = dict(use.environment)
    is_set, value = (True, own["CGO_ENABLED"]) if "CGO_ENABLED" in own else build.state(index).lookup("CGO_ENABLED")
    chosen = any(
        "CGO_ENABLED" in text
        for stage in build.chain(build.stages[build.stage_of[index] or 0])
        for text in _texts(build, [stage])
    )
    if (is_set and value != "1") or (chosen and not is_set):
        return
    output = use.value_of("-o")
    if use.verb == "install":
        path = "/go/bin/"
    elif output is not None:
        path = posixpath.normpath(posixpath.join(folder, output)) + ("/" if output.endswith("/") else "")
    elif use.has("-o"):
        return
    else:
        path = folder.rstrip("/") + "/"
    label = f"go {use.verb}"
    if is_set:
        yield _Program(
            index,
            run,
            use.command,
            label,
            path,
            "",
            f"`CGO_ENABLED=0`, build in an image of Alpine, {_PLAIN_IMAGES}",
            False,
        )
    else:
        when = " where the program uses `net`, `os/user` or other packages with C"
        yield _Program(
            index, run, use.command, label, path, when, "`CGO_ENABLED=0`", not use.prefix and not use.uncertain
        )


def _without_c(build: Build, stage: Stage, program: _Program) -> Fix:
    simple = program.simple
    place = program.run.span(simple.start, simple.start).start
    return Fix(
        "build without C, by `CGO_ENABLED=0`",
        (Edit(Span(place, place), "CGO_ENABLED=0 "),),
        False,
        "to agree: the program is static, and packages that need C (a driver for SQLite, for instance) are missing",
        (AddsWord(program.instruction, simple.start, ("CGO_ENABLED=0",)), *_changes(build, stage, program)),
    )


def _changes(build: Build, stage: Stage, program: _Program) -> Iterator[Changes]:
    """The program where it is made, and wherever it is copied to."""
    made = program.path + "*" if program.path.endswith("/") else program.path
    for one in (stage, *build.children(stage)):
        yield Changes((made,), one.index)
    for reference in build.users(stage):
        copy, owner = build.copy(reference.instruction), build.stage(reference.instruction)
        if copy is None or owner is None or copy.sources is None or copy.destination is None:
            continue
        target = copy.destination.rstrip("/")
        paths = []
        for source in (posixpath.normpath(posixpath.join("/", one)) for one in copy.sources):
            if not _brings(source, program.path):
                continue
            if source == program.path or program.path.endswith("/"):
                # The destination is the file, or the folder that it goes to.
                folder = copy.destination.endswith("/") or len(copy.sources) > 1
                paths += [*([] if folder else [target]), f"{target}/{posixpath.basename(source)}"]
            else:
                paths.append(f"{target}/{posixpath.relpath(program.path, source)}")
        for path in paths:
            yield from _changes(build, owner, program._replace(path=path))


def _cargo(build: Build, index: int, run: Run, use: Use, folder: str) -> Iterator[_Program]:
    if use.verb not in ("build", "install") or use.has("--target"):
        return
    if any(
        "CARGO_BUILD_TARGET" in text or ".cargo/config" in text
        for text in _texts(build, build.chain(build.stages[build.stage_of[index] or 0]))
    ):
        return
    root = use.value_of("--root")
    profile = "release" if use.has("--release") else use.value_of("--profile") or "debug"
    path = (
        posixpath.join(root or "/usr/local/cargo", "bin/")
        if use.verb == "install"
        else posixpath.join(folder, "target", profile, "")
    )
    advice = f"build for a target of musl or in an image of Alpine, {_PLAIN_IMAGES}"
    yield _Program(index, run, use.command, f"cargo {use.verb}", path, "", advice, False)


def _c(build: Build, index: int, run: Run, command: Command, folder: str) -> Iterator[_Program]:
    words = [word.value for word in command.simple.words]
    if "-o" not in words[:-1] or set(words) & {"-c", "-S", "-E", "-shared"} or None in words:
        return
    output = words[words.index("-o") + 1] or ""
    path = posixpath.normpath(posixpath.join(folder, output))
    if path.endswith((".o", ".so", ".a")):
        return
    name = posixpath.basename(words[0] or "")
    yield _Program(
        index,
        run,
        command.simple,
        f"{name} -o {output}",
        path,
        "",
        f"`-static`, build in an image of Alpine, {_PLAIN_IMAGES}",
        False,
    )


# --------------------------------------------------------------------------------------------------------- packages


def _packages(build: Build, given: Given, stage: Stage, named: str) -> Iterator[Finding]:
    for index in stage.indexes:
        run = build.run(index)
        for use in run.uses if run is not None and run.script.opaque is None else ():
            if use.action != "install" or use.manager.family != "pip":
                continue
            for text, name in needs.requirements(build, given, index, use):
                if name is not None and re.sub(r"[-_.]+", "-", name).lower() in _NOT_FOR_MUSL and run is not None:
                    word = next((word for word in use.operands if word.text == text), use.command.words[use.verb_index])
                    message = f"`{text}` has no wheels for the musl of {named} -> an image with glibc (`slim`)"
                    yield Finding(run.span(word.start, word.end), message)
                    break


def _modules(build: Build, given: Given, stage: Stage, span: Span, named: str) -> Iterator[Finding]:
    """Native modules that are installed for glibc and copied to where musl is; they are seen by a lock file in the context."""
    for one in build.chain(stage):
        for index in one.indexes:
            run = build.run(index)
            for use in run.uses if run is not None and run.script.opaque is None else ():
                if use.action != "install" or use.manager.name != "npm" or run is None:
                    continue
                why = needs.native_modules(build, given, index, use)
                if why.startswith("runs a script of"):
                    what = why.removeprefix("runs a script of ")
                    message = f"{what} may be built for glibc where it is installed, and {named} has musl in its place -> install on the same distribution"
                    place = run.span(use.command.start, use.command.end)
                    yield Finding(span, message, None, None, (Related(place, "it is installed here"),))
                    return
