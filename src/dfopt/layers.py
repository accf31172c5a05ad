"""What each RUN, COPY and ADD leaves in its layer, what cleans it, and which later step may read or write a path."""

import itertools
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dfopt import bases, packages, sizes
from dfopt.build import Build, Command, Run, Stage, State, mount_options, once
from dfopt.packages import Use
from dfopt.rule import Saving
from dfopt.shell import Compound, Redirection, Script, Simple, Step, Word
from dfopt.startup import NamedTuple, pattern


class Brought(NamedTuple):
    """Something that `instruction` (an index) leaves in its layer: `path` (absolute, a folder or a file; a glob for several) of a
    `kind`: `lists`, `cache`, `download`, `clone` (of a git repository), `history` (its `.git`), `unpacked` (an archive's contents),
    `written` (a file that another command makes), `copy`. `start` and `end` are the place in the RUN's script of the command that
    wrote it (0, 0 for COPY and ADD); `use` is that command where a package manager wrote it."""

    instruction: int
    kind: str
    path: str
    start: int
    end: int
    use: Use | None


class Cleaning(NamedTuple):
    """A command that deletes: `paths` are absolute globs (`/var/lib/apt/lists/*`); `exact` is whether they are all that it
    deletes, each known; `command` is its index among the script's steps where it stands at the top of the script as a
    pipeline of its own, else None. `words` are its words; `operands` those that name `paths`, one each (`rm`), else none."""

    command: int | None
    simple: Simple
    paths: tuple[str, ...]
    exact: bool
    words: tuple[Word, ...]
    operands: tuple[Word, ...] = ()

    @property
    def text(self) -> str:
        """The command as written, with one blank between its words."""
        return " ".join(word.text for word in self.words)

    def part(self, wanted: Callable[[str], bool]) -> "Cleaning":
        """The command with those operands alone whose path is wanted; the whole one where it has no such operands."""
        chosen = [(word, path) for word, path in zip(self.operands, self.paths) if wanted(path)]
        if not self.exact or len(self.operands) != len(self.paths) or len(chosen) in (0, len(self.operands)):
            return self
        operands = tuple(word for word, _ in chosen)
        words = tuple(word for word in self.words if word in operands or word not in self.operands)
        return self._replace(paths=tuple(path for _, path in chosen), words=words, operands=operands)


def environment(state: State) -> Mapping[str, str | None]:
    """What a command sees, for looking up the variables that move caches: open where the base image is not known, since it
    may set any of them."""
    return _Seen(state)


class _Seen(Mapping[str, "str | None"]):
    """ENV, then ARG, then what the base image sets, none of it copied. Where it is open each name is in it, as in `Variables`."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    def __getitem__(self, name: str) -> str | None:
        environment, arguments, base = self._state.environment, self._state.arguments, self._state.base
        if environment.sets(name):
            return environment[name]
        if arguments.sets(name):
            return arguments[name]
        if base is not None:
            return base.variables[name]
        if environment.open:
            return None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        base = self._state.base.variables if self._state.base is not None else ()
        return iter(dict.fromkeys((*base, *self._state.arguments, *self._state.environment)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def path_of(word: Word, state: State, folder: str | None = None) -> str | None:
    """The absolute path, or glob, that a word of a command stands for; None where it is not known, or relative and `folder`,
    where the command runs, is not given."""
    text = word.value if word.value is not None else word.glob
    if text is None:
        for home in ("~/", "$HOME/", "${HOME}/", '"$HOME"/', '"${HOME}"/'):
            rest = word.text.removeprefix(home)
            if rest != word.text and state.home and not set(rest) & set("$`\"'\\~{}"):
                text = posixpath.join(state.home, rest)
                break
    if text and not text.startswith("/") and folder is not None:
        text = posixpath.join(folder, text)
    if text is None or not text.startswith("/"):
        return None
    path = posixpath.normpath(text)
    return "/" + path.lstrip("/")


def moves(run: Run) -> bool:
    """Whether a command of a RUN changes the folder that those behind it run in."""
    return any(command.name in ("cd", "pushd", "popd") for command in run.commands)


def covers(pattern: str, path: str) -> bool:
    """Whether deleting `pattern` (a path or a glob) deletes `path` or, where `path` is a folder, all that is in it."""
    if pattern[1:2] != path[1:2] and pattern[1:2] not in ("", "*", "?", "["):
        return False  # most pairs part here, and a long file asks for very many
    pattern, path = pattern.rstrip("/"), path.rstrip("/")
    wanted, given = pattern.split("/"), path.split("/")
    if wanted[-1] in ("*", "*.*", "**") and len(wanted) == len(given) + 1 and wanted[-1] != "*.*":
        wanted = wanted[:-1]
    if len(wanted) > len(given):
        return False
    return all(_matches(one, other) for one, other in zip(wanted, given))


# A name that ends like a file's: `app.jar`, `.env.local`; not `conf.d`, `python3.12`, `.venv`.
_FILE = pattern(r"[^.]\.(?!d\b)[A-Za-z][A-Za-z0-9]{0,9}$")

# What ADD unpacks, by the names that such files have.
ARCHIVE = pattern(r"\.(?:tar|tgz|tbz2?|txz|tzst|tar\.(?:gz|bz2|xz|zst|lzma))$", re.IGNORECASE)


class Laid(NamedTuple):
    """One source of a COPY or ADD and where it lies in the image: `path` is the file's, or the folder's that takes the source's contents.
    `kind` is `file`, `archive` (unpacked below `path`), or "" where the source may be a file or a folder."""

    source: str
    path: str
    kind: str


# Files by convention, whose names end like no file's.
_FILES = frozenset(
    "Gemfile Rakefile Guardfile Capfile Brewfile Podfile Fastfile Pipfile Procfile Makefile GNUmakefile Justfile justfile Dockerfile"
    " Containerfile Jenkinsfile Vagrantfile Caddyfile Cakefile Gruntfile LICENSE LICENCE COPYING NOTICE README CHANGELOG CODEOWNERS"
    " gradlew mvnw artisan".split()
)


def takes_folder(build: Build, index: int) -> bool:
    """Whether an instruction is a COPY or ADD of one source of the build context that may be a folder (`.`, `src/`, `app`)."""
    copy = build.copy(index)
    if copy is None or copy.origin is not None or copy.sources is None or copy.destination is None:
        return False
    if len(copy.sources) != 1 or build.instructions[index].heredocs:
        return False
    source = copy.sources[0]
    if "://" in source or source.startswith("git@") or set(source) & set("*?["):
        return False
    name = posixpath.basename(source.rstrip("/"))
    return name in ("", ".", "..") or source.endswith("/") or ("." not in name and not is_file_name(name))


def is_file_name(name: str) -> bool:
    """Whether a name ends like a file's (`app.jar`, not `conf.d`), or is a file's by convention."""
    return _FILE.search(name) is not None or posixpath.basename(name) in _FILES


@once
def laid(build: Build, index: int) -> tuple[Laid, ...] | None:
    """What a COPY or ADD lays where; None where that is not known. A source that may be a folder lies at the destination itself."""
    copy = build.copy(index)
    if copy is None or copy.destination is None or copy.sources is None:
        return None
    heredocs = {heredoc.name for heredoc in build.instructions[index].heredocs}
    add = build.instructions[index].name == "ADD"
    destination = copy.destination
    if "parents" in copy.flags:
        # The folders above each source come with it.
        return tuple(Laid(source, destination.rstrip("/") or "/", "") for source in copy.sources)
    found = []
    for source in copy.sources:
        name = posixpath.basename(source.partition("?")[0].rstrip("/") if "://" in source else source.rstrip("/"))
        url = add and "://" in source
        if add and not url and ARCHIVE.search(name):
            found.append(Laid(source, destination.rstrip("/") or "/", "archive"))
            continue
        is_folder = destination.endswith("/") or len(copy.sources) > 1
        path = posixpath.join(destination, name) if is_folder else destination
        if url and (not name or name.endswith(".git")):
            found.append(Laid(source, destination.rstrip("/") or "/", ""))
            continue
        certain = source in heredocs or url
        named = is_file_name(posixpath.basename(path))
        if (certain or is_file_name(name) or (named and not source.endswith("/"))) and (
            is_folder or named or name == posixpath.basename(path) or _is_new_name(build, index, path)
        ):
            found.append(Laid(source, path, "file"))
        else:
            found.append(Laid(source, destination.rstrip("/") or "/", ""))
    return tuple(found)


def _is_new_name(build: Build, index: int, path: str) -> bool:
    """Whether a path cannot be a folder that takes a COPY's file: it lies among programs, or at the root where nothing made it."""
    folder, name = posixpath.split(path)
    if posixpath.basename(folder) in ("bin", "sbin"):
        return True
    stage = build.stage(index)
    if stage is None or folder != "/":
        return False
    known = build.top_folders(stage)
    if known is None or name in known | bases.SYSTEM_FOLDERS or build.state(index).workdir == path:
        return False
    before = build.syntax.source.text[: build.instructions[index].span.start]
    return re.search(re.escape(path) + r"(?![\w.-])", before) is None


