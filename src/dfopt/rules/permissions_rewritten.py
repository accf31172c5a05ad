"""Owners and modes changed in a later layer than the one that brought the files: the new layer holds each of them once more."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, layers, packages, policy, rewrite
from dfopt.build import Build, Command, Run, Stage, State
from dfopt.layers import Laid, Veto
from dfopt.rule import (
    AddsFlag,
    Changes,
    DropsCommand,
    DropsWord,
    Effect,
    Finding,
    Fix,
    Given,
    Layers,
    Related,
    Saving,
)  # fmt: skip
from dfopt.shell import Compound, Simple, Word
from dfopt.source import Edit
from dfopt.startup import NamedTuple, pattern

_TOOLS = ("chown", "chgrp", "chmod")

# Who has an account is known until one of these runs.
_ACCOUNTS = frozenset(
    "useradd userdel usermod groupadd groupdel groupmod adduser addgroup deluser delgroup newusers".split()
)

# Folders of the system in which packages of the distribution have no files.
_OWN_FOLDERS = ("/home/", "/opt/", "/srv/", "/usr/src/", "/mnt/")

_OWNER = pattern(r"([A-Za-z_][\w-]*|[0-9]+)?(?:(:)([A-Za-z_][\w-]*|[0-9]+)?)?")
_NUMBER = pattern(r"0?[0-7]{3}|[0-7]{4}")
# Of these the file's old mode and the umask decide nothing but what stays as it is.
_SYMBOLIC = pattern(r"(?:[ugoa]+[-+=][rwx]+|\+[rx]+)(?:,(?:[ugoa]+[-+=][rwx]+|\+[rx]+))*")
# Of these a file of mode 0644 and one of 0755 become 0755.
_TO_755 = pattern(r"(?:a|ugo)?\+(?:x|rx|xr)")


class _Rewriting(NamedTuple):
    """A command that changes owner or mode: `flag` is COPY's for it (`chown`, `chmod`), `wanted` the owner or mode as written; `why`
    says why COPY cannot do the same, "" where it may. `operands` name the paths."""

    command: Command
    flag: str
    tool: str
    wanted: Word | None
    recursive: Word | None
    operands: tuple[Word, ...]
    why: str


class _Target(NamedTuple):
    """A path that a command rewrites, as written and absolute; the COPYs that brought it, and what each laid there."""

    word: Word
    path: str
    copies: dict[int, tuple[Laid, ...]]


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            run = build.run(index)
            for command in run.commands if run is not None else ():
                rewriting = _read(command.simple)
                if rewriting is None or run is None:
                    continue
                found = rewriting._replace(command=command)
                targets, installed = _targets(build, stage, index, run, found)
                if targets:
                    yield _finding(build, given, stage, index, run, found, targets)
                elif installed is not None:
                    yield _of_installed(build, index, run, found, installed)


# ------------------------------------------------------------------------------------------------- what is rewritten


def _read(simple: Simple) -> _Rewriting | None:
    """A chown, chgrp or chmod, also one that sudo or find starts; None for another command."""
    words = simple.words
    name = posixpath.basename(words[0].value or "") if words else ""
    command = Command(simple, (), None)
    if name == "find":
        started = next((at for at, word in enumerate(words) if word.value in ("-exec", "-execdir")), len(words))
        tool = posixpath.basename(words[started + 1].value or "") if started + 1 < len(words) else ""
        tops = []
        for word in words[1:]:
            if word.text.startswith(("-", "(", "!", "\\")):
                break
            tops.append(word)
        if tool not in _TOOLS or not tops:
            return None
        flag = "chmod" if tool == "chmod" else "chown"
        return _Rewriting(command, flag, tool, None, words[0], tuple(tops), "`find` picks the files")
    why = ""
    if name == "sudo" and len(words) > 1:
        words, name = words[1:], posixpath.basename(words[1].value or "")
    if name not in _TOOLS:
        return None
    recursive: Word | None = None
    rest: list[Word] = []
    options = True
    for word in words[1:]:
        text = word.value or ""
        if options and text == "--":
            options = False
        elif options and text in ("-R", "--recursive"):
            recursive = word
        elif options and re.fullmatch(r"-[RfvchHLP]+", text):
            if "R" in text:
                recursive, why = word, f"`{text}` holds another option"
            if set(text) & set("HL"):
                why = "it follows links"
        elif options and text.startswith("--"):
            if text not in ("--silent", "--quiet", "--verbose", "--changes", "--no-dereference"):
                why = f"`{text}` says what is changed"
            if text.startswith("--reference"):
                return None
        else:
            rest.append(word)
    if len(rest) < 2:
        return None
    if simple.redirections or simple.assignments:
        why = why or "its output goes elsewhere"
    return _Rewriting(command, "chmod" if name == "chmod" else "chown", name, rest[0], recursive, tuple(rest[1:]), why)


def _targets(
    build: Build, stage: Stage, index: int, run: Run, rewriting: _Rewriting
) -> tuple[list[_Target], tuple[int, str] | None]:
    """The paths that came with earlier COPYs of the stage; and, for a whole folder that none brought, the RUN that installed into it."""
    state = build.state(index)
    folder = None if layers.moves(run) else state.workdir
    found: list[_Target] = []
    installed: tuple[int, str] | None = None
    for word in rewriting.operands:
        path = layers.path_of(word, state, folder)
        if path is None or path == "/" or layers.mounted(build, index, path):
            continue
        copies: dict[int, tuple[Laid, ...]] = {}
        for other in stage.indexes:
            if other >= index:
                break
            name = build.instructions[other].name
            if name in ("COPY", "ADD"):
                copy = build.copy(other)
                below = copy is not None and (copy.destination or "").endswith("/")
                hit = tuple(one for one in layers.laid(build, other) or () if _hits(rewriting, path, one, below))
                if hit:
                    copies[other] = hit
            elif name == "RUN" and rewriting.recursive is not None and installed is None:
                place = _installed(build, other)
                if place is not None and layers.covers(path, place):
                    installed = (other, place)
        if copies:
            found.append(_Target(word, path, copies))
    return found, installed


def _hits(rewriting: _Rewriting, path: str, laid: Laid, is_folder: bool) -> bool:
    """Whether a command on `path` certainly rewrites what lies there: files, or a folder with all in it. `is_folder` is whether the
    COPY's destination is a folder by its spelling."""
    if laid.kind == "file":
        return layers.covers(path, laid.path) and (rewriting.recursive is not None or _same_folder(path, laid.path))
    if rewriting.recursive is not None:
        return layers.covers(path, laid.path)
    # A source that may be a folder lies at the destination, or below it by its own name; a folder's mode is rarely what is changed.
    name = posixpath.basename(laid.source.rstrip("/"))
    return (
        laid.kind == "" and bool(name) and _takes_x(rewriting) and path in (laid.path, posixpath.join(laid.path, name))
    )


