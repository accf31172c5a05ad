"""Proof: a Dockerfile as it is and as fixed, both built, and each difference of the images held against what was declared."""

import itertools
import os
import posixpath
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dfopt import context, costs, images, manifests
from dfopt.build import Build
from dfopt.engine import Applied, Fixed
from dfopt.rule import Adds, Assembles, Changes, Effect, Given, Layers, PackagesRemoved, Removes, SplitsStage
from dfopt.source import Edit, Source, apply_edits
from dfopt.syntax import parse
from dfopt.verify import compare, engines
from dfopt.verify.compare import Difference
from dfopt.verify.engines import BuildFailed, Engine, Wish

PROVED, DIFFERENT, NOT_BUILT = 0, 1, 4


class NoStage(ValueError):
    """The file has no stage of the name, or number, that was asked for."""


class Request(NamedTuple):
    """What is to be proved: the text as it is and as it shall be, the effects that were declared for the image that is built,
    each with the fix that declared it; `name` is what the file is called, `root` the build context, `ignore_file` an ignore
    file of the Dockerfile's own. `twice` builds the original a second time in any case, `rebuilds` times what follows a change."""

    name: str
    before: Source
    after: Source
    declared: tuple[tuple[Applied, Effect], ...]
    root: str
    ignore_file: str = ""
    target: str | None = None
    arguments: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    platform: str = ""
    options: tuple[str, ...] = ()
    twice: bool = False
    rebuilds: bool = True


class Side(NamedTuple):
    """One of the two images: bytes of its files, number of layers, and seconds: of a build from nothing, of one behind a change of
    a source, and of one behind a change of what names the dependencies (None: not done); `source_pushed` and `dependency_pushed` are
    the bytes that a registry that had the image before is sent of the one after such a change, compressed."""

    size: int
    layers: int
    clean: float
    source: float | None = None
    dependency: float | None = None
    source_pushed: int | None = None
    dependency_pushed: int | None = None


class Share(NamedTuple):
    """The differences that one effect of a fix explains."""

    applied: Applied
    effect: Effect
    differences: tuple[Difference, ...]


class Proof(NamedTuple):
    """What came of it: `code` 0 proved, 1 a difference that nothing explains, 4 a build failed (`failure` says which and why, and
    `tail` the engine's last lines). `noise` also differs between two builds of one file; `idle` was declared and not seen;
    `changed` are the files whose change was timed, a source and one that names dependencies ("" where there is none)."""

    code: int
    before: Side | None = None
    after: Side | None = None
    explained: tuple[Share, ...] = ()
    uncovered: tuple[Difference, ...] = ()
    noise: tuple[Difference, ...] = ()
    idle: tuple[str, ...] = ()
    changed: tuple[str, str] = ("", "")
    failure: str = ""
    tail: tuple[str, ...] = ()


