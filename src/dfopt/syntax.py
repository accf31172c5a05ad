"""Text to nodes that tile it: directives, comments, blanks, instructions with flags, words and heredocs; never raises.

The reading is BuildKit's. `docs/architecture.md` names what it answers to.
"""

from typing import Iterator, NamedTuple

from dfopt.source import Source, Span


class Logical:
    """Text as BuildKit sees it - continuations, comment lines and empty lines taken out - and where each character stands.

    `segments` are (logical start, source start, length), ascending and touching in the logical text.
    """

    __slots__ = ("text", "segments")

    def offset(self, index: int) -> int:
        """The source offset of logical character `index`; for `len(text)`, just behind the last character."""

    def span(self, start: int, end: int) -> Span:
        """From the first to just behind the last of the logical characters `[start, end)`; a span over a line end
        covers the continuation (and comment lines) between."""

    def contiguous(self, start: int, end: int) -> bool:
        """Whether `[start, end)` stands in the file in one piece, so that its source text is its logical text."""

    def cut(self, start: int, end: int) -> "Logical":
        """The part `[start, end)` with its places."""


class Problem(NamedTuple):
    """What BuildKit refuses (`fatal`) or warns of, and where."""

    span: Span
    message: str
    fatal: bool


class Directive(NamedTuple):
    """`# name=value` at the top of the file; `span` is the whole line with its line end; `name` is lower case."""

    span: Span
    name: str
    value: str
    value_span: Span


class Comment(NamedTuple):
    """A comment line outside instructions, with its line end."""

    span: Span
    text: str  # BuildKit's: without '#' and surrounding blanks


class Blank(NamedTuple):
    """A line of nothing but blanks, with its line end."""

    span: Span


class Word(NamedTuple):
    """A word of an instruction as written, quotes kept; `start` and `end` are offsets in the instruction's logical text."""

    text: str
    start: int
    end: int
    span: Span


class Flag(NamedTuple):
    """`--name=value`, quotes and escapes removed as BuildKit does; `value` is None for a bare `--name`."""

    name: str
    value: str | None
    text: str  # as in BuildKit's list: `--name=value` after removal of quotes
    start: int
    end: int
    span: Span


class Pair(NamedTuple):
    """A key and a value of ENV, LABEL or ARG, quotes kept; `value` is None for `ARG name`."""

    key: Word
    value: Word | None


class Heredoc(NamedTuple):
    """One heredoc: `body` is its text with places (tabs not removed), `end` the span of the terminator line's word."""

    name: str
    descriptor: int  # 0 where none is written
    strip_tabs: bool  # `<<-`
    expand: bool  # no quote in the name
    word: Word  # the `<<EOF` in the instruction's line
    body: Logical
    body_span: Span
    terminator: Span


class Instruction:
    """One instruction with all its lines.

    `name` is the keyword in upper case, `keyword` as written. `span` covers whole lines with the last line end; where
    a continuation runs over comment lines these belong to it. `text_span` starts at the keyword and ends behind the
    last character that is not a blank or line end (heredoc terminators included). `logical` starts at the keyword.
    `arguments` is BuildKit's chain of values. `words` are the arguments as words with places: for the JSON form the
    strings as written; for shell forms (RUN, CMD ...) one word with the whole rest of the line.
    `body` is what stands after keyword and flags, as text with places: a RUN's shell text. `pairs` serves ENV, LABEL and ARG.
    `comments` are the comment lines before it that BuildKit would attach to it. `inner` is ONBUILD's instruction.
    """

    __slots__ = (
        "name", "keyword", "keyword_span", "span", "text_span", "logical", "body", "flags", "arguments", "words", "json",
        "pairs", "legacy", "heredocs", "comments", "inner", "start_line", "end_line",
    )


class Syntax:
    """A file's nodes in order; concatenating their spans gives the whole text. `problems` stand in order of place."""

    __slots__ = ("source", "nodes", "directives", "escape", "instructions", "problems")

    @property
    def fatal(self) -> bool:
        """Whether BuildKit would refuse the file."""


def parse(source: Source) -> Syntax:
    """Read a Dockerfile; what BuildKit would refuse is in `problems`, and the nodes tile the file all the same."""