def _same_folder(path: str, other: str) -> bool:
    return path.count("/") == other.count("/")


def _takes_x(rewriting: _Rewriting) -> bool:
    text = rewriting.wanted.value or "" if rewriting.wanted is not None else ""
    return rewriting.tool == "chmod" and (bool(re.search(r"\+r?x", text)) or text in ("755", "0755", "555", "0555"))


def _installed(build: Build, index: int) -> str | None:
    """The folder that a RUN's package manager fills below the working directory; None where it fills none that is known."""
    run = build.run(index)
    workdir = build.state(index).workdir
    if run is None or workdir is None or layers.moves(run):
        return None
    for use in run.uses:
        if use.action == "install" and use.manager.writes and use.reads_project and not use.directories:
            return posixpath.join(workdir, use.manager.writes[0])
    return None


# ----------------------------------------------------------------------------------------------------------- findings


def _of_installed(build: Build, index: int, run: Run, rewriting: _Rewriting, installed: tuple[int, str]) -> Finding:
    simple = rewriting.command.simple
    keyword = build.instructions[installed[0]].keyword_span
    line = build.syntax.source.line_of(keyword.start)
    advice = "install as that user (`USER` before the RUN)" if rewriting.flag == "chown" else "do it in that RUN"
    message = f"`{rewriting.tool} {_option(rewriting)}` stores what line {line} installs a second time -> {advice}"
    return Finding(
        run.span(simple.start, simple.end),
        message,
        None,
        Saving(f"a second copy of `{installed[1]}`"),
        (Related(keyword, f"this RUN fills `{installed[1]}`"),),
        "whether the install works as another user is not known" if rewriting.flag == "chown" else "",
    )


