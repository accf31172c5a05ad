"""Where package managers keep their caches as a RUN sees it, which cache mounts stand there, and what defeats these."""

import posixpath
import re
from collections.abc import Iterator, Mapping

from dfopt import layers, packages, rewrite
from dfopt.build import Build, Run, Stage, State, mount_options, once
from dfopt.packages import Folder, Use
from dfopt.rule import DropsCommand, DropsWord, Effect
from dfopt.shell import Simple, Word
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple

# Users that official images make beside root: repository -> name -> uid, gid, home (their Dockerfiles, docker-library on GitHub).
_USERS: dict[str, dict[str, tuple[int, int, str]]] = {"node": {"node": (1000, 1000, "/home/node")}}

_ACCOUNTS = frozenset(("usermod", "userdel", "deluser", "groupmod", "useradd", "adduser"))

_OFF = frozenset(("0", "false", "no", "off", "f", "n"))


class Owner(NamedTuple):
    """Who a RUN's commands are: numeric ids (None: not known) and their HOME (None: not known)."""

    uid: int | None
    gid: int | None
    home: str | None


class Mount(NamedTuple):
    """A cache mount of a RUN: its flag's value as written, its options and its absolute target."""

    value: str
    options: dict[str, str]
    target: str


class Contradiction(NamedTuple):
    """What defeats a cache mount: `span` is its place, `what` says what it does. Without `edits` it stays; `refusal` says why."""

    span: Span
    what: str
    edits: tuple[Edit, ...]
    effects: tuple[Effect, ...]
    refusal: str


def owner(build: Build, index: int) -> Owner:
    """Who the commands of a RUN run as: root, numeric ids, a user of an official image or one that the file makes with an id."""
    state = build.state(index)
    if state.is_root:
        return Owner(0, 0, state.home)
    name, _, group = (state.user or "").partition(":")
    gid = int(group) if group.isdecimal() else None
    if name.isdecimal():
        return Owner(int(name), gid, state.home)
    known = _USERS.get(state.base.repository, {}).get(name) if state.base is not None else None
    if known is not None and not _changes_user(build, index, name):
        return Owner(known[0], gid if group else known[1], state.home or known[2])
    return Owner(_made_with(build, index, name), gid, state.home)


@once
def _accounts(build: Build, stage: Stage) -> tuple[tuple[int, Simple], ...]:
    """The commands of a stage's RUNs that make, change or delete users and groups."""
    return tuple(
        (index, command.simple)
        for index in stage.indexes
        if (run := build.run(index)) is not None
        for command in run.commands
        if command.simple.words and command.simple.words[0].value in _ACCOUNTS
    )


def _before(build: Build, index: int) -> Iterator[tuple[int, Simple]]:
    """Those of them before an instruction, in its stage and in those that it stands on."""
    stage = build.stage(index)
    last = index
    while stage is not None:
        yield from (found for found in _accounts(build, stage) if found[0] < last)
        stage = build.stages[stage.base.stage] if stage.base.stage is not None else None
        last = stage.last + 1 if stage is not None else 0


def _changes_user(build: Build, index: int, name: str) -> bool:
    """Whether something before an instruction may change the ids or the home of a user that the base image made."""
    return any(word.value in (name, None) for _, simple in _before(build, index) for word in simple.words[1:])


def _made_with(build: Build, index: int, name: str) -> int | None:
    """The uid that the file itself gives to the user `name` (`useradd -u 1001 name`, `adduser --uid=1001 name`)."""
    found: set[int | None] = set()
    for _, simple in _before(build, index):
        words = [word.value for word in simple.words]
        if not words or words[0] not in ("useradd", "adduser", "usermod") or name not in words[1:]:
            continue
        uid: int | None = None
        for position, word in enumerate(words):
            if word in ("-u", "--uid") and position + 1 < len(words) and (words[position + 1] or "").isdecimal():
                uid = int(words[position + 1] or "")
            elif word is not None and word.startswith("--uid=") and word[6:].isdecimal():
                uid = int(word[6:])
        if words[0] != "usermod" or uid is not None:
            found.add(uid)
    return found.pop() if len(found) == 1 else None


