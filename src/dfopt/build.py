"""Nodes to meaning: stages, references, targets, and the state (environment, args, user, workdir, shell) before each instruction."""

import posixpath
from collections.abc import Iterator, Mapping

from dfopt import bases, packages, shell, words
from dfopt.source import Span
from dfopt.startup import NamedTuple
from dfopt.syntax import Flag, Instruction, Logical, Syntax

# Set by BuildKit in the global scope; a stage sees one after `ARG NAME` (frontend/dockerfile/dockerfile2llb/platform.go).
PLATFORM_ARGUMENTS = (
    "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT",
    "TARGETSTAGE",
)  # fmt: skip

# Any RUN sees these as build arguments without a declaration (frontend/dockerfile/dockerfile2llb/convert.go).
PROXY_ARGUMENTS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)

# Stands for a value that is not known inside an image reference while its repository is looked for.
_UNKNOWN = "\ue000"


class Variables(dict[str, "str | None"]):
    """Names to values, None for a value that is not known; where `open`, a name that is not in it may still be set (by a
    base image that is not known), so that asking for it gives None, not "unset"."""

    __slots__ = ("open",)

    def __init__(self, values: Mapping[str, str | None], is_open: bool) -> None:
        super().__init__(values)
        self.open = is_open

    def __contains__(self, name: object) -> bool:
        return self.open or dict.__contains__(self, name)

    def __missing__(self, name: str) -> None:
        if self.open:
            return None
        raise KeyError(name)


class State(NamedTuple):
    """What holds before an instruction.

    `environment` and `arguments` map names to values (None: set, value not known). `user` is as written and expanded, with
    the base image's where none is set; None: not known. `workdir` is absolute; None: not known. `shell` is the SHELL
    instruction's words (None: the platform's default). `base` are the facts of the image at the bottom.
    """

    environment: Variables
    arguments: Variables
    user: str | None
    workdir: str | None
    shell: tuple[str, ...] | None
    base: bases.Base | None

    @property
    def home(self) -> str | None:
        """The HOME that a RUN sees, absolute; None where it is not known."""
        if dict.__contains__(self.environment, "HOME"):
            home = self.environment["HOME"]
            return home if home and home.startswith("/") else None
        return "/root" if self.is_root else None

    @property
    def is_root(self) -> bool:
        """Whether a RUN is known to run as root."""
        return self.user is not None and self.user.partition(":")[0] in ("root", "0")

    def variables(self) -> Variables:
        """What expansion sees: ENV beats ARG."""
        return Variables({**self.arguments, **self.environment}, self.environment.open)

    def lookup(self, name: str) -> tuple[bool, str | None]:
        """Whether a RUN has the variable set, and its value where that is known; (True, None) also where it may be set.

        For a base image in the table, a variable that neither the table nor the file sets counts as unset.
        """
        for scope in (self.environment, self.arguments):
            if dict.__contains__(scope, name):
                return True, scope[name]
        if self.base is not None:
            value = self.base.variables.get(name)
            return value is not None, value
        return self.environment.open, None


class Reference(NamedTuple):
    """What a `FROM`, `--from=` or `--mount=from=` names.

    `kind` is `stage` (then `stage` is its index), `scratch`, `context` (a named build context that the caller told of),
    `image` (an image, or a named context that only the command line knows), or `unknown` (it holds a variable).
    """

    kind: str
    text: str
    stage: int | None
    instruction: int
    span: Span


class Command(NamedTuple):
    """A simple command of a RUN with the kinds of what it stands in (`shell.simple_commands`), and what it does where it is
    a package manager's and understood."""

    simple: shell.Simple
    nesting: tuple[str, ...]
    use: packages.Use | None

    @property
    def name(self) -> str | None:
        """The program's name as written; "" for assignments alone, None where it is not known."""
        return self.simple.words[0].value if self.simple.words else ""

    @property
    def label(self) -> str:
        """The first word as written, for messages."""
        return self.simple.words[0].text if self.simple.words else "an assignment"


