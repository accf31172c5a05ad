"""Edits that several rules make, in the author's own layout: drop or add commands, words, flags and instructions, keep comments."""

import re
from collections.abc import Iterator, Sequence

from dfopt.build import Build, Command, Run, Stage, once
from dfopt.shell import Compound, Script, Simple, Word
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern
from dfopt.syntax import Comment

# A line that grows beyond this many characters is broken.
WIDTH = 100

_COMMENT_LINE = pattern(r"^[ \t]*(#[^\n]*)$", re.MULTILINE)


class Dropped(NamedTuple):
    """What takes something away, and the comment lines (from `#`, without line ends) that spoke of it and must find a new place."""

    edits: tuple[Edit, ...]
    comments: tuple[str, ...]


class Added(NamedTuple):
    """A command to be added and the comment lines that stand above it."""

    text: str
    comments: tuple[str, ...] = ()


def block_start(build: Build, index: int) -> int:
    """Where the comment lines that stand directly above an instruction begin; its own start where there are none."""
    start = build.instructions[index].span.start
    starts = _comment_starts(build)
    while start in starts:
        start = starts[start]
    return start


@once
def _comment_starts(build: Build) -> dict[int, int]:
    """Where the comments between the instructions start, by where they end."""
    return {node.span.end: node.span.start for node in build.syntax.nodes if isinstance(node, Comment)}


def drop_instruction(build: Build, index: int, last: int | None = None) -> Dropped:
    """Take an instruction (with `last` all up to that one) away with the comments directly above it, and one of two empty lines that
    would meet."""
    text = build.syntax.source.text
    last = index if last is None else last
    start, end = block_start(build, index), build.instructions[last].span.end
    comments = comments_in(text[start : build.instructions[index].span.start])
    for number in range(index, last + 1):
        comments += inner_comments(build, number)
        if number < last:
            comments += comments_in(
                text[build.instructions[number].span.end : build.instructions[number + 1].span.start]
            )
    before_is_blank = start == 0 or text[:start].endswith(("\n\n", "\n\r\n"))
    after = re.match(r"[ \t]*\r?\n", text[end:])
    if before_is_blank and after is not None:
        end += after.end()
    elif end == len(text) and not text.endswith("\n"):
        # A file without a final line feed keeps none.
        start -= 2 if text[:start].endswith("\r\n") else 1 if start else 0
    return Dropped((Edit(Span(start, end), ""),), tuple(comments))


def move_behind(build: Build, first: int, last: int, index: int) -> tuple[Edit, ...]:
    """Put the instructions `first` to `last` with the comments above them directly behind instruction `index`, apart from it where they stood
    apart from what follows."""
    source = build.syntax.source
    text, newline = source.text, source.newline
    start, end = block_start(build, first), build.instructions[last].span.end
    place = build.instructions[index].span.end
    block = text[start:end]
    blank = text[:start].endswith(("\n\n", "\n\r\n"))
    following = re.match(r"[ \t]*\r?\n", text[end:])
    # Of two empty lines that would meet one goes.
    dropped = Edit(Span(start, end + following.end() if following is not None and (blank or not start) else end), "")
    apart = newline if following is not None or blank else ""
    if place == len(text) and not text.endswith("\n"):
        block = newline + apart + block.removesuffix("\n").removesuffix("\r")
    else:
        block = apart + (block if block.endswith("\n") else block + newline)
    return (dropped, Edit(Span(place, place), block))


# What speaks of the command before: its status, and its last word.
STATUS = pattern(r"\$(?:\?|_\b|\{[?_][^A-Za-z0-9_])")