# Folders that the images of Linux distributions have (Filesystem Hierarchy Standard 3.0, chapters 3 to 5).
STANDARD_FOLDERS = frozenset(
    "/ /bin /etc /home /lib /opt /root /sbin /srv /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin /usr/local/lib"
    " /usr/local/share /usr/sbin /usr/share /var /var/cache /var/lib /var/log".split()
)


def region(path: str) -> str:
    """The topmost folder above a path (or the path itself) that is not one of those that the system's images share: `/app` of
    `/app/bin`, `/etc/nginx` of `/etc/nginx/conf.d`; a shared folder itself where the path is one."""
    found = ""
    for part in path.rstrip("/").split("/")[1:]:
        found += "/" + part
        if found not in STANDARD_FOLDERS:
            break
    return found or "/"


def workdir_after(build: Build, index: int) -> str | None:
    """The working directory behind an instruction of a stage."""
    stage = build.stage(index)
    assert stage is not None, "asked for an instruction of a stage"
    return build.state(index + 1).workdir if index < stage.last else build.after(stage).workdir


def exists(build: Build, stage: Stage, folder: str, index: int) -> bool:
    """Whether a folder certainly is there before instruction `index` of `stage`."""
    base = build.state(min(index, stage.last)).base
    standard = base is not None and base.distribution not in (None, "busybox")
    if folder == "/" or (folder in STANDARD_FOLDERS and standard):
        return True
    for one in build.chain(stage):
        for other in one.indexes:
            if one is stage and other >= index:
                break
            if any((path + "/").startswith(folder.rstrip("/") + "/") for path in _made_folders(build, other)):
                return True
    return False


@once
def _made_folders(build: Build, index: int) -> tuple[str, ...]:
    """The folders, each with all above it, that certainly are there behind an instruction."""
    name = build.instructions[index].name
    found: list[str | None] = []
    if name == "WORKDIR":
        found.append(workdir_after(build, index))
    elif name in ("COPY", "ADD"):
        copy = build.copy(index)
        into = copy is not None and (copy.destination or "").endswith("/")
        for one in laid(build, index) or ():
            # A file under the destination's own name makes the folder above it alone.
            certain = into or one.kind == "archive" or posixpath.basename(one.source) in ("", ".", "..")
            found.append(one.path if certain and one.kind != "file" else posixpath.dirname(one.path))
    run = build.run(index)
    for number, step in enumerate(run.script.steps if run is not None and not moves(run) else ()):
        command = step.pipeline.commands[0]
        if isinstance(command, Simple) and command.words and command.words[0].value == "mkdir":
            before = [one.operator for one in run.script.steps[: number + 1]] if run is not None else []
            if set(before) <= {"", "&&"} and set(_later_operators(run, number)) <= {"&&"}:
                state = build.state(index)
                found += [path_of(word, state) for word in command.words[1:] if not word.text.startswith("-")]
    return tuple(path for path in found if path is not None)


def _later_operators(run: Run | None, number: int) -> Iterator[str]:
    return (step.operator for step in run.script.steps[number + 1 :]) if run is not None else iter(())


def occupied(build: Build, stage: Stage, paths: tuple[str, ...], index: int) -> str:
    """Why something may lie at or below one of `paths` (absolute, or globs) before instruction `index` of `stage`; "" where it is shown
    that nothing does."""
    bottom = build.chain(stage)[-1]
    if bottom.base.kind != "scratch":
        if build.top_folders(stage) is None:
            return f"it is not known what the base image `{bottom.base.text}` holds there"
        for path in paths:
            if bases.may_hold(bottom.reference, bottom.facts, path):
                return f"the base image may hold `{path}`"
    for one in build.chain(stage):
        for other in one.indexes:
            if one is stage and other >= index:
                break
            why = _occupies(build, one, other, paths, one is stage)
            if why:
                return why
    return ""


