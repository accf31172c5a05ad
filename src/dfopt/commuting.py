"""What each instruction of a stage reads and writes, and whether two of them commute, with the reason.

What is presumed: a base image, a package and a command that is not understood make no symbolic link of a folder that the Dockerfile names.
The links of a merged /usr and of /var/run are known, those that the file makes by `ln` are followed, and where a COPY may have brought one
the access is not known.
"""

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator

from dfopt import layers, packages
from dfopt.build import Build, Command, Run, Stage, State, once
from dfopt.layers import Laid
from dfopt.packages import Use
from dfopt.shell import Redirection, Word
from dfopt.startup import NamedTuple, pattern
from dfopt.syntax import Instruction


class Access(NamedTuple):
    """What an instruction reads and writes. Paths are absolute globs in the image as Docker has them: `P` is the file or folder itself,
    `P/**` all below it.

    `reads` and `writes` are None where it may be anything; to write is to create, change or delete, modes and owners too. `context`
    are globs in the build context that it reads; None: all. `state` is what it reads of the state: names of variables, `USER`,
    `WORKDIR`, `SHELL`, as shell patterns (`*` is any variable); `sets` is what it sets of it, and entries of the configuration
    (`LABEL version`, `CMD`). `why` says in one clause why it is not known more exactly, "" where it is. `makes` are the folders that it makes
    where they are missing, each with how (`COPY 0:0`): two that make one alike need no order.
    """

    reads: tuple[str, ...] | None
    writes: tuple[str, ...] | None
    context: tuple[str, ...] | None
    state: frozenset[str]
    sets: frozenset[str]
    why: str
    makes: tuple[tuple[str, str], ...] = ()


class Verdict(NamedTuple):
    """Whether two instructions commute, and by what that is shown, or what stands against it."""

    free: bool
    why: str


def access(build: Build, index: int, linkless: bool = False) -> Access:
    """What an instruction of a stage reads and writes; `linkless` says that the caller has looked, and the build context holds no
    symbolic links."""
    stage = build.stage(index)
    assert stage is not None, "asked for an instruction of a stage"
    return _facts(build, stage, linkless).accesses[index]


def commute(build: Build, first: int, second: int, linkless: bool = False, numbered: bool = False) -> Verdict:
    """Whether two instructions of one stage, `first` standing before `second`, may change places: the image and its configuration stay
    the same, and what built builds. To move one past several, ask for each of them. `linkless` is as for `access`; `numbered` says that
    the second, a COPY, is to name its owner by numbers, for which no list of users is read."""
    stage = build.stage(first)
    if stage is None or build.stage(second) is not stage or not stage.first < first < second:
        return Verdict(False, "they are no two steps of one stage")
    facts = _facts(build, stage, linkless)
    one, other = facts.accesses[first], facts.accesses[second]
    if numbered and other.reads == _USERS:
        other = other._replace(reads=())
    for setting, using, place in ((one, other, first), (other, one, second)):
        key = _set_and_used(setting, using)
        if key:
            return Verdict(False, f"{_line(build, place)} sets {_spoken(key)}, which the other uses")
    both = sorted(one.sets & other.sets)
    if not both and any(_ANY_LABEL in found.sets for found in (one, other)):
        both = (
            [_ANY_LABEL] if all(any(name.startswith("LABEL ") for name in found.sets) for found in (one, other)) else []
        )
    if both:
        return Verdict(False, f"both set {_spoken(both[0])}")
    for writing, using, place, user in ((one, other, first, second), (other, one, second, first)):
        why = _files(build, facts, first, writing, using, place, user)
        if why:
            return Verdict(False, why)
    if _idle(one) or _idle(other):
        which = first if _idle(one) else second
        return Verdict(True, f"{_line(build, which)} touches no file, and the other does not use what it sets")
    return Verdict(True, "neither writes what the other reads or writes")


def links(build: Build, stage: Stage) -> tuple[str, ...]:
    """The links that the commands of a stage, and of those that it stands on, are known to make."""
    return tuple(_facts(build, stage, False).ground.links)


_ANY_LABEL = "LABEL *"
_STATE = frozenset(("USER", "WORKDIR", "SHELL"))


def _idle(found: Access) -> bool:
    return found.reads == () and found.writes == () and not found.makes


def _line(build: Build, index: int) -> str:
    instruction = build.instructions[index]
    return f"`{instruction.name}` on line {build.syntax.source.line_of(instruction.keyword_span.start)}"


def _spoken(key: str) -> str:
    return "variables that are not known" if key == "*" else f"`{key}`"


def _set_and_used(setting: Access, using: Access) -> str:
    """What one sets and the other reads of the state; "" where nothing."""
    for name in sorted(setting.sets):
        variable = name not in _STATE and " " not in name and name not in _CONFIGURATION
        for entry in using.state:
            if entry == name or (
                variable and (name == "*" or fnmatch.fnmatchcase(name, entry)) and entry not in _STATE
            ):
                return name
        if name == "*" and any(other not in _STATE and " " not in other for other in using.sets):
            return name
    return ""


