"""BuildKit's word splitting and `${...}` expansion, in all forms."""

import re
from collections.abc import Mapping

from dfopt.startup import NamedTuple, pattern

# White space as Go's unicode.IsSpace has it; Python's `\s` also takes U+001C to U+001F, Go does not.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def _word_pattern(escape: str) -> re.Pattern[str]:
    # An unclosed quote runs to the end; a lone escape token at the very end belongs to no word.
    return pattern(rf"""(?:[^{_SPACE}'"{escape}]+|{escape}.|'[^']*'?|"(?:[^"{escape}]+|{escape}.)*"?)+""", re.DOTALL)


_WORDS = {"\\": _word_pattern(r"\\"), "`": _word_pattern("`")}
_NOT_BLANK = re.compile(r"[^\t\v\f\r ]+")


class Piece(NamedTuple):
    """A word as written and its place `[start, end)` in the text that was split."""

    text: str
    start: int
    end: int


class Expansion(NamedTuple):
    """What a word expands to.

    `value` is None where it cannot be known: it needs a variable whose value is unknown (mapped to None), or BuildKit
    refuses it (`error` says why, else None) or would with some value of that variable. `used` names every variable
    that was looked at, in order, once each; `unset` those of them that had no value at all.
    """

    value: str | None
    used: tuple[str, ...]
    unset: tuple[str, ...]
    error: str | None


def split(text: str, escape: str) -> list[Piece]:
    """The words of ENV, LABEL and ARG, split as BuildKit does: quotes and the escape token respected, both kept.

    BuildKit drops an escape token that is the last character of the text; so it lies in no piece.
    (`parseWords` in BuildKit's frontend/dockerfile/parser/line_parsers.go)
    """
    return [Piece(match[0], match.start(), match.end()) for match in _WORDS[escape].finditer(text)]


def split_blank(text: str) -> list[Piece]:
    r"""The words of COPY, ADD, VOLUME, FROM and EXPOSE: split on runs of `[\t\v\f\r ]`, no quotes."""
    return [Piece(match[0], match.start(), match.end()) for match in _NOT_BLANK.finditer(text)]


def expand(text: str, variables: Mapping[str, str | None], escape: str) -> Expansion:
    """Expand one word as BuildKit's `ProcessWord` does (quotes removed). A name that maps to None is set but not known.

    Where `${...}` nests deeper than 64 levels the value is given as unknown; BuildKit has no such limit.
    """
    if _SPECIAL.search(text) is None and (text.isascii() or _ODD.search(text) is None):
        return Expansion(text, (), (), None)
    return _run(_Lexer(text, variables, escape, splits=False))[1]


def expand_words(text: str, variables: Mapping[str, str | None], escape: str) -> tuple[list[str] | None, Expansion]:
    """As BuildKit's `ProcessWords`: expand, then split at blanks that are not quoted (used by EXPOSE and others).

    The words are None where the value is. BuildKit's fault is kept: a `${name:-word}` (any form with a word) drops
    what stands before it in its own word.
    """
    return _run(_Lexer(text, variables, escape))


class HeredocWord(NamedTuple):
    """A word of an instruction's line that asks for a heredoc, such as `3<<-"EOF"`."""

    text: str  # quotes and escapes kept
    descriptor: int  # 0 where none is written
    strip_tabs: bool
    name: str
    expand: bool  # no quote in the name