class Run:
    """A RUN's script with its places: `logical` maps offsets of the script's text into the file. `script.opaque` says why where
    it was not understood. `heredoc` is whether the script is the body of a heredoc."""

    __slots__ = ("script", "logical", "heredoc", "_commands")

    def __init__(self, script: shell.Script, logical: Logical, heredoc: bool) -> None:
        self.script = script
        self.logical = logical
        self.heredoc = heredoc
        self._commands: tuple[Command, ...] | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every simple command in order of place, nested ones too; none of an opaque script."""
        if self._commands is None:
            self._commands = tuple(
                Command(simple, nesting, packages.recognise(simple))
                for simple, nesting in shell.simple_commands(self.script)
            )
        return self._commands

    def span(self, start: int, end: int) -> Span:
        """The place in the file of `[start, end)` of the script's text."""
        return self.logical.span(start, end)


class Copy(NamedTuple):
    """A COPY or ADD with its paths expanded: None where a variable is not known. `destination` is absolute (None: not known),
    with a trailing `/` where it must be a folder. `origin` is the reference of `--from`, None for the build context."""

    sources: tuple[str, ...] | None
    destination: str | None
    origin: Reference | None
    flags: Mapping[str, str]


class Stage:
    """One build stage: `first` is the index of its FROM in `Syntax.instructions`, `last` of its last instruction.

    `name` is lower case, "" where there is none. `base` is what it stands on; `image` the base image's reference as
    expanded (None where it holds an unknown variable). `needs` are the indexes of stages that it builds on or copies from.
    """

    __slots__ = ("index", "name", "name_span", "base", "image", "platform", "first", "last", "needs", "facts")

    def __init__(self, index: int, name: str, name_span: Span | None, base: Reference, image: str | None,
                 platform: str | None, first: int, facts: bases.Base | None) -> None:  # fmt: skip
        self.index = index
        self.name = name
        self.name_span = name_span
        self.base = base
        self.image = image
        self.platform = platform
        self.first = first
        self.last = first
        self.needs: set[int] = set()
        self.facts = facts

    @property
    def indexes(self) -> range:
        """The indexes of its instructions, its FROM first."""
        return range(self.first, self.last + 1)


