"""Where package managers keep their caches as a RUN sees it, which cache mounts stand there, and what defeats these."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from dfopt import bases, layers, packages, rewrite
from dfopt.build import Build, Run, Stage, State, mount_options, once
from dfopt.packages import Folder, Use
from dfopt.rule import AddsWord, DropsCommand, DropsWord, Effect
from dfopt.shell import Simple, Word
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern

# Users that official images make beside root: repository -> name -> uid, gid, home (their Dockerfiles, docker-library on GitHub).
_USERS: dict[str, dict[str, tuple[int, int, str]]] = {
    "node": {"node": (1000, 1000, "/home/node")},
    "oven/bun": {"bun": (1000, 1000, "/home/bun")},
}
# Ubuntu's images have this user since 23.04.
_UBUNTU_USER = (1000, 1000, "/home/ubuntu")
_UBUNTU_TAGS = pattern(r"(?:2[4-9]|23\.04|23\.10)\b.*|(?:lunar|mantic|noble|oracular|plucky|questing)\b.*")
# Debian's base-passwd, the same in each release; Alpine's php images give www-data another id.
_DEBIAN_USERS = {"www-data": (33, 33, "/var/www")}

_ACCOUNTS = frozenset(("usermod", "userdel", "deluser", "groupmod", "useradd", "adduser"))

_GROUPS = frozenset(("groupadd", "addgroup", "groupmod", "groupdel", "delgroup"))

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
    known = _user_of_base(build, index, state, name)
    if known is not None and not _changes_user(build, index, name):
        return Owner(known[0], gid if group else known[1], state.home or known[2])
    return Owner(_made_with(build, index, name), gid, state.home)


def ids(build: Build, index: int, owner: str) -> str | None:
    """The numbers (`1000:1000`) of an owner as `--chown` has it (`user`, `user:group`) before an instruction; None where they are not
    known. Known are root's, those of the users of official images, and what the file itself gives by number (`groupadd -g 1001 app`,
    `useradd -u 1001 -g app app`)."""
    name, colon, group = owner.partition(":")
    found = _ids_of_user(build, index, name)
    if colon and found is not None:
        found = (found[0], _id_of_group(build, index, group))
    return f"{found[0]}:{found[1]}" if found is not None and found[1] is not None else None


def _ids_of_user(build: Build, index: int, name: str) -> tuple[int, int | None] | None:
    """A user's number and that of its first group (None: not known)."""
    state = build.state(index)
    if name.isdecimal():
        return int(name), int(name)
    if state.base is None:
        return None
    made = _speaking_of(build, index, name, _ACCOUNTS)
    known = (0, 0, "") if name == "root" else _user_of_base(build, index, state, name)
    if known is not None:
        return known[:2] if not made else None
    number = _given(build, made, name, ("useradd", "adduser"), ("-u", "--uid"))
    if number is None or not number.isdecimal():
        return None
    first = _given(build, made, name, ("useradd",), ("-g", "--gid"))
    return int(number), _id_of_group(build, index, first) if first is not None else None


def _id_of_group(build: Build, index: int, name: str) -> int | None:
    """A group's number; that of a user's own group in an official image is in the table of users."""
    state = build.state(index)
    if name.isdecimal():
        return int(name)
    if state.base is None:
        return None
    made = _speaking_of(build, index, name, _ACCOUNTS | _GROUPS)
    known = (0, 0, "") if name == "root" else _user_of_base(build, index, state, name)
    if known is not None:
        return known[1] if not made else None
    made = [one for one in made if one[1].words[0].value not in ("useradd", "adduser")]
    number = _given(build, made, name, ("groupadd", "addgroup"), ("-g", "--gid"))
    return int(number) if number is not None and number.isdecimal() else None


def _speaking_of(build: Build, index: int, name: str, programs: frozenset[str]) -> list[tuple[int, Simple]]:
    """The commands before an instruction that may make or change an account."""
    return [
        one for one in _before(build, index, programs) if any(word.value in (name, None) for word in one[1].words[1:])
    ]


