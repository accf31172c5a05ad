"""Several COPYs into an image that is shipped: laid out in an assembly stage, one COPY brings them in one layer."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from dfopt import bases, components, contents, context, layers, normal, rewrite, unwanted
from dfopt.build import Build, Reference, Stage, once
from dfopt.context import Context
from dfopt.rule import Assembles, Changes, Finding, Fix, Given, Layers, Saving
from dfopt.source import Edit, Span, apply_edits
from dfopt.startup import NamedTuple, pattern

_FLAGS = frozenset(("from", "chown", "chmod", "link", "parents", "exclude", "checksum"))

# Up to this many bytes of the build context are small to `auto`.
_SMALL = 1_000_000

# These make no layer and look at no file, so a COPY passes them; VOLUME is not among them, since what is written behind one is lost
# in other engines.
_FREE = frozenset(
    "ENV ARG LABEL EXPOSE CMD ENTRYPOINT USER SHELL STOPSIGNAL HEALTHCHECK MAINTAINER ONBUILD WORKDIR COPY ADD".split()
)

# What may be written into another stage as it is, without quotes; in the JSON form with blanks as well.
_PLAIN = pattern(r"[\w@%+=:,./~*?\[\](){}&!-]+")
_PLAIN_IN_JSON = pattern(r"[\w@%+=:,./~*?\[\](){}&! -]+")


class _Piece(NamedTuple):
    """A COPY, or an ADD that unpacks nothing, that can be part of an assembly.

    `destination` is absolute, with a trailing `/` where it is a folder that takes the sources; `folder` is what must lie in the
    assembly's root, or be it. `is_open` is whether a single source lies there under the destination's own name, be it a file or a
    folder, unless that is a folder before; `may_be_file` is whether a source may be a file. `targets` are the paths, or globs, of what
    comes there as a file for all that is known; `filled` is the folder that may take the contents of another, "" where there is none.
    `key` is what the COPYs of a group share: `--link`, and the owner but where each of them has a number. `owner` is as `normal.owner_of`
    has it, `ids` are the owner's numbers: "" where there is none, None where they are not known.
    """

    instruction: int
    destination: str
    folder: str
    is_open: bool
    may_be_file: bool
    targets: tuple[str, ...]
    filled: str
    owner: tuple[object, ...]
    ids: str | None
    key: tuple[object, ...]


class _Gathered(NamedTuple):
    """COPYs on their way to be a group, and the steps between them that are not of it."""

    pieces: list[_Piece]
    between: list[int]


class _Group(NamedTuple):
    """COPYs that can become one, in order, and the folder that it copies. `folders` are those of them that need a `/`."""

    pieces: tuple[_Piece, ...]
    root: str
    folders: tuple[int, ...]


def check(build: Build, given: Given) -> Iterator[Finding]:
    if given.assembly == "off":
        return
    for stage in build.stages:
        # A Windows image has no `FROM scratch`; a file that has its escape character may still build others.
        if build.windows and build.chain(stage)[-1].facts is None:
            continue
        if build.is_shipped(stage) and not _is_assembly(build, stage):
            yield from _check(build, given, stage)


def _check(build: Build, given: Given, stage: Stage) -> Iterator[Finding]:
    always = given.assembly == "always"
    copies = [index for index in stage.indexes if build.instructions[index].name in _COPIES]
    if len(copies) < 2 or not (always or any(build.references_of(index) for index in copies)):
        return
    place = context.of(build, given) if any(not build.references_of(index) for index in copies) else None
    before = 0
    groups = _groups(build, stage, place, always)
    for group in groups:
        doubts = list(_doubts(build, stage, group))
        if given.engine == "legacy":
            # It has its own ways with owners: all that is known was found by builds with BuildKit.
            doubts.append(_Doubt("the builder of Docker before 23 treats owners alike", (group.root + "/**",)))
        if not always and _is_system(group.root) and (doubts or not _is_of_one_origin(build, group)):
            continue
        yield _finding(build, stage, group, doubts, before, place)
        before += 1
    if always:
        yield from _apart(build, stage, place, groups)


_COPIES = frozenset(("COPY", "ADD"))


@once
def _is_assembly(build: Build, stage: Stage) -> bool:
    """Whether a stage is there only for others to copy from, as an assembly is; a `FROM $BASE` may name it, but hardly does."""
    names = {build.instructions[index].name for index in stage.indexes[1:]} - {"ARG"}
    return stage.base.kind == "scratch" and names != set() and names <= _COPIES and bool(build.users(stage))


# ----------------------------------------------------------------------------------------------------- which belong together


def _groups(build: Build, stage: Stage, place: Context | None, always: bool) -> list[_Group]:
    """Two or more COPYs of one owner below one folder, each free to stand where the first of them does."""
    found = _gather(build, stage, place, always, False)
    made = [one for gathered in found if (one := _group(build, stage, gathered.pieces)) is not None]
    if not always:
        # What comes from the build context alone needs no other stage to become one COPY.
        made = [group for group in made if any(build.references_of(piece.instruction) for piece in group.pieces)]
        made = [group for group in made if not any(_is_layered(build, piece.instruction) for piece in group.pieces)]
    return sorted(made, key=lambda group: group.pieces[0].instruction)


def _gather(build: Build, stage: Stage, place: Context | None, always: bool, mixed: bool) -> list[_Gathered]:
    """COPYs below one folder, each free to stand where the first of them does; with `mixed` whatever their owners and `--link` are."""
    open_groups: dict[tuple[object, ...], _Gathered] = {}
    found: list[_Gathered] = []
    for index in stage.indexes[1:]:
        piece = _piece(build, stage, index, place, always)
        if not isinstance(piece, str):
            often = () if always else (_changes_often(build, stage, index),)
            key = (_region(build, stage, piece.folder), *(() if mixed else piece.key), *often)
            group = open_groups.get(key)
            if group is not None and _passes(build, stage, piece, group, mixed or piece.ids is not None):
                group.pieces.append(piece)
            else:
                open_groups[key] = _Gathered([piece], [])
                found.append(open_groups[key])
        elif build.instructions[index].name not in _FREE and not (always and build.instructions[index].name == "RUN"):
            open_groups.clear()
    return found


def _changes_often(build: Build, stage: Stage, index: int) -> bool:
    """Whether what a COPY brings changes with the sources of the project, and not only with a few files that stages before read to the end
    (manifests): in one layer with dependencies it would have these pushed and pulled with each commit."""
    references = build.references_of(index)
    if references:
        return any(one.stage is not None and _read(build, build.stages[one.stage]) is None for one in references)
    copy = build.copy(index)
    origins = {one.stage for other in stage.indexes for one in build.references_of(other) if one.stage is not None}
    read = [_read(build, build.stages[origin]) for origin in origins]
    if copy is None or copy.sources is None:
        return True
    heredocs = {heredoc.name for heredoc in build.instructions[index].heredocs}
    names = {context.normal(source) for source in copy.sources if source not in heredocs}
    # A heredoc goes with either.
    return not frozenset().union(*filter(None, read)).issuperset(names) if names else None in read


@once
def _read(build: Build, stage: Stage) -> frozenset[str] | None:
    """The files of the build context that a stage hangs on; None where it takes whole folders."""
    found: set[str] = set()
    for index in stage.indexes:
        copy = build.copy(index) if build.instructions[index].name in _COPIES else None
        if copy is None or copy.origin is not None or build.instructions[index].heredocs:
            continue
        if copy.sources is None or layers.takes_folder(build, index):
            return None
        found.update(context.normal(source) for source in copy.sources if "://" not in source)
    for one in stage.needs:
        below = _read(build, build.stages[one]) if one < stage.index else frozenset()
        if below is None:
            return None
        found |= below
    return frozenset(found)


def _apart(build: Build, stage: Stage, place: Context | None, groups: list[_Group]) -> Iterator[Finding]:
    """Those that could be one if their owners, or `--link`, did not differ; asked for where all is to be merged that can be."""
    taken = {piece.instruction for group in groups for piece in group.pieces}
    for gathered in _gather(build, stage, place, True, True):
        pieces = [piece for piece in gathered.pieces if piece.instruction not in taken]
        group = _group(build, stage, pieces) if len({piece.key for piece in pieces}) > 1 else None
        if group is None:
            continue
        if len({piece.key[0] for piece in pieces}) > 1:
            why = (
                "only some of them have `--link`, which replaces links and folders on the way instead of following them"
            )
            advice = "give all of them `--link`, or none"
        else:
            unknown = [str(piece.owner[0]) for piece in pieces if piece.ids is None]
            why = (
                f"in a stage from scratch there are no user names, and the numbers of {_listed(_quote(unknown))} are not known"
                if unknown
                else "`--link` makes the folders above anew, as the owner's"
            )
            advice = "give all of them one owner" + (", or numbers" if unknown else "")
        what, saves = _described(build, group), _saving(build, group, place)
        first = build.instructions[group.pieces[0].instruction]
        yield Finding(first.text_span, f"{what} -> {advice}", None, saves, (), why)


def _quote(names: list[str]) -> list[str]:
    return [f"`{name}`" for name in dict.fromkeys(names)]


# Spring Boot's layertools and Quarkus lay an application out by how often its parts change, so that each has a layer of its own.
_LAYERED = pattern(
    r"(?:^|/)(?:spring-boot-loader|snapshot-dependencies|BOOT-INF/(?:lib|classes)|quarkus-app/(?:lib|app|quarkus))/*$"
)


def _is_layered(build: Build, index: int) -> bool:
    return any(_LAYERED.search(source) for source in build.instructions[index].arguments[:-1])


def _region(build: Build, stage: Stage, folder: str) -> str:
    """The folder below which COPYs may become one. What a base image has and shares among programs is not among these."""
    if build.chain(stage)[-1].base.kind == "scratch":
        return "/" + folder.split("/")[1]
    return layers.region(folder)


def _group(build: Build, stage: Stage, pieces: list[_Piece]) -> _Group | None:
    """The COPYs as a group below their narrowest common folder, without those that would make it `/`."""
    settled: list[_Piece] = []
    left: list[int] = []
    folders: list[int] = []
    paths = [piece.destination.rstrip("/") for piece in pieces]
    shared = {above for path in paths for above in _above(path)} | {
        path for path, count in Counter(paths).items() if count > 1
    }
    for piece, path in zip(pieces, paths):
        if piece.is_open:
            if layers.exists(build, stage, path, piece.instruction):
                folders.append(piece.instruction)
                copied = _name(build.instructions[piece.instruction].arguments[0])
                names = (posixpath.join(path, copied),) if piece.may_be_file else ()
                piece = piece._replace(folder=path, targets=names, filled=piece.filled and path)
            elif piece.filled and path in shared:
                # Others lie there or below it: a file there would not let them.
                piece = piece._replace(folder=path, targets=())
            elif posixpath.dirname(path) == "/":
                left.append(piece.instruction)
                continue
        if left and not _passes_all(build, left, piece):
            left.append(piece.instruction)
            continue
        settled.append(piece)
    if len(settled) < 2:
        return None
    root = posixpath.commonpath([piece.folder for piece in settled])
    taken = tuple(index for index in folders if index not in left)
    return None if root == "/" else _Group(tuple(settled), root, taken)


def _piece(build: Build, stage: Stage, index: int, place: Context | None, always: bool) -> _Piece | str:
    """A COPY as a part of an assembly, or why it cannot be one."""
    instruction = build.instructions[index]
    copy = build.copy(index)
    if instruction.name not in _COPIES:
        return "it is no COPY"
    names = [flag.name for flag in instruction.flags if flag.name != "exclude"]
    if copy is None or copy.destination is None:
        return "the destination is not known"
    if not set(names) <= _FLAGS or len(set(names)) < len(names):
        return "it has a flag that is not known, or one twice"
    if any(flag.name == "parents" and flag.value is not None for flag in instruction.flags):
        return "`--parents` has a value"
    if copy.origin is None:
        if not (always or _is_small(build, index, place)):
            return "what comes from the build context is not known to be small"
        if instruction.name == "ADD" and (why := _unpacks(build, index, place)):
            return why
    elif copy.origin.kind not in ("stage", "image", "context"):
        return "it is not known what `--from` names"
    elif _is_assembled(build, copy.origin):
        return "it comes from an assembly stage already"
    elif not always and copy.origin.stage is not None and components.fills(build, build.stages[copy.origin.stage]):
        return "what it brings is large, and changes by itself"
    destination = copy.destination
    if destination == "/":
        return "it goes to `/`, where all the system's folders are"
    if normal.carried(build, index) is None:
        return "what it copies hangs on a variable that only this stage has"
    if not _is_writable(build, index):
        return "a path has blanks, quotes or other special characters"
    linked, owner, ids = normal.is_linked(build, index), normal.owner_of(build, index), normal.numbers(build, index)
    key: tuple[object, ...] = (linked, *(() if always and not linked and ids is not None else (owner,)))
    path = destination.rstrip("/")
    sources = copy.sources if copy.sources is not None else instruction.arguments[:-1]
    kinds = [_kind(build, index, source, place) for source in sources]
    if "parents" in names:
        return _Piece(index, path + "/", path, False, True, (path + "/*",), path, owner, ids, key)
    is_open = len(sources) == 1 and not destination.endswith("/")
    if is_open:
        folder = posixpath.dirname(path)
        is_file = kinds[0] == "file" or layers.is_file_name(path)
        # What lies at the root has no other folder, unless it is one.
        folder = path if folder == "/" else folder
        targets: tuple[str, ...] = (path,)
        filled = "" if is_file else path
    else:
        folder = path
        targets = tuple(posixpath.join(path, _name(source)) for source, kind in zip(sources, kinds) if kind != "folder")
        filled = path if any(kind != "file" for kind in kinds) else ""
    may_be_file = any(kind != "folder" for kind in kinds)
    return _Piece(index, destination, folder, is_open, may_be_file, targets, filled, owner, ids, key)


def _is_writable(build: Build, index: int) -> bool:
    """Whether the words of a COPY that change in another stage can be written there: its destination and values of variables."""
    instruction, copy = build.instructions[index], build.copy(index)
    assert copy is not None and copy.destination is not None, "asked for a COPY whose destination is known"
    plain = _PLAIN_IN_JSON if instruction.json else _PLAIN
    changed = [(instruction.words[-1], copy.destination)]
    heredocs = {heredoc.word.text for heredoc in instruction.heredocs}
    for word, value in zip(instruction.words, copy.sources or ()):
        if "$" in word.text and word.text not in heredocs:
            if value.startswith("-"):
                return False  # it would be a flag
            changed.append((word, value))
    text = build.syntax.source.text
    return all(plain.fullmatch(value) and "\n" not in text[word.span.start : word.span.end] for word, value in changed)


# Text, programs and zip files: ADD unpacks by what a file holds, and a `.gem`, a `.crate` or Alpine's `.apk` are tar files.
_NO_ARCHIVE = pattern(
    r"\.(?:txt|md|rst|in|json|jsonc|json5|lock|lockb|toml|ya?ml|xml|ini|conf|cnf|cfg|config|properties|env|list|repo|service|rules|csv|sql"
    r"|py|pyi|js|cjs|mjs|jsx|ts|tsx|vue|rb|erb|php|pl|pm|lua|sh|bash|zsh|c|h|cc|cpp|hpp|cs|go|rs|java|kt|kts|gradle|scala|swift|hs|cabal|ex"
    r"|exs|erl|mod|sum|proto|patch|diff|html?|css|scss|svg|png|jpe?g|gif|ico|pem|crt|cer|key|gpg|asc|csproj|fsproj|vbproj|sln|props|targets"
    r"|gemspec|template|tmpl|j2|jar|war|ear|whl|zip|deb|rpm|exe|dll|so)$",
    re.IGNORECASE,
)


def _unpacks(build: Build, index: int, place: Context | None) -> str:
    """Why an ADD may do more than a COPY: it unpacks archives, which bring owners and modes of their own; "" where it does not."""
    copy, instruction = build.copy(index), build.instructions[index]
    heredocs = {heredoc.name for heredoc in instruction.heredocs}
    known = copy.sources if copy is not None and copy.sources is not None else instruction.arguments[:-1]
    for source in known:
        remote = source.startswith(("http://", "https://"))
        name = _name(source)
        if source.startswith("git@") or ("://" in source and not remote) or name.partition("#")[0].endswith(".git"):
            return f"`ADD` fetches the repository `{source}`"
        if remote and not name:
            return f"`{source}` gives the file no name"
        is_folder = not remote and _kind(build, index, source, place) == "folder" and not layers.ARCHIVE.search(name)
        plain = layers.is_file_name(name) and (_NO_ARCHIVE.search(name) or "." not in name)
        if not (source in heredocs or remote or is_folder or plain):
            return f"`ADD` unpacks `{source}` where it is an archive"
    return ""


def _kind(build: Build, index: int, source: str, place: Context | None) -> str:
    """Whether a source is a `file` or a `folder`; "" where that is not known."""
    if source in {heredoc.name for heredoc in build.instructions[index].heredocs} or "://" in source:
        return "file"
    name = _name(source)
    if place is not None and not build.references_of(index) and "$" not in source:
        entry = place.entry(source)
        if entry is not None and entry.kind in ("file", "folder"):
            return entry.kind
    if name in ("", ".", "..") or source.endswith("/"):
        return "folder"
    if layers.is_file_name(name):
        return "file"
    origin = next(iter(build.references_of(index)), None)
    if origin is None or origin.stage is None or set(source) & set("$*?["):
        return ""
    return contents.kind_at(build, build.stages[origin.stage], posixpath.normpath(posixpath.join("/", source)))


def _name(source: str) -> str:
    """The last name of a source, with `*` for each variable."""
    source = source.partition("?")[0] if "://" in source else source
    return posixpath.basename(re.sub(r"\$(?:\w+|\{[^}]*\})", "*", source).rstrip("/"))


def _is_small(build: Build, index: int, place: Context | None) -> bool:
    size = _size(build, index, place)
    return size is not None and size <= _SMALL


def _size(build: Build, index: int, place: Context | None) -> int | None:
    """The bytes that a COPY from the build context brings now; None where that is not known."""
    copy = build.copy(index)
    if copy is None or copy.sources is None or copy.origin is not None:
        return None
    heredocs = {heredoc.name: len(heredoc.body.text) for heredoc in build.instructions[index].heredocs}
    total = 0
    for source in copy.sources:
        if source in heredocs:
            total += heredocs[source]
            continue
        paths = place.matching(source) if place is not None else ()
        sizes = [
            unwanted.size_of(place, entry)
            for path in paths
            if place is not None and (entry := place.entry(path)) is not None
        ]
        if not sizes or None in sizes:
            return None
        total += sum(size for size in sizes if size is not None)
    return total


def _is_assembled(build: Build, origin: Reference) -> bool:
    return origin.stage is not None and _is_assembly(build, build.stages[origin.stage])


def _is_system(path: str) -> bool:
    return path.split("/")[1] in bases.SYSTEM_FOLDERS


def _made(piece: _Piece, root: str) -> list[str]:
    """The folders strictly below the root that a COPY of the group makes where they are not there."""
    found = []
    for path in (*map(posixpath.dirname, piece.targets), piece.folder, *((piece.filled,) if piece.filled else ())):
        while path.startswith(root + "/"):
            found.append(path)
            path = posixpath.dirname(path)
    return found


# Past more steps than these a COPY is not moved: each is looked at for each COPY.
_FAR = 25

_STEPS = frozenset(("RUN", "COPY", "ADD", "WORKDIR"))


def _passes(build: Build, stage: Stage, piece: _Piece, group: _Gathered, numbered: bool) -> bool:
    """Whether a COPY may stand where the first of a group does: nothing between reads or writes what it brings. An owner that is
    `numbered` is the same before the list of users has its name."""
    for index in range(group.pieces[-1].instruction + 1, piece.instruction):
        if build.instructions[index].name in _STEPS:
            group.between.append(index)
            if len(group.between) > _FAR:
                return False
    region = _region(build, stage, piece.folder)
    filled = (piece.filled + "/*",) if piece.filled else ()
    paths = tuple(dict.fromkeys((*piece.targets, *_made(piece, region), *filled)))
    for index in group.between:
        if build.instructions[index].name == "WORKDIR":
            made = layers.workdir_after(build, index)
            # Where it makes a folder, it does so as the user's, which the COPY would make as its own.
            if made is None or (
                made.startswith(region + "/")
                and any(layers.overlaps(made, path) for path in paths)
                and not layers.exists(build, stage, made, index)
            ):
                return False
        else:
            from dfopt import commuting  # few files have anything but settings between

            if not commuting.commute(build, index, piece.instruction, numbered=numbered).free:
                return False
    return True


def _passes_all(build: Build, others: list[int], piece: _Piece) -> bool:
    """Whether a COPY may stand before others that were to be of its group."""
    from dfopt import commuting

    return all(
        commuting.commute(build, other, piece.instruction, numbered=piece.ids is not None).free for other in others
    )


# ---------------------------------------------------------------------------------------------------------- what is shown


class _Doubt(NamedTuple):
    """Why the image might not be the same, and which paths of it."""

    why: str
    paths: tuple[str, ...]


def _doubts(build: Build, stage: Stage, group: _Group) -> Iterator[_Doubt]:
    """Why the image might not be the same; none where it is shown to be.

    COPY gives folders below its destination the source's mode and owner, and replaces links there; so nothing may be before where the
    assembly has a folder or file below its root. Where COPYs meet each other, a later one may follow a link that an earlier one
    brought, which need not lead to the same place in another stage.
    """
    root = group.root
    below = (root + "/**",)
    first = group.pieces[0].instruction
    missing = [path for path in (root, *_above(root)) if not layers.exists(build, stage, path, first)]
    if missing:
        # The first COPY makes the root, and what is missing above it, as its own.
        opening, copy = group.pieces[0], build.copy(first)
        mode = copy.flags.get("chmod", "755") if copy is not None else ""
        if mode.lstrip("0") != "755":
            yield _Doubt(f"`{root}` itself, where it is new, no longer has the mode `{mode}`", tuple(missing))
        if len({piece.owner for piece in group.pieces}) > 1 and opening.ids not in ("", "0", "0:0"):
            yield _Doubt(f"`{root}` itself, where it is new, is no longer `{opening.owner[0]}`'s", tuple(missing))
    wanted: list[str] = []
    filled: dict[str, int] = {}
    met = ""
    for piece in group.pieces:
        own = [*piece.targets, *_made(piece, root)]
        for path in own:
            folder = "" if met else next((above for above in _above(path) if above in filled), "")
            if folder:
                line = build.syntax.source.line_of(build.instructions[filled[folder]].keyword_span.start)
                met = f"`{path}` may be a link that line {line} brings"
        wanted += own
        if piece.filled:
            filled.setdefault(piece.filled, piece.instruction)
        if (
            piece.is_open
            and piece.may_be_file
            and piece.folder == piece.filled
            and piece.instruction not in group.folders
        ):
            bottom = build.chain(stage)[-1]
            if bottom.base.kind != "scratch" and bases.may_hold(bottom.reference, bottom.facts, piece.folder):
                met = met or f"`{piece.folder}` may be a folder before, which takes a file under its own name"
    if met:
        yield _Doubt(met, below)
    plain = _plain_folders(build, stage, group, wanted)
    why = layers.occupied(build, stage, tuple(path for path in dict.fromkeys(wanted) if path not in plain), first)
    if why:
        yield _Doubt(why, below)


def _above(path: str) -> Iterator[str]:
    while posixpath.dirname(path) != "/":
        path = posixpath.dirname(path)
        yield path


def _plain_folders(build: Build, stage: Stage, group: _Group, wanted: list[str]) -> set[str]:
    """Those folders that root's WORKDIR made before with nothing else in it, and that the assembly has with the same mode and owner."""
    names = {flag.name for piece in group.pieces for flag in build.instructions[piece.instruction].flags}
    if names & {"chown", "chmod", "link", "parents"}:
        return set()
    targets = {target for piece in group.pieces for target in piece.targets}
    found = set()
    for index in range(stage.first, group.pieces[0].instruction):
        if build.instructions[index].name == "WORKDIR" and build.state(index).is_root:
            made = layers.workdir_after(build, index) or ""
            if made in wanted and made not in targets and not layers.occupied(build, stage, (made,), index):
                steps = range(index + 1, group.pieces[0].instruction)
                if all(layers.touches(build, later, (made,)) is None for later in steps):
                    found.add(made)
    return found