def prove(request: Request, engine: Engine, say: Callable[[str], None]) -> Proof:
    """Build both and compare. The fixed file is built twice, with empty and with filled cache mounts: both must equal what was
    declared. Where something is left unexplained the original is built again, so that what drifts shows as noise."""
    token = f"dfopt-{os.getpid()}-{int(time.time())}"
    with _workshop(request, token) as shop:
        known: dict[str, images.Layer] = {}
        sent: dict[str, set[str]] = {"before": set(), "after": set()}  # the layers that a registry has of each

        def made(text: str, title: str, fresh: bool, root: str) -> tuple[images.Image, float]:
            say(f"== {title}")
            lines: list[str] = []

            def heard(line: str) -> None:
                lines.append(line)
                say(line)

            seconds = engine.build(shop.wish(text, root, fresh), shop.archive, heard)
            if text == "before" and os.path.isfile(request.name):
                # `dfopt order` goes by what the steps took.
                today = time.strftime("%Y-%m-%d", time.gmtime())
                costs.learn(request.name, Build(parse(request.before)), "\n".join(lines), today)
            return engines.read(shop.archive, known, request.platform), seconds

        def build(text: str, title: str, fresh: bool) -> tuple[compare.Image, float]:
            image, seconds = made(text, title, fresh, request.root)
            sent[text].update(layer.digest for layer in image.layers)
            return compare.view(image), seconds

        try:
            old, old_clean = build("before", "the file as it is", True)
        except BuildFailed as error:
            return Proof(
                NOT_BUILT, failure=f"the file as it is does not build, which proves nothing: {error}", tail=error.tail
            )
        effects = tuple(effect for _, effect in request.declared)
        results = []
        new, new_clean = old, 0.0
        try:
            for run in ("cache mounts empty", "cache mounts filled"):
                new, seconds = build("after", f"the file as fixed, {run}", True)
                new_clean = new_clean or seconds
                results.append(compare.compare(old, new, effects))
        except BuildFailed as error:
            return Proof(NOT_BUILT, failure=f"the file as fixed does not build: {error}", tail=error.tail)
        drift: dict[tuple[str, str], Difference] = {}
        if request.twice or any(one.uncovered for one in results):
            try:
                again, _ = build("before", "the file as it is, once more", True)
            except BuildFailed as error:
                return Proof(NOT_BUILT, failure=f"the file as it is built only once: {error}", tail=error.tail)
            found = (
                *compare.file_differences(old.files, again.files),
                *compare.configuration_differences(old.configuration, again.configuration),
            )
            drift = {(one.kind, one.path): one for one in found}
        left = _unique(one for result in results for one in result.uncovered)
        uncovered = tuple(one for one in left if (one.kind, one.path) not in drift)
        noise = _unique(
            [*(one for result in results for one in result.noise), *(one for one in left if one not in uncovered)]
        )
        shares = tuple(
            Share(applied, effect, share)
            for (applied, effect), share in zip(request.declared, results[-1].shares)
            if share
        )
        idle = tuple(one for one in results[0].idle if all(one in result.idle for result in results))
        sides = [Side(old.size, old.layers, old_clean), Side(new.size, new.layers, new_clean)]
        changed = ("", "")
        if request.rebuilds:
            changed = changed_files(request)
            sides = _timed(sides, shop, changed, made, sent, say)
        code = DIFFERENT if uncovered else PROVED
        return Proof(code, sides[0], sides[1], shares, uncovered, noise, idle, changed)


