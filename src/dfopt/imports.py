"""Python in the build context: which modules the program that an image starts imports, followed from its entry through local files.

An import graph gives findings and vetoes, never an edit: what is imported by a name made at run time is not in it, so that it never
says which files may stay behind. Each file is read once, at most 2,000 of them, 5 MB in all and each of 1 MiB at most; beyond that there is a doubt.
"""

import os
import posixpath
import re
import sys
from collections.abc import Iterator

from dfopt import context, layers, shell
from dfopt.build import Build, Stage
from dfopt.context import Context
from dfopt.rule import Given
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern

if TYPE_CHECKING:
    from dfopt.modules import Text

_MOST_FILES = 2000
_MOST_CHARACTERS = 5_000_000

# Modules of the standard library of some version of Python 3 that the one running here may lack.
_STANDARD = frozenset(
    "__main__ asynchat asyncore asyncio audioop binhex cgi cgitb chunk crypt distutils formatter imghdr imp lib2to3 macpath mailcap msilib nis nntplib"
    " ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib annotationlib compression concurrent string _dummy_threading"
    " dummy_threading _bootlocale macurl2path".split()
)


def is_standard(name: str) -> bool:
    """Whether a module is the standard library's, in one version of Python 3 or another."""
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names or top in _STANDARD


class Import(NamedTuple):
    """An import: the dotted `name` of the module, absolute; the file of the context (`path`) and line that it stands in. `kind` is `needed`
    (it is done when the file is loaded, and fails with it), `perhaps` (in a function, a branch, or where a failure is caught), or
    `typing`."""

    name: str
    path: str
    line: int
    kind: str


class Stray(NamedTuple):
    """A local module that is needed and does not lie in the image where it is looked for: it is the file `path` of the context. `hidden`
    is whether the ignore file keeps it out."""

    wanted: Import
    path: str
    hidden: bool


class Graph(NamedTuple):
    """What an image's program imports.

    `entries` and `files` are files of the context, `outside` the imports of what is neither local nor standard, `named` the first words of
    dotted strings, which frameworks import by name. `strays` are sure. `doubts` say why more may be imported, or found elsewhere, than
    is seen here: with one nothing may be called unused. `elsewhere` says why modules may come from places that are not seen, so that none may be
    called missing, "" where nothing speaks for that. `first` is the context's folder in which the entry looks for its modules.
    """

    entries: tuple[str, ...]
    files: tuple[str, ...]
    outside: tuple[Import, ...]
    named: frozenset[str]
    strays: tuple[Stray, ...]
    doubts: tuple[str, ...]
    first: str
    elsewhere: str


def graph(build: Build, given: Given, stage: Stage) -> Graph | str:
    """What the program that an image of the stage starts imports; a text says why that is not known."""
    place = context.of(build, given)
    if place is None:
        return "the build context is not known"
    key = (graph, id(build), stage.index)
    known = place.answers.get(key)
    if known is None or known[0] is not build:
        known = place.answers[key] = (build, _graph(build, stage, place))
    found: Graph | str = known[1]
    return found


# ------------------------------------------------------------------------------------------------- files in the image


class _Lying(NamedTuple):
    """What lies at a path of the image: `path` is the context's file or folder ("" with `is_there` for the root itself), `sure` whether
    nothing else may have put something there, or taken it away."""

    is_there: bool
    path: str
    kind: str
    sure: bool


# Commands that neither make nor delete a module, whatever they are given.
_HARMLESS = frozenset(
    "chown chmod chgrp mkdir ls cat echo printf test [ [[ : true cd export set id whoami which useradd adduser groupadd addgroup usermod pwd".split()
)
# Package managers whose installs leave a project's own modules alone.
_ELSEWHERE = frozenset("apt apk dnf yum zypper pip poetry pipenv npm yarn pnpm conda".split())


