"""A module of the project that the program imports when it starts, and that the image does not have."""

import os
from collections.abc import Iterator

from dfopt import context, imports
from dfopt.build import Build
from dfopt.rule import Finding, Given


def check(build: Build, given: Given) -> Iterator[Finding]:
    stage = build.final
    graph = imports.graph(build, given, stage) if stage is not None else ""
    place = context.of(build, given)
    if isinstance(graph, str) or place is None or stage is None or not graph.strays or graph.elsewhere:
        return
    from dfopt import distributions

    installed = distributions.installed(build, given, stage)
    starts = [
        index
        for one in reversed(build.chain(stage))
        for index in one.indexes
        if build.instructions[index].name in ("CMD", "ENTRYPOINT")
    ]
    for stray in graph.strays:
        if installed.may_bring(stray.wanted.name):
            continue
        where = f"line {stray.wanted.line} of `{stray.wanted.path}`" if stray.wanted.line else f"`{stray.wanted.path}`"
        why = "no COPY brings it -> copy it too"
        if stray.hidden:
            decided = place.ignore.decides(stray.path)
            if decided is None:
                continue
            name = os.path.basename(place.ignore.path)
            why = f"line {decided.line} of `{name}` (`{decided.text}`) keeps it out -> add `!{stray.path}` behind that"
        yield Finding(
            build.instructions[starts[-1]].text_span,
            f"the program needs `{stray.path}`, which {where} imports, and {why}",
            None,
            None,
            (),
            "the ignore file is another file"
            if stray.hidden
            else "where it belongs in the image is for the author to say",
        )
