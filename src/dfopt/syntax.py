"""Text to nodes that tile it: directives, comments, blanks, instructions with flags, words and heredocs; never raises.

The reading is BuildKit's. `docs/architecture.md` names what it answers to.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from dfopt.source import Source, Span
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern
from dfopt.words import Piece, heredoc_words, split, split_blank

if TYPE_CHECKING:
    from typing import Any

# White space as Go's unicode.IsSpace has it; Python's own set also takes U+001C to U+001F.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
# Where BuildKit looks at bytes instead of characters, the lone bytes 0x85 and 0xA0 are white space too.
_BYTE_BLANKS = "\t\n\v\f\r \udc85\udca0"
_LONGEST_LINE = 65_535  # bytes; Go's bufio.MaxScanTokenSize less one
_DEEPEST_ONBUILD = 8  # from two on BuildKit refuses the file; the bound only keeps a hostile file from costing much


class Logical:
    """Text as BuildKit sees it - continuations, comment lines and empty lines taken out - and where each character stands.

    `segments` are (logical start, source start, length), ascending and touching in the logical text; there is always one.
    """

    __slots__ = ("text", "segments")

    def __init__(self, text: str, segments: tuple[tuple[int, int, int], ...]) -> None:
        self.text = text
        self.segments = segments

    def offset(self, index: int) -> int:
        """The source offset of logical character `index`; for `len(text)`, just behind the last character."""
        segments = self.segments
        if len(segments) == 1:
            return segments[0][1] + index
        start, place, _ = segments[bisect_right(segments, index, key=_logical_start) - 1]
        return place + index - start

    def span(self, start: int, end: int) -> Span:
        """From the first to just behind the last of the logical characters `[start, end)`; a span over a line end
        covers the continuation (and comment lines) between."""
        segments = self.segments
        if len(segments) == 1:
            place = segments[0][1]
            return Span(place + start, place + end)
        if start >= end:
            place = self.offset(start)
            return Span(place, place)
        return Span(self.offset(start), self.offset(end - 1) + 1)

    def contiguous(self, start: int, end: int) -> bool:
        """Whether `[start, end)` stands in the file in one piece, so that its source text is its logical text."""
        span = self.span(start, end)
        return span.end - span.start == end - start

    def cut(self, start: int, end: int) -> Logical:
        """The part `[start, end)` with its places."""
        segments = self.segments
        if len(segments) == 1 or start >= end:
            return Logical(self.text[start:end], ((0, self.offset(start), end - start),))
        parts = []
        for number in range(bisect_right(segments, start, key=_logical_start) - 1, len(segments)):
            logical, place, length = segments[number]
            if logical >= end:
                break
            first, last = max(start, logical), min(end, logical + length)
            parts.append((first - start, place + first - logical, last - first))
        return Logical(self.text[start:end], tuple(parts))


def _logical_start(segment: tuple[int, int, int]) -> int:
    return segment[0]


class Problem(NamedTuple):
    """What BuildKit refuses (`fatal`) or warns of (NoEmptyContinuation), and where."""

    span: Span
    message: str
    fatal: bool


class Directive(NamedTuple):
    """`# name=value` at the top of the file; `span` is the whole line with its line end; `name` is lower case.

    The value of `check` and `syntax` ends at the first blank, as BuildKit has it.
    """

    span: Span
    name: str
    value: str
    value_span: Span


class Comment(NamedTuple):
    """A comment line with its line end."""

    span: Span
    text: str  # without '#' and surrounding blanks; BuildKit keeps the '#' of an indented comment


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
    """`--name=value`, quotes and escapes removed as BuildKit does; `value` is None for a bare `--name`.

    BuildKit reads flags byte by byte, so a character that is not ASCII comes out as the characters U+0080 to U+00FF.
    """

    name: str
    value: str | None
    text: str  # as in BuildKit's list: `--name=value` after removal of quotes
    start: int
    end: int
    span: Span


class Pair(NamedTuple):
    """A key and a value of ENV, LABEL or ARG, quotes kept; `value` is None for `ARG name` (and where BuildKit refuses)."""

    key: Word
    value: Word | None


class Heredoc(NamedTuple):
    """One heredoc: `body` is its text with places (tabs not removed), `terminator` the span of the terminator line's word."""

    name: str
    descriptor: int  # 0 where none is written
    strip_tabs: bool  # `<<-`
    expand: bool  # no quote in the name
    word: Word  # the `<<EOF` in the instruction's line
    body: Logical
    body_span: Span
    terminator: Span  # empty, at the end of the file, where the heredoc is not terminated


class Instruction:
    """One instruction with all its lines.

    `name` is the keyword in upper case, `keyword` as written. `span` covers whole lines with the last line end; where
    a continuation runs over comment lines these belong to it and stand in `inside`. `text_span` starts at the keyword
    and ends behind the last character that is not a blank or line end (heredoc terminators included). `logical` starts
    at the keyword.
    `arguments` is BuildKit's chain of values; for ONBUILD it is empty. `words` are the arguments as words with places:
    for the JSON form the strings as written; for shell forms (RUN, CMD ...), ONBUILD and unknown instructions one word
    with the whole rest of the line. `body` is what stands after keyword and flags, as text with places: a RUN's shell
    text. `pairs` serves ENV, LABEL and ARG; `legacy` tells the form without `=`.
    `comments` are the comment lines before it that BuildKit would attach to it. `inner` is ONBUILD's instruction; it
    shares `span` and the heredocs. Lines count from 1. Most fields are worked out when they are first asked for.
    """

    __slots__ = (
        "name", "keyword", "keyword_span", "span", "text_span", "logical", "body", "flags", "arguments", "words", "json",
        "pairs", "legacy", "heredocs", "comments", "inside", "inner", "start_line", "end_line",
        "_source", "_escape", "_start", "_places", "_faults", "_depth", "_outer", "_comment_spans",
    )  # fmt: skip

    name: str
    keyword: str
    keyword_span: Span
    span: Span
    text_span: Span
    logical: Logical
    body: Logical
    flags: tuple[Flag, ...]
    arguments: tuple[str, ...]
    words: tuple[Word, ...]
    json: bool
    pairs: tuple[Pair, ...]
    legacy: bool
    heredocs: tuple[Heredoc, ...]
    comments: tuple[Comment, ...]
    inside: tuple[Comment, ...]
    inner: Instruction | None
    start_line: int
    end_line: int
    _source: str
    _escape: str
    _start: int  # where the arguments begin in the logical text
    _places: tuple[tuple[int, int], ...]  # of the words, in the logical text
    _faults: tuple[tuple[int, int, str], ...]  # what BuildKit's parser, not its instruction parser, refuses
    _depth: int
    _outer: Instruction  # of an ONBUILD's instruction
    _comment_spans: tuple[Span, ...]

    def __getattr__(self, name: str) -> Any:
        """Fill a field that nobody has asked for yet; Python comes here for empty slots only."""
        work_out = _LAZY.get(name)
        if work_out is None:
            raise AttributeError(name)
        work_out(self)
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<{self.name} {self.span.start}:{self.span.end}>"

    def word(self, start: int, end: int) -> Word:
        """The part `[start, end)` of the logical text as a word."""
        return Word(self.logical.text[start:end], start, end, self.logical.span(start, end))


