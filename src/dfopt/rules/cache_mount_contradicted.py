"""Commands and variables that defeat a cache mount of the same RUN: no-cache flags, deletion of what is mounted."""

from collections.abc import Iterator

from dfopt import caches
from dfopt.build import Build, Run
from dfopt.rule import Finding, Fix, Given, Related, Saving
from dfopt.source import Span

_SAVES = Saving("the downloads, at each rebuild on a builder that keeps its cache mounts; nothing on a fresh CI runner")


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
                yield Finding(
                    caches.span_of(run, use),
                    f"`{name}` switches the cache off, so the cache mount gains nothing -> drop the variable, or the mount",
                    None,
                    _SAVES,
                    (Related(place, f"`{name}` is set here"),) if place is not None else (),
                    f"`{name}` is part of the image's configuration",
                )
                break


def _set_at(build: Build, index: int, name: str) -> Span | None:
    """The place of the name in the last ENV or ARG of the stage, or of those below, that sets it."""
    stage = build.stage(index)
    last = index
    while stage is not None:
        for earlier in range(last - 1, stage.first, -1):
            instruction = build.instructions[earlier]
            if instruction.name in ("ENV", "ARG"):
                for key, _ in instruction.pairs:
                    if key.text == name:
                        return key.span
        stage = build.stages[stage.base.stage] if stage.base.stage is not None else None
        last = stage.last + 1 if stage is not None else 0
    return None
