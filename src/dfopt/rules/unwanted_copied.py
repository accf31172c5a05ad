"""A COPY of a folder that takes version control, the host's dependencies or outputs along into the image."""

from collections.abc import Iterator

from dfopt import context, unwanted
from dfopt.build import Build
from dfopt.rule import Finding, Given, Saving


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    if place is None:
        return
    for index, instruction in enumerate(build.instructions):
        found = [
            stray
            for folder in context.folders_of(build, index, place)
            for stray in unwanted.strays(place, build, folder)
            if stray.row.kind not in ("secrets", "Docker's own files")
        ]
        if not found:
            continue
        named = [f"`{stray.entry.path}`" for stray in found[:3]]
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        sizes = [unwanted.size_of(place, stray.entry) for stray in found]
        total = f" ({unwanted.amount(sum(size or 0 for size in sizes))})" if None not in sizes else ""
        written = " ".join((instruction.name, *instruction.arguments))
        yield Finding(
            instruction.text_span,
            f"`{written}` takes {', '.join(named)}{more} along{total} -> keep what the build does not need out of its context:"
            " `dfopt ignore` writes the ignore file",
            None,
            Saving("what is copied for nothing, and the steps behind it that run again when it changes", source=""),
            (),
            "the ignore file is another file: `dfopt ignore` writes it",
        )