class Build:
    """The meaning of one file: its stages, the state before each instruction, scripts and references; computed once.

    `states[i]` is the state before instruction `i` (None before the first FROM); `stage_of[i]` its stage's index (None
    before the first FROM). `references` are all that `COPY --from` and `RUN --mount=from=` name, in order.
    """

    __slots__ = ("syntax", "stages", "states", "stage_of", "references", "global_arguments", "windows", "_finals", "_runs",
                 "_contexts", "_by_instruction")  # fmt: skip

    def __init__(self, syntax: Syntax, contexts: tuple[str, ...] = ()) -> None:
        self.syntax = syntax
        self.stages: list[Stage] = []
        self.states: list[State | None] = []
        self.stage_of: list[int | None] = []
        self.references: list[Reference] = []
        self.global_arguments = Variables(dict.fromkeys(PLATFORM_ARGUMENTS), False)
        self.windows = syntax.escape == "`"
        self._contexts = frozenset(name.lower() for name in contexts)
        self._finals: list[State] = []
        self._runs: dict[int, Run] = {}
        self._by_instruction: dict[int, list[Reference]] = {}
        self._read()

    # ------------------------------------------------------------------------------------------------ what rules ask

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return self.syntax.instructions

    @property
    def final(self) -> Stage | None:
        """The stage that `docker build` without `--target` gives; None where there is none."""
        return self.stages[-1] if self.stages else None

    def state(self, index: int) -> State:
        """The state before instruction `index`, which must stand in a stage."""
        state = self.states[index]
        assert state is not None, "an instruction before the first FROM has no state"
        return state

    def after(self, stage: Stage) -> State:
        """The state at the end of a stage: what its image configuration holds."""
        return self._finals[stage.index]

    def reached(self, target: Stage | None = None) -> set[int]:
        """The indexes of the stages that building `target` (the final stage) needs, itself included."""
        target = target or self.final
        found: set[int] = set()
        todo = [target.index] if target else []
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                todo.extend(self.stages[index].needs)
        return found

    def children(self, stage: Stage) -> list[Stage]:
        """The stages that are built `FROM` this one, directly or through others."""
        found = {stage.index}
        result = []
        for other in self.stages[stage.index + 1 :]:
            if other.base.kind == "stage" and other.base.stage in found:
                found.add(other.index)
                result.append(other)
        return result

    def users(self, stage: Stage) -> list[Reference]:
        """What copies from or mounts this stage."""
        return [reference for reference in self.references if reference.kind == "stage" and reference.stage == stage.index]

    def is_shipped(self, stage: Stage) -> bool:
        """Whether the layers of a stage are in an image that is kept: the final stage, a stage that no other one uses (it is
        built with `--target`), and the stages that these stand on."""
        used = {index for other in self.stages for index in other.needs}
        for leaf in self.stages:
            if leaf is not self.final and leaf.index in used:
                continue
            index: int | None = leaf.index
            while index is not None:
                if index == stage.index:
                    return True
                base = self.stages[index].base
                index = base.stage if base.kind == "stage" else None
        return False

    def references_of(self, index: int) -> list[Reference]:
        """What instruction `index` names by `--from=` or `--mount=from=`."""
        return self._by_instruction.get(index, [])

    def expand(self, text: str, index: int) -> str | None:
        """A word of instruction `index`, expanded and unquoted; None where a variable is not known."""
        return words.expand(text, self.state(index).variables(), self.syntax.escape).value

    def run(self, index: int) -> Run | None:
        """The script of the RUN at `index`; None for another instruction and for the JSON form."""
        instruction = self.instructions[index]
        if instruction.name != "RUN" or instruction.json:
            return None
        found = self._runs.get(index)
        if found is None:
            found = self._runs[index] = self._read_run(instruction, self.states[index])
        return found

    def copy(self, index: int) -> Copy | None:
        """The COPY or ADD at `index`, expanded; None for another instruction."""
        instruction = self.instructions[index]
        if instruction.name not in ("COPY", "ADD") or len(instruction.arguments) < 2 or self.states[index] is None:
            return None
        expanded = [self.expand(argument, index) for argument in instruction.arguments]
        sources: list[str] = [source for source in expanded[:-1] if source is not None]
        origin = next(iter(self.references_of(index)), None)
        return Copy(
            tuple(sources) if len(sources) == len(expanded) - 1 else None,
            self.absolute(expanded[-1], index),
            origin,
            {flag.name: flag.value if flag.value is not None else "true" for flag in instruction.flags},
        )

    def absolute(self, path: str | None, index: int) -> str | None:
        """`path` as seen by instruction `index`: absolute, `.` and `..` resolved, a trailing `/` kept; None where unknown."""
        if path is None:
            return None
        folder = path.endswith(("/", "/.", "/..")) or path in (".", "..")
        if not path.startswith("/"):
            workdir = self.state(index).workdir
            if workdir is None:
                return None
            path = posixpath.join(workdir, path)
        path = posixpath.normpath(path)
        path = "/" + path.lstrip("/")
        return path + "/" if folder and path != "/" else path

    def mounts(self, index: int) -> list[tuple[Flag, dict[str, str]]]:
        """The `--mount` flags of a RUN with their options by BuildKit's full names (`type`, `target`, `source`, `from` ...)."""
        return [
            (flag, mount_options(flag.value or ""))
            for flag in self.instructions[index].flags
            if flag.name == "mount"
        ]

    def stage(self, index: int) -> Stage | None:
        """The stage of instruction `index`; None before the first FROM."""
        found = self.stage_of[index]
        return None if found is None else self.stages[found]

    def names(self) -> set[str]:
        """Every name, in lower case, that stands for a stage, an image or a context somewhere; a new stage's name must not be among them."""
        found = {stage.name for stage in self.stages if stage.name} | set(self._contexts)
        found.update(stage.base.text.lower() for stage in self.stages)
        found.update(reference.text.lower() for reference in self.references)
        return found

    # ------------------------------------------------------------------------------------------------------ reading

    def _read(self) -> None:
        state: State | None = None
        for index, instruction in enumerate(self.instructions):
            if instruction.name == "FROM":
                if self.stages:
                    assert state is not None
                    self._finals.append(state)
                state = self._start_stage(index, instruction)
                self.stage_of.append(len(self.stages) - 1)
                self.states.append(state)
                continue
            self.states.append(state)
            self.stage_of.append(len(self.stages) - 1 if self.stages else None)
            if state is None:
                if instruction.name == "ARG":
                    self._declare_global(instruction)
                continue
            self.stages[-1].last = index
            self._note_references(index, instruction)
            state = self._step(state, instruction)
        if state is not None:
            self._finals.append(state)

    def _declare_global(self, instruction: Instruction) -> None:
        for key, value in instruction.pairs:
            # The command line may give another value, so a default is used only as a hint (`default_arguments`).
            self.global_arguments[key.text] = None
            if value is not None:
                self._expand_global(value.text)

    def _expand_global(self, text: str) -> str | None:
        return words.expand(text, self.global_arguments, self.syntax.escape).value

    def _start_stage(self, index: int, instruction: Instruction) -> State:
        arguments = instruction.arguments
        text = arguments[0] if arguments else ""
        image = self._expand_global(text)
        masked = words.expand(
            text, {name: _UNKNOWN if value is None else value for name, value in self.global_arguments.items()}, self.syntax.escape
        ).value
        name, name_span = "", None
        if len(arguments) == 3 and arguments[1].lower() == "as":
            name, name_span = arguments[2].lower(), instruction.words[2].span
        span = instruction.words[0].span if instruction.words else instruction.keyword_span
        base = self._resolve_from(image, text, index, span)
        platform = next((flag.value for flag in instruction.flags if flag.name == "platform"), None)
        if platform and platform.startswith("windows"):
            self.windows = True
        facts = None
        parent: Stage | None = None
        if base.kind == "stage":
            assert base.stage is not None
            parent = self.stages[base.stage]
            facts = parent.facts
        elif masked is not None and base.kind in ("image", "unknown"):
            repository = bases.repository_of(masked)[0]
            if "windows" in masked or "nanoserver" in masked:
                self.windows = True
            if _UNKNOWN not in repository:
                facts = bases.facts(masked, _UNKNOWN in masked)
        stage = Stage(len(self.stages), name, name_span, base, image, platform, index, facts)
        self.stages.append(stage)
        if parent is not None:
            stage.needs.add(parent.index)
            return self._finals[parent.index]
        is_open = base.kind != "scratch"
        return State(
            Variables(facts.variables if facts else {}, is_open),
            Variables({}, False),
            facts.user if facts else "root" if base.kind == "scratch" else None,
            facts.workdir if facts else "/" if base.kind == "scratch" else None,
            None,
            facts,
        )

    def _resolve_from(self, image: str | None, text: str, index: int, span: Span) -> Reference:
        if image is None:
            return Reference("unknown", text, None, index, span)
        lowered = image.lower()
        if lowered in self._contexts and lowered != "scratch":
            return Reference("context", image, None, index, span)
        for stage in reversed(self.stages):
            if stage.name and stage.name == lowered:
                return Reference("stage", image, stage.index, index, span)
        return Reference("scratch" if image == "scratch" else "image", image, None, index, span)

    def _resolve_copy(self, name: str | None, text: str, index: int, span: Span) -> Reference:
        if name is None:
            return Reference("unknown", text, None, index, span)
        lowered = name.lower()
        current = len(self.stages) - 1
        for stage in reversed(self.stages[:current]):
            if stage.name and stage.name == lowered:
                return Reference("stage", name, stage.index, index, span)
        if lowered in self._contexts and lowered not in ("scratch", "context"):
            return Reference("context", name, None, index, span)
        if name.isdigit() and int(name) < current:
            return Reference("stage", name, int(name), index, span)
        return Reference("scratch" if name == "scratch" else "image", name, None, index, span)

    def _note_references(self, index: int, instruction: Instruction) -> None:
        for flag in instruction.flags:
            if flag.name == "from" and instruction.name == "COPY":
                value = flag.value or ""
                found = self._resolve_copy(None if "$" in value else value, value, index, flag.span)
            elif flag.name == "mount" and instruction.name == "RUN":
                value = mount_options(flag.value or "").get("from", "")
                if not value:
                    continue
                found = self._resolve_copy(None if "$" in value else value, value, index, flag.span)
            else:
                continue
            self.references.append(found)
            self._by_instruction.setdefault(index, []).append(found)
            if found.stage is not None:
                self.stages[-1].needs.add(found.stage)

    def _step(self, state: State, instruction: Instruction) -> State:
        """The state behind an instruction."""
        name = instruction.name
        if name not in ("ENV", "ARG", "USER", "WORKDIR", "SHELL"):
            return state
        escape = self.syntax.escape
        if name == "SHELL":
            return state._replace(shell=tuple(instruction.arguments) if instruction.json else ())
        variables = state.variables()
        if name == "ENV":
            environment = Variables(state.environment, state.environment.open)
            for key, value in instruction.pairs:
                key_text = words.expand(key.text, variables, escape).value
                if key_text is None:
                    return state._replace(environment=Variables({}, True))
                environment[key_text] = None if value is None else words.expand(value.text, variables, escape).value
            return state._replace(environment=environment)
        if name == "ARG":
            arguments = Variables(state.arguments, state.arguments.open)
            for key, _ in instruction.pairs:
                # The command line, or a global ARG, may give another value than the default.
                arguments[key.text] = None
            return state._replace(arguments=arguments)
        argument = words.expand(instruction.arguments[0] if instruction.arguments else "", variables, escape).value
        if name == "USER":
            return state._replace(user=argument or None)
        if argument is None or argument[1:2] == ":" or "\\" in argument:
            return state._replace(workdir=None)
        if argument.startswith("/"):
            return state._replace(workdir="/" + posixpath.normpath(argument).lstrip("/"))
        if state.workdir is None:
            return state
        return state._replace(workdir=posixpath.normpath(posixpath.join(state.workdir, argument)))

    def _read_run(self, instruction: Instruction, state: State | None) -> Run:
        body = instruction.body
        if not instruction.heredocs:
            return Run(self._script(body.text, state, ""), body, False)
        heredoc = instruction.heredocs[0]
        if len(instruction.heredocs) > 1 or body.text.strip(" \t") != heredoc.word.text:
            # BuildKit hands `command <<EOF` to the shell with its bodies; dfopt does not look inside.
            return Run(opaque(body.text, "heredoc input of a command"), body, True)
        text = without_tabs(heredoc.body) if heredoc.strip_tabs else heredoc.body
        first = text.text.partition("\n")[0]
        if "\r" in text.text:
            return Run(opaque(text.text, "carriage returns in a heredoc"), text, True)
        return Run(self._script(text.text, state, first if first.startswith("#!") else ""), text, True)

    def _script(self, text: str, state: State | None, shebang: str) -> shell.Script:
        if self.windows:
            return opaque(text, "a Windows image")
        dialect: str | None
        if shebang or (state is not None and state.shell is not None):
            dialect = shell.dialect_of(state.shell if state is not None and not shebang else None, shebang)
        else:
            dialect = state.base.dialect if state is not None and state.base is not None else "sh"
        if dialect is None:
            return opaque(text, "a shell that dfopt does not read")
        return shell.read(text, dialect)


