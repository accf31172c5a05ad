"""Archives that stay in the image after they were unpacked."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import archives, layers, merging, packages, rewrite
from dfopt.archives import File, Placed
from dfopt.build import Build, Run, Stage, once
from dfopt.rule import AddsCommand, Effect, Finding, Fix, Given, Layers, Related, Removes, Saving
from dfopt.source import Span
from dfopt.startup import NamedTuple


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if build.is_shipped(stage):
            for index in stage.indexes:
                run = build.run(index)
                if run is not None:
                    yield from _of_run(build, stage, index, run)


def _of_run(build: Build, stage: Stage, index: int, run: Run) -> Iterator[Finding]:
    """The archives that a RUN unpacks: those that it fetched itself, and those of earlier layers of its stage."""
    fetched: dict[str, Placed] = {}
    known: set[str] = set()
    for place in archives.placed(build, index):
        for text in archives.fetched(place.command.simple):
            fetched[archives.file_of(build, index, place, text).key] = place
        for text in archives.unpacked(place.command):
            file = archives.file_of(build, index, place, text)
            if file.key in known or (file.path is not None and layers.mounted(build, index, file.path)):
                continue
            known.add(file.key)
            start = place.command.simple.start
            if file.path is None and build.mounts(index):
                continue
            if archives.may_be_removed(build, index, file, start) or _removed_later(build, index, file):
                continue
            if file.key in fetched:
                yield _of_fetched(build, stage, index, run, place, file)
            else:
                yield from _of_earlier(build, stage, index, run, place, file)


def _removed_later(build: Build, index: int, file: File) -> bool:
    """Whether a later RUN deletes the file, or may: that is too late, and another fault."""
    name = posixpath.basename(file.key)
    for later in layers.later(build, index):
        for cleaning in layers.cleaned(build, later):
            if file.path is not None and any(layers.covers(path, file.path) for path in cleaning.paths):
                return True
            if any(name in word.text or "$" in word.text for word in cleaning.simple.words):
                return True
    return False


def _of_earlier(build: Build, stage: Stage, index: int, run: Run, place: Placed, file: File) -> Iterator[Finding]:
    """A finding for an archive that another layer of the stage brought; its origin is known by its name."""
    for origin in reversed(range(stage.first + 1, index)):
        name = build.instructions[origin].name
        fix: Fix | None = None
        if name in ("COPY", "ADD") and file.path is not None:
            if not any(one.path == file.path and one.kind != "archive" for one in layers.laid(build, origin) or ()):
                continue
            copy = build.copy(origin)
            if copy is not None and copy.origin is not None and copy.origin.stage is not None:
                packed = build.stages[copy.origin.stage]
                if any(archives.packer(build, packed, "/" + source.lstrip("/")) for source in copy.sources or ()):
                    return  # that it is packed at all is the fault
            advice = "mount it for that RUN (`--mount=type=bind`), or let ADD unpack it"
            if name == "ADD":
                advice = "fetch, unpack and delete it in one RUN"
            elif copy is not None and copy.origin is not None:
                advice = "mount it for that RUN (`--mount=type=bind,from=...`)"
            refusal = "only another way of bringing the file in keeps it out of the image"
        elif name == "RUN" and any(
            archives.file_of(build, origin, other, text).key == file.key
            and (file.path is not None or build.state(origin).workdir == build.state(index).workdir)
            for other in archives.placed(build, origin)
            for text in archives.fetched(other.command.simple)
        ):
            advice = "fetch, unpack and delete it in one RUN"
            fix, refusal = _merged(build, stage, origin, index, file)
        else:
            continue
        keyword = build.instructions[origin].keyword_span
        what = f"the {name} of line {build.syntax.source.line_of(keyword.start)}"
        related = (Related(keyword, "this layer keeps the archive"),)
        message = f"`{file.text}` stays in the layer of {what} after it is {_done(file)} -> {advice}"
        saves = Saving(f"the archive, which is {_done(file)}")
        yield Finding(_span(run, place), message, fix, saves, related, refusal)
        return


def _merged(build: Build, stage: Stage, first: int, last: int, file: File) -> tuple[Fix | None, str]:
    """The RUNs from the one that fetches to the one that unpacks as one, with `rm` at its end; or why not."""
    if rewrite.merges_suppression(build, first, last):
        return None, "a comment switches a check off for an instruction that would go"
    doubts: list[str] = []
    why = _read_later(build, stage, last, file, doubts)
    if why:
        return None, why
    runs = [run for run in map(build.run, range(first, last + 1)) if run is not None]
    name = file.text
    if any(map(layers.moves, runs)):
        name = file.key
    if "$" in file.key or "`" in file.key:
        state = build.state(last)
        names = re.findall(r"\w+", " ".join(re.findall(r"\$\{?\w+", file.key)))
        known = all(state.environment.sets(one) or state.arguments.sets(one) for one in names)
        if (
            "`" in file.key
            or "$(" in file.key
            or not known
            or any(re.search(rf"\b(?:{'|'.join(names)})=|\bread\b|\bfor\b", run.script.text) for run in runs)
        ):
            return None, "what its name is at the end of the RUN is not known"
    if name.startswith("?") or (name is not file.text and "$" in name):
        return None, "it is not known where the file lies"
    staying = merging.may_stay_running(build, first, last)
    if staying:
        doubts.append(staying)
    words = ("rm", "-f", name)
    merged = merging.merge(build, first, last, [rewrite.Added(" ".join(words))])
    if merged.refusal:
        return None, merged.refusal
    images = (stage, *build.children(stage))
    effects: tuple[Effect, ...] = (
        *merged.effects,
        *(Removes((_pattern(file),), image.index) for image in images),
        Layers(stage.index, first - last),
    )
    line = build.syntax.source.line_of(build.instructions[first].keyword_span.start)
    title = f"merge {last - first + 1} RUNs from line {line} on and `{' '.join(words)}`"
    because = _because(file, doubts) if doubts else f"{_because(file, doubts)}; {merged.because}"
    return Fix(title, merged.edits, not doubts, because, effects), ""


def _pattern(file: File) -> str:
    """The path that goes, where the folder is not known wherever it lies."""
    return file.path if file.path is not None else f"/**/{posixpath.basename(archives.masked(file.key))}"


def _because(file: File, doubts: list[str]) -> str:
    if doubts:
        return "to agree: " + "; ".join(dict.fromkeys(doubts))
    return f"it is {_done(file)}, and nothing behind reads it"


def _done(file: File) -> str:
    return "installed" if file.text.strip("\"'").endswith((".deb", ".rpm")) else "unpacked"


def _span(run: Run, place: Placed) -> Span:
    return run.span(place.command.simple.start, place.command.simple.end)


def _of_fetched(build: Build, stage: Stage, index: int, run: Run, place: Placed, file: File) -> Finding:
    fix, refusal = _fix(build, stage, index, run, place, file)
    message = f"`{file.text}` stays in the image after it is {_done(file)} -> delete it in the same RUN"
    return Finding(_span(run, place), message, fix, Saving(f"the archive, which is {_done(file)}"), (), refusal)


def _fix(build: Build, stage: Stage, index: int, run: Run, place: Placed, file: File) -> tuple[Fix | None, str]:
    """`rm` behind the command that unpacks or, where what follows may look at the archive, at the end of the RUN; or why not."""
    if run.script.comments:
        return None, "comments stand inside the script"
    number = rewrite.step_of(run, place.command.simple)
    if number is None or not rewrite.always_runs(build, index, number, True):
        return None, "it is not known whether the command that unpacks it runs"
    doubts: list[str] = []
    images = (stage, *build.children(stage))
    why = _read_later(build, stage, index, file, doubts)
    if why:
        return None, why
    why = _used_after(build, index, place, file)
    words: tuple[str, ...] = ("rm", file.text)
    after: int | None = number
    operator = run.script.steps[number + 1].operator if number + 1 < len(run.script.steps) else ""
    if not why and operator not in ("", "&&"):
        why = "its commands are no chain of `&&`"
    if why and (file.path is None or "$" in file.key or "`" in file.key):
        return None, f"{why}, and what its name is at the end of the RUN is not known"
    if why:
        words, after = ("rm", "-f", file.key), None
    command = " ".join(words)
    if after is None or number + 1 == len(run.script.steps):
        operator = rewrite.joint(build, index)
        added = rewrite.append_commands(build, index, [rewrite.Added(command)], operator)
        if added is None:
            return None, "nothing can be added to that RUN without a change of meaning"
        effect = AddsCommand(index, None, operator.replace("\n", ";"), words)
        edits = (added,)
    else:
        edits = (rewrite.insert_commands(build, index, number + 1, [command]),)
        effect = AddsCommand(index, number, "&&", words)
    effects: tuple[Effect, ...] = (effect, *(Removes((_pattern(file),), image.index) for image in images))
    return Fix(f"`{command}` in the same RUN", edits, not doubts, _because(file, doubts), effects), ""


def _names(build: Build, index: int, file: File) -> bool:
    """Whether an instruction of the configuration (CMD, ENV ...) names the file."""
    instruction = build.instructions[index]
    return (
        instruction.name not in ("RUN", "COPY", "ADD")
        and posixpath.basename(file.text.strip("\"'")) in instruction.body.text
    )


def _used_after(build: Build, index: int, place: Placed, file: File) -> str:
    """Why a command behind the unpacking one, in the same RUN, may look at the archive; "" where none does."""
    for look in _looks(build, index):
        if look.place.command.simple.start > place.command.simple.start:
            why, _ = _reads(look, file)
            if why:
                return why
    return ""


def _read_later(build: Build, stage: Stage, index: int, file: File, doubts: list[str]) -> str:
    """Why a later instruction reads the archive ("" where none certainly does); what is not known of them goes to `doubts`."""
    if file.path is not None:
        taken = layers.copied_from(build, stage, (file.path,))
        if taken is not None:
            return taken.why
    elif any(build.users(one) for one in (stage, *build.children(stage))):
        return "it is not known where it lies, and another stage copies from this one"
    else:
        doubts.append(f"nothing else named `{posixpath.basename(file.text)}` is meant, in a folder that is not known")
    for later in layers.later(build, index):
        instruction = build.instructions[later]
        line = build.syntax.source.line_of(instruction.keyword_span.start)
        if instruction.name in ("COPY", "ADD", "WORKDIR"):
            continue  # they look at nothing that is there
        run = build.run(later)
        if instruction.name != "RUN" and _names(build, later, file):
            return f"line {line} names it"
        if instruction.name == "ONBUILD":
            doubts.append(f"the ONBUILD on line {line} does not read it")
        elif instruction.name == "RUN" and (run is None or run.script.opaque is not None):
            doubts.append(f"the RUN on line {line} does not read it")
        for look in _looks(build, later):
            why, certain = _reads(look, file)
            if why and certain:
                return f"{why} on line {line}"
            if why:
                doubts.append(f"{why} on line {line}")
    return ""


def _looks_at_nothing(other: Placed) -> bool:
    """Whether a command takes folders as places to be in or to write to only."""
    name = other.command.name
    return name in ("cd", "mkdir", "curl", "wget", "unzip", "ln", "test", "[") or bool(archives.unpacked(other.command))


class _Look(NamedTuple):
    """What a command may look at: all its words in one text, and of those that may be paths the absolute ones (None: not known)."""

    place: Placed
    text: str
    paths: tuple[tuple[str, str | None], ...]
    why: str  # why it may read what it does not name, "" where it does not


@once
def _looks(build: Build, index: int) -> tuple[_Look, ...]:
    """The commands of a RUN, read once for all archives of the file."""
    return tuple(_look(build, index, place) for place in archives.placed(build, index))


def _look(build: Build, index: int, place: Placed) -> _Look:
    simple, use = place.command.simple, place.command.use
    texts = [word.text for word in simple.words[1:]] + [one.target.text for one in simple.redirections]
    paths: list[tuple[str, str | None]] = []
    for text in texts:
        if not set(text) & set("/.*?[$`") or (text.startswith("-") and "/" not in text):
            continue
        if "://" in text or (use is not None and "/" not in text):
            continue
        named = text[text.index("/") :] if text.startswith("-") else text
        paths.append((text, archives.file_of(build, index, place, named).path))
    why = ""
    if use is not None:
        why = f"`{use.manager.name} {use.verb}` may read it" if use.action in ("build", "run", "init") else ""
    elif not packages.touches_only_its_words(simple):
        why = f"it is not known what `{place.command.label}` reads"
    return _Look(place, "\n".join(texts), tuple(paths), why)


def _reads(look: _Look, file: File) -> tuple[str, bool]:
    """Why a command may look at the archive ("" where it does not), and whether it certainly does."""
    command = look.place.command
    if posixpath.basename(file.text.replace('"', "").replace("'", "")) in look.text:
        return f"`{command.label}` names it", True
    for text, path in look.paths:
        if file.path is None or path is None:
            if set(text) & set("*?[$`") and command.name not in ("curl", "wget", "echo", "export"):
                return f"it is not known what `{text}` names", False
        elif layers.covers(path, file.path) and not _looks_at_nothing(look.place):
            return f"`{command.label}` works with `{text}`", True
    folder = look.place.folder
    if not look.why and command.use is None and command.name in ("ls", "find", "du", "cpio", "dir"):
        if folder is None or file.path is None or layers.covers(folder, file.path):
            return f"`{command.label}` lists its folder", False
    return look.why, False
