"""An argument that is another one in every build stands above installs that do not read it, so that each build makes them anew."""

import re
from collections.abc import Iterator

from dfopt import caches, packages, rewrite
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import Finding, Fix, Given, Moves, Related, Saving
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern

# Names that builds give the time, the commit or their own number to.
_CHANGING = pattern(
    r"(?:BUILD|IMAGE|CI)_?(?:DATE|TIME|TIMESTAMP|ID|NUMBER|NUM|NO|TAG|URL|VERSION|REVISION|REF|SHA|COMMIT)|(?:GIT|VCS|SCM|SOURCE|SRC|CI)_?(?:COMMIT_?)?"
    r"(?:SHA|REF|REVISION|REV|HASH|COMMIT|BRANCH|TAG|DESCRIBE|DIRTY|VERSION)|COMMIT(?:_?(?:SHA|HASH|ID|REF|DATE))?|REVISION|SHA|DATE|CREATED|TIMESTAMP|CACHE_?BUST(?:ER)?",
    re.IGNORECASE,
)
# These are versions of the program itself where no default is given, of a tool where one is.
_VERSION = pattern(r"(?:APP_|PROJECT_|RELEASE_|PACKAGE_)?(?:VERSION|RELEASE|TAG)", re.IGNORECASE)

# Installs whose packages may run scripts: that one of them reads such a variable is the author's to rule out.
_PROJECT = frozenset(
    (
        "pip",
        "uv",
        "poetry",
        "pipenv",
        "npm",
        "yarn",
        "pnpm",
        "bun",
        "gem",
        "bundler",
        "composer",
        "conda",
        "go",
        "nuget",
    )
)


class _Group(NamedTuple):
    """An ARG with the ENV and LABEL that go with it, the last RUN that it can stand behind, and what is installed in front of that."""

    members: tuple[int, ...]
    target: int
    installs: tuple[tuple[Run, Use], ...]


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        for index in stage.indexes:
            instruction = build.instructions[index]
            if instruction.name != "ARG" or len(instruction.pairs) != 1:
                continue
            key, value = instruction.pairs[0]
            changing = _CHANGING.fullmatch(key.text) or (value is None and _VERSION.fullmatch(key.text))
            if changing and "$" not in (value.text if value is not None else ""):
                yield from _finding(build, stage, index, key.text)


def _finding(build: Build, stage: Stage, index: int, name: str) -> Iterator[Finding]:
    group = _group(build, stage, index, name)
    if group is None:
        return
    source = build.syntax.source
    run, use = group.installs[0]
    label = caches.label(use)
    place = run.span(use.command.start, use.command.end)
    line = source.line_of(build.instructions[group.target].keyword_span.start)
    count = len({id(one) for one, _ in group.installs})
    message = (
        f"`ARG {name}` stands above `{label}`, which does not read it: each build with another value runs it anew"
        f" -> put it behind line {line}"
    )
    saves = Saving(f"{count} RUN{'s' if count > 1 else ''} in every build that gives `{name}` another value", source="")
    related = (Related(place, "a RUN is made anew when an ARG or ENV above it has another value"),)
    because = f"to agree: no package that is installed reads `{name}`"
    edits = _edits(build, group)
    effects = tuple(Moves(member, group.target) for member in reversed(group.members))
    title = f"move {'it' if len(group.members) == 1 else 'it, with what uses it,'} behind line {line}"
    yield Finding(
        build.instructions[index].text_span, message, Fix(title, edits, False, because, effects), saves, related
    )


def _group(build: Build, stage: Stage, index: int, name: str) -> _Group | None:
    """What can move, and where to; None where nothing is won."""
    names = {name}
    members = [index]
    pending: list[int] = []
    installs: list[tuple[Run, Use]] = []
    target = 0
    taken: list[int] = []
    for at in range(index + 1, stage.last + 1):
        instruction = build.instructions[at]
        uses = any(re.search(rf"\$\{{?!?[#]?{re.escape(one)}\b", instruction.logical.text) for one in names) or any(
            one in heredoc.body.text for heredoc in instruction.heredocs for one in names
        )
        if instruction.name in ("ENV", "LABEL"):
            keys = {key.text for key, _ in instruction.pairs}
            if instruction.name == "ENV" and keys & names:
                break
            if uses:
                pending.append(at)
                names |= keys if instruction.name == "ENV" else set()
            continue
        if (
            uses
            or instruction.name in ("ONBUILD", "SHELL")
            or (instruction.name == "ARG" and any(key.text in names for key, _ in instruction.pairs))
        ):
            break
        if instruction.name == "RUN":
            found = _installs(build, at)
            if found is None or any(one in instruction.logical.text for one in names):
                break
            installs += found
            target, taken = at, [*taken, *pending]
            pending = []
    return _Group((*members, *taken), target, tuple(installs)) if target and installs else None


def _installs(build: Build, index: int) -> list[tuple[Run, Use]] | None:
    """The installs of a RUN; None where one of its commands may read any variable."""
    run = build.run(index)
    if run is None or run.script.opaque is not None or run.heredoc:
        return None
    found: list[tuple[Run, Use]] = []
    for simple, _, use in run.commands:
        if use is None:
            if not simple.words and not simple.assignments:
                continue
            if not packages.touches_only_its_words(simple):
                return None
        elif use.manager.family not in packages.SYSTEM_FAMILIES | _PROJECT or use.action not in (
            "install",
            "download",
            "update",
            "upgrade",
            "clean",
            "remove",
        ):
            return None
        elif use.action in ("install", "download", "upgrade"):
            found.append((run, use))
    return found


def _edits(build: Build, group: _Group) -> tuple[Edit, ...]:
    """The instructions with their comments, put behind the RUN in their order."""
    first = last = group.members[0]
    rest: list[int] = []
    for member in group.members[1:]:
        if member == last + 1 and not rest:
            last = member
        else:
            rest.append(member)
    dropped, put = rewrite.move_behind(build, first, last, group.target)
    text = build.syntax.source.text
    edits = [dropped]
    block = put.text
    for member in rest:
        start, end = rewrite.block_start(build, member), build.instructions[member].span.end
        edits.append(Edit(Span(start, end), ""))
        block += text[start:end]
    return (*edits, Edit(put.span, block))