def mount_options(value: str) -> dict[str, str]:
    """The options of a `--mount` value by BuildKit's full names; a key without a value maps to "true".

    Source: frontend/dockerfile/instructions/commands_runmount.go. A value that is no CSV gives what can be read.
    """
    names = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
    options: dict[str, str] = {}
    for field in _comma_fields(value):
        key, equals, text = field.partition("=")
        key = key.lower()
        options[names.get(key, key)] = text if equals else "true"
    options.setdefault("type", "bind")
    return options


def _comma_fields(value: str) -> Iterator[str]:
    """The fields of a line of comma-separated values (RFC 4180: a field in double quotes may hold commas)."""
    if '"' not in value:
        yield from filter(None, value.split(","))
        return
    field, quoted = "", False
    for character in value:
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            if field:
                yield field
            field = ""
        else:
            field += character
    if field:
        yield field


def opaque(text: str, reason: str) -> shell.Script:
    """A script that is not read, and why."""
    return shell.Script(text, 0, len(text), opaque=reason)


def without_tabs(body: Logical) -> Logical:
    """A heredoc's text as `<<-` gives it: the tabs at the start of its lines taken out, places kept."""
    pieces: list[str] = []
    segments: list[tuple[int, int, int]] = []
    at = length = 0
    text = body.text
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end + 1
        while at < end and text[at] == "\t":
            at += 1
        line = body.cut(at, end)
        pieces.append(line.text)
        segments += [(length + start, place, count) for start, place, count in line.segments]
        length += end - at
        at = end
    return Logical("".join(pieces), tuple(segments)) if segments else body
