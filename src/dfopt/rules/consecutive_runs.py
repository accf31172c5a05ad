"""RUNs that follow each other and write the same files, so that two layers keep them."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import layers, merging, packages, rewrite
from dfopt.build import Build, Command, Run, Stage
from dfopt.merging import Cut
from dfopt.rule import Effect, Finding, Fix, Given, Layers, Related, Saving
from dfopt.shell import Simple, Word
from dfopt.source import Span
from dfopt.startup import NamedTuple, pattern

# Above this number of layers fewer are wanted in any case (the audit's figure).
MANY = 15

# Where each family keeps what is installed: one or few files, written anew by each install.
_DATABASES = {
    "apt": "/var/lib/dpkg/status",
    "apk": "/lib/apk/db/installed",
    "dnf": "/var/lib/rpm",
    "zypper": "/var/lib/rpm",
}

# What administrators run beside the package manager; all of these are quick.
_SYSTEM_TOOLS = frozenset(
    "dpkg rpm gpg apt-key add-apt-repository apt-mark debconf-set-selections update-locale localedef dpkg-reconfigure"
    " dpkg-divert apt-cache tee lsb_release ldconfig update-alternatives command :".split()
)

# Files of any size come by these.
_FETCHING = frozenset("curl wget git tar unzip dd cp mv gunzip unxz bunzip2 xz gzip bzip2".split())

# What the files of a package source, and the keys of one, are called.
_SOURCE = pattern(r"\bgpg|\.asc\b|\bkeys?\b|keyring|/etc/(?:apt|apk|yum|zypp|dnf)|\.repo\b|\.list\b")

# These write the files anew that they name.
_REWRITING = frozenset("chown chgrp chmod strip mv gzip gunzip xz unxz bzip2 bunzip2".split())

# Folders that every image has, of which a command that writes below them is not known to have brought the rest.
_SHARED = pattern(
    r"/(?:bin|boot|dev|etc|home|lib|lib64|media|mnt|proc|root|run|sbin|sys|usr|var)?|/usr/(?:local/)?\w+|/var/\w+|/usr/local"
)


class _Gain(NamedTuple):
    """Why two RUNs belong in one layer: `span` is on the later one's command."""

    span: Span
    message: str
    saves: str


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        taken: set[int] = set()
        index = stage.first
        while index < stage.last:
            last, gains = _group(build, index, stage.last)
            if gains:
                taken.update(range(index, last + 1))
                yield _finding(build, stage, index, last, gains)
            index = max(last, index + 1)
        if stage is build.final:
            yield from _crowd(build, stage, taken)


def _group(build: Build, first: int, end: int) -> tuple[int, list[_Gain]]:
    """The last of the RUNs from `first` on that belong together, and what is gained."""
    gains: list[_Gain] = []
    last = first
    while last < end and build.run(last) is not None and build.run(last + 1) is not None:
        found = next(filter(None, (_gain(build, one, last + 1) for one in range(last, first - 1, -1))), None)
        if found is None or (gains and _refusal(build, first, last + 1)):
            break
        gains.append(found)
        last += 1
    return last, gains


def _refusal(build: Build, first: int, last: int) -> str:
    if rewrite.merges_suppression(build, first, last):
        return "a comment switches a check off for an instruction that would go"
    return merging.why_not_one(build, first, last)


def _gain(build: Build, first: int, second: int) -> _Gain | None:
    """What is gained by one layer for two RUNs; None where nothing is, or a build that changes often would do slow things again."""
    one, two = build.run(first), build.run(second)
    if one is None or two is None or one.script.opaque is not None or two.script.opaque is not None:
        return None
    if not one.script.steps or not two.script.steps:
        return None
    return _database(build, first, one, two) or _rewritten(build, first, second, two) or _pruned(build, first, one, two)


# ------------------------------------------------------------------------------------------------------------ gains


def _database(build: Build, first: int, one: Run, two: Run) -> _Gain | None:
    """Two installs of one system package manager, in RUNs that do nothing slow beside them."""
    installs = [[use for use in run.uses if _changes_database(use)] for run in (one, two)]
    if not installs[0] or not installs[1]:
        return None
    family = installs[1][0].manager.family
    if any(use.manager.family != family for use in (*installs[0], *installs[1])):
        return None
    if any(not _is_system_work(command) for run in (one, two) for command in run.commands):
        return None
    use = installs[1][0]
    fetched = any(other.fetches_lists and other.command.start < use.command.start for other in two.uses)
    if use.needs_lists and not fetched:
        # It reads lists of another RUN, which belongs to it for that.
        return None
    line = _line(build, first)
    label = f"{use.manager.name} {use.verb}"
    message = f"`{label}` writes the package database once more, which the layer of line {line} has already -> install in one RUN"
    return _Gain(two.span(use.command.start, use.command.end), message, f"a second copy of `{_DATABASES[family]}`")


