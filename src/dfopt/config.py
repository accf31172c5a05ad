"""The configuration: `dfopt.toml` or `[tool.dfopt]` in `pyproject.toml`, nearest above the file; none costs nothing.

A key that is unknown or of the wrong type is an error with its place, what was expected and the nearest name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any


class Config(NamedTuple):
    """What one configuration file says; None or empty where it says nothing.

    `folder` is where the file lies: its patterns (`exclude`, `per_file_ignores`) and `context` are relative to it.
    """

    path: str = ""
    folder: str = ""
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    severity: tuple[tuple[str, str], ...] = ()
    fail_level: str | None = None
    cache: str | None = None
    assembly: str | None = None
    engine: str | None = None
    build_contexts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    context: str | None = None
    runtime: str | None = None
    answers: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = ()


class ConfigError(ValueError):
    """A configuration file that cannot be used; the text names the file, the line where it is known, and the cure."""


NONE = Config()

SEVERITY = ("error", "warning", "info", "off")
FAIL_LEVELS = ("error", "warning", "info")
CACHE = ("auto", "mount", "clean")
ASSEMBLY = ("auto", "always", "off")
ENGINE = ("buildkit", "legacy")
RUNTIME = ("slim", "distroless", "scratch")


def nearest(name: str, names: list[str]) -> str:
    """The one of `names` that `name` was most likely meant to be; empty where none is near."""
    import difflib

    folded = {known.lower(): known for known in names}
    return next((folded[near] for near in difflib.get_close_matches(name.lower(), folded, 1, 0.6)), "")


def finder() -> Callable[[str], Config]:
    """A function from a folder to the configuration that is nearest above it, which looks into each folder once.

    It raises ConfigError for a file that cannot be used, again for each folder below that file.
    """
    known: dict[str, Config | ConfigError] = {}

    def look(folder: str) -> Config:
        folder = os.path.abspath(folder)
        passed = []
        while folder not in known:
            passed.append(folder)
            parent = os.path.dirname(folder)
            try:
                config = _in_folder(folder)
            except ConfigError as error:
                known[folder] = error
                break
            if config is not None or parent == folder:
                known[folder] = config or NONE
                break
            folder = parent
        answer = known[folder]
        for below in passed:
            known[below] = answer
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    return look


def load(path: str) -> Config:
    """The configuration in the file `path`. Raises ConfigError where it cannot be read or used, or is a
    `pyproject.toml` without a table `tool.dfopt`."""
    data = _read(path)
    if data is None:
        raise ConfigError(f"{shown(path)}: no such file")
    config = _parse(path, data)
    if config is None:
        raise ConfigError(f"{shown(path)}: holds no table `[tool.dfopt]`")
    return config


def _in_folder(folder: str) -> Config | None:
    path = os.path.join(folder, "dfopt.toml")
    data = _read(path)
    if data is not None:
        return _parse(path, data)
    path = os.path.join(folder, "pyproject.toml")
    data = _read(path)
    # A table `tool.dfopt`, however it is spelled, has the name followed by one of these.
    if data is not None and b"dfopt" in data and re.search(rb"""dfopt["']?[ \t]*(?:[\].]|=(?!=))""", data):
        return _parse(path, data)
    return None


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except PermissionError as error:
        # A folder above that one may not look into is no reason to stop; a file that is there and shut is.
        if not os.access(os.path.dirname(path) or ".", os.X_OK):
            return None
        raise ConfigError(f"{shown(path)}: {error.strerror}") from None
    except OSError as error:
        raise ConfigError(f"{shown(path)}: {error.strerror}") from None


def shown(path: str) -> str:
    """A configuration file's path as messages give it: from the current folder where it lies below that."""
    try:
        below = os.path.relpath(path)
    except ValueError:  # on another drive
        return path
    return path if below.startswith("..") else below


def line_of_entry(path: str, entry: str) -> int:
    """The line, from 1, of a configuration file where `entry` stands as a value or key; 1 where it is spelled in another way."""
    text = (_read(path) or b"").decode("utf-8", "replace")
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(rf"""(?:["']|^[ \t]*|\.[ \t]*){re.escape(entry)}(?:["']|[ \t]*=)""", line.partition("#")[0]):
            return number
    return 1


def _parse(path: str, data: bytes) -> Config | None:
    import tomllib

    label = shown(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{label}:{line}: not UTF-8, as TOML must be") from None
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))  # as editors on Windows begin a file
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        message = re.sub(r" \(at [^)]*\)$", "", str(error))
        raise ConfigError(f"{label}:{line}: not TOML: {message[:1].lower()}{message[1:]}") from None
    prefix: tuple[str, ...] = ()
    if os.path.basename(path) == "pyproject.toml":
        tool = document.get("tool")
        if not isinstance(tool, dict) or "dfopt" not in tool:
            return None
        document, prefix = tool["dfopt"], ("tool", "dfopt")
        if not isinstance(document, dict):
            raise ConfigError(f"{label}:{_line(text, prefix)}: `tool.dfopt` must be a table")

    def fail(keys: tuple[str, ...], message: str) -> ConfigError:
        return ConfigError(f"{label}:{_line(text, prefix + keys)}: {message}")

    values: dict[str, Any] = {}
    for key, value in document.items():
        reader = KEYS.get(key)
        if reader is None:
            near = nearest(key, list(KEYS))
            advice = f"did you mean `{near}`?" if near else f"the keys are {_list(tuple(KEYS))}"
            raise fail((key,), f"unknown key `{key}` -> {advice}")
        values[key.replace("-", "_")] = reader(value, key, fail)
    return Config(path=path, folder=os.path.dirname(os.path.abspath(path)), **values)


