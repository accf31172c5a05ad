"""From one naive stage to builder and runtime: a plan first, made of what a language module proposes; then the rewriting.

How to add a language
---------------------
A language family is a module `dfopt/synthesis/<name>.py` with one function,

    def propose(site: Site) -> Proposal | str | None

and a line in `LANGUAGES`: the module's name, and texts of which one must stand in the (lower-cased) file for the module to be
imported at all. `propose` gives

- None where the stage builds nothing of this language, or ships no tool chain of it (the image *is* the tool chain's user: `go run`);
- a text, lower case and without a full stop, where no plan can be made and no answer would help;
- a `Proposal`: what only the language knows. All that holds for every language is done by `planning.py` with it.

What the language says (the fields of `Proposal` say the details):

- `built` is the command that builds; `outputs` are all paths, absolute in the builder, that the build leaves for use: files or
  folders. Do not follow `cp`, `mv`, `install`, `ln` behind the build: the spine does, and takes of all the outputs those that
  the image's command names. What lies in a cache mount, and is not copied out of it by the same RUN, is dropped by the spine.
- `explained` are the `key`s of all commands (`site.commands`) that only build: `go mod download`, `npm ci`. What nobody explains
  and the spine does not know (package installs, users, `mkdir`, `cp`, `chmod`, ...) becomes a question `run-NAME` by itself.
- `image` is the runtime image as FROM has it, and `why` says why this one. Keep the distribution and its release (`facts.py`).
  `family` is its distribution as in `bases.Base` ("" for scratch and distroless: no package manager), `shell` whether it has `/bin/sh`.
- `is_source` judges a path below the build context: True for what only the build reads, False for what the running program may read,
  None where the name does not tell. With the context on disk all files that are not True are carried; without it the spine asks.
  `sources_stay` says that the program runs from its sources (Python, PHP, Ruby, Node without a build): then all that COPY brings is
  carried, and nothing is asked.
- `packages` are runtime packages beyond those that the spine finds in the stage's own installs. It maps `libpq-dev` to `libpq5` by
  `facts.library`, leaves out compilers and what a RUN used (`curl` for a download), and repeats the rest.
  `needs_libraries` False says that the result is static, so that no library is carried. `tools` are further packages that only build.
- `system` are paths to carry that no command of the file made (`/etc/ssl/certs/ca-certificates.crt`); only such as certainly exist.
- `build_only` are variables of ENV that only the build reads; all others are repeated. `environment` are variables of the builder's
  image that the program needs in the runtime and that its image lacks (name, value).
- `questions` are what the language does not know. Ask with `site.answer(id)` first: a question that is answered is none.
  An id is words joined by `-`; its answer is a list of texts. Give `choices` where there are such.
- `starts` names programs that the runtime image brings (`java`, `node`, `python`): a command may start with them.
- `finish` are commands that end the builder (`npm prune --omit=dev`) with what they do to the files that are carried, and `setup` such as
  the runtime repeats (`npm install -g serve`), as words.
- `beside` are globs of files that the runtime's image has of its own in a folder that is carried, and that the builder may have in another
  version (pip): what the build no longer has of them stays there.
- `left` are paths that the stage puts somewhere for the build alone (Composer itself).
- `notes` are caveats that the person must read before agreeing.

The rule that applies plans reports a stage only where its own tables say that a tool chain is shipped (`rules/toolchain_shipped.py`: `_MANAGERS`,
`_IMAGES`, `_PACKAGES`, `_ADVICE`, and the triggers of its page): a language that it does not report needs its entries there. `dfopt plan` asks
`propose` of every last stage.

What the spine does with a proposal, so that no module does it again: it refuses stages that are not the last, have
ONBUILD or start nothing; takes the stages of the file that it stands on as part of it; finds the program of ENTRYPOINT, CMD and HEALTHCHECK (through `tini`, `exec`, `sh -c`) among outputs, copied files, packages
and `starts`; carries COPYs, their owners and what `chown -R` gave; makes users and folders again; repeats ENV, WORKDIR, USER, SHELL and the
ARGs that they read; adds ENV PATH where the program lies in a folder that only the old image had in it; and names the builder. The engine then
compares the configuration of the two images key by key (`normal.configuration`), so that a mistake of a module is a fault that is undone.

Never guess: a wrong image is worse than a question. Superfluous files are only size; a missing one breaks the program.
The spine refuses or asks where the command's program is not among what is carried, so an output that you forget is never silent.

Each language has at least three projects in `tests/fixtures/synthesis/<language>-<name>/project/`: the project's files, `Dockerfile`, and
optionally `dfopt.toml` (answers); the goldens `plan.txt` and `Dockerfile.after` beside `project/` are written by
`DFOPT_UPDATE_GOLDENS=1 pytest tests/test_synthesis.py`. Read the difference. `Dockerfile.after` is absent where nothing is applied.
`python -m proof.synthesis NAME` (in tests/, with an engine) builds both and compares what the words in `run.txt` print in each.
"""