def _occupies(build: Build, stage: Stage, index: int, paths: tuple[str, ...], is_own: bool) -> str:
    """Why instruction `index` may put something at or below one of `paths`; `is_own` is whether its stage is the one that is asked for."""
    instruction = build.instructions[index]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    if instruction.name == "ONBUILD" and not is_own:
        return f"the ONBUILD on line {line} runs before"
    if instruction.name == "WORKDIR":
        made = workdir_after(build, index)
        if made is None:
            return "`WORKDIR` makes a folder that is not known before"
        return f"`WORKDIR` makes `{made}` before" if any(covers(path, made) for path in paths) else ""
    if instruction.name in ("COPY", "ADD"):
        for one in laid(build, index) or (Laid("", "/", ""),):
            # A folder's contents lie below it; a file lies only where it lies.
            if any(overlaps(path, one.path) and (one.kind != "file" or covers(path, one.path)) for path in paths):
                return f"`{instruction.name}` on line {line} may write there"
        return ""
    if any(path.startswith("/usr/local/") for path in paths):
        run = build.run(index)
        for use in run.uses if run is not None else ():
            if use.manager.family not in packages.SYSTEM_FAMILIES:
                return f"`{use.manager.name} {use.verb}` on line {line} may put programs there"
    veto = touches(build, index, paths)
    if veto is None or _only_makes_above(build, index, paths):
        return ""
    return veto.why


def _only_makes_above(build: Build, index: int, paths: tuple[str, ...]) -> bool:
    """Whether all that a RUN does with `paths` is to make folders above them, or to change the owner of these."""
    run = build.run(index)
    if run is None or run.script.opaque is not None or moves(run):
        return False
    state = build.state(index)
    for command in run.commands:
        if not touches_here(command, state, paths):
            continue
        operands = [word for word in command.simple.words[1:] if not word.text.startswith("-")]
        options = [word.text for word in command.simple.words[1:] if word.text.startswith("-")]
        if command.name not in ("mkdir", "chown") or command.simple.redirections or command.simple.assignments:
            return False
        if set(options) - ({"-p", "--parents"} if command.name == "mkdir" else {"-R", "--recursive"}):
            return False
        for word in operands[command.name == "chown" :]:
            made = path_of(word, state, state.workdir)
            if made is None or set(made) & set("*?[") or any(covers(path, made) for path in paths):
                return False
    return not any(True for _ in compounds(run.script))


# Folders that are links on many systems: a merged /usr, and the Filesystem Hierarchy Standard's /var/run and /var/lock.
_LINKS = {
    "/var/run": "/run",
    "/var/lock": "/run/lock",
    "/bin": "/usr/bin",
    "/sbin": "/usr/sbin",
    "/lib": "/usr/lib",
    "/lib64": "/usr/lib64",
}


_VAGUE = frozenset("*?[")
_LINKED_TOPS = frozenset(path.split("/")[1] for path in _LINKS)


def overlaps(one: str, other: str) -> bool:
    """Whether two paths or globs may name the same file, or one a folder above the other."""
    top, another = one.partition("/")[2].partition("/")[0], other.partition("/")[2].partition("/")[0]
    if top != another and _VAGUE.isdisjoint(top + another) and _LINKED_TOPS.isdisjoint((top, another)):
        return not top or not another  # most pairs part here
    return all(
        _matches(first, second) or _matches(second, first)
        for first, second in zip(_components(one), _components(other))
    )


def meets(written: str, other: str) -> bool:
    """Whether a write of the Docker-style glob `written` may change what an access of the glob `other` finds: both may name one path, or
    `written` one of the folders that `other` is reached through. `P/**` is all below P, without P itself."""
    first, second = written.removesuffix("/**"), other.removesuffix("/**")
    one, two = _components(first), _components(second)
    if not all(_matches(a, b) or _matches(b, a) for a, b in zip(one, two)):
        return False
    if len(one) == len(two):
        return first == written or second != other
    return len(one) < len(two) or second != other


def canonical(path: str) -> str:
    """A path or glob with the links followed that are folders of the system on many images: `/var/run/x` is `/run/x`."""
    return "/".join(_components(path)) or "/"


def _components(path: str) -> list[str]:
    path = path.rstrip("/")
    for link, target in _LINKS.items():
        if path == link or path.startswith(link + "/"):
            path = target + path[len(link) :]
            break
    return path.split("/")


def _matches(pattern: str, name: str) -> bool:
    """Whether one component of a path matches a shell pattern."""
    if pattern == name:
        return True
    if not any(character in pattern for character in "*?["):
        return False
    import fnmatch

    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, pattern) or any(character in name for character in "*?[")


def mounted(build: Build, index: int, path: str) -> bool:
    """Whether a RUN has a mount at or above `path`, so that what is written there is not in its layer."""
    for flag in build.instructions[index].flags:
        if flag.name == "mount":
            options = mount_options(flag.value or "")
            target = options.get("target", "/run/secrets" if options["type"] == "secret" else "")
            target = build.absolute(build.expand(target, index), index) or "" if target else ""
            if target and (path + "/").startswith(target.rstrip("/") + "/"):
                return True
    return False


def saving(build: Build, one: Brought, text: str) -> Saving:
    """What a layer without `one` saves, with its size where the table has that."""
    base = build.state(one.instruction).base
    if one.kind == "lists" and one.use is not None:
        return Saving(text, *sizes.lists(one.use.manager.family, base))
    return Saving(text)


def mount_within(build: Build, index: int, paths: tuple[str, ...]) -> bool:
    """Whether a RUN has a mount, or one whose place is not known, at, above or below one of `paths`: to delete these there
    empties the mount or fails."""
    for flag in build.instructions[index].flags:
        if flag.name == "mount":
            options = mount_options(flag.value or "")
            target = options.get("target", "/run/secrets" if options["type"] == "secret" else "")
            if not target and options["type"] == "ssh":
                continue
            place = build.absolute(build.expand(target, index), index)
            if place is None or any(overlaps(path, place) for path in paths):
                return True
    return False


