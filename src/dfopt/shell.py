"""A RUN's text to commands with exact places; a reader of our own that says `opaque` wherever it is unsure.

Offsets are into the text that was read (`Script.text`); the caller maps them into the file with `syntax.Logical`.
"""

from typing import Iterator, NamedTuple


class Word(NamedTuple):
    """A word of a command.

    `text` is as written. `value` is what the command gets where that is certain without running anything: quotes
    removed, no expansion, tilde, brace or pathname pattern in it; else None. `glob` is the same with its unquoted `* ? [` kept where
    pathname expansion is all that keeps `value` from being known (quoted pattern characters make it None). `names` are the variables that it
    reads, `substitutions` the scripts inside `$(...)`, backquotes, `<(...)`.
    """

    text: str
    value: str | None
    glob: str | None
    start: int
    end: int
    names: tuple[str, ...]
    substitutions: tuple["Script", ...]


class Assignment(NamedTuple):
    name: str
    value: Word | None
    append: bool
    start: int
    end: int


class Redirection(NamedTuple):
    operator: str
    descriptor: str | None  # digits or {name} as written
    target: Word
    body: Word | None  # a heredoc's text
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
    """`kind` is subshell, group, if, for, while, until, case, function, arithmetic, test, select; `bodies` are the lists
    inside, in order (conditions too); `words` its own words (for's list, case's subject, test's words)."""

    kind: str
    bodies: tuple["Script", ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int


class Pipeline(NamedTuple):
    commands: tuple["Simple | Compound", ...]
    negated: bool
    start: int
    end: int


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
    `terminator` is the operator behind the last step ("" or `;` or `&` or line feed). `comments` are the places of shell comments."""

    __slots__ = ("text", "start", "end", "steps", "terminator", "comments", "opaque")


def read(text: str, dialect: str = "sh") -> Script:
    """Read a script. `dialect` is `posix` (dash), `bash`, `busybox`, or `sh` (which of them is not known: what they read
    differently is opaque). Never raises."""


def dialect_of(shell: tuple[str, ...] | None, first_line: str = "") -> str | None:
    """The dialect of a SHELL instruction's words (None: BuildKit's default `/bin/sh -c`) or of a shebang line; None where
    it is no Bourne shell (cmd, PowerShell, python, unknown)."""


def simple_commands(script: Script) -> Iterator[tuple[Simple, tuple[str, ...]]]:
    """Every simple command in order of place with the kinds of what it stands in (`("if", "substitution")`); those in substitutions too."""