class Syntax:
    """A file's nodes in order; concatenating their spans gives the whole text. `problems` stand in order of place.

    `directives` are those that have an effect: `escape` for the parser, `check` and `syntax` for what calls it.
    """

    __slots__ = ("source", "nodes", "directives", "escape", "instructions", "_problems", "_structural")

    def __init__(
        self,
        source: Source,
        nodes: tuple[Directive | Comment | Blank | Instruction, ...],
        directives: tuple[Directive, ...],
        escape: str,
        structural: list[Problem],
    ) -> None:
        self.source = source
        self.nodes = nodes
        self.directives = directives
        self.escape = escape
        self.instructions = tuple(node for node in nodes if isinstance(node, Instruction))
        self._structural = structural
        self._problems: tuple[Problem, ...] | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, by place."""
        if self._problems is None:
            self._problems = tuple(sorted([*self._structural, *_check_file(self)]))
        return self._problems

    @property
    def fatal(self) -> bool:
        """Whether BuildKit would refuse the file."""
        return any(problem.fatal for problem in self.problems)


def parse(source: Source) -> Syntax:
    """Read a Dockerfile; what BuildKit would refuse is in `problems`, and the nodes tile the file all the same."""
    text = source.text
    size = len(text)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    nodes: list[Directive | Comment | Blank | Instruction] = []
    problems: list[Problem] = []
    mark = 1 if text.startswith("\ufeff") else 0
    if mark:
        lines[0] = lines[0][1:]
    offset = mark  # of the next line
    top = _read_top(lines, mark, size, problems)
    escape = top.escape
    comments: list[Comment] = []  # those that wait for their instruction
    index = 0
    count = len(lines)
    while index < count:
        line = lines[index]
        start = offset
        index += 1
        offset += len(line) + 1
        content = line.lstrip(_BLANKS)
        if not content:
            nodes.append(Blank(Span(start, offset)))
            continue
        if content[0] == "#":
            span = Span(start, offset if offset < size else size)
            comment = Comment(span, content[1:].strip(_BLANKS))
            if index <= len(top.lines):
                directive, stripped = top.lines[index - 1]
                nodes.append(directive or comment)
                if stripped:
                    continue
            else:
                nodes.append(comment)
            if comment.text or line[0] != "#":  # BuildKit cuts one byte off, so an indented bare `#` is a text to it
                comments.append(comment)
            else:
                comments.clear()
            continue

        first_line = index
        place = start + len(line) - len(content)
        trimmed = content.rstrip("\r").rstrip(" \t")
        inside: list[Span] = []
        if trimmed[-1] == escape and trimmed[-2:-1] != escape:
            pieces = [trimmed[:-1]]
            segments = [(0, place, len(trimmed) - 1)]
            length = len(trimmed) - 1
            empty: Span | None = None
            while index < count:
                line = lines[index]
                here = offset
                index += 1
                offset += len(line) + 1
                content = line.lstrip(_BLANKS)
                if not content:
                    empty = Span(here, min(offset, size))
                    continue
                if content[0] == "#":
                    inside.append(Span(here, min(offset, size)))
                    continue
                piece = line.rstrip("\r")
                trimmed = piece.rstrip(" \t")
                more = trimmed[-1] == escape and trimmed[-2:-1] != escape
                if more:
                    piece = trimmed[:-1]
                pieces.append(piece)
                segments.append((length, here, len(piece)))
                length += len(piece)
                if not more:
                    break
            joined = "".join(pieces)
            logical = _strip(joined, segments)
            if empty is not None:
                message = "empty line inside an instruction, which goes on behind it -> remove the line, or end the instruction"
                problems.append(Problem(empty, message, False))
        else:
            joined = content.rstrip("\r")
            solid = joined.rstrip(_BLANKS)
            logical = Logical(solid, ((0, place, len(solid)),))

        instruction = Instruction()
        instruction._source = text
        instruction._escape = escape
        instruction._depth = 0
        instruction._comment_spans = tuple(inside)
        instruction.logical = logical
        instruction.start_line = first_line
        instruction.comments = tuple(comments)
        comments.clear()
        _read_keyword(instruction)
        instruction.heredocs = ()
        if "<<" in logical.text and _takes_heredocs(instruction):
            index, offset = _read_heredocs(instruction, joined, lines, index, offset, problems)
        instruction.span = Span(start, offset)
        instruction.end_line = index
        nodes.append(instruction)

    if mark:  # a byte order mark belongs to the first node
        _set_span(nodes, 0, 0, nodes[0].span.end)
    if offset > size:  # the last line has no line end
        _set_span(nodes, -1, nodes[-1].span.start, size)
    _check_line_lengths(lines, mark, problems)
    return Syntax(source, tuple(nodes), top.directives, escape, problems)


def _set_span(nodes: list[Directive | Comment | Blank | Instruction], index: int, start: int, end: int) -> None:
    node = nodes[index]
    if isinstance(node, Instruction):
        node.span = Span(start, end)
    else:
        nodes[index] = node._replace(span=Span(start, end))


def _strip(text: str, segments: list[tuple[int, int, int]]) -> Logical:
    """The joined lines without the blanks around them."""
    stripped = text.lstrip(_BLANKS)
    start = len(text) - len(stripped)
    stripped = stripped.rstrip(_BLANKS)
    solid = tuple(segment for segment in segments if segment[2]) or (segments[0],)
    if not stripped:
        return Logical("", ((0, segments[0][1], 0),))
    whole = Logical(text, solid)
    return whole if len(stripped) == len(text) else whole.cut(start, start + len(stripped))


def _check_line_lengths(lines: list[str], mark: int, problems: list[Problem]) -> None:
    # The byte order mark counts as three bytes; no line shorter than a quarter of the limit can be over it.
    if not lines or max(map(len, lines)) < _LONGEST_LINE // 4 - 1:
        return
    offset = mark
    for number, line in enumerate(lines):
        size = len(line.encode("utf-8", "replace")) if not line.isascii() else len(line)
        if size + (3 * mark if number == 0 else 0) > _LONGEST_LINE:
            message = f"line is longer than {_LONGEST_LINE} bytes -> break it up"
            problems.append(Problem(Span(offset, offset + len(line)), message, True))
            return  # BuildKit reads no further
        offset += len(line) + 1


# Directives


class _Top(NamedTuple):
    """The directive lines at the top of the file; for each line the directive, if it is shown as one, and whether
    BuildKit's parser keeps it from the comments."""

    lines: list[tuple[Directive | None, bool]]
    directives: tuple[Directive, ...]
    escape: str


