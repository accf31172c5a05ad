"""Nodes to meaning: stages, references, targets, and the state (environment, args, user, workdir, shell) before each instruction."""

import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping

from dfopt import bases, packages, shell, words
from dfopt.source import Span
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern
from dfopt.syntax import Flag, Instruction, Logical, Syntax

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec, TypeVar

    Arguments = ParamSpec("Arguments")
    Result = TypeVar("Result")

# Set by BuildKit in the global scope; a stage sees one after `ARG NAME` (frontend/dockerfile/dockerfile2llb/platform.go).
PLATFORM_ARGUMENTS = (
    "BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT", "TARGETPLATFORM", "TARGETOS",
    "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT", "TARGETSTAGE",
)  # fmt: skip

# Any RUN sees these as build arguments without a declaration (frontend/dockerfile/dockerfile2llb/convert.go).
PROXY_ARGUMENTS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)

# BuildKit and the runtime set these for every RUN.
_ALWAYS_SET = frozenset(("PATH", "HOME", "HOSTNAME"))

# Stands for a value that is not known inside an image reference while its repository is looked for.
_UNKNOWN = "\ue000"

# The forms of substitution of which an unknown value comes out whole.
_WHOLE = pattern(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*(?::?-[^${}]*)?\})")

# Longer values are not known: no rule asks for one, and `ENV A=$A$A` doubles with every line.
_LONGEST_VALUE = 4096

# What Go's strconv.Atoi takes; 18 digits always fit.
_INDEX = pattern(r"[+-]?[0-9]{1,18}")


class Variables(Mapping[str, "str | None"]):
    """Names to values, None for a value that is not known; where `open`, a name that is not in it may still be set (by a
    base image that is not known), so that asking for it gives None, not "unset". Iteration gives the names that are in it.

    Versions that come of each other by `with_values` share one history, so that a long file costs no copies.
    """

    __slots__ = ("open", "_history", "_newest", "_version")

    def __init__(self, values: Mapping[str, str | None], is_open: bool) -> None:
        self.open = is_open
        # For each name the versions that set it, ascending, and their values.
        self._history: dict[str, tuple[list[int], list[str | None]]] = {name: ([0], [values[name]]) for name in values}
        self._newest = [0]
        self._version = 0

    def with_values(self, values: Mapping[str, str | None]) -> "Variables":
        """These variables with `values` set; this object stays as it is."""
        if self._newest[0] != self._version:
            return Variables({**self, **values}, self.open)
        new = Variables.__new__(Variables)
        new.open = self.open
        new._history = self._history
        new._newest = self._newest
        new._version = self._newest[0] = self._version + 1
        for name, value in values.items():
            versions, kept = self._history.setdefault(name, ([], []))
            versions.append(new._version)
            kept.append(value)
        return new

    def sets(self, name: str) -> bool:
        """Whether the name is in it, other than by being open."""
        found = self._history.get(name)
        return found is not None and found[0][0] <= self._version

    def __contains__(self, name: object) -> bool:
        return self.open or (isinstance(name, str) and self.sets(name))

    def __getitem__(self, name: str) -> str | None:
        found = self._history.get(name)
        at = bisect_right(found[0], self._version) if found is not None else 0
        if found is not None and at:
            return found[1][at - 1]
        if self.open:
            return None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, (versions, _) in self._history.items() if versions[0] <= self._version)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Variables({dict(self)}, {self.open})"


