"""A RUN's text to commands with exact places; a reader of our own that says `opaque` wherever it is unsure.

Offsets are into the text that was read (`Script.text`); the caller maps them into the file with `syntax.Logical`.

The rules are those of the POSIX shell command language (XCU chapter 2) and of what dash 0.5.12, busybox ash 1.35 and
bash 5.2 do beyond it. Where these three read a text differently and it is not known which of them will
(`dialect="sh"`), the whole script is opaque if its structure differs, and a word's `value` is None if only what the
command gets differs. Unsureness inside a nested script makes the outermost one opaque: a script that is not opaque
holds no opaque part.

A heredoc's body stands behind the end of its line, so it lies outside the span of its redirection and command. A RUN
whose line holds `<<EOF` is read with its heredocs put behind it, as BuildKit does: line, line feed, body, terminator.
"""

import re
from collections.abc import Callable, Iterator

from dfopt.startup import NamedTuple, pattern


class Word(NamedTuple):
    """A word of a command.

    `text` is as written. `value` is what the command gets where that is certain without running anything: quotes
    removed, no expansion, tilde, brace or pathname pattern in it; else None. `glob` is the same with its unquoted
    `* ? [` kept where pathname expansion is all that keeps `value` from being known (quoted pattern characters make it
    None); it is None where `value` is known. A word whose `value` is None may become any number of words. `names` are
    the variables that it reads (`!x` for bash's `${!x}`, which reads the variable that `x` names), without those read
    in its `substitutions`: the scripts inside `$(...)`, backquotes, `<(...)`.
    """

    text: str
    value: str | None
    glob: str | None
    start: int
    end: int
    names: tuple[str, ...]
    substitutions: tuple["Script", ...]


class Assignment(NamedTuple):
    """`name=value` before a command's first word; `value` is None for `name=`, and spans the parentheses of an array.

    `name` has its subscript with it (`a[1]`). `append` is bash's `+=`.
    """

    name: str
    value: Word | None
    append: bool
    start: int
    end: int


class Redirection(NamedTuple):
    """A redirection from its descriptor to behind its target; a heredoc's `body` stands further behind."""

    operator: str
    descriptor: str | None  # digits or {name} as written
    target: Word
    body: Word | None  # a heredoc's text; its `value` has the tabs of `<<-` removed
    start: int
    end: int