def _given(
    build: Build, made: list[tuple[int, Simple]], name: str, programs: tuple[str, ...], options: tuple[str, ...]
) -> str | None:
    """The value of an option of the one command that makes an account, and certainly ran; None where it is not given, or not known."""
    if len(made) != 1 or made[0][1].words[0].value not in programs:
        return None
    index, simple = made[0]
    run = build.run(index)
    step = rewrite.step_of(run, simple) if run is not None else None
    words = [word.value for word in simple.words]
    if step is None or words[-1] != name or not rewrite.always_runs(build, index, step, True):
        return None
    found = [words[at + 1] for at, word in enumerate(words[:-2]) if word in options]
    found += [
        word.partition("=")[2]
        for word in words
        if word is not None and word.partition("=")[0] in options and "=" in word
    ]
    return found[0] if len(found) == 1 else None


def _user_of_base(build: Build, index: int, state: State, name: str) -> tuple[int, int, str] | None:
    """The ids and the home of a user that the base image has, None where that is not known."""
    if state.base is None:
        return None
    if state.base.repository == "ubuntu" and name == "ubuntu":
        return _UBUNTU_USER if _UBUNTU_TAGS.fullmatch(layers.image_of(build, index)[1]) else None
    if state.base.distribution == "debian" and name in _DEBIAN_USERS:
        return _DEBIAN_USERS[name]
    return _USERS.get(state.base.repository, {}).get(name)


@once
def _accounts(build: Build, stage: Stage) -> tuple[tuple[int, Simple], ...]:
    """The commands of a stage's RUNs that make, change or delete users and groups."""
    return tuple(
        (index, command.simple)
        for index in stage.indexes
        if (run := build.run(index)) is not None
        for command in run.commands
        if command.simple.words and command.simple.words[0].value in _ACCOUNTS | _GROUPS
    )


def _before(build: Build, index: int, programs: frozenset[str] = _ACCOUNTS) -> Iterator[tuple[int, Simple]]:
    """Those of them before an instruction, in its stage and in those that it stands on, which are of these programs."""
    stage = build.stage(index)
    last = index
    while stage is not None:
        for at, simple in _accounts(build, stage):
            if at < last and simple.words[0].value in programs:
                yield at, simple
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


def mount_folders(build: Build, index: int, use: Use) -> tuple[Folder, ...]:
    """The folders of a manager that a command works with, of which a mount keeps something; () where they are not known."""
    manager = use.manager
    if manager.family == "dnf":
        path = layers.dnf_folder(build, index, manager.name)
        return tuple(folder for folder in manager.mounts if folder.path == path)
    if manager.family == "go" and use.action == "download":
        return manager.mounts[:1]
    if manager.name == "yarn":
        return manager.mounts[:2]
    return manager.mounts


def assumed_base(build: Build, index: int) -> bases.Base | None:
    """What an image that is not known is most likely to be, for fixes that say that they assume it: root's, with root's HOME, and
    with the variables of the official image that it is called after. None where the file itself says something else."""
    state, stage = build.state(index), build.stage(index)
    if state.base is not None or stage is None or not (state.user is None or state.is_root):
        return None
    chain = build.chain(stage)
    if chain[-1].base.kind not in ("image", "unknown", "context"):
        return None
    if state.user is None and any(
        build.instructions[other].name == "USER" for one in chain for other in one.indexes if other < index
    ):
        return None
    if state.environment.sets("HOME") or state.arguments.sets("HOME"):
        return None
    repository, tag = bases.repository_of(chain[-1].base.text)
    like = bases.facts(re.split(r"[/}]", repository)[-1] + (f":{tag}" if tag else ""), "$" in tag)
    return like or bases.Base("", None, "sh", "root", "/root", None, {}, frozenset())


