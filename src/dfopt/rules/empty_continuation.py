"""An instruction goes on over an empty line, which may have swallowed the instruction that follows."""

from collections.abc import Iterator

from dfopt.build import Build
from dfopt.rule import Finding, Given, Related
from dfopt.source import Span
from dfopt.syntax import INSTRUCTIONS


def check(build: Build, given: Given) -> Iterator[Finding]:
    source = build.syntax.source
    for problem in build.syntax.problems:
        instruction = next(
            (one for one in build.instructions if one.span.start <= problem.span.start < one.span.end), None
        )
        if problem.fatal or instruction is None:
            continue
        related: tuple[Related, ...] = ()
        first = source.line_of(instruction.keyword_span.start)
        for line in range(first + 1, source.line_of(max(instruction.text_span.end - 1, 0)) + 1):
            word = source.line_text(line).split(maxsplit=1)[:1]
            if (
                word
                and word[0] in INSTRUCTIONS
                and not any(
                    heredoc.body_span.start <= source.line_starts[line - 1] < heredoc.body_span.end
                    for heredoc in instruction.heredocs
                )
            ):
                start = source.line_starts[line - 1] + source.line_text(line).index(word[0])
                related = (
                    Related(
                        Span(start, start + len(word[0])),
                        f"this `{word[0]}` is part of the {instruction.name} on line {first}",
                    ),
                )
                break
        message = f"the {instruction.name} on line {first} goes on over an empty line -> remove the line, or the continuation before it"
        if related:
            message = f"the {instruction.name} on line {first} swallows the instruction behind an empty line -> remove the continuation before the line"
        yield Finding(problem.span, message, None, None, related, "which of the two is meant the file does not say")