def heredoc_words(text: str) -> tuple[list[HeredocWord], str | None]:
    r"""The heredocs that a whole line (continuations joined) asks for, in order, and why BuildKit refuses it, or None.

    Lexed with `\` whatever the escape token is; where that fails (a quote that is not closed) there are none. Where a
    `${name:-word}` stands outside quotes the texts need not be pieces of the line: see `expand_words`.
    (`heredocsFromLine` in BuildKit's frontend/dockerfile/parser/parser.go)
    """
    found: list[HeredocWord] = []
    if "<<" not in text:
        return found, None
    for word in _run(_Lexer(text, {}, "\\", raw_quotes=True, raw_escapes=True, keep_unset=True))[0] or ():
        match = _HEREDOC.fullmatch(word)
        if match is None or not match[3]:
            continue
        names, expansion = _run(_Lexer(match[3], {}, "\\", keep_unset=True))
        if names is None:
            return found, expansion.error
        if len(names) != 1:
            continue
        raw = _run(_Lexer(match[3], {}, "\\", raw_quotes=True, keep_unset=True))[0] or []
        if len(raw) != 1:
            return found, f"`{match[3]}` is one word or several by how its quotes are read -> take a plain name"
        descriptor = min(int(match[1] or "0"), _HIGHEST_DESCRIPTOR)
        expand = _quotes(names[0]) == _quotes(raw[0])
        found.append(HeredocWord(word, descriptor, match[2] == "-", names[0], expand))
    return found, None


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


_HEREDOC = pattern(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)")
_HIGHEST_DESCRIPTOR = 2**64 - 1
# What cannot be taken as it stands. A byte order mark counts at the start only; lone surrogates are bytes that are not
# UTF-8.
_SPECIAL = re.compile("[$'\"\\\\`]")
_ODD = pattern("[\ud800-\udfff]|\\A\ufeff")
_SURROGATE = pattern("[\ud800-\udfff]")
_RUN = pattern(f"[{_SPACE}]+|[^{_SPACE}]+")
_PLAIN = {stop: re.compile(f"[^$'\"<\\\\`{stop}]+") for stop in ("", "/", "}")}  # by what ends the text
# Two sets, as one that is written with a range up to U+10FFFF takes 2 ms to compile.
_ASCII_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+)(?![0-9A-Za-z_]|[^\x00-\x7f])")
_SPECIAL_PARAMETERS = frozenset("@*#?-$!0")
_DEEPEST = 64


class _Refused(Exception):
    """BuildKit refuses the word; the argument says why."""


class _TooDeep(Exception):
    """The word nests deeper than is read here."""


def _is_name(character: str) -> bool:
    return character.isalpha() or character.isdecimal() or character == "_"


def _unknown_form(modifier: str) -> _Refused:
    return _Refused(f"`{modifier}` is no form of substitution in a Dockerfile")


def _run(lexer: "_Lexer") -> tuple[list[str] | None, Expansion]:
    value: str | None = None
    words: list[str] | None = None
    error: str | None = None
    try:
        value, words = lexer.read_to("", lexer.raw_escapes, False)
        if lexer.doubtful:
            value = words = None
    except _Refused as refused:
        error = refused.args[0]
    except _TooDeep:
        pass
    return words, Expansion(value, tuple(lexer.used), tuple(lexer.unset), error)


def _readable(text: str) -> str:
    """The characters that Go reads: U+FFFD for each byte that is not UTF-8."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _scannable(text: str) -> str:
    """The characters that Go's text/scanner gives, which drops a byte order mark at the start."""
    return _readable(text).removeprefix("\ufeff")


class _Words:
    """The words of one run of text; `buffer` holds the word that grows and is shared with the runs nested in it."""

    __slots__ = ("buffer", "inside", "words")

    def __init__(self, buffer: list[str]) -> None:
        self.buffer = buffer
        self.words: list[str] = []
        self.inside = False

    def add(self, text: str) -> None:
        """Text that was not quoted: blanks end the word."""
        for run in _RUN.findall(text):
            if not run[0].isspace() or run[0] in "\x1c\x1d\x1e\x1f":
                self.buffer.append(run)
                self.inside = True
            elif self.inside and self.buffer:
                self.words.append("".join(self.buffer))
                self.buffer.clear()
                self.inside = False

    def add_raw(self, text: str) -> None:
        """Text that was quoted or escaped."""
        if text:
            self.buffer.append(text)
        self.inside = True

    def finish(self) -> list[str]:
        if self.buffer:
            self.words.append("".join(self.buffer))
            self.buffer.clear()
        return self.words