def _files(build: Build, facts: "_Facts", first: int, writing: Access, using: Access, place: int, user: int) -> str:
    """Why what one writes matters to the other; "" where it is shown that it does not."""
    if (writing.writes == () and not writing.makes) or (using.reads == () and using.writes == () and not using.makes):
        return ""
    if writing.writes is None:
        return f"{_line(build, place)} may write anything: {writing.why}"
    used = [*(using.reads or ()), *(using.writes or ())]
    made = dict(using.makes)
    if (using.reads is None or using.writes is None) and (writing.writes or writing.makes):
        verb = "read" if using.reads is None else "write"
        return f"{_line(build, user)} may {verb} anything: {using.why}"
    for path in writing.writes:
        for other in (*used, *made):
            if layers.meets(path, other):
                return f"{_line(build, place)} writes `{path}`, and {_line(build, user)} works with `{other}`"
    for folder, manner in writing.makes:
        if facts.stands(folder, first) and not manner.startswith(_LINKED):
            continue
        if folder in made and made[folder] != manner:
            return f"both make `{folder}`, one as {manner.partition(' ')[2]}, the other as {made[folder].partition(' ')[2]}"
        for other in used:
            # What lies below a folder that both make alike does not ask who made it.
            if layers.meets(folder, other) and (folder not in made or not _below(other, folder)):
                return f"{_line(build, place)} makes `{folder}`, and {_line(build, user)} works with `{other}`"
    return ""


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


# How a COPY --link makes the folders above what it copies: they replace those that are there.
_LINKED = "link "


class _Facts(NamedTuple):
    """All that is known of the steps of a stage. `standing` are the folders that certainly are there, with from which instruction on and
    to which; `ground` is what lies there at its end."""

    accesses: dict[int, Access]
    standing: dict[str, list[tuple[int, int]]]
    ground: "_Ground"

    def stands(self, folder: str, index: int) -> bool:
        """Whether a folder certainly is there before an instruction."""
        return folder == "/" or any(start < index <= end for start, end in self.standing.get(folder, ()))


class _Ground:
    """What earlier steps left: `links` that `ln` made with their targets (None: not known), `doubtful` entries that may be links, `trees`
    below which links may lie, and `open`, the folders that are there, with the instruction behind which that holds."""

    __slots__ = ("links", "doubtful", "trees", "open")

    def __init__(self, other: "_Ground | None" = None) -> None:
        self.links: dict[str, str | None] = dict(other.links) if other else {}
        self.doubtful: set[str] = set(other.doubtful) if other else set()
        self.trees: set[str] = set(other.trees) if other else set()
        self.open: dict[str, int] = dict.fromkeys(other.open, -1) if other else {}

    def leads(self, path: str) -> tuple[str, ...] | None:
        """The paths that a path may stand for, links followed; None where that is not known."""
        deep = "/**" if path.endswith("/**") else ""
        todo, found = [layers.canonical(path.removesuffix("/**"))], [path]
        while todo:
            if len(found) > _MOST_LINKS:
                return None
            parts = todo.pop().split("/")
            for count in range(2, len(parts) + 1):
                head = "/".join(parts[:count])
                if set(parts[count - 1]) & set("*?["):
                    inside = "/".join(parts[: count - 1]) + "/"
                    if any(other.startswith(inside) for other in (*self.links, *self.doubtful)):
                        return None
                    break
                if head in self.doubtful or "/".join(parts[: count - 1]) in self.trees or ("/" in self.trees):
                    return None
                if any("/".join(parts[:upper]) in self.trees for upper in range(2, count)):
                    return None
                if head in self.links:
                    target = self.links[head]
                    if target is None:
                        return None
                    led = "/".join((target, *parts[count:]))
                    todo.append(layers.canonical(led))
                    found.append(led + deep)
                    break
        return tuple(found)

    def holds_links(self, folder: str) -> bool:
        """Whether a link that is known, or may be one, lies below a folder."""
        below = layers.canonical(folder).rstrip("/") + "/"
        return any(f"{other}/".startswith(below) for other in (*self.links, *self.doubtful, *self.trees))


_MOST_LINKS = 16


@once
def _facts(build: Build, stage: Stage, linkless: bool) -> _Facts:
    """The accesses of all instructions of a stage, read from its first to its last, since each may make a link that later ones follow."""
    above = build.stages[stage.base.stage] if stage.base.stage is not None else None
    ground = _Ground(_facts(build, above, linkless).ground if above is not None else None)
    base = build.state(stage.first).base
    if base is not None and base.distribution not in (None, "busybox"):
        ground.open.update(dict.fromkeys(layers.STANDARD_FOLDERS, -1))
    standing: dict[str, list[tuple[int, int]]] = {}
    accesses: dict[int, Access] = {}
    for index in stage.indexes:
        found = accesses[index] = _resolved(_read(build, index), ground, _follows(build, index))
        _close(build, found, ground, standing, index)
        _leave(build, index, found, ground, linkless)
    for folder, start in ground.open.items():
        standing.setdefault(folder, []).append((start, stage.last + 1))
    return _Facts(accesses, standing, ground)


