"""Alpine's package index left in a layer by `apk add` without `--no-cache`, and what that flag makes needless."""

import re
from collections.abc import Iterator
from itertools import pairwise

from dfopt import bases, caches, layers, lists, rewrite
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import AddsWord, DropsCommand, DropsWord, Effect, Finding, Fix, Given, Layers, Removes, Saving
from dfopt.source import Edit

_FOLDER = "/var/cache/apk"
_GONE = (_FOLDER + "/**",)

# These take `--no-cache` and then fetch the index themselves, into memory.
_INSTALLING = ("install", "upgrade")
_UPDATING = ("--update", "--update-cache")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage) or _is_old(build, stage):
            continue
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            uses = [use for use in run.uses if use.manager.name == "apk"] if run is not None else []
            if (
                run is not None
                and uses
                and not layers.mounted(build, index, _FOLDER)
                and not layers.mounted(build, index, "/etc/apk/cache")
            ):
                yield from _run(build, stage, index, run, uses)
            if run is not None:
                yield from _needless(build, stage, index, run)


def _needless(build: Build, stage: Stage, index: int, run: Run) -> Iterator[Finding]:
    """Deletions of an index that nothing can have written: Alpine's image has none, and `--no-cache` keeps none."""
    for cleaning in layers.cleaned(build, index):
        words = tuple(word.value or word.glob or "" for word in cleaning.simple.words)
        forced = words[0] != "rm" or any(word.startswith("-") and "f" in word for word in words)
        inside = all(map(_lies_in_folder, cleaning.paths))
        if (
            not inside
            or not forced
            or not cleaning.exact
            or cleaning.command is None
            or _may_be_filled(build, stage, index, cleaning)
        ):
            continue
        name = " ".join(word.text for word in cleaning.simple.words)
        fix, refusal = None, ""
        dropped = rewrite.drop_command(build, index, cleaning.command)
        if dropped is None:
            refusal = "it cannot be taken out without a change of when the other commands run, or how the RUN ends"
        elif dropped.comments:
            refusal = "a comment speaks of it"
        else:
            alone = len(run.script.steps) == 1
            effects: tuple[Effect, ...] = (
                DropsCommand(index, cleaning.command),
                *((Layers(stage.index, -1),) if alone else ()),
            )
            fix = Fix(f"drop `{name}`", dropped.edits, True, "nothing before can have written there", effects)
        saves = Saving("a layer" if len(run.script.steps) == 1 else "a command that does nothing", source="")
        message = f"`{name}` deletes nothing: `--no-cache` keeps no index -> drop it"
        yield Finding(run.span(cleaning.simple.start, cleaning.simple.end), message, fix, saves, (), refusal)


def _lies_in_folder(path: str) -> bool:
    """Whether a path that is deleted is of the index alone. Who deletes the folder itself takes a folder of the base image away, and may
    make it anew (`rm -rf /var/cache/apk && mkdir /var/cache/apk`), which fails where it is still there."""
    return path.startswith(_FOLDER + "/")


def _may_be_filled(build: Build, stage: Stage, index: int, cleaning: layers.Cleaning) -> bool:
    """Whether anything before a clean-up may have put a file where apk keeps its index."""
    base = build.state(index).base
    if base is None or base.distribution != "alpine":
        return True
    chain = build.chain(stage)
    used = False
    for one in chain:
        for other in one.indexes:
            if one is stage and other > index:
                break
            before = cleaning.simple.start if other == index else None
            if layers.mounted(build, other, _FOLDER) or layers.touches(
                build, other, (_FOLDER + "/*",), before, ("apk",)
            ):
                return True
            run = build.run(other) if build.instructions[other].name == "RUN" else None
            for use in run.uses if run is not None else ():
                if use.manager.name == "apk" and (before is None or use.command.start < before):
                    used = used or use.action in _INSTALLING
                    if not use.no_cache and use.action not in ("remove", "query", "clean"):
                        return True
    return not used


def _is_old(build: Build, stage: Stage) -> bool:
    """Whether the base is an Alpine before 3.3, whose apk does not know the flag (its release notes)."""
    while stage.base.stage is not None:
        stage = build.stages[stage.base.stage]
    repository, tag = bases.repository_of(stage.image or "")
    version = re.match(r"(\d+)\.(\d+)", tag) if repository.endswith("alpine") else re.search(r"alpine(\d+)\.(\d+)", tag)
    return version is not None and (int(version[1]), int(version[2])) < (3, 3)