class _Lexer:
    """One reading of a word, as `shellWord` in BuildKit's frontend/dockerfile/shell/lex.go; "" stands for the end."""

    __slots__ = (
        "at",
        "buffer",
        "depth",
        "doubtful",
        "escape",
        "keep_unset",
        "raw_escapes",
        "raw_quotes",
        "splits",
        "text",
        "unset",
        "used",
        "variables",
    )

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str | None],
        escape: str,
        *,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
        splits: bool = True,
    ) -> None:
        self.text = _scannable(text)
        self.at = 0
        self.variables = variables
        self.escape = escape
        self.raw_quotes = raw_quotes
        self.raw_escapes = raw_escapes
        self.keep_unset = keep_unset
        self.splits = splits
        self.used: dict[str, None] = {}
        self.unset: dict[str, None] = {}
        self.buffer: list[str] = []
        self.depth = 0
        self.doubtful = False  # BuildKit may refuse the word, depending on a value that is not known

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        character = self.text[self.at : self.at + 1]
        self.at += len(character)
        return character

    def look_up(self, name: str) -> tuple[str | None, bool]:
        """The value, "" where there is none and None where it is not known, and whether the variable is set."""
        self.used[name] = None
        if name in self.variables:
            return self.variables[name], True
        self.unset[name] = None
        return "", False

    def read_to(self, stop: str, raw_escapes: bool, pattern: bool) -> tuple[str | None, list[str] | None]:
        """Value and words up to `stop`, which is taken; `pattern` doubles escapes in quotes, to be read again.

        Only the outermost text has words; one that is nested in it empties the buffer of the word that grows.
        """
        if self.depth == _DEEPEST:
            raise _TooDeep
        self.depth += 1
        outer_escapes, self.raw_escapes = self.raw_escapes, raw_escapes
        self.buffer.clear()
        words = _Words(self.buffer) if self.splits and self.depth == 1 else None
        result: list[str] = []
        known = True
        plain = _PLAIN[stop]
        text = self.text
        while self.at < len(text):
            character = text[self.at]
            if character == stop:
                break
            if character == "$":
                value = self.dollar()
                if value is None:
                    known = False
                    continue
                result.append(value)
                if words is not None:
                    words.add(_readable(value))
            elif character in "'\"<":
                if character == "'":
                    value = self.single_quoted(pattern)
                elif character == '"':
                    value = self.double_quoted(pattern)
                else:
                    value = self.less_than()
                if value is None:
                    known = False
                    continue
                result.append(value)
                if words is not None:
                    words.add_raw(value)
            elif character == self.escape:
                self.at += 1
                value = (character if raw_escapes else "") + self.next()
                result.append(value)
                if words is not None and value:
                    words.add_raw(value)
            else:
                match = plain.match(text, self.at)
                run = match[0] if match else character
                self.at += len(run)
                result.append(run)
                if words is not None:
                    words.add(run)
        if stop and not self.next():
            raise _Refused(f"`{stop}` is missing -> close the `${{`")
        self.raw_escapes = outer_escapes
        self.depth -= 1
        if not known:
            return None, None
        return "".join(result), None if words is None else words.finish()

    def single_quoted(self, pattern: bool) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise _Refused("a single quote is not closed -> close it")
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        if pattern:
            inner = inner.replace(self.escape, self.escape * 2)
        return f"'{inner}'" if self.raw_quotes else inner

    def double_quoted(self, pattern: bool) -> str | None:
        self.at += 1
        quote = '"' if self.raw_quotes else ""
        result = [quote]
        known = True
        while (character := self.peek()) != '"':
            if not character:
                raise _Refused("a double quote is not closed -> close it")
            if character == "$":
                value = self.dollar()
                if value is None:
                    known = False
                else:
                    result.append(value)
                continue
            self.at += 1
            if character == self.escape:
                following = self.peek()
                if not following:
                    continue
                if following in ('"', "$", self.escape):
                    if self.raw_escapes:
                        result.append(character)
                    character = self.next()
                elif self.raw_escapes and (pattern or not self.raw_quotes):
                    result.append(character)
            result.append(character)
        self.at += 1
        result.append(quote)
        return "".join(result) if known else None

    def less_than(self) -> str:
        """`<`, or `<<` with the blanks behind it, which keeps `<< EOF` one word."""
        start = self.at
        self.at += 1
        if self.peek() == "<":
            self.at += 1
            while self.peek() in ("\t", "\r", " "):
                self.at += 1
        return self.text[start : self.at]

    def name(self) -> str:
        start = self.at
        match = _ASCII_NAME.match(self.text, start)
        if match is not None:
            self.at = match.end()
            return match[0]
        character = self.peek()
        if character.isdecimal():
            while self.peek().isdecimal():
                self.at += 1
        elif character in _SPECIAL_PARAMETERS:
            self.at += 1
        else:
            while _is_name(self.peek()):
                self.at += 1
        return self.text[start : self.at]

    def dollar(self) -> str | None:
        start = self.at
        self.at += 1
        if self.peek() != "{":
            name = self.name()
            return self.value(name, start) if name else "$"
        self.at += 1
        following = self.peek()
        if following and following in "{}:":
            raise _Refused(f"`${{{following}` names no variable -> write `${{name}}`")
        name = self.name()
        modifier = self.next()
        if modifier == "}":
            return self.value(name, start)
        if modifier == "/":
            return self.replaced(name)
        empty_is_unset = modifier == ":"
        if empty_is_unset:
            modifier = self.next()
        if not modifier:
            raise _Refused("`}` is missing -> close the `${`")
        if modifier in "#%" if empty_is_unset else modifier not in "+-?#%":
            raise _unknown_form(":" * empty_is_unset + modifier)
        return self.modified(name, modifier, empty_is_unset)

    def value(self, name: str, start: int) -> str | None:
        value, is_set = self.look_up(name)
        return self.text[start : self.at] if self.keep_unset and not is_set else value

    def modified(self, name: str, modifier: str, empty_is_unset: bool) -> str | None:
        value, is_set = self.look_up(name)
        cuts = modifier in "#%"
        word = self.read_to("}", cuts, cuts)[0]
        if self.keep_unset and not is_set:
            return f"${{{name}{':' * empty_is_unset}{modifier}{word}}}"
        if modifier not in "+-?#%":  # behind a `:`; BuildKit looks at it as late as this
            raise _unknown_form(f":{modifier}")
        absent = not is_set or (empty_is_unset and value == "")
        if modifier == "-":
            return word if absent else value
        if modifier == "+":
            if absent or word == "":
                return ""
            # A value that is not known may be empty.
            return None if empty_is_unset and value is None else word
        if modifier == "?":
            if absent:
                raise _Refused(f"`{name}` is {'empty' if is_set else 'not set'}" + (f": {word}" if word else ""))
            if empty_is_unset and value is None:
                self.doubtful = True
            return value
        if word is None:
            self.doubtful = True
            return None
        greedy = word[:1] == modifier
        glob = word[1:] if greedy else word
        if modifier == "#":
            return _cut(glob, value, greedy)
        return _reversed_text(_cut(_reversed_glob(glob), _reversed_text(value), greedy))

    def replaced(self, name: str) -> str | None:
        value, is_set = self.look_up(name)
        everywhere = self.peek() == "/"
        if everywhere:
            self.at += 1
        glob = self.read_to("/", True, True)[0]
        replacement = self.read_to("}", True, False)[0]
        if self.keep_unset and not is_set:
            return f"${{{name}/{glob}/{replacement}}}"
        if glob is None:
            self.doubtful = True
            return None
        program = _compiled(glob, True)
        if value is None:
            return None
        if everywhere:
            return _replace_all(program, value, replacement)
        found = _search(program, _readable(value), 0, False)
        if found is None:
            return value
        return None if replacement is None else value[: found[0]] + replacement + value[found[1] :]