class _Assumed(Mapping[str, "str | None"]):
    """What the file itself sets, over what an assumed base image does."""

    __slots__ = ("_state", "_base")

    def __init__(self, state: State, base: bases.Base) -> None:
        self._state = state
        self._base = base

    def __getitem__(self, name: str) -> str | None:
        for scope in (self._state.environment, self._state.arguments):
            if scope.sets(name):
                return scope[name]
        return self._base.variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._base.variables, *self._state.arguments, *self._state.environment)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def places(
    build: Build, index: int, use: Use, folders: tuple[Folder, ...], assumed: bases.Base | None = None
) -> list[tuple[Folder, str | None]]:
    """Those of a manager's folders that hold for the user of a command, with their absolute paths (None: not known); `assumed` are
    facts of a base image that is not known."""
    state = build.state(index)
    own = dict(use.environment)
    home = own["HOME"] if "HOME" in own else owner(build, index).home or (assumed.home if assumed is not None else None)
    seen = layers.environment(state) if assumed is None else _Assumed(state, assumed)
    is_root = state.is_root or assumed is not None
    found: list[tuple[Folder, str | None]] = []
    for folder in folders:
        if folder.user and folder.user != ("root" if is_root else "other"):
            continue
        path = packages.locate(folder, home, seen, use)
        if folder.path == "{home}/.m2/repository":
            path = packages.maven_repository(use, seen, home)
        if path is not None:
            path = posixpath.normpath(path) if path.startswith("/") and "*" not in path else None
        if all(path != other or path is None for _, other in found):
            found.append((folder, path))
    return found


# Folders that images have without any cache in them (Filesystem Hierarchy Standard 3.0), and those of their package managers.
_STANDING = frozenset(
    "/ /home /opt /root /srv /tmp /usr /usr/local /usr/local/lib /usr/local/share /usr/share /var /var/cache /var/lib /var/tmp"
    " /etc /etc/apk /var/cache/apt /var/lib/apt".split()
)


# Images in which conda and mamba are at /opt/conda.
_CONDA_IMAGES = frozenset(
    (
        "continuumio/miniconda3",
        "continuumio/anaconda3",
        "condaforge/miniforge3",
        "condaforge/mambaforge",
        "pytorch/pytorch",
    )
)


def kept(build: Build, index: int, use: Use) -> list[tuple[Folder, str | None]]:
    """The folders in which a command leaves what it downloaded or built beside its result, with their absolute paths, which may be
    globs (None: not known)."""
    manager = use.manager
    folders = manager.caches
    if manager.family == "gem":
        return _gems(build, index, use)
    if manager.name == "go" and use.action == "download":
        folders = folders[:1]
    elif manager.name == "yarn":
        version = yarn_version(build, index, use)
        folders = folders[:2] if version == "1" else folders[2:] if version else folders
    elif manager.name == "pnpm":
        folders = folders[1:]
    elif manager.name == "gradle" and "gradlew" not in use.command.words[use.name_index].text:
        folders = folders[:1]
    found = places(build, index, use, folders)
    base = build.state(index).base
    if manager.name in ("conda", "mamba") and (base is None or base.repository not in _CONDA_IMAGES):
        prefix = _conda_prefix(build, index)
        place = f"{prefix.rstrip('/')}/pkgs" if prefix else None
        found = [(folder, place if path == folder.path else path) for folder, path in found]
    return found


_BUNDLE_CONFIG = pattern(r"\bbundler?\s+config\b[^\n]*\b(?:path|deployment|system)\b")