_NO_TOP = _Top([], (), "\\")
_DIRECTIVE = pattern(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=(.*)", re.DOTALL)
_DIRECTIVE_BLANKS = "\t\n\f\r "
_DIRECTIVE_NAMES = ("syntax", "escape", "check")


def _read_top(lines: list[str], offset: int, size: int, problems: list[Problem]) -> _Top:
    """Find the directives. BuildKit reads them twice, by different rules: its parser strips leading blanks and wants
    `escape` (parser.go, processLine); what looks for `check` and `syntax` strips none, but skips a first line
    `#!...` (directives.go, parseDirective)."""
    if not lines or lines[0].lstrip(_BLANKS)[:1] != "#":
        return _NO_TOP
    found: list[tuple[Directive | None, bool]] = []
    effective: list[Directive] = []
    escape = "\\"
    parser_seen: set[str] | None = set()  # None where the reading has ended
    raw_seen: set[str] | None = set()
    for number, line in enumerate(lines):
        if number == 0 and line.startswith("#!"):
            parser_seen = None
            found.append((None, False))
            offset += len(line) + 1
            continue
        directive = _read_directive(line, offset, size)
        if directive is None:
            break
        name = directive.name
        shown = stripped = False
        if parser_seen is not None:
            shown = stripped = True
            if name in parser_seen:
                message = f"second directive `{name}` -> keep one"
                problems.append(Problem(Span(offset, offset + len(line)), message, True))
                parser_seen = None
            else:
                parser_seen.add(name)
                if name == "escape":
                    if directive.value in ("\\", "`"):
                        escape = directive.value
                        effective.append(directive)
                    else:
                        message = f"`{directive.value}` is no escape character -> take a backslash or a backtick"
                        problems.append(Problem(directive.value_span, message, True))
        if raw_seen is not None:
            if line[0] != "#" or name in raw_seen:
                raw_seen = None
            else:
                raw_seen.add(name)
                if name != "escape":
                    shown = True
                    effective.append(directive)
                    if name == "check" and (fault := _check_options_fault(directive.value)):
                        problems.append(Problem(directive.value_span, fault, True))
        found.append((directive if shown else None, stripped))
        offset += len(line) + 1
        if parser_seen is None and raw_seen is None:
            break
    return _Top(found, tuple(effective), escape)


def _read_directive(line: str, offset: int, size: int) -> Directive | None:
    content = line.lstrip(_BLANKS)
    if content[:1] != "#":
        return None
    content = content[1:].lstrip(_BLANKS)
    match = _DIRECTIVE.fullmatch(content)
    if match is None or match[1].lower() not in _DIRECTIVE_NAMES or not match[2].rstrip("\r"):
        return None
    name = match[1].lower()
    raw = match[2]
    value = raw.strip(_DIRECTIVE_BLANKS)
    start = len(line) - len(raw.lstrip(_DIRECTIVE_BLANKS))
    if not value:  # nothing but blanks: the last one is the value
        value = raw.rstrip("\r")[-1:]
        start = len(line.rstrip("\r")) - 1
    elif name != "escape":
        value = value.split(" ", 1)[0]
    place = offset + start
    return Directive(Span(offset, min(offset + len(line) + 1, size)), name, value, Span(place, place + len(value)))


_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def _check_options_fault(value: str) -> str | None:
    """Why BuildKit refuses the value of `# check=` (linter.go, ParseLintOptions), or None."""
    for part in value.split(";", 2) if value.strip(_BLANKS) else ():
        key, equals, setting = part.partition("=")
        key = key.strip(_BLANKS)
        if not equals or key not in ("skip", "error", "experimental"):
            return f"`{part}` is no option of `check` -> write `skip=...`, `error=true` or `experimental=...`"
        if key == "error" and setting.strip(_BLANKS) not in _TRUE + _FALSE:
            return f"`{setting}` is no value of `error` -> write `true` or `false`"
    return None


# Keyword, flags, heredocs

INSTRUCTIONS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_NAMES = {spelling: name for name in INSTRUCTIONS for spelling in (name, name.lower())}
_KEYWORD = re.compile(r"([^\t\v\f\r ]*)[\t\v\f\r ]*")


def _fold(text: str) -> str:
    """Lower case, character by character as Go's strings.ToLower has it."""
    return text.lower() if text.isascii() else text.replace("\u0130", "i").lower()


def _read_keyword(instruction: Instruction) -> None:
    text = instruction.logical.text
    match = _KEYWORD.match(text)
    assert match is not None  # the pattern takes an empty text
    keyword = match[1]
    instruction.keyword = keyword
    instruction.name = _NAMES.get(keyword) or _NAMES.get(_fold(keyword)) or keyword.upper()
    start = match.end()
    if start < len(text) and (text[start] == "-" or text[start] > "\x7f"):
        start = _read_flags(instruction, start)
    else:
        instruction.flags = ()
    instruction._start = start


_PLAIN_FLAG = re.compile(r"--[!#-&(-[\]-_a-~]++(?=[\t\v\f\r ]|\Z)")


def _read_flags(instruction: Instruction, position: int) -> int:
    """Read the flags and give back where the arguments begin (split_command.go, extractBuilderFlags)."""
    logical = instruction.logical
    text = logical.text
    size = len(text)
    flags: list[Flag] = []
    while True:
        while position < size and text[position] in _BYTE_BLANKS:
            position += 1
        if not text.startswith("--", position):
            break
        match = _PLAIN_FLAG.match(text, position)
        if match is not None:
            word, end = match[0], match.end()
        else:
            word, end = _read_flag(text, position, instruction._escape)
        if word == "--":
            position = end
            break
        name, equals, value = word.partition("=")
        span = logical.span(position, end)
        flags.append(Flag(name[2:], value if equals else None, word, position, end, span))
        position = end
    while position < size and text[position] in _BLANKS:
        position += 1
    instruction.flags = tuple(flags)
    return position


def _read_flag(text: str, position: int, escape: str) -> tuple[str, int]:
    """One flag without its quotes and escapes, and its end. BuildKit reads bytes, so 0x85 and 0xA0 inside a character
    end the flag; what is left of such a character is dropped here, where BuildKit would take it for an argument."""
    word: list[str] = []
    quote = ""
    escaped = False
    size = len(text)
    while position < size:
        character = text[position]
        for byte in character if character < "\x80" else _bytes_as_characters(character):
            if escaped:
                escaped = False
                word.append(byte)
            elif byte == escape:
                escaped = True  # at the very end it is dropped
            elif quote:
                if byte == quote:
                    quote = ""
                else:
                    word.append(byte)
            elif byte in "'\"":
                quote = byte
            elif byte in "\t\n\v\f\r \x85\xa0":
                return "".join(word), position if character < "\x80" or character in _BYTE_BLANKS else position + 1
            else:
                word.append(byte)
        position += 1
    return "".join(word), size


def _bytes_as_characters(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return chr(ord(character) - 0xDC00)
    return character.encode("utf-8", "replace").decode("latin-1")


def _takes_heredocs(instruction: Instruction) -> bool:
    inner = instruction.inner if instruction.name == "ONBUILD" else instruction
    return inner is not None and inner.name in ("ADD", "COPY", "RUN") and not inner.json


def _read_heredocs(
    instruction: Instruction, joined: str, lines: list[str], index: int, offset: int, problems: list[Problem]
) -> tuple[int, int]:
    """Read the bodies of all heredocs of the line; gives back the next line's index and offset.

    `joined` is the line with the blanks at its ends: one behind a backslash belongs to the word.
    """
    logical = instruction.logical
    line = logical.text
    if line.endswith("\\"):
        line = joined.lstrip(_BLANKS)[: len(line) + 1]
    asked, fault = heredoc_words(line)
    if fault is not None:
        problems.append(Problem(logical.span(0, len(logical.text)), fault, True))
    heredocs: list[Heredoc] = []
    places = iter(split(line, "\\"))
    for wanted in asked:
        word = _place_heredoc(instruction, line, wanted.text, places)
        name, strip_tabs = wanted.name, wanted.strip_tabs
        start = offset
        terminator = None
        end = len(instruction._source)
        while index < len(lines):
            here = offset
            candidate = lines[index].rstrip("\r")
            offset += len(lines[index]) + 1
            index += 1
            place = here
            if strip_tabs:
                place += len(candidate)
                candidate = candidate.lstrip("\t")
                place -= len(candidate)
            if candidate == name:
                terminator = Span(place, place + len(name))
                end = here
                break
        if terminator is None:
            start = min(start, end)
            message = f"heredoc `{name}` is not terminated -> add a line `{name}`"
            problems.append(Problem(word.span, message, True))
        # The text of the last line may lack its LF, so it is cut from the source, not joined from the lines.
        body = Logical(instruction._source[start:end], ((0, start, end - start),))
        span = Span(start, end)
        found = terminator or Span(end, end)
        heredocs.append(Heredoc(name, wanted.descriptor, strip_tabs, wanted.expand, word, body, span, found))
        if terminator is None:
            break
    instruction.heredocs = tuple(heredocs)
    return index, offset


def _place_heredoc(instruction: Instruction, line: str, text: str, places: Iterator[Piece]) -> Word:
    """Where a heredoc's word stands. ENV's splitting has the same words, but for blanks behind `<<` and odd `${...}`."""
    size = len(instruction.logical.text)
    for piece in places:
        if line.startswith(text, piece.start):
            return instruction.word(piece.start, min(piece.start + len(text), size))
    return instruction.word(max(line.rfind("<<", 0, size), 0), size)


# Arguments


def _read_arguments(instruction: Instruction) -> None:
    """Fill `arguments`, `json`, `legacy` and the places of the words, as BuildKit's line_parsers.go does."""
    logical = instruction.logical.text
    start = instruction._start
    text = logical[start:]
    name = instruction.name
    arguments: tuple[str, ...]
    places: Iterable[tuple[int, int]] = ()
    faults: tuple[tuple[int, int, str], ...] = ()
    json = legacy = False
    if name in ("RUN", "COPY", "ADD", "CMD", "ENTRYPOINT", "VOLUME", "SHELL", "HEALTHCHECK"):
        kind: tuple[int, int] | None = None  # the CMD or NONE of HEALTHCHECK
        kind_text = ""
        if name == "HEALTHCHECK" and text:
            kind_text, end, after = _split_kind(text)
            kind = (start, start + end)
            start += after
            text = logical[start:]
        array = _read_json(text) if text.lstrip(_BLANKS)[:1] == "[" else None
        if array is not None:
            json = True
            arguments, places = array.strings, [(start + first, start + last) for first, last in array.places]
            if array.fault:
                places = ((start, len(logical)),)
                message = "JSON form with an element that is no string -> put every element in double quotes"
                faults = ((start, len(logical), message),)
        elif not text:
            arguments = ()
        elif name in ("COPY", "ADD", "VOLUME"):
            pieces = split_blank(text)
            arguments = tuple([piece[0] for piece in pieces])
            places = [(start + piece[1], start + piece[2]) for piece in pieces]
        else:
            arguments = (text,)
            places = ((start, len(logical)),)
        if kind is not None and not kind_text:
            arguments, places, json = (), (), False  # BuildKit reads on only behind a word
        elif kind is not None:
            arguments = (kind_text, *arguments)
            places = (kind, *places)
    elif name in ("ENV", "LABEL"):
        pieces = split(text, instruction._escape)
        places = [(start + piece[1], start + piece[2]) for piece in pieces]
        if pieces and "=" not in pieces[0][0]:
            legacy = True
            key, separator, value = _partition_blank(text)
            arguments = (key, value, "")
            places = ((start, start + len(key)), (len(logical) - len(value), len(logical)))[: 2 if separator else 1]
            if not separator:
                message = f"{name} without a value -> write `{name} {key}=value`"
                faults = ((start, start + len(key), message),)
        else:
            values: list[str] = []
            for piece in pieces:
                key, separator, value = piece[0].partition("=")
                values += (key, value, "=")
                if not separator and not faults:
                    message = f"`{key}` has no `=` -> write `{key}=value`, or put quotes around a value with blanks"
                    faults = ((start + piece[1], start + piece[2], message),)
            arguments = tuple(values) if text.isascii() else tuple(map(_readable, values))
    elif name == "ARG":
        pieces = split(text, instruction._escape)
        places = [(start + piece[1], start + piece[2]) for piece in pieces]
        arguments = tuple([_readable(piece[0]) for piece in pieces])
    elif name in ("FROM", "EXPOSE"):
        pieces = split_blank(text)
        arguments = tuple([piece[0] for piece in pieces])
        places = [(start + piece[1], start + piece[2]) for piece in pieces]
    else:
        places = ((start, len(logical)),) if text else ()
        if name == "ONBUILD":
            arguments = ()
        elif name in INSTRUCTIONS:
            arguments = (text,) if text else ()
        else:
            arguments = ("",)
    instruction.arguments = arguments
    instruction.json = json
    instruction.legacy = legacy
    instruction._places = tuple(places)
    instruction._faults = faults


_HEALTHCHECK = pattern(r"([^\t\n\v\f\r \udc85\udca0]*)[\t\n\v\f\r \udc85\udca0]*")
_NO_BYTE = pattern("[\ud800-\udc7f\udd00-\udfff]")


def _split_kind(text: str) -> tuple[str, int, int]:
    """HEALTHCHECK's first word, its end and where the rest begins. BuildKit looks for the blank byte by byte, so the
    bytes 0x85 and 0xA0 inside a character end the word too (line_parsers.go, parseHealthConfig)."""
    match = _HEALTHCHECK.match(text)
    assert match is not None  # the pattern takes an empty text
    if match[1].isascii():
        return match[1], match.end(1), match.end()
    data = _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")
    parts = re.split(rb"[\t\n\v\f\r \x85\xa0]+", data, maxsplit=1)
    kind, rest = (part.decode("utf-8", "surrogateescape") for part in (*parts, b"")[:2])
    return kind, min(len(kind), len(text)), max(len(text) - len(rest), 0)


_SEPARATOR = pattern(r"[\t\v\f\r ]+")
_BAD = pattern("[\ud800-\udfff]")


def _partition_blank(text: str) -> tuple[str, str, str]:
    match = _SEPARATOR.search(text)
    return (text[: match.start()], match[0], text[match.end() :]) if match is not None else (text, "", "")


def _readable(text: str) -> str:
    """Bytes that are not UTF-8 as U+FFFD, which Go writes where it handles text rune by rune."""
    return text if text.isascii() else _BAD.sub("\ufffd", text)


class _Array(NamedTuple):
    """A JSON array: the strings and where they stand; `fault` where an element is no string."""

    strings: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    fault: bool


_STRING = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_STRINGS = re.compile(_STRING)
_W = r"[ \t\r\n]*+"
_ARRAY = re.compile(rf"\[{_W}(?:{_STRING}{_W}(?:,{_W}{_STRING}{_W})*+)?+\]{_W}")
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
_TOKEN = pattern(rf"{_W}(?:(?P<string>{_STRING})|(?P<number>{_NUMBER})|(?P<other>true|false|null|[\[\]{{}},:]))")
_ESCAPE = pattern(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _read_json(text: str) -> _Array | None:
    """The array that Go's json.Unmarshal makes of the text, or None where it would refuse it: a shell form then."""
    start = len(text) - len(text.lstrip(_BLANKS))
    if _ARRAY.fullmatch(text, start) is None:
        return _Array((), (), True) if _is_json(text, start) else None
    strings = []
    places = []
    for match in _STRINGS.finditer(text, start):
        string = match[0][1:-1]
        if "\\" in string:
            string = _ESCAPE.sub(_unescape, string)
        strings.append(_readable(string))
        places.append(match.span())
    return _Array(tuple(strings), tuple(places), False)


def _unescape(match: re.Match[str]) -> str:
    high, low, single, letter = match.groups()
    if letter:
        return _ESCAPES.get(letter, letter)
    if single:
        return chr(int(single, 16))
    return chr(0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00)


def _is_json(text: str, position: int) -> bool:
    """Whether the text is JSON to Go: numbers fit 64-bit floats, at most 10,000 levels. No recursion."""
    size = len(text.rstrip(" \t\r\n"))
    stack: list[str] = []
    expected = "value"  # or: "first" (value or end), "comma" (or end), "key", "first key" (or end), "colon", "nothing"
    while position < size:
        match = _TOKEN.match(text, position)
        if match is None:
            return False
        position = match.end()
        token = match["other"] or ("string" if match["string"] else "value")
        if token == "value" and abs(float(match["number"])) == float("inf"):
            return False
        if expected == "nothing":
            return False
        if expected == "colon":
            if token != ":":
                return False
            expected = "value"
        elif expected in ("key", "first key") and token == "string":
            expected = "colon"
        elif expected in ("value", "first") and token in ("[", "{"):
            stack.append(token)
            if len(stack) > 10_000:
                return False
            expected = "first" if token == "[" else "first key"
        elif expected in ("value", "first") and token in ("string", "value", "true", "false", "null"):
            expected = "comma" if stack else "nothing"
        elif expected == "comma" and token == ",":
            expected = "value" if stack[-1] == "[" else "key"
        elif (token == "]" and expected in ("first", "comma") and stack[-1] == "[") or (
            token == "}" and expected in ("first key", "comma") and stack[-1] == "{"
        ):
            stack.pop()
            expected = "comma" if stack else "nothing"
        else:
            return False
    return expected == "nothing"


def _read_words(instruction: Instruction) -> None:
    text = instruction.logical.text
    span = instruction.logical.span
    instruction.words = tuple(
        [Word(text[start:end], start, end, span(start, end)) for start, end in instruction._places]
    )


def _read_pairs(instruction: Instruction) -> None:
    pairs: list[Pair] = []
    if instruction.name in ("ENV", "LABEL", "ARG"):
        words = instruction.words
        if instruction.legacy:
            pairs.append(Pair(words[0], words[1] if len(words) > 1 else None))
        else:
            for word in words:
                key, equals, _ = word.text.partition("=")
                middle = word.start + len(key)
                if equals:
                    pairs.append(Pair(instruction.word(word.start, middle), instruction.word(middle + 1, word.end)))
                else:
                    pairs.append(Pair(word, None))
    instruction.pairs = tuple(pairs)


def _read_body(instruction: Instruction) -> None:
    logical = instruction.logical
    instruction.body = logical.cut(instruction._start, len(logical.text))


def _read_keyword_span(instruction: Instruction) -> None:
    instruction.keyword_span = instruction.logical.span(0, len(instruction.keyword))


def _read_text_span(instruction: Instruction) -> None:
    end = instruction.span.end
    first = instruction.logical.offset(0)
    text = instruction._source[first:end].rstrip(_BLANKS)
    instruction.text_span = Span(first, first + len(text))


def _read_inside(instruction: Instruction) -> None:
    source = instruction._source
    instruction.inside = tuple(
        [
            Comment(span, source[span.start : span.end].strip(_BLANKS)[1:].strip(_BLANKS))
            for span in instruction._comment_spans
        ]
    )


def _read_inner(instruction: Instruction) -> None:
    """ONBUILD's instruction: the rest of the line, read like a line of its own."""
    instruction.inner = None
    start = instruction._start
    text = instruction.logical.text
    if instruction.name != "ONBUILD" or start >= len(text) or instruction._depth >= _DEEPEST_ONBUILD:
        return
    inner = Instruction()
    inner._source = instruction._source
    inner._escape = instruction._escape
    inner._depth = instruction._depth + 1
    inner._outer = instruction
    inner._comment_spans = ()
    inner.logical = instruction.body
    inner.comments = ()
    _read_keyword(inner)
    instruction.inner = inner


def _read_frame(inner: Instruction) -> None:
    """Lines and heredocs of an ONBUILD's instruction are those of the ONBUILD itself."""
    outer = inner._outer
    inner.span = outer.span
    inner.start_line = outer.start_line
    inner.end_line = outer.end_line
    shift = outer._start
    inner.heredocs = tuple(
        [
            heredoc._replace(word=heredoc.word._replace(start=heredoc.word.start - shift, end=heredoc.word.end - shift))
            for heredoc in outer.heredocs
        ]
    )


_LAZY: dict[str, Callable[[Instruction], None]] = {
    "arguments": _read_arguments,
    "json": _read_arguments,
    "legacy": _read_arguments,
    "_places": _read_arguments,
    "_faults": _read_arguments,
    "words": _read_words,
    "pairs": _read_pairs,
    "body": _read_body,
    "keyword_span": _read_keyword_span,
    "text_span": _read_text_span,
    "inside": _read_inside,
    "inner": _read_inner,
    "span": _read_frame,
    "start_line": _read_frame,
    "end_line": _read_frame,
    "heredocs": _read_frame,
}


# What BuildKit refuses beyond the parser: frontend/dockerfile/instructions, and the check of `--mount` when a RUN is made


def _check_file(syntax: Syntax) -> Iterator[Problem]:
    instructions = syntax.instructions
    if not instructions:
        yield Problem(Span(0, 0), "file has no instruction -> begin with `FROM`", True)
        return
    stage = False
    misplaced = False
    for instruction in instructions:
        name = instruction.name
        if name == "FROM":
            stage = True
        elif not stage and not misplaced and name != "ARG" and name in _NAMES:
            misplaced = True  # BuildKit stops at the first one
            message = f"{name} stands before the first FROM, where only ARG may stand -> put `FROM` before it"
            yield Problem(instruction.keyword_span, message, True)
        if name == "RUN" and not instruction.flags and not instruction.logical.text.startswith("[", instruction._start):
            continue  # most instructions are such, and BuildKit takes any
        yield from _check_instruction(instruction)
    if not stage and not misplaced:
        span = instructions[-1].keyword_span
        yield Problem(span, "file has no FROM, so there is nothing to build -> add `FROM`", True)


def _check_instruction(instruction: Instruction) -> Iterator[Problem]:
    name = instruction.name
    if instruction._faults:
        for start, end, message in instruction._faults:
            yield Problem(instruction.logical.span(start, end), message, True)
        return
    allowed = _FLAGS.get(name)
    if allowed is None:
        if name not in _NAMES:
            message = f"`{instruction.keyword}` is no instruction -> {_advice(name, INSTRUCTIONS)}"
            yield Problem(instruction.keyword_span, message, True)
            return
    elif instruction.flags and not (
        name == "HEALTHCHECK" and instruction.arguments and instruction.arguments[0].upper() == "NONE"
    ):
        yield from _check_flags(instruction, allowed)
    check = _CHECKS.get(name)
    if check is not None:
        fault = check(instruction)
        if fault is not None:
            span, message = fault
            yield Problem(span, message, True)


def _advice(name: str, known: Iterable[str], before: str = "", otherwise: str = "remove it") -> str:
    from difflib import get_close_matches  # only where something is wrong: importing it costs more than a file

    near = get_close_matches(name, list(known), 1)
    return f"did you mean `{before}{near[0]}`?" if near else otherwise


# Kinds of flags: "bool", "text" (once) and "texts" (any number). ARG and STOPSIGNAL take any flag and forget it.
_FLAGS: dict[str, dict[str, str]] = {
    "ADD": {
        "chown": "text", "chmod": "text", "link": "bool", "keep-git-dir": "bool", "checksum": "text", "unpack": "bool",
        "exclude": "texts",
    },
    "COPY": {
        "chown": "text", "from": "text", "chmod": "text", "link": "bool", "exclude": "texts", "parents": "bool",
    },
    "FROM": {"platform": "text"},
    "HEALTHCHECK": {
        "interval": "text", "timeout": "text", "start-period": "text", "start-interval": "text", "retries": "text",
    },
    "RUN": {"mount": "texts", "network": "text", "security": "text", "device": "texts"},
    **{name: {} for name in (
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "USER", "VOLUME", "WORKDIR",
    )},
}  # fmt: skip


def _check_flags(instruction: Instruction, allowed: dict[str, str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for flag in instruction.flags:
        name, value = flag.name, flag.value
        kind = allowed.get(name)
        fault = None
        if kind is None:
            fault = f"`--{name}` is no flag of {instruction.name} -> {_advice(name, allowed, '--')}"
        elif name in seen and kind != "texts":
            fault = f"`--{name}` is given twice -> keep one"
        elif kind == "bool":
            if value == "":
                fault = f"`--{name}=` has no value -> write `--{name}`, or `--{name}=false`"
            elif value is not None and value.lower() not in ("true", "false"):
                fault = f"`{value}` is no value of `--{name}` -> write `true` or `false`"
        elif value is None:
            fault = f"`--{name}` has no value -> write `--{name}=...`"
        else:
            check = _FLAG_CHECKS.get(name)
            if check is not None:
                fault = check(value, instruction._escape)
        seen.add(name)
        if fault is not None:
            yield Problem(flag.span, fault, True)


def _check_network(value: str, _: str) -> str | None:
    if value in ("default", "none", "host"):
        return None
    return f"`{value}` is no network -> write `default`, `none` or `host`"


def _check_security(value: str, _: str) -> str | None:
    if value in ("sandbox", "insecure"):
        return None
    return f"`{value}` is no security mode -> write `sandbox` or `insecure`"


_DURATION = pattern(r"([+-]?)((?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+|0)")
_DURATION_PART = pattern(r"([0-9]*)(?:\.([0-9]*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "\u00b5s": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip


def _check_duration(value: str, _: str) -> str | None:
    """Go's time.ParseDuration, and at least a millisecond or nothing."""
    if not value:
        return None
    match = _DURATION.fullmatch(value)
    fault = f"`{value}` is no duration -> write a number with a unit, such as `30s` or `1m30s`"
    if match is None or len(value) > 100:
        return fault
    total = 0
    for whole, fraction, unit in _DURATION_PART.findall(match[2]):
        total += int(whole or "0") * _NANOSECONDS[unit]
        total += int(fraction or "0") * _NANOSECONDS[unit] // 10 ** len(fraction)
    if total >= 2**63:
        return fault
    if total and (match[1] == "-" or total < 10**6):
        return f"`{value}` is less than a millisecond -> take a longer time, or `0s` for the default"
    return None


def _check_retries(value: str, _: str) -> str | None:
    if not value or (re.fullmatch(r"\+?[0-9]{1,99}|-0{1,99}", value) is not None and int(value) < 2**31):
        return None
    return f"`{value}` is no number of retries -> write a whole number from 0"


def _fields(value: str) -> list[str] | None:
    """The fields of a line of comma-separated values as BuildKit's csvvalue reads it; None where it refuses."""
    if not value:
        return None
    fields: list[str] = []
    position = 0
    while True:
        if value.startswith('"', position):
            match = _QUOTED_FIELD.match(value, position)
            if match is None:
                return None
            fields.append(match[1].replace('""', '"'))
        else:
            match = _BARE_FIELD.match(value, position)
            if match is None:
                return None
            fields.append(match[0])
        position = match.end()
        if position == len(value):
            return fields
        if value[position] != ",":
            return None
        position += 1


_QUOTED_FIELD = pattern(r'"((?:[^"]|"")*+)"')
_BARE_FIELD = pattern(r'[^",]*')
_MOUNT_KEYS = (
    "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "required", "id",
    "sharing", "size", "mode", "uid", "gid", "env",
)  # fmt: skip
_MOUNT_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING = ("shared", "private", "locked")
_NO_CSV = "`{}` is not a comma-separated list of `key=value` -> put double quotes round whole fields only"


def _check_mount(value: str, escape: str) -> str | None:
    """`RUN --mount` (commands_runmount.go, parseMount). A value with a variable, a quote or an escape is taken as right."""
    fields = _fields(value)
    if fields is None:
        return _NO_CSV.format(value)
    settings: dict[str, str | None] = {}  # None: given, but not known
    for field in fields:
        key, equals, setting = field.partition("=")
        key = _fold(key)
        if key == "from" and "$" in setting[:-1]:
            return "`from` of `--mount` takes no variable -> name a stage `FROM ... AS name` and write `from=name`"
        if key not in _MOUNT_KEYS or (not equals and key not in ("readonly", "ro", "readwrite", "rw", "required")):
            if not equals and key in _MOUNT_KEYS:
                return f"`{field}` of `--mount` has no value -> write `{field}=...`"
            return f"`{field}` is no setting of `--mount` -> {_advice(key, _MOUNT_KEYS)}"
        known = not any(character in setting for character in ("$", "'", '"', escape))
        kind = settings.get("type", "bind")
        if known:
            fault = _check_mount_setting(key, setting if equals else "true", kind)
            if fault is not None:
                return fault
        if key == "type":
            setting = _fold(setting)
        settings[{"src": "source", "dst": "target", "destination": "target"}.get(key, key)] = setting if known else None
    kind = settings.get("type", "bind")
    if kind is None:
        return None
    if kind in ("bind", "tmpfs"):
        for key in ("mode", "uid", "gid"):
            if key in settings:
                return f"a mount of type `{kind}` takes no `{key}` -> remove it, or take another type"
    if kind == "secret":
        if settings.get("from", "") != "":
            return "a mount of type `secret` takes no `from` -> remove it"
        if all(settings.get(key, "") == "" for key in ("source", "target", "id")):
            return "a mount of type `secret` needs an `id` or a `target` -> add `id=...`"
        if all(settings.get(key, "") for key in ("source", "id")):
            return "a mount of type `secret` takes `source` or `id`, not both -> keep `id`"
    if settings.get("sharing", "") != "" and kind != "cache":
        return f"a mount of type `{kind}` takes no `sharing` -> remove it"
    return None


def _check_mount_setting(key: str, value: str, kind: str | None) -> str | None:
    """One setting whose value is known; `kind` is the type as far as it has been read, None where it is not known."""
    match key:
        case "type":
            if _fold(value) not in _MOUNT_TYPES:
                return f"`{value}` is no type of mount -> write `{'`, `'.join(_MOUNT_TYPES)}`"
        case "sharing":
            if _fold(value) not in _SHARING:
                return f"`{value}` is no way of sharing -> write `{'`, `'.join(_SHARING)}`"
        case "readonly" | "ro" | "readwrite" | "rw":
            if value not in _TRUE + _FALSE:
                return f"`{value}` is no value of `{key}` -> write `true` or `false`"
        case "required":
            if kind not in ("secret", "ssh", None):
                return f"a mount of type `{kind}` takes no `required` -> put `type=secret` or `type=ssh` before it"
            if value not in _TRUE + _FALSE:
                return f"`{value}` is no value of `{key}` -> write `true` or `false`"
        case "size":
            if kind not in ("tmpfs", None):
                return f"a mount of type `{kind}` takes no `size` -> put `type=tmpfs` before it"
            if _SIZE.fullmatch(value) is None:
                return f"`{value}` is no size -> write such as `64m`"
        case "mode":
            if re.fullmatch("[0-7]{1,99}", value) is None or int(value, 8) >= 2**32:
                return f"`{value}` is no mode -> write an octal number such as `0755`"
        case "uid" | "gid":
            if re.fullmatch("[0-9]{1,99}", value) is None or int(value) >= 2**32:
                return f"`{value}` is no {key} -> write a number"
    return None


# github.com/docker/go-units, RAMInBytes
_SIZE = pattern(
    r"\+?(?:[0-9](?:_?[0-9])*(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9]+)? ?(?:b|[kmgtp](?:i?b)?)?",
    re.IGNORECASE,
)


def _check_device(value: str, _: str) -> str | None:
    """`RUN --device` (commands_rundevice.go, ParseDevice)."""
    fields = _fields(value)
    if fields is None:
        return _NO_CSV.format(value)
    name = ""
    for field in fields:
        key, equals, setting = field.partition("=")
        key = _fold(key)
        if key == "required":
            if equals and setting not in _TRUE + _FALSE:
                return f"`{setting}` is no value of `required` -> write `true` or `false`"
        elif key == "name" and equals:
            if name:
                return f"device is named twice, `{name}` and `{setting}` -> keep one"
            name = setting
        elif not name:
            name = field
        else:
            return f"`{field}` is no setting of `--device` -> {_advice(key, ('name', 'required'))}"
    return None


_FLAG_CHECKS: dict[str, Callable[[str, str], str | None]] = {
    "network": _check_network,
    "security": _check_security,
    "mount": _check_mount,
    "device": _check_device,
    "interval": _check_duration,
    "timeout": _check_duration,
    "start-period": _check_duration,
    "start-interval": _check_duration,
    "retries": _check_retries,
}

_Fault = tuple[Span, str] | None
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")


def _check_from(instruction: Instruction) -> _Fault:
    arguments = instruction.arguments
    if len(arguments) == 1:
        return None
    if len(arguments) != 3 or arguments[1].casefold() != "as":
        if not arguments:
            return instruction.keyword_span, "FROM has no image -> name one, such as `FROM debian:12`"
        span = instruction.logical.span(instruction.words[1].start, instruction.words[-1].end)
        return (
            span,
            "FROM takes an image, or an image with `AS` and a name -> remove the rest (a comment takes a line of its own)",
        )
    if _STAGE_NAME.fullmatch(_fold(arguments[2])) is None:
        message = (
            f"`{arguments[2]}` is no name for a stage -> begin with a letter, then letters, digits, `-`, `_` and `.`"
        )
        return instruction.words[2].span, message
    return None


def _check_copy(instruction: Instruction) -> _Fault:
    if len(instruction.arguments) < 2:
        span = instruction.words[0].span if instruction.words else instruction.keyword_span
        return span, f"{instruction.name} needs at least a source and a destination -> add what is missing"
    last = instruction.arguments[-1]
    if "<<" in last and [word.text for word in heredoc_words(last)[0]] == [last]:
        message = f"{instruction.name} has a heredoc as its destination -> put the destination last"
        return instruction.words[-1].span, message
    return None


def _check_any(instruction: Instruction) -> _Fault:
    if instruction._start < len(instruction.logical.text) and (instruction.arguments or not instruction.json):
        return None
    return instruction.keyword_span, f"{instruction.name} has no argument -> add one, or remove the instruction"


def _check_pairs(instruction: Instruction) -> _Fault:
    arguments = instruction.arguments
    blank = any(argument[:1] == "=" for argument in arguments) if instruction.name == "ARG" else "" in arguments[::3]
    if blank:
        span = next(pair.value.span for pair in instruction.pairs if not pair.key.text and pair.value is not None)
        return Span(
            span.start - 1, span.end
        ), f"{instruction.name} has a value without a name -> put the name before `=`"
    return None if arguments else _check_any(instruction)


def _check_shell(instruction: Instruction) -> _Fault:
    if instruction.json or not instruction.words:
        return _check_any(instruction)
    return instruction.words[0].span, 'SHELL is not in JSON form -> write such as `SHELL ["/bin/bash", "-c"]`'


def _check_volume(instruction: Instruction) -> _Fault:
    for argument, word in zip(instruction.arguments, instruction.words):
        if not argument.strip(_BLANKS):
            return word.span, "VOLUME with an empty path -> name the path, or remove it"
    return _check_any(instruction)


def _check_healthcheck(instruction: Instruction) -> _Fault:
    arguments = instruction.arguments
    if not arguments:
        return (
            instruction.keyword_span,
            "HEALTHCHECK has no argument -> write `HEALTHCHECK CMD ...` or `HEALTHCHECK NONE`",
        )
    kind = arguments[0].upper()
    if kind == "NONE":
        if len(arguments) == 1:
            return None
        return instruction.words[1].span, "HEALTHCHECK NONE takes no argument -> remove it"
    if kind != "CMD":
        return instruction.words[0].span, f"`{arguments[0]}` is no form of HEALTHCHECK -> write `CMD` or `NONE`"
    if len(arguments) == 1:
        return instruction.words[0].span, "HEALTHCHECK CMD has no command -> add one"
    return None


def _check_onbuild(instruction: Instruction) -> _Fault:
    inner = instruction.inner
    if inner is None:
        return _check_any(instruction)
    if inner._faults:
        start, end, message = inner._faults[0]
        return inner.logical.span(start, end), message
    if inner.keyword.strip(_BLANKS).upper() in ("ONBUILD", "FROM", "MAINTAINER"):
        return inner.keyword_span, f"{inner.name} cannot stand behind ONBUILD -> remove it"
    return None


_CHECKS: dict[str, Callable[[Instruction], _Fault]] = {
    "ADD": _check_copy,
    "ARG": _check_pairs,
    "COPY": _check_copy,
    "ENV": _check_pairs,
    "EXPOSE": _check_any,
    "FROM": _check_from,
    "HEALTHCHECK": _check_healthcheck,
    "LABEL": _check_pairs,
    "MAINTAINER": _check_any,
    "ONBUILD": _check_onbuild,
    "SHELL": _check_shell,
    "STOPSIGNAL": _check_any,
    "USER": _check_any,
    "VOLUME": _check_volume,
    "WORKDIR": _check_any,
}