class _Image:
    """The files of a stage's image as far as they come from the build context."""

    __slots__ = ("build", "stage", "place", "_known", "_steady")

    def __init__(self, build: Build, stage: Stage, place: Context) -> None:
        self.build = build
        self.stage = stage
        self.place = place
        self._known: dict[tuple[int, str], _Lying] = {}
        self._steady: dict[str, bool] = {}

    def at(self, path: str, stage: Stage | None = None) -> _Lying:
        """What lies at an absolute path."""
        stage = stage or self.stage
        key = (stage.index, path)
        if key not in self._known:
            self._known[key] = self._look(stage, path)
        return self._known[key]

    def _look(self, stage: Stage, path: str) -> _Lying:
        sure = True
        # A folder's contents come from several COPYs; what lies at a path itself comes from the last one that brings it.
        for one in self.build.chain(stage):
            for index in reversed(one.indexes):
                if self.build.instructions[index].name not in ("COPY", "ADD"):
                    continue
                found = self._copied(index, path)
                if found is None:
                    sure = False
                elif found.is_there:
                    return found._replace(sure=found.sure and sure)
                else:
                    sure = sure and found.sure
        bottom = self.build.chain(stage)[-1]
        if bottom.facts is None and bottom.base.kind != "scratch":
            sure = False
        return _Lying(False, "", "", sure)

    def _copied(self, index: int, path: str) -> _Lying | None:
        """What a COPY or ADD brings to a path; None where that is not known."""
        copy = self.build.copy(index)
        instruction = self.build.instructions[index]
        if copy is None or copy.destination is None or copy.sources is None:
            return None
        nothing = _Lying(False, "", "", True)
        into = copy.destination.rstrip("/") or "/"
        if path != into and not path.startswith(into.rstrip("/") + "/"):
            return nothing
        if "parents" in copy.flags or "exclude" in copy.flags or instruction.heredocs:
            return None
        several = copy.destination.endswith("/") or len(copy.sources) > 1
        for source in reversed(copy.sources):
            if "://" in source or (instruction.name == "ADD" and layers.ARCHIVE.search(source)):
                return None
            if copy.origin is not None:
                if copy.origin.stage is None or set(source) & set("*?["):
                    return None
                found = self._from(self.build.stages[copy.origin.stage], "/" + source.strip("/"), into, several, path)
                if found is None or found.is_there:
                    return found
                continue
            for name in self.place.matching(source, hidden=True):
                entry = self.place.entry(name)
                if entry is None or entry.kind in ("link", "other"):
                    return None
                if entry.kind == "file" and not several and layers.exists(self.build, self._stage(index), into, index):
                    several = True
                start = (
                    into if entry.kind == "folder" or not several else posixpath.join(into, posixpath.basename(name))
                )
                below = name if path == start else ""
                if entry.kind == "folder" and path.startswith(start.rstrip("/") + "/"):
                    below = posixpath.join(name, path[len(start.rstrip("/")) + 1 :])
                if path != start and not below:
                    continue
                lying = self.place.entry(below)
                if lying is not None and lying.kind == "link":
                    return None
                if lying is not None and self.place.has(below):
                    return _Lying(True, below, lying.kind, True)
        return nothing

    def _stage(self, index: int) -> Stage:
        stage = self.build.stage(index)
        assert stage is not None, "asked for an instruction of a stage"
        return stage

    def _from(self, origin: Stage, source: str, into: str, several: bool, path: str) -> _Lying | None:
        """What a path has of a COPY from another stage."""
        there = self.at(source, origin)
        start = posixpath.join(into, posixpath.basename(source)) if there.kind == "file" and several else into
        if path == start:
            inner = source
        elif there.kind != "file" and path.startswith(start.rstrip("/") + "/"):
            # A folder, also one that is only there because files were copied into it.
            inner = posixpath.join(source, path[len(start.rstrip("/")) + 1 :])
        else:
            return _Lying(False, "", "", there.sure)
        if not self.steady(source, origin):
            return None
        return self.at(inner, origin)

    def steady(self, folder: str, stage: Stage | None = None) -> bool:
        """Whether no RUN makes or deletes something below a folder, and no volume covers it."""
        stage = stage or self.stage
        key = f"{stage.index} {folder}"
        if key not in self._steady:
            self._steady[key] = all(
                self._leaves(index, folder) for one in self.build.chain(stage) for index in one.indexes
            )
        return self._steady[key]

    def _leaves(self, index: int, folder: str) -> bool:
        instruction = self.build.instructions[index]
        if instruction.name == "VOLUME":
            paths = [self.build.expand(one, index) for one in instruction.arguments]
            return all(path is not None and not layers.overlaps(path.rstrip("/") or "/", folder) for path in paths)
        if instruction.name == "ONBUILD":
            return False
        if instruction.name != "RUN":
            return True
        run = self.build.run(index)
        if run is None or run.script.opaque is not None:
            return False
        state = self.build.state(index)
        for command in run.commands:
            use = command.use
            if use is not None and use.manager.family in _ELSEWHERE:
                if use.action != "run" and not use.has("--target") and not use.uncertain:
                    continue
                return False
            if command.name in _HARMLESS and not command.simple.redirections:
                continue
            if layers.touches_here(command, state, (folder, f"{folder.rstrip('/')}/**")):
                return False
        return not layers.moves(run) or all(
            command.use is not None or command.name in _HARMLESS for command in run.commands
        )