@once
def brought(build: Build, index: int) -> list[Brought]:
    """What instruction `index` leaves in its layer when it is done: package lists and caches, downloads, copied files."""
    found = written(build, index)
    if not found or build.instructions[index].name != "RUN":
        return found
    cleanings = cleaned(build, index)
    return [
        one
        for one in found
        if not mounted(build, index, one.path)
        and not _in_other_mount(build, index, one)
        and not _maybe_cleaned(build, index, one)
        and not _cleaned_elsewhere(build, index, one, cleanings)
        and not any(
            covers(pattern, one.path)
            for cleaning in cleanings
            if cleaning.simple.start >= one.start
            for pattern in cleaning.paths
        )
    ]


def image_of(build: Build, index: int) -> tuple[str, str]:
    """The repository and the tag of the image at the bottom of an instruction's stage, "" where they are not known."""
    stage = build.stage(index)
    image = build.chain(stage)[-1].image if stage is not None else None
    return bases.repository_of(image) if image else ("", "")


# yum's own folder, before it became another name of dnf's.
YUM_FOLDER = "/var/cache/yum"


def dnf_folder(build: Build, index: int, name: str) -> str:
    """Where `dnf` or `yum` keeps its files: dnf 5 is Fedora's since 41, dnf 4 Enterprise Linux's since 8 (each distribution's
    release notes); yum 3 came before. "" where that is not known, as for microdnf, whose folder hangs on its version."""
    if name not in ("dnf", "dnf5", "yum"):
        return ""
    repository, tag = image_of(build, index)
    number = re.match(r"(?:stream|centos|v)?(\d+)", tag)
    version = int(number[1]) if number is not None else None
    if repository == "fedora":
        if tag in ("latest", "rawhide") or (version is not None and version >= 41):
            return "/var/cache/libdnf5"
        return "/var/cache/dnf" if version is not None and name == "dnf" and version >= 22 else ""
    if name == "dnf5":
        return "/var/cache/libdnf5"
    universal = re.match(r"registry\.access\.redhat\.com/ubi(\d+)", repository)
    if universal is not None:
        version = int(universal[1])
    elif repository not in ("centos", "quay.io/centos/centos", "rockylinux", "almalinux", "oraclelinux", "amazonlinux"):
        return ""
    elif tag == "latest":
        version = {"centos": 8, "amazonlinux": 2023, "almalinux": 9}.get(repository)
    if version is None:
        return ""
    is_old = version < 8 or (repository == "amazonlinux" and version < 2022)
    if is_old:
        return YUM_FOLDER if name == "yum" else ""
    return "/var/cache/dnf"


def _cleaned_elsewhere(build: Build, index: int, one: Brought, cleanings: Sequence[Cleaning]) -> bool:
    """Whether a RUN deletes another of the folders that dnf has by its version, where that is not known: its author knows which."""
    if one.use is None or one.use.manager.family != "dnf" or dnf_folder(build, index, one.use.manager.name):
        return False
    places = [folder.path for folder in (*one.use.manager.lists, *one.use.manager.caches)]
    return any(
        covers(pattern, place)
        for cleaning in cleanings
        if cleaning.simple.start >= one.start
        for pattern in cleaning.paths
        for place in places
    )


def _in_other_mount(build: Build, index: int, one: Brought) -> bool:
    """Whether a mount takes what was brought though it stands elsewhere: the place that makes apk keep packages there, and the
    folder that dnf has in another version."""
    if one.use is None or one.use.manager.family not in ("apk", "dnf"):
        return False
    return any(mounted(build, index, folder.path) for folder in (*one.use.manager.mounts, *one.use.manager.lists))


def _maybe_cleaned(build: Build, index: int, one: Brought) -> bool:
    """Whether a later `rm` of the RUN may delete what was brought though its words do not say so (`cd` there, a variable, braces)."""
    run = build.run(index)
    if run is None or one.end == 0:
        return False
    state = build.state(index)
    tail = "/".join(one.path.split("/")[-2:])
    for command in run.commands:
        if command.simple.start < one.start or command.name not in ("rm", "/bin/rm", "find", "xargs", "sudo"):
            continue
        for word in command.simple.words[1:]:
            if path_of(word, state) is None and not word.text.startswith("-"):
                if (
                    tail in run.script.text.replace(run.script.text[one.start : one.end], "")
                    or tail.split("/")[-1] in word.text
                ):
                    return True
    return False


@once
def written(build: Build, index: int) -> list[Brought]:
    """What instruction `index` writes, be it cleaned up by its own later commands or not."""
    instruction = build.instructions[index]
    if instruction.name in ("COPY", "ADD"):
        return list(_copied(build, index))
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return []
    state = build.state(index)
    found: list[Brought] = []
    for simple, nesting, use in run.commands:
        if use is not None:
            found += _managed(build, index, use, state)
        elif "substitution" not in nesting:
            found += [
                Brought(index, "download", path, simple.start, simple.end, None)
                for path in _downloads(simple, state, run)
            ]
            found += [
                Brought(index, "written", path, simple.start, simple.end, None) for path in _made(simple, state, run)
            ]
            found += [
                Brought(index, kind, path, simple.start, simple.end, None)
                for kind, path in _unfolded(simple, state, None if moves(run) else state.workdir)
            ]
    return found


# Options by which a system's package manager works in another root or keeps its files elsewhere.
ELSEWHERE = pattern(r"\bDir\b|^--(?:installroot|root|downloaddir|cache-?dir|config)|(?i:cachedir)|^-[cR]")


def _managed(build: Build, index: int, use: Use, state: State) -> Iterator[Brought]:
    if use.manager.family in packages.SYSTEM_FAMILIES and any(
        ELSEWHERE.search(word.text) for word in use.command.words
    ):
        return
    seen = environment(state)
    debian = state.base is None or state.base.distribution in (None, "debian")
    own = dnf_folder(build, index, use.manager.name) if use.manager.family == "dnf" else ""
    if use.fetches_lists:
        for folder in use.manager.lists:
            if own and folder.path != own:
                continue
            path = packages.locate(folder, state.home, seen, use)
            if path is not None:
                yield Brought(index, "lists", path, use.command.start, use.command.end, use)
    # A script that `npm run` starts may download, but that is not known.
    if use.fills_caches and use.action not in ("run", "init") and not (use.manager.family == "apt" and debian):
        # Debian's and Ubuntu's images delete apt's archives after each install (/etc/apt/apt.conf.d/docker-clean).
        for folder in use.manager.caches:
            if own and folder.path != own:
                continue
            if folder.user and folder.user != ("root" if state.is_root else "other"):
                continue
            path = packages.locate(folder, state.home, seen, use)
            if path is not None:
                yield Brought(index, "cache", path, use.command.start, use.command.end, use)