class Simple(NamedTuple):
    """A simple command."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int


class Compound(NamedTuple):
    """`kind` is subshell, group, if, for, while, until, case, function, arithmetic, test, select.

    `bodies` are the lists inside, in order (conditions too); `words` its own words (for's list, case's subject and then
    its patterns, test's words and operators, the `((...))` of arithmetic). `name` is the variable of for and select,
    and a function's name. `text` is as written.

    A function's one body is a script whose only command is the compound that it runs.
    """

    kind: str
    bodies: tuple["Script", ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int
    name: str
    text: str


class Pipeline(NamedTuple):
    """Commands joined by `operators` (`|`, in bash `|&` too); `negated` by `!`, `timed` by bash's keyword `time`."""

    commands: tuple["Simple | Compound", ...]
    negated: bool
    start: int
    end: int
    operators: tuple[str, ...]
    timed: bool


class Step(NamedTuple):
    """A pipeline and what joins it to the one before: "" for the first, else `&&`, `||`, `;`, `&` or a line feed.

    A list `a && b; c` is three steps. `operator_start` and `operator_end` give the operator's place (equal where none).
    """

    operator: str
    operator_start: int
    operator_end: int
    pipeline: Pipeline


class Script:
    """A list of pipelines. `opaque` says why the text was not understood (then `steps` is empty), else None.

    `terminator` is the operator behind the last step ("" or `;` or `&` or line feed). `start` and `end` are just behind
    what opens and just before what closes a nested script. `comments` are the places of the shell comments between, in
    scripts nested in it too.
    """

    __slots__ = ("text", "start", "end", "steps", "terminator", "comments", "opaque")

    def __init__(
        self,
        text: str,
        start: int,
        end: int,
        steps: tuple[Step, ...] = (),
        terminator: str = "",
        comments: tuple[tuple[int, int], ...] = (),
        opaque: str | None = None,
    ) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.steps = steps
        self.terminator = terminator
        self.comments = comments
        self.opaque = opaque

    def __repr__(self) -> str:
        return f"<Script {self.text[self.start : self.end]!r}{f' opaque: {self.opaque}' if self.opaque else ''}>"


def read(text: str, dialect: str = "sh") -> Script:
    """Read a script; `dialect` is `posix` (dash), `bash`, `busybox`, or `sh`: not known which, so that what they read
    differently is opaque. Never raises."""
    if dialect not in ("sh", "bash", "posix", "busybox"):
        return Script(text, 0, len(text), opaque=f"unknown dialect `{dialect}`")
    if "\0" in text:
        return Script(text, 0, len(text), opaque="NUL character")
    try:
        return _Reader(text, dialect, 0).script()
    except _Unsure as unsure:
        return Script(text, 0, len(text), opaque=unsure.args[0])
    except RecursionError:
        return Script(text, 0, len(text), opaque="nested too deeply")


def dialect_of(shell: tuple[str, ...] | None, first_line: str = "") -> str | None:
    """The dialect of a SHELL instruction's words (None: BuildKit's default `/bin/sh -c`) or of a shebang line.

    None where it is no Bourne shell (cmd, PowerShell, python, unknown) or is started in a way that changes what its
    text means (`-i`, which brings aliases).
    A `first_line` that begins with `#!` counts alone, as BuildKit runs such a heredoc as a program.
    """
    if first_line.startswith("#!"):
        # The kernel splits the line into the interpreter and at most one argument (execve(2)).
        parts = first_line[2:].rstrip("\n").strip(" \t").split(None, 1)
        words = tuple(parts)
        if len(parts) == 2 and _program(parts[0]) == "env":
            split = parts[1].startswith("-S")
            words = (parts[0], *parts[1][2:].split()) if split else words if len(parts[1].split()) == 1 else ()
        return _dialect(words, command=False)
    return _dialect(("/bin/sh", "-c") if shell is None else shell, command=True)


def simple_commands(script: Script) -> Iterator[tuple[Simple, tuple[str, ...]]]:
    """Every simple command, those in substitutions too, in order of place, with the kinds of what it stands in
    (`("if", "substitution")`)."""
    found: list[tuple[Simple, tuple[str, ...]]] = []
    _collect(script, (), found)
    found.sort(key=_place)
    return iter(found)


class Token(NamedTuple):
    """A word or an operator as written, and the offset where it stands."""

    text: str
    start: int


def tokens(script: Script) -> tuple[str, ...]:
    """The words and operators as written, in order, without comments and blanks.

    Scripts of one dialect with equal tokens mean the same.

    A line feed that ends a command is a token, one that means nothing is not. A heredoc's body follows its delimiter.
    An opaque script is one token, its whole text.
    """
    if script.opaque is not None:
        return (script.text[script.start : script.end],)
    into: list[Token] = []
    _script_tokens(script, into)
    if into and script.terminator == "\n":
        into.pop()
    return tuple([token.text for token in into])


def step_tokens(step: Step) -> list[Token]:
    """The tokens of one step's pipeline with their places, without the operator that joins it to the step before."""
    into: list[Token] = []
    _pipeline_tokens(step.pipeline, into)
    return into


# How deep lists may nest; each level takes some ten frames of the interpreter's stack.
_DEEPEST = 50

_CLOSING = frozenset(("then", "do", "done", "elif", "else", "esac", "fi", "}", "in"))
_OPENING = frozenset(
    ("if", "for", "while", "until", "case", "{", "!", "function", "select", "coproc", "time", "[[", "]]")
)
_RESERVED = _CLOSING | _OPENING
# Reserved words that are hardly ever followed by a redirection or parenthesis without a blank.
_ALONE = frozenset(("!", "function", "select", "coproc", "time", "[[", "]]"))
# Commands that change how the rest is read.
_TELLING = frozenset(("alias", "[["))
# What may stand before a closing word without `;` between, as it ends with a reserved word or parenthesis itself.
_BLOCKS = frozenset(("subshell", "group", "if", "for", "while", "until", "case"))
# bash reads `name=(...)` as an array in the arguments of these (bash(1), DECLARE in SHELL BUILTIN COMMANDS).
_DECLARING = frozenset(("declare", "typeset", "local", "export", "readonly"))

_ORDINARY = r"[^ \t\n;&|()<>'\"\\$`*?\[{~#]"
# A word that means itself, delimited by what does not need a closer look.
_plain = re.compile(rf"[ \t]*({_ORDINARY}(?:{_ORDINARY}|\#)*+|\{{\}}?|\[\[?)(?=[ \t\n;&|)]|\Z)").match
_keyword = re.compile(
    r"[ \t]*(if|then|elif|else|fi|for|while|until|do|done|case|esac|in|[{}!]|function|select|coproc|time|\[\[|\]\])(?=[(<>])",
).match
# It matches the empty text too, so never None.
_blank: "Callable[[str, int, int], re.Match[str]]" = re.compile(r"(?:[ \t]++|\\\n)*+").match  # type: ignore[assignment]
_comment = re.compile(r"#[^\n]*+").match
_unquoted_run = re.compile(r"[^ \t\n;&|()<>'\"\\$`*?\[]++").match
_double_run = re.compile(r"[^\"\\$`]++").match
_heredoc_run = pattern(r"[^\\$`]++").match
_backquoted = pattern(r"`([^`\\]*+(?:\\.[^`\\]*+)*+)`", re.DOTALL).match
_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+").match
_whole_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_function_name = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+@-]*").fullmatch
_function_word = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+@-]*+").match
_parameter = pattern(
    r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*+)(\}?)|([#!](?=[A-Za-z0-9_@*]))?([A-Za-z_][A-Za-z0-9_]*+|[0-9]++|[@*#?$!-]))"
).match
_brace_run = pattern(r"[^}'\"\\$`<>\n]++").match
# Quoted text inside a quoted `${...}` that ends at the same place whether its quotes count or not.
_neutral = pattern(r"'[^'\"}$`\\{\n]*+'|\"(?:[^'\"}$`\\{\n]|\$[A-Za-z_])*+\"").match
_arithmetic_run = pattern(r"[A-Za-z0-9_ \t\n+*/%<>=!&|^~?:,-]++").match
_dollar_names = pattern(r"\$([A-Za-z_][A-Za-z0-9_]*+)").findall
_arithmetic_names = pattern(r"(?<![A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*+").findall
_ansi_quoted = pattern(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL).match
_ansi_simple = pattern(r"(?:[^\\]|\\[abefnrtv\\'\"])*+").fullmatch
_assigning = re.compile(r"([A-Za-z_][A-Za-z0-9_]*+)(\[[^\]]*+\])?(\+?)=").match
_subscripted = pattern(r"[A-Za-z_][A-Za-z0-9_]*+\[").match
_simple_subscript = pattern(r"\[(?:[A-Za-z0-9_]*|'[^'\\]*'|\"[^\"\\$`]*\")\]").fullmatch
_element = pattern(r"\[(?:[A-Za-z0-9_]+|'[^'\\]*'|\"[^\"\\$`]*\")\]\+?=").match
_array_target = pattern(r"[A-Za-z_][A-Za-z0-9_]*\+?=").fullmatch
_redirecting = re.compile(r"([0-9]*+|\{[A-Za-z_][A-Za-z0-9_]*+\})(<<<|<<-?|<&|<>|<|>>|>&|>\||>|&>>?)").match
_tilde = re.compile(r"(?:\A|[=:])~").search
_unary = pattern(r"-[a-hknoprstuvwxzGLNORS]").fullmatch
_binary = pattern(r"=|==|!=|=~|<|>|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)").fullmatch
_TEST_ENDS = frozenset(("&&", "||", ")"))
_regular_run = pattern(r"[^ \t\n;&()<>'\"\\$`]++").match
_test_operator = pattern(r"&&|\|\||[()<>]").match
_gap = re.compile(r"[ \t]++|\\\n|#[^\n]*+|(\n|;;&|;;|;&|&&|\|\||\|&|[;&|()]|[^ \t\n;&|()<>#\\]++)").match

_ANSI = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ansi_escape = pattern(r"\\(.)", re.DOTALL).sub

# Line feeds behind these mean nothing.
_JOINING = frozenset(
    (
        ";",
        "&",
        "&&",
        "||",
        "|",
        "|&",
        "(",
        "{",
        "then",
        "do",
        "else",
        "elif",
        "if",
        "while",
        "until",
        ";;",
        ";&",
        ";;&",
        "\n",
    )
)

_new = tuple.__new__


class _Unsure(Exception):
    """Why a text is opaque."""


class _Heredoc(NamedTuple):
    """A heredoc whose body is still to come; `place` is where its redirection starts."""

    place: int
    delimiter: str
    strip_tabs: bool
    quoted: bool


class _Reader:
    """Reads `text[pos:end]`; each method begins at `pos` and leaves it behind what it read."""

    __slots__ = (
        "text",
        "end",
        "pos",
        "dialect",
        "bash",
        "depth",
        "substituting",
        "pending",
        "bodies",
        "comments",
        "alias",
        "continued",
        "inside_body",
    )

    def __init__(self, text: str, dialect: str, depth: int) -> None:
        self.text = text
        self.end = len(text)
        self.pos = 0
        self.dialect = dialect
        self.bash = dialect == "bash"
        self.depth = depth
        self.substituting = 0
        self.pending: list[_Heredoc] = []
        self.bodies: dict[int, Word] = {}
        self.comments: list[tuple[int, int]] = []
        self.alias = -1
        self.continued = False
        self.inside_body = False

    def script(self) -> Script:
        script = self.commands(0)
        if self.pos < self.end:
            raise _Unsure(f"unexpected `{self.text[self.pos : self.pos + 10].split()[0]}`")
        if self.pending:
            raise _Unsure("heredoc without a body")
        if self.alias >= 0 and (not self.bash or "expand_aliases" in self.text):
            # Lines behind it may read differently, unless they hold nothing but blanks and comments.
            if not re.fullmatch(r"[^\n]*(?:\n[ \t]*(?:#[^\n]*)?)*", self.text[self.alias :]):
                raise _Unsure("alias")
        return _rebuilt(script, self.text, None, self.bodies) if self.bodies else script

    # Blanks, comments, line feeds

    def skip(self) -> None:
        """Blanks and a comment, up to a token, a line feed or the end."""
        text = self.text
        pos = _blank(text, self.pos, self.end).end()
        if pos < self.end and text[pos] == "#":
            match = _comment(text, pos, self.end)
            assert match
            self.comments.append(match.span())
            pos = match.end()
        self.pos = pos

    def lines(self) -> None:
        """Blanks, comments and line feeds."""
        while True:
            self.skip()
            if self.pos >= self.end or self.text[self.pos] != "\n":
                return
            self.newline()

    def newline(self) -> None:
        self.pos += 1
        if self.pending:
            pending, self.pending = self.pending, []
            for heredoc in pending:
                self.heredoc_body(heredoc)

    def undivided(self, pos: int) -> None:
        """That no operator goes on behind a line continuation at `pos`; shells of different age differ there."""
        if self.text.startswith("\\\n", pos):
            behind = _blank(self.text, pos, self.end).end()
            if self.text[behind : behind + 1] in tuple("&|;<>(-"):
                raise _Unsure("line continuation inside an operator")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unsure("nested too deeply")

    # Lists, pipelines, commands

    def commands(self, start: int) -> Script:
        """Steps up to a closing word, `)`, `;;` or the end, which is left to the caller."""
        self.deeper()
        text, end = self.text, self.end
        first_comment = len(self.comments)
        steps: list[Step] = []
        operator, operator_start, operator_end = "", -1, -1
        self.lines()
        while self.pos < end:
            start_of_step = self.pos
            match = _plain(text, start_of_step, end) or _keyword(text, start_of_step, end)
            if match is not None:
                if match[1] in _CLOSING:
                    break
            elif text[start_of_step] in ");&|":
                break
            if not operator:
                operator_start = operator_end = start_of_step
            steps.append(_new(Step, (operator, operator_start, operator_end, self.pipeline(match))))
            operator = ""
            self.skip()
            pos = self.pos
            if pos >= end:
                break
            character = text[pos]
            if character == "\n":
                operator = "\n"
                self.newline()
                operator_start, operator_end = pos, pos + 1
                self.lines()
                continue
            if character == "&":
                operator = "&&" if text.startswith("&", pos + 1) else "&"
                if operator == "&" and self.dialect != "posix" and text.startswith(">", pos + 1):
                    raise _Unsure("`&>`")
            elif character == "|":
                operator = "||"  # a lone `|` belongs to the pipeline
            elif character == ";":
                if text.startswith((";", "&"), pos + 1):
                    break
                operator = ";"
            elif character == ")":
                break
            else:
                last = steps[-1].pipeline.commands[-1]
                match = _plain(text, pos, end) or _keyword(text, pos, end)
                closes = match is not None and match[1] in _CLOSING
                if closes and isinstance(last, Compound) and last.kind in _BLOCKS and not last.redirections:
                    break
                raise _Unsure(f"unexpected `{text[pos]}` behind a command")
            operator_start, operator_end = pos, pos + len(operator)
            self.pos = operator_end
            self.undivided(operator_end)
            self.lines()
        if operator in ("&&", "||"):
            raise _Unsure(f"no command behind `{operator}`")
        self.depth -= 1
        comments = tuple(self.comments[first_comment:]) if len(self.comments) > first_comment else ()
        return Script(text, start, self.pos, tuple(steps), operator, comments)

    def pipeline(self, match: "re.Match[str] | None") -> Pipeline:
        text, end = self.text, self.end
        start = self.pos
        negated = timed = False
        if match is not None:
            if match[1] == "time" and self.dialect in ("sh", "bash"):
                if not self.bash or text.startswith(("(", "<", ">"), match.end(1)):
                    raise _Unsure("`time`, a keyword in bash only")
                timed = True
                match = self.after(match)
                if match is not None and (match[1].startswith("-") or match[1] == "time"):
                    raise _Unsure("option of `time`")
            if match is not None and match[1] == "!":
                negated = True
                if match.end(1) < end and text[match.end(1)] in "(<>":
                    raise _Unsure(f"`{text[match.end(1)]}` behind `!`")
                match = self.after(match)
                if match is not None and match[1] in ("!", "time"):
                    raise _Unsure(f"`{match[1]}` behind `!`")
        first = self.command(match)
        commands = [first]
        operators = []
        while True:
            self.skip()
            pos = self.pos
            if pos >= end or text[pos] != "|" or text.startswith("|", pos + 1):
                break
            operator = "|"
            if text.startswith("&", pos + 1):
                if not self.bash:
                    raise _Unsure("`|&`")
                operator = "|&"
            operators.append(operator)
            self.pos = pos + len(operator)
            self.undivided(self.pos)
            self.lines()
            match = _plain(text, self.pos, end) or _keyword(text, self.pos, end)
            if match is not None and match[1] in ("!", "time") and (match[1] == "!" or self.dialect in ("sh", "bash")):
                raise _Unsure(f"`{match[1]}` behind `|`")
            commands.append(self.command(match))
        return _new(Pipeline, (tuple(commands), negated, start, commands[-1].end, tuple(operators), timed))

    def after(self, match: "re.Match[str]") -> "re.Match[str] | None":
        """The plain word behind the one matched, on the same line."""
        self.pos = match.end(1)
        self.skip()
        return _plain(self.text, self.pos, self.end) or _keyword(self.text, self.pos, self.end)

    def command(self, match: "re.Match[str] | None") -> "Simple | Compound":
        """A command; `match` is the plain word that it begins with."""
        if match is None:
            if self.text.startswith("(", self.pos):
                return self.subshell()
            return self.simple()
        keyword = match[1]
        if keyword not in _RESERVED:
            return self.simple()
        if keyword in _CLOSING:
            raise _Unsure(f"unexpected `{keyword}`")
        start = match.start(1)
        if keyword in _ALONE and self.text[match.end(1) : match.end(1) + 1] in tuple("(<>"):
            if self.dialect == "posix" and keyword != "!":
                return self.simple()
            raise _Unsure(f"`{self.text[match.end(1)]}` behind `{keyword}`")
        if keyword == "[[":
            if self.bash:
                return self.test(start)
            return self.doubtful_test() if self.dialect != "posix" else self.simple()
        if (keyword == "]]" and self.dialect in ("posix", "busybox")) or keyword == "time":
            return self.simple()
        self.pos = match.end(1)
        if keyword == "{":
            return self.compound("group", (self.body("}")[0],), (), start)
        if keyword == "if":
            return self.if_command(start)
        if keyword == "for":
            return self.for_command("for", start)
        if keyword == "case":
            return self.case_command(start)
        if keyword == "while" or keyword == "until":
            return self.compound(keyword, (self.body("do")[0], self.body("done")[0]), (), start)
        if keyword == "select" and self.bash:
            return self.for_command("select", start)
        if keyword == "function" and self.bash:
            return self.function_keyword(start)
        raise _Unsure(f"`{keyword}`")

    def simple(self) -> "Simple | Compound":
        """A simple command, or the function definition that began like one."""
        text, end, pos = self.text, self.end, self.pos
        start = stop = pos
        assignments: list[Assignment] = []
        redirections: list[Redirection] = []
        words: list[Word] = []
        while True:
            match = _plain(text, pos, end)
            if match is not None:
                word = match[1]
                if words or "=" not in word or not _assigning(word):
                    begin, pos = match.span(1)
                    words.append(_new(Word, (word, word, None, begin, pos, (), ())))
                    stop = pos
                    continue
                self.pos = match.start(1)
                assignments.append(self.assignment())
                stop = assignments[-1].end
                pos = self.pos
                continue
            pos = _blank(text, pos, end).end()
            if pos >= end:
                break
            character = text[pos]
            if character in "\n;|)#":
                break
            self.pos = pos
            if character in "&<>{0123456789":
                redirection = self.redirection()
                if redirection is not None:
                    redirections.append(redirection)
                    stop = redirection.end
                    pos = self.pos
                    continue
                if character == "&":
                    break
            elif character == "(":
                if len(words) == 1 and not assignments and not redirections:
                    return self.function(words[0], start)
                raise _Unsure("`(` behind a word")
            if not words:
                if _assigning(text, pos, end):
                    assignments.append(self.assignment())
                    stop = assignments[-1].end
                    pos = self.pos
                    continue
                if _subscripted(text, pos, end):
                    raise _Unsure("subscript at the start of a command")
            taken = self.word(False)
            pos = self.pos
            if self.continued:
                self.joined(taken, not words)
            if (
                self.bash
                and words
                and not redirections
                and text.startswith("(", pos)
                and words[0].text in _DECLARING
                and _array_target(taken.text)
            ):
                array = self.array()
                pos = self.pos
                taken = array._replace(text=text[taken.start : pos], start=taken.start)
            words.append(taken)
            stop = taken.end
        self.pos = pos
        if stop == start:
            raise _Unsure(f"no command before `{text[pos : pos + 1]}`")
        if words and words[0].text in _TELLING:
            if words[0].text == "alias":
                if self.alias < 0 and len(words) > 1:
                    self.alias = pos
            elif words[0].start > start and self.dialect in ("sh", "busybox"):
                raise _Unsure("`[[` that is not a command's first word")
        return _new(Simple, (tuple(assignments), tuple(words), tuple(redirections), start, stop))

    def joined(self, word: Word, first: bool) -> None:
        """Refuses a word with a line continuation in it where it decides what the word is."""
        if self.text[self.pos : self.pos + 1] in tuple("<>("):
            raise _Unsure("line continuation before a redirection or parenthesis")
        inside = "\\\n" in word.text and (word.value is None or "=" in word.value or "[" in word.value)
        if first and (inside or word.value == "alias" or word.value in _RESERVED):
            raise _Unsure("line continuation inside a command's first word")

    def assignment(self) -> Assignment:
        """The assignment at `pos`, where one is known to stand."""
        text, end, start = self.text, self.end, self.pos
        match = _assigning(text, start, end)
        assert match
        name, subscript, append = match[1], match[2], match[3] == "+"
        if subscript or append:
            if not self.bash:
                raise _Unsure(f"`{match[0]}`, an assignment in bash only")
            if subscript and not _simple_subscript(subscript):
                raise _Unsure("subscript")
            name += subscript or ""
        begin = self.pos = match.end()
        if text.startswith("(", begin, end):
            if not self.bash:
                raise _Unsure("array")
            value = self.array()
            return _new(Assignment, (name, value, append, start, value.end))
        found = _plain(text, begin, end)
        if found is not None and found.start(1) == begin:
            self.pos = stop = found.end()
            return _new(
                Assignment, (name, _new(Word, (found[1], found[1], None, begin, stop, (), ())), append, start, stop)
            )
        value = self.word(True)
        if self.continued and self.text[self.pos : self.pos + 1] in tuple("<>("):
            raise _Unsure("line continuation before a redirection or parenthesis")
        if self.text.startswith("(", self.pos):
            raise _Unsure("`(` behind a word")
        if value.end == begin:
            return _new(Assignment, (name, None, append, start, begin))
        return _new(Assignment, (name, value, append, start, value.end))

    def array(self) -> Word:
        """bash's `(...)` behind `name=`."""
        text, start = self.text, self.pos
        if self.pending:
            raise _Unsure("array behind a heredoc")
        names: list[str] = []
        scripts: list[Script] = []
        self.pos += 1
        while True:
            self.lines()
            if self.pos >= self.end:
                raise _Unsure("unclosed `(`")
            if text[self.pos] == ")":
                break
            if text[self.pos] == "[" and not _element(text, self.pos, self.end):
                raise _Unsure("subscript inside an array")
            word = self.argument()
            names += word.names
            scripts += word.substitutions
        self.pos += 1
        if text[self.pos : self.pos + 1] not in ("", " ", "\t", "\n", ";", "&", "|", ")"):
            raise _Unsure("text behind an array")
        return Word(text[start : self.pos], None, None, start, self.pos, tuple(dict.fromkeys(names)), tuple(scripts))

    # Redirections

    def redirection(self) -> Redirection | None:
        """The redirection at `pos`, or None where none stands there."""
        text, start = self.text, self.pos
        match = _redirecting(text, start, self.end)
        if match is None:
            return None
        descriptor, operator = match[1], match[2]
        behind = match.end()
        if operator in ("&>", "&>>"):
            if self.dialect == "posix" and not descriptor:
                return None
            if descriptor or self.dialect == "sh" or (operator == "&>>" and not self.bash):
                raise _Unsure(f"`{operator}`")
        elif descriptor and not self.bash and (len(descriptor) > 1):
            raise _Unsure(f"`{match[0]}`")
        elif operator == "<<<" and not self.bash:
            raise _Unsure("`<<<`")
        elif text.startswith("(", behind) and operator in ("<", ">") and not descriptor:
            if self.bash:
                return None  # a process substitution
            raise _Unsure(f"`{operator}(`")
        self.pos = behind
        self.undivided(behind)
        target = self.argument()
        if target.glob is not None:
            # Whether a target is expanded as a pathname differs.
            target = target._replace(glob=None)
        if operator in ("<<", "<<-"):
            self.heredoc(start, operator, target)
        elif operator in ("<&", ">&") and target.text[0] == "-" and target.text != "-":
            raise _Unsure(f"`{operator}{target.text}`, which bash splits behind `-`")
        return _new(Redirection, (operator, descriptor or None, target, None, start, target.end))

    def redirections(self) -> tuple[Redirection, ...]:
        """Those behind a compound command."""
        found: list[Redirection] = []
        while True:
            behind = self.pos
            self.pos = _blank(self.text, behind, self.end).end()
            redirection = self.redirection()
            if redirection is None:
                self.pos = behind
                return tuple(found)
            found.append(redirection)

    def heredoc(self, start: int, operator: str, target: Word) -> None:
        delimiter, written = target.value, target.text
        if not delimiter or "\n" in written or "$" in written or "`" in written:
            raise _Unsure("heredoc delimiter")
        quoted = "'" in written or '"' in written or "\\" in written
        self.pending.append(_Heredoc(start, delimiter, operator == "<<-", quoted))

    def heredoc_body(self, heredoc: _Heredoc) -> None:
        """The body that begins at `pos`; leaves `pos` behind the line of its terminator."""
        text, end, start = self.text, self.end, self.pos
        _, delimiter, strip_tabs, quoted = heredoc
        pos = start
        logical = ""
        while True:
            if pos >= end:
                raise _Unsure("heredoc without its terminator")
            stop = text.find("\n", pos, end)
            if stop < 0:
                stop = end
            line = text[pos:stop]
            if strip_tabs:
                line = line.lstrip("\t")
            if line == delimiter and not logical:
                break
            if line.startswith(delimiter):
                if self.substituting and line.startswith(")", len(delimiter)):
                    raise _Unsure("heredoc's terminator before `)`")
                if logical and line == delimiter:
                    raise _Unsure("line continuation before a heredoc's terminator")
            if not quoted and line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2:
                # Only the beginning matters for the comparison with the delimiter, so that this stays linear.
                logical = (logical + line[:-1])[: len(delimiter) + 1] or "\\"
            elif logical:
                if (logical + line)[: len(delimiter) + 1] == delimiter or logical == "\\":
                    raise _Unsure("line continuation inside a heredoc's terminator")
                logical = ""
            pos = stop + 1
        body = text[start:pos]
        names: list[str] = []
        scripts: list[Script] = []
        value: str | None = body
        if not quoted and ("$" in body or "`" in body or "\\" in body):
            self.pos, self.end, self.inside_body = start, pos, True
            self.expansions(names, scripts)
            self.end, self.inside_body = end, False
            value = None
        elif strip_tabs:
            value = re.sub(r"^\t+", "", body, flags=re.MULTILINE)
        self.bodies[heredoc.place] = Word(body, value, None, start, pos, tuple(dict.fromkeys(names)), tuple(scripts))
        self.pos = min(stop + 1, end)

    def expansions(self, names: list[str], scripts: list[Script]) -> None:
        """The expansions up to `end` in a heredoc's body."""
        text, end = self.text, self.end
        while self.pos < end:
            match = _heredoc_run(text, self.pos, end)
            if match is not None:
                self.pos = match.end()
                continue
            character = text[self.pos]
            if character == "\\":
                self.pos += 2
            elif character == "$":
                self.dollar(True, names, scripts)
            else:
                self.backquote(True, scripts)

    # Compound commands

    def expect(self, keyword: str) -> None:
        match = _plain(self.text, self.pos, self.end) or _keyword(self.text, self.pos, self.end)
        if match is None or match[1] != keyword:
            raise _Unsure(f"`{keyword}` expected")
        self.pos = match.end(1)

    def body(self, *closing: str) -> tuple[Script, str]:
        """A list that is not empty up to one of the closing words, and that word."""
        script = self.commands(self.pos)
        match = _plain(self.text, self.pos, self.end) or _keyword(self.text, self.pos, self.end)
        if match is None or match[1] not in closing:
            raise _Unsure(f"`{closing[0]}` expected")
        if not script.steps:
            raise _Unsure(f"no command before `{match[1]}`")
        self.pos = match.end(1)
        return script, match[1]

    def compound(
        self, kind: str, bodies: tuple[Script, ...], words: tuple[Word, ...], start: int, name: str = ""
    ) -> Compound:
        """The compound command that ends at `pos`, with the redirections behind."""
        redirections = self.redirections()
        end = redirections[-1].end if redirections else self.pos
        return _new(Compound, (kind, bodies, words, redirections, start, end, name, self.text[start:end]))

    def subshell(self) -> Compound:
        text, start = self.text, self.pos
        if text.startswith("(", start + 1):
            if not self.bash:
                raise _Unsure("`((`")
            word = self.arithmetic_word(False)
            return self.compound("arithmetic", (), (word,), start)
        self.pos = start + 1
        self.undivided(self.pos)
        body = self.commands(self.pos)
        if self.pos >= self.end or text[self.pos] != ")":
            raise _Unsure("`)` expected")
        if not body.steps:
            raise _Unsure("empty subshell")
        self.pos += 1
        return self.compound("subshell", (body,), (), start)

    def if_command(self, start: int) -> Compound:
        bodies = [self.body("then")[0]]
        while True:
            body, closing = self.body("fi", "else", "elif")
            bodies.append(body)
            if closing == "elif":
                bodies.append(self.body("then")[0])
                continue
            if closing == "else":
                bodies.append(self.body("fi")[0])
            return self.compound("if", tuple(bodies), (), start)

    def for_command(self, kind: str, start: int) -> Compound:
        text, end = self.text, self.end
        self.skip()
        words: list[Word] = []
        if text.startswith("((", self.pos) and self.bash and kind == "for":
            words.append(self.arithmetic_word(True))
            name = ""
            self.skip()
            if text.startswith(";", self.pos):
                self.pos += 1
            self.lines()
        else:
            match = _plain(text, self.pos, end)
            if match is None or not _whole_name(match[1]):
                raise _Unsure(f"variable of `{kind}`")
            name = match[1]
            self.pos = match.end(1)
            self.skip()
            if text.startswith(";", self.pos):
                self.pos += 1
                self.lines()
            else:
                self.lines()
                match = _plain(text, self.pos, end)
                if match is not None and match[1] == "in":
                    self.pos = match.end(1)
                    self.list_of(words)
        self.lines()
        self.expect("do")
        return self.compound(kind, (self.body("done")[0],), tuple(words), start, name)

    def list_of(self, words: list[Word]) -> None:
        """The words behind `in` and the `;` or line feed that ends them."""
        text = self.text
        while True:
            self.skip()
            if self.pos >= self.end:
                raise _Unsure("`do` expected")
            if text[self.pos] == ";":
                self.pos += 1
                return
            if text[self.pos] == "\n":
                return
            words.append(self.argument())

    def case_command(self, start: int) -> Compound:
        text, end = self.text, self.end
        words = [self.argument()]
        bodies = []
        self.lines()
        self.expect("in")
        self.lines()
        while True:
            match = _plain(text, self.pos, end) or _keyword(text, self.pos, end)
            if match is not None and match[1] == "esac":
                self.pos = match.end(1)
                break
            if text.startswith("(", self.pos, end):
                self.pos += 1
            while True:
                pattern = self.argument()
                if pattern.text == "esac":
                    raise _Unsure("`esac` as a pattern")
                words.append(pattern._replace(glob=None))
                self.pos = _blank(text, self.pos, end).end()
                if text.startswith("|", self.pos, end) and not text.startswith("|", self.pos + 1):
                    self.pos += 1
                elif text.startswith(")", self.pos, end):
                    self.pos += 1
                    break
                else:
                    raise _Unsure("`)` expected behind a pattern")
            bodies.append(self.commands(self.pos))
            if not text.startswith(";", self.pos, end):
                self.expect("esac")
                break
            operator = ";;&" if text.startswith(";;&", self.pos) else text[self.pos : self.pos + 2]
            if operator not in (";;", ";&", ";;&") or (operator != ";;" and not self.bash):
                raise _Unsure(f"`{operator}`")
            if self.pending:
                raise _Unsure("heredoc before `;;`")
            self.pos += len(operator)
            self.undivided(self.pos)
            self.lines()
        return self.compound("case", tuple(bodies), tuple(words), start)

    def function(self, name: Word, start: int) -> Compound:
        """A definition whose name was read and whose `()` begins at `pos`."""
        text, end = self.text, self.end
        valid = _function_name if self.bash else _whole_name
        if not valid(name.text) or name.text in _RESERVED:
            raise _Unsure("`(` behind a word")
        self.pos = _blank(text, self.pos + 1, end).end()
        if not text.startswith(")", self.pos, end):
            raise _Unsure("`(` behind a word")
        self.pos += 1
        return self.function_body(name.text, start)

    def function_keyword(self, start: int) -> Compound:
        text, end = self.text, self.end
        self.skip()
        match = _function_word(text, self.pos, end)
        if (
            match is None
            or text[match.end() : match.end() + 1] not in ("", " ", "\t", "\n", "(")
            or match[0] in _RESERVED
        ):
            raise _Unsure("function name")
        name = match[0]
        self.pos = match.end()
        self.skip()
        if text.startswith("(", self.pos, end):
            behind = _blank(text, self.pos + 1, end).end()
            if not text.startswith(")", behind, end):
                raise _Unsure("function body")
            self.pos = behind + 1
        return self.function_body(name, start)

    def function_body(self, name: str, start: int) -> Compound:
        text, end = self.text, self.end
        if self.pending:
            raise _Unsure("function behind a heredoc")
        self.lines()
        self.deeper()
        first_comment = len(self.comments)
        command = self.command(_plain(text, self.pos, end) or _keyword(text, self.pos, end))
        self.depth -= 1
        if not isinstance(command, Compound) or command.kind not in _BLOCKS:
            raise _Unsure("function body")
        begin, stop = command.start, command.end
        pipeline: Pipeline = _new(Pipeline, ((command,), False, begin, stop, (), False))
        step: Step = _new(Step, ("", begin, begin, pipeline))
        body = Script(text, begin, stop, (step,), "", tuple(self.comments[first_comment:]))
        return _new(Compound, ("function", (body,), (), (), start, stop, name, text[start:stop]))

    def arithmetic_word(self, semicolons: bool) -> Word:
        """`((...))` as one word."""
        start = self.pos
        names: list[str] = []
        scripts: list[Script] = []
        self.pos = start + 2
        self.arithmetic(names, scripts, semicolons)
        if self.pending:
            raise _Unsure("`((` behind a heredoc")
        return Word(
            self.text[start : self.pos], None, None, start, self.pos, tuple(dict.fromkeys(names)), tuple(scripts)
        )

    def test(self, start: int) -> Compound:
        """bash's `[[ ... ]]`."""
        text, end = self.text, self.end
        if self.pending:
            raise _Unsure("`[[` behind a heredoc")
        words: list[Word] = []
        self.pos = start + 2
        while True:
            self.lines()
            pos = self.pos
            if pos >= end:
                raise _Unsure("`]]` expected")
            if words and words[-1].text == "=~":
                words.append(self.regular_expression())
                continue
            match = _plain(text, pos, end)
            if match is not None:
                self.pos = match.end()
                if match[1] == "]]":
                    break
                words.append(Word(match[1], match[1], None, match.start(1), self.pos, (), ()))
                continue
            match = _test_operator(text, pos, end)
            if match is not None:
                self.pos = match.end()
                if match[0] in "<>" and text.startswith(("(", "<", ">", "&"), self.pos):
                    raise _Unsure("process substitution inside `[[`")
                words.append(Word(match[0], match[0], None, pos, self.pos, (), ()))
                continue
            word = self.word(False)
            if word.start == word.end or text.startswith("(", self.pos):
                raise _Unsure("`[[`")
            value = word.text if word.text == "=~" else word.value
            words.append(word._replace(value=value, glob=None))
        if not _valid_test([word.text for word in words]):
            raise _Unsure("`[[` without a valid expression")
        return self.compound("test", (), tuple(words), start)

    def regular_expression(self) -> Word:
        """What stands behind `=~`: parentheses and `|` belong to it, and blanks inside parentheses."""
        text, end, start = self.text, self.end, self.pos
        names: list[str] = []
        scripts: list[Script] = []
        nested = 0
        while self.pos < end:
            match = _regular_run(text, self.pos, end)
            if match is not None:
                self.pos = match.end()
                continue
            character = text[self.pos]
            if character == "(":
                nested += 1
                self.pos += 1
            elif character == ")" and nested:
                nested -= 1
                self.pos += 1
            elif character in " \t" and nested:
                self.pos += 1
            elif character in " \t\n":
                break
            elif character == "\\" and text[self.pos + 1 : self.pos + 2] not in ("", "\n"):
                self.pos += 2
            elif character == "$":
                self.dollar(False, names, scripts)
            elif character == "'" and not nested:
                self.single()
            elif character == '"' and not nested:
                self.double(names, scripts)
            else:
                raise _Unsure("regular expression")
        if nested or self.pos == start:
            raise _Unsure("regular expression")
        return Word(text[start : self.pos], None, None, start, self.pos, tuple(dict.fromkeys(names)), tuple(scripts))

    def doubtful_test(self) -> Simple:
        """`[[ ... ]]` where it may be a plain command: only if that makes no difference."""
        command = self.simple()
        if not isinstance(command, Simple):
            raise _Unsure("`[[`")
        words = command.words
        closing = words[-1]
        if (
            closing.text != "]]"
            or len(words) < 3
            or sum(word.text == "]]" for word in words) != 1
            or any(redirection.start < closing.start for redirection in command.redirections)
        ):
            raise _Unsure("`[[`, a keyword in bash only")
        return command._replace(words=tuple(word if word.glob is None else word._replace(glob=None) for word in words))

    # Words

    def argument(self) -> Word:
        """The word that must come next."""
        text, end = self.text, self.end
        match = _plain(text, self.pos, end)
        if match is not None:
            begin, self.pos = match.span(1)
            return _new(Word, (match[1], match[1], None, begin, self.pos, (), ()))
        pos = self.pos = _blank(text, self.pos, end).end()
        if (
            pos >= end
            or text[pos] in "\n;&|()#"
            or (text[pos] in "<>" and not (self.bash and text.startswith("(", pos + 1)))
        ):
            raise _Unsure("a word is missing")
        word = self.word(False)
        if text.startswith("(", self.pos, end):
            raise _Unsure("`(` behind a word")
        if text.startswith(("<", ">"), self.pos, end) and (
            self.continued or word.text.isdigit() or word.text[0] == "{"
        ):
            raise _Unsure("redirection behind a word that may belong to it")
        return word

    def word(self, assigned: bool) -> Word:
        """The word at `pos`; `assigned`: an assignment's value, where neither braces nor patterns are expanded."""
        text, end = self.text, self.end
        start = pos = stop = self.pos
        pieces: list[str] = []
        outline: list[str] = []  # what is not quoted, with NUL for what is
        names: list[str] = []
        scripts: list[Script] = []
        known = True
        special = False  # a pattern character was quoted
        continued = False
        while pos < end:
            match = _unquoted_run(text, pos, end)
            if match is not None:
                pieces.append(match[0])
                outline.append(match[0])
                pos = stop = match.end()
                if pos >= end:
                    break
            character = text[pos]
            value: str | None
            self.pos = pos
            if character == '"':
                value = self.double(names, scripts)
            elif character == "'":
                value = self.single()
            elif character == "\\":
                if pos + 1 >= end:
                    raise _Unsure("backslash at the end")
                if text[pos + 1] == "\n":
                    continued = True
                    pos += 2
                    continue
                value = text[pos + 1]
                self.pos = pos + 2
            elif character == "$":
                value = self.dollar(False, names, scripts)
            elif character == "`":
                self.backquote(False, scripts)
                value = None
            elif character in "*?[":
                pieces.append(character)
                outline.append(character)
                pos += 1
                stop = pos
                continue
            elif character in "<>" and self.bash and text.startswith("(", pos + 1):
                if pos != start:
                    raise _Unsure("process substitution inside a word")
                self.substitution(scripts)
                value = None
            else:
                break
            pos = stop = self.pos
            outline.append("\0")
            if value is None:
                known = False
            else:
                pieces.append(value)
                if not special and any(character in value for character in "*?[]\\"):
                    special = True
        self.pos = pos
        self.continued = continued
        if self.pending and "\n" in text[start:stop]:
            raise _Unsure("line feed inside a word behind a heredoc")
        if not known:
            return _new(Word, (text[start:stop], None, None, start, stop, tuple(dict.fromkeys(names)), tuple(scripts)))
        whole: str | None = "".join(pieces)
        glob = None
        shape = "".join(outline)
        if "~" in shape and _tilde(shape) or (assigned and shape.startswith("~")):
            whole = None
        elif not assigned:
            if "{" in shape and self.dialect in ("sh", "bash") and _braces(shape):
                whole = None
            elif "*" in shape or "?" in shape or _bracket(shape):
                if not special and not ("[" in shape and "\0" in shape):
                    glob = whole
                whole = None
        return _new(Word, (text[start:stop], whole, glob, start, stop, (), ()))

    def single(self) -> str:
        """'...'"""
        start = self.pos + 1
        close = self.text.find("'", start, self.end)
        if close < 0:
            raise _Unsure("unclosed single quote")
        self.pos = close + 1
        return self.text[start:close]

    def double(self, names: list[str], scripts: list[Script]) -> str | None:
        """ "..."; its value or None."""
        text, end = self.text, self.end
        pos = self.pos + 1
        pieces: list[str] = []
        known = True
        while True:
            match = _double_run(text, pos, end)
            if match is not None:
                pieces.append(match[0])
                pos = match.end()
            if pos >= end:
                raise _Unsure("unclosed double quote")
            character = text[pos]
            if character == '"':
                break
            if character == "\\":
                escaped = text[pos + 1 : pos + 2]
                if escaped == "" or pos + 1 >= end:
                    raise _Unsure("unclosed double quote")
                if escaped in '$`"\\':
                    pieces.append(escaped)
                elif escaped != "\n":
                    pieces.append("\\" + escaped)
                pos += 2
                continue
            self.pos = pos
            if character == "$":
                value = self.dollar(True, names, scripts)
                if value is None:
                    known = False
                else:
                    pieces.append(value)
            else:
                self.backquote(True, scripts)
                known = False
            pos = self.pos
        self.pos = pos + 1
        return "".join(pieces) if known else None

    def dollar(self, quoted: bool, names: list[str], scripts: list[Script]) -> str | None:
        """What a `$` begins; its value or None."""
        text, end, pos = self.text, self.end, self.pos
        match = _name(text, pos + 1, end)
        if match is not None:
            names.append(match[0])
            self.pos = match.end()
            return None
        following = text[pos + 1] if pos + 1 < end else ""
        if following == "{":
            self.braces(quoted, names, scripts)
            return None
        if following == "(":
            if text.startswith("(", pos + 2, end):
                self.pos = pos + 3
                self.arithmetic(names, scripts, False)
            else:
                self.undivided(pos + 2)
                self.substitution(scripts)
            return None
        if following and following in "@*#?$!-0123456789":
            self.pos = pos + 2
            return None
        if following == "\\" and text.startswith("\n", pos + 2):
            raise _Unsure("line continuation behind `$`")
        if following == "[" and self.dialect in ("sh", "bash"):
            raise _Unsure("`$[`, arithmetic in bash only")
        self.pos = pos + 1
        if quoted or not following or following not in "'\"":
            return "$"
        if following == '"':
            # bash translates it, others keep the `$`.
            self.double(names, scripts)
            return None
        match = _ansi_quoted(text, pos + 1, end)
        if match is None:
            raise _Unsure("unclosed single quote")
        content = match[1]
        if self.dialect in ("sh", "posix") and "\\" in content:
            # bash and busybox read \' as a quote, dash ends the word there; \\ before the end may hide it as well.
            if text.find("'", pos + 2, end) != match.end() - 1:
                raise _Unsure("`$'`, a quote in bash and busybox only")
        self.pos = match.end()
        if self.dialect == "bash" and _ansi_simple(content):
            return _ansi_escape(_unescaped, content)
        return None

    def braces(self, quoted: bool, names: list[str], scripts: list[Script]) -> None:
        """`${...}`."""
        text, end = self.text, self.end
        match = _parameter(text, self.pos, end)
        if match is None:
            raise _Unsure("`${`")
        if match[2]:
            names.append(match[1])
            self.pos = match.end()
            return
        pos = match.end()
        parameter = match[1] or match[4]
        if _whole_name(parameter):
            names.append(f"!{parameter}" if match[3] == "!" else parameter)
            if match[3] == "!":
                names.append(parameter)
        first = text[pos : pos + 1]
        if first not in tuple("}:-=?+%#") and not (first and first in "/[^,@"):
            raise _Unsure("`${`")
        if first == ":" and text[pos + 1 : pos + 2] in ("'", '"'):
            raise _Unsure("`${` with quotes behind `:`")
        self.deeper()
        calculated = first == "[" or (first == ":" and text[pos + 1 : pos + 2] not in tuple("-+=?"))
        while True:
            match = _brace_run(text, pos, end)
            if match is not None:
                pos = match.end()
                if calculated:
                    names += _arithmetic_names(match[0])
            if pos >= end:
                raise _Unsure("unclosed `${`")
            character = text[pos]
            self.pos = pos
            if character == "}":
                self.pos = pos + 1
                self.depth -= 1
                return
            if character == "\\":
                if pos + 1 >= end:
                    raise _Unsure("unclosed `${`")
                pos += 2
                continue
            if character == "$":
                self.dollar(quoted, names, scripts)
            elif character == "`":
                self.backquote(quoted, scripts)
            elif character in "<>":
                if text.startswith("(", pos + 1):
                    raise _Unsure("process substitution inside `${`")
                self.pos = pos + 1
            elif character == "\n":
                if not quoted:
                    raise _Unsure("line feed inside `${`")
                self.pos = pos + 1
            elif quoted:
                match = _neutral(text, pos, end)
                if match is None:
                    raise _Unsure("quotes inside a quoted `${`")
                names += _dollar_names(match[0])
                self.pos = match.end()
            elif character == '"':
                self.double(names, scripts)
            else:
                self.single()
            pos = self.pos

    def arithmetic(self, names: list[str], scripts: list[Script], semicolons: bool) -> None:
        """From behind `((` to behind `))`."""
        text, end = self.text, self.end
        nested = 0
        self.deeper()
        while True:
            match = _arithmetic_run(text, self.pos, end)
            if match is not None:
                self.pos = match.end()
                names += _arithmetic_names(match[0])
            if self.pos >= end:
                raise _Unsure("unclosed `((`")
            character = text[self.pos]
            if character == "(" and text[self.pos - 1] not in "<>":
                nested += 1
                self.pos += 1
            elif character == ")":
                self.pos += 1
                if nested:
                    nested -= 1
                elif text.startswith(")", self.pos, end):
                    self.pos += 1
                    self.depth -= 1
                    return
                else:
                    raise _Unsure("`((` that is no arithmetic")
            elif character == "$":
                self.dollar(True, names, scripts)
            elif character == "`":
                self.backquote(True, scripts)
            elif (character in "[]#" and self.bash) or (character == ";" and semicolons):
                self.pos += 1
            elif text.startswith("\\\n", self.pos, end):
                self.pos += 2
            else:
                raise _Unsure(f"`{character}` inside arithmetic")

    # Scripts inside words

    def substitution(self, scripts: list[Script]) -> None:
        """`$(...)`, and bash's `<(...)`; its bodies of heredocs stand inside."""
        pending, self.pending = self.pending, []
        self.substituting += 1
        self.pos += 2
        script = self.commands(self.pos)
        if self.pos >= self.end or self.text[self.pos] != ")":
            raise _Unsure("unclosed `$(`")
        if self.pending:
            raise _Unsure("heredoc without a body")
        self.pos += 1
        self.substituting -= 1
        self.pending = pending
        scripts.append(script)

    def backquote(self, quoted: bool, scripts: list[Script]) -> None:
        """`...`; the shell takes the escapes of `$`, backquote and backslash away and then reads what is left."""
        text, end = self.text, self.end
        match = _backquoted(text, self.pos, end)
        if match is None:
            raise _Unsure("unclosed backquote")
        start, stop = match.span(1)
        inner = match[1]
        pending, self.pending = self.pending, []
        self.substituting += 1
        if "\\" not in inner:
            self.pos, self.end = start, stop
            script = self.commands(start)
            if self.pos < stop or self.pending:
                raise _Unsure("backquotes")
            self.end = end
        else:
            script = self.escaped(start, stop, quoted)
            self.comments += script.comments
        self.substituting -= 1
        self.pending = pending
        self.pos = match.end()
        scripts.append(script)

    def escaped(self, start: int, stop: int, quoted: bool) -> Script:
        """The script of backquotes with escapes in them, its places as in the text outside."""
        text = self.text
        if self.depth >= _DEEPEST:
            raise _Unsure("nested too deeply")
        pieces: list[str] = []
        places: list[int] = []
        pos = start
        while pos < stop:
            backslash = text.find("\\", pos, stop)
            if backslash < 0:
                backslash = stop
            pieces.append(text[pos:backslash])
            places.extend(range(pos, backslash))
            if backslash == stop:
                break
            following = text[backslash + 1]
            if following == "\n" or (following == '"' and quoted and self.inside_body):
                raise _Unsure("escape inside backquotes")
            if following in "$`\\" or (following == '"' and quoted):
                pieces.append(following)
                places.append(backslash)
            else:
                pieces.append("\\" + following)
                places += (backslash, backslash + 1)
            pos = backslash + 2
        places.append(stop)
        reader = _Reader("".join(pieces), self.dialect, self.depth + 1)
        reader.substituting = 1
        script = reader.script()
        if reader.alias >= 0:
            raise _Unsure("alias inside backquotes")
        return _rebuilt(script, text, places, {})


def _unescaped(match: "re.Match[str]") -> str:
    return _ANSI.get(match[1], match[1])


def _valid_test(words: list[str]) -> bool:
    """Whether the words between `[[` and `]]` are an expression (bash(1), Compound Commands)."""
    position = nested = 0
    while True:
        # one primary, with what may stand before it
        while position < len(words) and words[position] in ("!", "("):
            nested += words[position] == "("
            position += 1
        rest = words[position : position + 3]
        if not rest or rest[0] in _TEST_ENDS or rest[0] in "<>":
            return False
        if _unary(rest[0]):
            if len(rest) < 2 or rest[1] in _TEST_ENDS:
                return False
            position += 2
        elif len(rest) == 3 and _binary(rest[1]) and rest[2] not in _TEST_ENDS and rest[2] not in ("(", "<", ">"):
            position += 3
        else:
            position += 1
        while position < len(words) and words[position] == ")":
            nested -= 1
            position += 1
        if nested < 0:
            return False
        if position == len(words):
            return not nested
        if words[position] not in ("&&", "||"):
            return False
        position += 1


def _braces(shape: str) -> bool:
    """Whether unquoted text may be a brace expansion."""
    opening, closing = shape.find("{"), shape.rfind("}")
    return opening < closing and ("," in shape[opening:closing] or ".." in shape[opening:closing])


def _bracket(shape: str) -> bool:
    """Whether unquoted text may hold a bracket expression."""
    opening = shape.find("[")
    return opening >= 0 and (shape.find("]", opening) >= 0 or shape.find("\0", opening) >= 0)


def _rebuilt(script: Script, text: str, places: "list[int] | None", bodies: dict[int, Word]) -> Script:
    """The script with its places in `text` (`places[i]` is where its character `i` stands) and its heredocs' bodies."""

    def at(index: int) -> int:
        return index if places is None else places[index]

    def of_script(old: Script) -> Script:
        steps = tuple(
            Step(step.operator, at(step.operator_start), at(step.operator_end), of_pipeline(step.pipeline))
            for step in old.steps
        )
        comments = tuple((at(start), at(end)) for start, end in old.comments)
        return Script(text, at(old.start), at(old.end), steps, old.terminator, comments, old.opaque)

    def of_pipeline(old: Pipeline) -> Pipeline:
        commands = tuple(of_simple(each) if isinstance(each, Simple) else of_compound(each) for each in old.commands)
        return old._replace(commands=commands, start=at(old.start), end=at(old.end))

    def of_simple(old: Simple) -> Simple:
        return Simple(
            tuple(
                each._replace(value=each.value and of_word(each.value), start=at(each.start), end=at(each.end))
                for each in old.assignments
            ),
            tuple(map(of_word, old.words)),
            tuple(map(of_redirection, old.redirections)),
            at(old.start),
            at(old.end),
        )

    def of_compound(old: Compound) -> Compound:
        start, end = at(old.start), at(old.end)
        return Compound(
            old.kind,
            tuple(map(of_script, old.bodies)),
            tuple(map(of_word, old.words)),
            tuple(map(of_redirection, old.redirections)),
            start,
            end,
            old.name,
            text[start:end],
        )

    def of_redirection(old: Redirection) -> Redirection:
        body = bodies.get(old.start) if old.body is None else old.body
        return old._replace(
            target=of_word(old.target), body=body and of_word(body), start=at(old.start), end=at(old.end)
        )

    def of_word(old: Word) -> Word:
        start, end = at(old.start), at(old.end)
        return old._replace(
            text=text[start:end], start=start, end=end, substitutions=tuple(map(of_script, old.substitutions))
        )

    return of_script(script)


def _collect(script: Script, kinds: tuple[str, ...], found: list[tuple[Simple, tuple[str, ...]]]) -> None:
    inner = (*kinds, "substitution")
    for step in script.steps:
        for command in step.pipeline.commands:
            redirections = command.redirections
            if isinstance(command, Simple):
                found.append((command, kinds))
                for assignment in command.assignments:
                    if assignment.value is not None:
                        for nested in assignment.value.substitutions:
                            _collect(nested, inner, found)
                for word in command.words:
                    if word.substitutions:
                        for nested in word.substitutions:
                            _collect(nested, inner, found)
            else:
                within = (*kinds, command.kind)
                for body in command.bodies:
                    _collect(body, within, found)
                for word in command.words:
                    for nested in word.substitutions:
                        _collect(nested, (*within, "substitution"), found)
            for redirection in redirections:
                for nested in redirection.target.substitutions:
                    _collect(nested, inner, found)
                if redirection.body is not None:
                    for nested in redirection.body.substitutions:
                        _collect(nested, inner, found)


def _place(found: tuple[Simple, tuple[str, ...]]) -> int:
    return found[0].start


def _script_tokens(script: Script, into: list[Token]) -> None:
    for step in script.steps:
        if step.operator:
            into.append(Token(step.operator, step.operator_start))
        _pipeline_tokens(step.pipeline, into)
    if script.terminator:
        into.append(Token(script.terminator, script.steps[-1].pipeline.end if script.steps else script.start))


def _pipeline_tokens(pipeline: Pipeline, into: list[Token]) -> None:
    if pipeline.timed:
        into.append(Token("time", pipeline.start))
    if pipeline.negated:
        into.append(Token("!", pipeline.start))
    for index, command in enumerate(pipeline.commands):
        if index:
            into.append(Token(pipeline.operators[index - 1], pipeline.commands[index - 1].end))
        if isinstance(command, Compound):
            _compound_tokens(command, into)
        elif not command.assignments and not command.redirections:
            into.extend([Token(word.text, word.start) for word in command.words])
        else:
            parts: list[Assignment | Word | Redirection] = [*command.assignments, *command.words, *command.redirections]
            parts.sort(key=_start)
            for part in parts:
                _part_tokens(part, into)


def _start(part: "Assignment | Word | Redirection | Script") -> int:
    return part.start


def _part_tokens(part: "Assignment | Word | Redirection | Script", into: list[Token]) -> None:
    if isinstance(part, Word):
        into.append(Token(part.text, part.start))
    elif isinstance(part, Assignment):
        text = f"{part.name}{'+=' if part.append else '='}{'' if part.value is None else part.value.text}"
        into.append(Token(text, part.start))
    elif isinstance(part, Redirection):
        into.append(Token((part.descriptor or "") + part.operator, part.start))
        into.append(Token(part.target.text, part.target.start))
        if part.body is not None:
            into.append(Token(part.body.text, part.body.start))
    else:
        _script_tokens(part, into)


def _compound_tokens(command: Compound, into: list[Token]) -> None:
    """What is no word, redirection or body of it is keywords, operators, blanks and comments."""
    parts: list[Assignment | Word | Redirection | Script] = [*command.bodies, *command.words, *command.redirections]
    parts.sort(key=_start)
    pos = command.start
    for part in parts:
        _gap_tokens(command, pos - command.start, part.start - command.start, into)
        _part_tokens(part, into)
        pos = part.end
    _gap_tokens(command, pos - command.start, len(command.text), into)


def _gap_tokens(command: Compound, pos: int, end: int, into: list[Token]) -> None:
    last = ""
    while pos < end:
        match = _gap(command.text, pos, end)
        if match is None:  # a lone character that no token begins with; keep it, so that nothing is lost
            into.append(Token(command.text[pos], command.start + pos))
            pos += 1
            continue
        pos = match.end()
        token = match[1]
        if token is None or (token == "\n" and last in _JOINING):
            continue
        into.append(Token(token, command.start + match.start(1)))
        last = token


def _program(path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2]
    return name[:-4] if name.endswith(".exe") else name


_DIALECTS = {"sh": "sh", "bash": "bash", "dash": "posix", "ash": "busybox"}
_LETTERS = frozenset("aceuxlhmvpbETC")  # of those that leave the meaning of the text as it is
_LONG = frozenset(("--login", "--noprofile", "--norc", "--verbose"))
_NAMED = frozenset(
    (
        "allexport",
        "errexit",
        "errtrace",
        "functrace",
        "hashall",
        "nounset",
        "pipefail",
        "verbose",
        "xtrace",
        "noclobber",
    )
)


def _dialect(words: tuple[str, ...], command: bool) -> str | None:
    """`command`: the text comes behind the words as an argument, so `-c` must be among them; else as a file."""
    index = 0
    if words and _program(words[0]) == "env":
        index = 1
    if index < len(words) and _program(words[index]) == "busybox":
        index += 1
        if index >= len(words) or words[index] not in ("sh", "ash"):
            return None
        dialect: str | None = "busybox"
    else:
        dialect = _DIALECTS.get(_program(words[index])) if index < len(words) else None
    if dialect is None:
        return None
    commanded = False
    index += 1
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            break
        if word in _LONG and dialect == "bash":
            continue
        if len(word) < 2 or word[0] not in "-+":
            return None
        for letter in word[1:]:
            if letter == "o":
                if index >= len(words) or words[index] not in _NAMED:
                    return None
                index += 1
            elif letter not in _LETTERS:
                return None
            elif letter == "c":
                commanded = word[0] == "-"
    if index < len(words) or commanded is not command:
        return None
    return dialect
