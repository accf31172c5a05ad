"""A language's proposal to a whole plan: what is carried, repeated and asked, by reading every command of the stage."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import bases, layers, projects, shell
from dfopt.packages import Use
from dfopt.startup import NamedTuple, pattern
from dfopt.synthesis import (
    WRAPPERS,
    Artefact,
    Kept,
    NewCopy,
    NewRun,
    NewSetting,
    Placed,
    Plan,
    Proposal,
    Question,
    Site,
    facts,
    last_step,
    matches_any,
)  # fmt: skip

_NAMES = ("build", "builder", "compile", "build-stage", "build-2", "build-3", "build-4")

# What speaks of running alone: it goes to the runtime stage wherever it stands.
RUNNING = frozenset(("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "VOLUME", "STOPSIGNAL", "LABEL", "MAINTAINER"))

_STARTING = ("CMD", "ENTRYPOINT", "HEALTHCHECK")

_DEFAULT_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

# Commands that leave nothing a running program needs, but for what they are redirected to.
_HARMLESS = frozenset(
    "echo printf cd pushd popd ls pwd set true false : cat test [ [[ sleep export unset env which type command date uname id whoami head tail grep egrep"
    " awk cut sort uniq wc tr find xargs file strip upx ldd du df git hash time exit umask readonly shopt local read sha256sum sha512sum md5sum sync"
    " readelf nproc getconf expr tee dirname basename realpath gpg ldconfig trap wait eval nice stat diff dos2unix".split()
)
_USERS = frozenset(("useradd", "adduser", "groupadd", "addgroup", "usermod"))

# Files beside the sources that no program reads: documents, settings of tools, descriptions of builds and deployments.
_IRRELEVANT = pattern(
    r"(?:readme|licen[cs]e|copying|changelog|changes|contributing|authors|notice|code_of_conduct|security|maintainers|codeowners)(?:\.(?:md|txt|rst|adoc|markdown))?"
    r"|(?:.*\.)?dockerfile(?:\..*)?|\.dockerignore|(?:docker-)?compose(?:\.[\w-]+)?\.ya?ml|\.git(?:|hub|lab|ignore|attributes|modules|keep|lab-ci\.yml)|\.editorconfig"
    r"|makefile|gnumakefile|\.vscode|\.idea|jenkinsfile|\.travis\.yml|\.circleci|\.golangci\.ya?ml|\.pre-commit-config\.yaml|renovate\.json|\.goreleaser\.ya?ml"
    r"|taskfile\.ya?ml|vagrantfile|testdata|\.ds_store|\.?dfopt\.toml|justfile|\.envrc|skaffold\.ya?ml|fly\.toml|procfile|\.air\.toml|\.?codecov\.ya?ml"
    r"|sonar-project\.properties|\.hadolint\.ya?ml"
)

# Names of folders that a running program reads, whatever the language.
_DATA = pattern(
    r"templates?|static|public|assets|views|config|configs|conf|migrations?|locales?|i18n|translations|web|www|html|data|resources|res|certs"
    r"|dist|ui|fixtures|sql|schema|schemas|themes?|fonts|images|img|css|js|media|etc|plugins|rules|policies"
)

_MOST = 12

# What stands for itself in a COPY and in a shell.
_PLAIN = pattern(r"[\w./:+@%,=-]+")

# Options of sed by which it writes into its files; `-i` may stand behind others that take no value (`-ri`, `-Ei`).
_IN_PLACE = pattern(r"-[nrEsuz]*i|--in-place")

_PUT = "the stage puts it there"
_EDITED = "the stage edits it"
_DOWNLOADED = "the stage downloads it"


class _Start(NamedTuple):
    """Words of CMD, ENTRYPOINT or HEALTHCHECK (None: not known); `runs` is whether the first is a program."""

    instruction: int
    words: tuple[str | None, ...]
    runs: bool
    shell: bool


class _Found:
    """What the commands of a stage come to, as it is collected."""

    __slots__ = (
        "products",
        "hidden",
        "links",
        "origins",
        "packages",
        "recommends",
        "left",
        "setup",
        "questions",
        "notes",
        "owners",
        "folders",
        "used",
        "refusal",
        "foreign",
    )

    def __init__(self) -> None:
        self.products: dict[str, Artefact] = {}
        # What a RUN deletes, and the last that does.
        self.hidden: dict[str, int] = {}
        self.packages: dict[str, str] = {}
        self.recommends = False
        self.left: list[str] = []
        self.setup: list[tuple[str, ...]] = []
        self.questions: list[Question] = []
        self.notes: list[str] = []
        # Links that the set-up makes again, and what they lead to.
        self.links: dict[str, str] = {}
        # What `cp`, `mv` and `install` put elsewhere, and what of.
        self.origins: dict[str, str] = {}
        # Who owns what, the last one last: (path, owner, with all below).
        self.owners: list[tuple[str, str, bool]] = []
        self.folders: list[str] = []
        self.used: set[str] = set()
        self.refusal = ""
        self.foreign = False

    def ask(self, name: str, words: str, choices: tuple[str, ...]) -> None:
        if all(question.id != name for question in self.questions):
            self.questions.append(Question(name, words, choices))


def completed(site: Site, proposal: Proposal) -> Plan | str:
    """The plan that a proposal comes to, or why there is none."""
    build, stage = site.build, site.stage
    refusal = _refusal(site, proposal)
    if refusal:
        return refusal
    found = _Found()
    for question in proposal.questions:
        found.ask(*question)
    found.notes += proposal.notes
    found.setup += proposal.setup
    # Whatever brings it, and wherever that stands.
    found.hidden.update(dict.fromkeys(proposal.left, len(build.instructions)))
    starts = _starts(site)
    end = build.after(stage)
    if not proposal.shell and any(one.shell for one in starts):
        return f"`{proposal.image}` has no shell, which the stage's CMD, ENTRYPOINT or HEALTHCHECK needs"
    _read_commands(site, proposal, found, starts)
    if found.refusal:
        return found.refusal
    carried = _carried(site, proposal, found)
    program = _resolve(site, proposal, found, carried, starts)
    if isinstance(program, str):
        if not found.questions:
            return program
        program = _Program(frozenset(), "", False)  # what is asked may bring it
    _read_scripts(site, proposal, found, (*carried.values(), *found.products.values()), program)
    artefacts = _chosen(site, proposal, found, carried, program, starts)
    user = _user(site, proposal, found, end.user)
    if user:
        return user
    if found.foreign and found.packages:
        return "packages that the image needs come from a repository that the stage adds"
    if found.packages and proposal.family not in ("debian", "alpine"):
        return f"`{proposal.image}` has no package manager for {_list(sorted(found.packages))}"
    if found.setup and not proposal.shell:
        return f"`{proposal.image}` has no shell to run `{' '.join(found.setup[0])}`"
    if site.context is None and not site.answer("files") and proposal.sources_stay:
        found.notes.append("all that the stage copies is carried, since the build context is not known")
    copies = _copies(artefacts, found)
    if isinstance(copies, str):
        return copies
    odd = [
        path
        for copy in copies
        for path in (*copy.sources, copy.destination, copy.owner)
        if path and not _PLAIN.fullmatch(path)
    ]
    odd += [
        path
        for words in found.setup
        if words[0] in ("mkdir", "chown", "chmod", "ln")
        for path in words[1:]
        if not _PLAIN.fullmatch(path)
    ]
    if odd:
        return f"`{odd[0]}` has characters that dfopt does not write into a COPY or a RUN"
    lines, changed, refusal = _lines(site, proposal, found, copies, program.path)
    if refusal:
        return refusal
    taken = build.names()
    builder = next((name for name in _NAMES if name not in taken), "")
    if not builder:
        return "no name is free for the stage that builds"
    known = end.base.variables if end.base is not None else {}
    runtime = bases.facts(proposal.image) if "$" not in proposal.image else None
    lost = tuple(
        (name, value)
        for name, value in known.items()
        if value is not None
        and (runtime is None or runtime.variables.get(name) != value)
        and name not in dict(proposal.environment)
    )
    keeps = tuple(
        glob
        for one in artefacts
        for glob in ((one.to or one.path,) if one.kind == "file" else (f"{one.to or one.path}/**",) if one.kind == "folder" else
                     (one.to or one.path, f"{one.to or one.path}/**"))
    )  # fmt: skip
    found.left = [name for name in found.left if name not in found.packages]
    behind = _list(sorted(set(found.left)), 8)
    if behind:
        found.notes.append(f"left in the builder: {behind}")
    digest = "@" in (site.image or "")
    if digest:
        found.notes.append(f"`{proposal.image}` is not pinned to a digest, as `{site.image.partition('@')[0]}` is")
    return Plan(
        proposal.language, stage.index, proposal.built, builder, stage.name, proposal.image, proposal.why, artefacts,
        tuple(sorted(found.packages)), tuple(" ".join(words) for words in found.setup), lines, _not_set(
            site, proposal, lines), keeps, lost, changed, tuple(found.questions),
        tuple(dict.fromkeys(found.notes)), proposal.finish, proposal.beside, behind,
    )  # fmt: skip


def _refusal(site: Site, proposal: Proposal) -> str:
    build, stage = site.build, site.stage
    if build.windows:
        return "dfopt does not know Windows images"
    if stage is not build.final:
        return "only the last stage of a file is split"
    if stage.facts is None or stage.facts.workdir is None:
        return f"what the base image `{site.bottom.base.text}` brings is not known"
    names = [build.instructions[index].name for index in site.indexes]
    if "ONBUILD" in names:
        return "what ONBUILD runs belongs to both images"
    if (
        "CMD" not in names
        and "ENTRYPOINT" not in names
        and (proposal.image != site.image or projects.start(build, stage) is None)
    ):
        return "the file does not say what the image starts"
    if build.after(stage).workdir is None or build.after(stage).base is None:
        return "the working directory or the environment depends on a variable that is not known"
    return ""


def _not_set(
    site: Site, proposal: Proposal, lines: "tuple[NewRun | NewCopy | NewSetting | Kept, ...]"
) -> tuple[str, ...]:
    """The variables of the author's that the runtime has no more: an ENV that sets others too is repeated whole."""
    kept = {line.instruction for line in lines if isinstance(line, Kept)}
    return tuple(sorted({
        key.text for index in site.indexes if site.build.instructions[index].name == "ENV" and index not in kept
        for key, _ in site.build.instructions[index].pairs if key.text in proposal.build_only
    }))  # fmt: skip