def drop_command(build: Build, index: int, command: int, last: int | None = None) -> Dropped | None:
    """Take command `command` (an index of the script's steps), or all up to `last`, out of a RUN, with the operator that joins it.

    None where that may change when the other commands run, or how the RUN ends: only within a chain of `&&`, or before the
    end of one of `;`. A RUN that would be left without commands goes as a whole.
    """
    run = build.run(index)
    if run is None or run.script.opaque is not None or run.script.comments:
        return None
    steps = run.script.steps
    final = command if last is None else last
    if final - command + 1 == len(steps):
        return drop_instruction(build, index)
    operators = [step.operator for step in steps[command : final + 2] if step.operator]
    kinds = {";" if operator == "\n" else operator for operator in operators}
    if kinds - {"&&", ";"} or len(kinds) > 1 or run.script.terminator == "&":
        return None
    if final + 1 == len(steps) and kinds != {"&&"}:
        # The status of the command before would become the RUN's.
        return None
    if final + 1 < len(steps) and STATUS.search(run.script.text[steps[final + 1].pipeline.start :]):
        return None
    text = build.syntax.source.text
    if command:
        start = run.span(steps[command - 1].pipeline.start, steps[command - 1].pipeline.end).end
        end = run.span(steps[final].pipeline.start, steps[final].pipeline.end).end
        return Dropped((Edit(Span(start, end), ""),), tuple(comments_in(text[start:end])))
    start = run.span(steps[0].pipeline.start, steps[0].pipeline.end).start
    end = run.span(steps[final + 1].pipeline.start, steps[final + 1].pipeline.end).start
    edits = [Edit(Span(start, end), "")]
    kept = comments_in(text[start:end])
    if kept:
        # They speak of the command that is now the first.
        edits.insert(0, insert_lines(build, build.instructions[index].span.start, kept))
    return Dropped(tuple(edits), ())


def step_of(run: Run, simple: Simple) -> int | None:
    """The index of a command among its script's steps, where it stands there as a pipeline of its own; else None."""
    for number, step in enumerate(run.script.steps):
        if len(step.pipeline.commands) == 1 and not step.pipeline.negated and step.pipeline.commands[0] is simple:
            return number
    return None


def insert_lines(build: Build, offset: int, lines: Sequence[str]) -> Edit:
    """Whole lines before the line that begins at `offset`, in the file's own line ends."""
    source = build.syntax.source
    newline = source.newline
    text = "".join(line + newline for line in lines)
    if offset == len(source.text) and offset and not source.text.endswith("\n"):
        text = newline + text.removesuffix(newline)
    return Edit(Span(offset, offset), text)


def insert_stage(build: Build, stage: Stage, lines: Sequence[str]) -> Edit:
    """The lines of another stage before `stage` and the comments above it, set apart as the author sets stages apart; one by itself does
    not tell."""
    top = block_start(build, stage.first)
    above = build.syntax.source.text[:top]
    apart = len(build.stages) == 1 or not above.strip() or re.search(r"\n[ \t]*\r?\n[ \t]*\Z", above) is not None
    return insert_lines(build, top, [*lines, ""] if apart else lines)


def renumbered(build: Build, stage: Stage) -> list[Edit] | None:
    """The edits that name by their new numbers the stages that another stage before `stage` moves; None where an ONBUILD names one."""
    edits: dict[Span, Edit] = {}
    for reference in build.references:
        if not reference.text.lstrip("+").isdecimal():
            continue
        if reference.stage is None and stage.index <= int(reference.text) < len(build.stages) + 1:
            return None  # a number that no stage before it has, and one would have then
        if reference.stage is None or reference.stage < stage.index:
            continue
        if build.instructions[reference.instruction].name == "ONBUILD":
            return None
        edits[reference.span] = Edit(reference.span, f"--from={reference.stage + 1}")
    return list(edits.values())


LEAVING = frozenset(
    ("exit", "exec", "return", "trap", "break", "continue", ".", "source", "eval", "alias", "shopt", "enable")
)

# Options of `set` after which a command means what it meant; without them `-f` might keep `*` from being a pattern.
_PLAIN_SET = pattern(r"[-+][euxv]*o?|pipefail|errexit|nounset|xtrace|verbose|--")

# Comments that switch a check off, for the instruction that they stand at.
_SUPPRESSION = pattern(
    r"#[ \t]*(?:hadolint\b|dfopt:|check[ \t]*=|trivy:|checkov:|kics-scan|nosemgrep|noqa|nosec|dockle)", re.IGNORECASE
)


def can_append(build: Build, index: int) -> bool:
    """Whether a command put behind a RUN's last one by `&&` runs if and only if the RUN succeeds so far, and changes nothing else.

    Left of `&&` a compound command ignores `set -e`, so such a script must end in a simple command.
    """
    run = build.run(index)
    if run is None or run.script.opaque is not None or not run.script.steps:
        return False
    errexit = shell_has(build, index, "e")
    for command in run.commands:
        if _in_own_shell(command):
            continue
        if command.name is None or _leaves(command.simple):
            return False
        errexit = errexit or command.name == "set"
    within = set(kinds(run.script))
    if "&" in within or shell_has(build, index, "f"):
        return False
    last = run.script.steps[-1].pipeline
    return not errexit or ("function" not in within and all(isinstance(command, Simple) for command in last.commands))


