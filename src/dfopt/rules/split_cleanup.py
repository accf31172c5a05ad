"""Files deleted in a later RUN than the layer that brought them: the layer keeps them, only their names are hidden."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import binding, caches, installed, layers, merging, policy, rewrite
from dfopt.build import Build, Command, Run, Stage, once
from dfopt.installed import Removed
from dfopt.layers import Brought, Cleaning
from dfopt.rule import AddsCommand, DropsCommand, DropsWord, Effect, Finding, Fix, Given, Layers, Related, Saving
from dfopt.source import Edit

_WHAT = {
    "lists": "package lists",
    "cache": "package cache",
    "download": "download",
    "written": "file",
    "clone": "clone",
    "history": "history of the clone",
    "unpacked": "unpacked archive",
    "copy": "files",
}


def check(build: Build, given: Given) -> Iterator[Finding]:
    yield from _files(build, given)
    for stage in build.stages:
        for removed in installed.removed(build, stage) if build.is_shipped(stage) else ():
            yield _packages(build, stage, removed)


def _packages(build: Build, stage: Stage, removed: Removed) -> Finding:
    """Packages that a RUN installs and a later one removes: between the two they are in use, so that only one RUN of all helps."""
    run, origins = build.run(removed.instruction), removed.origins
    assert run is not None, "packages are removed by a RUN that is read"
    keywords = [build.instructions[origin].keyword_span for origin in origins]
    lines = [build.syntax.source.line_of(span.start) for span in keywords]
    names = ", ".join(f"`{name}`" if name != installed.DEVELOPMENT else name for name in removed.names[:3])
    names += f" and {len(removed.names) - 3} more" if len(removed.names) > 3 else ""
    layer = (
        f"the layer of line {lines[0]} keeps"
        if len(lines) == 1
        else f"the layers of lines {', '.join(map(str, lines))} keep"
    )
    label = caches.label(removed.use)
    message = f"`{label}` is too late: {layer} {names} -> install, use and remove them in one RUN"
    related = tuple(Related(span, "they are installed here") for span in keywords)
    saves = Saving("the packages that are removed too late")
    fix, refusal = None, ""
    for origin in origins:
        fix, why = _one(build, stage, origin, removed.instruction)
        refusal = refusal or why
        if fix is not None:
            break
    return Finding(caches.span_of(run, removed.use), message, fix, saves, related, "" if fix is not None else refusal)


def _one(build: Build, stage: Stage, first: int, last: int) -> tuple[Fix | None, str]:
    """All RUNs from `first` to `last` as one, or why not."""
    if first < stage.first:
        return None, "they were installed in another stage, which others may use"
    if rewrite.merges_suppression(build, first, last):
        return None, "a comment switches a check off for an instruction that would go"
    merged = merging.merge(build, first, last)
    if merged.refusal:
        return None, merged.refusal
    agreed = merging.may_stay_running(build, first, last)
    line = build.syntax.source.line_of(build.instructions[first].keyword_span.start)
    because = f"to agree: {agreed}" if agreed else f"the image's files stay the same: {merged.because}"
    title = f"merge {last - first + 1} RUNs from line {line} on"
    return Fix(title, merged.edits, not agreed, because, (*merged.effects, Layers(stage.index, first - last))), ""


def _files(build: Build, given: Given) -> Iterator[Finding]:
    left: dict[int, list[Brought]] = {}
    for stage in build.stages:
        kept = list(left.get(stage.base.stage, ())) if stage.base.stage is not None else []
        shipped = build.is_shipped(stage)
        for index in stage.indexes:
            if build.instructions[index].name == "RUN":
                for cleaning in layers.cleaned(build, index):
                    if layers.mount_within(build, index, cleaning.paths):
                        continue
                    hidden = [one for one in kept if any(layers.covers(path, one.path) for path in cleaning.paths)]
                    kept = [one for one in kept if one not in hidden] if hidden else kept
                    hidden = _not_own(build, index, cleaning, hidden)
                    # What several layers keep takes a clean-up in each.
                    for origin in sorted({one.instruction for one in hidden}) if shipped else ():
                        yield _finding(
                            build, given, stage, index, cleaning, [one for one in hidden if one.instruction == origin]
                        )
            if build.instructions[index].name in ("RUN", "COPY", "ADD"):
                new = layers.brought(build, index)
                paths = {one.path for one in new}
                kept = [one for one in kept if one.path not in paths] + new if new else kept
        left[stage.index] = kept


def _not_own(build: Build, index: int, cleaning: Cleaning, hidden: list[Brought]) -> list[Brought]:
    """What of `hidden` the RUN did not write itself before it cleans up."""
    own = {one.path for one in layers.written(build, index) if one.start < cleaning.simple.start}
    return [one for one in hidden if one.path not in own]


def _finding(
    build: Build, given: Given, stage: Stage, index: int, cleaning: Cleaning, hidden: list[Brought]
) -> Finding:
    run = build.run(index)
    assert run is not None, "only a RUN that is read has cleaning commands"
    source = build.syntax.source
    all_of_it = cleaning
    cleaning = cleaning.part(lambda path: any(layers.covers(path, one.path) for one in hidden))
    whole = cleaning.words == cleaning.simple.words
    span = run.span(cleaning.simple.start, cleaning.simple.end)
    if not whole:
        span = run.span(cleaning.operands[0].start, cleaning.operands[-1].end)
    origin = hidden[-1]
    instruction = build.instructions[origin.instruction]
    line = source.line_of(instruction.keyword_span.start)
    command = cleaning.text if whole else " ".join(word.text for word in cleaning.operands)
    what = _WHAT[origin.kind]
    related = (Related(instruction.keyword_span, f"the layer of this {instruction.name} keeps `{origin.path}`"),)
    saves = layers.saving(build, origin, f"the {what} that the layer of line {line} keeps")
    if origin.kind == "copy":
        target = posixpath.dirname(origin.path) if "*" in origin.path else origin.path
        advice = f"mount it for the one RUN that needs it (`RUN --mount=type=bind,source=...,target={target}`)"
        if instruction.name == "ADD":
            advice = "fetch and delete it in one RUN, or unpack it with ADD in a stage of its own"
        message = f"`{command}` is too late: the layer of the {instruction.name} on line {line} keeps it -> {advice}"
        if instruction.name == "COPY" and policy.cache(build, given) != "mount":
            refusal = 'a mount needs BuildKit: set `cache = "mount"` where the file is built by it'
            return Finding(span, message, None, saves, related, refusal)
        bound, refusal = binding.mounted(build, stage, origin.instruction, index, all_of_it)
        return Finding(span, message, bound, saves, related, refusal)
    message = f"`{command}` is too late: the layer of line {line} keeps the {what} -> delete {'it' if origin.kind == 'cache' else 'them'} in the same RUN"
    if origin.kind == "written":
        message = (
            f"`{command}` is too late: the layer of line {line} keeps the file -> write, use and delete it in one RUN"
        )
    elif origin.kind in ("download", "clone", "history", "unpacked"):
        kept = "file" if origin.kind == "download" else what
        message = (
            f"`{command}` is too late: the layer of line {line} keeps the {kept} -> fetch, use and delete it in one RUN"
        )
    fix, refusal = _fix(build, stage, origin.instruction, index, cleaning)
    return Finding(span, message, fix, saves, related, refusal)


def _fix(build: Build, stage: Stage, first: int, last: int, cleaning: Cleaning) -> tuple[Fix | None, str]:
    """The clean-up in the layer that it cleans, or why there is no such fix; a safe one before one that must be agreed to."""
    if first < stage.first:
        return None, "it was brought in another stage, which others may use"
    if not cleaning.exact or cleaning.command is None:
        return None, "it is not known what all the command deletes, or when it runs"
    unsafe: Fix | None = None
    refusal = ""
    for removed in installed.removed(build, stage):
        # Packages that the same RUN removes keep all RUNs since their install together, and the clean-up with them.
        if removed.instruction == last and removed.origins[0] <= first:
            fix, _ = _one(build, stage, removed.origins[0], last)
            if fix is not None and fix.safe:
                return fix, ""
    for group in _groups(build, last, cleaning):
        fix, why = _moved(build, stage, first, last, group)
        if fix is not None and fix.safe:
            return fix, ""
        unsafe, refusal = unsafe or fix, refusal or why
    return unsafe, "" if unsafe else refusal


def _moved(build: Build, stage: Stage, first: int, last: int, group: list[Cleaning]) -> tuple[Fix | None, str]:
    """`group` moved to the end of RUN `first`; where steps between work with what it deletes, these become one RUN with the first,
    up to the last of them."""
    paths = tuple(path for one in group for path in one.paths)
    linked = _linked(build, stage, last, paths)
    if linked:
        return None, linked
    vetoes: list[layers.Veto] = []
    for between in range(first + 1, last + 1):
        if build.instructions[between].name in ("USER", "SHELL"):
            return None, f"`{build.instructions[between].name}` stands between"
        veto = layers.touches(build, between, paths, group[0].simple.start if between == last else None)
        if veto is not None:
            vetoes.append(veto)
    target, agreed = first, ""
    run = build.run(last)
    if vetoes:
        # The last step that works with the files, and all before it, become one RUN with the first.
        target = vetoes[-1].instruction
        if target == last - 1 and _is_all(build, last, group) and not merging.why_not_one(build, target, last):
            target = last
        why = merging.why_not_one(build, first, target)
        if why:
            certain = [veto for veto in vetoes if veto.certain]
            if certain:
                return None, f"{certain[-1].why}, and {why}"
            target, agreed = first, vetoes[-1].why
        elif target > first:
            agreed = merging.may_stay_running(build, first, target)
    if layers.mount_within(build, target, paths):
        return None, "what it deletes may lie in a mount of that RUN"
    if target > first and rewrite.merges_suppression(build, first, target):
        return None, "a comment switches a check off for an instruction that would go"
    edits: tuple[Edit, ...] = ()
    effects: list[Effect] = []
    merged = merging.Merge((), (), "")
    if target == last:
        merged = merging.merge(build, first, target)
    gone = target - first
    if target < last:
        commands = [one.command for one in group if one.command is not None]
        why = _why_not_moved(build, target, last, group)
        if why:
            return None, why
        part = group[-1] if group[-1].words != group[-1].simple.words else None
        gone_too = commands[:-1] if part is not None else commands
        dropped = rewrite.drop_command(build, last, gone_too[0], gone_too[-1]) if gone_too else rewrite.Dropped((), ())
        if dropped is None or run is None:
            return None, "the command cannot be taken out of its RUN without a change of when the others run"
        if rewrite.switches_off(dropped.comments):
            return None, "a comment switches a check off for an instruction that would go"
        moved = [tuple(word.text for word in one.words) for one in group]
        comments = [dropped.comments, *[()] * len(moved)]
        additions = [rewrite.Added(" ".join(words), above) for words, above in zip(moved, comments)]
        if target > first:
            merged = merging.merge(build, first, target, additions)
        else:
            operator = rewrite.joint(build, target)
            added = rewrite.append_commands(build, target, additions, operator)
            if added is None:
                return None, "nothing can be added to that RUN without a change of meaning"
            edits = (added,)
            effects += (AddsCommand(target, None, operator.replace("\n", ";"), words) for words in moved)
        edits = (*edits, *dropped.edits)
        effects += (DropsCommand(last, command) for command in gone_too)
        for word in part.operands if part is not None else ():
            before = part.simple.words[part.simple.words.index(word) - 1] if part is not None else word
            edits = (*edits, rewrite.drop_word(build, run, before.end, word.start, word.end))
            effects.append(DropsWord(last, word.start))
        gone += _is_all(build, last, group)
    if merged.refusal:
        return None, merged.refusal
    edits = (*merged.edits, *edits)
    effects += merged.effects
    if gone:
        effects.append(Layers(stage.index, -gone))
    line = build.syntax.source.line_of(build.instructions[first].keyword_span.start)
    named = " && ".join(one.text for one in group)
    titles = []
    if target > first:
        titles.append(f"merge {target - first + 1} RUNs from line {line} on")
    if target < last:
        titles.append(f"move `{named}` into {'that RUN' if titles else f'the RUN on line {line}'}")
    because = merged.because
    if target < last:
        because = "nothing between works with what it deletes" + (f"; {because}" if target > first else "")
    because = f"to agree: {agreed}" if agreed else f"the image's files stay the same: {because}"
    return Fix(" and ".join(titles), edits, not agreed, because, tuple(effects)), ""


def _why_not_moved(build: Build, target: int, last: int, group: list[Cleaning]) -> str:
    """Why the clean-ups of RUN `last` would delete something else, or at other times, at the end of RUN `target`; "" where not."""
    for one in group:
        forced = any(re.fullmatch(r"-[rRv]*f[rRfv]*|--force", word.value or "") for word in one.words)
        if one.command is None or not rewrite.always_runs(build, last, one.command, not forced):
            return "it does not run, or must not fail, whenever its RUN succeeds"
        if any("\n" in word.text for word in one.words):
            return "it goes over several lines"
        if any(not (word.value or word.glob or "/").startswith(("/", "-")) for word in one.operands):
            run = build.run(target)
            if run is None or layers.moves(run) or build.state(target).workdir != build.state(last).workdir:
                return "it names files in a folder that is not that RUN's"
        if one.words[0].value == "rm" and all(word.value is not None or word.glob is not None for word in one.words):
            continue
        # What it deletes hangs on variables.
        for between in range(target + 1, last):
            if build.instructions[between].name in ("ENV", "ARG"):
                line = build.syntax.source.line_of(build.instructions[between].keyword_span.start)
                return f"`{build.instructions[between].name}` on line {line} may move what it deletes"
        run = build.run(target)
        if run is None or "HOME" in run.script.text:
            return "that RUN may have another home folder"
    return ""


def _linked(build: Build, stage: Stage, last: int, paths: tuple[str, ...]) -> str:
    """Where a link to something above one of `paths` is made, so that commands may name it otherwise; "" where none is."""
    for index, run, command in _links(build, stage):
        for word in command.simple.words[1:] if index <= last else ():
            path = layers.path_of(word, build.state(index))
            if path is not None and any(layers.overlaps(path, other) for other in paths):
                line = build.syntax.source.line_of(run.span(word.start, word.end).start)
                return f"`{command.name}` on line {line} gives it another name"
    return ""


@once
def _links(build: Build, stage: Stage) -> tuple[tuple[int, Run, Command], ...]:
    """The commands of a stage that give something another name."""
    return tuple(
        (index, run, command)
        for index in stage.indexes
        if (run := build.run(index)) is not None
        for command in run.commands
        if command.name in ("ln", "/bin/ln", "mount")
    )


def _groups(build: Build, index: int, cleaning: Cleaning) -> Iterator[list[Cleaning]]:
    """All clean-ups of a RUN that does nothing else; a clean-up alone, then with one more each of those directly before it in its RUN: one may write what the next deletes
    (`apt-get clean` makes files below /var/lib/apt/lists), so that they can only move together."""
    found = {one.command: one for one in layers.cleaned(build, index) if one.command is not None and one.exact}
    everything = list(found.values())
    if len(everything) > 1 and _is_all(build, index, everything):
        # What does nothing but clean up moves as a whole where it can, so that no part stays behind idle.
        yield everything
    group = [cleaning]
    yield group
    while group[0].command is not None and (before := found.get(group[0].command - 1)) is not None:
        group = [before, *group]
        yield group


def _is_all(build: Build, index: int, group: list[Cleaning]) -> bool:
    """Whether a group is all that its RUN does."""
    run = build.run(index)
    return run is not None and len(run.script.steps) == len(group) and group[-1].words == group[-1].simple.words
