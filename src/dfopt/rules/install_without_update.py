"""An install of apt's where there are no package lists, so that it finds no package."""

from collections.abc import Iterator

from dfopt import caches, layers, lists, rewrite, shell
from dfopt.build import Build, Stage
from dfopt.lists import Reader
from dfopt.rule import AddsCommand, Effect, Finding, Fix, Given
from dfopt.source import Edit

_CLEAN = ("rm", "-rf", f"{lists.APT_LISTS}/*")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        seen: set[int] = set()
        for reader in lists.missing(build, stage):
            # One update serves all installs of a RUN.
            if reader.instruction not in seen:
                seen.add(reader.instruction)
                yield _finding(build, stage, reader)


def _finding(build: Build, stage: Stage, reader: Reader) -> Finding:
    run, use = build.run(reader.instruction), reader.use
    assert run is not None, "an install stands in a RUN that is read"
    name = caches.label(use)
    message = f"`{name}` finds no package lists here: neither the base image nor a step before it has any -> fetch them first, in the same RUN"
    fix, refusal = _fix(build, reader)
    return Finding(caches.span_of(run, use), message, fix, None, (), refusal)


def _fix(build: Build, reader: Reader) -> tuple[Fix | None, str]:
    """An update before the install and a clean-up at the end of its RUN."""
    index, use = reader.instruction, reader.use
    run = build.run(index)
    assert run is not None, "an install stands in a RUN that is read"
    prefix = ("sudo",) if use.prefix[:1] == ("sudo",) else ()
    step = lists.step_of(run, use)
    words = (*prefix, use.command.words[use.name_index].text, "update")
    placed = lists.put_before(build, index, step, " ".join(words)) if step is not None else None
    if placed is None:
        return None, "nothing can be put before the install without a change of when the other commands run"
    edits: list[Edit] = [placed[0]]
    effects: list[Effect] = [placed[1]]
    if not layers.mount_within(build, index, (lists.APT_LISTS,)) and not _is_cleaned(build, reader):
        operator = rewrite.joint(build, index)
        clean = " ".join((*prefix, *_CLEAN))
        added = rewrite.append_commands(build, index, [rewrite.Added(clean)], operator)
        if added is None:
            return None, "nothing can be added to this RUN without a change of meaning"
        edits.append(added)
        effects.append(AddsCommand(index, None, operator.replace("\n", ";"), shell.tokens(shell.read(clean))))
    because = "to agree: the build fails without it, unless all these packages are installed already"
    return Fix(f"add `{' '.join(words)}` and delete the lists", tuple(edits), False, because, tuple(effects)), ""


def _is_cleaned(build: Build, reader: Reader) -> bool:
    """Whether the RUN deletes the lists behind the install as it is."""
    return any(
        cleaning.simple.start > reader.use.command.start and cleaning.command is not None
        for cleaning in layers.cleaned(build, reader.instruction)
        if any(layers.covers(path, lists.APT_LISTS) for path in cleaning.paths)
    )
