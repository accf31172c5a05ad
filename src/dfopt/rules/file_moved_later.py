"""Files moved or copied by a RUN from where an earlier layer put them: both layers hold them."""

import posixpath
from collections.abc import Iterator

from dfopt import archives, bases, layers, packages, rewrite
from dfopt.archives import File, Placed
from dfopt.build import Build, Run, Stage
from dfopt.layers import Laid
from dfopt.rule import Changes, DropsCommand, Effect, Finding, Fix, Given, Layers, Related, Removes, Retargets, Saving
from dfopt.shell import Compound, Simple, Word
from dfopt.source import Edit

# What is laid there is there to be taken elsewhere.
_STAGING = ("/tmp/", "/var/tmp/")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if build.is_shipped(stage):
            for index in stage.indexes:
                run = build.run(index)
                for place in archives.placed(build, index) if run is not None else ():
                    if run is not None:
                        yield from _of_command(build, stage, index, run, place)


def _of_command(build: Build, stage: Stage, index: int, run: Run, place: Placed) -> Iterator[Finding]:
    words = place.command.simple.words
    if words and words[0].value == "sudo":
        words = words[1:]
    name = posixpath.basename(words[0].value or "") if words else ""
    if name not in ("mv", "cp"):
        return
    operands = [word for word in words[1:] if not word.text.startswith("-")]
    options = [word.text for word in words[1:] if word.text.startswith("-")]
    if len(operands) < 2 or any(option.startswith(("-t", "--target")) for option in options):
        return
    target = archives.file_of(build, index, place, operands[-1].text)
    found: dict[int, tuple[list[Word], Fix | None, str]] = {}
    for word in operands[:-1]:
        source = archives.file_of(build, index, place, word.text)
        if source.path is None or set(source.path) & set("*?["):
            continue
        if layers.mounted(build, index, source.path) or target.key.startswith("/dev/"):
            continue
        if name == "cp" and not source.path.startswith(_STAGING) and not _removed(build, index, source, place):
            continue  # both are wanted
        origin = _origin(build, stage, index, source.path)
        if origin is not None:
            fix, refusal = None, "`cp` gives a copy the mode and owner of who makes it"
            if name == "mv":
                fix, refusal = _fix(build, stage, index, run, place, origin, source, target, len(operands), options)
            found.setdefault(origin[0], ([], fix, refusal))[0].append(word)
            continue
        fetched = _fetched(build, stage, index, source.path)
        if fetched is not None:
            found.setdefault(fetched, ([], None, "what stands between would see the files elsewhere"))[0].append(word)
    for first, (sources, fix, refusal) in found.items():
        yield _finding(build, run, place, name, first, sources, operands[-1], fix, refusal)


def _finding(
    build: Build, run: Run, place: Placed, name: str, origin: int, words: list[Word], target: Word, fix: Fix | None, refusal: str
) -> Finding:  # fmt: skip
    keyword = build.instructions[origin].keyword_span
    line = build.syntax.source.line_of(keyword.start)
    what = f"`{words[0].text}`" + (f" and {len(words) - 1} more" if len(words) > 1 else "")
    them = "them" if len(words) > 1 else "it"
    advice, verb = f"{build.instructions[origin].name} {them} to `{target.text}`", "copies"
    if build.instructions[origin].name == "RUN":
        advice, verb = f"fetch {them} to `{target.text}`, or `{name}` {them} in that RUN", "fetches"
    message = f"`{name}` stores {what}, which line {line} {verb}, a second time -> {advice}"
    simple = place.command.simple
    related = (Related(keyword, f"this layer keeps {them}"),)
    return Finding(
        run.span(simple.start, simple.end), message, fix, Saving(f"a second copy of {what}"), related, refusal
    )


def _removed(build: Build, index: int, source: File, place: Placed) -> bool:
    """Whether the source of a copy is deleted afterwards, so that it was only wanted elsewhere."""
    assert source.path is not None, "only a known path is asked for"
    return any(
        layers.covers(path, source.path)
        for later in (index, *layers.later(build, index))
        for cleaning in layers.cleaned(build, later)
        if later > index or cleaning.simple.start > place.command.simple.start
        for path in cleaning.paths
    )


def _origin(build: Build, stage: Stage, index: int, path: str) -> tuple[int, Laid] | None:
    """The COPY or ADD of the stage that laid a file, or a whole folder, at a path."""
    for origin in reversed(range(stage.first + 1, index)):
        if build.instructions[origin].name not in ("COPY", "ADD"):
            continue
        copy = build.copy(origin)
        folder = copy is not None and (copy.destination or "").endswith("/")
        for one in layers.laid(build, origin) or ():
            name = posixpath.basename(one.source.rstrip("/"))
            at = (
                posixpath.join(one.path, name)
                if one.kind == "" and folder and name not in ("", ".", "..")
                else one.path
            )
            if one.kind != "archive" and at == path and (one.kind == "file" or not folder or at != one.path):
                return origin, one._replace(path=at)
    return None


