"""Package lists over several steps: who installs from what an update fetched, and where a stage has none."""

import re
from collections.abc import Iterator, Sequence

from dfopt import layers, packages, rewrite, shell
from dfopt.build import Build, Run, Stage, once
from dfopt.layers import Brought
from dfopt.packages import Use
from dfopt.rule import AddsCommand
from dfopt.shell import Simple
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple

APT_LISTS = "/var/lib/apt/lists"


class Reader(NamedTuple):
    """A command that installs from lists that an earlier step fetched: `instruction` is its RUN's index."""

    instruction: int
    use: Use


class Readers(NamedTuple):
    """Who reads the lists that one command fetches. `own`: the same RUN, behind it; `own_doubt`: why it may, where that is not known.
    `certain`: commands of later RUNs, those of stages FROM this one too; `conditional`: why one of them may, where an update
    before it does not run. `doubt`: why another later step may ("" where none does)."""

    own: bool
    own_doubt: str
    certain: tuple[Reader, ...]
    conditional: str
    doubt: str


def installs(use: Use) -> bool:
    """Whether a command works with lists: it reads those that are there, or fetches them itself."""
    return use.needs_lists or (
        use.manager.refresh == "itself" and use.action in ("install", "upgrade", "download", "query")
    )


@once
def readers(build: Build, index: int, one: Brought) -> Readers:
    """Who reads the lists that `one`, a command of RUN `index`, fetches, up to where they are deleted or fetched anew."""
    assert one.use is not None, "package lists are brought by a package manager"
    family = one.use.manager.family
    run, stage = build.run(index), build.stage(index)
    assert run is not None and stage is not None, "package lists are brought by a RUN"
    own, own_doubt = False, ""
    state = build.state(index)
    for command in run.commands:
        if command.simple.start <= one.start:
            continue
        if command.use is not None and command.use.manager.family == family:
            own = own or installs(command.use)
        elif _is_unknown(command.use, command.simple):
            own_doubt = own_doubt or layers.touches_here(command, state, (one.path,))
    certain: list[Reader] = []
    conditional = doubt = ""
    for chain in _chains(build, stage, index):
        for later in chain:
            found, maybe, why, ends = _step(build, later, one)
            certain += found
            conditional, doubt = conditional or maybe, doubt or why
            if ends:
                break
    return Readers(own, own_doubt, tuple(certain), conditional, doubt or at_run_time(build, stage, one))


def _is_unknown(use: Use | None, simple: Simple) -> bool:
    return use.action in ("run", "build") if use is not None else not packages.touches_only_its_words(simple)


def _chains(build: Build, stage: Stage, index: int) -> Iterator[Sequence[int]]:
    """What follows `index`: the rest of its stage, then for each stage on top of it that stage's own instructions."""
    yield range(index + 1, stage.last + 1)
    for child in build.children(stage):
        yield range(child.first + 1, child.last + 1)


def _step(build: Build, index: int, one: Brought) -> tuple[list[Reader], str, str, bool]:
    """Of a later step: the commands that read the lists, one that may where an update before it does not run, why something
    else may, and whether the lists are gone or new behind it."""
    assert one.use is not None
    family = one.use.manager.family
    explicit = one.use.action == "update" and one.use.manager.refresh == "itself"
    if build.instructions[index].name != "RUN":
        return [], "", "", False  # COPY and ADD only write
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        veto = layers.touches(build, index, (one.path,))
        return [], "", f"{veto.why}, and it may read them" if veto is not None else "", False
    found: list[Reader] = []
    end: int | None = None
    conditional = ""
    perhaps = False
    cleanings = {id(cleaning.simple): cleaning for cleaning in layers.cleaned(build, index)}
    tops = _tops(run)
    for simple, _, use in run.commands:
        cleaning = cleanings.get(id(simple))
        if cleaning is not None and cleaning.exact and cleaning.command is not None:
            deletes = any(layers.covers(path, one.path) for path in cleaning.paths)
            certain = rewrite.always_runs(build, index, cleaning.command, False)
            if deletes and certain and not layers.mount_within(build, index, cleaning.paths):
                end = simple.start
                break
        if use is None or use.manager.family != family:
            continue
        if explicit and installs(use):
            # It fetches what is out of date by itself, and takes what is not.
            return [Reader(index, use)], "", "", True
        if use.fetches_lists:
            top = tops.get(id(simple))
            if top is not None and rewrite.always_runs(build, index, top, True):
                end = simple.start
                break
            # Behind it there are the old lists or new ones.
            perhaps = True
        elif use.needs_lists and perhaps:
            line = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
            name = f"{use.manager.name} {use.verb}"
            conditional = conditional or f"`{name}` on line {line} needs them where the update before it does not run"
        elif use.needs_lists:
            found.append(Reader(index, use))
    veto = layers.touches(build, index, (one.path,), end, (family,))
    doubt = f"{veto.why}, and it may read them" if veto is not None and not found else ""
    return found, conditional, doubt, end is not None or perhaps