def _gems(build: Build, index: int, use: Use) -> list[tuple[Folder, str | None]]:
    """Where RubyGems keeps the archives of what it installed: below the folder of its gems."""
    state, own = build.state(index), dict(use.environment)
    image, system, debian, alpine = use.manager.caches[:4]
    if use.has("--install-dir", "--user-install", "--build-root", "--vendor", "--path", "--deployment", "--system"):
        return [(image, None)]
    seen = layers.environment(state)
    if use.manager.name == "bundler":
        for stage, last in _standing_on(build, index):
            text = build.syntax.source.text
            span = slice(build.instructions[stage.first].span.start, build.instructions[last].span.end)
            if _BUNDLE_CONFIG.search(text[span]):
                return [(image, None)]
        # The first images of Ruby set it to GEM_HOME, where it makes no difference.
        if "BUNDLE_PATH" in own or _sets(build, index, "BUNDLE_PATH"):
            folder = own.get("BUNDLE_PATH", state.lookup("BUNDLE_PATH")[1])
            known = folder is not None and folder.startswith("/")
            return [(image, f"{(folder or '').rstrip('/')}/ruby/*/cache" if known else None)]
        if "BUNDLE_DEPLOYMENT" in own or _sets(build, index, "BUNDLE_DEPLOYMENT"):
            return [(image, None)]
    if "GEM_HOME" in own or "GEM_HOME" in seen:
        return [(image, packages.locate(image, state.home, seen, use))]
    distribution = state.base.distribution if state.base is not None and state.is_root else None
    chosen = {"debian": debian, "alpine": alpine}.get(distribution or "", system)
    installed = any(
        (word.value or "").startswith("ruby")
        for stage, last in _standing_on(build, index)
        for at in range(stage.first, last + 1)
        if (run := build.run(at)) is not None
        for other in run.uses
        if other.manager.family in ("apt", "apk") and other.action == "install"
        for word in other.operands
    )
    return [(chosen, chosen.path if installed and chosen is not system else None)]


def _sets(build: Build, index: int, name: str) -> bool:
    """Whether the file, not the base image, sets a variable before an instruction."""
    return any(
        key.text == name
        for stage, last in _standing_on(build, index)
        for at in range(stage.first, last + 1)
        if build.instructions[at].name in ("ENV", "ARG")
        for key, _ in build.instructions[at].pairs
    )


_CONDA_INSTALLER = pattern(r"(?:conda|forge)[^/]*\.sh$", re.IGNORECASE)


def _conda_prefix(build: Build, index: int) -> str | None:
    """Where the file installs conda by its own installer (`bash miniconda.sh -b -p /opt/miniconda`); None where that is not known."""
    found: set[str | None] = set()
    for stage, last in _standing_on(build, index):
        for at in range(stage.first, last + 1):
            run = build.run(at)
            for command in run.commands if run is not None else ():
                words = command.simple.words
                if not any(_CONDA_INSTALLER.search(word.text.strip("\"'")) for word in words[:3]):
                    continue
                for option, word in pairwise(words):
                    if re.fullmatch(r"-[a-z]*p", option.text) and command.name not in ("mkdir", "cp", "wget", "curl"):
                        found.add(layers.path_of(word, build.state(at)))
    return found.pop() if len(found) == 1 else None


_SIMPLE_VARIABLE = pattern(r"\$(?:(\w+)|\{(\w+)\})")


def uncertain(build: Build, index: int, use: Use) -> bool:
    """Whether a word of a command may be other words than it seems, options among them: an expansion whose value is not known, or
    holds what the shell would split or expand."""
    if not use.uncertain:
        return False
    state = build.state(index)
    for word in use.command.words:
        if word.value is not None:
            continue
        for name in (one or other for one, other in _SIMPLE_VARIABLE.findall(word.text)):
            value = state.lookup(name)[1]
            if not value or not re.fullmatch(r"[\w.:/@+=^~-]+", value) or value.startswith("-"):
                return True
        if "$" in _SIMPLE_VARIABLE.sub("", word.text) or "`" in word.text:
            return True
    return not any(word.value is None for word in use.command.words)


def _standing_on(build: Build, index: int) -> Iterator[tuple[Stage, int]]:
    """The stage of an instruction up to that, and the stages that it stands on, with the last instruction of each."""
    stage = build.stage(index)
    for one in build.chain(stage) if stage is not None else ():
        yield one, index if one is stage else one.last