def _copied(build: Build, index: int) -> Iterator[Brought]:
    copy = build.copy(index)
    if copy is None or copy.destination is None or copy.sources is None:
        return
    destination = copy.destination
    if not destination.endswith("/") and len(copy.sources) == 1:
        yield Brought(index, "copy", destination, 0, 0, None)
    for source in copy.sources:
        name = posixpath.basename(source.rstrip("/"))
        # A source without a dot may be a folder, whose contents are copied, not the folder itself.
        if destination.endswith("/") and name not in ("", ".", "..") and "." in name and "://" not in source:
            yield Brought(index, "copy", destination + name, 0, 0, None)


def _downloads(simple: Simple, state: State, run: Run) -> Iterator[str]:
    """The files that `curl -o`, `wget -O` and their like write, where known and absolute (or below a known folder)."""
    words = simple.words
    name = words[0].value if words else None
    if name not in ("curl", "wget"):
        return
    flags = {"curl": ("-o", "--output"), "wget": ("-O", "--output-document")}[name]
    moved = moves(run)
    if any(
        re.match(r"-\w*P|--directory-prefix|--output-dir|--cut-dirs|-\w*[xr]\b|--recursive", word.text)
        for word in words[1:]
    ):
        return

    for position, word in enumerate(words[1:], 1):
        text = word.value
        if text is None:
            continue
        target: str | None = None
        if text in flags or (
            text.startswith("-") and not text.startswith("--") and text.endswith(flags[0][1]) and len(text) > 2
        ):
            target = _placed(words[position + 1], state, moved) if position + 1 < len(words) else None
        elif text.startswith(flags[1] + "="):
            value = text.partition("=")[2]
            target = value if value.startswith("/") else None
        elif (
            name == "wget"
            or any((other.value or "") in ("-O", "--remote-name", "-LO", "-fsSLO", "-sSLO", "-OL") for other in words)
        ) and (
            text.startswith(("http://", "https://", "ftp://"))
            and not any((other.value or "").startswith(flags) for other in words)
        ):
            base = posixpath.basename(text.partition("?")[0])
            if base and not moved and state.workdir:
                target = posixpath.join(state.workdir, base)
        if target:
            yield target
    yield from _redirected(simple, state, moved)


# What prints a few words: the file that they go to is no loss.
_PRINTS = frozenset(
    "echo printf cat date hostname id uname env touch true : test [ sed awk grep tr cut sort head tail".split()
)
_MAKES = {"dd": "of=", "fallocate": "", "mkfile": ""}


def _made(simple: Simple, state: State, run: Run) -> Iterator[str]:
    """The files that other commands write whole, by redirection or by name, where known: what only prints some words is left out."""
    words = simple.words
    name = posixpath.basename(words[0].value or "") if words else ""
    if not name or name in ("curl", "wget"):
        return
    moved = moves(run)
    if name not in _PRINTS or any(word.value in ("/dev/zero", "/dev/urandom", "/dev/random") for word in words):
        yield from _redirected(simple, state, moved)
    if name in _MAKES and len(words) > 1:
        marks = [word for word in words[1:] if (word.value or "").startswith(_MAKES[name])]
        last = marks[-1] if marks else None
        value = last.value.removeprefix(_MAKES[name]) if last is not None and last.value is not None else ""
        path = _joined(value, state, moved) if value and not value.startswith("-") else None
        if path is not None and not path.startswith("/dev/"):
            yield path


def _redirected(simple: Simple, state: State, moved: bool) -> Iterator[str]:
    """The files that the output of a command goes to."""
    for redirection in simple.redirections:
        if redirection.operator in (">", ">>", ">|") and redirection.descriptor in (None, "1"):
            path = _placed(redirection.target, state, moved)
            if path is not None and not path.startswith(("/dev/", "/proc/", "/sys/")):
                yield path


def _placed(word: Word, state: State, moved: bool) -> str | None:
    """The path that a word names, below the working directory where no `cd` leaves that (`moved`)."""
    return path_of(word, state) or (_joined(word.value, state, moved) if word.value else None)


def _joined(value: str, state: State, moved: bool) -> str | None:
    if value.startswith("/"):
        return posixpath.normpath(value)
    return (
        posixpath.normpath(posixpath.join(state.workdir, value))
        if state.workdir and not moved and value[0] != "-"
        else None
    )


# Options of `git clone` that take their value from the next word, and those that have none (git-clone(1)).
_CLONE_VALUES = frozenset(
    "-b --branch --depth -o --origin -c --config -u --upload-pack --reference --reference-if-able --separate-git-dir -j --jobs --filter"
    " --template --server-option --shallow-since --shallow-exclude --revision --bundle-uri".split()
)
_CLONE_FLAGS = frozenset(
    "-q --quiet -v --verbose --progress -n --no-checkout --recursive --recurse-submodules --single-branch --no-single-branch"
    " --no-tags --tags --shallow-submodules --no-shallow-submodules --remote-submodules --no-remote-submodules --sparse --dissociate -l"
    " --local --no-hardlinks -s --shared --reject-shallow --no-reject-shallow".split()
)


def _unfolded(simple: Simple, state: State, folder: str | None) -> Iterator[tuple[str, str]]:
    """The folders that `git clone`, `tar -C` and `unzip -d` fill, where known, with their kind; `folder` is where they run."""
    words = simple.words
    name = words[0].value if words else None
    if name == "git":
        place = cloned(words, state, folder)
        if place is not None and place != "/":
            # The last one is spoken of where both go.
            yield "history", f"{place}/.git"
            yield "clone", place
    elif name in ("tar", "unzip"):
        for word, value in itertools.pairwise(words):
            if word.value in (("-C", "--directory") if name == "tar" else ("-d",)):
                place = path_of(value, state, folder)
                if place is not None and place.count("/") > 1:
                    yield "unpacked", place