def mounts(build: Build, index: int) -> list[Mount]:
    """The cache mounts of a RUN whose target is known."""
    found = []
    for flag in build.instructions[index].flags:
        if flag.name == "mount":
            options = mount_options(flag.value or "")
            target = build.absolute(build.expand(options.get("target", ""), index), index)
            if options["type"] == "cache" and options.get("target") and target:
                found.append(Mount(flag.value or "", options, target.rstrip("/") or "/"))
    return found


def places(build: Build, index: int, use: Use, folders: tuple[Folder, ...]) -> list[tuple[Folder, str | None]]:
    """Those of a manager's folders that hold for the user of a command, with their absolute paths (None: not known)."""
    state = build.state(index)
    own = dict(use.environment)
    home = own["HOME"] if "HOME" in own else owner(build, index).home
    seen = layers.environment(state)
    found: list[tuple[Folder, str | None]] = []
    for folder in folders:
        if folder.user and folder.user != ("root" if state.is_root else "other"):
            continue
        path = packages.locate(folder, home, seen, use)
        if folder.path == "{home}/.m2/repository":
            path = packages.maven_repository(use, seen, home)
        if path is not None:
            path = posixpath.normpath(path) if path.startswith("/") and "*" not in path else None
        if all(path != other or path is None for _, other in found):
            found.append((folder, path))
    return found


def above(build: Build, index: int, path: str) -> tuple[str, ...]:
    """The folders above a cache that need not exist without it: those below the user's home, such as ~/.cache."""
    home = (owner(build, index).home or "").rstrip("/")
    found = []
    parent = posixpath.dirname(path)
    while home and parent.startswith(home + "/"):
        found.append(parent)
        parent = posixpath.dirname(parent)
    return tuple(found)


def switched_off(state: State, use: Use) -> str:
    """The variable of ENV or ARG by which a command keeps no cache, "" where there is none. An unknown value counts.

    pip switches its cache off for `PIP_NO_CACHE_DIR=0` as well (its `_handle_no_cache_dir`).
    """
    own = dict(use.environment)
    scopes: list[Mapping[str, str | None]] = [state.environment, state.arguments]
    if state.base is not None:
        scopes.append(state.base.variables)
    for name in use.manager.no_cache_variables:
        if name in own:
            continue
        # dict(): a base image that is not known does not count, as it mostly sets none.
        found = [scope for scope in map(dict, scopes) if name in scope]
        value = found[0][name] if found else ""
        if value != "" and (name == "PIP_NO_CACHE_DIR" or value is None or value.lower() not in _OFF):
            return name
    return ""


def behind_verb(use: Use) -> int | None:
    """The index of the last word of a command's verb (of the manager's own word where none is written); None where other words
    stand inside it."""
    words = use.command.words
    if not use.verb or use.verb_index == use.name_index:
        return use.name_index
    last = use.verb_index + len(use.verb.split()) - 1
    if last >= len(words) or any((word.value or "-").startswith("-") for word in words[use.verb_index : last + 1]):
        return None
    return last


def behind_options(use: Use) -> int | None:
    """The index of the word behind which a flag of the verb may stand: the last of the options that follow the verb, before the
    first operand. None where it is not known."""
    verb = behind_verb(use)
    if verb is None:
        return None
    words = use.command.words
    operands = {id(word) for word in use.operands}
    last = verb
    while last + 1 < len(words) and id(words[last + 1]) not in operands and words[last + 1].text.startswith("-"):
        if words[last + 1].text == "--":
            break
        last += 1
    options = {option.index for option in use.options}
    if (
        last + 1 < len(words)
        and last in options
        and id(words[last + 1]) not in operands
        and not words[last + 1].text.startswith("-")
    ):
        # The last option takes its value from the next word.
        last = verb
    return last


def label(use: Use) -> str:
    """A command by its manager's word and verb, as written: `pip3 install`."""
    words = use.command.words
    last = behind_verb(use)
    if last is None:
        last = use.verb_index
    return " ".join(
        [words[use.name_index].text, *(word.text for word in words[use.verb_index : last + 1] if last > use.name_index)]
    )


def span_of(run: Run, use: Use) -> Span:
    """The place of a command from its manager's word to its verb."""
    words = use.command.words
    last = max(behind_verb(use) or 0, use.verb_index, use.name_index)
    return run.span(words[use.name_index].start, words[last].end)


# ------------------------------------------------------------------------------------------------- contradictions


