"""The whole source is copied before the dependencies are installed, so that every change of a file installs them anew."""

import posixpath
from collections.abc import Iterator

from dfopt import context, layers, manifests, rewrite
from dfopt.build import Build, Copy, Run, Stage, State
from dfopt.packages import Use
from dfopt.rule import AddsCopy, Finding, Fix, Given, Layers, Moves, Related, Saving
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern


class _Install(NamedTuple):
    """An install, the folder of the image that it works in, and where it stands in the text."""

    use: Use
    folder: str
    line: int


class _Plan(NamedTuple):
    """What is copied before the install: for each folder of the image the sources; `doubt` is what must be agreed to, "" where nothing;
    `writes` is whether the installs write files of the project."""

    groups: dict[str, list[str]]
    doubt: str
    writes: bool


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        copies: list[int] = []
        # Who has installed dependencies in this stage: what comes later only adds the project itself.
        installed: set[str] = set()
        for index in stage.indexes:
            name = build.instructions[index].name
            if layers.takes_folder(build, index):
                copies.append(index)
            elif name == "RUN":
                found = _finding(build, given, stage, copies, index, installed) if copies else None
                if found is not None:
                    yield found
                installed |= {use.manager.family for use in _of_project(build.run(index))}


def _of_project(run: Run | None) -> list[Use]:
    """The commands of a RUN that install what the project's manifests name."""
    uses = run.uses if run is not None else []
    return [use for use in uses if use.reads_project and use.action in ("install", "download")]


def _finding(
    build: Build, given: Given, stage: Stage, copies: list[int], index: int, installed: set[str]
) -> Finding | None:
    run = build.run(index)
    installs = [use for use in _of_project(run) if use.manager.family not in installed]
    if run is None or not installs or build.state(index).workdir is None:
        return None
    found = _installs(build, index, run)
    folder = found[0].folder if isinstance(found, list) else build.state(index).workdir or "/"
    # The copy whose destination holds the folder that the install works in.
    copied = next((number for number in reversed(copies) if _relative(build.copy(number), folder) is not None), None)
    if copied is None:
        return None
    use = installs[0]
    instruction = build.instructions[copied]
    name = f"{use.manager.name} {use.verb}".strip()
    message = (
        f"`{instruction.name} {' '.join(instruction.arguments)}` comes before `{name}`: every changed file installs all dependencies anew"
        f" -> copy the manifests, install, then copy the rest"
    )
    place = run.span(use.command.start, use.command.end)
    related = (Related(place, f"`{name}` runs again after every change"),)
    saves = Saving(f"`{name}` in every rebuild that changes no manifest", source="")
    if isinstance(found, str):
        return Finding(instruction.text_span, message, None, saves, related, found)
    fix, refusal = _split(build, given, stage, copied, index, found)
    return Finding(instruction.text_span, message, fix, saves, related, refusal)


def _relative(copy: Copy | None, path: str) -> str | None:
    """Where `path` lies below a COPY's destination folder; None where it does not."""
    if copy is None or copy.destination is None:
        return None
    destination = copy.destination.rstrip("/") or "/"
    if path == destination:
        return ""
    head = destination.rstrip("/") + "/"
    return path[len(head) :] if path.startswith(head) else None


def _installs(build: Build, index: int, run: Run) -> list[_Install] | str:
    """The installs of a RUN with their folders, or why they cannot stand before the sources."""
    state = build.state(index)
    folder = state.workdir or "/"
    found: list[_Install] = []
    for command in run.commands:
        simple, nesting, use = command
        place = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
        if command.name in ("cd", "pushd", "popd"):
            target = layers.path_of(simple.words[1], state, folder) if len(simple.words) == 2 else None
            if command.name != "cd" or nesting or target is None or not _chained(run):
                return f"`{command.label}` on line {place} changes the folder"
            folder = target
        elif use is not None and use.reads_project and use.action in ("install", "download"):
            places = [layers.path_of(word, state, folder) for word in use.directories]
            if use.uncertain or nesting or len(places) > 1 or None in places:
                return f"it is not known what `{command.label}` reads on line {place}"
            found.append(_Install(use, places[0] if places and places[0] else folder, place))
        elif use is not None and use.reads_project:
            return f"`{command.label} {use.verb}` on line {place} needs the sources: give it a RUN of its own behind the COPY"
    return found