def _list(names: "list[str] | tuple[str, ...]", most: int = 3) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


# ------------------------------------------------------------------------------------------------------ what it starts


def _starts(site: Site) -> list[_Start]:
    """What the image runs: its last ENTRYPOINT, CMD and HEALTHCHECK; the arguments of CMD alone where ENTRYPOINT runs."""
    build = site.build
    last: dict[str, int] = {}
    for index in site.indexes:
        if build.instructions[index].name in ("CMD", "ENTRYPOINT", "HEALTHCHECK") and not site.is_overridden(index):
            last[build.instructions[index].name] = index
    found = []
    for name, index in last.items():
        instruction = build.instructions[index]
        words = instruction.arguments
        if name == "HEALTHCHECK":
            if words[:1] != ("CMD",):
                continue
            words = words[1:]
        if not words:
            continue
        runs = name != "CMD" or "ENTRYPOINT" not in last
        if name == "CMD" and not runs and not instruction.json:
            continue  # as words of a shell it means nothing to a program
        if instruction.json:
            script = _shell_script(words)
            found.append(_Start(index, words, runs, False))
            if script is not None:
                found += _script_starts(index, script)
        else:
            found += _script_starts(index, words[0])
    return found


def _shell_script(words: tuple[str, ...]) -> str | None:
    """The script of `sh -c SCRIPT`."""
    at = next((at for at, word in enumerate(words) if posixpath.basename(word) in ("sh", "bash", "ash", "dash")), None)
    if at is not None and len(words) > at + 2 and words[at + 1].startswith("-") and words[at + 1].endswith("c"):
        return words[at + 2]
    return None


def _script_starts(index: int, text: str) -> Iterator[_Start]:
    script = shell.read(text, "sh")
    if script.opaque is not None:
        yield _Start(index, (None,), True, True)
        return
    for simple, _ in shell.simple_commands(script):
        if simple.words:
            yield _Start(index, tuple(word.value for word in simple.words), True, True)


class _Program(NamedTuple):
    """What the image runs: `paths` are those that it names among what is made or copied, `path` a folder that PATH needs besides."""

    paths: frozenset[str]
    path: str
    scripts: bool


def _resolve(
    site: Site, proposal: Proposal, found: _Found, carried: dict[str, Artefact], starts: list[_Start]
) -> _Program | str:
    """The paths that CMD, ENTRYPOINT and HEALTHCHECK name; a text where a program comes from nowhere that is known."""
    build, stage = site.build, site.stage
    workdir = build.after(stage).workdir or "/"
    laid = _laid_files(site)
    named: set[str] = set()
    extra = ""
    scripts = False
    available = {**carried, **found.products}
    for one in starts:
        words = list(one.words)
        if one.runs:
            while words and words[0] is not None and posixpath.basename(words[0]) in WRAPPERS:
                wrapper = posixpath.basename(words[0])
                refusal = _program(site, proposal, found, words[0], available, laid, workdir)
                if refusal.startswith("!"):
                    return refusal[1:]
                if refusal:
                    named.add(refusal)
                del words[0]
                if wrapper in ("su-exec", "gosu", "timeout") and words:
                    del words[0]
                while words and words[0] is not None and (words[0].startswith("-") or "=" in words[0]):
                    del words[0]
            if words:
                if words[0] is None:
                    words[:1] = list(site.answer("program") or (None,))
                if words[0] is None:
                    found.ask(
                        "program",
                        "which program does the image run? its name depends on a variable -> a path",
                        ("PATH",),
                    )
                else:
                    path = _program(site, proposal, found, words[0], available, laid, workdir)
                    if path.startswith("!"):
                        return path[1:]
                    if path:
                        named.add(path)
                        scripts = scripts or (path in laid and path not in found.products)
                        if "/" not in words[0]:
                            folder = posixpath.dirname(path)
                            if folder not in _DEFAULT_PATH and not build.after(stage).environment.sets("PATH"):
                                extra = folder
                    elif posixpath.basename(words[0]) in ("sh", "bash", "ash", "dash"):
                        script = next(
                            (word for word in words[1:] if word is not None and not word.startswith("-")), None
                        )
                        scripts = scripts or (script is not None and Site.joined(workdir, script) in laid)
                del words[0]
        for word in words:
            if word is None:
                continue
            for part in (word, word.partition("=")[2]):
                path_of_word = Site.joined(workdir, part) if part and not part.startswith("-") else None
                if path_of_word is not None and (
                    path_of_word in laid or _covering(available, path_of_word) is not None
                ):
                    named.add(path_of_word)
    return _Program(frozenset(named), extra, scripts)