def _option(rewriting: _Rewriting) -> str:
    return rewriting.recursive.text if rewriting.recursive is not None else ""


def _finding(
    build: Build, given: Given, stage: Stage, index: int, run: Run, rewriting: _Rewriting, targets: list[_Target]
) -> Finding:
    simple = rewriting.command.simple
    indexes = sorted({copy for target in targets for copy in target.copies})
    source = build.syntax.source
    lines = [str(source.line_of(build.instructions[copy].keyword_span.start)) for copy in indexes]
    name = build.instructions[indexes[-1]].name
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(lines[:-1])} and {lines[-1]}"
    fix, refusal, flag = _fix(build, given, stage, index, run, rewriting, targets)
    verb = "copies" if len(lines) == 1 else "copy"
    message = f"`{rewriting.tool}` stores what {where} {verb} a second time -> `{name} {flag}`"
    related = tuple(
        Related(build.instructions[copy].keyword_span, "its files are in this layer already") for copy in indexes
    )
    saves = Saving("a second copy of " + ", ".join(f"`{target.path}`" for target in targets))
    return Finding(run.span(simple.start, simple.end), message, fix, saves, related, refusal)


# ---------------------------------------------------------------------------------------------------------------- fix


class _No(Exception):
    """Why there is no fix."""


def _fix(
    build: Build, given: Given, stage: Stage, index: int, run: Run, rewriting: _Rewriting, targets: list[_Target]
) -> tuple[Fix | None, str, str]:
    """The flag on the COPYs in place of the command, or why not; and the flag to speak of."""
    flag = f"--{rewriting.flag}="
    try:
        if rewriting.wanted is None or rewriting.why:
            raise _No(rewriting.why)
        copies = sorted({copy for target in targets for copy in target.copies})
        doubts: list[str] = []
        value = (
            _owner(build, index, rewriting, copies, doubts)
            if rewriting.flag == "chown"
            else _mode(build, given, run, rewriting, targets, doubts)
        )
        flag += value
        return _with_flag(build, stage, index, run, rewriting, targets, flag, doubts), "", flag
    except _No as no:
        return None, str(no), flag if not flag.endswith("=") else flag + "..."