def _changes_database(use: packages.Use) -> bool:
    return use.manager.family in _DATABASES and use.action in ("install", "upgrade")


def _is_system_work(command: Command) -> bool:
    """Whether a command belongs to the installation of system packages: nothing that compiles, or installs a project's dependencies."""
    if command.use is not None:
        return command.use.manager.family in _DATABASES
    if command.name is None:
        return False
    name = posixpath.basename(command.name)
    if name in _FETCHING:
        # A package source and its key belong to the install; what else is fetched has a version that changes.
        return any(_SOURCE.search(word.text) for word in command.simple.words[1:])
    return name in _SYSTEM_TOOLS or packages.touches_only_its_words(command.simple)


def _is_quick(command: Command) -> bool:
    """Whether a command does little, so that nobody misses the cached layer."""
    if command.use is not None or command.name is None:
        return False
    return packages.touches_only_its_words(command.simple) and posixpath.basename(command.name) not in _FETCHING


def _rewritten(build: Build, first: int, second: int, two: Run) -> _Gain | None:
    """A command that writes anew what the RUN before brought, in a RUN that does nothing slow."""
    places = _written(build, first)
    if not places:
        return None
    state = build.state(second)
    folder = None if layers.moves(two) else state.workdir
    for command in two.commands:
        name = posixpath.basename(command.name or "")
        for word in _operands(command.simple, name) if name in _REWRITING else ():
            path = layers.path_of(word, state, folder)
            place = next((one for one in places if path is not None and _hits(command.simple, name, path, *one)), None)
            if place is None or layers.mounted(build, second, place[0]):
                continue
            others = [
                one
                for one in two.commands
                if not _is_quick(one) and posixpath.basename(one.name or "") not in _REWRITING
            ]
            if others:
                return None
            named = path if path is not None and layers.covers(place[0], path) else place[0]
            message = f"`{name}` writes `{named}` once more, which the layer of line {_line(build, first)} has already -> do it in that RUN"
            span = two.span(command.simple.start, command.simple.end)
            return _Gain(span, message, f"a second copy of `{named}`")
    return None


def _operands(simple: Simple, name: str) -> tuple[Word, ...]:
    """The words that name the files which a command writes anew; none where it does not."""
    words = [word for word in simple.words[1:] if not (word.value or word.text).startswith("-")]
    flags = "".join(word.value or "" for word in simple.words[1:] if (word.value or "").startswith("-"))
    if name in ("chown", "chgrp", "chmod"):
        return () if "--reference" in flags else tuple(words[1:])
    if name == "mv":
        return () if "-t" in flags or len(words) < 2 else tuple(words[:-1])
    return () if re.search(r"[ck]|stdout|keep|-o", flags) else tuple(words)


def _hits(simple: Simple, name: str, path: str, place: str, kind: str) -> bool:
    """Whether a command on `path` certainly writes files anew of those at `place`, a `file` or a `folder`."""
    recursive = name in ("mv",) or any(
        re.fullmatch(r"-\w*R\w*|--recursive", word.value or "") for word in simple.words[1:]
    )
    if kind == "file":
        return layers.covers(path, place) and (recursive or path.count("/") == place.count("/"))
    if recursive:
        return layers.covers(path, place) or (layers.covers(place, path) and not _SHARED.fullmatch(place))
    return False


def _written(build: Build, index: int) -> list[tuple[str, str]]:
    """The files, and folders with files, that a RUN is known to bring: their paths, and `file` or `folder`."""
    run = build.run(index)
    found = [(one.path, "file") for one in layers.brought(build, index) if one.kind == "download"]
    if run is None:
        return found
    state = build.state(index)
    folder = None if layers.moves(run) else state.workdir
    for command in run.commands:
        use = command.use
        if use is not None:
            if (
                folder is not None
                and use.action == "install"
                and use.manager.writes
                and use.reads_project
                and not use.directories
            ):
                found.append((posixpath.join(folder, use.manager.writes[0]), "folder"))
            continue
        name = posixpath.basename(command.name or "")
        words = command.simple.words[1:]
        operands = [word for word in words if not (word.value or word.text).startswith("-")]
        target: Word | None = None
        if name in ("tar", "unzip"):
            target = _behind(words, "-C" if name == "tar" else "-d")
        elif name == "git" and len(operands) > 2 and operands[0].value == "clone":
            target = operands[-1]
        path = layers.path_of(target, state, folder) if target is not None else None
        if path is not None and not layers.mounted(build, index, path):
            found.append((path, "folder"))
    cleanings = [path for cleaning in layers.cleaned(build, index) for path in cleaning.paths]
    return [one for one in found if not any(layers.covers(path, one[0]) for path in cleanings)]