import posixpath
import re
from collections.abc import Callable, Iterator

from dfopt import context, layers, shell
from dfopt.build import Build, Command, Run, Stage, State
from dfopt.rule import Given
from dfopt.shell import Simple, Word
from dfopt.startup import NamedTuple, pattern

# Modules of this package, each with texts of which one must stand in the file.
LANGUAGES: dict[str, tuple[str, ...]] = {
    "c": ("make", "gcc", "g++", "clang", "cc ", "ninja", "meson"),
    "dotnet": ("dotnet publish", "dotnet build"),
    "elixir": ("mix ",),
    "go": ("go build", "go install", "golang"),
    "java": ("mvn", "gradle"),
    "node": ("npm", "yarn", "pnpm", "bun", "tsc", "vite", "webpack"),
    "php": ("composer", "docker-php-ext"),
    # Without compilers or headers nothing is left behind.
    "python": ("build-essential", "build-base", "alpine-sdk", "gcc", "g++", "clang", "-dev"),
    "ruby": ("bundle",),
    "rust": ("cargo",),
}


class Placed(NamedTuple):
    """A command of a RUN and the folder that it runs in (None: not known). `key` names it."""

    instruction: int
    run: Run
    command: Command
    folder: str | None

    @property
    def key(self) -> tuple[int, int]:
        return (self.instruction, self.command.simple.start)

    @property
    def text(self) -> str:
        """The command as written, on one line."""
        simple = self.command.simple
        return " ".join(self.run.script.text[simple.start : simple.end].split())

    @property
    def simple(self) -> Simple:
        return self.command.simple


class Artefact(NamedTuple):
    """A path of the builder that goes to the runtime: `kind` is `file`, `folder`, or "" where it may be either; `why` says what it is.
    `to` is where it goes, `path` itself where it is ""."""

    path: str
    kind: str
    why: str
    to: str = ""


class Question(NamedTuple):
    """What is not known. `id` is its name in the configuration (`answers`), `choices` are the usual answers."""

    id: str
    words: str
    choices: tuple[str, ...]


class Finish(NamedTuple):
    """Commands that end the builder, as words, and the paths that they remove and change, as effects have them."""

    commands: tuple[tuple[str, ...], ...] = ()
    removes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class Proposal(NamedTuple):
    """What a language module says; see the head of this module."""

    language: str
    built: Placed
    outputs: tuple[Artefact, ...]
    image: str
    why: str
    family: str
    explained: frozenset[tuple[int, int]]
    is_source: Callable[[str], bool | None]
    shell: bool = True
    sources_stay: bool = False
    packages: tuple[str, ...] = ()
    needs_libraries: bool = True
    tools: frozenset[str] = frozenset()
    system: tuple[Artefact, ...] = ()
    build_only: frozenset[str] = frozenset()
    environment: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = ()
    starts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    finish: Finish = Finish()
    beside: tuple[str, ...] = ()
    setup: tuple[tuple[str, ...], ...] = ()
    left: frozenset[str] = frozenset()


class NewRun(NamedTuple):
    """A RUN of the runtime stage: commands as words, joined by `&&`."""

    commands: tuple[tuple[str, ...], ...]


class NewCopy(NamedTuple):
    """A COPY from the builder."""

    sources: tuple[str, ...]
    destination: str
    owner: str = ""


class NewSetting(NamedTuple):
    """A WORKDIR (`value` alone) or ENV that the runtime's image lacks."""

    keyword: str
    name: str
    value: str


class Kept(NamedTuple):
    """An instruction of the author's that stands in the runtime stage: `moves` it from the old stage, or repeated."""

    instruction: int
    moves: bool