# -------------------------------------------------------------------------------------------------------------- the entry


class _Entry(NamedTuple):
    """What starts: a `script` (a path as written) or modules, of which the first that is there is meant; `folder` is what `--chdir` says."""

    script: str
    modules: tuple[str, ...]
    folder: str = "."


_WRAPPERS = frozenset(
    "tini dumb-init catatonit exec time nohup opentelemetry-instrument ddtrace-run command sudo -- eatmydata".split()
)
_RUNNERS = frozenset("uv poetry pipenv pdm hatch rye".split())
_SERVERS = frozenset("gunicorn uvicorn hypercorn daphne granian uwsgi waitress-serve".split())
_MODULE = pattern(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?::.+)?")


def _entries(build: Build, stage: Stage, image: _Image) -> list[_Entry]:
    """The Python programs that an image starts; none where what it starts is not known to be one."""
    last: dict[str, int] = {}
    for one in reversed(build.chain(stage)):
        for index in one.indexes:
            if build.instructions[index].name in ("CMD", "ENTRYPOINT"):
                last[build.instructions[index].name] = index
                if build.instructions[index].name == "ENTRYPOINT":
                    last.pop("CMD", None)  # an ENTRYPOINT takes an earlier CMD away
    entry = build.instructions[last["ENTRYPOINT"]] if "ENTRYPOINT" in last else None
    command = build.instructions[last["CMD"]] if "CMD" in last else None
    words: list[str | None] = []
    if entry is not None:
        if not entry.json:
            return list(_of_script(entry.arguments[0], build, stage)) if entry.arguments else []
        words += entry.arguments
    if command is not None and command.arguments:
        if not command.json:
            return [] if entry is not None else list(_of_script(command.arguments[0], build, stage))
        words += command.arguments
    started = words[0] if words else None
    if entry is not None and started is not None and started.endswith(".sh"):
        folder = build.after(stage).workdir
        lying = image.at(posixpath.normpath(posixpath.join(folder, started))) if folder is not None else None
        text = image.place.text(lying.path) if lying is not None and lying.is_there else None
        if text is None:
            return []
        handed = list(_of_words(words[len(entry.arguments) :], build, stage)) if '"$@"' in text else []
        return [*_of_script(text, build, stage), *handed]
    return list(_of_words(words, build, stage))


# What in a start, or in the script that it runs, says where modules are looked for.
_PLACING = pattern(
    r"PYTHONPATH|--pythonpath|--python-path|--pp\b|(?:^|[\s;&|\"'(])(?:cd|pushd|\.|source)\s|-m[ ,\"']+site\b",
    re.MULTILINE,
)


def _start(build: Build, stage: Stage, image: _Image) -> str:
    """The text of ENTRYPOINT and CMD, and of a script of the context that they run."""
    found: list[str] = []
    folder = build.after(stage).workdir or "/"
    for one in build.chain(stage):
        for index in one.indexes:
            instruction = build.instructions[index]
            if instruction.name in ("CMD", "ENTRYPOINT"):
                found.append(instruction.body.text)
                for word in instruction.arguments:
                    for name in re.findall(r"[^\s;&|]+\.sh\b", word or ""):
                        lying = image.at(posixpath.normpath(posixpath.join(folder, name)))
                        found.append((image.place.text(lying.path) if lying.is_there else None) or "")
    return "\n".join(found)


def _of_script(text: str, build: Build, stage: Stage) -> Iterator[_Entry]:
    script = shell.read(text, "sh")
    if script.opaque is not None:
        return
    for simple, _ in shell.simple_commands(script):
        yield from _of_words([word.value for word in simple.words], build, stage)