def _reversed_text(text: str | None) -> str | None:
    return None if text is None else _readable(text)[::-1]


def _reversed_glob(glob: str) -> str:
    r"""The pattern from its end, a `\` still before the character that it escapes."""
    return "".join(reversed(re.findall(r"\\.|.", glob, re.DOTALL)))


# A pattern is a list of tokens: one character that stands for itself, or one of these.
_ANY = "any"
_STAR = "star"
_LAZY_STAR = "lazy star"


def _compiled(glob: str, greedy: bool) -> list[str]:
    r"""The tokens of a pattern. The escape is always `\` here, whatever the escape token is."""
    tokens: list[str] = []
    characters = iter(_scannable(glob))
    for character in characters:
        if character == "*":
            tokens.append(_STAR if greedy else _LAZY_STAR)
        elif character == "?":
            tokens.append(_ANY)
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in ("}", "/", "*", "?", "\\"):
                raise _Refused(f"`\\{escaped}` is no escape in a pattern -> escape only `*`, `?`, `\\`, `/` and `}}`")
            tokens.append(escaped)
        else:
            tokens.append(character)
    return tokens


def _cut(glob: str, text: str | None, greedy: bool) -> str | None:
    """The text without what the pattern matches at its start."""
    program = _compiled(glob, greedy)
    if text is None:
        return None
    found = _search(program, _readable(text), 0, True)
    return text if found is None else text[found[1] :]