def _program(
    site: Site,
    proposal: Proposal,
    found: _Found,
    word: str,
    available: dict[str, Artefact],
    laid: dict[str, str],
    workdir: str,
) -> str:
    """The path of a program among what is made or copied, "" where the runtime has it; `!` and why where it is not known."""
    name = posixpath.basename(word)
    if "/" in word:
        path = Site.joined(workdir, word) or word
        path = found.links.get(path, path)
        if path in laid or _covering(available, path) is not None:
            return path
        if posixpath.dirname(path) in _DEFAULT_PATH and (
            name in proposal.starts or facts.package_of(name, proposal.family) == ""
        ):
            return ""
        if posixpath.dirname(path) in _DEFAULT_PATH and name in found.packages:
            return ""
        return f"!it is not known where `{path}` comes from, which the image runs"
    if name in proposal.starts:
        return ""
    path_value = (
        site.build.after(site.stage).environment.get("PATH")
        if site.build.after(site.stage).environment.sets("PATH")
        else None
    )
    folders = [
        *_DEFAULT_PATH,
        "/go/bin",
        "/usr/local/cargo/bin",
        "/root/.cargo/bin",
        *(path_value or "").split(":"),
        *_path_folders(site),
    ]
    for folder in folders:
        path = posixpath.join(folder, name)
        if path in found.links:
            path = found.links[path]
            return (
                path
                if path in laid or _covering(available, path) is not None
                else f"!it is not known where `{path}` comes from, which the image runs"
            )
        if path in found.products or path in carried_files(available) or path in laid:
            return path
    covering = next(
        (
            posixpath.join(folder, name)
            for folder in folders
            if folder and _covering(available, posixpath.join(folder, name))
        ),
        "",
    )
    if covering:
        return covering
    package = facts.package_of(name, proposal.family)
    if package is not None:
        if package:
            if proposal.family == "":
                return f"!`{proposal.image}` has no `{name}`, which the image runs"
            found.packages.setdefault(package, f"`{name}` is run by the image")
        return ""
    if name in found.packages:
        return ""
    if name in found.left:
        found.packages[name] = "it is run by the image"
        found.left.remove(name)
        return ""
    return f"!it is not known where `{name}` comes from, which the image runs"


def _read_scripts(
    site: Site, proposal: Proposal, found: _Found, artefacts: tuple[Artefact, ...], program: _Program
) -> None:
    """Ask what scripts that the image starts call, where neither the runtime's family nor the stage is known to bring it."""
    laid = _laid_files(site)
    for path in sorted(program.paths):
        origin = found.origins.get(path, path)
        product = found.products.get(path)
        if origin not in laid or (product is not None and product.why not in (_PUT, _EDITED)):
            continue
        name = posixpath.basename(path)
        text = site.context.text(laid[origin]) if site.context is not None and laid[origin] else None
        answer = site.answer("programs")
        if answer is not None:
            found.packages.update((one, f"`{name}` needs it") for one in answer if one != "none")
            return
        if text is None:
            if not _looks_like_data(name):
                found.ask(
                    "programs",
                    f"which packages does `{name}` need, which the image runs and dfopt cannot read? -> packages, or `none`",
                    ("none", "PACKAGES"),
                )
            continue
        first = text.partition("\n")[0]
        if not first.startswith("#!"):
            continue
        interpreter = posixpath.basename(first[2:].split()[0]) if first[2:].split() else ""
        if interpreter == "env" and len(first.split()) > 1:
            interpreter = first.split()[-1]
        called = {interpreter}
        if interpreter in ("sh", "bash", "ash", "dash"):
            script = shell.read(text.replace("\r\n", "\n"), "bash" if interpreter == "bash" else "sh")
            if script.opaque is not None:
                found.ask(
                    "programs",
                    f"which packages does `{name}` need, which dfopt cannot read? -> packages, or `none`",
                    ("none", "PACKAGES"),
                )
                continue
            functions = set(re.findall(r"(?m)^\s*(?:function\s+)?([A-Za-z_][\w-]*)\s*\(\)", text))
            for simple, _ in shell.simple_commands(script):
                words = [word.value for word in simple.words]
                while words and words[0] in ("exec", "command", "env", "sudo", "if", "!"):
                    del words[0]
                if words and words[0] is not None:
                    called.add(words[0])
            called -= functions
        unknown = []
        for one in sorted(called - {""}):
            base = posixpath.basename(one)
            known = facts.package_of(base, proposal.family)
            if base in _SHELL_WORDS or known == "" or base in proposal.starts or base in found.packages:
                continue
            if "/" in one and (
                one.startswith("./")
                or any(
                    one == (each.to or each.path) or one.startswith((each.to or each.path) + "/") for each in artefacts
                )
            ):
                continue
            if any(posixpath.basename(each.path) == base for each in artefacts) or any(
                posixpath.basename(link) == base for link in found.links
            ):
                continue
            if known and proposal.family:
                found.packages.setdefault(known, f"`{name}` calls `{base}`")
            else:
                unknown.append(base)
        if unknown:
            found.ask(
                "programs",
                f"`{name}` calls {_list(unknown)}: which packages bring that? -> packages, or `none`",
                ("none", "PACKAGES"),
            )


_SHELL_WORDS = frozenset(
    "set shift return source . eval trap unset local declare typeset readonly let alias wait : times ulimit umask hash getopts break continue read printf type"
    " builtin shopt pushd popd dirs jobs fg bg disown exec [[ mapfile command".split()
)


def _looks_like_data(name: str) -> bool:
    return posixpath.splitext(name)[1] in (
        ".json",
        ".yaml",
        ".yml",
        ".toml",
        ".conf",
        ".cfg",
        ".ini",
        ".txt",
        ".html",
        ".xml",
        ".properties",
        ".env",
        ".sql",
    )


def carried_files(available: dict[str, Artefact]) -> set[str]:
    """The paths of single files among what can be carried."""
    return {path for path, one in available.items() if one.kind == "file"}


def _path_folders(site: Site) -> Iterator[str]:
    """The folders that the file's own ENV adds to PATH, where they are known."""
    for index in site.indexes:
        instruction = site.build.instructions[index]
        for key, value in instruction.pairs if instruction.name == "ENV" else ():
            if key.text == "PATH" and value is not None:
                for part in value.text.strip("\"'").split(":"):
                    expanded = part if "$" not in part else site.build.expand(part, index)
                    if expanded and expanded.startswith("/"):
                        yield expanded.rstrip("/") or "/"


def _covering(available: dict[str, Artefact], path: str) -> Artefact | None:
    """What brings a path: itself, or a folder above it."""
    at = path
    while at != "/":
        one = available.get(at)
        if one is not None and (at == path or one.kind != "file"):
            return one
        at = posixpath.dirname(at)
    return None


# ----------------------------------------------------------------------------------------------------------- commands


def _read_commands(site: Site, proposal: Proposal, found: _Found, starts: list[_Start]) -> None:
    """Go through every command behind one another, and say of each what it leaves that the image needs."""
    build = site.build
    for one in proposal.outputs:
        found.products[one.path] = one
    for index in site.opaque:
        line = build.syntax.source.line_of(build.instructions[index].span.start)
        name = f"run-line-{line}"
        answer = site.answer(name)
        if answer is None:
            found.ask(
                name,
                f"what does the RUN on line {line}, which dfopt does not read, leave for the running program?",
                ("build", "PATHS"),
            )
        else:
            _answered(site, found, answer)
    removed = {
        word.value or "" for placed in site.commands if _uses(placed, "remove") and placed.command.use is not None
        for word in placed.command.use.operands
    }  # fmt: skip
    found.used = {posixpath.basename(placed.command.name or "") for placed in site.commands}
    folders = {
        placed.folder for placed in site.commands if placed.folder is not None and placed.key in proposal.explained
    }
    folders.update(
        target for placed in site.commands if placed.command.name == "cd" and len(placed.simple.words) == 2
        for target in (site.path(placed, placed.simple.words[1]),) if target is not None
    )  # fmt: skip
    found.folders = sorted(folders)
    built = False
    for index in site.indexes:
        _read_copy(site, found, index)
        for placed in site.commands:
            if placed.instruction != index:
                continue
            if placed.key == proposal.built.key:
                built = True
            owner = _owner_here(site, proposal, found, placed)
            if placed.key in proposal.explained or placed.key == proposal.built.key:
                # What is built belongs to who builds it, whatever owner a COPY gave the sources.
                if owner or (placed.key == proposal.built.key and not proposal.sources_stay):
                    found.owners += [(one.path, owner, True) for one in proposal.outputs]
                continue
            known = dict(found.products)
            _read_command(site, proposal, found, placed, removed, built)
            if found.refusal:
                return
            kept_owner = _keeps_owner(site, found, placed)
            found.owners += [
                (path, owner if kept_owner is None else kept_owner, True)
                for path in found.products
                if path not in known
            ]
    # What lies in a mount the image does not have, and what is deleted again need not be made.
    for path in [one.path for one in proposal.outputs if site.in_mount(proposal.built, one.path)]:
        found.products.pop(path, None)
    laid = [one.path for index in site.indexes for one in layers.laid(build, index) or () if one.kind != "file"]
    sources = {*laid, *(posixpath.dirname(path) for path in _laid_files(site))}
    kept = {path for words in found.setup if words[0] in ("chown", "chmod") for path in words[1:]}
    needless = {
        path for path in _made(found)
        if path not in kept and (path in found.hidden or any(one == path or one.startswith(path + "/") for one in sources))
    }  # fmt: skip
    setup = [
        words
        if words[:2] != ("mkdir", "-p")
        else ("mkdir", "-p", *(path for path in words[2:] if path not in needless))
        for words in found.setup
    ]
    found.setup = [words for words in setup if words != ("mkdir", "-p")]