def _resolved(found: Access, ground: _Ground, through: bool) -> Access:
    """An access with the links followed that earlier steps made; `through` is whether it follows those too that it meets below the folders
    that it writes to: a COPY does not, it fails or replaces them (tried)."""
    found = found._replace(makes=tuple({layers.canonical(folder): manner for folder, manner in found.makes}.items()))
    reads, writes, makes = found.reads, found.writes, found.makes
    if not (ground.links or ground.doubtful or ground.trees):
        return found
    led: list[tuple[str, ...] | None] = []
    for paths in (reads, writes, tuple(folder for folder, _ in makes)):
        if paths is None:
            led.append(None)
            continue
        all_of: dict[str, None] = {}
        for path in paths:
            followed = ground.leads(path)
            if followed is None or (through and path.endswith("/**") and ground.holds_links(path[:-3])):
                why = f"earlier steps may have left a link at `{path.removesuffix('/**')}` or above"
                return found._replace(reads=None, writes=None, makes=(), why=found.why or why)
            all_of.update(dict.fromkeys(followed))
        led.append(tuple(all_of))
    beyond = [path for path in led[2] or () if path not in dict(makes)]
    return found._replace(reads=led[0], writes=None if led[1] is None else (*led[1], *beyond))


def _follows(build: Build, index: int) -> bool:
    """Whether an instruction follows links below the folders that it writes to: an archive's members and some commands do."""
    instruction, run = build.instructions[index], build.run(index)
    if instruction.name == "ADD":
        return True
    return run is not None and any(
        posixpath.basename(command.name or "") in _FOLLOWING for command in run.commands if command.use is None
    )


_FOLLOWING = frozenset("tar unzip cpio git patch cp install find sed tee".split())


def _close(
    build: Build, found: Access, ground: _Ground, standing: dict[str, list[tuple[int, int]]], index: int
) -> None:
    """Ends what certainly stood for the folders that an instruction may delete; those of the system stay."""
    if build.instructions[index].name != "RUN" or found.writes == ():
        return
    for folder in list(ground.open):
        if folder in layers.STANDARD_FOLDERS:
            continue
        if found.writes is None or any(layers.meets(path, folder) for path in found.writes):
            standing.setdefault(folder, []).append((ground.open.pop(folder), index))


def _leave(build: Build, index: int, found: Access, ground: _Ground, linkless: bool) -> None:
    """Notes the folders and links that an instruction leaves."""
    name = build.instructions[index].name
    if name in ("WORKDIR", "COPY", "ADD"):
        for made, _ in found.makes:
            ground.open.setdefault(made, index)
    if name in ("COPY", "ADD"):
        copy = build.copy(index)
        for laid in layers.laid(build, index) or ():
            seen = (
                linkless and laid.kind != "archive" and "://" not in laid.source and not laid.source.startswith("git@")
            )
            if not _surely_file(build, index, laid) and not (seen and copy is not None and copy.origin is None):
                ground.trees.add(layers.canonical(laid.path))
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return
    state = build.state(index)
    folder = None if layers.moves(run) else state.workdir
    for command in run.commands:
        program = posixpath.basename(command.name or "")
        named = [path for _, path in layers.named(command.simple.words[1:], (), state, folder)]
        paths = [path and layers.canonical(path) for path in named]
        if program == "ln" and paths:
            _link(command, paths, ground)
        elif program in ("cp", "mv", "tar", "unzip", "git", "install", "cpio", "patch"):
            ground.trees.update(path for path in paths if path is not None and path != "/")
            ground.doubtful.update(
                path for path in paths if path is not None and path != "/" and program in ("cp", "mv")
            )


def _link(command: Command, paths: list[str | None], ground: _Ground) -> None:
    """Notes a link: `ln -s TARGET NAME` with an absolute target is known, any other may lead anywhere."""
    given = command.simple.words[1:]
    flags = [word.value or "" for word in given if word.text.startswith("-")]
    operands = [word.value for word in given if not word.text.startswith("-")]
    target = operands[0] if len(operands) == 2 else None
    name = paths[-1]
    if name is None:
        return
    known = (
        flags and all(re.fullmatch(r"-[sfnT]+|--symbolic|--force", flag) for flag in flags) and "s" in "".join(flags)
    )
    exact = known and target is not None and target.startswith("/") and ".." not in target.split("/")
    ground.links[name] = posixpath.normpath(target) if exact and target is not None else None
    # Where the name is a folder, the link lies in it.
    if target is not None:
        inside = posixpath.join(name, posixpath.basename(target.rstrip("/")))
        ground.links[inside] = ground.links[name]
    else:
        ground.trees.add(name)


# ----------------------------------------------------------------------------------------- one instruction on its own

