"""Model weights and data that an image brings along: each pull carries them, and each new layer of them all again."""

import posixpath
from collections.abc import Iterator

from dfopt import components, context, layers, unwanted
from dfopt.build import Build, Stage
from dfopt.components import Fetch, Taken
from dfopt.rule import Finding, Fix, Given, Related, Saving

_SAVES = Saving("the time of each pull, and what a registry keeps for each new version", source="")


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    for stage in build.stages:
        if not components.ships(build, stage):
            continue
        for index in stage.indexes:
            if build.instructions[index].name in ("COPY", "ADD"):
                taken = components.taken(build, index, place)
                if taken is not None and taken.alone:
                    yield _copied(build, given, stage, index, taken)
            elif build.instructions[index].name == "RUN":
                yield from _fetched(build, given, stage, index)


def _copied(build: Build, given: Given, stage: Stage, index: int, taken: Taken) -> Finding:
    from dfopt import relocation  # only where there is something to say

    amount = f"{unwanted.amount(taken.size)} of " if taken.size else ""
    part = relocation.part_at(build, given, index)
    mounts = list(relocation.mounts_of(build, given, part)) if part is not None and taken.size else []
    mount = f' (`-v "$PWD/{mounts[0][0]}:{mounts[0][1]}:ro"`)' if mounts else ""
    fix, refusal = _way_out(build, given, stage, index)
    return Finding(
        build.instructions[index].text_span,
        f"`{_written(build, index)}` puts {amount}{taken.kind} into the image -> mount them when it runs{mount}, or fetch them"
        " from an object store at its start",
        fix,
        _SAVES,
        (),
        refusal,
    )


def _way_out(build: Build, given: Given, stage: Stage, index: int) -> tuple[Fix | None, str]:
    """The rewriting that the configuration asks for, or why there is none."""
    from dfopt import relocation

    answer, part = relocation.answered(given), relocation.part_at(build, given, index)
    if answer not in relocation.CHOICES or part is None:
        return (
            None,
            "where the program that runs finds them is its author's to say -> `dfopt plan` prints the ways (`components`)",
        )
    way = relocation.way(build, given, stage, part, answer)
    return way.fix, way.refusal


def _written(build: Build, index: int) -> str:
    instruction = build.instructions[index]
    text = " ".join((instruction.name, *instruction.arguments))
    return text if len(text) <= 80 else text[:77].rstrip() + "..."


def _fetched(build: Build, given: Given, stage: Stage, index: int) -> Iterator[Finding]:
    found = components.fetched(build, index)
    run = build.run(index)
    if not found or run is None:
        return
    one = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    source = _source_before(build, stage, index)
    again = ""
    related: tuple[Related, ...] = ()
    if source is not None:
        line = build.syntax.source.line_of(build.instructions[source].keyword_span.start)
        again = f", again whenever what line {line} copies changes"
        related = (Related(build.instructions[source].text_span, "each change of this fetches them again"),)
    span = run.span(one.start, one.end) if run.script.opaque is None else build.instructions[index].keyword_span
    fix, refusal = _way_out(build, given, stage, index)
    yield Finding(
        span,
        f"`{one.label}`{more} put{'s' if not more else ''} {one.kind} into the image{again} -> {_advice(one, source is not None)}",
        fix,
        _SAVES,
        related,
        refusal,
    )


def _advice(one: Fetch, behind: bool) -> str:
    if one.keeps and one.path is not None:
        return f"leave it to the first start and keep `{one.path}` in a volume, or fetch them in a stage of their own"
    above = " above the source" if behind else ""
    return f"fetch them at the start into a volume, or in a stage of their own{above}, so that only their own change fetches them anew"


def _source_before(build: Build, stage: Stage, index: int) -> int | None:
    """The first COPY before an instruction that brings a folder of the build context, which changes as the source does."""
    for other in range(stage.first + 1, index):
        copy = build.copy(other) if build.instructions[other].name in ("COPY", "ADD") else None
        if copy is None or copy.origin is not None or build.instructions[other].heredocs:
            continue
        for source in copy.sources or ():
            name = posixpath.basename(source.rstrip("/"))
            if "://" not in source and not layers.is_file_name(name) and not set(name) & set("*?["):
                if not components.kind_of_folder(source) and name != "LICENSE":
                    return other
    return None