def cloned(words: tuple[Word, ...], state: State, folder: str | None) -> str | None:
    """The folder that a `git clone` makes; None where that is not known, or it is no clone."""
    if len(words) < 3 or words[1].value != "clone":
        return None
    operands: list[Word] = []
    rest = list(words[2:])
    while rest:
        word = rest.pop(0)
        if not word.text.startswith("-"):
            operands.append(word)
        elif word.value in _CLONE_VALUES:
            if not rest:
                return None
            rest.pop(0)
        elif word.value not in _CLONE_FLAGS and not (word.value or word.text).startswith(
            tuple(f"{option}=" for option in (*_CLONE_VALUES, "--recurse-submodules") if option.startswith("--"))
        ):
            return None
    if len(operands) == 2:
        return path_of(operands[1], state, folder)
    address = operands[0].value if len(operands) == 1 else None
    if address is None or folder is None:
        return None
    name = posixpath.basename(address.rstrip("/").removesuffix("/.git").removesuffix(".git"))
    return posixpath.join(folder, name) if name and ":" not in name else None


@once
def cleaned(build: Build, index: int) -> tuple[Cleaning, ...]:
    """The commands of a RUN that delete: `rm`, `unlink`, `find ... -delete` and the package managers' own."""
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return ()
    state = build.state(index)
    folder = None if moves(run) else state.workdir
    tops = {id(simple): number for number, simple in _tops(run.script.steps)}
    cleanings = []
    for command in run.commands:
        found = _cleaning(command, state, folder)
        if found is not None:
            paths, exact, operands = found
            number = tops.get(id(command.simple))
            cleanings.append(Cleaning(number, command.simple, paths, exact, command.simple.words, operands))
    return tuple(cleanings)


def _tops(steps: Iterable[Step]) -> Iterator[tuple[int, Simple]]:
    for number, step in enumerate(steps):
        if len(step.pipeline.commands) == 1 and not step.pipeline.negated:
            command = step.pipeline.commands[0]
            if isinstance(command, Simple):
                yield number, command


def _cleaning(
    command: Command, state: State, folder: str | None
) -> tuple[tuple[str, ...], bool, tuple[Word, ...]] | None:
    simple, _, use = command
    if use is not None:
        if not use.empties:
            return None
        seen = environment(state)
        folders = {folder.path: folder for folder in (*use.manager.caches, *use.manager.lists)}
        located: list[str | None] = [
            packages.locate(folders[path], state.home, seen, use)
            if path in folders
            else path
            if "{" not in path
            else None
            for path in use.empties
        ]
        known = tuple(path for path in located if path is not None)
        plain = not simple.assignments and not simple.redirections and not use.prefix and not use.uncertain
        return known, plain and len(known) == len(located), ()
    words = simple.words
    name = words[0].value if words else None
    if name == "sudo" and len(words) > 1:
        words, name = words[1:], words[1].value
    if name in ("rm", "unlink", "/bin/rm"):
        operands = [word for word in words[1:] if not (word.value or "").startswith("-")]
        paths = [path_of(word, state, folder) for word in operands]
        flags = [word.value for word in words[1:] if (word.value or "").startswith("-")]
        exact = (
            None not in paths
            and not simple.assignments
            and not simple.redirections
            and words is simple.words
            and all(
                set(flag or "") <= set("-rRfv") or flag in ("--recursive", "--force", "--verbose") for flag in flags
            )
        )
        return tuple(path for path in paths if path is not None), exact and bool(paths), tuple(operands)
    if name == "find":
        return _found_and_deleted(words, state, folder)
    return None


def _found_and_deleted(
    words: tuple[Word, ...], state: State, folder: str | None
) -> tuple[tuple[str, ...], bool, tuple[Word, ...]] | None:
    """What a `find` deletes, be it by `-delete` or `-exec rm`: all below its folders that has a name, or everything. Where it asks
    for more than name and type, that is not known."""
    values = [word.value if word.value is not None else word.text for word in words]
    tops: list[str | None] = []
    rest = list(zip(words[1:], values[1:]))
    while rest and not rest[0][1].startswith(("-", "(", "!", "\\")):
        tops.append(path_of(rest.pop(0)[0], state, folder))
    names: list[str] = []
    deletes = False
    while rest:
        value = rest.pop(0)[1]
        if value in ("-type", "-mindepth", "-maxdepth") and rest:
            rest.pop(0)
        elif value in ("-name", "-iname") and rest:
            names.append(rest.pop(0)[1])
        elif value in ("-exec", "-execdir") and rest and rest[0][1] in ("rm", "/bin/rm"):
            deletes = True
            while rest and rest[0][1] not in (";", "\\;", "+"):
                rest.pop(0)
            del rest[:1]
        elif value == "-delete":
            deletes = True
        elif value not in ("-depth", "-xdev", "-mount", "-follow"):
            return None
    if not deletes or len(names) > 1:
        return None
    known = tuple(f"{top.rstrip('/')}/{names[0] if names else '*'}" for top in tops if top is not None)
    return known, False, ()


# --------------------------------------------------------------------------------------------- what reads and writes


# Only package managers and clean-up commands have business in these.
_PACKAGE_FOLDERS = (
    "/var/lib/apt/",
    "/var/cache/apt/",
    "/var/cache/apk/",
    "/var/cache/yum/",
    "/var/cache/dnf/",
    "/var/cache/zypp/",
)


class Veto(NamedTuple):
    """A step that may read or write a path: the index of its instruction, and why, in words. `certain` is whether it does so
    by what is known of it; else it is only not shown that it does not."""

    instruction: int
    why: str
    certain: bool = True