def _behind(words: tuple[Word, ...], option: str) -> Word | None:
    for number, word in enumerate(words[:-1]):
        if word.value is not None and (word.value == option or re.fullmatch(rf"-?\w+{option[1]}", word.value)):
            return words[number + 1]
    return None


def _pruned(build: Build, first: int, one: Run, two: Run) -> _Gain | None:
    """Packages of a project that are taken away again by their manager."""
    for use in two.uses:
        if use.action != "remove" or use.manager.family in _DATABASES:
            continue
        same = [other for other in one.uses if other.manager.name == use.manager.name and other.action == "install"]
        quick = (
            _is_quick(one) or (one.use is not None and one.use.action in ("remove", "clean")) for one in two.commands
        )
        if same and all(quick):
            label = f"{use.manager.name} {use.verb}"
            message = f"`{label}` is too late: the layer of line {_line(build, first)} keeps what it takes away -> do it in that RUN"
            return _Gain(two.span(use.command.start, use.command.end), message, "the packages that are taken away")
    return None


# ------------------------------------------------------------------------------------------------------ many layers


def _crowd(build: Build, stage: Stage, taken: set[int]) -> Iterator[Finding]:
    """Quick RUNs that follow each other, in an image of many layers: all of the stage in one finding."""
    groups: list[list[int]] = []
    for index in stage.indexes:
        if index in taken or not _is_quick_run(build, index):
            continue
        if groups and groups[-1][-1] == index - 1:
            groups[-1].append(index)
        else:
            groups.append([index])
    groups = [group for group in groups if len(group) > 1]
    if not groups or _least(build, stage) <= MANY:
        return
    merges = [(group, merging.merge(build, group[0], group[-1])) for group in groups]
    good = [(group, one) for group, one in merges if not _refusal(build, group[0], group[-1])]
    gone = sum(len(group) - 1 for group, _ in good or merges)
    count = sum(build.instructions[index].name in _LAYERED for one in build.chain(stage) for index in one.indexes)
    message = (
        f"the image has {count} layers of its own, and these RUNs are quick -> merge them, and it has {count - gone}"
    )
    keywords = [build.instructions[index].keyword_span for group, _ in good or merges for index in group]
    span = keywords.pop(1)
    related = tuple(Related(keyword, "this RUN is quick, too") for keyword in keywords)
    saves = Saving(f"{gone} layers" if gone > 1 else "a layer", source="")
    if not good:
        yield Finding(span, message, None, saves, related, _refusal(build, groups[0][0], groups[0][-1]))
        return
    agreed = next(filter(None, (merging.may_stay_running(build, group[0], group[-1]) for group, _ in good)), "")
    effects: list[Effect] = [effect for _, one in good for effect in one.effects]
    effects.append(Layers(stage.index, -gone))
    because = f"to agree: {agreed}" if agreed else f"the image's files stay the same: {good[0][1].because}"
    edits = tuple(edit for _, one in good for edit in one.edits)
    yield Finding(
        span, message, Fix(f"merge {gone + len(good)} RUNs", edits, not agreed, because, tuple(effects)), saves, related
    )


_LAYERED = ("RUN", "COPY", "ADD")


def _is_quick_run(build: Build, index: int) -> bool:
    run = build.run(index)
    return run is not None and bool(run.script.steps) and all(map(_is_quick, run.commands))


def _least(build: Build, stage: Stage) -> int:
    """The layers that an image of this stage has whatever becomes one by other gains than their number: neighbours count once, and
    what only cleans up counts nothing. So it hangs on no other fix whether there are many."""
    count = 0
    for one in build.chain(stage):
        before = ""
        for index in one.indexes:
            name = build.instructions[index].name
            if name == "RUN":
                run = build.run(index)
                cleaning = {cleaning.simple for cleaning in layers.cleaned(build, index)}
                if run is not None and run.commands and all(command.simple in cleaning for command in run.commands):
                    continue
                quick = _is_quick_run(build, index)
                count += quick or before != "RUN"
                before = "" if quick and before != "RUN" else "RUN"
            elif name in ("COPY", "ADD"):
                count += before != "COPY"
                before = "COPY"
            elif before == "RUN":
                before = ""
    return count


