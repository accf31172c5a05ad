"""How long the steps of a build take: from a log of a build, from records of earlier ones, else from a table; each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from dfopt import packages, store
from dfopt.build import Build, Stage
from dfopt.context import Context
from dfopt.packages import Use
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern

if TYPE_CHECKING:
    from typing import Any


class Figure(NamedTuple):
    """The time of a step in seconds (None: not known). `source` is `log`, `record`, `measured` (by a build of this project), `typical` (a
    figure that someone published) or `unknown`; `origin` names it in words, `date` is its day (ISO 8601; "": it has none)."""

    seconds: float | None = None
    source: str = "unknown"
    origin: str = ""
    date: str = ""


UNKNOWN = Figure()

# What a step of unknown time weighs where orders are compared, in seconds: as much as a short build, or as a small copy.
# It is in no figure that is printed.
WEIGHT = {"RUN": 10.0}
OTHER_WEIGHT = 1.0


class Measured(NamedTuple):
    """A step as a log has it: its stage ("": not told), its number in the stage and how many there are (0: not told), its text with
    single blanks, its time in seconds and the bytes of its layer (None: not told)."""

    stage: str
    number: int
    total: int
    text: str
    seconds: float | None
    size: int | None = None


class Log(NamedTuple):
    """What a log told; `kind` says what it is, in words; `source` is that of its figures."""

    kind: str
    steps: tuple[Measured, ...]
    source: str = "log"


class BadLog(ValueError):
    """A text that is no log which is understood."""


# ------------------------------------------------------------------------------------------------------- the table

# `what | seconds | source | origin | date`. `measured` is a build of this project on a machine with two cores (docker 28.5, BuildKit);
# the typical figures are those of the document on image optimization that this project started from, which has no date.
_ROWS = """
small step | 0.1 | measured | RUN mkdir and chmod | 2026-11-21
small copy | 0.1 | measured | a small COPY | 2026-11-21
workdir | 0.1 | measured | WORKDIR | 2026-11-21
install system | 20 | typical | installing packages of the distribution |
install system, mounted | 5 | typical | apt-get install with a cache mount |
install npm | 45 | typical | npm ci of 500 packages |
install npm, mounted | 12 | typical | npm ci with a cache mount |
install pip | 30 | typical | pip install of 50 packages |
install pip, mounted | 8 | typical | pip install with a cache mount |
packages pip | 7.7 | measured | pip install of four packages by name | 2026-11-21
install | 60 | typical | installing the dependencies of a project |
build go | 60 | typical | go build of a large project |
build go, mounted | 15 | typical | go build with a cache mount |
build cargo | 180 | typical | cargo build |
build cargo, mounted | 30 | typical | cargo build with a cache mount |
build | 15 | typical | building a project |
"""

# Bytes a second, of a COPY of 100 MB of the build context, sent and written; on the same day and machine as the measured rows.
_BYTES_A_SECOND = 120_000_000
_MANY = 20_000


def _row(*names: str) -> Figure:
    for name in names:
        for line in _ROWS.strip().split("\n"):
            what, seconds, source, origin, date = (cell.strip() for cell in line.split("|"))
            if what == name:
                return Figure(float(seconds), source, origin, date)
    return UNKNOWN


def rows() -> list[tuple[str, Figure]]:
    """The table, for the documentation."""
    names = [line.partition(" |")[0] for line in _ROWS.strip().split("\n")]
    return [(name, _row(name)) for name in names]


_SMALL = frozenset(
    "mkdir rm rmdir chmod chown ln echo printf true : useradd groupadd adduser addgroup touch test [ set export unset cd umask mv cp cat sed"
    " install id ls pwd which command usermod groupmod tee rm head tail grep update-ca-certificates ldconfig corepack".split()
)


def _of_run(build: Build, index: int) -> Figure:
    """The time of a RUN by the commands that are known in it; what else it does is not counted where one of them takes long."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return UNKNOWN
    mounted = any(options["type"] == "cache" for _, options in build.mounts(index))
    found: dict[str, Figure] = {}
    unknown = False
    for command in run.commands:
        if command.use is not None:
            figure = _of_use(command.use, mounted)
            if figure is not None and figure.seconds is not None:
                found.setdefault(figure.origin, figure)
            unknown = unknown or figure == UNKNOWN or command.use.action == "update"
            continue
        if command.name and (
            command.name not in _SMALL or any(w.text in ("-R", "--recursive") for w in command.simple.words)
        ):
            unknown = True
    if not found:
        return UNKNOWN if unknown or not run.commands else _row("small step")
    figures = list(found.values())
    dates = {figure.date for figure in figures}
    return Figure(
        sum(figure.seconds or 0 for figure in figures),
        figures[0].source,
        " and ".join(found),
        dates.pop() if len(dates) == 1 else "",
    )