# ------------------------------------------------------------------------------------------------------------ what is done


def _finding(
    build: Build, stage: Stage, group: _Group, doubts: list[_Doubt], before: int, place: Context | None
) -> Finding:
    pieces, root = group.pieces, group.root
    span = build.instructions[pieces[0].instruction].text_span
    message = f"{_described(build, group)} -> lay the files out in an assembly stage and copy them at once"
    saves = _saving(build, group, place)
    name = _fresh(build, stage, pieces[0].instruction, before)
    renumbered = rewrite.renumbered(build, stage)
    if name is None or renumbered is None:
        why = "an ONBUILD, or a COPY of no stage yet, names a number that a stage before this one would move"
        return Finding(span, message, None, saves, (), why if name is not None else "no name is left for another stage")
    replaced = _link_within(build, stage, group) if doubts else ""
    if replaced:
        why = f"`{replaced}` is a link, and what is copied through it now would replace it, or fail to"
        return Finding(span, message, None, saves, (), why)
    steps = tuple(piece.instruction for piece in pieces)
    changed = tuple(dict.fromkeys(path for doubt in doubts for path in doubt.paths))
    fix = Fix(
        f"copy `{root}` at once from a stage `{name}`",
        (*_edits(build, stage, group, name), *renumbered),
        not doubts,
        f"to agree: {'; '.join(doubt.why for doubt in doubts)}"
        if doubts
        else f"what they bring below `{root}` is new there, so modes and owners come out the same",
        (
            Assembles(steps, name, root, group.folders),
            Layers(stage.index, 1 - len(pieces)),
            *((Changes(changed, stage.index),) if changed else ()),
        ),
    )
    return Finding(span, message, fix, saves)