_LONG_OPTIONS = {"e": "errexit", "f": "noglob", "u": "nounset", "x": "xtrace"}


def shell_has(build: Build, index: int, option: str) -> bool:
    """Whether the SHELL of an instruction has an option of one letter."""
    words = build.state(index).shell or ()
    return _LONG_OPTIONS.get(option, "") in words or any(
        option in word[1:] for word in words if word.startswith("-") and not word.startswith("--")
    )


def _in_own_shell(command: Command) -> bool:
    """Whether a command runs in a shell of its own: it ends that one, or sets options there, and not in the RUN's."""
    return "subshell" in command.nesting or "substitution" in command.nesting


def _leaves(simple: Simple) -> bool:
    """Whether a command may end the script, or change what later words mean."""
    names = [word.value for word in simple.words]
    if names[:1] in (["command"], ["builtin"]) and len(names) > 1:
        names = names[1:]
    if names[:1] == ["set"]:
        return any(name is None or not _PLAIN_SET.fullmatch(name) for name in names[1:])
    return bool(names) and names[0] in LEAVING


def kinds(script: Script, substitutions: bool = False) -> Iterator[str]:
    """The kinds of the compound commands in a script, and `&` for each command in the background; with `substitutions` those in
    substitutions too."""
    if script.terminator == "&":
        yield "&"
    for step in script.steps:
        if step.operator == "&":
            yield "&"
        for command in step.pipeline.commands:
            if isinstance(command, Compound):
                yield command.kind
                for body in command.bodies:
                    yield from kinds(body, substitutions)
            for word in words_of(command) if substitutions else ():
                for inner in word.substitutions:
                    yield from kinds(inner, substitutions)


def words_of(command: Simple | Compound) -> Iterator[Word]:
    """All words of a command itself: values that it assigns, targets of redirections and texts of heredocs too."""
    yield from command.words
    if isinstance(command, Simple):
        yield from (assignment.value for assignment in command.assignments if assignment.value is not None)
    for redirection in command.redirections:
        yield redirection.target
        if redirection.body is not None:
            yield redirection.body


