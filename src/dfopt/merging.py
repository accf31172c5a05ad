"""RUNs that become one: what of a body would reach into the next, where a subshell holds it, and how the author would write it.

Facts of the shells are POSIX XCU 2.8.1, 2.12 and 2.14 (`set -e`), tried with dash 0.5.12, bash 5.2 and busybox 1.35.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from dfopt import packages, rewrite, shell
from dfopt.build import Build, Command, Run
from dfopt.rewrite import Added
from dfopt.rule import AddsCommand, DropsCommand, Effect, MergesRuns
from dfopt.shell import Compound, Script, Simple, Step
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern

NO_CUTS: Mapping[int, "Cut"] = MappingProxyType({})


class Merge(NamedTuple):
    """RUNs made one: `because` says why that is the same; or `refusal`, why they cannot become one (then the rest is empty)."""

    edits: tuple[Edit, ...]
    effects: tuple[Effect, ...]
    because: str
    refusal: str = ""


class Cut(NamedTuple):
    """How many commands of a RUN go with a merge: at its beginning (behind a `set`), and at its end."""

    leading: int = 0
    trailing: int = 0


class _Part(NamedTuple):
    """The body of one RUN: its steps from `first` (1 where its leading `set` goes, or stands before all) to before `last`, in a
    subshell where `wrapped`."""

    instruction: int
    run: Run
    first: int
    last: int
    wrapped: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.run.script.steps[self.first : self.last]

    @property
    def terminator(self) -> str:
        return self.run.script.terminator if self.last == len(self.run.script.steps) else ""


class _Plan(NamedTuple):
    """How RUNs become one: their bodies joined by `operator`."""

    parts: tuple[_Part, ...]
    operator: str


def merge(
    build: Build, first: int, last: int, additions: Sequence[Added] = (), cuts: Mapping[int, Cut] = NO_CUTS
) -> Merge:
    """Make one RUN of the instructions `first` to `last`, with `additions` behind all; none of what a body leaves in its shell
    reaches the next. `cuts` are commands that go, none of them with a heredoc of its own: that they may go is for the caller to
    see. So is the declaration of layers."""
    plan = _plan(build, first, last, additions, cuts)
    if isinstance(plan, str):
        return Merge((), (), "", plan)
    edits = _heredoc_edits(build, plan, additions) if plan.parts[0].run.heredoc else _edits(build, plan, additions)
    effects: list[Effect] = []
    one, *others = plan.parts
    for part in others:
        effects += (DropsCommand(part.instruction, number) for number in range(part.first))
        wraps_first = one.wrapped and part is others[0]
        outside = one.first if wraps_first else 0
        effects.append(MergesRuns(one.instruction, part.instruction, plan.operator, wraps_first, part.wrapped, outside))
    for part in plan.parts:
        gone = range(part.last, len(part.run.script.steps))
        effects += (DropsCommand(part.instruction, number) for number in gone)
    effects += (
        AddsCommand(one.instruction, None, plan.operator, shell.tokens(shell.read(added.text))) for added in additions
    )
    how = "joined by `&&`" if plan.operator == "&&" else "one behind the other under `set -e`"
    because = f"the same commands run in the same order, {how}, and none leaves anything behind in the shell"
    if any(part.wrapped for part in plan.parts):
        because = (
            f"the same commands run in the same order, {how}; a subshell keeps what they leave behind in the shell"
        )
    return Merge(tuple(edits), tuple(effects), because)


def why_not_one(build: Build, first: int, last: int, additions: Sequence[Added] = ()) -> str:
    """Why the instructions `first` to `last` cannot become one RUN, `additions` behind them; "" where they can."""
    plan = _plan(build, first, last, additions, NO_CUTS)
    return plan if isinstance(plan, str) else ""


def may_stay_running(build: Build, first: int, last: int) -> str:
    """Which program of the RUNs before the last is not known to end with its RUN, whose processes end with it, or what else must be
    agreed to if these become one; "" where there is nothing."""
    state = build.state(first)
    if state.shell and posixpath.basename(state.shell[0]) == "bash" and state.lookup("BASH_ENV")[0]:
        return "the base image may set `BASH_ENV`, whose file the shell reads anew in each RUN"
    for index in range(first, last):
        run = build.run(index)
        for command in run.commands if run is not None else ():
            known = command.use is not None and command.use.action not in ("run", "build")
            if run is not None and not known and not _ends(command.simple):
                line = _line(build, index, command.simple)
                return (
                    f"`{command.label}` on line {line} may leave a process running, which would go on in the merged RUN"
                )
    return ""


# Of the shell's own commands these start nothing.
_BUILTINS = frozenset(
    "wait break continue alias unalias ulimit hash read pushd popd local readonly declare typeset shopt".split()
)


def _ends(simple: Simple) -> bool:
    """Whether what a command starts has ended when it has."""
    name, *others = [word.value for word in simple.words] or [""]
    if packages.touches_only_its_words(simple) or name in _BUILTINS:
        return True
    action = shell.read(others[0]) if name == "trap" and others and others[0] is not None else None
    if action is None or action.opaque is not None or _background(action):
        return False
    return all(_ends(one) for one, _ in shell.simple_commands(action))


# ---------------------------------------------------------------------------------------------------------- a plan


def _plan(build: Build, first: int, last: int, additions: Sequence[Added], cuts: Mapping[int, Cut]) -> _Plan | str:
    """How RUNs become one, or why they cannot."""
    runs: list[Run] = []
    why = _startup(build, first)
    if why:
        return why
    flags = [flag.text for flag in build.instructions[first].flags]
    for index in range(first, last + 1):
        instruction = build.instructions[index]
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        if instruction.name != "RUN":
            return f"`{instruction.name}` on line {line} stands between"
        if [flag.text for flag in instruction.flags] != flags:
            return f"the RUN on line {line} has other flags"
        run = build.run(index)
        final = index == last and not additions
        why = _why_not_read(build, index, first) or ("" if final or run is None else _why_not_before(build, index, run))
        if why or run is None:
            return f"the RUN on line {line} cannot be merged: {why}"
        if index > first and any(use.reads_project and use.action in ("run", "build") for use in run.uses):
            return f"the RUN on line {line} builds the project, which would be tied to its dependencies"
        runs.append(run)
    return _arranged(build, range(first, last + 1), runs, additions, cuts)


def _startup(build: Build, index: int) -> str:
    """By what the shell of a RUN reads files at its start, which a RUN before may have written; "" where by nothing known."""
    state = build.state(index)
    words = state.shell or ()
    if rewrite.shell_has(build, index, "l") or "--login" in words:
        return "the shell reads its startup files anew in each RUN"
    if words and posixpath.basename(words[0]) == "bash" and state.base is not None and state.lookup("BASH_ENV")[0]:
        return "the shell reads the file of `BASH_ENV` anew in each RUN"
    if words and (state.environment.sets("BASH_ENV") or state.arguments.sets("BASH_ENV")):
        return "the shell reads the file of `BASH_ENV` anew in each RUN"
    return ""


def _why_not_read(build: Build, index: int, first: int) -> str:
    """Why a RUN cannot become part of another one, be it the last."""
    run = build.run(index)
    if run is None:
        return "it is in JSON form"
    if run.script.opaque is not None:
        return run.script.opaque
    if not run.script.steps:
        return "it holds no command"
    if run.script.terminator == "&":
        return "it ends in the background"
    other = build.instructions[first].heredocs
    own = build.instructions[index].heredocs
    if bool(own) != bool(other):
        return "one is a heredoc and the other is not"
    if own:
        if run.script.text.startswith("#!"):
            return "it names its own interpreter"
        if own[0].name != other[0].name or own[0].strip_tabs != other[0].strip_tabs:
            return "the heredocs end in different ways"
        if own[0].terminator.start == own[0].terminator.end or run.script.text.endswith("\\\n"):
            return "its end is open"
    steps = run.script.steps
    # The first two: the first may be a `set` that goes.
    if index > first and rewrite.STATUS.search(run.script.text[: steps[min(1, len(steps) - 1)].pipeline.end]):
        return "its first command asks for the status or last word of another"
    return ""


# /dev is new in every RUN, and BuildKit lays files of its own over these in /etc for the time of one.
_THROWN_AWAY = pattern(
    r"/dev/(?!null\b|zero\b|u?random\b|std(?:in|out|err)\b|fd/|tty\b)\w+|/etc/(?:hosts|resolv\.conf)\b"
)

# What these start goes on in the background: it would live on into the commands of the next RUN.
_DAEMONS = frozenset(
    "service systemctl nohup setsid daemonize start-stop-daemon supervisord dbus-daemon dockerd containerd sshd nginx apachectl"
    " apache2ctl httpd mysqld mysqld_safe mariadbd postgres pg_ctl pg_ctlcluster redis-server mongod gpg-agent ssh-agent Xvfb"
    " crond cron screen tmux at batch gradle gradlew mvnd bazel mount umount".split()
)


def _why_not_before(build: Build, index: int, run: Run) -> str:
    """Why nothing can come behind a RUN, wrapped or not: what it does outside of its shell."""
    for flag, options in build.mounts(index):
        if options["type"] == "tmpfs" or "readwrite" in options or options.get("readonly") == "false":
            return f"what it writes into `{flag.text}` is thrown away at its end"
    found = _THROWN_AWAY.search(run.script.text)
    if found is not None:
        return f"what it writes into `{found.group()}` is thrown away at its end"
    if run.script.comments and not run.heredoc:
        return "a comment ends it"
    for command in run.commands:
        if command.name in ("usermod", "vipw") or any("/etc/passwd" in word.text for word in command.simple.words):
            # BuildKit looks there for HOME at the start of each RUN.
            return f"`{command.label}` may move the home of its user"
        words = command.simple.words[1:] if command.name == "sudo" else command.simple.words
        name = words[0].value if words else None
        if name is not None and (posixpath.basename(name) in _DAEMONS or name.startswith("/etc/init.d/")):
            return f"`{name}` may leave a process running"
    return _background(run.script)


def _background(script: Script) -> str:
    """Whether a script may leave something running in the background by its own `&`, in words; "" where it does not."""
    kinds = list(rewrite.kinds(script, substitutions=True))
    waits = [
        number
        for number, step in enumerate(script.steps)
        if step.operator in ("&", ";", "\n") and _words(step) == ("wait",) and not step.pipeline.negated
    ]
    started = [number - 1 for number, step in enumerate(script.steps) if step.operator == "&"]
    if script.terminator == "&":
        started.append(len(script.steps) - 1)
    if started and (
        not waits or waits[-1] <= started[-1] or any(_is_leaving(one) for one, _ in shell.simple_commands(script))
    ):
        return "it may leave a process running in the background"
    if kinds.count("&") > len(started) or "<(" in script.text or ">(" in script.text:
        return "it may leave a process running in the background"
    return ""


def _is_leaving(simple: Simple) -> bool:
    return bool(simple.words) and simple.words[0].value in (None, *rewrite.LEAVING)


def _words(step: Step) -> tuple[str | None, ...]:
    """The words of a step that is one plain simple command; none for another."""
    (command, *others) = step.pipeline.commands
    if others or isinstance(command, Compound) or command.assignments or command.redirections:
        return ()
    return tuple(word.value for word in command.words)


def _arranged(
    build: Build, indexes: Sequence[int], runs: Sequence[Run], additions: Sequence[Added], cuts: Mapping[int, Cut]
) -> _Plan | str:
    """The bodies joined in the way that takes the fewest subshells, of those that keep the meaning."""
    found: list[_Plan] = []
    why = ""
    head = _common_head(runs)
    for hoisted in (head, None) if head is not None else (None,):
        parts = []
        for index, run in zip(indexes, runs):
            own = _head(run) is not None
            cut = cuts.get(index, Cut())
            if hoisted is None and own and cut.leading:
                why = why or _refusal(build, run, "its own `set` stands before what goes")
                break
            first = cut.leading + int(hoisted is not None and (own or run is runs[0]))
            parts.append(_Part(index, run, first, len(run.script.steps) - cut.trailing))
        if len(parts) < len(runs):
            continue
        if not all(part.steps for part in parts):
            why = why or "nothing would be left of a RUN"
            continue
        errexit = rewrite.shell_has(build, indexes[0], "e") or (hoisted is not None and "errexit" in hoisted)
        relies = [_relies(part, errexit) for part in parts]
        followed = relies if additions else relies[:-1]
        for operator in ("&&", ";"):
            if operator == "&&" and any(followed):
                relying = runs[followed.index(True)]
                why = why or _refusal(build, relying, "it relies on `set -e`, which `&&` behind it would switch off")
                continue
            if operator == ";" and not errexit:
                continue
            wrapped = _wrapped(build, parts, operator, additions)
            if isinstance(wrapped, str):
                why = why or wrapped
            else:
                found.append(_Plan(wrapped, operator))
    if not found:
        return why
    authors = _authors_operator(runs)
    return min(found, key=lambda plan: (sum(part.wrapped for part in plan.parts), plan.operator != authors))


def _refusal(build: Build, run: Run, why: str) -> str:
    line = build.syntax.source.line_of(run.span(0, 1).start)
    return f"the RUN on line {line} cannot be merged: {why}"


def _authors_operator(runs: Sequence[Run]) -> str:
    """The operator by which the RUNs join most of their commands."""
    operators = [step.operator for run in runs for step in run.script.steps[1:]]
    return ";" if 2 * sum(operator in (";", "\n") for operator in operators) > len(operators) else "&&"


def _wrapped(
    build: Build, parts: Sequence[_Part], operator: str, additions: Sequence[Added]
) -> tuple[_Part, ...] | str:
    """The bodies, in a subshell each that needs one; or why one cannot stand in one."""
    found = []
    for number, part in enumerate(parts):
        final = number == len(parts) - 1 and not additions
        later = [command for other in parts[number + 1 :] for command in other.run.commands]
        needs = _needs_subshell(part, operator, final) or ("" if final else _hashed(build, part, later, additions))
        why = _why_not_wrapped(part) if needs else ""
        if why:
            return _refusal(build, part.run, f"{needs}, and in a subshell {why}")
        found.append(part._replace(wrapped=bool(needs)))
    return tuple(found)


def _needs_subshell(part: _Part, operator: str, final: bool) -> str:
    """Why a body must stand in a subshell to be joined to the next by `operator`; "" where it need not."""
    joins = {step.operator for step in part.steps[1:]}
    if part.terminator == "&":
        joins.add("&")
    if operator == "&&" and joins - {"&&"}:
        return f"its commands are joined by `{min(joins - {'&&'})}`".replace("`\n`", "line feeds")
    if final:
        return ""
    if operator == ";":
        last = part.steps[-1]
        if (
            (len(part.steps) > 1 and last.operator in ("&&", "||"))
            or last.pipeline.negated
            or any(isinstance(command, Compound) and command.kind != "subshell" for command in last.pipeline.commands)
        ):
            return "`set -e` does not end it at each failure"
        if part.terminator == "&":
            return "it ends in the background"
    return _leak(part)


# ------------------------------------------------------------------------------------------------------------ leaks

# What these do outlives them in the shell that runs them.
_LEAKING = rewrite.LEAVING | frozenset(
    "cd pushd popd export set umask unset alias unalias . source eval readonly local declare typeset shopt ulimit hash wait"
    " enable let shift getopts read mapfile readarray builtin command times disown bg fg jobs".split()
)

# `${name:=value}` sets a variable of the shell.
_SETTING = pattern(r"\$\{\w+:?=")

# Arithmetic sets variables by `=`, `++` and `--`, and a variable in it is read as an expression; numbers alone set none.
_ARITHMETIC = pattern(r"\$\(\((?:[0-9+*/% -]|\$\([\w -]+\)|\([0-9 +*/%-]*\))*+\)\)|(\$\(\()")


def _leak(part: _Part) -> str:
    """What of a body would reach into commands behind it in the same shell; "" where nothing would."""
    text = part.run.script.text[part.steps[0].pipeline.start : part.steps[-1].pipeline.end]
    found = _SETTING.search(text)
    if found is not None:
        return f"`{found.group()}` would reach into the other commands"
    for found in _ARITHMETIC.finditer(text):
        if found[1]:
            return f"`{found[1]}` may reach into the other commands"
    for command in _own(part.steps):
        why = _compound_leak(command) if isinstance(command, Compound) else _simple_leak(command)
        if why:
            return why
    return ""


def _own(steps: Sequence[Step]) -> Iterator[Simple | Compound]:
    """The commands that run in the shell itself: not those of pipelines, subshells, substitutions and functions."""
    for step in steps:
        if len(step.pipeline.commands) > 1:
            continue
        for command in step.pipeline.commands:
            yield command
            if isinstance(command, Compound) and command.kind not in ("subshell", "function"):
                for body in command.bodies:
                    yield from _own(body.steps)


def _compound_leak(command: Compound) -> str:
    if command.kind in ("for", "select", "function"):
        return f"the name `{command.name}` would reach into the other commands"
    if command.kind == "arithmetic" or (command.kind == "test" and any(word.text == "=~" for word in command.words)):
        return "it sets variables"
    if any((redirection.descriptor or "").startswith("{") for redirection in command.redirections):
        return "it sets variables"
    return ""


def _simple_leak(simple: Simple) -> str:
    if any((redirection.descriptor or "").startswith("{") for redirection in simple.redirections):
        return "it sets variables"
    if not simple.words:
        return "it sets variables" if simple.assignments else ""
    name = simple.words[0].value
    if name is None:
        return "it runs a command that is not known"
    if name in _LEAKING or (name == ":" and simple.assignments):
        return f"`{name}` would reach into the other commands"
    if name == "printf" and any((word.value or "-v").startswith("-v") for word in simple.words[1:2]):
        return "`printf` may set a variable"
    return ""


# These change how the lines behind them are read, and a subshell is read as a whole before it runs.
_READING = frozenset(("alias", "unalias", "shopt", "enable"))

# What tells that a command stands in a subshell.
_TELLING = pattern(r"\$\$|\$\{?(?:BASHPID|BASH_SUBSHELL|PPID|SHLVL|LINENO|SECONDS|BASH_COMMAND|BASH_LINENO)\b")

# Options of `set` that do the same in a subshell.
_SET_OPTION = pattern(r"[-+][aefuvxhC]*o?|pipefail|errexit|nounset|xtrace|verbose|noglob|allexport|noclobber")


def _why_not_wrapped(part: _Part) -> str:
    """Why a body would do something else in a subshell; "" where it would not."""
    run, pipeline = part.run, part.steps[0].pipeline
    if len(part.steps) == 1 and pipeline.negated and any(isinstance(one, Compound) for one in pipeline.commands):
        # `set -e; (! { false; true; })`: bash 5.2 ends the list at `false`, which it does not without the parentheses.
        return "`!` does something else"
    if run.script.comments and not run.heredoc:
        return "a comment would swallow the parenthesis"
    found = _TELLING.search(run.script.text)
    if found is not None:
        return f"`{found.group()}` is another one"
    for command in run.commands:
        name = command.name
        values = [word.value for word in command.simple.words]
        if name == "return" and "function" not in command.nesting:
            return "`return` does something else"
        if name == "trap" and (
            len(values) < 3 or not set(values[2:]) <= {"EXIT", "0"} or "function" in command.nesting
        ):
            return "`trap` may do something else"
        if name in _READING and run.heredoc:
            return f"`{name}` does something else"
        if name == "set":
            options = values[1:] if "--" not in values else values[1 : values.index("--")]
            if any(option is None or not _SET_OPTION.fullmatch(option) for option in options):
                return "`set` may do something else"
    return ""


# What package managers do without installing a program.
_HARMLESS = frozenset(("clean", "update", "download", "query", "remove"))

# The manager that stands in the official image of its language updates itself in its place.
_IN_PLACE = {"python": frozenset(("pip", "pip3")), "node": frozenset(("npm",))}

# Commands of files that bring no new program into a folder of programs.
_BRINGING = frozenset(
    "cp mv ln link install tar unzip cpio dd curl wget git gunzip xz bunzip2 touch tee patch split".split()
)


def _stays(command: Command) -> bool:
    """Whether a command's program is the system's own, which nothing installs in another folder."""
    if command.use is not None:
        return command.use.manager.family in packages.SYSTEM_FAMILIES
    return packages.touches_only_its_words(command.simple)


def _may_install(build: Build, index: int, command: Command, name: str) -> bool:
    """Whether a command may bring another program called `name` into a folder that is looked into before that of the one there is."""
    if command.use is not None:
        if command.use.manager.family in packages.SYSTEM_FAMILIES or command.use.action in _HARMLESS:
            return False
        base, state = build.state(index).base, build.state(index)
        same = base is not None and name in _IN_PLACE.get(base.repository, ()) and state.is_root
        own = posixpath.basename(command.name or "") in _IN_PLACE.get(base.repository if base is not None else "", ())
        return not (
            same and own and not any((word.value or "-").startswith("--") for word in command.simple.words[1:2])
        )
    if not packages.touches_only_its_words(command.simple):
        return True
    return posixpath.basename(command.name or "") in _BRINGING or bool(command.simple.redirections)


def _asks(command: Command) -> bool:
    return command.name == "command" and any("V" in (word.value or "V") for word in command.simple.words[1:2])


def _hashed(build: Build, part: _Part, later: Sequence[Command], additions: Sequence[Added]) -> str:
    """Which program of a body runs again behind it and may be another one then: a shell keeps the place of what it has run
    (POSIX XCU 2.9.1.4, `hash`), though it was installed anew elsewhere."""
    run, index = part.run, part.instruction
    asking = next((command for command in later if command.name in ("type", "hash") or _asks(command)), None)
    if asking is not None:
        return f"`{asking.label}` behind it tells which programs have run"
    own = {command.name or "" for command in run.commands if not _stays(command)}
    own = {name for name in own if name and "/" not in name}
    for name in sorted(own):
        between: list[Command] = []
        seen = False
        for command in (*run.commands, *later):
            seen = seen or command.name == name
            if seen:
                between.append(command)
        again = any(command.name == name for command in later) or any(
            added.text.split()[:1] == [name] for added in additions
        )
        if again and any(_may_install(build, index, command, name) for command in between):
            return f"`{name}` may be another program behind it"
    return ""


# ---------------------------------------------------------------------------------------------------------- set -e

_LETTERS = {"e": "errexit", "u": "nounset", "x": "xtrace", "v": "verbose"}
_HOISTED = frozenset((*_LETTERS.values(), "pipefail"))


def _head(run: Run) -> frozenset[str] | None:
    """The options of the `set` that a script begins with and that only switches on what is known well; None where it begins
    otherwise, or holds nothing else."""
    steps = run.script.steps
    words = _words(steps[0])
    if len(steps) < 2 or words[:1] != ("set",) or len(words) < 2 or steps[0].pipeline.negated:
        return None
    if steps[1].operator not in ("&&", ";", "\n"):
        return None
    # A list in the background sets nothing in the shell.
    ends = [step.operator for step in steps[1:] if step.operator not in ("&&", "||")]
    if steps[1].operator == "&&" and (ends[0] if ends else run.script.terminator) == "&":
        return None
    options: set[str] = set()
    rest = list(words[1:])
    while rest:
        word = rest.pop(0) or ""
        if not re.fullmatch(r"-[euxv]*o?", word) or word == "-":
            return None
        options.update(_LETTERS[letter] for letter in word[1:].removesuffix("o"))
        if word.endswith("o"):
            named = rest.pop(0) if rest else None
            if named not in _HOISTED:
                return None
            options.add(named or "")
    return frozenset(options)


def leading_set(run: Run) -> int:
    """How many commands of a script only switch on options, as `set -eux` at its start does: 1 or 0."""
    return int(_head(run) is not None)


def _common_head(runs: Sequence[Run]) -> frozenset[str] | None:
    """The options that the first RUN sets at its start, where they may hold for the others too; None where not."""
    head = _head(runs[0])
    if head is None:
        return None
    for run in runs[1:]:
        own = _head(run)
        if own is not None and not own <= head:
            return None
        if own != head and not _is_indifferent(run, head - (own or frozenset())):
            return None
    return head


def _is_indifferent(run: Run, options: frozenset[str]) -> bool:
    """Whether a body does the same with these options of `set` switched on."""
    text = run.script.text
    if "errexit" in options and _relies(_Part(0, run, 0, len(run.script.steps)), True):
        return False
    if "nounset" in options and "$" in text:
        return False
    if "pipefail" in options and "|" in text.replace("||", ""):
        return False
    others = run.commands[leading_set(run) :]
    traced = options & {"xtrace", "verbose"}
    return not (traced and re.search(r"2>|&>|>&|\$-|\$\{-", text)) and not any(
        command.name in ("set", "exec", "eval", ".", "source", None) for command in others
    )


def _relies(part: _Part, errexit: bool) -> bool:
    """Whether a body would go on, or end otherwise, were `set -e` without effect in it, as it is left of `&&`.

    In a chain of simple commands each failure ends the chain by itself; a list in a substitution asks for `set -e` too.
    """
    if not errexit and not any(
        command.name == "set" and _may_set(command.simple, "e") for command in part.run.commands
    ):
        return False
    return not _is_chain(part.steps) or part.terminator == "&"


def _may_set(simple: Simple, letter: str) -> bool:
    return any(
        word.value is None or word.value == "errexit" or re.fullmatch(rf"-\w*{letter}\w*", word.value)
        for word in simple.words[1:]
    )


def _is_chain(steps: Sequence[Step]) -> bool:
    """Whether a list is simple commands joined by `&&`, none of which reads or runs a script."""
    for number, step in enumerate(steps):
        if number and step.operator != "&&":
            return False
        for command in step.pipeline.commands:
            if isinstance(command, Compound):
                return False
            if command.words and command.words[0].value in (".", "source", "eval", "trap"):
                return False
            for inner in (inner for word in rewrite.words_of(command) for inner in word.substitutions):
                if len(inner.steps) > 1 or not _is_chain(inner.steps):
                    return False
    return True


# ----------------------------------------------------------------------------------------------------------- layout


def _line(build: Build, index: int, simple: Simple) -> int:
    run = build.run(index)
    assert run is not None
    return build.syntax.source.line_of(run.span(simple.start, simple.end).start)


def _layout(build: Build, plan: _Plan) -> tuple[bool, str]:
    """How the RUNs that become one break their lines: as the first of them that does; `;` ends a line."""
    found = next(filter(None, (rewrite.layout_of(build, part.run) for part in plan.parts)), (True, "    "))
    return (found[0] and plan.operator != ";", found[1])


def _span(part: _Part) -> tuple[int, int]:
    """Where a body stands in the file; what runs in the background ends with its `&`."""
    script = part.run.script
    start = part.run.span(part.steps[0].pipeline.start, part.steps[0].pipeline.end).start
    end = part.steps[-1].pipeline.end
    if part.terminator == "&":
        end = script.text.index("&", end) + 1
    return start, part.run.span(end - 1, end).end


def _opening(build: Build, part: _Part) -> str:
    """The parenthesis before a body; two together would begin arithmetic."""
    if not part.wrapped:
        return ""
    return "( " if build.syntax.source.text.startswith("(", _span(part)[0]) else "("


def _edits(build: Build, plan: _Plan, additions: Sequence[Added]) -> Iterator[Edit]:
    """The edits for RUNs on logical lines: all between their bodies goes but comment lines."""
    source = build.syntax.source
    leading, indent = _layout(build, plan)
    newline = f"{build.syntax.escape}{source.newline}"

    def joint(above: str) -> str:
        if leading:
            return f" {newline}{above}{indent}{plan.operator} "
        return f"{' ' if plan.operator == '&&' else ''}{plan.operator} {newline}{above}{indent}"

    for number, part in enumerate(plan.parts):
        start, end = _span(part)
        closing = ")" if part.wrapped else ""
        if part.wrapped:
            yield from _aligned(build, part)
        if number == 0 and part.wrapped:
            yield Edit(Span(start, start), _opening(build, part))
        if number + 1 < len(plan.parts):
            after = plan.parts[number + 1]
            behind = _span(after)[0]
            above = "".join(indent + one + source.newline for one in rewrite.comments_in(source.text[end:behind]))
            yield Edit(Span(end, behind), closing + joint(above) + _opening(build, after))
        else:
            text = closing
            for added in additions:
                text += joint("".join(indent + one + source.newline for one in added.comments)) + added.text
            if text:
                yield Edit(Span(end, end), text)


def _aligned(build: Build, part: _Part) -> Iterator[Edit]:
    """A blank more before each further line of a body, so that it stands behind its parenthesis; none where a word goes over lines."""
    source = build.syntax.source
    start, end = _span(part)
    inner = [(token.start, token.start + len(token.text)) for step in part.steps for token in shell.step_tokens(step)]
    segments = part.run.logical.segments
    places = []
    for line in range(source.line_of(start) + 1, source.line_of(end) + 1):
        begin = source.line_starts[line - 1]
        text = source.line_text(line)
        place = begin + len(text) - len(text.lstrip(" \t"))
        if place >= end:
            break
        if not text.strip() or text.lstrip(" \t").startswith("#"):
            places += [place] if text.strip() else []
            continue
        offset = next((at + place - first for at, first, length in segments if first <= place < first + length), None)
        if offset is None or any(low < offset < high for low, high in inner):
            return
        places.append(place)
    yield from (Edit(Span(place, place), " ") for place in places)


def _heredoc_edits(build: Build, plan: _Plan, additions: Sequence[Added]) -> Iterator[Edit]:
    """The edits for RUNs that are heredocs, whose lines stay as they are."""
    source = build.syntax.source
    operator = " &&" if plan.operator == "&&" else ""
    for number, part in enumerate(plan.parts):
        start, end = _span(part)
        block = part.wrapped and _is_block(build, part)
        heredoc = build.instructions[part.instruction].heredocs[0]
        terminator = source.line_starts[source.line_of(heredoc.terminator.start) - 1]
        if number == 0 and part.wrapped:
            place = _block_start(build, part) if block else start
            yield Edit(Span(place, place), "(\n" if block else _opening(build, part))
        followed = number + 1 < len(plan.parts) or bool(additions)
        closing = (")" if part.wrapped else "") + (operator if followed else "")
        since = terminator
        text = f"{closing}\n" if block else ""
        if part.last < len(part.run.script.steps):
            # All behind the body goes, its line end too.
            since, text = end, f"\n{closing}\n" if block else f"{closing}\n"
        elif closing and not block:
            behind = _behind_semicolon(part, end)
            yield Edit(Span(end, behind), closing)
        if number + 1 < len(plan.parts):
            after = plan.parts[number + 1]
            indent = _indent(build, _span(after)[0])
            inline = after.wrapped and not _is_block(build, after)
            until = _span(after)[0] if inline else _block_start(build, after)
            comments = rewrite.comments_in(source.text[since:until])
            text += "".join(f"{indent}{comment}\n" for comment in comments)
            if inline:
                text += indent + _opening(build, after)
            elif after.wrapped:
                text = f"{text.removesuffix(chr(10))} (\n" if text.endswith(") &&\n") else f"{text}(\n"
            elif until == _span(after)[0]:
                text += indent
            yield Edit(Span(since, until), text)
        else:
            indent = _indent(build, start)
            for count, added in enumerate(additions):
                text += "".join(f"{indent}{comment}\n" for comment in added.comments)
                text += f"{indent}{added.text}{operator if count + 1 < len(additions) else ''}\n"
            if text:
                yield Edit(Span(terminator, terminator), text)


def _behind_semicolon(part: _Part, end: int) -> int:
    """`end`, or behind the `;` that ends the body there."""
    if part.terminator != ";":
        return end
    script = part.run.script
    place = script.text.index(";", script.steps[-1].pipeline.end)
    return part.run.span(place, place + 1).end


def _is_block(build: Build, part: _Part) -> bool:
    """Whether a body of a heredoc takes several lines, or ends one with a comment."""
    start, end = _span(part)
    if part.last < len(part.run.script.steps):
        return "\n" in build.syntax.source.text[start:end]
    end = build.instructions[part.instruction].heredocs[0].body_span.end
    commented = any(place >= part.steps[0].pipeline.start for place, _ in part.run.script.comments)
    return commented or "\n" in build.syntax.source.text[start:end].rstrip("\n")


def _block_start(build: Build, part: _Part) -> int:
    """Where the lines of a heredoc's body begin: at its first, or at that of the command behind its leading `set`."""
    if part.first == 0:
        return build.instructions[part.instruction].heredocs[0].body_span.start
    start = _span(part)[0]
    return start - len(_indent(build, start))


def _indent(build: Build, place: int) -> str:
    """The blanks before `place`, where nothing else stands before it on its line."""
    source = build.syntax.source
    before = source.text[source.line_starts[source.line_of(place) - 1] : place]
    return before if not before.strip(" \t") else ""