def _link_within(build: Build, stage: Stage, group: _Group) -> str:
    """A link that a RUN makes where the assembly has a file or a folder; "" where there is none. A COPY follows one on the way to its
    destination, and stops at one where it has a folder below it."""
    from dfopt import commuting

    own = {path for piece in group.pieces for path in (*piece.targets, *_made(piece, group.root))}
    return next((link for link in commuting.links(build, stage) if any(layers.covers(one, link) for one in own)), "")


def _described(build: Build, group: _Group) -> str:
    """What is, in words."""
    source = build.syntax.source
    first, last = (build.instructions[group.pieces[at].instruction] for at in (0, -1))
    lines = f"lines {source.line_of(first.keyword_span.start)} to {source.line_of(last.keyword_span.start)}"
    named = _listed(_origins(build, group))
    return f"{len(group.pieces)} COPYs from {named} ({lines}) fill `{group.root}` layer by layer"


def _origins(build: Build, group: _Group) -> list[str]:
    found, others = [], []
    for piece in group.pieces:
        reference = next(iter(build.references_of(piece.instruction)), None)
        if reference is not None:
            found.append(f"stage {reference.stage}" if reference.text.isdecimal() else f"`{reference.text}`")
            continue
        remote = ["://" in source for source in build.instructions[piece.instruction].arguments[:-1]]
        others += (["the build context"] if False in remote else []) + (["the network"] if True in remote else [])
    return list(dict.fromkeys((*found, *others)))