def _fetched(build: Build, stage: Stage, index: int, path: str) -> int | None:
    """The RUN of the stage that fetched a file; none where all between are RUNs, which may as well become one."""
    for origin in reversed(range(stage.first + 1, index)):
        if any(one.path == path and one.kind == "download" for one in layers.brought(build, origin)):
            apart = any(build.instructions[other].name != "RUN" for other in range(origin, index))
            return origin if apart else None
    return None


# ---------------------------------------------------------------------------------------------------------------- fix


class _No(Exception):
    """Why there is no fix."""


def _fix(
    build: Build, stage: Stage, index: int, run: Run, place: Placed, origin: tuple[int, Laid], source: File, target: File,
    operands: int, options: list[str],
) -> tuple[Fix | None, str]:  # fmt: skip
    """The COPY straight to where the file is moved, or why not."""
    try:
        if operands > 2 or set(options) - {"-f", "-v", "-n", "-fv", "-vf", "--force", "--verbose"}:
            raise _No("the command moves several files, or has options that say how")
        return _retargeted(build, stage, index, run, place, origin[0], origin[1], source, target), ""
    except _No as no:
        return None, str(no)


def _retargeted(
    build: Build, stage: Stage, index: int, run: Run, place: Placed, copy: int, laid: Laid, source: File, target: File
) -> Fix:
    simple, instruction = place.command.simple, build.instructions[copy]
    number = rewrite.step_of(run, simple)
    if number is None or simple.redirections or simple.assignments:
        raise _No("it does not run by itself")
    if len(instruction.arguments) != 2 or instruction.json:
        raise _No("the COPY brings more than that file")
    other = [flag.text for flag in instruction.flags if flag.name not in ("from", "chown", "chmod")]
    if other:
        raise _No(f"the COPY has `{other[0]}`")
    assert source.path is not None, "only a known path is looked for"
    doubts: list[str] = []
    at = _target(build, stage, copy, laid, source.path, target, doubts)
    parent = posixpath.dirname(at)
    plain = not any(flag.name in ("chown", "chmod") for flag in instruction.flags)
    made = _between(build, copy, index, simple.start, source.path, at, plain, doubts)
    # Root moves a file that COPY brought into a folder that is there.
    works = build.state(index).is_root and laid.kind == "file" and (made or layers.exists(build, stage, parent, index))
    if not rewrite.always_runs(build, index, number, not works):
        raise _No("it does not run, or may fail, whenever its RUN succeeds")
    if not layers.exists(build, stage, parent, copy) and not made:
        if layers.exists(build, stage, parent, index):
            raise _No(f"`{parent}` is made between")
        doubts.append(f"`{parent}` is there already")
    is_new = _is_new(build, stage, at, copy)
    if not is_new:
        doubts.append(f"`{at}` is no link and no folder in the image before")
    if not _is_new(build, stage, source.path, copy) and not _is_staging(build, stage, source.path, copy):
        doubts.append(f"nothing is at `{source.path}` before")
    if laid.kind != "file":
        doubts.append(f"`{at}` is not there before, where it is a folder")
    gone = rewrite.drop_command(build, index, number)
    if gone is None:
        raise _No("the command cannot be taken out of its RUN without a change of when the others run")
    if rewrite.switches_off(gone.comments):
        raise _No("a comment switches a check off for an instruction that would go")
    edits: list[Edit] = [*gone.edits, Edit(instruction.words[-1].span, at)]
    if gone.comments:
        edits.append(rewrite.insert_lines(build, rewrite.block_start(build, copy), gone.comments))
    effects: list[Effect] = [DropsCommand(index, number), Retargets(copy, at)]
    if len(run.script.steps) == 1:
        effects.append(Layers(stage.index, -1))
    if not is_new:
        effects.append(Changes((at,), stage.index))
    left = posixpath.dirname(source.path)
    if not layers.exists(build, stage, left, copy):
        doubts.append(f"the folder `{left}`, which is empty then, is not needed")
        effects.append(Removes((left,), stage.index))
    because = "the file has the same mode and owner there, and nothing between looks at either place"
    if doubts:
        because = "to agree: " + "; ".join(dict.fromkeys(doubts))
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    return Fix(f"`{at}` as the destination on line {line}", tuple(edits), not doubts, because, tuple(effects))


def _target(build: Build, stage: Stage, copy: int, laid: Laid, source: str, target: File, doubts: list[str]) -> str:
    """Where the file is moved to: `target` itself, or below it where that is a folder."""
    if target.path is None or set(target.path) & set("*?[ "):
        raise _No("it is not known where it is moved to")
    name = posixpath.basename(source)
    text = target.text.strip("\"'")
    if text.endswith(("/", "/.")) or text in (".", "..") or layers.exists(build, stage, target.path, copy):
        return posixpath.join(target.path, name)
    if not layers.is_file_name(target.path) and posixpath.dirname(target.path) != "/usr/local/bin":
        if posixpath.basename(target.path) != name or posixpath.basename(laid.source) != name:
            doubts.append(f"`{target.path}` is no folder, into which it would be moved")
    return target.path


