"""Compilers, headers and build tools that an image keeps though only its own build needed them."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, caches, packages, projects, rewrite, sizes
from dfopt.build import Build, Command, Run, Stage
from dfopt.packages import Use
from dfopt.rule import AddsCommand, DropsWord, Effect, Finding, Fix, Given, PackagesRemoved, Related, Saving
from dfopt.shell import Simple, Word
from dfopt.source import Edit
from dfopt.startup import NamedTuple, pattern

# Compilers and build tools over the distributions.
_TOOLS = pattern(
    r"build-essential|build-base|alpine-sdk|base-devel|(?:gcc|g\+\+|clang|cpp)(?:-[0-9.]+)?|gcc-c\+\+|make|cmake|automake|autoconf|autoconf2\.\d+"
    r"|ninja-build|ninja|meson|bison|flex|nasm|yasm|\$PHPIZE_DEPS"
)
_HEADERS = pattern(r"[a-z0-9.+-]+-(?:dev|devel|headers)|linux-headers[a-z0-9.-]*|libc6?-dev")

# Alpine's packages of which a program that was built with them needs nothing when it runs. The libraries that other `-dev`
# packages bring would go with them.
_LEAVES_NOTHING = frozenset(
    "gcc make cmake automake autoconf ninja ninja-build meson bison flex nasm yasm musl-dev libc-dev linux-headers python3-dev pkgconf"
    " pkgconfig patch file m4 re2c dpkg-dev dpkg libtool".split()
)
# Those whose C++ library is needed where nothing else keeps it (Node's images have it).
_WITH_LIBRARY = frozenset(("g++", "build-base", "alpine-sdk"))

_COMPILERS = frozenset(
    "gcc g++ cc c++ clang clang++ make gmake cmake ninja meson configure autoreconf phpize pecl docker-php-ext-install".split()
)
# Python packages that compile code when they run, and programs that do.
_AT_RUN_TIME = pattern(
    r"\b(?:(?:py)?torch|triton|vllm|deepspeed|flash[-_]attn|xformers|sglang|jupyter\w*|notebook|numba|cupy|pycuda|cffi-jit|nvcc|cuda-nvcc)\b",
    re.IGNORECASE,
)
# Official images with a compiler and the usual headers in all tags but those of their small variants.
_WITH_COMPILER = frozenset(
    ("python", "pypy", "node", "ruby", "perl", "gcc", "buildpack-deps", "golang", "rust", "haskell", "erlang", "elixir")
)

_GROUP = ".build-deps"


class _Kept(NamedTuple):
    """An install whose packages stay: those that only a build needs, by name, the tools first."""

    instruction: int
    run: Run
    use: Use
    names: tuple[str, ...]


def check(build: Build, given: Given) -> Iterator[Finding]:
    stage = build.final
    if stage is None or not projects.serves(build, stage) or _has_compiler(build, stage):
        return
    chain = build.chain(stage)
    removals = [
        (index, use)
        for one in chain
        for index in one.indexes
        for use in _uses(build, index)
        if use.action == "remove" and use.manager.family in packages.SYSTEM_FAMILIES
    ]
    kept = [found for one in reversed(chain) for index in one.indexes for found in _kept(build, index, removals)]
    tools = [found for found in kept if any(_TOOLS.fullmatch(name) for name in found.names)]
    if not tools or _compiles_later(build, stage, chain):
        return
    builds = [found for one in reversed(chain) for index in one.indexes for found in _builds(build, index)]
    built = next((found for found in builds if found[0] >= tools[0].instruction), None)
    if built is None:
        return
    first = tools[0]
    related = [Related(built[1].span(built[2].start, built[2].end), "they are needed here")]
    for other in kept:
        if other is not first:
            words = other.use.operands
            related.append(
                Related(other.run.span(words[0].start, words[-1].end), f"{_list(other.names)} stays as well")
            )
    fix, refusal = (
        _fix(build, stage, first, builds) if len(kept) == 1 else (None, "several RUNs install what only a build needs")
    )
    span = next(
        first.run.span(word.start, word.end)
        for word in first.use.operands
        if (word.value or "").partition("=")[0] == first.names[0]
    )
    message = f"{_list(first.names)} {'is' if len(first.names) == 1 else 'are'} needed to build only, and stay in the image -> {_advice(first.use)}"
    if len(first.names) == 1:
        message = message.replace("and stay ", "and stays ", 1)
    others = tuple(
        word.value or ""
        for one in chain
        for index in one.indexes
        for use in _uses(build, index)
        if use.action == "install" and use.manager.family == first.use.manager.family
        for word in use.operands
        if (word.value or "").partition("=")[0] not in first.names
    )
    figure = sizes.packages(first.use.manager.family, build.state(first.instruction).base, first.names, others)
    saves = Saving("compilers, headers and build tools", *figure)
    yield Finding(span, message, fix, saves, tuple(related), refusal)


def _advice(use: Use) -> str:
    how = {
        "apk": f"remove them in the same RUN (`--virtual {_GROUP}` and `apk del {_GROUP}`)",
        "apt": "remove them in the same RUN (`apt-get purge --auto-remove`)",
    }.get(use.manager.family, f"remove them in the same RUN (`{use.manager.name} remove`)")
    return f"build in a stage of its own, or {how}"


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _has_compiler(build: Build, stage: Stage) -> bool:
    """Whether the base image has a compiler anyway, or is there to compile."""
    bottom = build.chain(stage)[-1]
    repository, tag = bases.repository_of(bottom.reference)
    if "devel" in tag or "sdk" in tag or "sdk" in repository.split("/")[-1]:
        return True
    small = "slim" in tag or "alpine" in tag
    return (repository in _WITH_COMPILER and not small) or (repository == "php" and "alpine" not in tag)


def _kept(build: Build, index: int, removals: list[tuple[int, Use]]) -> Iterator[_Kept]:
    """The installs of a RUN whose build packages no command of the RUN, and no later one, removes."""
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    if run is None:
        return
    uses = [use for use in run.uses if use.manager.family in packages.SYSTEM_FAMILIES]
    if any(use.action == "remove" for use in uses):
        return
    for use in uses:
        if use.action != "install" or use.has("--download-only", "--downloadonly", "--simulate", "--root"):
            continue
        names = tuple(
            name
            for word in use.operands
            if (name := re.split(r"[=<>~:]", word.value or "")[0])
            and (_TOOLS.fullmatch(name) or _HEADERS.fullmatch(name))
        )
        groups = {name for name in (use.value_of("--virtual"),) if name}
        if names and not any(_removes(other, groups | set(names)) for later, other in removals if later > index):
            ordered = sorted(names, key=lambda name: _TOOLS.fullmatch(name) is None)
            yield _Kept(index, run, use, tuple(ordered))


def _uses(build: Build, index: int) -> list[Use]:
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    return run.uses if run is not None else []


def _removes(use: Use, names: set[str]) -> bool:
    """Whether a removal may take one of the packages away: by name, by pattern or variable, or because nothing needs it."""
    return (
        use.verb == "autoremove"
        or use.has("--auto-remove", "--autoremove")
        or any(word.value is None or word.value.rstrip("-+") in names for word in use.operands)
    )


def _compiles_later(build: Build, stage: Stage, chain: list[Stage]) -> bool:
    """Whether the image may compile when it runs: by what it starts, or by a package that does so."""
    words = re.split(r"[\s/\"'=]+", projects.start(build, stage) or "")
    if any(word in _COMPILERS or word.startswith("compile") for word in words):
        return True
    for one in chain:
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name == "RUN" and (build.run(index) is None or _AT_RUN_TIME.search(instruction.body.text)):
                return True
            if instruction.name == "ONBUILD":
                return True
    return bool(re.search(r"jupyter|notebook|lab\b", " ".join(words)))


def _builds(build: Build, index: int) -> Iterator[tuple[int, Run, Simple]]:
    """The commands of a RUN that compile, or install what may have to be compiled."""
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    for command in run.commands if run is not None else ():
        if run is not None and _compiles(command):
            yield index, run, command.simple


def _compiles(command: Command) -> bool:
    simple, _, use = command
    if use is None:
        name = posixpath.basename(command.name or "")
        return name in _COMPILERS and not (
            name == "pecl" and len(simple.words) > 1 and simple.words[1].value != "install"
        )
    if use.action not in ("install", "download") and not (use.manager.family == "pip" and use.verb == "wheel"):
        return False
    manager = use.manager
    if manager.family == "pip":
        # pip itself and its like come as wheels.
        wanted = {re.split(r"[=<>~!\[]", word.value or "?")[0].lower() for word in use.operands}
        return (
            bool(use.manifests)
            or bool(wanted - {"pip", "setuptools", "wheel", "uv", "poetry", "pipenv"})
            or use.verb == "sync"
        )
    if manager.family in ("poetry", "pipenv", "gem"):
        return True
    return manager.name in ("npm", "yarn", "pnpm", "bun")


def _fix(build: Build, stage: Stage, kept: _Kept, builds: list[tuple[int, Run, Simple]]) -> tuple[Fix | None, str]:
    """A group of their own for the packages, removed behind what needs them, for Alpine's apk."""
    index, run, use, _ = kept
    if use.manager.name != "apk":
        return None, "which libraries what was built needs at run time is not known"
    why = _why_not(build, stage, kept, builds)
    if why:
        return None, why
    steps = run.script.steps
    places = [
        number
        for number, step in enumerate(steps)
        for found in builds
        if found[0] == index and step.pipeline.start <= found[2].start < step.pipeline.end
    ]
    adding = next(number for number, step in enumerate(steps) if step.pipeline.commands[0] is use.command)
    if not places or max(places) <= adding:
        return None, "what they are needed for is not in the same RUN"
    group = use.value_of("--virtual")
    edits: list[Edit] = []
    effects: list[Effect] = []
    words = [word for word in use.operands if _only_builds(word.value)]
    if group is None and len(words) < len(use.operands):
        group = _GROUP
        command = _second(use, words)
        edits.append(rewrite.insert_commands(build, index, adding + 1, [" ".join(command)]))
        effects.append(AddsCommand(index, adding, "&&", command))
        before = {id(word): use.command.words[place - 1] for place, word in enumerate(use.command.words)}
        for word in words:
            gap = (run.span(before[id(word)].start, before[id(word)].end).end, run.span(word.start, word.end).start)
            if "#" in build.syntax.source.text[gap[0] : gap[1]]:
                return None, f"a comment speaks of `{word.text}`"
            edits.append(rewrite.drop_word(build, run, before[id(word)].end, word.start, word.end))
            effects.append(DropsWord(index, word.start))
    elif group is None:
        group = _GROUP
        grouped = caches.with_flag(run, index, use, "--virtual", group)
        if grouped is None:
            return None, caches.NO_PLACE
        edits.append(grouped[0])
        effects.append(grouped[1])
    removal = f"apk del {group}"
    if max(places) + 1 < len(steps):
        edits.append(rewrite.insert_commands(build, index, max(places) + 1, [removal]))
    else:
        added = rewrite.append_commands(build, index, [rewrite.Added(removal)])
        if added is None:
            return None, "nothing can be added to the end of the RUN"
        edits.append(added)
    effects.append(AddsCommand(index, max(places), "&&", ("apk", "del", group)))
    effects += (PackagesRemoved(image.index, "packages that only the build needs") for image in (stage,))
    because = "to agree: nothing that was built needs them, or what they alone depend on, when it runs"
    return Fix(f"remove them with `{removal}` in the same RUN", tuple(edits), False, because, tuple(effects)), ""