class Plan(NamedTuple):
    """From one stage to builder and runtime.

    `lines` are the runtime stage's instructions in order, those of the author's own as `Kept`; `name` is the runtime stage's name
    ("" for none) and `builder` the name of the old stage, which ends with the commands of `finish`. `artefacts`, `packages`, `users` and `notes` are what a person reads.
    `keeps` are the paths that are the same in both images, but for what is `beside`. `behind` names the packages that stay in the builder, in words. `lost` are variables of the old base image that the new one lacks.
    """

    language: str
    stage: int
    built: Placed
    builder: str
    name: str
    image: str
    why: str
    artefacts: tuple[Artefact, ...]
    packages: tuple[str, ...]
    users: tuple[str, ...]
    lines: tuple[NewRun | NewCopy | NewSetting | Kept, ...]
    build_only: tuple[str, ...]
    keeps: tuple[str, ...]
    lost: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]
    finish: Finish = Finish()
    beside: tuple[str, ...] = ()
    behind: str = ""


class Site:
    """A stage as the language modules see it: its commands in order with the folders that they run in, what it starts, the build
    context (None where that is not known), and the answers of the configuration.

    Stages of the file that it stands on count as its own: `indexes` are the instructions of all of them in order, `bottom` is the one on
    a base image."""

    __slots__ = ("build", "given", "stage", "bottom", "indexes", "commands", "opaque", "_context")

    def __init__(self, build: Build, given: Given, stage: Stage) -> None:
        self.build = build
        self.given = given
        self.stage = stage
        chain = build.chain(stage)
        self.bottom = chain[-1]
        self.indexes: tuple[int, ...] = tuple(index for one in reversed(chain) for index in one.indexes)
        self.commands: tuple[Placed, ...] = tuple(
            placed for index in self.indexes for placed in _commands(build, index)
        )
        # The RUNs that are not read.
        self.opaque: tuple[int, ...] = tuple(
            index for index in self.indexes if build.instructions[index].name == "RUN" and _unread(build, index)
        )
        self._context: list[context.Context | None] = []

    @property
    def context(self) -> "context.Context | None":
        """The build context on disk; None where it is not known."""
        if not self._context:
            self._context.append(context.of(self.build, self.given))
        return self._context[0]

    @property
    def image(self) -> str:
        """The image at the bottom, as expanded where it is known, else as written."""
        return self.bottom.image or self.bottom.base.text

    def answer(self, name: str) -> tuple[str, ...] | None:
        """What the configuration answers to a question; None where it does not."""
        return next((answer for known, answer in self.given.answers if known == name), None)

    def is_overridden(self, index: int) -> bool:
        """Whether an instruction of a stage that this one stands on says what a later stage says otherwise: of these only the last counts,
        and an ENTRYPOINT takes the CMD of the stages below it away (BuildKit's dispatchEntrypoint)."""
        name = self.build.instructions[index].name
        own = self.build.stage(index)
        if own is None or own is self.stage or name not in _LAST_COUNTS:
            return False
        later = {self.build.instructions[at].name for at in self.indexes if at > own.last}
        return name in later or (name == "CMD" and "ENTRYPOINT" in later)

    def said(self, *names: str) -> list[str]:
        """What each of the stage's instructions of these names says (`CMD`, `ENTRYPOINT`, `HEALTHCHECK`)."""
        found = (self.build.instructions[index] for index in self.indexes if not self.is_overridden(index))
        return [" ".join(one.arguments) for one in found if one.name in names]

    @property
    def started(self) -> tuple[tuple[str, ...], ...]:
        """The words of each CMD and ENTRYPOINT that has any; the shell form parted at its blanks."""
        found = (self.build.instructions[index] for index in self.indexes if not self.is_overridden(index))
        return tuple(
            one.arguments if one.json else tuple(one.arguments[0].split())
            for one in found
            if one.name in ("CMD", "ENTRYPOINT") and one.arguments
        )

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that CMD and ENTRYPOINT name by a path, also behind `tini` and the like, in `sh -c`, and in the shell scripts of the
        build context that they start; absolute."""
        workdir = self.build.after(self.stage).workdir
        found: dict[str, None] = {}
        for started in self.started:
            words = list(started)
            while words and posixpath.basename(words[0]) in WRAPPERS:
                named = posixpath.basename(words.pop(0)) in ("su-exec", "gosu", "timeout")
                while words and (words[0].startswith("-") or "=" in words[0]):
                    del words[0]
                del words[: int(named)]
            if words and posixpath.basename(words[0]) in ("sh", "bash", "ash", "dash"):
                if len(words) > 2 and words[1].startswith("-") and words[1].endswith("c"):
                    found.update(dict.fromkeys(_called(words[2], workdir)))
                    continue
                words = [word for word in words[1:] if not word.startswith("-")][:1]
                words[:1] = [posixpath.join(workdir or "", word) for word in words[:1]]
            path = self.joined(workdir, words[0].strip("\"'")) if words and "/" in words[0] else None
            if path is None:
                continue
            found[path] = None
            below = self.in_context(path)
            text = self.context.text(below) if self.context is not None and below is not None else None
            if text is not None and _SHELL_SCRIPT.match(text):
                found.update(dict.fromkeys(_called(text.replace("\r\n", "\n"), workdir)))
        return tuple(found)

    def answered(self, folder: str | None, kind: str) -> list[Artefact] | None:
        """The artefacts that the configuration answers with, each of a `kind`, below `folder` where they are relative; None where it does
        not answer."""
        answer = self.answer("artefact")
        if answer is None:
            return None
        return [Artefact(self.joined(folder, one) or one, kind, "as the configuration answers") for one in answer]

    def value(self, placed: Placed, word: Word) -> str | None:
        """What a word of a command becomes, with the variables of ENV and ARG where these are known; None where it is not known."""
        if word.value is not None:
            return word.value
        if word.glob is not None or word.substitutions or not word.names or _SHELL_ONLY.search(word.text):
            return None
        assigned = {assignment.name for other in placed.run.commands for assignment in other.simple.assignments}
        return None if assigned & set(word.names) else self.build.expand(word.text, placed.instruction)

    def path(self, placed: Placed, word: Word) -> str | None:
        """The absolute path, or glob, that a word of a command names; None where it is not known."""
        found = layers.path_of(word, self.build.state(placed.instruction), placed.folder)
        return found if found is not None else self.joined(placed.folder, self.value(placed, word))

    @staticmethod
    def joined(folder: str | None, path: str | None) -> str | None:
        """An absolute path from one that may hang on a folder."""
        if path is None or (not path.startswith("/") and folder is None):
            return None
        return "/" + posixpath.normpath(posixpath.join(folder or "/", path)).lstrip("/")

    @staticmethod
    def own_variables(placed: Placed) -> frozenset[str]:
        """The variables that a command's RUN sets by itself, on the command or before it, so that the image's are not what it sees."""
        found: set[str] = set()
        for other in placed.run.commands:
            found.update(assignment.name for assignment in other.simple.assignments)
            if posixpath.basename(other.name or "") in ("export", "env", "declare", "typeset", "readonly"):
                found.update(word.text.partition("=")[0] for word in other.simple.words[1:])
            if other.use is not None:
                found.update(name for name, _ in other.use.environment)
        return frozenset(found)

    def in_mount(self, placed: Placed, path: str) -> bool:
        """Whether a path lies in a mount of the command's RUN, so that the image has nothing of it."""
        return layers.mounted(self.build, placed.instruction, path)

    def in_context(self, path: str) -> str | None:
        """The path below the context's root that the file or folder `path` of the builder was copied from; None where none was, or the
        context is not known."""
        place = self.context
        if place is None:
            return None
        for index in reversed(self.indexes):
            copy = self.build.copy(index)
            if copy is None or copy.origin is not None or copy.sources is None or copy.destination is None:
                continue
            into = copy.destination.rstrip("/") or "/"
            for source in copy.sources:
                for found in place.matching(source):
                    entry = place.entry(found)
                    if entry is None:
                        continue
                    several = copy.destination.endswith("/") or len(copy.sources) > 1
                    start = (
                        into
                        if entry.kind == "folder" or not several
                        else posixpath.join(into, posixpath.basename(found))
                    )
                    if path == start:
                        return found
                    if entry.kind == "folder" and (path.startswith(start.rstrip("/") + "/")):
                        below = posixpath.join(found, path[len(start.rstrip("/")) + 1 :])
                        if place.has(below):
                            return below
        return None

    @property
    def ending(self) -> State:
        """The state that commands see which end the builder (`Proposal.finish`)."""
        last = last_step(self.build, self.stage)
        if last != self.stage.first:
            return self.build.state(last)
        chain = self.build.chain(self.stage)
        return self.build.after(chain[1]) if len(chain) > 1 else self.build.state(last)

    def environment(self, name: str) -> str | None:
        """The value of a variable at the stage's end, where the file or the table of images sets it and it is known."""
        found, value = self.build.after(self.stage).lookup(name)
        return value if found else None