def _read_copy(site: Site, found: _Found, index: int) -> None:
    copy = site.build.copy(index)
    if copy is not None and copy.destination is not None:
        found.owners += [(copy.destination.rstrip("/") or "/", copy.flags.get("chown", ""), True)]


def _owner_here(site: Site, proposal: Proposal, found: _Found, placed: Placed) -> str:
    """The owner of what a command makes, "" for root."""
    state = site.build.state(placed.instruction)
    if state.is_root or state.user is None:
        return ""
    user, colon, group = state.user.partition(":")
    return f"{user}:{group if colon else user}"


def _keeps_owner(site: Site, found: _Found, placed: Placed) -> str | None:
    """The owner that `mv`, or `cp -p`, leaves what it puts elsewhere; None where that is who runs it."""
    words = placed.simple.words
    name = posixpath.basename(placed.command.name or "")
    options = [word.text for word in words[1:] if word.text.startswith("-")]
    plain = name == "cp" and not any(re.match(r"-[a-zA-Z]*[ap]|--archive|--preserve", option) for option in options)
    if name not in ("mv", "cp") or plain:
        return None
    first = next((site.path(placed, word) for word in words[1:] if not word.text.startswith("-")), None)
    return _owner_of(found, first) if first is not None else None


def _owner_of(found: _Found, path: str) -> str:
    """Who owns a path in the builder, "" for root."""
    owner = ""
    for place, name, below in found.owners:
        if place == path or (below and path.startswith(place.rstrip("/") + "/")):
            owner = name
    return owner


def _uses(placed: Placed, action: str) -> bool:
    use = placed.command.use
    return use is not None and use.action == action and use.manager.family in ("apt", "apk")


def _answered(site: Site, found: _Found, answer: tuple[str, ...]) -> None:
    """Carry the paths that an answer names."""
    workdir = site.build.after(site.stage).workdir
    for text in answer:
        if text in ("build", "none"):
            continue
        path = Site.joined(workdir, text)
        if path is not None and path != "/":
            found.products[path] = Artefact(
                path, "folder" if text.endswith("/") else "", "as the configuration answers"
            )


def _read_command(
    site: Site, proposal: Proposal, found: _Found, placed: Placed, removed: set[str], built: bool
) -> None:
    name = placed.command.name
    simple = placed.simple
    use = placed.command.use
    _redirections(site, found, placed)
    if name == "":
        return
    base = posixpath.basename(name) if name is not None else ""
    if use is not None and use.manager.family in ("apt", "apk"):
        _packages(site, proposal, found, placed, use, removed)
        return
    if use is not None and use.action in ("clean", "query", "update") or base in _HARMLESS:
        return
    words = simple.words[1:]
    options = [word.text for word in words if word.text.startswith("-") and len(word.text) > 1]
    operands = [word for word in words if not (word.text.startswith("-") and len(word.text) > 1)]
    paths = [site.path(placed, word) for word in operands]
    if base in _USERS:
        _adds_user(site, proposal, found, placed)
    elif base == "mkdir":
        made = [path for path in paths if path is not None and not _is_of_build(site, proposal, found, path)]
        if made:
            found.setup.append(("mkdir", "-p", *made))
    elif base in ("chown", "chgrp"):
        _changes_owner(site, found, placed, base, options, operands)
    elif base == "chmod":
        changed = [path for path in paths[1:] if path is not None and path in _made(found)]
        if changed:
            found.setup.append(("chmod", *options, operands[0].text, *changed))
    elif base in ("cp", "mv", "install", "ln"):
        _relocates(site, proposal, found, placed, base, options, operands, paths)
    elif base == "rm":
        for path in paths:
            if path is not None:
                found.hidden[path] = placed.instruction
                for known in list(found.products):
                    if layers.covers(path, known) or known.startswith(path + "/"):
                        del found.products[known]
    elif base in ("curl", "wget"):
        _downloads(site, proposal, found, placed)
    elif base == "touch":
        for path in paths:
            if path is not None and not _in_sources(site, path):
                found.products[path] = Artefact(path, "file", "the stage makes it")
    elif base == "sed" and any(_IN_PLACE.match(option) for option in options):
        for path in paths[1:]:
            if path is None:
                _asks(site, found, placed, base)
            elif path.startswith(("/etc/apt", "/etc/apk")):
                found.foreign = True
            elif not _in_sources(site, path):
                found.products[path] = Artefact(path, "file", _EDITED)
    elif base == "sed":
        return
    elif base == "update-ca-certificates":
        path = "/etc/ssl/certs/ca-certificates.crt"
        found.products[path] = Artefact(path, "file", "the certificates that the stage adds to")
    elif base in ("tar", "unzip", "gunzip", "gzip", "bzip2", "xz") and _unpacks_for_build(site, placed, base):
        return
    elif base in ("add-apt-repository", "apt-key", "rpm"):
        found.foreign = True
    elif base == "go" or base == "make" or base == "cargo":
        _asks(site, found, placed, base)
    else:
        _asks(site, found, placed, base or "command")


def _asks(site: Site, found: _Found, placed: Placed, name: str) -> None:
    identity = "run-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "command")
    answer = site.answer(identity)
    if answer is not None:
        _answered(site, found, answer)
        return
    text = placed.text if len(placed.text) < 60 else placed.text[:57] + "..."
    found.ask(
        identity,
        f"what does `{text}` leave for the running program? -> `build` for nothing, else its paths",
        ("build", "PATHS"),
    )


def _redirections(site: Site, found: _Found, placed: Placed) -> None:
    for redirection in placed.simple.redirections:
        if ">" not in redirection.operator or "&" in redirection.operator:
            continue
        path = site.path(placed, redirection.target)
        if path is None:
            _asks(site, found, placed, posixpath.basename(placed.command.name or "") or "command")
            continue
        if path.startswith("/dev/"):
            continue
        if path.startswith(("/etc/apt/", "/etc/apk/")):
            found.foreign = True
        elif path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"):
            found.refusal = f"the stage makes users by writing to `{path}`"
        elif not _in_sources(site, path) and not path.startswith("/tmp/"):
            found.products[path] = Artefact(path, "file", "the stage writes it")


