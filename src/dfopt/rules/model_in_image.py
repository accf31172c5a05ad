"""Model weights and data that an image brings along: each pull carries them, and each new layer of them all again."""

import posixpath
from collections.abc import Iterator

from dfopt import components, context, layers, unwanted
from dfopt.build import Build, Stage
from dfopt.components import Fetch, Lying
from dfopt.context import Context
from dfopt.rule import Finding, Given, Related, Saving

_SAVES = Saving("the time of each pull, and what a registry keeps for each new version", source="")
_REFUSAL = "where the program that runs finds them is its author's to say"


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            if build.instructions[index].name in ("COPY", "ADD"):
                yield from _copied(build, index, place)
            elif build.instructions[index].name == "RUN":
                yield from _fetched(build, stage, index)


def _copied(build: Build, index: int, place: Context | None) -> Iterator[Finding]:
    instruction, copy = build.instructions[index], build.copy(index)
    if copy is None or copy.origin is not None or copy.sources is None or instruction.heredocs:
        return
    kind, size, mount = "", 0, ""
    if place is not None:
        sizes = components.sizes_of(place, copy.sources)
        if sizes and components.are_alone(place, copy.sources, sizes):
            size = sum(one.size for one in sizes)
            kind = sizes[0].kind
            mount = _mount(build, index, place, sizes) if size >= unwanted.LARGE else ""
    if size < unwanted.LARGE:
        kind, size = "", 0
        for source in copy.sources:
            if place is None or "://" in source or not place.matching(source, hidden=True):
                name = components.kind_of(source) or components.kind_of_folder(source)
                kind = kind or name or (components.kind_of_archive(source) if instruction.name == "ADD" else "")
    if not kind:
        return
    amount = f"{unwanted.amount(size)} of " if size else ""
    yield Finding(
        instruction.text_span,
        f"`{_written(build, index)}` puts {amount}{kind} into the image -> mount them when it runs{mount}, or fetch them"
        " from an object store at its start",
        None,
        _SAVES,
        (),
        _REFUSAL,
    )


def _written(build: Build, index: int) -> str:
    instruction = build.instructions[index]
    text = " ".join((instruction.name, *instruction.arguments))
    return text if len(text) <= 80 else text[:77].rstrip() + "..."


def _mount(build: Build, index: int, place: Context, sizes: tuple[Lying, ...]) -> str:
    """How `docker run` mounts what a COPY of one source brings, "" where its place is not known for certain."""
    laid = layers.laid(build, index) or ()
    if len(laid) != 1:
        return ""
    source, target = context.normal(laid[0].source), laid[0].path
    entry = place.entry(source)
    copy = build.copy(index)
    if entry is None or not source or copy is None or copy.destination is None:
        return ""
    if entry.kind == "file" and laid[0].kind != "file":
        if not copy.destination.endswith("/"):
            return ""
        target = copy.destination + posixpath.basename(source)
    return f' (`-v "$PWD/{source}:{target.rstrip("/")}:ro"`)'


def _fetched(build: Build, stage: Stage, index: int) -> Iterator[Finding]:
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
    yield Finding(
        span,
        f"`{one.label}`{more} put{'s' if not more else ''} {one.kind} into the image{again} -> {_advice(one, source is not None)}",
        None,
        _SAVES,
        related,
        _REFUSAL,
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