def _chained(run: Run) -> bool:
    """Whether the RUN is one chain of commands, so that a `cd` holds for all that follow."""
    return all(step.operator in ("", "&&") for step in run.script.steps)


def _split(
    build: Build, given: Given, stage: Stage, copied: int, index: int, installs: list[_Install]
) -> tuple[Fix | None, str]:
    run, copy = build.run(index), build.copy(copied)
    assert run is not None, "the install stands in a RUN"
    assert copy is not None and copy.destination is not None and copy.sources is not None, "a wide COPY is known"
    if set(copy.flags) & {"parents", "exclude"}:
        return None, "its flags decide which files come where"
    if any(set(text) & set(" \t\"'\\$[]*?") for text in (*copy.sources, copy.destination)):
        return None, "its paths hold characters that have a meaning"
    inside = ((copy.destination.rstrip("/") or "") + "/*",)
    own = {install.use.command for install in installs}
    for command in run.commands:
        if command.use is None and command.simple not in own and command.name != "cd":
            folder = next(
                (one.folder for one in installs if one.use.command.start > command.simple.start), installs[-1].folder
            )
            why = layers.touches_here(command, build.state(index)._replace(workdir=folder), inside)
            if why:
                return (
                    None,
                    f"{why} on line {build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)}",
                )
    if layers.mount_within(build, index, inside) and _reads_mount(build, index):
        return None, "a mount of the RUN lies in the copied folder"
    for between in range(copied + 1, index):
        if build.instructions[between].name in ("ENV", "ARG", "WORKDIR", "USER", "LABEL", "EXPOSE", "SHELL"):
            continue
        veto = layers.touches(build, between, inside)
        if veto is not None:
            return None, veto.why
    destination = _destination(build, copied, index)
    if destination is None:
        written = build.instructions[copied].arguments[-1]
        return None, f"behind the WORKDIR that follows, `{written}` is another folder"
    plan = _planned(build, given, copied, copy, index, installs)
    if isinstance(plan, str):
        return None, plan
    edits, effects = _edits(build, copied, index, plan.groups, destination)
    if edits is None:
        return None, "comments stand where the COPY would be cut"
    because = (
        f"to agree: {plan.doubt}"
        if plan.doubt
        else "the install reads these files alone, and the ignore file keeps what it writes out of the later COPY"
        if plan.writes
        else "the install reads these files alone, and writes no file of the project"
    )
    return Fix(
        "copy the manifests first, the rest behind the install",
        edits,
        not plan.doubt,
        because,
        (*effects, Moves(copied, index), Layers(stage.index, len(effects))),
    ), ""


def _reads_mount(build: Build, index: int) -> bool:
    """Whether a RUN has a mount that may bring files of the project: any but a cache or a secret."""
    return any(options["type"] not in ("cache", "secret", "ssh") for _, options in build.mounts(index))


def _planned(build: Build, given: Given, copied: int, copy: Copy, index: int, installs: list[_Install]) -> _Plan | str:
    """The files that the installs read as sources of COPY, or why more is needed."""
    assert copy.sources is not None, "a wide COPY is known"
    places = [_relative(copy, install.folder) for install in installs]
    evidence = [
        tuple(posixpath.join(copy.sources[0], below, name) for name in manifests.names(install.use))
        for install, below in zip(installs, places)
        if below is not None
    ]
    found = context.of(build, given, evidence)
    environment = _set_here(build.state(index))
    groups: dict[str, list[str]] = {}
    doubt, writes = "", False
    for install, below in zip(installs, places):
        if below is None:
            return f"the install on line {install.line} works in `{install.folder}`, which this COPY does not bring"
        start = context.normal(posixpath.join(copy.sources[0], below))
        reading = manifests.reading(install.use, manifests.Project(found, start, install.folder), environment)
        if isinstance(reading, str):
            return f"{reading} (line {install.line})"
        writes = writes or bool(reading.writes)
        doubt = doubt or reading.doubt or _overlaid(found, copy, start, install, reading.writes)
        for file in reading.files:
            path = posixpath.normpath(posixpath.join(install.folder, file))
            relative = _relative(copy, path)
            if relative is None:
                return f"`{path}` is not brought by this COPY"
            source = context.normal(posixpath.join(copy.sources[0], relative))
            if set(source) & set(" \t\"'\\$[]"):
                return f"`{source}` holds characters that have a meaning"
            group = groups.setdefault(path if file.endswith("/") else posixpath.dirname(path), [])
            if source not in group:
                group.append(source)
    if len(groups) > _MANY:
        return f"the manifests lie in {len(groups)} folders -> `COPY --parents` takes them in one step"
    return _Plan(groups, doubt, writes)