def _packages(site: Site, proposal: Proposal, found: _Found, placed: Placed, use: Use, removed: set[str]) -> None:
    if use.action != "install":
        return
    group = use.value_of("--virtual") if use.manager.family == "apk" else None
    if group is not None and group in removed:
        return
    wanted = "debian" if use.manager.family == "apt" else "alpine"
    release = "alpine" if wanted == "alpine" else facts.release_of(proposal.image) or facts.release_of(site.image)
    special = any(
        option.canonical in ("--repository", "--target-release", "--default-release") for option in use.options
    )
    for word in use.operands:
        value = site.value(placed, word)
        if value is None and word.text in proposal.tools:
            continue
        if value is None:
            answer = site.answer("packages")
            if answer is None:
                words_of = (
                    f"which packages of `{placed.text[:60]}`, that a variable names, does the running program need?"
                )
                found.ask("packages", f"{words_of} -> packages, or `none`", ("none", "PACKAGES"))
            else:
                found.packages.update((one, "as the configuration answers") for one in answer if one != "none")
            continue
        name = value.partition("=")[0].partition("@")[0]
        if name in removed or not name:
            continue
        if value.startswith((".", "/")):
            found.refusal = f"`{value}` is a package of its own, which the runtime would need too"
            return
        if facts.is_headers(name):
            if not proposal.needs_libraries or facts.only_builds(name) or name in proposal.tools:
                found.left.append(name)
                continue
            library = facts.library(name, release)
            if library is None:
                answer = site.answer(f"library-{name}")
                if answer is None:
                    found.ask(
                        f"library-{name}",
                        f"which packages have the libraries that `{name}` is for? -> `none` for headers alone",
                        ("none", "PACKAGES"),
                    )
                else:
                    found.packages.update((one, f"for `{name}`") for one in answer if one != "none")
            elif library and not (wanted == "debian" and library in facts.PRESENT_LIBRARIES):
                found.packages[library] = f"the library of `{name}`"
            else:
                found.left.append(name)
            continue
        if facts.only_builds(name) or name in proposal.tools or _is_used(name, found):
            found.left.append(name)
            continue
        if proposal.family != wanted:
            if name in ("ca-certificates", "tzdata"):
                continue
            found.refusal = f"`{proposal.image}` has no package manager for `{name}`"
            return
        if special:
            found.refusal = f"`{name}` comes from another repository, which the runtime would need too"
            return
        found.packages[name] = "the stage installs it"
        found.recommends = found.recommends or (wanted == "debian" and not use.no_recommends)


_PROGRAMS_OF = {"gnupg": "gpg", "gnupg2": "gpg", "xz-utils": "xz", "bzip2": "bzip2", "unzip": "unzip", "zip": "zip"}


def _is_used(package: str, found: _Found) -> bool:
    """Whether a package is there for a RUN of the stage: fetching and unpacking, or a program that a RUN calls."""
    program = _PROGRAMS_OF.get(package, package)
    return package in _PROGRAMS_OF or program in found.used


def _adds_user(site: Site, proposal: Proposal, found: _Found, placed: Placed) -> None:
    step = next(
        (step for step in placed.run.script.steps if step.pipeline.start <= placed.simple.start < step.pipeline.end),
        None,
    )
    if placed.command.nesting or step is None or step.operator == "||" or len(step.pipeline.commands) > 1:
        found.refusal = f"`{placed.text[:60]}` makes a user under a condition"
        return
    if (
        any(word.substitutions for word in placed.simple.words)
        or placed.simple.redirections
        or placed.simple.assignments
    ):
        found.refusal = f"`{placed.text[:60]}` makes a user in a way that dfopt does not repeat"
        return
    program = posixpath.basename(placed.command.name or "")
    if proposal.family == "alpine" and program in ("useradd", "groupadd", "usermod"):
        found.packages["shadow"] = f"`{program}`"
    if (
        proposal.family == "debian"
        and program in ("adduser", "addgroup")
        and facts.release_of(proposal.image) in ("trixie", "noble")
    ):
        found.packages["adduser"] = f"`{program}`"
    found.setup.append(tuple(word.text for word in placed.simple.words))
    found.left = [name for name in found.left if name != "shadow"]


def _changes_owner(
    site: Site, found: _Found, placed: Placed, base: str, options: list[str], operands: "list[shell.Word]"
) -> None:
    if base == "chgrp" or not operands or operands[0].value is None:
        found.refusal = f"`{placed.text[:60]}` gives files an owner that is not known"
        return
    recursive = any(option == "--recursive" or (option[1:2] != "-" and "R" in option) for option in options)
    user, colon, group = operands[0].value.replace(".", ":", 1).partition(":")
    if not user:
        found.refusal = f"`{placed.text[:60]}` gives files an owner that is not known"
        return
    owner = f"{user}:{group}" if group else f"{user}:{user}" if colon else f"{user}:0"
    workdir = site.build.after(site.stage).workdir or "/"
    repeated: list[str] = []
    for word in operands[1:]:
        path = site.path(placed, word)
        if path is None or set(path) & set("*?["):
            found.refusal = f"`{placed.text[:60]}` gives files an owner that are not known"
            return
        found.owners.append((path, owner, recursive))
        made = _made(found)
        above = path.rstrip("/") + "/"
        if path == workdir != "/" and path not in made and not any(one.startswith(above) for one in made):
            found.setup.append(("mkdir", "-p", path))
        if path in _made(found) or path == workdir or (recursive and any(one.startswith(above) for one in made)):
            repeated.append(path)
    if repeated:
        found.setup.append(("chown", *options, operands[0].text, *repeated))


def _made(found: _Found) -> list[str]:
    """The folders that the set-up makes so far."""
    return [path for words in found.setup if words[:2] == ("mkdir", "-p") for path in words[2:]]


def _relocates(
    site: Site,
    proposal: Proposal,
    found: _Found,
    placed: Placed,
    base: str,
    options: list[str],
    operands: "list[shell.Word]",
    paths: list[str | None],
) -> None:
    """What `cp`, `mv`, `install` and `ln` leave elsewhere."""
    if base == "install" and any(option in ("-d", "--directory") for option in options):
        for path in paths:
            if path is not None and path.startswith("/") and not _is_of_build(site, proposal, found, path):
                found.setup.append(("mkdir", "-p", path))
                if any(
                    option in ("-m", "-o", "-g") or option.startswith(("--mode", "--owner", "--group"))
                    for option in options
                ):
                    _asks(site, found, placed, base)
        return
    if base == "install":
        # Its modes, owners and groups stand as words of their own.
        skip = sum(option in ("-m", "-o", "-g") for option in options)
        operands, paths = operands[skip:], paths[skip:]
    if any(option in ("-t", "--target-directory") for option in options):
        _asks(site, found, placed, base)
        return
    if len(paths) < 2:
        if base == "ln" and len(paths) == 1:
            _asks(site, found, placed, base)
        return
    *sources, target = paths
    recursive = base == "mv" or any(
        option in ("--recursive", "--archive") or re.fullmatch(r"-[a-zA-Z]*[aRr][a-zA-Z]*", option)
        for option in options
    )
    if target is None:
        _asks(site, found, placed, base)
        return
    text = operands[-1].text
    into = (
        text.endswith(("/", "/."))
        or text in (".", "..")
        or len(sources) > 1
        or target in _KNOWN_FOLDERS
        or target == placed.folder
    )
    for at, source in enumerate(sources):
        if source is None:
            _asks(site, found, placed, base)
            continue
        name = posixpath.basename(source)
        folder = source.removesuffix("/*")
        above = _covering(found.products, folder) if folder != source and base in ("cp", "mv") else None
        if above is not None and above.kind != "file":
            source = folder
        globbed = bool(set(source) & set("*?["))
        if globbed:
            hits = [one for path, one in found.products.items() if layers.covers(source, path)]
            if not hits:
                if not _in_sources(site, target):
                    _asks(site, found, placed, base)
                continue
            for one in hits:
                path = posixpath.join(target, posixpath.basename(one.path)) if into else target
                found.products[path] = Artefact(path, one.kind, one.why)
                if base == "mv" or not _in_sources(site, path):
                    found.products.pop(one.path, None)
            continue
        # `cp -r dist/. there` and `cp -r dist/* there` bring what is in the folder, `cp -r dist there` the folder.
        inside = source == folder != sources[at] or (base == "cp" and re.search(r"(?:^|/)\.\.?$", operands[at].text))
        if inside and (target == "/" or target in _KNOWN_FOLDERS):
            _asks(site, found, placed, base)  # others put their files there
            continue
        path = posixpath.join(target, name) if into and not inside else target
        if base == "ln" and any("s" in option.strip("-") for option in options) and proposal.shell:
            # What it leads to may be carried, or be of the runtime's own.
            if not _in_sources(site, path):
                lead = operands[at]
                target_text = lead.value if lead.value is not None and not lead.value.startswith("/") else source
                found.links[path] = (
                    source
                    if lead.value is None or lead.value.startswith("/")
                    else posixpath.normpath(posixpath.join(posixpath.dirname(path), lead.value))
                )
                found.setup.append(("ln", *options, target_text, path))
            continue
        known = _covering(found.products, source)
        if known is not None:
            whole = known.path == source
            kind = known.kind if whole else "file" if known.kind == "folder" and not recursive and not inside else ""
            found.products[path] = Artefact(path, kind, known.why)
            if base in ("mv",) or (known.path == source and not _in_sources(site, path)):
                found.products.pop(known.path if known.path == source else "", None)
            if known.path != source:
                found.hidden[known.path] = placed.instruction
        elif not _in_sources(site, path):
            found.products[path] = Artefact(path, "file" if layers.is_file_name(name) else "", _PUT)
            found.origins[path] = source
        else:
            found.products.setdefault(path, Artefact(path, "", _PUT))


