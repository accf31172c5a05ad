"""Installs that leave the downloads of their package manager in a layer of the image, where a flag keeps them out."""

from collections.abc import Iterator

from dfopt import caches, layers, policy, rewrite
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import AddsWord, Effect, Finding, Fix, Given, Removes, Saving


def check(build: Build, given: Given) -> Iterator[Finding]:
    if policy.cache(build, given) != "clean":
        return
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" else None
            for use in run.uses if run is not None else ():
                # apk's flag does more: it has a rule of its own.
                if run is None or use.manager.name == "apk" or not use.manager.no_cache_flags or not use.fills_caches:
                    continue
                if use.action in ("install", "upgrade", "download", "build") and not caches.switched_off(
                    build.state(index), use
                ):
                    found = _finding(build, stage, index, run, use)
                    if found is not None:
                        yield found


def _finding(build: Build, stage: Stage, index: int, run: Run, use: Use) -> Finding | None:
    flag = use.manager.no_cache_flags[0]
    located = caches.places(build, index, use, use.manager.caches)
    paths = tuple(path for _, path in located if path is not None)
    if any(layers.mounted(build, index, path) for path in paths) or _removed(build, index, use, paths):
        return None
    message = f"`{caches.label(use)}` leaves its downloads in the layer -> add `{flag}`"
    span, saves = caches.span_of(run, use), Saving("the packages as downloaded, beside the installed ones")
    verb = caches.behind_verb(use)
    if verb is None:
        return Finding(span, message, None, saves, (), "it is not known where the flag may stand")
    word = use.command.words[verb]
    edit = rewrite.add_word_behind(run, word.start, word.end, flag)
    needed = (
        _needed(build, stage, index, use, paths) if len(paths) == len(located) else "it is not known where the cache is"
    )
    if needed and len(paths) == len(located):
        return Finding(span, message, None, saves, (), needed)
    if not needed and use.uncertain:
        needed = "a word that is not known may move the cache"
    if not needed and use.manager.name == "composer":
        needed = "an old Composer may not know the flag"
    effects: list[Effect] = [AddsWord(index, word.end, (flag,))]
    for image in (stage, *build.children(stage)):
        for path in paths:
            # Nothing else need have made the folders above, such as ~/.cache.
            effects.append(Removes((*caches.above(build, index, path), path, path + "/**"), image.index))
    because = (
        f"to agree: {needed}"
        if needed
        else "what goes is only a copy of what was downloaded, and nothing else reads it"
    )
    return Finding(span, message, Fix(f"add `{flag}`", (edit,), not needed, because, tuple(effects)), saves)


def _removed(build: Build, index: int, use: Use, paths: tuple[str, ...]) -> bool:
    """Whether the RUN itself deletes the caches afterwards."""
    cleanings = [one for one in layers.cleaned(build, index) if one.simple.start > use.command.start]
    return bool(paths) and all(
        any(layers.covers(pattern, path) for one in cleanings for pattern in one.paths) for path in paths
    )


def _needed(build: Build, stage: Stage, index: int, use: Use, paths: tuple[str, ...]) -> str:
    """Who needs the cache that the RUN leaves, "" where nobody does."""
    taken = layers.copied_from(build, stage, paths)
    if taken is not None:
        return f"the cache is needed: {taken.why}"
    for other in (index, *layers.later(build, index)):
        why = caches.named(build, other, paths, use.command.end if other == index else -1)
        if why:
            return why
        run = build.run(other) if build.instructions[other].name == "RUN" else None
        for later in run.uses if run is not None else ():
            if later.manager.mounts == use.manager.mounts and (
                later.has("--offline") or _without_network(build, other)
            ):
                line = build.syntax.source.line_of(build.instructions[other].keyword_span.start)
                return f"the RUN on line {line} installs from the cache, without a network"
    return ""


def _without_network(build: Build, index: int) -> bool:
    return any(flag.name == "network" and flag.value == "none" for flag in build.instructions[index].flags)