def last_step(build: Build, stage: Stage) -> int:
    """The last instruction of a stage that makes files; its FROM where none does."""
    return max(
        index
        for index in stage.indexes
        if index == stage.first or build.instructions[index].name in ("RUN", "COPY", "ADD")
    )


# Of what the stages below say of these, the last alone counts.
_LAST_COUNTS = frozenset(("CMD", "ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL", "MAINTAINER"))

# Forms that the shell has and Docker's expansion lacks, or reads differently.
_SHELL_ONLY = pattern(r"[`*?\[~]|\$\(|\$\{[^}]*[^A-Za-z0-9_}]")


# What starts the program behind it.
WRAPPERS = frozenset(
    ("tini", "dumb-init", "exec", "env", "su-exec", "gosu", "nice", "nohup", "setpriv", "timeout", "catatonit", "time")
)

_SHELL_SCRIPT = pattern(r"#!\s*(?:/usr)?/bin/(?:env\s+)?(?:ba|da|a)?sh\b")


def _called(text: str, folder: str | None) -> Iterator[str]:
    """The programs that a shell script names by a path; relative ones only where it stays in its folder."""
    script = shell.read(text, "sh")
    commands = [] if script.opaque is not None else [simple for simple, _ in shell.simple_commands(script)]
    if any(simple.words and simple.words[0].value in ("cd", "pushd") for simple in commands):
        folder = None
    for simple in commands:
        words = [word.value for word in simple.words]
        while words and words[0] is not None and posixpath.basename(words[0]) in WRAPPERS:
            del words[0]
        if words and words[0] is not None and "/" in words[0]:
            path = Site.joined(folder, words[0])
            if path is not None:
                yield path


