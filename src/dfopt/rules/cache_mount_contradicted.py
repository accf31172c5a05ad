"""Commands and variables that defeat a cache mount of the same RUN: no-cache flags, deletion of what is mounted."""

import re
from collections.abc import Iterator

from dfopt import caches, layers, rewrite
from dfopt.build import Build, Run
from dfopt.rule import ChangesConfig, Effect, Finding, Fix, Given, Related, Saving
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple
from dfopt.syntax import Pair

_SAVES = Saving(
    "the downloads, at each rebuild on a builder that keeps its cache mounts; nothing on a fresh CI runner", source=""
)


def check(build: Build, given: Given) -> Iterator[Finding]:
    for index, instruction in enumerate(build.instructions):
        run = build.run(index) if instruction.name == "RUN" and build.states[index] is not None else None
        mounts = caches.mounts(build, index) if run is not None else []
        if run is None or not mounts:
            continue
        targets = tuple(mount.target for mount in mounts)
        for one in caches.contradictions(build, index, targets):
            fix = None
            if one.edits:
                text = build.syntax.source.text[one.span.start : one.span.end]
                title = "drop the flag" if text.startswith("-") else "drop what empties the mounted folder"
                fix = Fix(
                    title,
                    one.edits,
                    True,
                    "what is in a mount is not in the image, so the image stays the same",
                    one.effects,
                )
            advice = "drop it, or the mount"
            yield Finding(
                one.span, f"{one.what}, so the cache mount gains nothing -> {advice}", fix, _SAVES, (), one.refusal
            )
        yield from _variables(build, index, run, targets)


def _variables(build: Build, index: int, run: Run, targets: tuple[str, ...]) -> Iterator[Finding]:
    """Variables of ENV or ARG that switch off a cache that is mounted."""
    seen: set[str] = set()
    for use in run.uses:
        name = caches.switched_off(build.state(index), use)
        if not name or name in seen or use.no_cache or not use.fills_caches:
            continue
        for _, path in caches.places(build, index, use, use.manager.mounts):
            if path is not None and any((path + "/").startswith(target.rstrip("/") + "/") for target in targets):
                seen.add(name)
                place = _set_at(build, index, name)
                fix, refusal = _without_variable(build, place, name)
                yield Finding(
                    caches.span_of(run, use),
                    f"`{name}` switches the cache off, so the cache mount gains nothing -> drop the variable, or the mount",
                    fix,
                    _SAVES,
                    (Related(place.pair.key.span, f"`{name}` is set here"),) if place is not None else (),
                    refusal,
                )
                break


class _Place(NamedTuple):
    """Where a variable is set: the index of an ENV or ARG, and its pair there."""

    instruction: int
    pair: Pair


def _set_at(build: Build, index: int, name: str) -> _Place | None:
    """The last ENV or ARG of the stage, or of those below, that sets the variable."""
    own = build.stage(index)
    for stage in build.chain(own) if own is not None else ():
        last = index if stage is own else stage.last + 1
        for earlier in range(last - 1, stage.first, -1):
            instruction = build.instructions[earlier]
            if instruction.name in ("ENV", "ARG"):
                for pair in instruction.pairs:
                    if pair.key.text == name:
                        return _Place(earlier, pair)
    return None


def _without_variable(build: Build, place: _Place | None, name: str) -> tuple[Fix | None, str]:
    """The fix that takes a variable out of its ENV, or why there is none."""
    stage = build.stage(place.instruction) if place is not None else None
    if place is None or stage is None or place.pair.value is None:
        return None, f"the base image sets `{name}`"
    instruction = build.instructions[place.instruction]
    if instruction.name != "ENV":
        return None, f"`{name}` is an argument of the build, which its command line may name"
    source = build.syntax.source
    if len(re.findall(rf"\b{re.escape(name)}\b", source.text)) > 1:
        return None, f"`{name}` stands in more than one place"
    for one in (stage, *build.children(stage)):
        for index in one.indexes:
            run = build.run(index) if build.instructions[index].name == "RUN" and index > place.instruction else None
            for use in run.uses if run is not None else ():
                if use.no_cache or not use.fills_caches or name not in use.manager.no_cache_variables:
                    continue
                folders = caches.places(build, index, use, use.manager.mounts)
                if any(path is None or not layers.mounted(build, index, path) for _, path in folders):
                    line = source.line_of(caches.span_of(run, use).start) if run is not None else 0
                    return None, f"`{caches.label(use)}` on line {line} would keep a cache in the image"
    pairs = instruction.pairs
    at = next(number for number, pair in enumerate(pairs) if pair is place.pair)
    if len(pairs) == 1:
        dropped = rewrite.drop_instruction(build, place.instruction)
        if dropped.comments:
            return None, "a comment speaks of it"
        edits = dropped.edits
    else:
        before, after = pairs[at - 1] if at else None, pairs[at + 1] if at + 1 < len(pairs) else None
        start = (before.value or before.key).span.end if before is not None else place.pair.key.span.start
        end = after.key.span.start if before is None and after is not None else place.pair.value.span.end
        if "#" in source.text[start:end].replace(place.pair.value.text, ""):
            return None, "a comment stands beside it"
        edits = (Edit(Span(start, end), ""),)
    effects: list[Effect] = [ChangesConfig(stage.index, f"Env.{name}", place.pair.value.text, None)]
    because = (
        "to agree: the image's configuration no longer has the variable, and commands in its containers keep a cache"
    )
    return Fix(f"drop `{name}`", edits, False, because, tuple(effects)), ""