def _is_new(build: Build, stage: Stage, path: str, copy: int) -> bool:
    """Whether nothing is at a path before a COPY: the base image does not have its top folder, and no step before writes there."""
    folders = build.top_folders(stage)
    if folders is None or path.split("/")[1] in bases.SYSTEM_FOLDERS | folders:
        return False
    return _untouched(build, stage, path, copy)


def _is_staging(build: Build, stage: Stage, path: str, copy: int) -> bool:
    """Whether a path lies in /tmp, which the images of the table leave empty, and no step before writes there."""
    known = build.chain(stage)[-1].facts is not None
    return known and path.startswith(_STAGING) and _untouched(build, stage, path, copy)


def _untouched(build: Build, stage: Stage, path: str, copy: int) -> bool:
    for one in build.chain(stage):
        for index in one.indexes:
            if one is stage and index >= copy:
                break
            instruction = build.instructions[index]
            if instruction.name == "WORKDIR":
                if (layers.workdir_after(build, index) or path) == path:
                    return False
            elif instruction.name in ("COPY", "ADD"):
                laid = layers.laid(build, index)
                if laid is None or any(
                    layers.overlaps(each.path, path) and (each.kind != "file" or layers.covers(path, each.path))
                    for each in laid
                ):
                    return False
            else:
                veto = layers.touches(build, index, (path,), families=tuple(packages.SYSTEM_FAMILIES))
                if veto is not None and not _is_mkdir_above(build, index, path):
                    return False
    return True


def _is_mkdir_above(build: Build, index: int, path: str) -> bool:
    run = build.run(index)
    return run is not None and all(
        command.name == "mkdir" and not any(layers.covers(path, word.text) for word in command.simple.words[1:])
        for command in run.commands
    )


def _between(
    build: Build, copy: int, index: int, start: int, source: str, target: str, plain: bool, doubts: list[str]
) -> bool:
    """Whether a `mkdir -p` between makes the target's folder just as the COPY would; raises _No where something between works with
    either path."""
    made = False
    for between in range(copy + 1, index + 1):
        instruction = build.instructions[between]
        before = start if between == index else None
        if instruction.name in ("COPY", "ADD"):
            for one in layers.laid(build, between) or (Laid("", "/", ""),):
                for path in (source, target):
                    inside = layers.covers(path, one.path) or (one.kind != "file" and layers.covers(one.path, path))
                    if inside:
                        line = build.syntax.source.line_of(instruction.keyword_span.start)
                        raise _No(f"`{instruction.name}` on line {line} may write there")
            continue
        if instruction.name == "WORKDIR":
            workdir = layers.workdir_after(build, between)
            if workdir is None or (target + "/").startswith(workdir.rstrip("/") + "/"):
                if not plain or workdir is None or not build.state(between).is_root:
                    raise _No("a WORKDIR between makes a folder there")
                made = made or workdir == posixpath.dirname(target)
            continue
        run = build.run(between)
        if run is None or run.script.opaque is not None or layers.moves(run) or _has_compounds(run):
            veto = layers.touches(build, between, (source, target), before)
            if veto is not None and veto.certain:
                raise _No(veto.why)
            if veto is not None:
                doubts.append(veto.why)
            continue
        state = build.state(between)
        for command in run.commands:
            if before is not None and command.simple.start >= before:
                break
            line = build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)
            if command.use is not None and command.use.manager.family in packages.SYSTEM_FAMILIES:
                if command.use.action in ("install", "upgrade") and target.split("/")[1] in bases.SYSTEM_FOLDERS:
                    raise _No(f"`{command.use.manager.name} {command.use.verb}` on line {line} may have a file there")
                continue
            if plain and state.is_root and _makes_parents(command.simple):
                paths = [layers.path_of(word, state, state.workdir) for word in command.simple.words[1:]]
                folders = [path for path, word in zip(paths, command.simple.words[1:]) if word.value != "-p"]
                if all(path is not None and not layers.covers(target, path) for path in folders):
                    made = made or posixpath.dirname(target) in folders
                    continue
            why = layers.touches_here(command, state, (source, target))
            if why and (command.use is not None or packages.touches_only_its_words(command.simple)):
                raise _No(f"{why} on line {line}")
            if why:
                doubts.append(f"{why} on line {line}")
    return made


def _makes_parents(simple: Simple) -> bool:
    words = [word.value for word in simple.words]
    return words[:2] == ["mkdir", "-p"] and not any((word or "-").startswith("-") for word in words[2:])


def _has_compounds(run: Run) -> bool:
    return any(isinstance(one, Compound) for step in run.script.steps for one in step.pipeline.commands)