def _set_here(state: State) -> dict[str, str | None]:
    """The variables that the file sets, other than to a place outside of the project."""
    base = state.base.variables if state.base is not None else {}
    scopes = (state.arguments, state.environment)
    found = {name: scope[name] for scope in scopes for name in scope}
    return {
        name: value
        for name, value in found.items()
        if not (value or "").startswith("/") and not (name in base and base[name] == value)
    }


# Beyond so many, a COPY for each folder is no longer what its author would write.
_MANY = 12


def _overlaid(
    found: "context.Context | None", copy: Copy, start: str, install: _Install, writes: tuple[str, ...]
) -> str:
    """Which file of the context a later COPY might lay over what the install writes; "" where the ignore file keeps all out."""
    if found is None:
        return "the build context is not known"
    program = install.use.command.words[install.use.name_index].value or ""
    if _relative(copy, posixpath.normpath(posixpath.join(install.folder, program))) is not None and "/" in program:
        return f"`{program}` lies in the copied folder"
    for name in writes:
        path = posixpath.normpath(posixpath.join("/", start, name)).lstrip("/")
        decided = found.ignore.decides(path) if found.ignore.hides(path) else None
        exceptions = [
            one
            for one in found.ignore.patterns
            if one.exception and decided is not None and one.line > decided.line and _may_bring_back(one.text, path)
        ]
        if decided is None or exceptions:
            return f"the ignore file does not keep `{path}` out, which the later COPY may lay over what is installed"
    return ""


def _may_bring_back(text: str, path: str) -> bool:
    """Whether an exception may name something inside `path`."""
    start = text.partition("*")[0].partition("?")[0].partition("[")[0]
    return "**" in text or start.startswith(path + "/") or (path + "/").startswith(start) and start != text


def _destination(build: Build, copied: int, index: int) -> str | None:
    """What a COPY has to name behind step `index` to go where it goes now: as written where that is the same folder, else absolute; None
    where it is not known."""
    instruction = build.instructions[copied]
    written = instruction.arguments[-1]
    here = build.absolute(written, copied)
    if build.absolute(written, index) == here:
        return written
    return here if here is not None and not instruction.json and _PLAIN.fullmatch(here) else None


# A path that needs no quotes.
_PLAIN = pattern(r"[\w@%+=:,./~-]+")


def _edits(
    build: Build, copied: int, index: int, groups: dict[str, list[str]], target: str
) -> tuple[tuple[Edit, ...] | None, tuple[AddsCopy, ...]]:
    source = build.syntax.source
    text, newline = source.text, source.newline
    instruction, run = build.instructions[copied], build.instructions[index]
    keyword = "copy" if instruction.keyword.islower() else "COPY"
    flags = [flag.text for flag in instruction.flags if flag.name in ("chown", "chmod")]
    workdir = build.state(copied).workdir
    lines, effects = [], []
    for folder, sources in groups.items():
        destination = "./" if folder == workdir else folder.rstrip("/") + "/"
        if workdir is not None and workdir != "/" and folder.startswith(workdir.rstrip("/") + "/"):
            destination = f"./{posixpath.relpath(folder, workdir)}/"
        lines.append(" ".join([keyword, *flags, *sources, destination]))
        effects.append(AddsCopy(copied, tuple(sources), destination, tuple(flags)))
    start = rewrite.block_start(build, copied)
    block = text[start : instruction.span.end]
    if target != instruction.arguments[-1]:
        last = instruction.words[-1].span
        block = text[start : last.start] + target + text[last.end : instruction.span.end]
    end = run.span.end
    if not block.endswith("\n"):
        return None, ()
    blank = newline if text[:start].endswith(("\n\n", "\n\r\n")) and start else ""
    if end == len(text) and not text.endswith("\n"):
        moved = newline + blank + block.removesuffix("\n").removesuffix("\r")
    else:
        moved = blank + block
    added = "".join(line + newline for line in lines)
    return (Edit(Span(start, instruction.span.end), added), Edit(Span(end, end), moved)), tuple(effects)