def _tops(run: Run) -> dict[int, int]:
    """The steps of a script by the identity of their first command."""
    return {id(step.pipeline.commands[0]): number for number, step in enumerate(run.script.steps)}


def at_run_time(build: Build, stage: Stage, one: Brought) -> str:
    """Why what is built on the image, or runs in it, or another stage may read the lists; "" where nothing of it is known to."""
    assert one.use is not None
    return _at_run_time(build, stage, one.use.manager.name, one.use.manager.family, one.path)


@once
def _at_run_time(build: Build, stage: Stage, name: str, family: str, path: str) -> str:
    # All of a family read the same lists: `apt-cache`, `apt-file` and `apt` those of `apt-get`.
    names = re.compile(rf"\b(?:{re.escape(name)}|{re.escape(family)})\b")
    for image in (stage, *build.children(stage)):
        for later in image.indexes:
            instruction = build.instructions[later]
            line = build.syntax.source.line_of(instruction.keyword_span.start)
            if instruction.name == "ONBUILD" and instruction.inner is not None and instruction.inner.name == "RUN":
                return f"the ONBUILD on line {line} runs in builds on top of this image, and it is not known whether it reads them"
            starts = instruction.name in ("CMD", "ENTRYPOINT", "HEALTHCHECK")
            named = names.search(instruction.body.text) if starts else None
            if named is not None:
                return f"the {instruction.name} on line {line} names `{named.group()}`"
    taken = layers.copied_from(build, stage, (path,))
    return taken.why if taken is not None else ""


def deleted_later(build: Build, stage: Stage, index: int, path: str) -> bool:
    """Whether a later RUN of the stage deletes the lists: then they are a clean-up that comes too late, which has its own rule."""
    for later in range(index + 1, stage.last + 1):
        for cleaning in layers.cleaned(build, later):
            certain = (
                cleaning.exact
                and cleaning.command is not None
                and not layers.mount_within(build, later, cleaning.paths)
            )
            if certain and any(layers.covers(pattern, path) for pattern in cleaning.paths):
                own = [one.start for one in layers.written(build, later) if one.path == path]
                return not any(start < cleaning.simple.start for start in own)
    return False


def operator_before(build: Build, index: int, step: int) -> str | None:
    """The operator by which a command can be put before command `step` of a RUN so that it runs whenever the RUN goes on, and its
    failure is the RUN's: `&&`, `;` or a line feed; None where there is none."""
    run = build.run(index)
    if run is None or run.script.opaque is not None or run.script.terminator == "&":
        return None
    steps = run.script.steps
    if all(other.operator == "&&" for other in steps[1:]):
        return "&&"
    operator = steps[step].operator
    if step and operator in (";", "\n") and rewrite.joint(build, index) in (";", "\n"):
        return operator
    return None


def step_of(run: Run, use: Use) -> int | None:
    """The step of a RUN's script that a command stands in."""
    for number, step in enumerate(run.script.steps):
        if step.pipeline.start <= use.command.start < step.pipeline.end:
            return number
    return None


