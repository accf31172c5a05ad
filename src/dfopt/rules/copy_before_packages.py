"""Files of the project are copied before packages are installed that do not need them."""

import re
from collections.abc import Iterator

from dfopt import layers, rewrite
from dfopt.build import Build, Stage, once
from dfopt.packages import Use
from dfopt.rule import Finding, Fix, Given, Moves, Related, Saving
from dfopt.startup import pattern

# Where packages of a distribution put their files (Filesystem Hierarchy Standard 3.0), so that a COPY there may meet one.
_SYSTEM = pattern(r"/(?:bin|boot|dev|etc|lib(?:32|64|x32)?|proc|root|run|sbin|sys|tmp|usr|var)(?:/|$)")
# Below these no package of a distribution puts anything, though they are its own: by custom the place of projects.
_PROJECTS = pattern(r"/usr/(?:src/)?app(?:/|$)")
# Where package managers of languages put theirs, wherever that is.
_PACKAGES = pattern(
    r"/(?:site-packages|dist-packages|node_modules|gems|vendor|(?:ana|mini|micro)?conda3?|venv|\.venv)(?:/|$)"
)
# Where other packages may put a folder of their own name.
_SHARED = pattern(r"/(?:opt|srv|home)(?:/|$)")


# These change the number of a user or a group that is there.
_RENUMBERING = ("usermod", "groupmod", "userdel", "groupdel", "deluser", "delgroup")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        # COPYs that follow each other go together. The last such group goes first, so that their order stays.
        groups: list[list[int]] = []
        for index in stage.indexes:
            if _movable(build, index):
                if groups and groups[-1][-1] == index - 1:
                    groups[-1].append(index)
                else:
                    groups.append([index])
            installs = _installs(build, index)
            if not installs:
                continue
            stuck = False
            for group in reversed(groups):
                going = [copied for copied in group if _passes(build, copied, index)]
                if going:
                    yield _finding(build, going, index, installs[0], stuck)
                    stuck = True
            # What did not pass this RUN passes none behind it.
            groups = []


def _movable(build: Build, index: int) -> bool:
    """Whether an instruction copies what changes with the project to a known place that packages leave alone."""
    copy = build.copy(index) if build.instructions[index].name in ("COPY", "ADD") else None
    if copy is None or copy.sources is None or copy.destination is None:
        return False
    if copy.origin is not None and (copy.origin.stage is None or not _changes(build, build.stages[copy.origin.stage])):
        return False
    if any("://" in source or source.startswith("git@") for source in copy.sources):
        return False
    place = copy.destination
    if _PACKAGES.search(place):
        return False
    return bool(_PROJECTS.match(place)) or (place != "/" and not _SYSTEM.match(place))


@once
def _changes(build: Build, stage: Stage) -> bool:
    """Whether a stage holds files of the build context, or of a stage that does."""
    for index in stage.indexes:
        copy = build.copy(index) if build.instructions[index].name in ("COPY", "ADD") else None
        if copy is not None and copy.origin is None and copy.sources:
            return True
    return any(_changes(build, build.stages[one]) for one in stage.needs if one < stage.index)


def _installs(build: Build, index: int) -> list[Use]:
    """The installs of a RUN by name, which read nothing of the project."""
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    return [
        use
        for use in (run.uses if run is not None else ())
        if use.action == "install" and not use.reads_project and not use.uncertain and use.operands
    ]


def _passes(build: Build, copied: int, index: int) -> bool:
    """Whether no step up to the RUN `index` works with what a COPY brings, nor where it brings it; other COPYs that go as well aside."""
    copy = build.copy(copied)
    assert copy is not None and copy.destination is not None, "a COPY that moves is known"
    folder = copy.destination.rstrip("/")
    return not any(
        layers.touches(build, between, (folder, folder + "/*")) is not None
        for between in range(copied + 1, index + 1)
        if not (build.instructions[between].name in ("COPY", "ADD") and _movable(build, between))
    )


def _finding(build: Build, going: list[int], index: int, use: Use, stuck: bool) -> Finding:
    run, instruction = build.run(index), build.instructions[going[0]]
    assert run is not None, "an install stands in a RUN"
    label = f"{use.manager.name} {use.verb}".strip()
    place = run.span(use.command.start, use.command.end)
    line = build.syntax.source.line_of(place.start)
    written = f"`{' '.join((instruction.name, *(flag.text for flag in instruction.flags), *instruction.arguments))}`"
    more = f" and {len(going) - 1} more come" if len(going) > 1 else " comes"
    message = (
        f"{written}{more} before `{label}`, which does not need it: every changed file installs the packages anew"
        f" -> copy behind line {line}"
    )
    related = (Related(place, f"`{label}` runs again after every change"),)
    saves = Saving(f"`{label}` in every rebuild that changes one of these files", source="")
    refusal = "the COPY behind it goes first" if stuck else ""
    if going != list(range(going[0], going[-1] + 1)):
        refusal = "a COPY among them that the install may need stands in the way"
    refusal = next(filter(None, (_why_not(build, copied, index) for copied in going)), "") or refusal
    if refusal:
        return Finding(instruction.text_span, message, None, saves, related, refusal)
    places = [copy.destination for copied in going if (copy := build.copy(copied)) is not None and copy.destination]
    shared = list(dict.fromkeys(f"`{place.rstrip('/')}`" for place in places if _SHARED.match(place)))
    doubt = f"no package brings files into {' or '.join(shared)}" if shared else ""
    fix = Fix(
        f"move {f'the {instruction.name}' if len(going) == 1 else f'{len(going)} steps'} behind line {line}",
        rewrite.move_behind(build, going[0], going[-1], index),
        not doubt,
        f"to agree: {doubt}" if doubt else "no step between reads or writes what it copies, nor where it copies to",
        tuple(Moves(copied, index) for copied in reversed(going)),
    )
    return Finding(instruction.text_span, message, fix, saves, related)


def _why_not(build: Build, copied: int, index: int) -> str:
    instruction = build.instructions[copied]
    written = instruction.arguments[-1]
    if instruction.heredocs:
        return "it holds a heredoc"
    if any("$" in text for text in (*instruction.arguments, *(flag.text for flag in instruction.flags))):
        for between in range(copied + 1, index):
            if build.instructions[between].name in ("ARG", "ENV"):
                line = build.syntax.source.line_of(build.instructions[between].keyword_span.start)
                return f"`{build.instructions[between].name}` on line {line} may change its variables"
    if any(flag.name == "chown" and not re.fullmatch(r"[0-9:]+", flag.value or "") for flag in instruction.flags):
        for between in range(copied + 1, index + 1):
            run = build.run(between)
            for command in run.commands if run is not None else ():
                if command.name in _RENUMBERING:
                    return f"`{command.name}` may change whom the files belong to"
    if build.absolute(build.expand(written, copied), index) != build.absolute(build.expand(written, copied), copied):
        return f"behind the WORKDIR that follows, `{written}` is another folder"
    if not build.syntax.source.text[: build.instructions[copied].span.end].endswith("\n"):
        return "the file ends there"
    return ""