def _of_words(words: list[str | None], build: Build, stage: Stage) -> Iterator[_Entry]:
    while words:
        name = posixpath.basename(words[0] or "?")
        if name in _WRAPPERS:
            words = words[1:]
            while words and (words[0] or "").startswith("-"):
                words = words[1:]
        elif name == "env":
            words = words[1:]
            while words and "=" in (words[0] or ""):
                words = words[1:]
        elif name in ("gosu", "su-exec"):
            words = words[2:]
        elif name in _RUNNERS and words[1:2] == ["run"]:
            words = words[2:]
            while words and (words[0] or "").startswith("--no-") or words[:1] in (["--frozen"], ["--locked"], ["--"]):
                words = words[1:]
        elif name in ("sh", "bash", "ash", "dash") and len(words) > 2 and re.fullmatch(r"-\w*c", words[1] or ""):
            yield from _of_script(words[2] or "", build, stage)
            return
        else:
            break
    if not words:
        return
    name, rest = posixpath.basename(words[0] or "?"), words[1:]
    if re.fullmatch(r"python(?:3(?:\.\d+)?)?", name):
        yield from _of_python(rest, build, stage)
    elif (words[0] or "").endswith(".py"):
        yield _Entry(words[0] or "", ())
    else:
        yield from _of_program(name, rest, build, stage)


def _of_python(words: list[str | None], build: Build, stage: Stage) -> Iterator[_Entry]:
    while words and (words[0] or "").startswith("-"):
        option = words[0] or ""
        if option in ("-m", "-c"):
            if option == "-m" and len(words) > 1 and words[1]:
                yield from _of_program(words[1], words[2:], build, stage, True)
            return
        if not re.fullmatch(r"-[bBdEiIOPqRsSuvx]+|-[WX]\S+|-[WX]", option):
            return
        words = words[2 if option in ("-W", "-X") else 1 :]
    if words and words[0]:
        yield _Entry(words[0], ())


def _of_program(
    name: str, words: list[str | None], build: Build, stage: Stage, is_module: bool = False
) -> Iterator[_Entry]:
    """What a server or another well-known program loads, or a module's own run."""
    if name in _SERVERS:
        folder = _value(words, "--chdir", "--app-dir") or "."
        for word in words:
            found = _MODULE.fullmatch(word or "")
            if found is not None and (":" in (word or "") or "." in found[1] or word == words[-1]):
                yield _Entry("", (found[1],), folder)
    elif name == "flask":
        environment = build.after(stage).environment
        app = _value(words, "--app", "-A") or (
            environment["FLASK_APP"] if environment.sets("FLASK_APP") else "wsgi.py app.py"
        )
        for one in (app or "").split()[:2]:
            if one.partition(":")[0].endswith(".py"):
                yield _Entry(one.partition(":")[0], ())
            elif (found := _MODULE.fullmatch(one)) is not None:
                yield _Entry("", (found[1],))
    elif name == "celery":
        app = _value(words, "--app", "-A")
        found = _MODULE.fullmatch(app or "")
        if found is not None:
            yield _Entry("", (f"{found[1]}.celery", found[1]))
    elif name in ("streamlit", "fastapi") and words[:1] in (["run"], ["dev"]):
        for word in words[1:]:
            if (word or "").endswith(".py"):
                yield _Entry(word or "", ())
                return
    elif is_module:
        yield _Entry("", (f"{name}.__main__", name))


def _value(words: list[str | None], *names: str) -> str | None:
    """The value of an option, `--app x` or `--app=x`."""
    for at, word in enumerate(words):
        for name in names:
            if word == name and at + 1 < len(words):
                return words[at + 1]
            if word is not None and word.startswith(f"{name}="):
                return word.partition("=")[2]
    return None


# -------------------------------------------------------------------------------------------------------------- the graph


class _Found(NamedTuple):
    """A local module: its files (packages above it first); `whole` is whether all parts of its name were found."""

    files: tuple[str, ...]
    whole: bool
    is_package: bool


