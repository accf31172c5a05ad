"""A COPY that names what the ignore file keeps out of the build context."""

import os
from collections.abc import Iterator

from dfopt import context
from dfopt.build import Build
from dfopt.rule import Finding, Given


def check(build: Build, given: Given) -> Iterator[Finding]:
    place = context.of(build, given)
    if place is None or not place.ignore.patterns:
        return
    for index, instruction in enumerate(build.instructions):
        for path in context.named_by(build, index):
            if not place.ignore.hides(path) or place.has(path):
                continue
            decided = place.ignore.decides(path)
            if decided is None or any(other.exception and other.line > decided.line for other in place.ignore.patterns):
                continue
            written = " ".join((instruction.name, *instruction.arguments))
            name = os.path.basename(place.ignore.path)
            yield Finding(
                instruction.text_span,
                f"`{written}` does not find `{path}`: line {decided.line} of `{name}` (`{decided.text}`) keeps it out"
                f" -> take the pattern away, or add `!{path}` behind it",
                None,
                None,
                (),
                "the ignore file is another file",
            )