def _replace_all(program: list[str], text: str, replacement: str | None) -> str | None:
    """Every match replaced as Go's `Regexp.ReplaceAllString` does: no empty match directly behind another match."""
    readable = _readable(text)
    pieces: list[str] = []
    done = at = 0
    while at <= len(text) and (found := _search(program, readable, at, False)) is not None:
        start, end = found
        pieces.append(text[done:start])
        if end > done or start == 0:
            if replacement is None:
                return None
            pieces.append(_filled(replacement, text[start:end]))
        done = end
        at = max(at + 1, end)
    pieces.append(text[done:])
    return "".join(pieces)


def _filled(template: str, found: str) -> str:
    """The replacement of one match. Go's regexp gets it: `$0` is the match, `$$` is `$`, any other name is nothing."""
    pieces: list[str] = []
    at = 0
    while (dollar := template.find("$", at)) >= 0:
        pieces.append(template[at:dollar])
        at = dollar + 1
        if template.startswith("$", at):
            pieces.append("$")
            at += 1
            continue
        brace = template.startswith("{", at)
        start = end = at + brace
        while _is_name(template[end : end + 1]):
            end += 1
        if start == end or (brace and not template.startswith("}", end)):
            pieces.append("$")
            continue
        if template[start:end] == "0":
            pieces.append(found)
        at = end + brace
    pieces.append(template[at:])
    return "".join(pieces)


def _search(program: list[str], text: str, start: int, anchored: bool) -> tuple[int, int] | None:
    """The leftmost match from `start` on, among those the one that a backtracking search finds first.

    All ways are followed at once, in order of preference, so that the time is at most length times pattern; a star
    or `?` takes no line feed.
    """
    length = len(program)
    threads: list[tuple[int, int]] = []
    best: tuple[int, int] | None = None
    for at in range(start, len(text) + 1):
        if best is None and (at == start or not anchored):
            threads = [*threads, (0, at)]
        if not threads:
            break
        character = text[at : at + 1]
        following: list[tuple[int, int]] = []
        seen: set[int] = set()
        taken: set[int] = set()
        stack = threads[::-1]
        while stack:
            state, begin = stack.pop()
            if state < 0:  # a star that takes one more character, put off behind the tokens after it
                if character and character != "\n" and ~state not in taken:
                    taken.add(~state)
                    following.append((~state, begin))
                continue
            if state in seen:
                continue
            seen.add(state)
            if state == length:
                best = begin, at
                break
            token = program[state]
            if token is _STAR:
                stack.append((state + 1, begin))
                stack.append((~state, begin))
            elif token is _LAZY_STAR:
                stack.append((~state, begin))
                stack.append((state + 1, begin))
            elif character and (character != "\n" if token is _ANY else character == token):
                following.append((state + 1, begin))
        threads = following
    return best