def always_runs(build: Build, index: int, command: int, fails: bool) -> bool:
    """Whether a RUN that succeeds has certainly run its command `command` (an index of the script's steps), by itself and not in the
    background. `fails` is whether that command may fail; then its failure must be the RUN's, too."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return False
    within = set(kinds(run.script))
    steps = run.script.steps
    before = steps[command].operator
    if "&" in within or "function" in within or before == "||":
        return False
    if any(
        (one.name is None or _leaves(one.simple)) and not _in_own_shell(one)
        for one in run.commands
        if one.simple.start < steps[command].pipeline.start
    ):
        return False
    after = [step.operator for step in steps[command + 1 :]]
    if all(operator == "&&" for operator in after) and not run.script.comments:
        return True
    # The first of a list is reached in any case; whether the list succeeds may not matter.
    return before in ("", ";", "\n") and not fails


def merges_suppression(build: Build, first: int, last: int) -> bool:
    """Whether a comment that switches a check off stands behind RUN `first`, up to the end of `last`: merged, it would stand
    at no instruction, or at more than one."""
    text = build.syntax.source.text[build.instructions[first].span.end : build.instructions[last].span.end]
    return switches_off(comments_in(text))


def switches_off(comments: Sequence[str]) -> bool:
    """Whether one of the comments switches a check off for the instruction that it stands at."""
    return any(_SUPPRESSION.search(comment) for comment in comments)


def joint(build: Build, index: int) -> str:
    """The operator by which a command is put behind a RUN's last one: `;` or a line feed where the author joins by these and
    `set -e` ends the script in time, else `&&`."""
    run = build.run(index)
    if run is None or run.script.opaque is not None or len(run.script.steps) < 2:
        return "&&"
    steps = run.script.steps
    last = steps[-1]
    if (
        last.operator not in (";", "\n")
        or last.pipeline.negated
        or any(isinstance(one, Compound) for one in last.pipeline.commands)
    ):
        return "&&"
    settings = [command.simple for command in run.commands if command.name == "set"]
    first = steps[0].pipeline.commands[0]
    if settings and (len(settings) > 1 or settings[0] is not first or steps[1].operator not in (";", "\n")):
        return "&&"
    options = [word.value or "" for one in settings for word in one.words[1:]]
    errexit = shell_has(build, index, "e") or any(re.fullmatch(r"-[uxv]*e[uxv]*o?", option) for option in options)
    return last.operator if errexit else "&&"


def joint_behind(build: Build, index: int, after: int) -> str | None:
    """The operator by which a command is put behind command `after` (an index of the script's steps) of a RUN, so that it runs where
    that one succeeded and nothing else changes, if it does not fail itself; None where there is no such operator."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return None
    steps = run.script.steps
    if after + 1 == len(steps):
        return joint(build, index) if can_append(build, index) else None
    following = steps[after + 1]
    if "&" in set(kinds(run.script)) or shell_has(build, index, "f"):
        return None
    for command in run.commands:
        if command.simple.start >= following.pipeline.start or _in_own_shell(command):
            continue
        if command.name is None or _leaves(command.simple):
            return None
    if STATUS.search(run.script.text[following.pipeline.start :]):
        return None
    if following.operator in (";", "\n"):
        return following.operator
    last = after + 1
    while last < len(steps) and steps[last].operator in ("&&", "||"):
        last += 1
    # Where the list goes on by `||`, a failure would run what is behind it.
    return "&&" if all(step.operator == "&&" for step in steps[after + 1 : last]) else None


def append_commands(
    build: Build,
    index: int,
    commands: Sequence[Added],
    operator: str = "&&",
    after: int | None = None,
) -> Edit | None:
    """Commands joined to the end of a RUN by `operator`, laid out as its other commands are; None where that is not exact.

    With `after` they are put behind that command (an index of the script's steps), by the operator that `joint_behind` gives.
    """
    run = build.run(index)
    if run is None or (after is None and not can_append(build, index)):
        return None
    step = run.script.steps[-1 if after is None else after]
    place = run.span(step.pipeline.start, step.pipeline.end).end
    source = build.syntax.source
    newline = source.newline if not run.heredoc else "\n"
    escape = "\\" if run.heredoc else build.syntax.escape
    line = source.line_of(place)
    length = len(source.line_text(line))
    layout = layout_of(build, run)
    comments = any(added.comments for added in commands)
    if operator == "\n":
        text = source.line_text(line)
        indent = text[: len(text) - len(text.lstrip(" \t"))]
        end = source.line_starts[line - 1] + len(text)
        if after is not None and run.span(*_extent(run, after + 1)).start < end:
            return None
        added_lines = [indent + one for added in commands for one in (*added.comments, added.text)]
        return Edit(Span(end, end), "".join("\n" + one for one in added_lines))
    gap = "" if operator == ";" else " "
    if (
        run.heredoc
        and layout is None
        and not comments
        and length + sum(len(f" {operator} {added.text}") for added in commands) <= WIDTH
    ):
        return Edit(Span(place, place), "".join(f"{gap}{operator} {added.text}" for added in commands))
    single = line == source.line_of(build.instructions[index].keyword_span.start)
    if (
        layout is None
        and single
        and not comments
        and length + sum(len(f" {operator} {added.text}") for added in commands) <= WIDTH
    ):
        return Edit(Span(place, place), "".join(f"{gap}{operator} {added.text}" for added in commands))
    if run.heredoc and comments:
        return None
    leading, indent = layout if layout is not None else (operator != ";", "    ")
    pieces = []
    for added in commands:
        lines = [indent + comment for comment in added.comments]
        above = "".join(line + newline for line in lines)
        if leading:
            pieces.append(f" {escape}{newline}{above}{indent}{operator} {added.text}")
        else:
            pieces.append(f"{gap}{operator} {escape}{newline}{above}{indent}{added.text}")
    return Edit(Span(place, place), "".join(pieces))


def _extent(run: Run, step: int) -> tuple[int, int]:
    """The place of a step's pipeline in the script's text; its end where there is no such step."""
    if step >= len(run.script.steps):
        return len(run.script.text), len(run.script.text)
    return run.script.steps[step].pipeline.start, run.script.steps[step].pipeline.end


def insert_commands(build: Build, index: int, before: int, commands: Sequence[str], operator: str = "&&") -> Edit:
    """Commands put before command `before` (an index of the script's steps) and joined to it by `operator`, laid out as the
    RUN's other commands are. That the meaning stays is for the caller to see: no `||` may join that command to others."""
    run = build.run(index)
    assert run is not None, "commands are put into a RUN that is read"
    place = run.span(run.script.steps[before].pipeline.start, run.script.steps[before].pipeline.end).start
    newline = build.syntax.source.newline if not run.heredoc else "\n"
    escape = "\\" if run.heredoc else build.syntax.escape
    leading, indent = layout_of(build, run) or (operator != ";", "    ")
    between = f" {escape}{newline}{indent}{operator} " if leading else f" {operator} {escape}{newline}{indent}"
    if between.startswith(" ;"):
        between = between[1:]
    return Edit(Span(place, place), "".join(command + between for command in commands))


def layout_of(build: Build, run: Run) -> tuple[bool, str] | None:
    """How a RUN breaks its lines at operators: whether they lead the line, and its indentation; None where it does not break."""
    source = build.syntax.source
    found: tuple[bool, str] | None = None
    for before, step in zip(run.script.steps, run.script.steps[1:]):
        if step.operator not in ("&&", ";", "||"):
            continue
        operator = run.span(step.operator_start, step.operator_end).start
        first = source.line_of(operator)
        previous = source.line_of(run.span(before.pipeline.start, before.pipeline.end).end)
        own = source.line_of(run.span(step.pipeline.start, step.pipeline.end).start)
        if own == previous:
            continue
        leading = first == own
        line = source.line_text(own)
        found = (leading, line[: len(line) - len(line.lstrip(" \t"))])
    return found


def add_flags(build: Build, index: int, flags: Sequence[str]) -> Edit:
    """Flags behind the keyword and the flags that stand there; on lines of their own where the line would grow long."""
    instruction = build.instructions[index]
    source = build.syntax.source
    place = instruction.flags[-1].span.end if instruction.flags else instruction.keyword_span.end
    line = source.line_text(source.line_of(place))
    if len(flags) == 1 and len(line) + len(flags[0]) + 1 <= WIDTH:
        return Edit(Span(place, place), " " + flags[0])
    newline = f" {build.syntax.escape}{source.newline}    "
    # The text behind the flags follows on a line of its own, without the blanks that stood before it.
    rest = re.match(r"[ \t]*", source.text[place:])
    blanks = rest.end() if rest is not None else 0
    ends = source.text[place + blanks : place + blanks + 1] in ("", "\r", "\n", build.syntax.escape)
    lead = newline.removesuffix("    ") + "    " if instruction.flags else " "
    return Edit(Span(place, place if ends else place + blanks), lead + newline.join(flags) + ("" if ends else newline))


def add_word_behind(run: Run, start: int, end: int, word: str) -> Edit:
    """`word` behind the word `[start, end)` of the script."""
    place = run.span(start, end).end
    return Edit(Span(place, place), " " + word)


def drop_word(build: Build, run: Run, before: int, start: int, end: int) -> Edit:
    """Take the word `[start, end)` of the script away, with the blanks (and line breaks) since `before`, the end of the word before it."""
    span = run.span(start, end)
    since = run.span(before - 1, before).end
    if comments_in(build.syntax.source.text[since : span.start]):
        since = span.start
    return Edit(Span(since, span.end), "")


def comments_in(text: str) -> list[str]:
    """The comment lines in a piece of source text, from `#`, without line ends. Its first line counts only where it is whole."""
    return [match.group(1).rstrip() for match in _COMMENT_LINE.finditer(text)]


def inner_comments(build: Build, index: int) -> list[str]:
    """The comment lines inside an instruction: those in gaps between the pieces of its logical text."""
    instruction = build.instructions[index]
    text = build.syntax.source.text
    found: list[str] = []
    end = instruction.span.start
    for _, place, length in instruction.logical.segments:
        if place > end:
            found += comments_in(text[end:place])
        end = max(end, place + length)
    return found