def _second(use: Use, words: list[Word]) -> tuple[str, ...]:
    """An `apk add` of its own for the packages `words`, with the options of the first."""
    operands = {id(word) for word in use.operands}
    options = [word.text for word in use.command.words if id(word) not in operands]
    return (
        *options,
        "--virtual",
        _GROUP,
        *(word.text for word in use.command.words if any(word is one for one in words)),
    )


def _only_builds(value: str | None) -> bool:
    name = re.split(r"[=<>~]", value or "")[0]
    return name in _LEAVES_NOTHING or name in _WITH_LIBRARY


def _why_not(build: Build, stage: Stage, kept: _Kept, builds: list[tuple[int, Run, Simple]]) -> str:
    """Why the packages cannot go in the RUN that brings them; "" where they can."""
    index, run, use, names = kept
    if build.stage(index) is not stage or build.children(stage):
        return "another stage stands on the one that brings them"
    if use.uncertain or use.prefix or any(word.value is None for word in use.operands):
        return "not all packages are known"
    other = next((name for name in names if not _only_builds(name)), "")
    if other:
        return f"what is built may need the library that `{other}` brings: name that library, and let the rest go"
    present = {
        word.value
        for found in build.chain(stage)
        for place in found.indexes
        for one in _uses(build, place)
        for word in one.operands
    }
    base = build.state(index).base
    library = next((name for name in names if name in _WITH_LIBRARY), "")
    if library and "libstdc++" not in present and (base is None or base.repository != "node"):
        return f"what is built may need the `libstdc++` that `{library}` brings: name that package too"
    if any(found[0] > index for found in builds):
        return "a later RUN builds with them"
    if any(step.operator not in ("", "&&") for step in run.script.steps) or run.script.terminator not in ("", "\n"):
        return "the commands of the RUN are not all joined by `&&`"
    if all(
        step.pipeline.commands[0] is not use.command or len(step.pipeline.commands) > 1 for step in run.script.steps
    ):
        return "the install is part of another command"
    if use.value_of("--virtual") is None:
        text = build.syntax.source.text
        if f"{_GROUP} " in text or f"{_GROUP}\n" in text:
            return f"the name `{_GROUP}` is in use"
    elif any(not _only_builds(word.value) for word in use.operands):
        return "the group holds other packages too"
    return ""
