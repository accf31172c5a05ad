"""Files that a COPY brings for RUNs that delete them again: bind mounts in their place, which leave nothing in a layer."""

import posixpath
import re

from dfopt import layers, packages, rewrite
from dfopt.build import Build, Command, Copy, Stage
from dfopt.layers import Cleaning
from dfopt.rule import AddsMount, DropsCommand, DropsStep, DropsWord, Effect, Fix, Layers
from dfopt.shell import Word
from dfopt.source import Edit
from dfopt.startup import NamedTuple, pattern


class _Place(NamedTuple):
    """What is mounted: `target` stands for what the COPY wrote; `whole` is whether that shows exactly the files of the COPY;
    `folder` is the folder that the COPY writes into where `target` is a file in it, else "" ."""

    source: str
    target: str
    whole: bool
    folder: str


def mounted(build: Build, stage: Stage, origin: int, last: int, cleaning: Cleaning) -> tuple[Fix | None, str]:
    """Bind mounts for the RUNs that use what COPY `origin` brought and RUN `last` deletes, without COPY and deletion; or why not.

    A mount leaves nothing behind: its place, and folders above it that did not exist, are gone after the RUN (tried with
    BuildKit of Docker 28.5: file, file in a new folder, folder).
    """
    instruction, copy = build.instructions[origin], build.copy(origin)
    if instruction.name != "COPY" or origin < stage.first or copy is None:
        return None, "only another way of bringing the file in keeps it out of the image"
    why = _why_not_copy(build, origin, copy)
    place = _place(copy)
    if why or place is None:
        return None, why or "it is not known which files it brings, or a mount cannot name them"
    operands, why = _deleted(build, last, cleaning, place)
    if why:
        return None, why
    users: list[int] = []
    writes = False
    agreed = "" if place.whole else f"each RUN then sees all that lies in `{place.source}`, and cannot change it"
    for index in range(stage.first + 1, last + 1):
        if index == origin:
            continue
        used, doubt, why = _step(build, index, index > origin, place, cleaning if index == last else None)
        if why:
            return None, why
        writes = writes or _changes_mode(build, index, place)
        if used:
            users.append(index)
        agreed = agreed or doubt
    if not users:
        return None, "no RUN is known to use it"
    if writes and len(users) > 1:
        return (
            None,
            "a RUN changes mode or owner of the file for another, and what is changed in a mount is thrown away",
        )
    if build.state(origin).base is None or stage.base.kind == "stage":
        agreed = agreed or "the base image may hold something at this place"
    return _fix(build, stage, origin, last, cleaning, operands, place, users, copy, agreed, writes)


# What needs no quotes in a flag.
_PLAIN = pattern(r"[\w./@+~-]+")


def _why_not_copy(build: Build, index: int, copy: Copy) -> str:
    instruction = build.instructions[index]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    if instruction.heredocs or instruction.json:
        return "what it brings stands in the file"
    others = [flag.text for flag in instruction.flags if flag.name != "from"]
    if others:
        return f"no mount does what `{others[0]}` on line {line} does"
    if copy.origin is not None and copy.origin.kind not in ("stage", "image", "context"):
        return f"it is not known where line {line} copies from"
    if copy.origin is not None and copy.origin.stage is not None and not build.stages[copy.origin.stage].name:
        return f"a mount cannot name the stage of line {line}"
    return ""


def _place(copy: Copy) -> _Place | None:
    """What a mount must name to show what a COPY writes; None where that is not known."""
    if copy.sources is None or copy.destination is None:
        return None
    sources = [posixpath.normpath(source).lstrip("/") for source in copy.sources]
    bare = copy.destination.rstrip("/")
    literal = not any(character in source for source in sources for character in "*?[\\")
    found: _Place | None = None
    if len(sources) == 1 and literal:
        name = posixpath.basename(sources[0])
        if copy.destination.endswith("/") and "." in name.strip("."):
            found = _Place(sources[0], f"{bare}/{name}", True, bare or "/")
        elif not copy.destination.endswith("/"):
            found = _Place(sources[0], bare, True, "")
    elif copy.destination.endswith("/"):
        folders = {posixpath.dirname(source) for source in sources}
        folder = folders.pop()
        if not folders and folder and not any(character in folder for character in "*?[\\"):
            found = _Place(folder, bare, False, "")
    if found is None or found.source in ("", ".") or found.source.startswith("../") or not found.target.strip("/"):
        return None
    return found if _PLAIN.fullmatch(found.source) and _PLAIN.fullmatch(found.target) else None


# Folders that each Linux image with a shell has (Filesystem Hierarchy Standard 3.0).
_STANDARD = frozenset(
    ("/", "/bin", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/sbin", "/srv", "/tmp", "/usr", "/usr/bin", "/usr/local",
     "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/usr/share", "/var", "/var/tmp")
)  # fmt: skip