def _with_flag(
    build: Build, stage: Stage, index: int, run: Run, rewriting: _Rewriting, targets: list[_Target], flag: str, doubts: list[str]
) -> Fix:  # fmt: skip
    simple = rewriting.command.simple
    number = rewrite.step_of(run, simple)
    if number is None or not rewrite.always_runs(
        build, index, number, not _cannot_fail(build, index, rewriting, targets)
    ):
        raise _No("it does not run, or may fail, whenever its RUN succeeds")
    copies = sorted({copy for target in targets for copy in target.copies})
    moving = tuple(
        path
        for target in targets
        for path in (
            [one.path for laid in target.copies.values() for one in laid]
            if rewriting.recursive is not None
            or any(one.kind == "file" for laid in target.copies.values() for one in laid)
            else [target.path]
        )
    )
    for copy in copies:
        _check_copy(build, copy, rewriting, targets)
    for between in range(copies[0] + 1, index + 1):
        before = simple.start if between == index else None
        veto = _veto(build, between, moving, before, rewriting, copies, rewriting.recursive is not None, [])
        if veto is not None and veto.certain:
            raise _No(veto.why)
        if veto is not None:
            doubts.append(veto.why)
    kept = [target for target in targets if _whole_folder(target, rewriting)]
    for target in targets:
        if target not in kept and any(character in target.path for character in "*?["):
            raise _No(f"`{target.word.text}` may name other files as well")
    for target in kept:
        _check_folder(build, stage, index, simple.start, target, rewriting, copies, doubts)
    above = {folder for copy in copies for folder in _new_parents(build, stage, copy, flag, targets)}
    doubts += [f"`{folder}` is there already, or may get the same as the files in it" for folder in sorted(above)]
    # The folder itself keeps its owner where it was there before the COPY.
    again = [target for target in kept if not _is_made_by_copy(build, stage, target, copies)]
    if rewriting.flag == "chmod" and flag in ("--chmod=755", "--chmod=0755"):
        again = [target for target in again if not _is_workdir(build, stage, target.path, copies[0])]
    others = [word for word in rewriting.operands if all(word is not target.word for target in targets)]
    if again and (len(again) < len(targets) or others):
        raise _No(f"`{again[0].path}` itself was there before, and the command changes other paths as well")
    edits, effects, all_gone = _edits(build, index, run, number, rewriting, targets, bool(again), bool(others))
    for copy in copies:
        edits.append(rewrite.add_flags(build, copy, (flag,)))
        effects.append(AddsFlag(copy, flag))
    if all_gone:
        effects.append(Layers(stage.index, -1))
    if doubts:
        paths = {pattern for target in targets for pattern in (target.path, target.path + "/**")}
        effects.append(Changes(tuple(sorted(paths | above)), stage.index))
    because = "the files have the same owner and mode in the layer that brings them, and nothing between looks at these"
    if flag == "--chmod=711":
        because = f"ADD gives what it fetches mode 0600, of which `+x` makes 0711; {because}"
    if doubts:
        because = "to agree: " + "; ".join(dict.fromkeys(doubts))
    lines = ", ".join(str(build.syntax.source.line_of(build.instructions[copy].keyword_span.start)) for copy in copies)
    return Fix(f"`{flag}` on line {lines}", tuple(edits), not doubts, because, tuple(effects))


def _edits(
    build: Build, index: int, run: Run, number: int, rewriting: _Rewriting, targets: list[_Target], folder_stays: bool, others: bool
) -> tuple[list[Edit], list[Effect], bool]:  # fmt: skip
    """What takes the command away, or what of it the COPYs do; and whether its RUN goes with it."""
    if folder_stays or others:
        dropped = [rewriting.recursive] if folder_stays else [target.word for target in targets]
        words = rewriting.command.simple.words
        edits = [
            rewrite.drop_word(build, run, words[words.index(word) - 1].end, word.start, word.end)
            for word in dropped
            if word is not None
        ]
        return edits, [DropsWord(index, word.start) for word in dropped if word is not None], False
    gone = rewrite.drop_command(build, index, number)
    if gone is None:
        raise _No("the command cannot be taken out of its RUN without a change of when the others run")
    if rewrite.switches_off(gone.comments):
        raise _No("a comment switches a check off for an instruction that would go")
    edits = list(gone.edits)
    if gone.comments:
        first = sorted({copy for target in targets for copy in target.copies})[0]
        edits.append(rewrite.insert_lines(build, rewrite.block_start(build, first), gone.comments))
    return edits, [DropsCommand(index, number)], len(run.script.steps) == 1


def _cannot_fail(build: Build, index: int, rewriting: _Rewriting, targets: list[_Target]) -> bool:
    """Whether the command certainly works: root changes files that COPY brought, to what needs no account."""
    wanted = (rewriting.wanted.value if rewriting.wanted is not None else None) or ""
    files = all(one.kind == "file" for target in targets for laid in target.copies.values() for one in laid)
    known = rewriting.flag == "chmod" or re.fullmatch(r"[0-9]+(?::[0-9]+)?|root(?::root)?", wanted) is not None
    return files and known and build.state(index).is_root and len(targets) == len(rewriting.operands)