def touches(
    build: Build, index: int, paths: tuple[str, ...], before: int | None = None, families: tuple[str, ...] = ()
) -> Veto | None:
    """Why instruction `index` may read or write one of `paths` (absolute, or globs), or None where it is shown that it does not.

    `before` asks only for the commands of a RUN that stand before this offset of its script. Package managers of `families`
    are left out: the caller has looked at them.
    """
    instruction = build.instructions[index]
    line = build.syntax.source.line_of(instruction.keyword_span.start)
    if instruction.name in ("COPY", "ADD"):
        copy = build.copy(index)
        if copy is None or copy.destination is None:
            return Veto(index, f"it is not known where line {line} copies to", False)
        if instruction.name == "ADD" or any(overlaps(path, copy.destination) for path in paths):
            # ADD unpacks archives, whose paths are not known; below its destination they are.
            if any(overlaps(path, copy.destination) for path in paths):
                return Veto(index, f"`{instruction.name}` on line {line} may write there")
        return None
    if instruction.name == "WORKDIR":
        made = build.absolute(build.expand(instruction.arguments[0] if instruction.arguments else "", index), index)
        if made is None or any(
            overlaps(path, made) and len(_components(made)) >= len(_components(path)) for path in paths
        ):
            return Veto(index, f"`WORKDIR` on line {line} may make it", made is not None)
        return None
    if (
        instruction.name == "ONBUILD"
        and instruction.inner is not None
        and instruction.inner.name in ("RUN", "COPY", "ADD")
    ):
        return Veto(index, f"the ONBUILD on line {line} runs in what is built from this", False)
    if instruction.name != "RUN":
        return None
    run = build.run(index)
    if run is None:
        return Veto(index, f"the JSON form of RUN on line {line} is not looked into", _names(build, index, paths))
    if run.script.opaque is not None:
        why = f"the RUN on line {line} is not understood: {run.script.opaque}"
        return Veto(index, why, _names(build, index, paths))
    state = build.state(index)
    folder = None if moves(run) else state.workdir
    found: Veto | None = None
    for command in run.commands:
        if before is not None and command.simple.start >= before:
            break
        why, certain = _command_touches(command, state, folder, paths, families)
        if why and (found is None or certain):
            place = build.syntax.source.line_of(run.span(command.simple.start, command.simple.end).start)
            found = Veto(index, f"{why} on line {place}", certain)
            if certain:
                return found
    for compound in compounds(run.script):
        if before is not None and compound.start >= before:
            continue
        words = compound.words if compound.kind in ("for", "select", "test") else ()
        why, certain = _words_touch(
            compound.kind, words, compound.redirections, state, folder, paths, compound.kind != "test"
        )
        if why and (found is None or certain):
            place = build.syntax.source.line_of(run.span(compound.start, compound.end).start)
            found = Veto(index, f"{why} on line {place}", certain)
            if certain:
                break
    return found


def compounds(script: Script) -> Iterator[Compound]:
    """The compound commands of a script, those in others and in substitutions too."""
    for step in script.steps:
        for command in step.pipeline.commands:
            words = list(command.words) + [redirection.target for redirection in command.redirections]
            if isinstance(command, Compound):
                yield command
                for body in command.bodies:
                    yield from compounds(body)
            else:
                words += [assignment.value for assignment in command.assignments if assignment.value is not None]
            for word in words:
                for inner in word.substitutions:
                    yield from compounds(inner)


# These work in the current folder without naming it.
WORKING_HERE = frozenset("tar unzip git curl wget cpio find ls dir zip split patch mktemp du".split())


# With these alone curl stores nothing where it is not told to.
_CURL_OPTIONS = pattern(
    r"-[fsSLvko#]+|--(?:fail|silent|show-error|location|retry|proto|tlsv1\.2|output|connect-timeout)"
)


def told_elsewhere(command: Command) -> bool:
    """Whether a command that by itself works in the current folder is told by its words to work where these say."""
    program = posixpath.basename(command.name or "")
    given = [word.value or word.text for word in command.simple.words[1:]]
    if program == "tar":
        return any(word in ("-C", "--directory") for word in given)
    if program == "find":
        return bool(given) and given[0].startswith("/")
    if program == "curl":
        return all(_CURL_OPTIONS.fullmatch(word) for word in given if word.startswith("-"))
    return False


# Their words are text, names or numbers, no paths, unless they begin with a slash or are redirections.
_NAMING_NOTHING = frozenset(
    "echo printf true false : useradd userdel usermod groupadd groupdel groupmod adduser addgroup deluser delgroup chpasswd"
    " passwd chsh id whoami date sleep seq expr uname arch nproc hostname printenv export set unset umask exit type".split()
)


def _command_touches(
    command: Command, state: State, folder: str | None, paths: tuple[str, ...], families: tuple[str, ...]
) -> tuple[str, bool]:
    """Why a command may touch one of `paths` ("" where it does not), and whether it certainly does; `folder` is where it
    runs, None where that is not known."""
    simple, _, use = command
    label = command.label
    # What is not known touches anything but the folders that only package managers and clean-up commands name.
    private = all((path + "/").startswith(_PACKAGE_FOLDERS) for path in paths)
    here = not private and (folder is None or any(overlaps(path, folder) for path in paths))
    where = f"`{label}` works in `{folder}`" if folder else f"`{label}` works in a folder that is not known"
    if use is not None:
        if use.manager.family in families:
            return "", False
        works_here = use.manager.family not in packages.SYSTEM_FAMILIES and (
            use.reads_project or use.action not in ("install", "upgrade", "download")
        )
        why, certain = _manager_touches(use, state, paths, private)
        if not why and here and works_here:
            why, certain = where, True
        if not why or not certain:
            other, sure = _words_touch(label, simple.words[1:], simple.redirections, state, folder, paths, False, True)
            if sure or not why:
                why, certain = other, sure
        if not why and not private and use.manager.family not in packages.SYSTEM_FAMILIES:
            why = _sent_elsewhere(use, state, folder, paths)
        return why, certain
    if simple.words and not packages.touches_only_its_words(simple):
        return f"it is not known what `{label}` reads and writes", False
    name = posixpath.basename(command.name or "")
    if here and name in WORKING_HERE and not told_elsewhere(command):
        return where, True
    return _words_touch(label, simple.words[1:], simple.redirections, state, folder, paths, name in _NAMING_NOTHING)


def _sent_elsewhere(use: Use, state: State, folder: str | None, paths: tuple[str, ...]) -> str:
    """By what option or variable a manager may work in one of `paths` (`pip install -t lib`, `PIP_TARGET=/app/lib`); "" where by none."""
    for name, path in sent_elsewhere(use, state, folder):
        if path is None:
            return f"it is not known where `{name}` sends `{use.manager.name} {use.verb}`"
        if any(overlaps(path, other) for other in paths):
            return f"`{name}` may send `{use.manager.name} {use.verb}` there"
    return ""


def sent_elsewhere(use: Use, state: State, folder: str | None) -> Iterator[tuple[str, str | None]]:
    """The options and variables that may send a manager's work to a folder, with that folder; None where it is not known."""
    given = [(option.name, option.value) for option in use.options if option.value is not None or option.unknown]
    known = f"{use.manager.name}_"
    given += [
        (name, value)
        for name, value in (*state.arguments.items(), *state.environment.items(), *use.environment)
        if (value is None or value.startswith("/")) and name.lower().startswith((known, "npm_config_", "pip_"))
    ]
    for name, value in given:
        if value is None or (folder is None and not value.startswith("/")):
            yield name, None
        elif "://" not in value:
            yield name, "/" + posixpath.normpath(posixpath.join(folder or "/", value)).lstrip("/")