_YARN_ONE = ("--production", "--non-interactive", "--pure-lockfile", "--modules-folder", "--flat", "--no-bin-links")
_YARN_TWO = ("--immutable", "--immutable-cache", "--inline-builds", "--mode", "--refresh-lockfile")
_YARN_MARKS = pattern(r"corepack|\.yarn\b|\.yarnrc\b|yarn set version|berry|yarn@(?!1|\^1|latest)", re.IGNORECASE)


def yarn_version(build: Build, index: int, use: Use) -> str:
    """ "1" or "2" (for all later ones) where the file shows which Yarn a command is, else "". Yarn 1 starts the one that the
    project's `.yarnrc.yml` names, so that a copied folder leaves it open."""
    if use.verb.startswith("global") or use.has(*_YARN_ONE):
        return "1"
    if use.has(*_YARN_TWO) or use.verb.startswith(("workspaces focus", "dlx", "plugin", "set version")):
        return "2"
    workdir = build.state(index).workdir
    for stage, last in _standing_on(build, index):
        text = build.syntax.source.text
        if _YARN_MARKS.search(text[build.instructions[stage.first].span.start : build.instructions[last].span.end]):
            return ""
        for at in range(stage.first, last + 1):
            copy = build.copy(at)
            if copy is None:
                continue
            if workdir is None or copy.sources is None or copy.destination is None:
                return ""
            named = all(
                (name := posixpath.basename(source)).endswith((".json", ".lock", ".js", ".ts", ".sh", ".npmrc"))
                and not name.startswith((".yarn", "*", "."))
                or name in (".npmrc", "yarn.lock*", "package*.json")
                for source in copy.sources
            )
            if not named and layers.overlaps(copy.destination, workdir):
                return ""
    return "1"


def keeps_archives(build: Build, index: int, before: int) -> bool:
    """Whether apt certainly keeps the archives that it downloads: the file took away what makes Debian's and Ubuntu's images delete
    them, in an earlier RUN or in this one, up to offset `before` of its script."""
    for stage, last in _standing_on(build, index):
        for at in range(stage.first, last + 1):
            for cleaning in layers.cleaned(build, at) if build.instructions[at].name == "RUN" else ():
                early = at != index or cleaning.simple.start < before
                if early and any(layers.covers(path, DOCKER_CLEAN) for path in cleaning.paths):
                    return True
    return False


DOCKER_CLEAN = "/etc/apt/apt.conf.d/docker-clean"


def emptied(build: Build, index: int, use: Use, paths: tuple[str, ...]) -> bool:
    """Whether the RUN itself empties one of `paths`, or its manager's caches in some way, behind a command; or may, by an `rm` of a
    word that is not known and speaks of a cache."""
    run = build.run(index)
    assert run is not None, "a command stands in a RUN that is read"
    family = use.manager.family
    start = use.command.start
    if any(
        other.command.start > start and other.action == "clean" and other.manager.family == family for other in run.uses
    ):
        return True
    if any(
        layers.covers(pattern, path) or layers.covers(path, pattern)
        for one in layers.cleaned(build, index)
        if one.simple.start > start
        for pattern in one.paths
        for path in paths
    ):
        return True
    state = build.state(index)
    tails = {posixpath.basename(path) for path in paths} | {
        posixpath.basename(folder.path) for folder in (*use.manager.caches, *use.manager.mounts)
    }
    for command in run.commands:
        names = {posixpath.basename(word.value or "") for word in command.simple.words[:2]}
        if command.simple.start > start and names & {"rm", "find", "xargs"}:
            for word in command.simple.words[1:]:
                if layers.path_of(word, state) is None and any(tail in word.text.lower() for tail in (*tails, "cache")):
                    return True
    return False


def above(build: Build, index: int, path: str) -> tuple[str, ...]:
    """The folders above a cache that need not exist without it, such as ~/.cache."""
    home = (owner(build, index).home or "").rstrip("/")
    found = []
    parent = posixpath.dirname(path)
    while parent != home and parent not in _STANDING:
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