def _of_use(use: Use, mounted: bool) -> Figure | None:
    """The time of a package manager's command; None for one that does little."""
    family = use.manager.family
    suffixes = (", mounted", "") if mounted else ("",)
    if use.action in ("install", "download", "upgrade") or (use.action == "build" and family == "pip"):
        if family in packages.SYSTEM_FAMILIES:
            return _row(*(f"install system{suffix}" for suffix in suffixes))
        # What a project declares is many packages, what is named is few.
        if use.reads_project:
            return _row(*(f"install {family}{suffix}" for suffix in suffixes), "install")
        return _row(f"packages {family}")
    if use.action in ("build", "run"):
        return _row(*(f"build {family}{suffix}" for suffix in suffixes), "build")
    return None


# -------------------------------------------------------------------------------------------------------- one step


def of(build: Build, index: int, logs: Iterable[Log] = (), place: Context | None = None) -> Figure:
    """The time of a step (FROM, RUN, COPY, ADD, WORKDIR); of `logs` the first counts that knows it. `place` is the build context on disk,
    for the sizes of what is copied."""
    name = build.instructions[index].name
    size = None
    for log in logs:
        step = find(build, index, log)
        if step is not None and step.seconds is not None:
            return Figure(step.seconds, log.source, log.kind)
        size = step.size if step is not None and size is None else size
    if name == "RUN":
        return _of_run(build, index)
    if name == "WORKDIR":
        return _row("workdir")
    if name in ("COPY", "ADD"):
        copy = build.copy(index)
        if copy is None or any("://" in source or source.startswith("git@") for source in copy.sources or ()):
            return UNKNOWN
        if size is None and copy.origin is None and place is not None:
            size = _size(build, index, place)
        small = _row("small copy")
        if size is None:
            return small
        assert small.seconds is not None, "a row of the table"
        return Figure(small.seconds + size / _BYTES_A_SECOND, "measured", f"{spoken_size(size)} copied", small.date)
    return UNKNOWN