def _unread(build: Build, index: int) -> bool:
    run = build.run(index)
    return run is None or run.script.opaque is not None


def _commands(build: Build, index: int) -> Iterator[Placed]:
    run = build.run(index)
    if run is None or run.script.opaque is not None:
        return
    folder = build.state(index).workdir
    inner: dict[tuple[str, ...], str | None] = {}
    for command in run.commands:
        nesting = command.nesting
        here = inner.get(nesting, folder) if nesting else folder
        yield Placed(index, run, command, here)
        if command.name in ("cd", "pushd", "popd"):
            words = command.simple.words
            where: str | None = None
            if command.name == "cd" and len(words) == 2:
                text = words[1].value
                if text is None and words[1].names and not words[1].substitutions:
                    text = build.expand(words[1].text, index)
                where = Site.joined(here, text) if text and not text.startswith("-") else None
            if not nesting:
                folder = where
            elif nesting == ("subshell",):
                # Two subshells look alike: what the first did is not known to hold in the second.
                inner[nesting] = where if nesting not in inner else None
            else:
                folder = None


def _text_of(build: Build) -> str:
    """The whole file in lower case."""
    return build.syntax.source.text.lower()


def plan_of(build: Build, given: Given, stage: Stage) -> Plan | str | None:
    """The plan for a stage, why there is none, or None where no language module builds anything there."""
    text = _text_of(build)
    names = [name for name, marks in LANGUAGES.items() if any(mark in text for mark in marks)]
    if not names:
        return None
    from importlib import import_module

    site = Site(build, given, stage)
    if not site.commands:
        return None
    found: list[tuple[str, Proposal | str]] = []
    for name in names:
        proposal = import_module(f"dfopt.synthesis.{name}").propose(site)
        if proposal is not None:
            found.append((name, proposal))
    if not found:
        return None
    if len(found) > 1:
        return f"tool chains of several languages build here ({', '.join(name for name, _ in found)})"
    proposal = found[0][1]
    if isinstance(proposal, str):
        return proposal
    from dfopt.synthesis import planning

    return planning.completed(site, proposal)


def matches_any(name: str, patterns: "re.Pattern[str]") -> bool:
    """Whether a file's name, or a folder's on the way to it, is one of those that an expression knows."""
    return any(patterns.fullmatch(part) for part in name.lower().split("/"))