# What may stand before a path inside a word: `if=/x`, `@/x`, `a:/x`.
_SEPARATORS = pattern(r"[=@:,]")


def _words_touch(
    label: str, words: Iterable[Word], redirections: Iterable[Redirection], state: State, folder: str | None, paths: tuple[str, ...],
    text_only: bool, packaged: bool = False,
) -> tuple[str, bool]:  # fmt: skip
    """Why words and redirections may name one of `paths`, and whether they certainly do."""
    private = all((path + "/").startswith(_PACKAGE_FOLDERS) for path in paths)
    doubt = ""
    for word, path in named(words, redirections, state, folder, text_only, packaged):
        text = word.value or word.glob or word.text
        if path is None:
            doubt = doubt or ("" if private else f"it is not known what `{text}` names")
        elif any(overlaps(path, other) for other in paths):
            return f"`{label}` names `{text}`", True
    return doubt, False


def named(
    words: Iterable[Word], redirections: Iterable[Redirection], state: State, folder: str | None, text_only: bool = False,
    packaged: bool = False,
) -> Iterator[tuple[Word, str | None]]:  # fmt: skip
    """The absolute paths, or globs, that words and redirections of a command may name, None where it is not known what one names.

    With `text_only` words that do not begin with a slash are text; with `packaged` they are names of packages unless they hold a slash.
    """
    for word, is_text in (*((word, text_only) for word in words), *((one.target, False) for one in redirections)):
        text = word.value if word.value is not None else word.glob
        if text is None:
            yield word, path_of(word, state)
            continue
        candidates = [piece for piece in _SEPARATORS.split(text) if piece.startswith("/")]
        if text.startswith("-"):
            # An option may hold a path: `-C/opt`, `--file=x`.
            candidates += [text[text.index("/") :]] if "/" in text else []
            candidates += [text.partition("=")[2]]
        elif word.value is None or not is_text:
            candidates += [text] if not packaged or "/" in text else []
            candidates += [text.partition("=")[2]]
        for candidate in filter(None, candidates):
            if not candidate.startswith("/"):
                if folder is None:
                    yield word, None
                    continue
                candidate = posixpath.join(folder, candidate)
            yield word, "/" + posixpath.normpath(candidate).lstrip("/")


def _manager_touches(use: Use, state: State, paths: tuple[str, ...], private: bool) -> tuple[str, bool]:
    """Why a package manager's command may touch one of `paths` in the folders that it keeps, and whether it certainly does."""
    name = f"`{use.manager.name} {use.verb}`".replace(" `", "`")
    seen = environment(state)
    # A manager of the distribution makes its folders and locks whatever it does: `apt-get clean` writes below lists too (tried).
    system = use.manager.family in packages.SYSTEM_FAMILIES
    lists, caches = system or use.fetches_lists or use.needs_lists, system or use.fills_caches
    # What `npm run` and its like do is up to the project's scripts.
    certain = use.action not in ("run", "init")
    for folder in dict.fromkeys((*use.manager.lists, *use.manager.caches)):
        works = (
            (lists and folder in use.manager.lists)
            or (caches and folder in use.manager.caches)
            or folder.path in use.empties
        )
        if not works:
            continue
        place = packages.locate(folder, state.home, seen, use)
        if place is None:
            if not private or use.manager.family in packages.SYSTEM_FAMILIES:
                return f"{name} keeps files in a folder that is not known", False
        elif any(overlaps(path, place) for path in paths):
            return (f"{name} works with it", True) if certain else (f"{name} may work with it", False)
    if any(overlaps(path, "/tmp") or overlaps(path, "/var/tmp") for path in paths):
        return f"{name} may use temporary files", False
    return "", False


def _names(build: Build, index: int, paths: tuple[str, ...]) -> bool:
    """Whether the text of a RUN that is not read names one of `paths`, or a package manager that keeps its files there."""
    instruction = build.instructions[index]
    text = "\n".join((instruction.logical.text, *(heredoc.body.text for heredoc in instruction.heredocs)))
    if any(path.rstrip("/*") in text for path in paths if path.count("/") > 1):
        return True
    return any(
        re.search(rf"(?<![\w.-]){re.escape(manager.name)}(?![\w.-])", text) is not None
        for manager in packages.MANAGERS.values()
        for folder in (*manager.lists, *manager.caches)
        if any(overlaps(path, folder.path) for path in paths)
    )


def touches_here(command: Command, state: State, paths: tuple[str, ...]) -> str:
    """Why a command that runs in the working directory may read or write one of `paths`; "" where it is shown that it does not."""
    return _command_touches(command, state, state.workdir, paths, ())[0]


def later(build: Build, index: int) -> Iterator[int]:
    """The indexes of the instructions that see what instruction `index` leaves: the rest of its stage and the stages FROM it."""
    stage = build.stage(index)
    if stage is None:
        return
    yield from range(index + 1, stage.last + 1)
    for child in build.children(stage):
        yield from range(child.first + 1, child.last + 1)


def deleted_later(build: Build, stage: Stage, index: int, path: str) -> bool:
    """Whether a later RUN of the stage deletes what instruction `index` left at `path`, and did not write it itself: a clean-up that
    comes too late, and is to move."""
    for later_index in range(index + 1, stage.last + 1):
        for cleaning in cleaned(build, later_index):
            if any(covers(pattern, path) for pattern in cleaning.paths):
                return not any(
                    one.path == path and one.start < cleaning.simple.start for one in written(build, later_index)
                )
    return False


@once
def copied_from(build: Build, stage: Stage, paths: tuple[str, ...]) -> Veto | None:
    """Why one of `paths` in `stage` (or a stage FROM it) may be taken by a COPY --from or a mount, or None."""
    for one in (stage, *build.children(stage)):
        for reference in build.users(one):
            index = reference.instruction
            line = build.syntax.source.line_of(reference.span.start)
            if build.instructions[index].name == "RUN":
                return Veto(index, f"the mount on line {line} may read it")
            copy = build.copy(index)
            if copy is None or copy.sources is None:
                return Veto(index, f"it is not known what line {line} copies")
            for source in copy.sources:
                if any(overlaps("/" + source.lstrip("/"), path) for path in paths):
                    return Veto(index, f"`COPY --from` on line {line} copies it")
    return None