def spoken_size(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size >= factor:
            return f"{size / factor:.0f} {unit}" if size >= 10 * factor else f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _size(build: Build, index: int, place: Context) -> int | None:
    """The bytes that a COPY takes from the context; None where too many files would have to be looked at."""
    copy = build.copy(index)
    if copy is None or copy.sources is None:
        return None
    total = count = 0
    for source in copy.sources:
        for path in place.matching(source):
            entry = place.entry(path)
            for one in place.walk(path) if entry is not None and entry.kind == "folder" else [entry]:
                count += 1
                if count > _MANY:
                    return None
                total += place.size(one) if one is not None else 0
    return total


VERTICES = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")


def vertices(build: Build, stage: Stage) -> list[int]:
    """The steps of a stage that a build does: its FROM, RUN, COPY, ADD and WORKDIR."""
    return [index for index in stage.indexes if build.instructions[index].name in VERTICES]


def stage_label(build: Build, stage: Stage) -> str:
    """The name of a stage as BuildKit prints it."""
    return stage.name or (f"stage-{stage.index}" if len(build.stages) > 1 else "")


def find(build: Build, index: int, log: Log) -> Measured | None:
    """A step in a log: by its text, else by its number in a stage of as many steps."""
    stage = build.stage(index)
    assert stage is not None, "a step of a stage"
    label = stage_label(build, stage)
    texts = _texts(build, index)
    known = [step for step in log.steps if step.stage.lower() in ("", label)]
    for step in known:
        if step.text in texts or (not step.total and _plain(step.text) in {_plain(text) for text in texts}):
            return step
    steps = vertices(build, stage)
    name = build.instructions[index].name
    for step in known:
        if step.total == len(steps) and step.number == steps.index(index) + 1 and step.text.startswith(name + " "):
            return step
    return None


def _texts(build: Build, index: int) -> set[str]:
    """The spellings by which BuildKit may print an instruction."""
    instruction = build.instructions[index]
    words = [flag.text for flag in instruction.flags]
    written = _joined(instruction.logical.text)
    keyword = instruction.name
    head, _, rest = written.partition(" ")
    own = rest if head.upper() == keyword else written
    expanded = [build.expand(argument, index) or argument for argument in instruction.arguments]
    return {f"{keyword} {own}", _joined(" ".join((keyword, *words, *expanded)))}


def _joined(text: str) -> str:
    return " ".join(text.split())


_FLAGS = pattern(r"(?<=\s)--[a-z]+(?:=\S+)?\s+")


def _plain(text: str) -> str:
    """An instruction as an image's history has it: without flags, and without what runs its command."""
    text = _FLAGS.sub("", text.removesuffix(" # buildkit") + " ").strip()
    return re.sub(r"^RUN (?:\|\d+ .*?)?/bin/sh -c ", "RUN ", text)


# ------------------------------------------------------------------------------------------------------------ logs


def read_log(text: str) -> Log:
    """A log of a build (`--progress=rawjson`, `--progress=plain`) or a `docker history`, told apart by what stands in it.

    Raises BadLog for any other text, and where it tells of no step.
    """
    objects = list(_objects(text))
    if any("vertexes" in one for one in objects):
        log = Log("build log", tuple(_raw(objects)))
    elif any("CreatedBy" in one for one in objects):
        log = Log("image history: sizes only", tuple(_history(objects)))
    elif re.search(r"^IMAGE\s+CREATED\s+CREATED BY\s+SIZE", text, re.MULTILINE):
        log = Log("image history: sizes only", tuple(_history(_columns(text))))
    elif re.search(r"^#\d+ ", text, re.MULTILINE):
        log = Log("build log", tuple(_progress(text)))
    else:
        raise BadLog("it is no log of `docker build --progress=rawjson` or `plain`, and no `docker history`")
    if not log.steps:
        raise BadLog("it tells of no step")
    return log


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    import json

    for line in text.split("\n"):
        if line.startswith("{"):
            try:
                one = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(one, dict):
                yield one


_NAME = pattern(
    r"\[(?:(?P<platform>\S+/\S*[a-z]\S*) )?(?:(?P<stage>[A-Za-z]\S*) +)? *(?P<number>\d+)/(?P<total>\d+)\] (?P<text>.+)",
    re.DOTALL,
)


def _step(name: str, seconds: float | None) -> Measured | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Measured(match["stage"] or "", int(match["number"]), int(match["total"]), _joined(match["text"]), seconds)


def _raw(objects: Iterable[Mapping[str, Any]]) -> Iterator[Measured]:
    """The steps of BuildKit's own progress; of several reports on one the last that has its end counts, and none of a cached one."""
    names: dict[str, str] = {}
    times: dict[str, float | None] = {}
    for one in objects:
        vertexes = one.get("vertexes")
        for vertex in vertexes if isinstance(vertexes, list) else ():
            if not isinstance(vertex, dict) or not isinstance(vertex.get("digest"), str):
                continue
            digest = vertex["digest"]
            names[digest] = str(vertex.get("name", names.get(digest, "")))
            start, end = _instant(vertex.get("started")), _instant(vertex.get("completed"))
            if vertex.get("cached") or vertex.get("error"):
                times[digest] = None
            elif start is not None and end is not None and end >= start:
                times[digest] = end - start
    for digest, name in names.items():
        step = _step(name, times.get(digest))
        if step is not None:
            yield step


def _instant(text: object) -> float | None:
    """A time of Go (RFC 3339 with up to nine digits of a second) in seconds."""
    import datetime

    match = (
        re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
        if isinstance(text, str)
        else None
    )
    if match is None:
        return None
    try:
        whole = datetime.datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    except ValueError:
        return None
    return whole.timestamp() + float(match[2] or 0)


def _progress(text: str) -> Iterator[Measured]:
    """The steps of `--progress=plain`: `#7 [build 2/5] RUN npm ci`, and `#7 DONE 12.3s` behind it."""
    names: dict[str, str] = {}
    times: dict[str, float] = {}
    for number, rest in re.findall(r"^#(\d+) (.*?)\r?$", text, re.MULTILINE):
        if rest.startswith("["):
            names.setdefault(number, rest)
        done = re.fullmatch(r"DONE (\d+(?:\.\d+)?)s", rest)
        if done is not None:
            times[number] = float(done[1])
    for number, name in names.items():
        step = _step(name, times.get(number))
        if step is not None:
            yield step


def _columns(text: str) -> Iterator[Mapping[str, Any]]:
    """The rows of `docker history --no-trunc` as a table."""
    for line in text.split("\n"):
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) >= 4 and cells[0] != "IMAGE":
            yield {"CreatedBy": cells[2], "Size": cells[3]}


