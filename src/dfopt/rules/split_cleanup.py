"""Files deleted in a later RUN than the layer that brought them: the layer keeps them, only their names are hidden."""

from typing import Iterator

from dfopt import layers, rewrite
from dfopt.build import Build, Stage
from dfopt.layers import Brought, Cleaning
from dfopt.rule import AddsCommand, DropsCommand, Effect, Finding, Fix, Given, Layers, MergesRuns, Related, Saving

_WHAT = {"lists": "package lists", "cache": "package cache", "download": "download", "copy": "files"}


def check(build: Build, given: Given) -> Iterator[Finding]:
    left: dict[int, list[Brought]] = {}
    for stage in build.stages:
        kept = list(left.get(stage.base.stage, ())) if stage.base.stage is not None else []
        shipped = build.is_shipped(stage)
        for index in stage.indexes:
            if build.instructions[index].name == "RUN":
                for cleaning in layers.cleaned(build, index):
                    hidden = [one for one in kept if any(layers.covers(path, one.path) for path in cleaning.paths)]
                    kept = [one for one in kept if one not in hidden]
                    if shipped and hidden and not _is_own(build, index, cleaning):
                        yield _finding(build, stage, index, cleaning, hidden)
            if build.instructions[index].name in ("RUN", "COPY", "ADD"):
                new = layers.brought(build, index)
                kept = [one for one in kept if all(one.path != other.path for other in new)] + new
        left[stage.index] = kept


def _is_own(build: Build, index: int, cleaning: Cleaning) -> bool:
    """Whether a RUN cleans up after itself."""
    return any(
        one.start < cleaning.simple.start and any(layers.covers(path, one.path) for path in cleaning.paths)
        for one in layers.written(build, index)
    )


def _finding(build: Build, stage: Stage, index: int, cleaning: Cleaning, hidden: list[Brought]) -> Finding:
    run = build.run(index)
    assert run is not None, "only a RUN that is read has cleaning commands"
    source = build.syntax.source
    span = run.span(cleaning.simple.start, cleaning.simple.end)
    origin = max(hidden, key=lambda one: one.instruction)
    instruction = build.instructions[origin.instruction]
    line = source.line_of(instruction.keyword_span.start)
    command = " ".join(word.text for word in cleaning.simple.words)
    what = _WHAT[origin.kind]
    related = (Related(instruction.keyword_span, f"the layer of this {instruction.name} keeps `{origin.path}`"),)
    saves = Saving(f"the {what} that the layer of line {line} keeps")
    if origin.kind == "copy":
        advice = f"mount it for the one RUN that needs it (`RUN --mount=type=bind,source=...,target={origin.path}`)"
        if instruction.name == "ADD":
            advice = "fetch and delete it in one RUN, or unpack it with ADD in a stage of its own"
        message = f"`{command}` cannot delete what {instruction.name} brought on line {line}, its layer keeps it -> {advice}"
        return Finding(span, message, None, saves, related, "only another way of bringing the file in keeps it out of the image")
    message = f"`{command}` is too late: the layer of line {line} keeps the {what} -> delete them in the same RUN"
    if what == "download":
        message = f"`{command}` is too late: the layer of line {line} keeps the file -> fetch, use and delete it in one RUN"
    fix, refusal = _move(build, stage, index, cleaning, origin)
    if fix is None:
        fix, other = _merge(build, stage, origin.instruction, index)
        refusal = "" if fix else f"{refusal}; {other}" if other else refusal
    return Finding(span, message, fix, saves, related, refusal)


def _move(build: Build, stage: Stage, index: int, cleaning: Cleaning, origin: Brought) -> tuple[Fix | None, str]:
    """The clean-up put at the end of the RUN that it cleans, where nothing between works with what it deletes."""
    if origin.instruction < stage.first:
        return None, "it was brought in another stage, which others may use"
    if not cleaning.exact or cleaning.command is None:
        return None, "it is not known what all the command deletes, or when it runs"
    for between in range(origin.instruction + 1, index + 1):
        if build.instructions[between].name in ("USER", "SHELL"):
            return None, f"`{build.instructions[between].name}` stands between"
        veto = layers.touches(build, between, cleaning.paths, cleaning.simple.start if between == index else None)
        if veto is not None:
            return None, veto.why
    dropped = rewrite.drop_command(build, index, cleaning.command)
    if dropped is None:
        return None, "the command cannot be taken out of its RUN without a change of when the others run"
    words = tuple(word.text for word in cleaning.simple.words)
    added = rewrite.append_commands(build, origin.instruction, [rewrite.Added(" ".join(words), dropped.comments)])
    if added is None:
        return None, "nothing can be added to that RUN without a change of meaning"
    run = build.run(index)
    effects: list[Effect] = [DropsCommand(index, cleaning.command), AddsCommand(origin.instruction, None, "&&", words)]
    if run is not None and len(run.script.steps) == 1:
        effects.append(Layers(stage.index, -1))
    line = build.syntax.source.line_of(build.instructions[origin.instruction].keyword_span.start)
    return Fix(
        f"move `{' '.join(words)}` into the RUN on line {line}",
        (added, *dropped.edits),
        True,
        "the image's files stay the same: nothing between works with what it deletes",
        tuple(effects),
    ), ""


def _merge(build: Build, stage: Stage, first: int, last: int) -> tuple[Fix | None, str]:
    """All RUNs from the one that brought the files to the one that deletes them as one, where they stand together."""
    if first < stage.first:
        return None, ""
    flags = [flag.text for flag in build.instructions[first].flags]
    for index in range(first, last + 1):
        instruction = build.instructions[index]
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        if instruction.name != "RUN":
            return None, f"`{instruction.name}` on line {line} stands between"
        if [flag.text for flag in instruction.flags] != flags:
            return None, f"the RUN on line {line} has other flags"
        why = rewrite.why_not_merged(build, index)
        if why:
            return None, f"the RUN on line {line} cannot be merged: {why}"
    edits = rewrite.merge_runs(build, range(first, last + 1))
    effects: tuple[Effect, ...] = (*(MergesRuns(first, index) for index in range(first + 1, last + 1)), Layers(stage.index, first - last))
    return Fix(
        f"merge {last - first + 1} RUNs, so that what they delete never reaches a layer",
        edits,
        True,
        "the same commands run in the same order, joined by `&&`, and none leaves anything behind in the shell",
        effects,
    ), ""