_KNOWN_FOLDERS = frozenset(
    "/usr/local/bin /usr/bin /bin /usr/local/sbin /usr/sbin /sbin /opt /etc /root /usr/local /usr/local/lib /usr/lib /lib /tmp /srv /var/www /go/bin".split()
)


def _downloads(site: Site, proposal: Proposal, found: _Found, placed: Placed) -> None:
    words = placed.simple.words
    target: str | None = None
    letter = "O" if posixpath.basename(placed.command.name or "") == "wget" else "o"
    for at, word in enumerate(words[1:], 1):
        short = re.fullmatch(rf"-[a-zA-Z]*?{letter}(.*)", word.text)
        long = re.fullmatch(r"--output(?:-document)?(?:=(.*))?", word.text)
        hit = short or long
        if hit is None or (word.text.startswith("--") and long is None):
            continue
        if hit[1]:
            if hit[1] == "-":
                return  # it goes to the standard output
            target = site.joined(placed.folder, hit[1]) if word.value is not None else None
        elif at + 1 < len(words):
            if words[at + 1].value == "-":
                return
            target = site.path(placed, words[at + 1])
        if target is None:
            _asks(site, found, placed, "download")
            return
    if target is None:
        if posixpath.basename(placed.command.name or "") == "curl" and not any(
            re.fullmatch(r"-[a-zA-Z]*O|--remote-name", word.text) for word in words
        ):
            return  # it goes to the standard output
        url = next((word.value for word in words if word.value and "://" in word.value), None)
        if url is None or placed.folder is None:
            _asks(site, found, placed, "download")
            return
        target = posixpath.join(placed.folder, posixpath.basename(url.partition("?")[0]))
    if target.startswith(("/tmp/", "/dev/")) or re.search(
        r"\.(?:tar|t?gz|tgz|zip|xz|bz2|deb|apk|rpm|asc|sig|sha256\w*)$", target
    ):
        return
    found.products[target] = Artefact(target, "file", _DOWNLOADED)


def _unpacks_for_build(site: Site, placed: Placed, base: str) -> bool:
    """Whether what is unpacked lies where only the build works."""
    words = placed.simple.words
    folder = placed.folder
    for at, word in enumerate(words[:-1]):
        if re.fullmatch(r"-[a-zA-Z]*C|--directory|-d", word.text):
            folder = site.path(placed, words[at + 1])
    return folder is not None and (
        folder == "/tmp" or folder.startswith("/tmp/") or (base != "tar" and base != "unzip")
    )


def _source_roots(site: Site) -> list[str]:
    """The folders that the stage copies its sources into."""
    found: dict[str, None] = {}
    for index in site.indexes:
        copy = site.build.copy(index)
        if copy is not None and copy.origin is None:
            for one in layers.laid(site.build, index) or ():
                path = one.path if one.kind != "file" else posixpath.dirname(one.path)
                if path not in _KNOWN_FOLDERS and not path.startswith("/etc/"):
                    found[path] = None
    return [path for path in found if path and path != "/"]


def _in_sources(site: Site, path: str) -> bool:
    return path.startswith("/tmp/") or any(
        path == root or path.startswith(root.rstrip("/") + "/") for root in _source_roots(site)
    )


def _is_of_build(site: Site, proposal: Proposal, found: _Found, path: str) -> bool:
    """Whether a folder is there for the build alone, or made again anyhow: a command works in it, or an output comes into it."""
    workdir = site.build.after(site.stage).workdir or "/"
    if (
        path == workdir
        or workdir.startswith(path.rstrip("/") + "/")
        or path.startswith(("/tmp", "/go/src", "/root/.ssh", "/var/lib/apt", "/etc/apt"))
    ):
        return True
    if any(folder == path or folder.startswith(path.rstrip("/") + "/") for folder in found.folders):
        return True
    return any(
        one.path == path or one.path.startswith(path.rstrip("/") + "/")
        for one in (*proposal.outputs, *found.products.values())
    )


# -------------------------------------------------------------------------------------------------------------- files


def _laid_files(site: Site) -> dict[str, str]:
    """What COPY and ADD bring from the build context: the path in the builder, and below the context (as far as it is known)."""
    found: dict[str, str] = {}
    for index in site.indexes:
        copy = site.build.copy(index)
        if copy is None or copy.origin is not None:
            continue
        for path, source, _ in _files_of(site, index):
            found[path] = source
    return found


def _files_of(site: Site, index: int) -> list[tuple[str, str, str]]:
    """The files of a COPY from the context where that is known: path in the builder, path in the context, and the destination folder
    whose contents they are ("" for a file that was named)."""
    copy = site.build.copy(index)
    place = site.context
    if copy is None or copy.origin is not None or copy.destination is None or copy.sources is None:
        return []
    found = []
    several = copy.destination.endswith("/") or len(copy.sources) > 1
    into = copy.destination.rstrip("/") or "/"
    heredocs = {heredoc.name for heredoc in site.build.instructions[index].heredocs}
    for source in copy.sources:
        if source in heredocs:
            found.append((posixpath.join(into, source) if several else into, "", ""))
            continue
        if place is None or "://" in source:
            for one in layers.laid(site.build, index) or ():
                if one.source == source and one.kind == "file":
                    found.append((one.path, source, ""))
            continue
        hits = place.matching(source)
        for hit in hits:
            entry = place.entry(hit)
            if entry is not None and entry.kind == "folder":
                for below in place.walk(entry.path):
                    rest = below.path[len(entry.path) + 1 :] if entry.path else below.path
                    found.append((posixpath.join(into, rest), below.path, into))
            elif entry is not None:
                many = several or len(hits) > 1
                found.append((posixpath.join(into, posixpath.basename(hit)) if many else into, hit, ""))
    return found