_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _history(objects: Iterable[Mapping[str, Any]]) -> Iterator[Measured]:
    for one in objects:
        text = one.get("CreatedBy")
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKMGT]?B)", str(one.get("Size", "")))
        if isinstance(text, str) and text and match is not None:
            yield Measured("", 0, 0, _joined(text), None, int(float(match[1]) * _UNITS[match[2]]))


# --------------------------------------------------------------------------------------------------------- records

# The last times of each step that are kept, and the files of which are.
_TIMES = 5
_FILES = 50


def _record_name(dockerfile: str) -> str:
    import hashlib
    import os

    path = os.path.realpath(dockerfile)
    return "costs/" + hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


def record(dockerfile: str, steps: Iterable[Measured], date: str) -> bool:
    """Keep the times of a build of a Dockerfile, for `recorded`; False where nothing can be kept.

    The file is `costs/<SHA-256 of the path>.json` in the cache folder: `{"version": 1, "steps": [{"stage", "text", "times": [seconds, newest
    last], "date"}]}`; of each step the last five times are kept.
    """
    kept = {(step.stage, step.text): (times, day) for step, times, day in _recorded(dockerfile)}
    for step in steps:
        if step.seconds is not None:
            times, _ = kept.get((step.stage, step.text), ((), ""))
            kept[step.stage, step.text] = ((*times, step.seconds)[-_TIMES:], date)
    rows = [
        {"stage": stage, "text": text, "times": list(times), "date": day}
        for (stage, text), (times, day) in kept.items()
    ]
    written = store.write(_record_name(dockerfile), {"version": 1, "steps": rows})
    if written:
        store.prune("costs", _FILES, 16 << 20)
    return written


def learn(dockerfile: str, build: Build, progress: str, date: str) -> bool:
    """Keep what a build's progress tells of the steps of a Dockerfile, by their texts in the file: what was built may have been a copy with
    other mount ids. False where there was nothing to keep."""
    try:
        log = read_log(progress)
    except BadLog:
        return False
    steps = []
    for stage in build.stages:
        for index in vertices(build, stage):
            step = find(build, index, log)
            if step is not None and step.seconds is not None and build.instructions[index].name != "FROM":
                steps.append(Measured(stage_label(build, stage), 0, 0, min(_texts(build, index)), step.seconds))
    return bool(steps) and record(dockerfile, steps, date)


def recorded(dockerfile: str) -> Log:
    """What earlier builds of a Dockerfile took: of each step the median of the times that were kept."""
    steps = tuple(step for step, _, _ in _recorded(dockerfile))
    return Log("earlier builds", steps, "record")


def _recorded(dockerfile: str) -> Iterator[tuple[Measured, tuple[float, ...], str]]:
    found = store.read(_record_name(dockerfile))
    rows = found.get("steps") if isinstance(found, dict) and found.get("version") == 1 else None
    for row in rows if isinstance(rows, list) else ():
        try:
            stage, text, date = row["stage"], row["text"], row["date"]
            times = tuple(float(time) for time in row["times"])
        except (KeyError, TypeError, ValueError):
            continue
        if times and all(0 <= time < 10**7 for time in times) and isinstance(stage, str) and isinstance(text, str):
            yield Measured(stage, 0, 0, text, sorted(times)[len(times) // 2]), times, str(date)