def _line(build: Build, index: int) -> int:
    return build.syntax.source.line_of(build.instructions[index].keyword_span.start)


# -------------------------------------------------------------------------------------------------------------- fix


def _finding(build: Build, stage: Stage, first: int, last: int, gains: list[_Gain]) -> Finding:
    gain = gains[0]
    runs = [build.instructions[index] for index in range(first, last + 1)]
    related = tuple(
        Related(run.keyword_span, "this RUN belongs to it")
        for run in runs
        if not run.span.start <= gain.span.start < run.span.end
    )
    saves = Saving("; ".join(dict.fromkeys(one.saves for one in gains)))
    fix, refusal = _fix(build, stage, first, last)
    return Finding(gain.span, gain.message, fix, saves, related, refusal)


def _fix(build: Build, stage: Stage, first: int, last: int) -> tuple[Fix | None, str]:
    refusal = _refusal(build, first, last)
    cuts, removed = _cuts(build, first, last)
    for chosen, said in ((cuts, removed), ({}, "")):
        merged = merging.merge(build, first, last, (), chosen)
        why = refusal or merged.refusal or _lists_again(build, first, last, chosen)
        if why:
            refusal = refusal or (why if not chosen else "")
            continue
        agreed = merging.may_stay_running(build, first, last)
        effects: tuple[Effect, ...] = (*merged.effects, Layers(stage.index, first - last))
        because = f"the image's files stay the same: {merged.because}{said}"
        because = f"to agree: {agreed}" if agreed else because
        return Fix(f"merge {last - first + 1} RUNs", merged.edits, not agreed, because, effects), ""
    return None, refusal


def _lists_again(build: Build, first: int, last: int, cuts: dict[int, Cut]) -> str:
    """Why the merged RUN would keep what one of the RUNs deletes, so that it matters which clean-up comes first; "" where not."""
    if not _keeps_lists(build, last):
        return ""
    for index in range(first, last):
        run = build.run(index)
        paths = [path for cleaning in layers.cleaned(build, index) for path in cleaning.paths]
        if run is not None and not cuts.get(index, Cut()).trailing and any(_is_kept_by(path, run) for path in paths):
            return f"the RUN on line {_line(build, last)} leaves package lists or caches, which line {_line(build, index)} deletes"
    return ""


def _keeps_lists(build: Build, index: int) -> bool:
    """Whether a RUN leaves package lists or a system package manager's cache in its layer."""
    return any(one.use is not None and one.use.manager.family in _DATABASES for one in layers.brought(build, index))


def _cuts(build: Build, first: int, last: int) -> tuple[dict[int, Cut], str]:
    """What one RUN needs only once: lists that are deleted and fetched again between two installs."""
    cuts: dict[int, Cut] = {}
    said: list[str] = []
    for index in range(first, last):
        trailing, leading = _cleaned_again(build, index, last), 0
        if trailing:
            said.append("its end deletes what was deleted between")
        if trailing or _keeps_lists(build, index):
            leading = _fetched_again(build, first, index, {**cuts, index: Cut(0, trailing)})
            if leading:
                said.append("the lists are fetched once")
        if trailing:
            cuts[index] = Cut(cuts.get(index, Cut()).leading, trailing)
        if leading:
            cuts[index + 1] = Cut(leading, 0)
    for index, cut in cuts.items():
        run = build.run(index)
        if (
            run is None
            or cut.leading + cut.trailing >= len(run.script.steps)
            or (run.heredoc and "<<" in run.script.text)
        ):
            return {}, ""
    return cuts, "".join(f"; {one}" for one in dict.fromkeys(said))