NO_PLACE = "it is not known where the flag may stand"


def with_flag(run: Run, index: int, use: Use, *words: str) -> tuple[Edit, AddsWord] | None:
    """What gives the command of RUN `index` a flag of its verb behind its other options; None where the place is not known."""
    last = behind_options(use)
    if last is None:
        return None
    word = use.command.words[last]
    return rewrite.add_word_behind(run, word.start, word.end, " ".join(words)), AddsWord(index, word.end, words)


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


_ARCHIVES = "/var/cache/apt/archives"


def contradictions(
    build: Build, index: int, targets: tuple[str, ...], assumed: bases.Base | None = None
) -> list[Contradiction]:
    """What the commands of a RUN do against cache mounts on `targets`: flags that switch the cache off, deletion of what is there.
    `assumed` are facts of a base image that is not known."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return []
    found: list[Contradiction] = []
    for use in run.uses:
        folders = use.manager.mounts
        if use.no_cache and any(_inside(path, targets) for _, path in places(build, index, use, folders, assumed)):
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
        own = packages.recognise(cleaning.simple)
        if own is not None and own.manager.family == "apt" and own.verb == "clean":
            # It deletes `archives` and the index files beside it, and nothing in another folder of archives (tried).
            if not any(_inside(target, (_ARCHIVES,)) or _above(target, (_ARCHIVES,)) for target in targets):
                continue
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
    edits: list[Edit] = []
    effects: list[Effect] = []
    for flag in flags:
        word = words[flag.index]
        edits.append(rewrite.drop_word(build, run, words[flag.index - 1].end, word.start, word.end))
        effects.append(DropsWord(index, word.start))
    if use.manager.family == "apk":
        # Without the flag apk takes the index that it finds, or none.
        added = with_flags(index, run, use, fresh_flags(run, use))
        if added is None:
            return Contradiction(span, what, (), (), "it is not known where another flag may stand")
        edits[:0] = added[0]
        effects[:0] = added[1]
    return Contradiction(span, what, tuple(edits), tuple(effects), "")


def fresh_flags(run: Run, use: Use) -> tuple[str, ...]:
    """The options by which a command asks for the newest lists: none where it has them, or an earlier one of the RUN asked."""
    flags = use.manager.fresh_flags
    if not flags or use.has(*flags):
        return ()
    for command in run.commands:
        other = command.use
        if other is None or other.manager.family != use.manager.family:
            continue
        if other.command.start >= use.command.start:
            break
        if not command.nesting and (
            other.action in ("install", "update", "upgrade", "download") and not other.uncertain
        ):
            before = [step for step in run.script.steps if step.pipeline.start <= other.command.start]
            behind = [step.operator for step in run.script.steps if step.pipeline.start <= use.command.start]
            # Behind `a || apk update &&` there may have been none.
            if before[-1].operator in ("", ";", "\n") or all(operator == "&&" for operator in behind[1:]):
                return ()
    return flags


def with_flags(index: int, run: Run, use: Use, flags: tuple[str, ...]) -> tuple[list[Edit], list[Effect]] | None:
    """The edits by which a command gets options, directly behind its verb: others come behind the options that stand there, so
    that it does not matter which come first. None where they may not stand there."""
    if not flags:
        return [], []
    last = behind_verb(use)
    if last is None:
        return None
    word = use.command.words[last]
    return [rewrite.add_word_behind(run, word.start, word.end, " ".join(flags))], [AddsWord(index, word.end, flags)]


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
    """Whether a folder is one that the manager keeps only for another user (Yarn) or in another version (dnf) than the one whose
    mount is spoken of."""
    use = packages.recognise(simple)
    if use is None:
        return False
    if use.manager.family == "dnf":
        # The folders of other versions of it.
        return path in {folder.path for folder in use.manager.caches}
    return use.manager.family == "yarn" and path.endswith(("/share/.cache/yarn", "/.cache/yarn"))


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