_CONFIGURATION = frozenset(("CMD", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER", "ONBUILD"))
_NOTHING: frozenset[str] = frozenset()


def _unknown(
    why: str, state: frozenset[str], sets: frozenset[str] = _NOTHING, context: tuple[str, ...] | None = ()
) -> Access:
    return Access(None, None, context, state, sets, why)


def _read(build: Build, index: int) -> Access:
    """The access of an instruction by its own words."""
    instruction = build.instructions[index]
    name = instruction.name
    if name == "RUN":
        return _run(build, index)
    if name in ("COPY", "ADD"):
        return _copy(build, index)
    if name == "WORKDIR":
        return _workdir(build, index)
    if name == "FROM":
        return _unknown("a stage begins there", frozenset(("*", *_STATE)), frozenset(("*", *_STATE)))
    used = _expanded(build, instruction)
    sets: frozenset[str]
    reads: tuple[str, ...] = ()
    if name in ("ENV", "ARG"):
        keys = [key.text for key, _ in instruction.pairs]
        sets = frozenset("*" if name == "ENV" and set(key) & set("$\"'\\") else key for key in keys)
        if name == "ARG":
            used |= sets  # its value may hang on what was declared before
    elif name in ("USER", "SHELL"):
        sets = frozenset((name,))
    elif name == "LABEL":
        keys = [key.text for key, _ in instruction.pairs]
        sets = frozenset(f"LABEL {key}" for key in keys)
        if any(set(key) & set("$\"'\\") for key in keys) or not keys:
            sets = frozenset((_ANY_LABEL,))
    elif name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        # ENTRYPOINT takes away the CMD that a base image set.
        sets = frozenset(("CMD",)) if name == "ENTRYPOINT" else frozenset((name,))
        used = _NOTHING if instruction.json else frozenset(("SHELL",))
    elif name == "EXPOSE":
        sets = _NOTHING  # ports are a set: who names one first does not matter
    elif name == "VOLUME":
        # The builder before BuildKit drops what later steps write there.
        places = [build.absolute(build.expand(word, index), index) for word in instruction.arguments]
        if None in places:
            return _unknown("it is not known which folder it names", used | {"WORKDIR"})
        reads = tuple(path for place in places if place for path in _tree(place))
        sets = _NOTHING
    elif name in ("STOPSIGNAL", "MAINTAINER"):
        sets = frozenset((name,))
    elif name == "ONBUILD":
        sets, used = frozenset((name,)), _NOTHING
    else:
        return _unknown(f"`{name}` is not known", frozenset(("*", *_STATE)), frozenset(("*", *_STATE)), None)
    return Access(reads, (), (), used, sets, "")


_NAME = pattern(r"\$\{?!?([A-Za-z_][A-Za-z0-9_]*)")


def _expanded(build: Build, instruction: Instruction) -> frozenset[str]:
    """The names of the variables that BuildKit looks up for an instruction; more where quotes may keep it from that."""
    return frozenset(_NAME.findall(instruction.logical.text))


def _tree(path: str) -> tuple[str, str]:
    path = path.rstrip("/")
    return (path or "/", f"{path}/**")


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the root not among them."""
    path = posixpath.dirname(path.rstrip("/"))
    while path not in ("/", ""):
        yield path
        path = posixpath.dirname(path)


def _workdir(build: Build, index: int) -> Access:
    instruction = build.instructions[index]
    used = _expanded(build, instruction) | {"USER"}
    if not "".join(instruction.arguments).startswith("/"):
        used |= {"WORKDIR"}
    sets = frozenset(("WORKDIR",))
    place, user = layers.workdir_after(build, index), build.state(index).user
    if place is None:
        return _unknown("it is not known which folder it makes", used, sets)
    if user is None:
        manner = f"COPY {instruction.start_line} does"
    else:
        # Without a USER nobody is named, and a folder in one with a set group ID takes over the group.
        manner = f"COPY {_owner(user)}" if (_settings_of(build, index).user or index) < index else "COPY root"
    reads = () if user is None or user.partition(":")[0].isdecimal() or build.state(index).is_root else _USERS
    folders = [place, *_above(place)] if place != "/" else []
    return Access(reads, (), (), used, sets, "", tuple((folder, manner) for folder in folders))


_USERS = ("/etc/passwd", "/etc/group")

# The names of files that are no folders; a project's folder may well be called `Shop.Web`.
_FILE_NAME = pattern(
    r"(?:\.(?:json|jsonc|lock|lockb|toml|txt|ya?ml|xml|py|js|cjs|mjs|ts|sh|bash|conf|cfg|ini|jar|war|md|csproj|fsproj|sln|props|rb|sql|crt|pem"
    r"|key|deb|rpm|apk|whl|service|properties|gradle|kts|mod|sum|html|css|c|h|go|rs|env|list|repo|gpg|asc)"
    r"|(?:^|/)(?:Gemfile|Pipfile|Makefile|Procfile|LICENSE|gradlew|mvnw|\.npmrc|\.yarnrc))$"
)


def _copy(build: Build, index: int) -> Access:
    instruction, copy = build.instructions[index], build.copy(index)
    used = _expanded(build, instruction)
    for heredoc in instruction.heredocs:
        used |= frozenset(_NAME.findall(heredoc.body.text))
    if instruction.arguments and not instruction.arguments[-1].startswith("/"):
        used |= {"WORKDIR"}
    laid = layers.laid(build, index)
    if copy is None or copy.destination is None or copy.sources is None or laid is None:
        return _unknown("it is not known what it copies where", used, context=None)
    context: tuple[str, ...] = ()
    if copy.origin is None:
        heredocs = {heredoc.name for heredoc in instruction.heredocs}
        named = [source for source in copy.sources if source not in heredocs and "://" not in source]
        context = tuple(posixpath.normpath(source.lstrip("/") or ".") for source in named)
    flags = copy.flags
    owner = flags.get("chown", "")
    if "$" in owner:
        # Whoever it is, the files are the same; nobody is known to make folders alike.
        value = build.expand(owner, index)
        owner = f"{owner} of line {instruction.start_line}" if value is None else value
    reads = () if re.fullmatch(r"[0-9:]*", owner) else _USERS
    parents = "parents" in flags
    linked = flags.get("link", "false").lower() not in ("false", "0", "f")
    # The mode of --chmod goes to the folders that are made as well (tried: docker 28.5, `tests/real_lists.py`).
    mode = f" with mode {flags['chmod']}" if "chmod" in flags else ""
    manner = f"{'link' if linked else 'COPY'} {_owner(owner) or 'root'}{mode}"
    writes: dict[str, None] = {}
    makes: dict[str, None] = {}
    destination = copy.destination.rstrip("/") or "/"
    is_folder = copy.destination.endswith("/")
    for one in laid:
        if not parents and (is_folder or len(copy.sources) == 1) and _surely_file(build, index, one):
            writes[one.path] = None
            makes.update(dict.fromkeys(_above(one.path)))
            continue
        # A folder's contents come to lie in the destination, which keeps its own mode and owner.
        holds = is_folder or posixpath.basename(one.source) in ("", ".", "..")
        if destination == "/" or (holds and one.kind != "archive"):
            writes[f"{destination.rstrip('/')}/**"] = None
            makes.update({} if destination == "/" else {destination: None})
        else:
            writes.update(dict.fromkeys(_tree(destination)))
        makes.update(dict.fromkeys(_above(destination)))
    for path in writes:
        makes.pop(path, None)
    return Access(reads, tuple(writes), context, used, _NOTHING, "", tuple((folder, manner) for folder in makes))


def _owner(text: str) -> str:
    """An owner, spelled in one way."""
    user, _, group = text.partition(":")
    user, group = (
        "0" if one == "root" else one for one in (user, group or (user if user.isdecimal() or user == "root" else ""))
    )
    return f"{user}:{group}" if text else ""


class _Settings(NamedTuple):
    """What the steps of a stage and of those below it set: where the first USER stands (None: nowhere), and the folders that are put into
    PATH, each with the instruction that does it (None: not known)."""

    user: int | None
    searched: tuple[tuple[int, str | None], ...]


@once
def _settings(build: Build, stage: Stage) -> _Settings:
    user: int | None = None
    searched: list[tuple[int, str | None]] = []
    for one in reversed(build.chain(stage)):
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name == "USER" and user is None:
                user = index
            for key, word in instruction.pairs if instruction.name in ("ENV", "ARG") else ():
                if key.text == "PATH" and word is not None:
                    pieces = word.text.strip("\"'").split(":")
                    places = [build.expand(piece, index) for piece in pieces if piece not in ("$PATH", "${PATH}")]
                    searched += [(index, place) for place in places]
    return _Settings(user, tuple(searched))


def _settings_of(build: Build, index: int) -> _Settings:
    stage = build.stage(index)
    assert stage is not None, "an instruction of a stage"
    return _settings(build, stage)


def _surely_file(build: Build, index: int, laid: Laid) -> bool:
    heredocs = {heredoc.name for heredoc in build.instructions[index].heredocs}
    return laid.kind == "file" and (
        laid.source in heredocs or "://" in laid.source or _FILE_NAME.search(laid.source) is not None
    )


# What any program of the system reads: itself, its libraries and settings.
_PROGRAMS = (
    "/bin/**", "/sbin/**", "/lib/**", "/lib32/**", "/lib64/**", "/libx32/**", "/etc/**", "/dev/**", "/proc/**", "/sys/**",
    "/usr/bin/**", "/usr/sbin/**", "/usr/lib/**", "/usr/lib32/**", "/usr/lib64/**", "/usr/libx32/**", "/usr/libexec/**",
    "/usr/share/**", "/usr/local/bin/**", "/usr/local/sbin/**", "/usr/local/lib/**", "/usr/local/share/**", "/usr/local/etc/**",
    "/var/lib/locales/**",
)  # fmt: skip


def _all_but(folder: str, *names: str) -> Iterator[str]:
    """Globs for all in a folder but what lies in those of its folders; the names begin with different letters."""
    yield f"{folder}/[!{''.join(name[0] for name in names)}]*/**"
    yield f"{folder}/[!{''.join(name[0] for name in names)}]*"
    for name in names:
        for count in range(1, len(name)):
            yield f"{folder}/{name[:count]}"
            yield f"{folder}/{name[:count]}[!{name[count]}]*"
            yield f"{folder}/{name[:count]}[!{name[count]}]*/**"
        yield f"{folder}/{name}?*"
        yield f"{folder}/{name}?*/**"


# Where packages of a distribution put files, their scripts too (Filesystem Hierarchy Standard 3.0): not in the places that are by custom
# a project's, nor in new folders of the root.
_SYSTEM = (
    *(
        f"/{name}/**"
        for name in (
            "bin boot dev etc lib lib32 lib64 libx32 proc root run sbin sys tmp var home opt srv mnt media".split()
        )
    ),
    *_all_but("/usr", "app", "src"),
    *_all_but("/usr/src", "app"),
)

# Variables that programs of the system look at, whatever they are called for.
_AMBIENT = frozenset(
    "PATH HOME PWD OLDPWD IFS ENV BASH_ENV BASH_FUNC_* BASHOPTS SHELLOPTS POSIXLY_CORRECT CDPATH PS4 TMPDIR TMP TEMP TZ LANG LANGUAGE LC_*"
    " LD_* GLIBC_TUNABLES MALLOC_* LOCPATH NLSPATH GCONV_PATH RES_OPTIONS HOSTALIASES SSL_* CURL_* WGETRC SYSTEM_WGETRC *_proxy *_PROXY"
    " TAR_OPTIONS TAPE GZIP XZ_* ZSTD_* BZIP BZIP2 UNZIP* ZIPOPT GREP_* LS_* BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE DU_BLOCK_SIZE TIME_STYLE"
    " QUOTING_STYLE VERSION_CONTROL SIMPLE_BACKUP_SUFFIX COLUMNS TERM LINES USER LOGNAME SHELL MAIL HISTFILE DEBIAN_FRONTEND DEBCONF_*".split()
)
_STEP = frozenset(("USER", "WORKDIR", "SHELL"))


class _Reach:
    """What the commands of a RUN come to while they are gone through; `why` is set as soon as they may read or write anything."""

    __slots__ = ("reads", "writes", "makes", "state", "why")

    def __init__(self) -> None:
        self.reads: dict[str, None] = dict.fromkeys((*_PROGRAMS, *_USERS))
        self.writes: dict[str, None] = {}
        self.makes: dict[str, str] = {}
        self.state: set[str] = set(_AMBIENT | _STEP)
        self.why = ""


def _run(build: Build, index: int) -> Access:
    """What a RUN reads and writes: anything, unless all its commands are known."""
    instruction, run, state = build.instructions[index], build.run(index), build.state(index)
    everything = _STEP | {"*"}
    context, shared, mounted = _mounts(build, index)
    why = mounted
    if run is None:
        why = why or "its JSON form is not looked into"
    elif run.script.opaque is not None:
        why = why or f"it is not understood ({run.script.opaque})"
    elif any(flag.name not in ("mount", "network") for flag in instruction.flags):
        why = why or "its flags give it more rights"
    if why or run is None:
        return _unknown(why, everything | shared, shared, context)
    reach = _Reach()
    reach.state.update(shared)
    _programs(build, index, reach)
    folder = None if layers.moves(run) else state.workdir
    text = run.script.text
    reach.state.update(_NAME.findall(text))
    if "${!" in text or "((" in text or "$[" in text:
        reach.state.add("*")
    for command in run.commands:
        if not reach.why:
            _command(command, run, state, folder, reach)
    for compound in layers.compounds(run.script):
        if compound.kind == "function":
            reach.why = reach.why or f"it defines a function `{compound.name}`"
        listed = compound.words if compound.kind in ("for", "select", "test") else ()
        _named(compound.kind, listed, compound.redirections, state, folder, reach, compound.kind != "test")
    if reach.why:
        return _unknown(reach.why, frozenset(reach.state | {"*"}), shared, context)
    writes = tuple(reach.writes)
    for path in (state.workdir, *_above(state.workdir)) if state.workdir not in (None, "/") and state.workdir else ():
        # The folder that it runs in is made where an earlier step deleted it.
        reach.makes.setdefault(path, "COPY root")
    for _, options in build.mounts(index):
        # A folder that is not there is made for the mount, and stays.
        place = build.absolute(build.expand(options.get("target", ""), index), index)
        for path in (place.rstrip("/"), *_above(place)) if place and place != "/" else ():
            reach.makes[path] = f"mount on line {instruction.start_line} does"
    makes = tuple((path, manner) for path, manner in reach.makes.items() if path not in reach.writes)
    return Access(tuple(reach.reads), writes, context, frozenset(reach.state), shared, "", makes)


def _mounts(build: Build, index: int) -> tuple[tuple[str, ...] | None, frozenset[str], str]:
    """What the mounts of a RUN read of the build context, the caches that they share with others, and why their places are not known."""
    context: list[str] = []
    shared: set[str] = set()
    for _, options in build.mounts(index):
        kind = options["type"]
        if kind == "cache":
            shared.add(f"cache {options.get('id') or options.get('target', '')}")
        elif kind == "bind" and "from" not in options:
            source = build.expand(options.get("source", ""), index)
            if source is None:
                return None, frozenset(shared), "it is not known what it mounts"
            context.append(source.strip("/") or ".")
        if kind not in ("secret", "ssh") or "target" in options:
            place = build.absolute(build.expand(options.get("target", "/"), index), index)
            if place is None:
                return tuple(context), frozenset(shared), "it is not known where it mounts"
    return tuple(context), frozenset(shared), ""


def _programs(build: Build, index: int, reach: _Reach) -> None:
    """Adds the folders that programs are looked for in, by what the file does to PATH."""
    value = build.state(index).lookup("PATH")[1]
    places: Iterable[str | None]
    if value is not None:
        places = value.split(":")
    else:
        places = [place for other, place in _settings_of(build, index).searched if other < index]
    for place in places:
        if place is None or not place.startswith("/"):
            reach.why = "it is not known where its programs lie (PATH)"
        else:
            reach.reads.update(dict.fromkeys(_tree(place)))


def _command(command: Command, run: Run, state: State, folder: str | None, reach: _Reach) -> None:
    """Adds what one command reads and writes."""
    simple, _, use = command
    label = command.label
    program = posixpath.basename(command.name or "")
    if any(
        item.name in ("PATH", "IFS", "ENV", "BASH_ENV") or item.name.startswith("LD_") for item in simple.assignments
    ):
        reach.why = f"`{label}` has a search path of its own"
        return
    if use is not None:
        _managed(use, label, state, folder, reach)
        return
    if simple.words and not packages.touches_only_its_words(simple):
        reach.why = f"`{label}` may read and write anything"
        return
    if program in ("printenv", "export", "set", "unset", "cd"):
        if program in ("export", "set", "printenv"):
            reach.state.add("*")
        if program in ("export", "unset", "set") and any(
            "PATH" in word.text or "LD_" in word.text for word in simple.words
        ):
            reach.why = f"`{label}` may change where programs are looked for"
            return
    arguments = tuple(word for word in simple.words[1:] if not _ADDRESS.match(word.text))
    if program in ("chmod", "chown", "chgrp"):
        # The first word that is no option is a mode or an owner.
        first = next((word for word in arguments if not re.match(r"-[A-Za-z-]*$", word.text)), None)
        if first is not None and not any(word.text.startswith(("--reference", "--from")) for word in arguments):
            arguments = tuple(word for word in arguments if word is not first)
    if program in _OF_HOME:
        if state.home is None:
            reach.why = f"it is not known where `{label}` has its settings"
            return
        places = _tree(state.home) if _OF_HOME[program] == "all" else (f"{state.home.rstrip('/')}/{_OF_HOME[program]}",)
        reach.reads.update(dict.fromkeys(places))
        reach.writes.update(dict.fromkeys(places if program != "curl" else ()))
    if program == "mktemp":
        reach.writes.update(dict.fromkeys(("/tmp/*", "/var/tmp/*")))
    if program in _TEXT:
        _named(label, (), simple.redirections, state, folder, reach)
    elif program in _ACCOUNTS:
        reach.writes.update(dict.fromkeys(("/etc/**", "/home/**", "/var/**")))
        _named(label, arguments, simple.redirections, state, folder, reach, True)
    elif program in _OTHER_ACCOUNTS:
        reach.why = f"`{label}` may change files of any user"
    elif program in _SYSTEM_PROGRAMS:
        reach.writes.update(dict.fromkeys(_SYSTEM))
        _named(label, arguments, simple.redirections, state, folder, reach)
    elif program in _READING:
        _named(label, (), simple.redirections, state, folder, reach)
        _named(label, arguments, (), state, folder, reach, writes=False)
    elif program == "mkdir":
        _makes(label, arguments, run, state, folder, reach)
        _named(label, (), simple.redirections, state, folder, reach)
    else:
        if program in layers.WORKING_HERE and not layers.told_elsewhere(command):
            if folder is None:
                reach.why = f"`{label}` works in a folder that is not known"
                return
            reach.reads.update(dict.fromkeys(_tree(folder)))
            reach.writes.update(dict.fromkeys(_tree(folder)))
        if program == "git":
            reach.state.add("GIT_*")
        _named(label, arguments, simple.redirections, state, folder, reach)


_ADDRESS = pattern(r"[\"']?(?:https?|ftp)://")
# Those with settings, or a history, in the home folder: the name of the file, or `all`.
_OF_HOME = {"curl": ".curlrc", "wget": ".wget*", "git": "all", "ssh-keygen": "all"}
# Their words are text.
_TEXT = frozenset(
    "echo printf true false : id whoami date sleep seq expr uname arch nproc hostname printenv export set unset umask exit".split()
)
# They only read what they name.
_READING = frozenset(
    "cat tac head tail uniq wc tr cut paste fold nl stat df readlink realpath basename dirname grep egrep fgrep test [ cmp diff"
    " md5sum sha1sum sha256sum sha512sum base64 od cd which type".split()
)
# They write the table of users and make home folders.
_ACCOUNTS = frozenset("useradd groupadd adduser addgroup".split())
_OTHER_ACCOUNTS = frozenset("userdel usermod groupdel groupmod deluser delgroup chpasswd passwd chsh".split())
_SYSTEM_PROGRAMS = frozenset(
    "update-alternatives ldconfig locale-gen update-locale update-ca-certificates update-ca-trust".split()
)


def _makes(label: str, arguments: tuple[Word, ...], run: Run, state: State, folder: str | None, reach: _Reach) -> None:
    """What a `mkdir` makes: with `-p` folders where they are missing."""
    flags = [word.value or word.text for word in arguments if word.text.startswith("-")]
    plain = all(re.fullmatch(r"-[pv]+|--parents|--verbose", flag) for flag in flags) and bool(flags)
    if not plain or state.user is None or any(command.name == "umask" for command in run.commands):
        _named(label, arguments, (), state, folder, reach)
        return
    manner = "COPY root" if state.is_root else f"mkdir {state.user}"
    for _, path in layers.named([word for word in arguments if not word.text.startswith("-")], (), state, folder):
        if path is None:
            reach.why = reach.why or f"it is not known what `{label}` names"
            return
        if set(path) & set("*?["):
            reach.writes.update(dict.fromkeys(_tree(path)))
        for one in (path, *_above(path)):
            if one != "/":
                reach.makes.setdefault(one, manner)


def _named(
    label: str, arguments: Iterable[Word], redirections: Iterable[Redirection], state: State, folder: str | None, reach: _Reach,
    text_only: bool = False, packaged: bool = False, writes: bool = True,
) -> None:  # fmt: skip
    """Adds the paths that words and redirections name, with all below them."""
    for word, path in layers.named(arguments, redirections, state, folder, text_only, packaged):
        if path is None:
            reach.why = reach.why or f"it is not known what `{word.text}` names (`{label}`)"
            return
        if path.startswith("/dev/"):
            continue
        reach.reads.update(dict.fromkeys(_tree(path)))
        if writes:
            reach.writes.update(dict.fromkeys(_tree(path)))


def _managed(use: Use, label: str, state: State, folder: str | None, reach: _Reach) -> None:
    """Adds what a package manager's command reads and writes; scripts of packages and of projects read any variable."""
    simple = use.command
    reach.state.add("*")
    system = use.manager.family in packages.SYSTEM_FAMILIES
    if use.uncertain or use.action not in _TRACKED:
        reach.why = f"`{label} {use.verb}` may read and write anything"
        return
    if system and any(layers.ELSEWHERE.search(word.text) for word in simple.words):
        reach.why = f"`{label}` is told to work elsewhere"
        return
    reach.reads.update(dict.fromkeys(_SYSTEM))
    reach.writes.update(dict.fromkeys(_SYSTEM))
    _named(label, simple.words[1:], simple.redirections, state, folder, reach, packaged=True)
    if system:
        return
    places: list[str | None] = [path for _, path in layers.sent_elsewhere(use, state, folder)]
    seen = layers.environment(state)
    for kept in (*use.manager.caches, *use.manager.lists):
        places.append(packages.locate(kept, state.home, seen, use))
    places.append(state.home)
    # A program of `/opt/venv/bin` installs into `/opt/venv`.
    searched = [path for path in reach.reads if path.endswith(("/bin", "/bin/**"))]
    places += [
        posixpath.dirname(path.removesuffix("/**")) for path in searched if not path.startswith(("/usr/", "/bin"))
    ]
    program = simple.words[use.name_index].value or ""
    if "/" in program:
        places.append(posixpath.dirname(posixpath.dirname(program)) if program.startswith("/") else None)
    if use.reads_project or use.action != "install":
        places.append(folder)
        for name in (
            *use.manager.manifests,
            *use.manager.locks,
            ".npmrc",
            ".yarnrc",
            ".yarnrc.yml",
            ".cargo",
            "node_modules",
        ):
            # Most look for the project's root above the folder that they work in.
            reach.reads.update({f"{above}/{name}": None for above in (*_above(folder or "/"), "") if folder})
    for place in places:
        if place is None or place == "/":
            reach.why = f"it is not known where `{label} {use.verb}` works"
            return
        reach.reads.update(dict.fromkeys(_tree(place)))
        reach.writes.update(dict.fromkeys(_tree(place)))


# What a manager does by itself; others run what the project says.
_TRACKED = frozenset(("install", "update", "upgrade", "download", "remove", "clean", "query"))
