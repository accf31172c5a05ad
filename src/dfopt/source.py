"""Text, places in it and edits to it; every byte survives, whatever the encoding faults and line ends are.

A `Source` holds a file as text decoded from UTF-8 with `surrogateescape`, so bytes that are not UTF-8 come back as they
were. A byte order mark stays as the first character. Offsets count characters (code points) from 0; lines and columns
exist only at the rim, where a person or a protocol wants them.
"""

from bisect import bisect_right
from collections.abc import Iterable

from dfopt.startup import NamedTuple


class Span(NamedTuple):
    """The half-open range `[start, end)` of offsets into `Source.text`."""

    start: int
    end: int


class Edit(NamedTuple):
    """Replace the text at `span` by `text`; an empty span inserts."""

    span: Span
    text: str


class Position(NamedTuple):
    """A place as people count: line and column, both from 1, columns in characters."""

    line: int
    column: int


class Source:
    """The text of one file and its name (a path as the user gave it, or a name in angle brackets)."""

    __slots__ = ("text", "name", "_starts", "_newline")

    def __init__(self, text: str, name: str = "<text>") -> None:
        self.text = text
        self.name = name
        self._starts: list[int] | None = None
        self._newline = ""

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "<bytes>") -> "Source":
        """Read `data` as UTF-8; bytes that are not UTF-8 become lone surrogates and come back in `to_bytes`."""
        return cls(data.decode("utf-8", "surrogateescape"), name)

    def to_bytes(self) -> bytes:
        """The file's bytes, exactly as they were read."""
        return encode(self.text)

    @property
    def line_starts(self) -> list[int]:
        """The offset of the first character of every line; lines end at LF only, as BuildKit splits them."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts

    def line_of(self, offset: int) -> int:
        """The number, from 1, of the line that holds `offset`."""
        return bisect_right(self.line_starts, offset)

    def position(self, offset: int) -> Position:
        """The line and column, both from 1, of `offset`."""
        line = self.line_of(offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def line_text(self, line: int) -> str:
        """The text of a line, counted from 1, without its LF or CRLF."""
        starts = self.line_starts
        end = starts[line] - 1 if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].removesuffix("\r")

    @property
    def newline(self) -> str:
        r"""The line end that an added line takes: `"\r\n"` where most lines of the file have it, else `"\n"`."""
        if not self._newline:
            self._newline = "\r\n" if self.text.count("\r\n") * 2 > self.text.count("\n") else "\n"
        return self._newline


def encode(text: str) -> bytes:
    """The bytes of a text that `Source.from_bytes` decoded."""
    return text.encode("utf-8", "surrogateescape")


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits` made; each span refers to `text` as given.

    Insertions at one place come out in the order given. Raises ValueError where edits overlap or lie outside.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        start, end = edit.span
        if not done <= start <= end <= len(text):
            raise ValueError(f"edit {edit.span} overlaps another or lies outside a text of {len(text)} characters")
        pieces.append(text[done:start])
        pieces.append(edit.text)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)
