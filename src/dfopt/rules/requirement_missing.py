"""A third-party module that the program imports when it starts, and that nothing installs."""

from collections.abc import Iterator

from dfopt import imports
from dfopt.build import Build
from dfopt.rule import Finding, Given


def check(build: Build, given: Given) -> Iterator[Finding]:
    stage = build.final
    graph = imports.graph(build, given, stage) if stage is not None else ""
    if isinstance(graph, str) or stage is None or graph.elsewhere:
        return
    from dfopt import distributions

    wanted = [one for one in graph.outside if one.kind == "needed" and distributions.of_module(one.name)]
    found = distributions.installed(build, given, stage) if wanted else None
    if found is None or found.doubt:
        return
    start = [
        index
        for one in reversed(build.chain(stage))
        for index in one.indexes
        if build.instructions[index].name in ("CMD", "ENTRYPOINT")
    ][-1]
    for one in wanted:
        names = distributions.of_module(one.name)
        if found.names.isdisjoint(names):
            where = f"line {one.line} of `{one.path}`" if one.line else f"`{one.path}`"
            top = one.name.partition(".")[0]
            yield Finding(
                build.instructions[start].text_span,
                f"the program needs `{top}`, which {where} imports, and nothing installs it -> name `{names[0]}` among the requirements",
                None,
                None,
                (),
                "which version it needs is not in the file",
            )