def _unique(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Each once: what differs in a cold and in a warm build is one difference, whatever its bytes are."""
    return tuple({(one.kind, one.path): one for one in differences}.values())


# ----------------------------------------------------------------------------------------------------- building


class _Shop:
    """A folder of our own with the two Dockerfiles, and where the images go."""

    def __init__(self, folder: str, request: Request) -> None:
        self.folder = folder
        self.request = request
        self.archive = os.path.join(folder, "image.tar")

    def wish(self, text: str, root: str, fresh: bool) -> Wish:
        one = self.request
        path = os.path.join(self.folder, text, "Dockerfile")
        return Wish(path, root, one.target, one.arguments, one.contexts, one.platform, one.options, fresh)


@contextmanager
def _workshop(request: Request, token: str) -> Iterator[_Shop]:
    with tempfile.TemporaryDirectory(prefix="dfopt-", ignore_cleanup_errors=True) as folder:
        for name, source in (("before", request.before), ("after", request.after)):
            os.mkdir(os.path.join(folder, name))
            path = os.path.join(folder, name, "Dockerfile")
            text = unique_mounts(source.text, f"{token}-{name}")
            with open(path, "wb") as file:
                file.write(Source(text).to_bytes())
            if request.ignore_file:
                shutil.copyfile(request.ignore_file, path + ".dockerignore")
        yield _Shop(folder, request)


def unique_mounts(text: str, token: str) -> str:
    """The text with the id of each cache mount made this run's own, so that it starts empty and no cache of the user is touched."""
    token = re.sub(r"[^0-9A-Za-z]+", "-", token)
    edits = []
    build = Build(parse(Source(text)))
    for index, instruction in enumerate(build.instructions):
        if instruction.name != "RUN" or build.states[index] is None:
            continue
        for flag, options in build.mounts(index):
            if options.get("type") != "cache":
                continue
            written = text[flag.span.start : flag.span.end]
            kept = ",".join(field for field in written.split(",") if not field.startswith("id="))
            name = options.get("id", options.get("target", ""))
            edits.append(Edit(flag.span, f"{kept},id={token}{name.replace('/', '-')}"))
    return apply_edits(text, edits)


# ------------------------------------------------------------------------------------------------------ effects


_OF_FILES = (Removes, Adds, Changes, PackagesRemoved)


def declared(fixed: Fixed, build: Build, target: int) -> tuple[tuple[Applied, Effect], ...]:
    """The effects on the image of the stage with index `target` in the original, each with its fix.

    The effects of each round count the stages of that round's text: a stage that an earlier round brought in stands before the
    one that it fills.
    """
    chain = set()
    index: int | None = target
    while index is not None:
        chain.add(index)
        base = build.stages[index].base
        index = base.stage if base.kind == "stage" else None
    found: list[tuple[Applied, Effect]] = []
    builders: set[int] = set()  # stages that a split made of the image's own: what they lack, it does not get
    for _, group in itertools.groupby(fixed.applied, lambda one: one.round):
        filled = []
        group_of = tuple(group)
        for applied in group_of:
            found += [
                (applied, one)
                for one in applied.effects
                if (isinstance(one, compare.EFFECTS) and one.stage in chain)
                or (isinstance(one, _OF_FILES) and one.stage in builders)
            ]
            if any(isinstance(one, Assembles) for one in applied.effects):
                filled += [one.stage for one in applied.effects if isinstance(one, Layers)]
        for stage in sorted(filled, reverse=True):
            chain, builders = ({one + (one >= stage) for one in stages} for stages in (chain, builders))
        splits = [
            one.stage
            for applied in group_of
            for one in applied.effects
            if isinstance(one, SplitsStage) and one.stage in chain
        ]
        if splits:
            # From here on the image is the runtime stage's, which stands on nothing of the file, and is filled from the builder.
            builders |= chain
            chain = {splits[0] + 1}
    return tuple(found)


# ----------------------------------------------------------------------------------------------------- rebuilds

# Files that a person edits, in the order in which one is taken for a change of the sources.
_SOURCES = (
    ".py", ".js", ".ts", ".tsx", ".jsx", ".mjs", ".go", ".rs", ".java", ".kt", ".c", ".cc", ".cpp", ".h", ".rb", ".php", ".cs", ".ex",
    ".vue", ".svelte", ".html", ".css", ".sh", ".md", ".txt",
)  # fmt: skip


def changed_files(request: Request) -> tuple[str, str]:
    """A source and a file that names dependencies, of those that the Dockerfile copies; "" where there is none."""
    build = Build(parse(request.before))
    place = context.open_context(request.root, request.name)
    copied = sorted({path for index, _ in enumerate(build.instructions) for path in _copied(build, index, place)})
    wanted = {
        name
        for index in range(len(build.instructions))
        if (run := build.run(index)) is not None
        for use in run.uses
        if use.reads_project
        for name in (
            *(posixpath.basename(word.value or "") for word in use.manifests),
            *manifests.names(use),
            *use.manager.manifests,
            *use.manager.locks,
        )
    }
    named = [path for path in copied if posixpath.basename(path) in wanted or path in wanted]
    sources = [path for path in copied if path not in named and posixpath.splitext(path)[1] in _SOURCES]
    rank = {ending: number for number, ending in enumerate(_SOURCES)}
    sources.sort(key=lambda path: (rank[posixpath.splitext(path)[1]], path.count("/"), path))
    named.sort(key=lambda path: (path.count("/"), path))
    return sources[0] if sources else "", named[0] if named else ""


def _copied(build: Build, index: int, place: context.Context) -> Iterator[str]:
    copy = build.copy(index)
    if copy is None or copy.origin is not None:
        return
    for source in copy.sources or ():
        for path in place.matching(source) if "://" not in source else ():
            entry = place.entry(path)
            if entry is not None and entry.kind == "folder":
                yield from (one.path for one in place.walk(path) if one.kind == "file")
            elif entry is not None and entry.kind == "file":
                yield path


def _timed(
    sides: list[Side],
    shop: _Shop,
    changed: tuple[str, str],
    build: Callable[[str, str, bool, str], tuple[images.Image, float]],
    sent: dict[str, set[str]],
    say: Callable[[str], None],
) -> list[Side]:
    """The seconds of a rebuild behind a change of each file, in a copy of the context, and the bytes that a push of it sends; the
    engine's cache serves what it can."""
    root = os.path.join(shop.folder, "context")
    timed = []
    _copy_tree(shop.request.root, root)
    for name, side in zip(("before", "after"), sides):
        took: list[tuple[float, int] | tuple[None, None]] = []
        for path, what in zip(changed, ("a source", "the dependencies")):
            if not path:
                took.append((None, None))
                continue
            try:
                # An engine may serve a step from any of the builds so far.
                filled, _ = build(name, f"{name}, to fill the cache", False, root)
                _touch(os.path.join(root, path))
                sent[name].update(layer.digest for layer in filled.layers)
                image, seconds = build(name, f"{name}, behind a change of {what} (`{path}`)", False, root)
                took.append((seconds, images.pushed(shop.archive, sent[name], shop.request.platform)))
                sent[name].update(layer.digest for layer in image.layers)
            except BuildFailed as error:
                say(f"not timed: {error}")
                took.append((None, None))
        (source, source_pushed), (dependency, dependency_pushed) = took
        timed.append(
            side._replace(
                source=source,
                dependency=dependency,
                source_pushed=source_pushed,
                dependency_pushed=dependency_pushed,
            )
        )
    return timed


def _copy_tree(root: str, copy: str) -> None:
    """A copy of the context: files that are not changed are the same files where the file system allows it."""
    place = context.open_context(root, "")
    whole = any(pattern.exception for pattern in place.ignore.patterns)

    def hidden(folder: str, names: list[str]) -> list[str]:
        below = os.path.relpath(folder, root)
        prefix = "" if below == "." else below.replace(os.sep, "/") + "/"
        return (
            [] if whole else [name for name in names if name != ".dockerignore" and place.ignore.hides(prefix + name)]
        )

    def same(source: str, target: str) -> str:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            shutil.copy2(source, target, follow_symlinks=False)
        return target

    shutil.copytree(root, copy, symlinks=True, ignore=hidden, copy_function=same)


def _touch(path: str) -> None:
    """Add an empty line to a file, without a change of the one that it may be linked to."""
    with open(path, "rb") as file:
        data = file.read()
    mode = os.stat(path).st_mode
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(data + b"\n")
    os.chmod(path, mode & 0o7777)


def request_for(
    source: Source, fixed: Fixed | None, after: Source, given: Given, root: str, name: str, target: str | None = None
) -> Request:
    """The request for a file and what became of it; `fixed` is None where the other text comes from somewhere else, so that
    nothing is declared. Raises NoStage."""
    build = Build(parse(source), given.contexts)
    stage = build.final
    if target is not None:
        stage = next((one for one in build.stages if one.name == target.lower() or str(one.index) == target), None)
        if stage is None:
            raise NoStage(f"{source.name}: there is no stage `{target}`")
    effects = declared(fixed, build, stage.index) if fixed is not None and stage is not None else ()
    place = context.open_context(root, name)
    own = place.ignore.path
    return Request(
        name, source, after, effects, root, own if own and os.path.basename(own) != ".dockerignore" else "", target
    )
