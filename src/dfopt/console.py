"""The console: exit codes, standard streams, and how errors and differences are worded."""

from __future__ import annotations

import errno
import os
import sys

from dfopt.startup import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

CLEAN, FINDINGS, WRONG_USE, FAULT, BUILD_FAILED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141
STDIN = "-"
NO_DOCKERFILE = "-> name the file itself if it has another name"


class WrongUse(Exception):
    """What the caller gives cannot be used: the text says what and what to do, and dfopt ends with WRONG_USE."""


def say(text: str) -> None:
    """Write to standard error, in order with what standard output got."""
    sys.stdout.flush()
    write(sys.stderr, text)


def write(stream: TextIO, text: str) -> None:
    """Write text whatever the stream's encoding can hold."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output, in order with the text before them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def read_stdin() -> bytes:
    """All of standard input. Raises OSError."""
    if sys.stdin is None:  # closed by whoever started the process
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read()


def silence() -> None:
    """Whoever read standard output is gone: let Python's last flush go nowhere instead of complaining."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass


def colored(when: str, stream: TextIO) -> bool:
    """Whether colours go to a stream: `auto` leaves it to the terminal and to NO_COLOR."""
    if when != "auto":
        return when == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def diff(path: str, before: bytes, after: bytes, color: bool) -> bytes:
    """A unified diff, byte for byte, that `patch` and `git apply` take."""
    import difflib

    old, new = ([line.decode("latin-1") for line in data.split(b"\n")] for data in (before, after))
    name = os.fsencode(path).decode("latin-1").replace("\n", "?")
    lines = []
    for number, line in enumerate(difflib.unified_diff(_ended(old), _ended(new), f"a/{name}", f"b/{name}")):
        line, ended, _ = line.partition("\n")
        text = line + "\n" + ("" if ended else "\\ No newline at end of file\n")
        if color:
            paint = "\x1b[1m" if number < 2 else {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}.get(line[:1], "")
            text = f"{paint}{line}\x1b[0m\n{text[len(line) + 1 :]}" if paint else text
        lines.append(text)
    return "".join(lines).encode("latin-1")


def _ended(lines: list[str]) -> list[str]:
    """Lines split at LF, each with its LF again; no last line where the text ends in LF."""
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def reason(error: OSError) -> str:
    """Why the system refuses, as dfopt words it."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def fault(path: str, what: str) -> str:
    """The line for what is dfopt's own mistake."""
    from dfopt.report import ISSUES

    return (
        f"{path}: a fault of dfopt: {what} -> nothing is wrong on your side; please report it at {ISSUES} with the file"
    )


def trace(error: Exception) -> str:
    """Where an exception comes from, for whoever mends it."""
    import traceback

    return "".join(traceback.format_exception(error))