_Fail = Callable[[tuple[str, ...], str], ConfigError]


def _is(value: object) -> str:
    names = {
        bool: "true or false",
        str: "a string",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _strings(value: object, key: str, fail: _Fail, place: tuple[str, ...] = ()) -> tuple[str, ...]:
    keys = place or (key,)
    if not isinstance(value, list):
        raise fail(keys, f"`{key}` must be a list of strings, not {_is(value)}")
    for item in value:
        if not isinstance(item, str):
            raise fail(keys, f"`{key}` must be a list of strings, not of {_is(item)}")
    return tuple(value)


def _word(choices: tuple[str, ...]) -> Callable[[object, str, _Fail], str]:
    def read(value: object, key: str, fail: _Fail) -> str:
        return _choice(value, key, fail, choices, (key,))

    return read


def _folder(value: object, key: str, fail: _Fail) -> str:
    if not isinstance(value, str) or not value:
        raise fail((key,), f"`{key}` must be the path of a folder, not {_is(value) if value != '' else 'empty'}")
    return value


def _choice(value: object, key: str, fail: _Fail, choices: tuple[str, ...], place: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        what = f"`{value}`" if isinstance(value, str) else _is(value)
        near = nearest(value, list(choices)) if isinstance(value, str) else ""
        advice = f" -> did you mean `{near}`?" if near else ""
        raise fail(place, f"`{key}` must be one of {_list(choices)}, not {what}{advice}")
    return value


def _per_file(value: object, key: str, fail: _Fail) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise fail((key,), f"`{key}` must be a table from patterns to lists of rules, not {_is(value)}")
    return tuple((glob, _strings(codes, f"{key}.{glob}", fail, (key, glob))) for glob, codes in value.items())


def _severities(value: object, key: str, fail: _Fail) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise fail((key,), f"`{key}` must be a table from rules to severities, not {_is(value)}")
    return tuple((code, _choice(level, f"{key}.{code}", fail, SEVERITY, (key, code))) for code, level in value.items())


def _answers(value: object, key: str, fail: _Fail) -> tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    """Answers to the questions of plans: for all files (pattern ""), and for files by pattern."""
    if not isinstance(value, dict):
        raise fail((key,), f"`{key}` must be a table from questions to answers, not {_is(value)}")
    found = []
    common = {name: answer for name, answer in value.items() if not isinstance(answer, dict)}
    for glob, table in (("", common), *((name, table) for name, table in value.items() if isinstance(table, dict))):
        place = (key, glob) if glob else (key,)
        found.append(
            (
                glob,
                tuple((name, _answer(answer, f"{key}.{name}", fail, (*place, name))) for name, answer in table.items()),
            )
        )
    return tuple(found)


def _answer(value: object, key: str, fail: _Fail, place: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, str) and value:
        return (value,)
    if not isinstance(value, list) or not value:
        raise fail(
            place,
            f"`{key}` must be a string or a list of strings, not {_is(value) if value not in ('', []) else 'empty'}",
        )
    return _strings(value, key, fail, place)


# Every key with what reads it. There is no key for unsafe fixes: each wants the author's consent when it is made.
KEYS: Mapping[str, Callable[[Any, str, _Fail], Any]] = {
    "select": _strings,
    "extend-select": _strings,
    "ignore": _strings,
    "per-file-ignores": _per_file,
    "severity": _severities,
    "fail-level": _word(FAIL_LEVELS),
    "cache": _word(CACHE),
    "assembly": _word(ASSEMBLY),
    "engine": _word(ENGINE),
    "build-contexts": _strings,
    "exclude": _strings,
    "context": _folder,
    "runtime": _word(RUNTIME),
    "answers": _answers,
}


def _line(text: str, keys: tuple[str, ...]) -> int:
    """The line, from 1, of the key path, or of its table where it is spelled in a way not known here."""
    table: tuple[str, ...] = ()
    best, depth = 1, 0
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[\[?([^\[\]]*)\]", line)
        assignment = re.match(r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""", line)
        if header:
            table = _parts(header[1])
            path = table
        elif assignment:
            path = table + _parts(assignment[1])
        else:
            continue
        common = min(len(path), len(keys))
        if path[:common] == keys[:common] and common > depth:
            best, depth = number, common
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r""""[^"]*"|'[^']*'|[^\s."']+""", dotted))