def _deleted(build: Build, index: int, cleaning: Cleaning, place: _Place) -> tuple[list[Word], str]:
    """The operands of the deletion that go, or why the deletion must stay."""
    if not cleaning.exact or cleaning.command is None or len(cleaning.operands) != len(cleaning.paths):
        return [], "it is not known what all the command deletes, or when it runs"
    if not rewrite.always_runs(build, index, cleaning.command, False):
        return [], "the deletion may not run, and then the file stays"
    found = []
    for word, path in zip(cleaning.operands, cleaning.paths):
        if not layers.overlaps(path, place.target):
            continue
        if path not in (place.target, place.folder) or path in _STANDARD:
            return [], f"`{word.text}` deletes other things too, and a mount is in its way"
        parent = posixpath.dirname(path)
        # A mount takes folders away that were made for it; COPY leaves them.
        if parent not in _STANDARD and parent != _made(build, index):
            return [], f"it is not known whether `{parent}` is there without the COPY"
        found.append(word)
    return found, "" if found else "it is not known what all the command deletes, or when it runs"


def _made(build: Build, index: int) -> str | None:
    """The working directory of an instruction, which WORKDIR makes."""
    return build.state(index).workdir


def _step(build: Build, index: int, behind: bool, place: _Place, cleaning: Cleaning | None) -> tuple[bool, str, str]:
    """Of a step before or behind the COPY: whether it needs the mount, what must be agreed to, and why there can be no mount."""
    instruction = build.instructions[index]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    paths = (place.target,) if not place.folder or place.folder in _STANDARD else (place.target, place.folder)
    if instruction.name in ("COPY", "ADD", "WORKDIR"):
        veto = layers.touches(build, index, paths)
        if veto is not None and (instruction.name != "WORKDIR" or build.state(index).workdir is None):
            return False, "", f"{veto.why}, too"
        return False, "", ""
    if instruction.name != "RUN":
        return False, "", ""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        why = f"the RUN on line {line} is not looked into, and it may use the file"
        return False, ("" if not behind else why), (why if behind else "")
    if not behind:
        unknown = [one for one in run.commands if one.use is None and not packages.touches_only_its_words(one.simple)]
        certain = layers.touches(build, index, paths) if not unknown else None
        if certain is not None and certain.certain:
            return False, "", f"{certain.why}, before the COPY"
        return False, f"`{unknown[0].label}` on line {line} may have put something there before" if unknown else "", ""
    return _user(build, index, place, paths, cleaning)


def _user(
    build: Build, index: int, place: _Place, paths: tuple[str, ...], cleaning: Cleaning | None
) -> tuple[bool, str, str]:
    """The same of a RUN behind the COPY."""
    run = build.run(index)
    assert run is not None
    state = build.state(index)
    folder = None if layers.moves(run) else state.workdir
    used, doubt = False, ""
    for command in run.commands:
        if cleaning is not None and command.simple is cleaning.simple:
            continue
        line = build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)
        words = [*command.simple.words[1:], *(one.target for one in command.simple.redirections)]
        named = [path for word in words if (path := layers.path_of(word, state, folder)) is not None]
        named += (
            [path for path in [layers.path_of(command.simple.words[0], state, folder)] if path]
            if command.simple.words
            else []
        )
        if any(layers.overlaps(path, other) for path in named for other in paths):
            if not any(layers.overlaps(path, place.target) for path in named):
                return False, "", f"`{command.label}` on line {line} works in the same folder"
            if cleaning is not None and command.simple.start > cleaning.simple.start:
                return False, "", f"`{command.label}` on line {line} works with it behind the deletion"
            used = True
            if command.name == "cp" and place.target in named and not _FILE.search(place.target):
                doubt = doubt or f"`cp` on line {line} may copy a folder, which has a mode of its own in a mount"
                continue
            if _reads(command, place.target, state.workdir if folder else None):
                continue
            known = command.use is not None or packages.touches_only_its_words(command.simple)
            if known and command.name in _MODES:
                continue
            if known:
                return False, "", f"`{command.label}` on line {line} may change what a mount holds read-only"
            doubt = doubt or f"`{command.label}` on line {line} may want to change what a mount holds read-only"
        elif command.use is None and not packages.touches_only_its_words(command.simple):
            doubt = doubt or f"it is not known whether `{command.label}` on line {line} reads the file"
        elif layers.touches_here(command, state, paths) and not _temporary(command):
            doubt = doubt or f"`{command.label}` on line {line} may work with the file"
    if used and layers.mount_within(build, index, paths):
        return False, "", "a mount lies there already"
    return used, doubt, ""