def _whole_folder(target: _Target, rewriting: _Rewriting) -> bool:
    """Whether the command changes a folder with all in it, not files that are named."""
    named = all(one.kind == "file" and one.path == target.path for laid in target.copies.values() for one in laid)
    return rewriting.recursive is not None and not named


def _check_copy(build: Build, copy: int, rewriting: _Rewriting, targets: list[_Target]) -> None:
    """Whether all that a COPY brings is what the command changes, and it can carry the flag."""
    instruction = build.instructions[copy]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    for one in layers.laid(build, copy) or ():
        if not any(one in target.copies.get(copy, ()) for target in targets):
            raise _No(f"line {line} brings other files as well, which stay as they are")
        if one.kind == "archive" and rewriting.flag == "chmod":
            raise _No("`--chmod` does not reach into an archive that ADD unpacks")
    for flag in instruction.flags:
        if flag.name == rewriting.flag:
            raise _No(f"line {line} has `{flag.text}` already")
        if flag.name == "chmod" and _holds_set_id(flag.value or "s"):
            raise _No(f"`{rewriting.tool}` takes away a bit that `{flag.text}` on line {line} sets")
        if flag.name not in ("from", "chown", "chmod"):
            raise _No(f"line {line} has `{flag.text}`")


def _new_parents(build: Build, stage: Stage, copy: int, flag: str, targets: list[_Target]) -> Iterator[str]:
    """The folders above a COPY's destination that it may make, and that its flag would then hold for."""
    if flag.startswith("--chmod=") and flag.partition("=")[2].lstrip("0") in ("755", "+x", "a+x", "u+x", "ugo+x"):
        return
    for one in layers.laid(build, copy) or ():
        folder = posixpath.dirname(one.path)
        if one.kind != "file":
            tops = [target.path for target in targets if one in target.copies.get(copy, ())]
            folder = posixpath.dirname(tops[0]) if tops else folder
        elif any(target.path != one.path and layers.covers(target.path, folder) for target in targets):
            folder = posixpath.dirname(next(t.path for t in targets if layers.covers(t.path, folder)))
        while not layers.exists(build, stage, folder, copy):
            yield folder
            folder = posixpath.dirname(folder)


def _is_workdir(build: Build, stage: Stage, path: str, before: int) -> bool:
    """Whether a WORKDIR of root's made a folder, so that its mode is 0755: the base image is known not to have it."""
    folders = build.top_folders(stage)
    if folders is None or path.split("/")[1] in bases.SYSTEM_FOLDERS | folders:
        return False
    return any(
        build.instructions[index].name == "WORKDIR" and layers.workdir_after(build, index) == path
        for index in stage.indexes
        if index < before
    )


def _is_made_by_copy(build: Build, stage: Stage, target: _Target, copies: list[int]) -> bool:
    """Whether a folder certainly is not there before the first COPY into it, which makes it then with the owner and mode of its flags."""
    folders = build.top_folders(stage)
    if folders is None or target.path.split("/")[1] in bases.SYSTEM_FOLDERS | folders:
        return False
    return not layers.exists(build, stage, target.path, min(target.copies))