def _is_of_one_origin(build: Build, group: _Group) -> bool:
    """Whether all change together, or lie in a folder of their own."""
    return len(_origins(build, group)) == 1 or layers.region(group.root + "/x") != group.root + "/x"


def _listed(names: list[str], word: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _saving(build: Build, group: _Group, place: Context | None) -> Saving:
    """The layers, counted, and what it costs: whose change copies how much anew. Sizes are those of the context now."""
    sizes = [_size(build, piece.instruction, place) for piece in group.pieces]
    known = sum(size for size in sizes if size is not None)
    origins = _origins(build, group)
    if None not in sizes:
        amount = unwanted.amount(known)
    else:
        amount = f"{unwanted.amount(known)} of the context, the rest unknown" if known else "how much is unknown"
    change = f"a change in {_listed(origins, 'or')}" if len(origins) > 1 else f"any change in {origins[0]}"
    text = f"{len(group.pieces)} layers become 1; {change} then copies all of it again: {amount}"
    first, last = group.pieces[0].instruction, group.pieces[-1].instruction
    passed = [one for one in build.instructions[first + 1 : last] if one.name == "RUN"]
    lines = [str(build.syntax.source.line_of(one.keyword_span.start)) for one in passed]
    if lines:
        # They are cached by what stands before them.
        several = len(lines) > 1
        text += f"; and the RUN{'s' * several} on line{'s' * several} {_listed(lines)} run{'s' * (not several)} again"
    return Saving(text, source="")


def _fresh(build: Build, stage: Stage, index: int, before: int) -> str | None:
    """The name of the assembly stage for the COPYs at instruction `index`, with `before` others to be assembled above them.

    It speaks of the stage that it is for, unless that is the last, and is numbered by place, so that it does not depend on which
    assembly is made first.
    """
    stem = "assembly" if stage is build.final or not stage.name else f"assembly-{stage.name}"
    names = [stem, *(f"{stem}-{number}" for number in range(2, 100))]
    taken = build.names()
    made = {one.index: one.name for one in build.stages if one.name in names and _is_assembly(build, one)}
    copied = {reference.stage for at in range(stage.first, index) for reference in build.references_of(at)}
    usable = [name for name in names if name not in taken or name in made.values()]
    above = before + len(copied & made.keys())
    return next((name for name in usable[above:] if name not in taken), None)


def _edits(build: Build, stage: Stage, group: _Group, name: str) -> list[Edit]:
    source = build.syntax.source
    opening = build.instructions[stage.first]
    platform = [flag.text for flag in opening.flags if flag.name == "platform"]
    words = ["FROM", *platform, "scratch", "AS", name]
    if opening.keyword.islower():
        words[0], words[-2] = "from", "as"
    lines = [" ".join(words)]
    needed = {one for piece in group.pieces for one in normal.carried(build, piece.instruction) or ()}
    lines += [f"{'arg' if opening.keyword.islower() else 'ARG'} {text}" for _, _, text in sorted(needed)]
    one_owner = len({piece.owner for piece in group.pieces}) == 1
    runs: list[list[int]] = [[]]
    members = {piece.instruction for piece in group.pieces}
    for number, piece in enumerate(group.pieces):
        instruction = build.instructions[piece.instruction]
        if number:
            # The comments above the first COPY stay where they are, the others go with their COPY.
            before = build.instructions[piece.instruction - 1]
            follows = piece.instruction - 1 in members
            start = before.span.end if follows else rewrite.block_start(build, piece.instruction)
            lines += rewrite.comments_in(source.text[start : instruction.span.start])
            if not follows:
                runs.append([])
        runs[-1].append(piece.instruction)
        lines.append(_laid_out(build, piece, one_owner, piece.instruction in group.folders))
    first, last = build.instructions[runs[0][0]], build.instructions[runs[0][-1]]
    linked = normal.is_linked(build, group.pieces[0].instruction)
    flags = [
        flag.text for flag in first.flags if (linked if flag.name == "link" else one_owner and flag.name == "chown")
    ]
    root = group.root if _PLAIN.fullmatch(group.root) else f"[{_quoted(group.root)}, {_quoted(group.root)}]"
    keyword = "copy" if first.keyword.islower() else "COPY"
    merged = " ".join([keyword, f"--from={name}", *flags, root if root[0] == "[" else f"{root} {root}"])
    edits = [
        rewrite.insert_stage(build, stage, lines),
        Edit(Span(first.text_span.start, last.text_span.end), merged),
    ]
    for run in runs[1:]:
        edits += rewrite.drop_instruction(build, run[0], run[-1]).edits
    return edits


def _laid_out(build: Build, piece: _Piece, one_owner: bool, is_folder: bool) -> str:
    """A COPY in the assembly stage: the author's own lines, with absolute destination, known values, and without the flags
    that go to the other COPY; owners that differ stay, as numbers."""
    instruction = build.instructions[piece.instruction]
    copy = build.copy(piece.instruction)
    text = build.syntax.source.text
    edits: list[Edit] = []
    end = instruction.keyword_span.end
    for flag in instruction.flags:
        if flag.name == "link" or (flag.name == "chown" and (one_owner or not piece.ids)):
            edits.append(Edit(Span(end, flag.span.end), ""))
        elif flag.name == "chown" and flag.value != piece.ids:
            edits.append(Edit(flag.span, f"--chown={piece.ids}"))
        end = flag.span.end
    spelled = _quoted if instruction.json else str
    if copy is not None and copy.sources is not None:
        heredocs = {heredoc.word.text for heredoc in instruction.heredocs}
        edits += [
            Edit(word.span, spelled(value))
            for word, value in zip(instruction.words, copy.sources)
            if "$" in word.text and word.text not in heredocs
        ]
    destination = piece.destination + ("/" if is_folder else "")
    if instruction.arguments[-1] != destination:
        edits.append(Edit(instruction.words[-1].span, spelled(destination)))
    start, end = instruction.text_span
    own = [edit._replace(span=Span(edit.span.start - start, edit.span.end - start)) for edit in edits]
    return apply_edits(text[start:end], own)


def _quoted(path: str) -> str:
    """A path as a string of the JSON form; it holds nothing that would be escaped."""
    return f'"{path}"'
