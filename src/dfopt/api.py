"""`dfopt.check` and `dfopt.fix`: one Dockerfile as text, bytes, a path or a dockerfile-parse `DockerfileParser`."""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, Union

from dfopt import engine, files
from dfopt.engine import Fixed, Report
from dfopt.plan import Plan, Wishes, configuration, placed, planner
from dfopt.source import Source


class Parser(Protocol):
    """What dfopt asks of a dockerfile-parse `DockerfileParser`."""

    @property
    def content(self) -> str:
        """The Dockerfile's text; setting it writes the file."""

    @content.setter
    def content(self, content: str) -> None: ...


Target = Union[str, bytes, bytearray, memoryview, "os.PathLike[str]", Parser]


def check(
    target: Target,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    config: "str | os.PathLike[str] | None" = None,
    isolated: bool = False,
    cache: str | None = None,
    assembly: str | None = None,
    build_contexts: Iterable[str] = (),
    context: "str | os.PathLike[str] | None" = None,
    name: str | None = None,
) -> Report:
    """What is wrong with a Dockerfile.

    `target` is the Dockerfile's text (`str`, always), its bytes, a path (`os.PathLike`, as `pathlib.Path`) or a
    dockerfile-parse `DockerfileParser`. `select` and `ignore` are codes, names or prefixes as on the command line. The
    configuration nearest above a path is used; `config` names another one, `isolated` means none; text, bytes and
    parsers over a file object have only the one that `config` names. `name` is what the source is called.

    Raises OSError where the target cannot be read, ValueError for an unknown rule, a wrong policy or a configuration
    that cannot be used (`ConfigError`), TypeError for a target of another kind. A Dockerfile that does not parse raises
    nothing: that is a finding.
    """
    given = _read(target, name)
    plan = _plan(given, select, ignore, config, isolated, cache, assembly, build_contexts, context)
    return engine.check(given.source, plan.rules, plan.given, plan.severities)


def fix(
    target: Target,
    *,
    unsafe: bool = False,
    write: bool | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    config: "str | os.PathLike[str] | None" = None,
    isolated: bool = False,
    cache: str | None = None,
    assembly: str | None = None,
    build_contexts: Iterable[str] = (),
    context: "str | os.PathLike[str] | None" = None,
    name: str | None = None,
) -> Fixed:
    """Rewrite a Dockerfile: the safe fixes, with `unsafe` all.

    The new text is `result.source.text`, its bytes `result.source.to_bytes()`; what is left is in `result.report`. A
    path is written only with `write=True` (in one step, as the command line does); a `DockerfileParser` is written
    through its `content` unless `write=False`. What `result.report` calls `refused` or `locked` is never changed.
    The other arguments and errors are those of `check`; `write=True` for text or bytes is a ValueError.
    """
    given = _read(target, name)
    if write and given.parser is None and given.path is None:
        raise ValueError("`write=True` needs a path or a parser; text and bytes come back in the result")
    plan = _plan(given, select, ignore, config, isolated, cache, assembly, build_contexts, context)
    source = given.source
    result = engine.fix(source, plan.rules, plan.given, plan.severities, unsafe)
    if result.source.text != source.text:
        if given.parser is not None and write is not False:
            _write_parser(given, result.source)
        elif given.path is not None and write:
            files.replace(given.path, source.to_bytes(), result.source.to_bytes())
    return result


class _Given(NamedTuple):
    """A target read: where it lies, if it lies anywhere, and the parser that it came in."""

    source: Source
    path: str | None
    parser: Any


def _read(target: Target, name: str | None) -> _Given:
    if isinstance(target, str):
        return _Given(Source(target, name or "<text>"), None, None)
    if isinstance(target, (bytes, bytearray, memoryview)):
        return _Given(Source.from_bytes(bytes(target), name or "<bytes>"), None, None)
    if isinstance(target, os.PathLike):
        named = os.fsdecode(target)
        return _Given(Source.from_bytes(files.read(named), name or named), named, None)
    # Asked of the class: asking the object would read the file, and fail where it is not UTF-8.
    if not hasattr(type(target), "content") and "content" not in getattr(target, "__dict__", ()):
        raise TypeError(f"a Dockerfile is text, bytes, a path or a `DockerfileParser`, not `{type(target).__name__}`")
    parser: Any = target
    place = getattr(parser, "dockerfile_path", None)
    path = place if isinstance(place, str) else None
    file = getattr(parser, "fileobj", None)
    label: str = name or path or "<parser>"
    data: Any
    if getattr(parser, "cached_content", ""):
        data = parser.content  # what the parser holds is what its user sees
    elif file is not None:
        file.seek(0)
        data = file.read()
        file.seek(0)
    elif path is not None:
        data = files.read(path)
    else:
        data = parser.content
    source = Source(data, label) if isinstance(data, str) else Source.from_bytes(data, label)
    return _Given(source, path if file is None else None, parser)


def _write_parser(given: _Given, after: Source) -> None:
    """Write through `content`, which keeps the parser's own cache true. Bytes that are not UTF-8 it cannot take (it
    empties the file before it fails), so they go to what lies behind it."""
    parser = given.parser
    try:
        after.text.encode("utf-8")
    except UnicodeEncodeError:
        file = getattr(parser, "fileobj", None)
        if file is not None:
            file.seek(0)
            file.truncate()
            file.write(after.to_bytes())
            file.seek(0)
        elif given.path is not None:
            files.replace(given.path, given.source.to_bytes(), after.to_bytes())
        else:
            raise
    else:
        parser.content = after.text


def _plan(
    given: _Given,
    select: Iterable[str],
    ignore: Iterable[str],
    config: "str | os.PathLike[str] | None",
    isolated: bool,
    cache: str | None,
    assembly: str | None,
    build_contexts: Iterable[str],
    context: "str | os.PathLike[str] | None",
) -> Plan:
    from dfopt.config import ASSEMBLY, CACHE

    for key, value, choices in (("cache", cache, CACHE), ("assembly", assembly, ASSEMBLY)):
        if value is not None and value not in choices:
            raise ValueError(f"`{key}` must be one of {', '.join(choices)}, not `{value}`")
    wishes = Wishes(
        select=_strings("select", select),
        ignore=_strings("ignore", ignore),
        cache=cache,
        assembly=assembly,
        contexts=_strings("build_contexts", build_contexts),
        context=os.fsdecode(context) if context is not None else None,
    )
    plan = planner(wishes)
    settings = configuration(os.fsdecode(config) if config is not None else None, isolated or given.path is None)
    path = given.path or given.source.name
    chosen = settings(os.path.dirname(path))
    return placed(plan(chosen, path), chosen, wishes, given.path, {})


def _strings(key: str, value: Iterable[str]) -> tuple[str, ...]:
    """`value` as a tuple; a lone string is split at commas as on the command line."""
    if isinstance(value, str):
        value = value.split(",")
    entries = tuple(value)
    if not all(isinstance(entry, str) for entry in entries):
        raise TypeError(f"`{key}` must hold strings")
    return entries