# What these change is thrown away with the mount, as it was deleted with the file.
_MODES = ("chmod", "chown")


def _changes_mode(build: Build, index: int, place: _Place) -> bool:
    """Whether a RUN changes mode or owner of what is mounted."""
    run = build.run(index) if build.instructions[index].name == "RUN" else None
    state = build.state(index)
    return run is not None and any(
        command.name in _MODES
        and any(
            layers.overlaps(layers.path_of(word, state, state.workdir) or "/-", place.target)
            for word in command.simple.words[1:]
        )
        for command in run.commands
    )


def _temporary(command: Command) -> bool:
    """Whether a command makes at most files of its own in a folder for temporary ones."""
    return command.use is not None


# These read the files that they name, and only those.
_READING = frozenset(
    "cat head tail grep egrep fgrep wc jq test [ stat cmp diff sort uniq md5sum sha1sum sha256sum sha512sum zcat bzcat xzcat zstdcat ls file"
    " unzip readlink realpath basename dirname".split()
)

_FILE = pattern(r"\.(?:whl|tgz|tar(?:\.\w+)?|zip|deb|rpm|apk|txt|in|ya?ml|toml|lock|json|cfg|conf|pem|crt|key|gpg|asc)")


def _reads(command: Command, target: str, folder: str | None) -> bool:
    """Whether a command that names a file only reads it."""
    simple, use = command.simple, command.use
    name = posixpath.basename(command.name or "")
    if any(one.operator != "<" and one.target.text.endswith(target) for one in simple.redirections):
        return False
    if use is not None:
        return use.action in ("install", "download") and _FILE.search(target) is not None
    values = [word.value or "" for word in simple.words[1:]]
    if name in _READING:
        return True
    if name == "tar" and values:
        mode = values[0]
        extracts = re.fullmatch(r"-?[a-zA-Z]*[xt][a-zA-Z]*", mode) or {"--extract", "--list", "--get"} & set(values)
        return bool(extracts) and "--remove-files" not in values and _FILE.search(target) is not None
    if name == "cp":
        plain = all(re.fullmatch(r"-[rRapfvn]+", value) for value in values if value.startswith("-"))
        last = posixpath.normpath(posixpath.join(folder or "/", values[-1])) if values else ""
        return plain and not layers.overlaps(last, target)
    return name == "dpkg" and values[:1] in (["-i"], ["--install"])


def _fix(
    build: Build, stage: Stage, origin: int, last: int, cleaning: Cleaning, operands: list[Word], place: _Place, users: list[int],
    copy: Copy, agreed: str, writes: bool,
) -> tuple[Fix | None, str]:  # fmt: skip
    value = f"type=bind,source={place.source},target={place.target}"
    if copy.origin is not None:
        value = f"type=bind,from={copy.origin.text},source=/{place.source},target={place.target}"
    if writes:
        value += ",readwrite"
        agreed = agreed or "what a RUN changes in the mount is thrown away at its end"
    dropped = rewrite.drop_instruction(build, origin)
    if rewrite.switches_off(dropped.comments):
        return None, "a comment switches a check off for an instruction that would go"
    edits: list[Edit] = [*dropped.edits]
    if dropped.comments:
        edits.append(rewrite.insert_lines(build, rewrite.block_start(build, users[0]), dropped.comments))
    effects: list[Effect] = [DropsStep(origin)]
    for index in users:
        edits.append(rewrite.add_flags(build, index, [f"--mount={value}"]))
        effects.append(AddsMount(index, value))
    gone = 1
    run = build.run(last)
    assert run is not None and cleaning.command is not None
    if len(operands) == len(cleaning.operands):
        whole = rewrite.drop_command(build, last, cleaning.command)
        if whole is None or rewrite.switches_off(whole.comments):
            return None, "the deletion cannot be taken out without a change of when the other commands run"
        if whole.comments:
            if last in users:
                return None, "a comment speaks of the deletion"
            edits.append(rewrite.insert_lines(build, rewrite.block_start(build, users[-1]), whole.comments))
        edits += whole.edits
        effects.append(DropsCommand(last, cleaning.command))
        gone += len(run.script.steps) == 1
    else:
        words = cleaning.simple.words
        for word in operands:
            edits.append(rewrite.drop_word(build, run, words[words.index(word) - 1].end, word.start, word.end))
            effects.append(DropsWord(last, word.start))
    effects.append(Layers(stage.index, -gone))
    line = build.syntax.source.line_of(build.instructions[origin].keyword_span.start)
    because = "it is only read by RUNs that see it in the mount, and it is deleted in the image"
    because = f"to agree: {agreed}" if agreed else because
    return Fix(
        f"mount `{place.source}` instead of the COPY on line {line}", tuple(edits), not agreed, because, tuple(effects)
    ), ""