def _cleaned_again(build: Build, index: int, last: int) -> int:
    """How many commands at the end of a RUN delete only lists and caches that the last RUN deletes too at its end, or that are
    fetched anew behind it, where none between but its package manager's commands works with them."""
    run = build.run(index)
    if run is None or run.script.terminator not in ("", "\n") or (run.script.comments and not run.heredoc):
        return 0
    tail = _tail(build, last)[0]
    cleanings = {one.command: one for one in layers.cleaned(build, index) if one.command is not None and one.exact}
    families = tuple({use.manager.family for use in run.uses if use.manager.family in _DATABASES})
    count = 0
    for number in range(len(run.script.steps) - 1, 0, -1):
        one = cleanings.get(number)
        if one is None or (run.script.steps[number].operator != "&&" and not _stops(build, index)):
            break
        if not one.paths or not all(_is_kept_by(path, run) for path in one.paths):
            break
        if not set(one.paths) <= tail and not _fetched_later(build, index, last, one.paths):
            break
        others = range(index + 1, last + 1)
        vetoes = [layers.touches(build, other, one.paths, _tail(build, other)[1], families) for other in others]
        if any(veto is not None and veto.certain for veto in vetoes):
            break
        count += 1
    return count


def _tail(build: Build, index: int) -> tuple[set[str], int | None]:
    """What the commands at the end of a RUN delete, and where the first of them stands; None where its end deletes nothing."""
    run = build.run(index)
    ends = {one.command: one for one in layers.cleaned(build, index) if one.command is not None and one.exact}
    paths: set[str] = set()
    start: int | None = None
    for number in range(len(run.script.steps) - 1 if run is not None else -1, -1, -1):
        one = ends.get(number)
        if run is None or one is None or run.script.steps[number].operator not in ("", "&&", ";", "\n"):
            break
        paths.update(one.paths)
        start = one.simple.start
    return paths, start


def _fetched_later(build: Build, index: int, last: int, paths: tuple[str, ...]) -> bool:
    """Whether apt's lists are fetched behind a RUN, which takes away those that are of no use (APT::Get::List-Cleanup)."""
    if not all(layers.covers("/var/lib/apt/lists", path.rstrip("/*")) for path in paths):
        return False
    for other in range(index + 1, last + 1):
        run = build.run(other)
        for use in run.uses if run is not None else ():
            if run is not None and use.manager.family == "apt" and use.action == "update":
                if rewrite.always_runs(build, other, _top(run, use.command), not _stops(build, other)):
                    return True
    return False


def _stops(build: Build, index: int) -> bool:
    """Whether a RUN ends at a command that fails, whatever joins it to the next."""
    run = build.run(index)
    return run is not None and rewrite.joint(build, index) != "&&"


def _is_kept_by(path: str, run: Run) -> bool:
    """Whether a path is in a folder of lists or caches of the RUN's system package manager."""
    return any(
        layers.covers(folder.path, path.rstrip("/*")) or layers.covers(path, folder.path)
        for use in run.uses
        if use.manager.family in _DATABASES
        for folder in (*use.manager.lists, *use.manager.caches)
    )


def _fetched_again(build: Build, first: int, index: int, cuts: dict[int, Cut]) -> int:
    """Whether the RUN behind `index` begins with the update that a RUN before has made, with nothing between that may change where
    packages come from: then 1."""
    after = build.run(index + 1)
    if after is None:
        return 0
    steps = after.script.steps
    start = merging.leading_set(after) if steps else 0
    if len(steps) < start + 2 or steps[start + 1].operator not in ("&&", ";", "\n"):
        return 0
    updates = [use for use in after.uses if use.action == "update" and use.command is steps[start].pipeline.commands[0]]
    if not updates or len(steps[start].pipeline.commands) > 1 or steps[start].pipeline.negated:
        return 0
    words = [word.text for word in updates[0].command.words]
    done = False
    for other in range(first, index + 1):
        run = build.run(other)
        kept = len(run.script.steps) - cuts.get(other, Cut()).trailing if run is not None else 0
        for command in run.commands if run is not None else ():
            use = command.use
            if run is not None and command.simple.start >= run.script.steps[kept - 1].pipeline.end:
                break
            if use is not None and use.action == "update" and [word.text for word in use.command.words] == words:
                number = _top(run, use.command) if run is not None else 0
                done = rewrite.always_runs(build, other, number, not _stops(build, other))
            elif use is not None and use.manager.family == updates[0].manager.family:
                continue
            elif done and layers.touches_here(command, build.state(other), ("/etc/apt", "/etc/apk", "/usr/share/keyrings", "/var/lib/apt/lists", "/var/cache")):  # fmt: skip
                return 0
    return 1 if done else 0


def _top(run: Run, simple: Simple) -> int:
    return next((number for number, step in enumerate(run.script.steps) if step.pipeline.commands[0] is simple), 0)