def _carried(site: Site, proposal: Proposal, found: _Found) -> dict[str, Artefact]:
    """What COPY and ADD bring that the running program may read, by its path in the builder."""
    build = site.build
    kept: dict[str, Artefact] = {}
    answer = site.answer("files")
    unsure: list[str] = []
    everything: set[str] = set()
    wanted: dict[str, str] = {}
    roots: set[str] = set()
    laid_at: dict[str, int] = {}
    for index in site.indexes:
        copy = build.copy(index)
        if copy is None:
            continue
        if copy.destination is None or copy.sources is None:
            unsure.append(f"COPY {' '.join(build.instructions[index].arguments)}")
            continue
        laid = layers.laid(build, index)
        if (
            copy.origin is not None
            or any("://" in source for source in copy.sources)
            or (build.instructions[index].name == "ADD" and any(one.kind == "archive" for one in laid or ()))
        ):
            for one in laid or ():
                if one.path == "/" or one.path in _KNOWN_FOLDERS or (one.kind == "archive"):
                    # The names of what comes into a folder that others fill are those of the sources, if they are files.
                    name = posixpath.basename(one.source.rstrip("/"))
                    if one.kind != "archive" and copy.origin is not None and name and not set(name) & set("*?["):
                        path = posixpath.join(one.path, name)
                        kept[path] = Artefact(path, "", f"from `{copy.origin.text}`")
                    else:
                        unsure.append(one.source)
                elif "://" in one.source and one.path.startswith("/tmp"):
                    continue
                elif not proposal.sources_stay and ((proposal.built.folder or "") + "/").startswith(one.path + "/"):
                    unsure.append(one.source)  # what is built there are sources, whoever had them before
                else:
                    origin = f"`{copy.origin.text}`" if copy.origin is not None else f"`{one.source}`"
                    kept[one.path] = Artefact(one.path, one.kind, f"from {origin}")
            if laid is None:
                unsure.append(" ".join(build.instructions[index].arguments))
            if copy.origin is not None or any("://" in source for source in copy.sources):
                continue
            if any(one.kind == "archive" for one in laid or ()):
                continue
        if proposal.sources_stay and site.context is None:
            for one in laid or ():
                if one.kind != "file" or proposal.is_source(one.source) is not True:
                    kept[one.path] = Artefact(one.path, one.kind, "the stage copies it")
            continue
        if site.context is None:
            for one in laid or ():
                is_heredoc = any(heredoc.name == one.source for heredoc in build.instructions[index].heredocs)
                name = posixpath.basename((one.path if is_heredoc else one.source).rstrip("/"))
                verdict = proposal.is_source(name if is_heredoc else one.source) if name not in ("", ".") else None
                if one.kind == "file" and verdict is None and not _IRRELEVANT.fullmatch(name.lower()):
                    verdict = bool(set(name) & set("*?["))  # a single file that is no source
                if matches_any(name, _IRRELEVANT) or verdict:
                    continue
                if verdict is False or (name and _DATA.fullmatch(name.lower()) and one.kind != "archive"):
                    kept[one.path] = Artefact(one.path, one.kind, "the stage copies it")
                else:
                    unsure.append(one.source)
            continue
        for path, source, root in _files_of(site, index):
            everything.add(path)
            if root:
                roots.add(root)
            # A heredoc is judged by the name that it gets.
            only_builds = proposal.is_source(source or path.lstrip("/")) is True
            if proposal.sources_stay:
                # Of what comes in a folder nothing is taken out; a file that is named for the build alone stays there.
                irrelevant = only_builds and not root
            else:
                irrelevant = only_builds or (bool(source) and matches_any(source, _IRRELEVANT))
            if irrelevant or _deleted(found, path, index):
                wanted.pop(path, None)
            else:
                wanted[path] = root
    # A script that is copied to its place as well is read there. (Where the sources stay, their folder goes whole.)
    placed = {
        source
        for index in site.indexes
        for _, source, root in _files_of(site, index)
        if not root and source.endswith(".sh") and not proposal.sources_stay
    }
    for index in site.indexes:
        for path, source, root in _files_of(site, index):
            if root and source in placed:
                wanted.pop(path, None)
    kept.update(_folded(wanted, everything, roots, found))
    for path in [path for path in kept if _deleted(found, path, laid_at.get(path, -1))]:
        del kept[path]
    if answer is not None:
        if answer != ("all",):
            # The answer speaks of all files.
            kept = {path: one for path, one in kept.items() if one.why.startswith("from ")}
        workdir = build.after(site.stage).workdir or "/"
        for text in answer:
            named = Site.joined(workdir, text)
            if text == "all":
                if site.context is None and workdir != "/":
                    kept[workdir] = Artefact(workdir, "folder", "as the configuration answers")
            elif text != "none" and named is not None:
                kept[named] = Artefact(named, "folder" if text.endswith("/") else "", "as the configuration answers")
        return kept
    if unsure:
        found.ask(
            "files",
            f"which files of {_list(list(dict.fromkeys(unsure)))} does the running program read? -> paths, `none`, or `all`",
            ("none", "all", "PATHS"),
        )
    elif len(kept) > _MOST and not proposal.sources_stay:
        found.ask(
            "files",
            f"which of {_list(sorted(kept))} does the running program read? -> paths, `none`, or `all`",
            ("none", "all", "PATHS"),
        )
    return kept


def _deleted(found: _Found, path: str, index: int) -> bool:
    """Whether a path that instruction `index` brings is deleted behind it, itself or with a folder above it."""
    return any(
        at > index >= 0 and (path == gone or path.startswith(gone.rstrip("/") + "/"))
        for gone, at in found.hidden.items()
    )


def _folded(wanted: dict[str, str], everything: set[str], roots: set[str], found: _Found) -> dict[str, Artefact]:
    """Files as the fewest folders of which nothing else is wanted."""
    blocked: set[str] = set()
    for path in [*(everything - set(wanted)), *found.products, *found.hidden]:
        at = posixpath.dirname(path)
        while at not in blocked:
            blocked.add(at)
            if at == "/":
                break
            at = posixpath.dirname(at)
    kept: dict[str, Artefact] = {}
    for path, root in wanted.items():
        top = path
        at = posixpath.dirname(path)
        while root and at not in blocked and (at + "/").startswith(root.rstrip("/") + "/"):
            if at == root and (at in _KNOWN_FOLDERS or at.split("/")[1] in bases.SYSTEM_FOLDERS and at.count("/") < 3):
                break
            top = at
            if at == "/":
                break
            at = posixpath.dirname(at)
        kept[top] = Artefact(top, "file" if top == path else "folder", "the stage copies it")
    return kept


def _chosen(
    site: Site, proposal: Proposal, found: _Found, carried: dict[str, Artefact], program: _Program, starts: list[_Start]
) -> tuple[Artefact, ...]:
    """What goes to the runtime, in order of place."""
    chosen: dict[str, Artefact] = {}
    laid = _laid_files(site)
    for path, one in {**carried, **found.products}.items():
        if path in found.hidden and path not in program.paths:
            continue
        if one.why == _DOWNLOADED and posixpath.basename(path) in found.used and path not in program.paths:
            found.left.append(posixpath.basename(path))  # a RUN of the stage calls it
            continue
        if (
            one.why == _PUT
            and _in_sources(site, path)
            and path not in program.paths
            and proposal.is_source(path.lstrip("/")) is True
        ):
            continue
        chosen[path] = one
    named = [one for one in proposal.outputs if one.path in program.paths]
    if named and not program.scripts:
        # Of several outputs those that nothing names stay behind where one is named, but for what they put in folders.
        for one in proposal.outputs:
            if one.path not in program.paths and one.kind == "file" and one.why.startswith("also"):
                chosen.pop(one.path, None)
    for path in program.paths:
        if _covering(chosen, path) is None and path in laid:
            chosen[path] = Artefact(path, "file", "the image runs or names it")
    for one in proposal.system:
        if "tzdata" in found.packages and "zoneinfo" in one.path:
            continue
        if not (one.path == "/etc/ssl/certs/ca-certificates.crt" and "ca-certificates" in found.packages):
            chosen.setdefault(one.path, one)
    if found.packages and proposal.family == "debian" and "/etc/ssl/certs/ca-certificates.crt" in chosen and chosen[
        "/etc/ssl/certs/ca-certificates.crt"] in proposal.system:  # fmt: skip
        del chosen["/etc/ssl/certs/ca-certificates.crt"]
        found.packages.setdefault("ca-certificates", "the builder's image has it")
    # What lies in a folder that goes as a whole comes with it.
    for path in list(chosen):
        above = _covering({other: one for other, one in chosen.items() if other != path and one.kind == "folder"}, path)
        if above is not None and not (chosen[path].to):
            del chosen[path]
    # A folder goes before what lies in it with an owner of its own.
    order = {"file": 0, "": 1, "folder": 2}
    return tuple(
        sorted(
            chosen.values(),
            key=lambda one: (
                one in proposal.system,
                one.why.startswith(("the stage copies", "from")),
                order[one.kind],
                one.path,
            ),
        )
    )