class _Walk:
    """Following imports: what is found so far."""

    __slots__ = (
        "image",
        "place",
        "roots",
        "files",
        "outside",
        "named",
        "strays",
        "doubts",
        "elsewhere",
        "read",
        "first",
        "characters",
    )

    def __init__(self, image: _Image, roots: tuple[str, ...], first: str) -> None:
        self.image = image
        self.place = image.place
        self.roots = roots
        self.first = first
        self.files: dict[str, str] = {}
        self.outside: dict[tuple[str, str], Import] = {}
        self.named: set[str] = set()
        self.strays: dict[str, Stray] = {}
        self.doubts: list[str] = []
        self.elsewhere = ""
        self.characters = 0
        self.read: dict[str, Text | None] = {}

    def follow(self, entries: list[tuple[str, str]]) -> None:
        """Follow from files with the dotted names of their modules: first what is certainly loaded, then what may be."""
        later: list[tuple[str, str, str]] = []
        for kind in ("needed", "perhaps"):
            pending = [(path, name) for path, name in entries] if kind == "needed" else []
            if kind == "perhaps":
                pending = [(path, name) for path, name, _ in later]
            seen: set[str] = set()
            while pending:
                path, module = pending.pop()
                if path in self.files or path in seen:
                    continue
                seen.add(path)
                if len(self.files) >= _MOST_FILES:
                    self.elsewhere = f"more than {_MOST_FILES} files are imported"
                    self.doubts.append(self.elsewhere)
                    return
                if self.characters > _MOST_CHARACTERS:
                    self.elsewhere = f"more than {_MOST_CHARACTERS} characters are imported"
                    self.doubts.append(self.elsewhere)
                    return
                self.files[path] = kind
                for other, name, how in self._imports(path, module, kind):
                    if how == "needed" and kind == "needed" or kind == "perhaps":
                        pending.append((other, name))
                    else:
                        later.append((other, name, how))

    def _imports(self, path: str, module: str, kind: str) -> Iterator[tuple[str, str, str]]:
        from dfopt import modules

        text = self.place.text(path)
        said = modules.read(text) if text is not None else None
        self.characters += len(text or "")
        self.read[path] = said
        if said is None:
            self.doubts.append(f"`{path}` is not read")
            self.elsewhere = self.elsewhere or self.doubts[-1]
            return
        if said.elsewhere:
            self.elsewhere = self.elsewhere or f"`{path}` {said.elsewhere}"
        if said.doubt:
            self.doubts.append(f"`{path}` {said.doubt}")
        self.named |= {text.partition(".")[0] for text in said.strings}
        package = module if posixpath.basename(path) == "__init__.py" else module.rpartition(".")[0]
        for level, name, names, line, how in said.imports:
            if how == "typing":
                continue
            how = "needed" if how == kind == "needed" else "perhaps"
            if level:
                parts = package.split(".") if package else []
                if level - 1 > len(parts) or not parts:
                    continue
                base = ".".join((*parts[: len(parts) - level + 1], *([name] if name else [])))
            else:
                base = name
            yield from self._one(base, names, Import(base, path, line, how))
        for text in said.strings:
            if "." in text or "INSTALLED_APPS" in said.names:
                # A framework may import what a string names: settings, applications, middleware.
                found = self.module(text)
                for number, file in enumerate(found.files if found is not None else ()):
                    yield file, self._name_of(text, number), "perhaps"
                if found is not None and found.whole and found.is_package and "INSTALLED_APPS" in said.names:
                    folder = posixpath.dirname(found.files[-1]) if found.files else ""
                    for entry in self.place.inside(folder) if folder else ():
                        if entry.kind == "file" and entry.path.endswith(".py") and self.place.has(entry.path):
                            yield entry.path, f"{text}.{posixpath.basename(entry.path)[:-3]}", "perhaps"

    @staticmethod
    def _name_of(name: str, number: int) -> str:
        return ".".join(name.split(".")[: number + 1])

    def _one(self, base: str, names: tuple[str, ...], wanted: Import) -> Iterator[tuple[str, str, str]]:
        found = self.module(base)
        if found is None:
            self._not_local(base, wanted)
            return
        # Namespace packages have no file: the files stand for the last parts of the name.
        parts = base.split(".")
        dotted = [".".join(parts[: number + 1]) for number in range(len(parts))]
        for file in found.files:
            yield file, next((one for one in dotted if self._is_file_of(one, file)), base), wanted.kind
        if not found.whole:
            self._absent(base, wanted)
            return
        for name in names if found.is_package else ():
            below = self.module(f"{base}.{name}")
            if below is not None and below.whole:
                for file in below.files:
                    yield file, f"{base}.{name}" if file == below.files[-1] else base, wanted.kind
            elif name != "*" and self._is_plain(found, name):
                self._absent(f"{base}.{name}", wanted)

    @staticmethod
    def _is_file_of(dotted: str, file: str) -> bool:
        path = dotted.replace(".", "/")
        return f"/{file}".endswith((f"/{path}.py", f"/{path}/__init__.py"))

    def _is_plain(self, found: _Found, name: str) -> bool:
        """Whether a package's own file certainly has no such name in it, so that `from package import name` needs a module."""
        if not found.files or posixpath.basename(found.files[-1]) != "__init__.py":
            return True
        text = self.place.text(found.files[-1])
        return (
            text is not None
            and re.search(rf"\b{re.escape(name)}\b|import\s*\*|__getattr__|exec|globals|setattr", text) is None
        )

    def module(self, name: str) -> _Found | None:
        """A local module by its dotted name; None where not even its first part is local."""
        for root in self.roots:
            found = self._below(root, name)
            if found is not None:
                return found
        return None

    def _below(self, root: str, name: str) -> _Found | None:
        files: list[str] = []
        folder = root
        parts = name.split(".")
        for number, part in enumerate(parts):
            path = posixpath.join(folder, part)
            package = self.image.at(f"{path}/__init__.py")
            if package.is_there:
                files.append(package.path)
                folder = path
                continue
            single = self.image.at(f"{path}.py")
            if single.is_there:
                return _Found((*files, single.path), number == len(parts) - 1, False)
            inside = self.image.at(path)
            if self._compiled(folder, part):
                return _Found(tuple(files), True, False)
            if inside.is_there and inside.kind == "folder":
                folder = path  # a namespace package
                continue
            if number < len(parts) - 1 and not inside.is_there:
                deeper = self._below(
                    path, ".".join(parts[number + 1 :])
                )  # a folder that files were copied into by name
                if deeper is not None:
                    return _Found((*files, *deeper.files), deeper.whole, deeper.is_package)
            return _Found(tuple(files), False, True) if number else None
        return _Found(tuple(files), True, True)

    def _compiled(self, folder: str, name: str) -> bool:
        """Whether an extension module of this name lies in a folder, or the source of one."""
        lying = self.image.at(folder)
        if not lying.is_there:
            return False
        return any(
            re.fullmatch(rf"{re.escape(name)}\.(?:.*\.)?(?:so|pyd|pyx|pyc|c|cpp)", posixpath.basename(one.path))
            for one in self.place.inside(lying.path)
        )

    def _not_local(self, base: str, wanted: Import) -> None:
        if is_standard(base):
            return
        self._absent(base, wanted)
        if base not in self.strays:
            self.outside.setdefault((base.partition(".")[0], wanted.kind), wanted)

    def _absent(self, base: str, wanted: Import) -> None:
        """Note a module that lies in the context, beside those that were copied, and not in the image."""
        if wanted.kind != "needed" or base in self.strays:
            return
        parts = base.split(".")
        for number in range(len(parts)):
            path = posixpath.join(self.first, *parts[: number + 1])
            for file in (f"{path}/__init__.py", f"{path}.py"):
                entry = self.place.entry(file)
                if entry is None or entry.kind != "file":
                    continue
                name = "/".join(parts[: number + 1])
                looked = [posixpath.join(root, name + file[len(path) :]) for root in self.roots]
                lying = [self.image.at(one) for one in looked]
                if any(one.is_there for one in lying):
                    break
                if all(one.sure for one in lying) and all(self.image.steady(root) for root in self.roots):
                    if self._was_meant(file):
                        self.strays[base] = Stray(wanted, file, self.place.ignore.hides(file))
                return
            else:
                if self.place.entry(path) is None:
                    return

    def _was_meant(self, file: str) -> bool:
        """Whether the file belongs to the program: it is no test, and lies where the entry lies."""
        return not any(part in ("test", "tests", "node_modules") for part in file.split("/"))