def _check_folder(
    build: Build, stage: Stage, index: int, start: int, target: _Target, rewriting: _Rewriting, copies: list[int], doubts: list[str]
) -> None:  # fmt: skip
    """Whether nothing but the COPYs fills the folder that the command changes with all in it."""
    if any(character in target.path for character in "*?["):
        raise _No("the pattern leaves out names that begin with a dot")
    below = (target.path + "/*",)
    chain = build.chain(stage)
    bottom = chain[-1]
    if bottom.base.kind != "scratch":
        folders = build.top_folders(stage)
        if folders is None or target.path.split("/")[1] in bases.SYSTEM_FOLDERS | folders:
            doubts.append(f"the base image has nothing below `{target.path}`")
    packaged = not (target.path + "/").startswith(_OWN_FOLDERS) and target.path.split("/")[1] in bases.SYSTEM_FOLDERS
    for one in chain:
        for other in one.indexes:
            if one is stage and other > index:
                break
            run = build.run(other)
            if packaged and run is not None and any(_installs(command) for command in run.commands):
                raise _No(f"what `{_first_install(run)}` puts there is changed as well")
            line = build.syntax.source.line_of(build.instructions[other].keyword_span.start)
            if build.instructions[other].name == "WORKDIR":
                made = layers.workdir_after(build, other)
                if made is None or made.startswith(target.path + "/"):
                    raise _No(f"`WORKDIR` on line {line} makes a folder there, which is changed as well")
                continue
            if one is stage and other in copies:
                continue
            before = start if one is stage and other == index else None
            veto = _veto(build, other, below, before, rewriting, copies, True, doubts)
            if veto is not None and (veto.certain or other > copies[0]):
                raise _No(f"{veto.why}; what it leaves there is changed as well")
            if veto is not None:
                doubts.append(veto.why)
    if rewriting.flag == "chown":
        doubts.append("no file in it has set-id bits or capabilities, which `chown` takes away and COPY keeps")
    else:
        doubts.append("no folder in it has set-id bits, which `chmod` keeps and COPY does not")


def _installs(command: Command) -> bool:
    use = command.use
    return use is not None and use.manager.family in packages.SYSTEM_FAMILIES and use.action in ("install", "upgrade")


def _first_install(run: Run) -> str:
    return next(f"{c.use.manager.name} {c.use.verb}" for c in run.commands if c.use is not None and _installs(c))


def _veto(
    build: Build, index: int, paths: tuple[str, ...], before: int | None, rewriting: _Rewriting, copies: list[int], fills: bool,
    doubts: list[str],
) -> Veto | None:  # fmt: skip
    """Why an instruction may look at owner or mode of `paths`, or write there; `fills` asks only for what adds files there.

    Commands that set the other of both are passed: a mode does not hang on the owner. Not so set-id bits, which chown clears.
    """
    instruction = build.instructions[index]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    if instruction.name in ("COPY", "ADD"):
        laid = layers.laid(build, index)
        if laid is None:
            return layers.touches(build, index, paths)
        for one in laid:
            if index not in copies and any(layers.overlaps(path, one.path) for path in paths):
                # A folder's contents lie below it; a file lies only where it lies.
                if one.kind != "file" or any(layers.covers(path, one.path) for path in paths):
                    return Veto(index, f"`{instruction.name}` on line {line} writes there, too", one.kind == "file")
        return None
    if instruction.name == "WORKDIR":
        return None  # it makes what is not there, and looks at nothing
    run = build.run(index)
    if run is None or run.script.opaque is not None or layers.moves(run) or _has_compounds(run):
        return layers.touches(build, index, paths, before)
    state = build.state(index)
    found: Veto | None = None
    for command in run.commands:
        if before is not None and command.simple.start >= before:
            break
        other = _read(command.simple)
        if other is not None and other.flag != rewriting.flag and not _sets_id(other) and not _sets_id(rewriting):
            continue
        why = layers.touches_here(command, state, paths)
        if why and fills and _only_reads(command, state, paths, doubts):
            continue
        if not why:
            continue
        place = build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)
        certain = command.use is not None or packages.touches_only_its_words(command.simple)
        found = Veto(index, f"{why} on line {place}", certain)
        if certain:
            return found
    return found