def _run(build: Build, stage: Stage, index: int, run: Run, uses: list[Use]) -> Iterator[Finding]:
    adding = [
        use
        for use in uses
        if use.action in _INSTALLING and not use.no_cache and not use.has("--cache-dir", "--no-network", "--root")
    ]
    updates = [use for use in uses if use.action == "update" and not use.no_cache]
    saves = Saving("the package index of Alpine")
    if not adding:
        # What only updates: the index is for a later RUN, or for nobody.
        if updates:
            fix, refusal = _tidied(build, stage, index, run, uses, [], updates)
            if fix is not None or refusal:
                yield Finding(
                    caches.span_of(run, updates[0]),
                    "nothing installs from the index of `apk update` -> drop it",
                    fix, saves, (), refusal,
                )  # fmt: skip
        return
    removed = [
        cleaning
        for cleaning in layers.cleaned(build, index)
        if any(layers.covers(path, _FOLDER) for path in cleaning.paths)
    ]
    last = max(use.command.start for use in (*adding, *updates))
    tidy = any(cleaning.simple.start > last for cleaning in removed)
    fix, refusal = _tidied(build, stage, index, run, uses, adding, updates)
    for use in adding:
        what = "needs its clean-up by hand" if tidy else "leaves the package index in the layer"
        yield Finding(
            caches.span_of(run, use),
            f"`{caches.label(use)}` {what} -> add `--no-cache`",
            fix,
            None if tidy else saves,
            (),
            refusal,
        )


def _may_fail_unseen(build: Build, index: int, run: Run, use: Use, updates: list[Use]) -> bool:
    """Whether an install may have had no index and failed though its RUN succeeded (`apk add x; true`)."""
    if use.has("-U", *_UPDATING) or any(update.command.start < use.command.start for update in updates):
        return False
    tops = {id(step.pipeline.commands[-1]): number for number, step in enumerate(run.script.steps)}
    top = tops.get(id(use.command))
    return top is None or not rewrite.always_runs(build, index, top, True)


def _tidied(
    build: Build, stage: Stage, index: int, run: Run, uses: list[Use], adding: list[Use], updates: list[Use]
) -> tuple[Fix | None, str]:
    """`--no-cache` put in, and what it makes needless taken out where nothing else needs the index."""
    edits: list[Edit] = []
    effects: list[Effect] = []
    for use in adding:
        verb = caches.behind_verb(use)
        if verb is None:
            return None, "it is not known where the flag may stand"
        word = use.command.words[verb]
        edits.append(rewrite.add_word_behind(run, word.start, word.end, "--no-cache"))
        effects.append(AddsWord(index, word.end, ("--no-cache",)))
    needed, certain = _needed(build, stage, index, run, uses, adding)
    if needed and not updates and certain:
        return None, needed
    if not adding and needed and (certain or not any(use.action in _INSTALLING for use in uses)):
        # The update is for those who may need it.
        return None, ""
    if needed and certain and updates and adding:
        return None, f"the index that `apk update` fetches stays in the layer, since {needed}"
    title = "add `--no-cache`" if adding else "drop `apk update`"
    for use in adding:
        for option in use.options:
            word = use.command.words[option.index]
            if option.canonical in _UPDATING and word.text in ("-U", *_UPDATING):
                edits.append(
                    rewrite.drop_word(build, run, use.command.words[option.index - 1].end, word.start, word.end)
                )
                effects.append(DropsWord(index, word.start))
    dropped = _dropped(build, stage, index, run, updates)
    if dropped is not None:
        edits += dropped[0]
        effects += dropped[1]
    elif not adding:
        return None, "it cannot be taken out without a change of when the other commands run"
    dropped_commands = {effect.command for effect in effects if isinstance(effect, DropsCommand)}
    if any(_fails_without(one) and one.command not in dropped_commands for one in layers.cleaned(build, index)):
        return None, "`rm` without `-f` fails where there is nothing to delete"
    edits.sort()
    if any(one.span.end > two.span.start for one, two in pairwise(edits)):
        return None, "what becomes needless cannot be taken out in one go"
    effects += [Removes(_GONE, image.index) for image in (stage, *build.children(stage))]
    if any(_may_fail_unseen(build, index, run, use, updates) for use in adding):
        needed = "an install that found no index failed, and the RUN went on without it; now it installs"
    safe = not needed
    because = "the flag fetches the index into memory" + (
        "" if needed else ", and nothing else needs the one in the image"
    )
    return Fix(title, tuple(edits), safe, because if safe else f"to agree: {needed}", tuple(effects)), ""


def _fails_without(cleaning: layers.Cleaning) -> bool:
    """Whether a deletion of the index fails where there is none."""
    words = cleaning.simple.words
    if (
        not any(path.startswith(_FOLDER) for path in cleaning.paths)
        or not words
        or words[0].value not in ("rm", "/bin/rm")
    ):
        return False
    return not any(re.fullmatch(r"-[a-zA-Z]*f[a-zA-Z]*|--force", word.value or "") for word in words[1:])