def _brought_at_run_time(build: Build, stage: Stage, place: Context) -> str:
    """Why modules may come from what lies beside the Dockerfile and is no part of the program; "" where nothing says so."""
    for name in (*place.matching("*compose*.y*ml", hidden=True), *place.matching("*/*compose*.y*ml", hidden=True)):
        # The ignore file usually keeps it out of the context; it is there for who starts the container.
        if "volumes:" in _text_beside(place, name):
            return f"`{name}` mounts folders when the container runs"
    for name in place.matching("*gunicorn*.py"):
        if "pythonpath" in (place.text(name) or ""):
            return f"`{name}` says where modules lie"
    entries = [
        entry
        for one in build.chain(stage)
        for index in one.indexes
        if build.instructions[index].name == "ENV"
        for key, value in build.instructions[index].pairs
        if key.text == "PATH" and value is not None
        for entry in value.text.strip("\"'").split(":")
    ]
    made = "".join(
        build.instructions[index].logical.text
        for one in build.chain(stage)
        for index in one.indexes
        if build.instructions[index].name == "RUN"
    )
    for entry in entries:
        if (
            entry.endswith("/bin")
            and "venv" not in made
            and entry.removesuffix("/bin") not in ("/usr", "/usr/local", "")
        ):
            return f"`{entry}` on PATH may belong to a virtual environment"
    return ""