def _only_reads(command: Command, state: State, paths: tuple[str, ...], doubts: list[str]) -> bool:
    """Whether a package manager that works in a folder is taken to leave nothing there: pip with a list of requirements."""
    use = command.use
    if use is None or not state.is_root or use.manager.name != "pip" or use.verb != "install":
        return False
    if use.has("--target", "--prefix", "--root", "--editable", "--src") or any(
        (word.value or ".").startswith((".", "/")) for word in use.operands
    ):
        return False
    folder = posixpath.dirname(paths[0])
    doubts.append(f"`pip install` leaves nothing below `{folder}`")
    return True


def _sets_id(rewriting: _Rewriting) -> bool:
    text = (rewriting.wanted.value if rewriting.wanted is not None else None) or "s"
    return rewriting.flag == "chmod" and _holds_set_id(text)


def _holds_set_id(mode: str) -> bool:
    """Whether a mode, in digits or letters, may set the set-user-id, set-group-id or sticky bit."""
    return "s" in mode or (len(mode.lstrip("0")) > 3 and mode.isdecimal())


def _has_compounds(run: Run) -> bool:
    return any(isinstance(one, Compound) for step in run.script.steps for one in step.pipeline.commands)


# ------------------------------------------------------------------------------------------------- owners and modes


def _owner(build: Build, index: int, rewriting: _Rewriting, copies: list[int], doubts: list[str]) -> str:
    """The value of `--chown` for what chown or chgrp gives; raises _No where that is not known."""
    word = rewriting.wanted
    assert word is not None, "a command that is understood names an owner"
    text = word.value
    if text is None:
        text = _variables(build, index, word, copies[0])
        if ":" not in text or rewriting.tool == "chgrp":
            raise _No("the group is not known")
        doubts.append(f"`{text}` names a user and a group, and neither is empty")
        _check_accounts(build, index, rewriting, copies, "")
        return text
    if rewriting.tool == "chgrp":
        text = ":" + text
    found = _OWNER.fullmatch(text)
    if found is None:
        raise _No(f"`{text}` may be read in more than one way")
    user, colon, group = found[1] or "", found[2] or "", found[3] or ""
    for name in (user, group):
        if name and not name.isdecimal():
            _check_accounts(build, index, rewriting, copies, name)
    kept = any(build.instructions[copy].name == "COPY" and build.references_of(copy) for copy in copies)
    if kept:
        doubts.append("no file in it has set-id bits or capabilities, which `chown` takes away and COPY keeps")
    if (not user or not group) and not colon and _hands_group_on(build, copies[-1]):
        doubts.append("the folder does not hand its group on to what is made in it")
    if colon and not group:
        if not user or user.isdecimal():
            raise _No("the group is not known")
        return user  # COPY takes the user's own group, as chown does
    if kept and (not user or not group):
        # Without --chown a COPY from another stage keeps who owns a file there.
        doubts.append(f"the files' {'group' if user else 'owner'} is root, which they get")
    return f"{user or '0'}:{group or '0'}"


def _hands_group_on(build: Build, index: int) -> bool:
    """Whether a folder may have a set-group-id bit: of Debian's own these, of others where a command before sets one."""
    own = ("/var/mail/", "/var/local/")
    stage = build.stage(index)
    assert stage is not None, "a COPY stands in a stage"
    texts = (run.script.text for one in build.chain(stage) for at in one.indexes if (run := build.run(at)) is not None)
    return any(one.path.startswith(own) for one in layers.laid(build, index) or ()) or any(
        re.search(r"\b[2367][0-7]{3}\b|[ug+=,]s\b", text) for text in texts
    )


def _variables(build: Build, index: int, word: Word, copy: int) -> str:
    """An owner with variables of the Dockerfile, as COPY expands it too; raises _No where it might be another there."""
    text = word.text
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    if not re.fullmatch(r"(?:[\w:-]|\$\w+|\$\{\w+\})+", text) or word.substitutions:
        raise _No(f"it is not known what `{word.text}` is")
    state = build.state(copy)
    for name in word.names:
        if not state.environment.sets(name) and not state.arguments.sets(name):
            raise _No(f"`{name}` is not set where the files are copied")
        for between in range(copy, index):
            instruction = build.instructions[between]
            if instruction.name in ("ENV", "ARG") and any(key.text == name for key, _ in instruction.pairs):
                raise _No(f"`{name}` changes between")
    run = build.run(index)
    if run is not None and re.search(rf"\b(?:{'|'.join(word.names)})=|\bread\b", run.script.text):
        raise _No(f"the RUN sets `{word.names[0]}` itself")
    return text


