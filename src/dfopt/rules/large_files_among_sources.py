"""A COPY that takes weights or data along with the source: each change of the source makes the whole layer anew."""

from collections.abc import Iterator

from dfopt import context
from dfopt.build import Build
from dfopt.rule import Finding, Given, Saving


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    if place is None:
        return
    from dfopt import components, unwanted  # only where there is a context to look at

    for index, instruction in enumerate(build.instructions):
        taken = components.taken(build, index, place) if instruction.name in ("COPY", "ADD") else None
        if taken is None or taken.alone:
            continue
        found, total = taken.files, taken.size
        largest = max(found, key=lambda one: one.size)
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        written = " ".join((instruction.name, *instruction.arguments))
        yield Finding(
            instruction.text_span,
            f"`{written}` takes {largest.kind} along with the source: `{largest.entry.path}`{more} ({unwanted.amount(total)}), and"
            " each change of the source makes the whole layer anew -> copy source and large files apart, the large files first, or keep"
            " them out by the ignore file and mount them when the image runs",
            None,
            Saving("a layer of that size in each push and pull after a change of the source", source=""),
            (),
            "COPY takes all but some folders only with `--exclude`, which not each frontend has -> `dfopt plan` prints the other ways",
        )