def _copies(artefacts: tuple[Artefact, ...], found: _Found) -> list[NewCopy] | str:
    """One COPY for the files that come into a folder with one owner, and one for each folder."""
    copies: list[NewCopy] = []
    for one in artefacts:
        owner = ""
        for path, name, below in found.owners:
            if path == one.path or (below and one.path.startswith(path.rstrip("/") + "/")) or (below and path == "/"):
                owner = name
            elif one.kind != "file" and path.startswith(one.path.rstrip("/") + "/") and name != owner:
                return f"parts of `{one.path}` belong to `{name or 'root'}`, others to `{owner or 'root'}`"
        target = one.to or one.path
        folder = posixpath.dirname(target)
        same = posixpath.basename(one.path) == posixpath.basename(target)
        for at, copy in enumerate(copies):
            if (
                one.kind == "file" and same and copy.owner == owner and posixpath.dirname(copy.sources[0]) == posixpath.dirname(one.path)
                and (copy.destination == folder.rstrip("/") + "/" or copy.destination == posixpath.join(folder, posixpath.basename(copy.sources[0])))
                and not copy.destination.endswith("//") and copy.sources[0] in {other.path for other in artefacts if other.kind == "file"}
            ):  # fmt: skip
                copies[at] = NewCopy((*copy.sources, one.path), folder.rstrip("/") + "/", owner)
                break
        else:
            copies.append(NewCopy((one.path,), target, owner))
    return copies


def _user(site: Site, proposal: Proposal, found: _Found, user: str | None) -> str:
    """Why the image's user may not be there; "" where it is."""
    if user is None:
        return "the image's user is not known"
    names = [part for part in user.split(":") if part and not part.isdecimal() and part != "root"]
    owners = [
        part
        for _, owner, _ in found.owners
        for part in owner.split(":")
        if part and not part.isdecimal() and part != "root"
    ]
    made = {
        word
        for words in found.setup
        if words[0] in _USERS or posixpath.basename(words[0]) in _USERS
        for word in words[1:]
    }
    runtime = bases.facts(proposal.image) if "$" not in proposal.image else None
    for name in dict.fromkeys((*names, *owners)):
        if name not in made and not bases.has_user(runtime, name) and name not in ("nobody", "nogroup"):
            if name.startswith("$"):
                return f"the owner `{name}` depends on a variable"
            return f"it is not known where the user or group `{name}` comes from"
    if names and not proposal.family and any(name in made for name in names):
        return f"`{proposal.image}` has no way to make the user `{names[0]}`"
    return ""


# -------------------------------------------------------------------------------------------------------------- lines


def _lines(
    site: Site, proposal: Proposal, found: _Found, copies: list[NewCopy], path: str
) -> tuple[tuple[NewRun | NewCopy | NewSetting | Kept, ...], tuple[tuple[str, str], ...], str]:
    """The runtime stage's instructions; what changes of the configuration (key and new value, "" for gone); why it cannot be."""
    build, stage = site.build, site.stage
    instructions = build.instructions
    steps = {index for index in site.indexes if instructions[index].name in ("RUN", "COPY", "ADD")}
    last = last_step(build, stage)
    head = [
        index
        for index in site.indexes
        if index < last and index not in steps and instructions[index].name != "FROM" and not site.is_overridden(index)
    ]
    tail = [index for index in stage.indexes if index > last]
    changed: list[tuple[str, str]] = []
    # Of several working directories the last absolute one counts, with the relative ones behind it.
    folders = [index for index in head if instructions[index].name == "WORKDIR"]
    absolute = [
        index for index in folders if (build.expand(instructions[index].arguments[0], index) or "").startswith("/")
    ]
    later = any(
        instructions[index].name == "WORKDIR"
        and (build.expand(instructions[index].arguments[0], index) or "").startswith("/")
        for index in tail
    )
    needless = set(folders if later else [index for index in folders if absolute and index < absolute[-1]])
    users = [index for index in head if instructions[index].name == "USER"]
    needless.update(users if any(instructions[index].name == "USER" for index in tail) else users[:-1])
    shells = [index for index in head if instructions[index].name == "SHELL"]
    if not any(instructions[index].name in _STARTING and not instructions[index].json for index in head):
        needless.update(shells if any(instructions[index].name == "SHELL" for index in tail) else shells[:-1])
    kept: list[Kept] = []
    for index in head:
        instruction = instructions[index]
        if index in needless or instruction.name == "ARG":
            continue
        if instruction.name in RUNNING:
            # What the stage stands on may be there for others too.
            kept.append(Kept(index, index in stage.indexes))
        elif instruction.name == "ENV" and all(key.text in proposal.build_only for key, _ in instruction.pairs):
            changed += [(f"Env.{key.text}", "") for key, _ in instruction.pairs]
        else:
            kept.append(Kept(index, False))
    # An argument that they read is declared again.
    used = {
        name
        for one in (*kept, *(Kept(index, True) for index in tail))
        for name in re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", instructions[one.instruction].logical.text)
    }
    used.update(
        name for words in found.setup for word in words for name in re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", word)
    )
    for index in head:
        if instructions[index].name == "ARG" and any(key.text in used for key, _ in instructions[index].pairs):
            kept.append(Kept(index, False))
    kept.sort(key=lambda one: one.instruction)
    # What the old base image set, and what they read, is set.
    known = stage.facts.variables if stage.facts is not None else {}
    runtime = bases.facts(proposal.image) if "$" not in proposal.image else None
    settings: list[NewSetting] = [NewSetting("ENV", name, value) for name, value in proposal.environment]
    changed += [(f"Env.{name}", value) for name, value in proposal.environment if known.get(name) != value]
    for name in sorted(used & set(known)):
        value = known[name]
        if (
            value is None
            or name in dict(proposal.environment)
            or (runtime is not None and runtime.variables.get(name) == value)
        ):
            continue
        if not any(
            instructions[one.instruction].name == "ENV"
            and any(key.text == name for key, _ in instructions[one.instruction].pairs)
            for one in kept
        ):
            settings.append(NewSetting("ENV", name, value))
    if path:
        settings.append(NewSetting("ENV", "PATH", f"{path}:$PATH"))
        changed.append(("Env.PATH", f"{path}:$PATH"))
    workdir = stage.facts.workdir if stage.facts is not None else None
    if workdir not in (None, "/") and not absolute and not later and (runtime is None or runtime.workdir != workdir):
        settings.append(NewSetting("WORKDIR", "", workdir or "/"))
    setup = tuple(dict.fromkeys(found.setup))
    names = tuple(sorted(found.packages) if not proposal.packages else sorted({*found.packages, *proposal.packages}))
    commands: list[tuple[str, ...]] = []
    for name in proposal.packages:
        found.packages.setdefault(name, "the program needs it")
    if names and proposal.family == "debian":
        flags = () if found.recommends else ("--no-install-recommends",)
        commands += [
            ("apt-get", "update"),
            ("apt-get", "install", "-y", *flags, *names),
            ("rm", "-rf", "/var/lib/apt/lists/*"),
        ]
    elif names:
        commands.append(("apk", "add", "--no-cache", *names))
    commands += setup
    arguments = [one for one in kept if instructions[one.instruction].name == "ARG"]
    front: list[Kept] = []
    if any("$" in word for words in setup for word in words):
        read = {
            name for words in setup for word in words for name in re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", word)
        }
        front = [
            one
            for one in kept
            if instructions[one.instruction].name in ("ARG", "ENV")
            and any(key.text in read for key, _ in instructions[one.instruction].pairs)
        ]
        declared = {key.text for one in front for key, _ in instructions[one.instruction].pairs}
        if not read <= declared:
            return (), (), f"`{' '.join(setup[0])}` reads a variable that is not known"
    del arguments
    lines: list[NewRun | NewCopy | NewSetting | Kept] = [*front]
    if commands:
        lines.append(NewRun(tuple(commands)))
    lines += settings
    lines += [one for one in kept if one not in front]
    lines += copies
    lines += [Kept(index, True) for index in tail]
    for one in (*kept, *(Kept(index, True) for index in tail)):
        if any(heredoc for heredoc in instructions[one.instruction].heredocs):
            return (), (), "an instruction that must move has a heredoc"
    shell_words = build.after(stage).shell
    if (
        shell_words
        and proposal.family == "alpine"
        and any("bash" in word for word in shell_words)
        and "bash" not in names
    ):
        return (), (), "the image's SHELL is bash, which the runtime lacks"
    return tuple(lines), tuple(changed), ""