class _Scope(Mapping[str, "str | None"]):
    """What expansion sees in a stage: `environment`, then `arguments`."""

    __slots__ = ("environment", "arguments")

    def __init__(self, environment: Variables, arguments: Variables) -> None:
        self.environment = environment
        self.arguments = arguments

    def __contains__(self, name: object) -> bool:
        return name in self.environment or name in self.arguments

    def __getitem__(self, name: str) -> str | None:
        return self.arguments[name] if name not in self.environment else self.environment[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.environment
        yield from (name for name in self.arguments if not self.environment.sets(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class State(NamedTuple):
    """What holds before an instruction.

    `environment` and `arguments` map names to values (None: not known, and for an argument it may be unset). A value that
    an ARG behind an ENV of the same name may change is None in both: BuildKit lets the last one win (dockerfile2llb,
    dispatchArg), its documentation the ENV. `user` is as written and expanded, with the base image's where none is set;
    None: not known. `workdir` is absolute; None: not known. `shell` is the SHELL instruction's words (None: the platform's
    default; empty: not known). `base` are the facts of the image at the bottom.
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
        if self.environment.sets("HOME"):
            home = self.environment["HOME"]
            return home if home and home.startswith("/") else None
        if self.arguments.sets("HOME"):
            return None
        return "/root" if self.is_root else None

    @property
    def is_root(self) -> bool:
        """Whether a RUN is known to run as root."""
        return self.user is not None and self.user.partition(":")[0] in ("root", "0")

    def variables(self) -> Mapping[str, str | None]:
        """What expansion sees."""
        return _Scope(self.environment, self.arguments)

    def lookup(self, name: str) -> tuple[bool, str | None]:
        """Whether a RUN has the variable set, and its value where that is known; (True, None) also where it may be set.

        For a base image in the table, a variable that neither the table nor the file sets counts as unset.
        """
        for scope in (self.environment, self.arguments):
            if scope.sets(name):
                return True, scope[name]
        if name in PROXY_ARGUMENTS or name in _ALWAYS_SET:
            return True, None
        if self.base is not None:
            return name in self.base.variables, self.base.variables.get(name)
        return self.environment.open, None


class Reference(NamedTuple):
    """What a `FROM`, `--from=` or `--mount=from=` names.

    `kind` is `stage` (then `stage` is its index), `scratch`, `context` (a named build context that the caller told of),
    `image` (an image, or a named context that only the command line knows), or `unknown` (it holds a variable, or BuildKit
    refuses it: a stage that is not built before it, or an index without a stage). `within` is the index of the stage that
    needs it: that of `instruction`, or for an ONBUILD the stage that this runs in.
    """

    kind: str
    text: str
    stage: int | None
    instruction: int
    span: Span
    within: int


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

    @property
    def uses(self) -> list[packages.Use]:
        """Its package managers' commands that are understood, in order, nested ones too."""
        return [command.use for command in self.commands if command.use is not None]

    def span(self, start: int, end: int) -> Span:
        """The place in the file of `[start, end)` of the script's text."""
        return self.logical.span(start, end)


class Copy(NamedTuple):
    """A COPY or ADD with its paths expanded: None where a variable is not known. A heredoc stands among the sources by its
    name, as the file that it becomes. `destination` is absolute (None: not known), with a trailing `/` where it must be a
    folder. `origin` is the reference of `--from`, None for the build context."""

    sources: tuple[str, ...] | None
    destination: str | None
    origin: Reference | None
    flags: Mapping[str, str]


class Stage:
    """One build stage: `first` is the index of its FROM in `Syntax.instructions`, `last` of its last instruction.

    `name` is lower case, "" where there is none. `base` is what it stands on; `image` the base image's reference as
    expanded (None where it holds an unknown variable, or is a named context). `parents` are the indexes of the stages that its FROM names, or may
    name where that holds a variable; `needs` are these and the stages that it copies from or mounts.
    """

    __slots__ = (
        "index",
        "name",
        "name_span",
        "base",
        "image",
        "platform",
        "first",
        "last",
        "parents",
        "needs",
        "facts",
    )

    def __init__(self, index: int, name: str, name_span: Span | None, base: Reference, image: str | None,
                 platform: str | None, first: int, parents: tuple[int, ...], facts: bases.Base | None) -> None:  # fmt: skip
        self.index = index
        self.name = name
        self.name_span = name_span
        self.base = base
        self.image = image
        self.platform = platform
        self.first = first
        self.last = first
        self.parents = parents
        self.needs: set[int] = set(parents)
        self.facts = facts

    @property
    def reference(self) -> str:
        """Its base image, unknown variables as written; "" where it stands on no image (a stage, scratch, a named context)."""
        return (self.image or self.base.text) if self.base.kind in ("image", "unknown") else ""

    @property
    def indexes(self) -> range:
        """The indexes of its instructions, its FROM first."""
        return range(self.first, self.last + 1)


def once(
    function: "Callable[Concatenate[Build, Arguments], Result]",
) -> "Callable[Concatenate[Build, Arguments], Result]":
    """A function of a build and of places in it, computed once for each: several rules ask, and some in loops. Nobody may
    change what it gives."""

    def known(build: "Build", /, *places: "Arguments.args", **named: "Arguments.kwargs") -> "Result":
        key = (function, *places, *named.items())
        if key not in build._known:
            build._known[key] = function(build, *places, **named)
        result: Result = build._known[key]  # type: ignore[assignment]
        return result

    known.__doc__ = function.__doc__
    return known


class Build:
    """The meaning of one file: its stages, the state before each instruction, scripts and references; computed once.

    `states[i]` is the state before instruction `i` (None before the first FROM); `stage_of[i]` its stage's index (None
    before the first FROM). `references` are all that `COPY --from` and `RUN --mount=from=` name, in order; those of an
    ONBUILD come once for each stage that it runs in.
    """

    __slots__ = ("syntax", "stages", "states", "stage_of", "references", "global_arguments", "windows", "_finals", "_runs",
                 "_contexts", "_by_instruction", "_last_named", "_known")  # fmt: skip

    def __init__(self, syntax: Syntax, contexts: tuple[str, ...] = ()) -> None:
        self.syntax = syntax
        self.stages: list[Stage] = []
        self.states: list[State | None] = []
        self.stage_of: list[int | None] = []
        self.references: list[Reference] = []
        self.global_arguments = Variables(dict.fromkeys(PLATFORM_ARGUMENTS), False)
        self.windows = syntax.escape == "`"
        self._contexts = frozenset(map(_context_name, contexts)) - {"scratch", "context"}
        self._finals: list[State] = []
        self._runs: dict[int, Run] = {}
        self._known: dict[object, object] = {}
        self._by_instruction: dict[int, list[Reference]] = {}
        # BuildKit knows every stage before it looks at what they copy, so that of two equal names the last one counts.
        names = [_stage_name(instruction) for instruction in syntax.instructions if instruction.name == "FROM"]
        self._last_named = {name: index for index, name in enumerate(names) if name}
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

    def chain(self, stage: Stage) -> list[Stage]:
        """A stage and those that it stands on, itself first, the one on a base image last."""
        found = [stage]
        while found[-1].base.stage is not None:
            found.append(self.stages[found[-1].base.stage])
        return found

    def top_folders(self, stage: Stage) -> frozenset[str] | None:
        """The folders directly below / beyond the system's own that the image at the bottom of a stage may hold; None where that is not
        known."""
        bottom = self.chain(stage)[-1]
        return frozenset() if bottom.base.kind == "scratch" else bases.folders_of(bottom.reference, bottom.facts)

    @once
    def children(self, stage: Stage) -> list[Stage]:
        """The stages that are, or may be, built `FROM` this one, directly or through others."""
        found = {stage.index}
        result = []
        for other in self.stages[stage.index + 1 :]:
            if not found.isdisjoint(other.parents):
                found.add(other.index)
                result.append(other)
        return result

    def users(self, stage: Stage) -> list[Reference]:
        """What copies from or mounts this stage."""
        return [
            reference for reference in self.references if reference.kind == "stage" and reference.stage == stage.index
        ]

    @once
    def is_shipped(self, stage: Stage) -> bool:
        """Whether the layers of a stage are in an image that is kept: the final stage, a stage that no other one uses (it is
        built with `--target`), and the stages that these stand on."""
        used = {index for other in self.stages for index in other.needs}
        return any(leaf is self.final or leaf.index not in used for leaf in (stage, *self.children(stage)))

    def references_of(self, index: int) -> list[Reference]:
        """What instruction `index` names by `--from=` or `--mount=from=`."""
        return self._by_instruction.get(index, [])

    def expand(self, text: str, index: int) -> str | None:
        """A word of instruction `index`, expanded and unquoted; None where a variable is not known."""
        return self._expand(text, self.state(index).variables())

    def run(self, index: int) -> Run | None:
        """The script of the RUN at `index`; None for another instruction and for the JSON form."""
        instruction = self.instructions[index]
        if instruction.name != "RUN" or instruction.json:
            return None
        found = self._runs.get(index)
        if found is None:
            found = self._runs[index] = self._read_run(instruction, self.states[index])
        return found

    @once
    def copy(self, index: int) -> Copy | None:
        """The COPY or ADD at `index`, expanded; None for another instruction."""
        instruction = self.instructions[index]
        if instruction.name not in ("COPY", "ADD") or len(instruction.arguments) < 2 or self.states[index] is None:
            return None
        heredocs = {heredoc.word.text: heredoc.name for heredoc in instruction.heredocs}
        expanded = [heredocs.get(argument) or self.expand(argument, index) for argument in instruction.arguments]
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
        if path is None or (self.windows and (path[1:2] == ":" or "\\" in path)):
            return None
        # The folders above the working directory exist; another path that ends in `..` need not.
        folder = path.endswith(("/", "/.")) or not set(path.split("/")) - {"", ".", ".."}
        if not path.startswith("/"):
            workdir = self.state(index).workdir
            if workdir is None:
                return None
            path = posixpath.join(workdir, path)
        path = _clean(path)
        return path + "/" if folder and path != "/" else path

    def mounts(self, index: int) -> list[tuple[Flag, dict[str, str]]]:
        """The `--mount` flags of a RUN with their options by BuildKit's full names (`type`, `target`, `source`, `from` ...)."""
        return [
            (flag, mount_options(flag.value or "")) for flag in self.instructions[index].flags if flag.name == "mount"
        ]

    def stage(self, index: int) -> Stage | None:
        """The stage of instruction `index`; None before the first FROM."""
        found = self.stage_of[index]
        return None if found is None else self.stages[found]

    def names(self) -> set[str]:
        """Every name, in lower case, that stands for a stage, an image or a context somewhere; a new stage's name must not be among them."""
        found = {stage.name for stage in self.stages if stage.name} | set(self._contexts)
        found.update(stage.base.text.lower() for stage in self.stages)
        found.update(_context_name(stage.base.text) for stage in self.stages)
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
        # The command line may give another value than the default.
        self.global_arguments = self.global_arguments.with_values({key.text: None for key, _ in instruction.pairs})

    def _expand(self, text: str, variables: Mapping[str, str | None]) -> str | None:
        """A word expanded; None where it is not known.

        To `words`, None is a value of a variable that is set; here it may be unset as well, which only `${name+word}` tells.
        """
        value, used, _, _ = words.expand(text, variables, self.syntax.escape)
        if value is not None and "+" in text and any(name in variables and variables[name] is None for name in used):
            return None
        return value if value is None or len(value) <= _LONGEST_VALUE else None

    def _start_stage(self, index: int, instruction: Instruction) -> State:
        arguments = instruction.arguments
        text = arguments[0] if arguments else ""
        image = self._expand(text, self.global_arguments)
        # The reference with a mark for each unknown value; None where it may have any form.
        masked = image
        if image is None and "$" not in _WHOLE.sub("", text):
            marks = {name: _UNKNOWN if value is None else value for name, value in self.global_arguments.items()}
            masked = words.expand(text, marks, self.syntax.escape).value
        name = _stage_name(instruction)
        name_span = instruction.words[2].span if name else None
        span = instruction.words[0].span if instruction.words else instruction.keyword_span
        base = self._resolve_from(image, text, index, span)
        platform = next((flag.value for flag in instruction.flags if flag.name == "platform"), None)
        expanded = self._expand(platform or "", self.global_arguments) or ""
        if expanded.startswith("windows") or "windows" in (masked or text) or "nanoserver" in (masked or text):
            self.windows = True
        parents: tuple[int, ...] = ()
        facts: bases.Base | None = None
        if base.kind == "stage":
            assert base.stage is not None, "a reference to a stage has its index"
            parents = (base.stage,)
            facts = self.stages[base.stage].facts
        elif base.kind == "unknown":
            parents = self._possible_parents(masked)
        if masked is not None and base.kind in ("image", "unknown") and _UNKNOWN not in bases.repository_of(masked)[0]:
            facts = bases.facts(masked, _UNKNOWN in masked)
        named = None if base.kind == "context" else image
        stage = Stage(len(self.stages), name, name_span, base, named, platform, index, parents, facts)
        self.stages.append(stage)
        if base.kind == "stage":
            state = self._finals[parents[0]]
        else:
            is_scratch = base.kind == "scratch"
            shells = {self._finals[parent].shell for parent in parents} - {None}
            shells.update(
                inner.arguments for parent in parents for _, inner in self._onbuild(parent) if inner.name == "SHELL"
            )
            # BuildKit sets PATH where the image has none (dockerfile2llb, dispatchStages).
            state = State(
                Variables({"PATH": None} if is_scratch else facts.variables if facts else {}, not is_scratch),
                Variables({}, False),
                facts.user if facts else "root" if is_scratch else None,
                facts.workdir if facts else "/" if is_scratch else None,
                () if shells else None,
                facts,
            )
        for parent in parents:
            # The ONBUILD instructions of a stage run in the stages directly FROM it, before their own.
            for other, inner in self._onbuild(parent):
                self._note_references(other, inner)
                if base.kind == "stage":
                    state = self._step(state, inner)
        return state

    def _onbuild(self, stage: int) -> Iterator[tuple[int, Instruction]]:
        """The ONBUILD instructions of a stage: their index and what they run."""
        for index in self.stages[stage].indexes:
            inner = self.instructions[index].inner
            if inner is not None:
                yield index, inner

    def _possible_parents(self, masked: str | None) -> tuple[int, ...]:
        """The stages that a FROM with unknown values may name."""
        pattern = ".*" if masked is None else ".*".join(map(re.escape, masked.lower().split(_UNKNOWN)))
        matching = re.compile(pattern, re.DOTALL)
        return tuple(stage.index for stage in self.stages if stage.name and matching.fullmatch(stage.name))

    def _resolve_from(self, image: str | None, text: str, index: int, span: Span) -> Reference:
        """What a FROM names: of equal names the last stage before it, a named context before all.

        BuildKit takes only lower case for a stage here (`addState`) and refuses the rest, the builder before it any case.
        """
        within = len(self.stages)
        if image is None:
            return Reference("unknown", text, None, index, span, within)
        lowered = image.lower()
        if _context_name(image) in self._contexts:
            return Reference("context", image, None, index, span, within)
        for stage in reversed(self.stages):
            if stage.name and stage.name == lowered:
                return Reference("stage", image, stage.index, index, span, within)
        return Reference("scratch" if image == "scratch" else "image", image, None, index, span, within)

    def _resolve_copy(self, name: str, index: int, span: Span, by_index: bool) -> Reference:
        """What `--from` (`by_index`: numbers count stages) or a mount's `from` names (dockerfile2llb, toCommand, detectRunMount)."""
        current = len(self.stages) - 1
        if set(name) & set("$'\"\\`"):
            return Reference("unknown", name, None, index, span, current)
        found = self._last_named.get(name.lower())
        if by_index and name.lstrip("+-").isdecimal() and name.isascii():
            found = int(name) if _INDEX.fullmatch(name) else current
        if found is not None and 0 <= found < current and self.stages[found].name in self._contexts:
            return Reference("context", name, None, index, span, current)
        if found is not None:
            known = 0 <= found < current
            return Reference("stage" if known else "unknown", name, found if known else None, index, span, current)
        if _context_name(name) in self._contexts:
            return Reference("context", name, None, index, span, current)
        return Reference("scratch" if name == "scratch" else "image", name, None, index, span, current)

    def _note_references(self, index: int, instruction: Instruction) -> None:
        for flag in instruction.flags:
            if flag.name == "from" and instruction.name == "COPY":
                value = flag.value or ""
            elif flag.name == "mount" and instruction.name == "RUN":
                value = mount_options(flag.value or "").get("from", "")
            else:
                continue
            if not value:
                continue
            found = self._resolve_copy(value, index, flag.span, instruction.name == "COPY")
            self.references.append(found)
            self._by_instruction.setdefault(index, []).append(found)
            if found.stage is not None:
                self.stages[-1].needs.add(found.stage)

    def _step(self, state: State, instruction: Instruction) -> State:
        """The state behind an instruction."""
        name = instruction.name
        if name not in ("ENV", "ARG", "USER", "WORKDIR", "SHELL"):
            return state
        if name == "SHELL":
            return state._replace(shell=instruction.arguments if instruction.json else ())
        variables = state.variables()
        if name == "ENV":
            values: dict[str, str | None] = {}
            for key, value in instruction.pairs:
                key_text = self._expand(key.text, variables)
                if key_text is None:
                    # Any variable may have got a value, also one that the base image is known to leave alone.
                    return state._replace(environment=Variables(dict.fromkeys(state.environment), True), base=None)
                values[key_text] = None if value is None else self._expand(value.text, variables)
            return state._replace(environment=state.environment.with_values(values))
        if name == "ARG":
            # The command line, or a global ARG, may give another value than the default, or none.
            names = dict.fromkeys(key.text for key, _ in instruction.pairs)
            changed = {key: None for key in names if state.environment.sets(key)}
            return state._replace(
                environment=state.environment.with_values(changed) if changed else state.environment,
                arguments=state.arguments.with_values(names),
            )
        argument = self._expand(instruction.arguments[0] if instruction.arguments else "", variables)
        if name == "USER":
            return state._replace(user=argument or None)
        if argument is None or argument[1:2] == ":" or "\\" in argument:
            return state._replace(workdir=None)
        if argument.startswith("/"):
            # BuildKit leaves `..` of an absolute path to the kernel, where a link may lead elsewhere (system.NormalizePath).
            return state._replace(workdir=None if ".." in argument.split("/") else _clean(argument))
        if state.workdir is None:
            return state
        return state._replace(workdir=_clean(posixpath.join(state.workdir, argument)))

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
    """The fields of a line of comma-separated values (RFC 4180: a field in double quotes may hold commas, and `""` for a quote)."""
    if '"' not in value:
        yield from filter(None, value.split(","))
        return
    field, quoted, before = "", False, ""
    for character in value:
        if character == '"':
            if not quoted and before == '"' and field:
                field += character
            quoted = not quoted
        elif character == "," and not quoted:
            if field:
                yield field
            field = ""
        else:
            field += character
        before = character
    if field:
        yield field


def _clean(path: str) -> str:
    """An absolute path as Go's path.Clean gives it."""
    return "/" + posixpath.normpath(path).lstrip("/")


def _stage_name(instruction: Instruction) -> str:
    """The name that a FROM gives its stage, in lower case, "" where it gives none."""
    arguments = instruction.arguments
    return arguments[2].lower() if len(arguments) == 3 and arguments[1].lower() == "as" else ""


def _context_name(name: str) -> str:
    """The name under which BuildKit looks for a named context (frontend/dockerui/config.go, NamedContext), in lower case."""
    name = name.lower()
    for prefix in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    return name.removeprefix("library/").removesuffix(":latest")


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