def _dropped(
    build: Build, stage: Stage, index: int, run: Run, updates: list[Use]
) -> tuple[list[Edit], list[Effect]] | None:
    """The commands that the flag makes needless, taken out: updates, and the deletion of what nobody writes any more."""
    edits: list[Edit] = []
    effects: list[Effect] = []
    commands: list[int] = []
    words: list[tuple[Edit, Effect]] = []
    steps = run.script.steps
    for update in updates:
        top = next(
            (
                number for number, step in enumerate(steps)
                if len(step.pipeline.commands) == 1 and step.pipeline.commands[0] is update.command and not step.pipeline.negated
            ),
            None,
        )  # fmt: skip
        if top is None or update.command.redirections or update.command.assignments:
            return None
        commands.append(top)
    if not _written_before(build, stage, index):
        for cleaning in layers.cleaned(build, index):
            inside = [path for path in cleaning.paths if _lies_in_folder(path)]
            if inside and len(inside) == len(cleaning.paths) and cleaning.exact and cleaning.command is not None:
                commands.append(cleaning.command)
            elif inside and cleaning.simple.words[0].value == "rm":
                before = cleaning.simple.words[0]
                for word in cleaning.simple.words[1:]:
                    if layers.path_of(word, build.state(index)) in inside:
                        words.append(
                            (
                                rewrite.drop_word(build, run, before.end, word.start, word.end),
                                DropsWord(index, word.start),
                            )
                        )
                    before = word
    for command in sorted(commands):
        dropped = rewrite.drop_command(build, index, command)
        if dropped is None or dropped.comments or len(commands) >= max(len(steps), 2):
            return None
        if len(steps) == 1:
            effects.append(Layers(stage.index, -1))
        edits += dropped.edits
        effects.append(DropsCommand(index, command))
    for edit, effect in words:
        edits.append(edit)
        effects.append(effect)
    return edits, effects


def _written_before(build: Build, stage: Stage, index: int) -> bool:
    """Whether an earlier layer may hold an index, so that deleting it is not needless."""
    chain = build.chain(stage)
    root = chain[-1]
    if root.facts is None or root.facts.distribution != "alpine":
        # Another image may hold one: only Alpine's own is known to have none.
        return True
    for one in chain:
        for earlier in one.indexes:
            if earlier >= index:
                break
            if build.instructions[earlier].name in ("RUN", "COPY", "ADD"):
                run = build.run(earlier) if build.instructions[earlier].name == "RUN" else None
                if run is not None and all(
                    use.no_cache or use.action in ("remove", "query") for use in run.uses if use.manager.name == "apk"
                ):
                    if layers.touches(build, earlier, _GONE, families=("apk",)) is None:
                        continue
                elif layers.touches(build, earlier, _GONE) is None:
                    continue
                return True
    return False


def _needed(build: Build, stage: Stage, index: int, run: Run, uses: list[Use], adding: list[Use]) -> tuple[str, bool]:
    """Why something else may need the index that this RUN fetches ("" where nothing does), and whether it certainly does."""
    for use in uses:
        if use not in adding and not use.no_cache and use.action not in ("update", "remove", "clean"):
            return f"`apk {use.verb}` needs the index", True
    for later in layers.later(build, index):
        if any(_fails_without(one) for one in layers.cleaned(build, later)):
            line = build.syntax.source.line_of(build.instructions[later].keyword_span.start)
            return f"`rm` without `-f` on line {line} fails where there is nothing to delete", True
    state = build.state(index)
    first = min(use.command.start for use in uses)
    doubt = ""
    cleaning = [one.simple for one in layers.cleaned(build, index)]
    for command in run.commands:
        if command.use is None and command.simple.start > first and command.simple not in cleaning:
            doubt = doubt or layers.touches_here(command, state, _GONE)
    for chain in ([*range(index + 1, stage.last + 1)], *([*child.indexes] for child in build.children(stage))):
        for later in chain:
            found = build.run(later) if build.instructions[later].name == "RUN" else None
            fetched = False
            for use in found.uses if found is not None else ():
                if use.manager.name != "apk" or use.no_cache or use.action in ("remove", "clean"):
                    continue
                if use.fetches_lists:
                    fetched = True
                    break
                return f"`apk {use.verb}` in a later RUN needs the index", True
            if fetched:
                break
            if found is not None and not doubt:
                veto = layers.touches(build, later, _GONE, families=("apk",))
                # Deleting the index needs none.
                cleans = any(layers.covers(path, _FOLDER) for one in layers.cleaned(build, later) for path in one.paths)
                doubt = f"{veto.why}, and it may need the index" if veto is not None and not cleans else ""
    for one in layers.brought(build, index) if not doubt else ():
        if one.kind == "lists" and one.use is not None and one.use.manager.family == "apk":
            doubt = doubt or lists.at_run_time(build, stage, one)
    return doubt, False