def put_before(build: Build, index: int, step: int, text: str) -> tuple[Edit, AddsCommand] | None:
    """A command put before command `step` of a RUN, in the layout of the others, with its effect; None where that may change
    when the others run."""
    run = build.run(index)
    operator = operator_before(build, index, step)
    if run is None or operator is None or "\n" in text:
        return None
    if operator == "\n":
        place = run.span(run.script.steps[step].pipeline.start, run.script.steps[step].pipeline.end).start
        source = build.syntax.source
        before = source.text[source.line_starts[source.line_of(place) - 1] : place]
        if before.strip(" \t"):
            return None
        edit = Edit(Span(place, place), f"{text}\n{before}")
    else:
        short = _in_line(build, run, step, f"{text}{'' if operator == ';' else ' '}{operator} ")
        edit = short or rewrite.insert_commands(build, index, step, [text], operator)
    words = shell.tokens(shell.read(text))
    return edit, AddsCommand(index, step - 1, operator.replace("\n", ";"), words)


def _in_line(build: Build, run: Run, step: int, text: str) -> Edit | None:
    """A command put into a RUN of one line that does not grow long by it; None for others."""
    steps = run.script.steps
    whole = run.span(steps[0].pipeline.start, steps[-1].pipeline.end)
    source = build.syntax.source
    line = source.line_of(whole.start)
    if source.line_of(whole.end) > line or len(source.line_text(line)) + len(text) > rewrite.WIDTH:
        return None
    place = run.span(steps[step].pipeline.start, steps[step].pipeline.end).start
    return Edit(Span(place, place), text)


# ------------------------------------------------------------------------------------------------- where there are none


@once
def missing(build: Build, stage: Stage) -> tuple[Reader, ...]:
    """The commands of apt in a stage that install by name where there are certainly no lists: Debian's and Ubuntu's images, and
    Docker's official ones that are made of them, hold none."""
    return tuple(_followed(build, stage)[0])


@once
def _followed(build: Build, stage: Stage) -> tuple[list[Reader], bool, frozenset[str]]:
    """Those commands, whether the stage is known to end without lists, and the packages that it has installed by name."""
    installed: set[str] = set()
    if stage.base.stage is not None:
        _, none, earlier = _followed(build, build.stages[stage.base.stage])
        installed |= earlier
    else:
        facts = stage.facts
        none = facts is not None and facts.distribution == "debian" and stage.base.kind == "image"
    found: list[Reader] = []
    for index in stage.indexes:
        name = build.instructions[index].name
        if name in ("COPY", "ADD") and none:
            none = layers.touches(build, index, (APT_LISTS,)) is None
        if name != "RUN":
            continue
        run = build.run(index)
        if run is None or run.script.opaque is not None:
            none = False
            continue
        if layers.mount_within(build, index, (APT_LISTS,)):
            continue  # what is in the mount is not known, and what comes into it does not stay
        none = _through(build, index, run, none, found, installed)
    return found, none, frozenset(installed)


def _through(build: Build, index: int, run: Run, none: bool, found: list[Reader], installed: set[str]) -> bool:
    """Whether there are no lists behind a RUN, `none` before it; what installs without any is added to `found`, and the names
    of packages to `installed`: for what is there already no lists are asked."""
    cleanings = {id(cleaning.simple): cleaning for cleaning in layers.cleaned(build, index)}
    tops = _tops(run)
    for simple, _, use in run.commands:
        top = tops.get(id(simple))
        cleaning = cleanings.get(id(simple))
        if cleaning is not None and cleaning.exact and cleaning.command is not None:
            if any(layers.covers(path, APT_LISTS) for path in cleaning.paths):
                none = rewrite.always_runs(build, index, cleaning.command, False) or none
                continue
        if use is not None and use.manager.family == "apt":
            if use.fetches_lists:
                none = False
            elif none and top is not None and _by_name(use) and rewrite.always_runs(build, index, top, True):
                if not _names(use) <= installed:
                    found.append(Reader(index, use))
            if use.action == "install":
                installed |= _names(use)
        elif _is_unknown(use, simple):
            none = False
    return none


_HARMLESS = ("--simulate", "--print-uris", "--no-download", "--help", "--version")


def _by_name(use: Use) -> bool:
    """Whether a command looks packages up by their names in the lists."""
    if use.action not in ("install", "download") or not use.needs_lists or use.has(*_HARMLESS) or use.uncertain:
        return False
    return bool(_names(use))


def _names(use: Use) -> frozenset[str]:
    """The packages that a command names, without versions and architectures; files of packages are none."""
    values = [word.value for word in use.operands if word.value is not None]
    return frozenset(
        re.split("[=:]", value)[0] for value in values if "/" not in value and not value.endswith((".deb", "-"))
    )