def _check_accounts(build: Build, index: int, rewriting: _Rewriting, copies: list[int], name: str) -> None:
    """The user must be there when the files are copied. It is there for the command, so it is enough that nothing between makes it."""
    if name and bases.has_user(build.state(copies[0]).base, name):
        return
    what = f"`{name}`" if name else "the user"
    for between in range(copies[0] + 1, index + 1):
        instruction = build.instructions[between]
        if instruction.name != "RUN":
            veto = layers.touches(build, between, ("/etc/passwd", "/etc/group"))
            if veto is not None:
                raise _No(f"{what} may come by line {build.syntax.source.line_of(instruction.keyword_span.start)}")
            continue
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        run = build.run(between)
        if run is None or run.script.opaque is not None:
            raise _No(f"{what} may be made on line {line}, behind the COPY -> make it before")
        for command in run.commands:
            if between == index and command.simple.start >= rewriting.command.simple.start:
                break
            program = posixpath.basename(command.name or "")
            words = command.simple.words
            if program == "sudo" and len(words) > 1:
                program = posixpath.basename(words[1].value or "")
            line = build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)
            if program in _ACCOUNTS:
                raise _No(f"{what} may be made on line {line}, behind the COPY -> make it before")
            unknown = command.use is None and not packages.touches_only_its_words(command.simple)
            named = not unknown and _names_accounts(command, build.state(between))
            if unknown or named or _installs(command):
                raise _No(f"{what} may come by line {line}, behind the COPY -> make it before")


def _names_accounts(command: Command, state: State) -> bool:
    texts = [word.text for word in command.simple.words]
    texts += [redirection.target.text for redirection in command.simple.redirections]
    return any("/etc" in text or "passwd" in text for text in texts)


def _mode(
    build: Build, given: Given, run: Run, rewriting: _Rewriting, targets: list[_Target], doubts: list[str]
) -> str:
    """The value of `--chmod` for what chmod gives; raises _No where that is not known."""
    text = rewriting.wanted.value if rewriting.wanted is not None else None
    if text is None:
        raise _No("the mode is not known")
    if any(command.name == "umask" for command in run.commands) and not _NUMBER.fullmatch(text):
        raise _No("`umask` says what the mode means")
    if given.engine != "buildkit" or not policy.has_mounts(build):
        raise _No("`--chmod` is not there in this frontend")
    laid = [(copy, one) for target in targets for copy, found in target.copies.items() for one in found]
    for _, one in laid:
        if one.kind == "" and rewriting.recursive is None:
            doubts.append(f"`{one.source}` is a file; a folder would get the mode with all in it")
    if _NUMBER.fullmatch(text):
        return text
    urls = [copy for copy, one in laid if "://" in one.source and build.instructions[copy].name == "ADD"]
    if urls and len(urls) == len(laid) and _TO_755.fullmatch(text) and "r" not in text:
        return "711"  # ADD makes what it fetches 0600
    if _SYMBOLIC.fullmatch(text) and policy.has_symbolic_modes(build) and not urls:
        return text
    heredocs = all(build.instructions[copy].heredocs for copy, _ in laid)
    if rewriting.recursive is None and _TO_755.fullmatch(text) and not urls:
        if not heredocs:
            doubts.append("the files have mode 0644 or 0755, as git keeps them")
        return "755"
    raise _No("the mode hangs on the one that a file has; `--chmod` takes such modes from `docker/dockerfile:1.14` on")