def _text_beside(place: Context, name: str) -> str:
    """The text of a file of the folder, kept out of the context or not."""
    try:
        with open(os.path.join(place.root, name), "rb") as file:
            return file.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""


def _graph(build: Build, stage: Stage, place: Context) -> Graph | str:
    image = _Image(build, stage, place)
    workdir = build.after(stage).workdir
    if workdir is None:
        return "the working directory is not known"
    found = _entries(build, stage, image)
    if not found:
        return "what the image starts is not known to be a Python program"
    environment = build.after(stage).environment
    searched: list[str] = []
    if environment.sets("PYTHONPATH"):
        value = environment["PYTHONPATH"]
        if value is None or "$" in value:
            return "`PYTHONPATH` is not known"
        searched = [posixpath.normpath(posixpath.join(workdir, one)) for one in value.split(":") if one]
    starts: list[tuple[str, str]] = []
    roots: list[str] = []
    first: str | None = None
    for entry in found:
        folder = posixpath.normpath(posixpath.join(workdir, entry.folder))
        if entry.script:
            path = posixpath.normpath(posixpath.join(folder, entry.script))
            lying = image.at(path)
            if not lying.is_there or lying.kind != "file":
                continue
            starts.append((lying.path, posixpath.basename(path).removesuffix(".py")))
            roots.append(posixpath.dirname(path))
            first = posixpath.dirname(lying.path) if first is None else first
            continue
        walk = _Walk(image, tuple(dict.fromkeys((folder, *searched))), "")
        for name in entry.modules:
            module = walk.module(name)
            if module is None or not module.whole or not module.files:
                continue
            parts = name.split(".")
            for file in module.files:
                dotted = [".".join(parts[: number + 1]) for number in range(len(parts))]
                starts.append((file, next((one for one in dotted if _Walk._is_file_of(one, file)), name)))
            last = starts[-1][0]
            root = next((root for root in walk.roots if walk._below(root, name) is not None), folder)
            roots.append(root)
            if first is None:
                tail = name.replace(".", "/") + ("/__init__.py" if last.endswith("/__init__.py") else ".py")
                first = last[: -len(tail)].rstrip("/") if last.endswith(tail) else posixpath.dirname(last)
            break
    if not starts or first is None:
        return "the file that the image starts is not found in the build context"
    walk = _Walk(image, tuple(dict.fromkeys((*roots, *searched))), first)
    walk.follow(starts)
    if _PLACING.search(_start(build, stage, image)):
        walk.elsewhere = walk.elsewhere or "what the image starts says where modules lie"
    walk.elsewhere = walk.elsewhere or _brought_at_run_time(build, stage, place)
    if walk.elsewhere or _installs_projects(build, place):
        walk.strays.clear()  # modules are looked for in other folders too
    return Graph(
        tuple(dict.fromkeys(path for path, _ in starts)), tuple(walk.files), tuple(walk.outside.values()), frozenset(walk.named),
        tuple(walk.strays.values()), tuple(walk.doubts), first, walk.elsewhere,
    )  # fmt: skip


def _installs_projects(build: Build, place: Context) -> bool:
    """Whether an install may bring local modules themselves, so that they are found among the installed packages."""
    for index, instruction in enumerate(build.instructions):
        run = build.run(index) if instruction.name == "RUN" else None
        for use in run.uses if run is not None else ():
            if use.action != "install" or use.manager.family not in ("pip", "poetry", "uv", "pipenv"):
                continue
            if use.uncertain or use.has("--editable") or any((word.value or ".")[0] in "./" for word in use.operands):
                return True
            if use.manager.name == "poetry" and not use.has("--no-root"):
                return True
            if use.manager.name == "uv" and use.verb == "sync" and not use.has("--no-install-project"):
                text = place.text("pyproject.toml")
                if text is None or "[build-system]" in text:
                    return True
    return False
