"""Archives that one stage packs and another unpacks: layers are compressed anyway, so that packing only costs."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import archives, layers
from dfopt.archives import File, Placed
from dfopt.build import Build, Stage
from dfopt.rule import Finding, Given, Related, Saving


def check(build: Build, given: Given) -> Iterator[Finding]:
    said: set[tuple[int, int]] = set()
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            for place in archives.placed(build, index):
                for file in _unpacked(build, index, place):
                    for origin, source, carrier in _brought(build, stage, index, file):
                        packer = archives.packer(build, build.stages[origin], source)
                        if packer is not None and (packer[0], packer[1].command.simple.start) not in said:
                            said.add((packer[0], packer[1].command.simple.start))
                            yield _finding(build, packer, (index, place), source, carrier)


def _unpacked(build: Build, index: int, place: Placed) -> Iterator[File]:
    """The archives that a command unpacks, compressed single files too."""
    texts = archives.unpacked(place.command)
    words = place.command.simple.words
    name = posixpath.basename(words[0].value or "") if words else ""
    decompresses = name in ("gunzip", "unxz", "bunzip2", "unzstd", "zcat") or (
        name in ("gzip", "pigz", "xz", "bzip2", "zstd")
        and any(re.fullmatch(r"-[A-Za-z0-9]*d[A-Za-z0-9]*|--decompress|--uncompress", word.text) for word in words)
    )
    if decompresses:
        texts = [word.text for word in words[1:] if not word.text.startswith("-")]
    for text in texts:
        yield archives.file_of(build, index, place, text)


def _brought(build: Build, stage: Stage, index: int, file: File) -> Iterator[tuple[int, str, int]]:
    """Where an archive comes from, if from another stage: that stage's index, the archive's path there, and the instruction that
    copies or mounts it."""
    if file.path is None:
        return
    for flag, options in build.mounts(index):
        reference = next((one for one in build.references_of(index) if one.span == flag.span), None)
        target = build.absolute(build.expand(options.get("target", ""), index), index)
        if reference is None or reference.stage is None or target is None or options["type"] != "bind":
            continue
        source, target = "/" + options.get("source", "").lstrip("/"), target.rstrip("/")
        if file.path == target:
            yield reference.stage, posixpath.normpath(source), index
        elif file.path.startswith(target + "/"):
            yield reference.stage, posixpath.normpath(source + "/" + file.path.removeprefix(target)), index
    for other in range(stage.first + 1, index):
        copy = build.copy(other)
        if copy is None or copy.origin is None or copy.origin.stage is None:
            continue
        for one in layers.laid(build, other) or ():
            if one.kind != "archive" and one.path == file.path:
                yield copy.origin.stage, posixpath.normpath("/" + one.source.lstrip("/")), other


def _finding(
    build: Build, packer: tuple[int, Placed], unpacker: tuple[int, Placed], source: str, carrier: int
) -> Finding:
    run, other = build.run(packer[0]), build.run(unpacker[0])
    assert run is not None and other is not None, "a placed command stands in a RUN that is read"
    packs, unpacks = packer[1].command.simple, unpacker[1].command.simple
    span, behind = run.span(packs.start, packs.end), other.span(unpacks.start, unpacks.end)
    stage = build.stage(packer[0])
    line = build.syntax.source.line_of(behind.start)
    message = (
        f"`{packer[1].command.label}` packs `{source}`, which line {line} unpacks again, though layers are compressed anyway"
        f" -> copy what it packs (`COPY --from={stage.name or stage.index if stage is not None else '...'}`)"
    )
    saves = "packing and unpacking"
    if build.instructions[carrier].name == "COPY":
        saves += ", and a layer with the archive"
    related = (
        Related(build.instructions[carrier].keyword_span, "this brings the archive over"),
        Related(behind, "this unpacks it"),
    )
    refusal = "COPY gives the folder itself mode 0755 and root as its owner, where tar keeps what was packed"
    return Finding(span, message, None, Saving(saves), related, refusal)