def contradictions(build: Build, index: int, targets: tuple[str, ...]) -> list[Contradiction]:
    """What the commands of a RUN do against cache mounts on `targets`: flags that switch the cache off, deletion of what is there."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return []
    found: list[Contradiction] = []
    for use in run.uses:
        if use.no_cache and any(_inside(path, targets) for _, path in places(build, index, use, use.manager.mounts)):
            found.append(_switched_off(build, index, run, use))
    state = build.state(index)
    for command in run.commands:
        doubt = _doubtful(command.simple, state, targets)
        if doubt is not None:
            span = run.span(doubt.start, doubt.end)
            found.append(
                Contradiction(
                    span, f"`{doubt.text}` may be the mounted folder", (), (), "it is not known what is deleted"
                )
            )
    for cleaning in layers.cleaned(build, index):
        if any(_inside(path, targets) or _above(path, targets) for path in cleaning.paths):
            found.append(_cleaned(build, index, run, state, cleaning, targets))
    return found


def _doubtful(simple: Simple, state: State, targets: tuple[str, ...]) -> Word | None:
    """A word of an `rm` that is not known and begins like a target, or speaks of a cache by the name of its variable."""
    if not simple.words or simple.words[0].value not in ("rm", "/bin/rm"):
        return None
    for word in simple.words[1:]:
        if word.value is not None or layers.path_of(word, state) is not None:
            continue
        start = re.split(r"[$`{*?\[]", word.text.strip("\"'"), maxsplit=1)[0]
        if start.startswith("/"):
            if any(target.startswith(start) or start.startswith(target) for target in targets):
                return word
        elif re.search(r"cache|store", word.text, re.I):
            return word
    return None


def _inside(path: str | None, targets: tuple[str, ...]) -> bool:
    return path is not None and any((path.rstrip("/") + "/").startswith(target.rstrip("/") + "/") for target in targets)


def _above(path: str, targets: tuple[str, ...]) -> bool:
    return any(layers.covers(path, target) for target in targets)


def _switched_off(build: Build, index: int, run: Run, use: Use) -> Contradiction:
    words = use.command.words
    flags = [option for option in use.options if use._replace(options=(option,), environment=()).no_cache]
    what = f"`{flags[0].name}` switches the cache off" if flags else "a variable of the command switches the cache off"
    if not flags:
        return Contradiction(span_of(run, use), what, (), (), "it is a variable of the command, not a flag")
    span = run.span(words[flags[0].index].start, words[flags[0].index].end)
    if any(words[flag.index].text.partition("=")[0] != flag.name for flag in flags):
        return Contradiction(span, what, (), (), "the flag stands in one word with others")
    edits, effects = [], []
    for flag in flags:
        word = words[flag.index]
        edits.append(rewrite.drop_word(build, run, words[flag.index - 1].end, word.start, word.end))
        effects.append(DropsWord(index, word.start))
    return Contradiction(span, what, tuple(edits), tuple(effects), "")


def _cleaned(
    build: Build, index: int, run: Run, state: State, cleaning: layers.Cleaning, targets: tuple[str, ...]
) -> Contradiction:
    simple = cleaning.simple
    span = run.span(simple.start, simple.end)
    name = " ".join(word.text for word in simple.words)
    what = f"`{name}` empties the mounted folder"

    def refused(why: str) -> Contradiction:
        return Contradiction(span, what, (), (), why)

    if packages.recognise(simple) is None:
        operands = [word for word in simple.words[1:] if not (word.value or "").startswith("-")]
        paths = {word: layers.path_of(word, state) for word in operands}
        if any(path is not None and not _inside(path, targets) and _above(path, targets) for path in paths.values()):
            return refused("it deletes more than what is mounted")
        emptied = [word for word in operands if _inside(paths[word], targets)]
        if simple.words[0].value not in ("rm", "/bin/rm", "unlink") or not emptied:
            return refused("it is not known what else it deletes")
        if len(emptied) < len(operands):
            return _without(build, index, run, simple, emptied, span, what)
    elif not all(_inside(path, targets) or _elsewhere(path, simple) for path in cleaning.paths):
        return refused("it empties more than what is mounted")
    if cleaning.command is None or not cleaning.exact:
        return refused("it is not known what else it does, or when it runs")
    dropped = rewrite.drop_command(build, index, cleaning.command)
    if dropped is None or len(run.script.steps) == 1:
        return refused("it cannot be taken out without a change of when the other commands run")
    if dropped.comments:
        return refused("a comment inside the RUN speaks of it")
    return Contradiction(span, what, dropped.edits, (DropsCommand(index, cleaning.command),), "")


def _elsewhere(path: str, simple: Simple) -> bool:
    """Whether a folder is one that the manager keeps only for another user than the one whose mount is spoken of (Yarn)."""
    use = packages.recognise(simple)
    return use is not None and use.manager.family == "yarn" and path.endswith(("/share/.cache/yarn", "/.cache/yarn"))


def _without(
    build: Build, index: int, run: Run, simple: Simple, words: list[Word], span: Span, what: str
) -> Contradiction:
    edits: list[Edit] = []
    effects: list[Effect] = []
    before = simple.words[0].end
    for word in simple.words[1:]:
        if word in words:
            edits.append(rewrite.drop_word(build, run, before, word.start, word.end))
            effects.append(DropsWord(index, word.start))
        before = word.end
    return Contradiction(span, what, tuple(edits), tuple(effects), "")


# ----------------------------------------------------------------------------------------- who reads what is kept


def named(build: Build, index: int, paths: tuple[str, ...], since: int = -1, mounted: bool = False) -> str:
    """Why a command of an instruction works with one of `paths` by name (`cp -r ~/.cache/pip`, a folder above counts too), "" where none
    does. Deleting what may be missing (`rm -f`) does not count. `since` leaves out commands that start before this offset,
    `mounted` what lies inside, where the RUN has the mount.

    A cache is filled again by the one manager that reads it: so what matters is whoever speaks of its folder.
    """
    instruction = build.instructions[index]
    if instruction.name != "RUN" or build.states[index] is None:
        return ""
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    run = build.run(index)
    tails = {"/".join(path.rstrip("/").split("/")[-2:]) for path in paths}
    if run is None or run.script.opaque is not None:
        text = " ".join(instruction.arguments) if run is None else run.script.text
        hit = next((tail for tail in sorted(tails) if tail in text), "")
        return f"the RUN on line {line}, which is not understood, names `{hit}`" if hit else ""
    state = build.state(index)
    for simple, _, use in run.commands:
        if simple.start < since or not simple.words:
            continue
        if use is not None:
            # `npm cache verify`, `pip cache list`: what they say hangs on what is there.
            if (
                use.verb.startswith("cache")
                and use.action in ("query", "other")
                and any(
                    layers.overlaps(path, other)
                    for _, path in places(build, index, use, use.manager.caches)
                    if path
                    for other in paths
                )
            ):
                place = build.syntax.source.line_of(run.span(simple.start, simple.end).start)
                return f"`{label(use)}` on line {place} looks into it"
            continue
        if simple.words[0].value in ("rm", "/bin/rm") and any(
            re.fullmatch(r"-[a-zA-Z]*f[a-zA-Z]*|--force", word.value or "") for word in simple.words[1:]
        ):
            continue
        for word in (*simple.words[1:], *(redirection.target for redirection in simple.redirections)):
            path = layers.path_of(word, state)
            if mounted and (_inside(path, paths) or path is None):
                continue
            if _speaks_of(simple, path, paths, state) or (path is None and any(tail in word.text for tail in tails)):
                place = build.syntax.source.line_of(run.span(word.start, word.end).start)
                return f"`{simple.words[0].text}` on line {place} names `{word.text}`"
    return ""


_RECURSIVE = frozenset(("tar", "find", "mv", "du", "zip", "rsync", "ls", "dir", "tree"))


def _speaks_of(simple: Simple, path: str | None, paths: tuple[str, ...], state: State) -> bool:
    """Whether a command that names `path` works with one of `paths`. A folder above counts where it may be missing without
    the cache, or where the command goes down into it."""
    if path is None or path == "/" or not any(layers.overlaps(path, other) for other in paths):
        return False
    if any((path.rstrip("/") + "/").startswith(other.rstrip("/") + "/") for other in paths):
        return True
    if path.count("/") > (state.home or "/root").rstrip("/").count("/"):
        return True
    return simple.words[0].value in _RECURSIVE or any(
        re.fullmatch(r"-[a-zA-Z]*[aRr][a-zA-Z]*|--recursive|--archive", word.value or "") for word in simple.words[1:]
    )
