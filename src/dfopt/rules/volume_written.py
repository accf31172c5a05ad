"""What a RUN writes below a VOLUME after its declaration, which Docker's legacy builder throws away."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import archives, layers, rewrite
from dfopt.archives import Placed
from dfopt.build import Build, Stage
from dfopt.rule import Adds, Finding, Fix, Given, Related
from dfopt.source import Span

# Commands that write what they name: all operands, all but the first, or the last.
_WRITING = {
    "mkdir": 0, "touch": 0, "rm": 0, "rmdir": 0, "tee": 0, "truncate": 0,
    "chown": 1, "chgrp": 1, "chmod": 1,
    "cp": -1, "mv": -1, "ln": -1, "install": -1,
}  # fmt: skip


def check(build: Build, given: Given) -> Iterator[Finding]:
    if given.engine != "legacy":
        return  # BuildKit keeps it (measured; Docker's reference of VOLUME says so)
    for stage in build.stages:
        volumes = [(index, path) for one in build.chain(stage)[1:] for index, path in _declared(build, one)]
        own = _declared(build, stage)
        for index in stage.indexes:
            before = volumes + [(declared, path) for declared, path in own if declared < index]
            yield from _of_run(build, stage, index, before)


def _declared(build: Build, stage: Stage) -> list[tuple[int, str]]:
    """The VOLUMEs of a stage: the instruction, and a path without variables."""
    found = []
    for index in stage.indexes:
        if build.instructions[index].name == "VOLUME":
            for argument in build.instructions[index].arguments:
                path = build.expand(argument, index)
                if path is not None and path.startswith("/"):
                    found.append((index, posixpath.normpath(path)))
    return found


def _of_run(build: Build, stage: Stage, index: int, volumes: list[tuple[int, str]]) -> Iterator[Finding]:
    run = build.run(index)
    if run is None or not volumes:
        return
    said: set[str] = set()
    for place in archives.placed(build, index):
        for path in _written(build, index, place):
            hit = next(((declared, volume) for declared, volume in volumes if layers.covers(volume, path)), None)
            if hit is None or hit[1] in said or layers.mounted(build, index, path):
                continue
            said.add(hit[1])
            fix, refusal = _fix(build, stage, hit[0], hit[1])
            simple = place.command.simple
            keyword = build.instructions[hit[0]].keyword_span
            line = build.syntax.source.line_of(keyword.start)
            message = (
                f"`{place.command.label}` writes `{path}` below the VOLUME of line {line}, which the legacy builder throws away"
                " -> declare the volume behind it"
            )
            related = (Related(keyword, f"`{hit[1]}` is a volume from here on"),)
            yield Finding(run.span(simple.start, simple.end), message, fix, None, related, refusal)


def _written(build: Build, index: int, place: Placed) -> Iterator[str]:
    """The paths that a command certainly writes."""
    simple = place.command.simple
    words = simple.words[1:] if simple.words and simple.words[0].value == "sudo" else simple.words
    texts = list(archives.fetched(simple))
    texts += [one.target.text for one in simple.redirections if one.operator in (">", ">>", ">|")]
    name = posixpath.basename(words[0].value or "") if words else ""
    if name in _WRITING:
        operands = [word.text for word in words[1:] if not re.match(r"-.", word.text)]
        first = _WRITING[name]
        texts += operands[first:] if len(operands) > max(first, 0) else []
    use = place.command.use
    if (
        use is not None
        and use.action == "install"
        and use.reads_project
        and place.folder is not None
        and not use.directories
    ):
        texts += [posixpath.join(place.folder, use.manager.writes[0])] if use.manager.writes else []
    for text in texts:
        path = archives.file_of(build, index, place, text).path
        if path is not None and not path.startswith("/dev/"):
            yield path


def _fix(build: Build, stage: Stage, declared: int, volume: str) -> tuple[Fix | None, str]:
    """The VOLUME behind the last RUN of its stage that writes there, or why not."""
    if build.stage(declared) is not stage:
        return None, "another stage declares it"
    last = declared
    for index in range(declared + 1, stage.last + 1):
        for place in archives.placed(build, index):
            if any(layers.covers(volume, path) for path in _written(build, index, place)):
                last = index
    for between in range(declared + 1, last + 1):
        instruction = build.instructions[between]
        if instruction.name not in ("RUN", "COPY", "ADD"):
            line = build.syntax.source.line_of(instruction.keyword_span.start)
            return None, f"`{instruction.name}` on line {line} stands between"
    if build.instructions[declared].heredocs or "\n" in _text(build, build.instructions[declared].text_span):
        return None, "it goes over several lines"
    gone = rewrite.drop_instruction(build, declared)
    if rewrite.switches_off(gone.comments):
        return None, "a comment switches a check off for the VOLUME"
    lines = [*gone.comments, _text(build, build.instructions[declared].text_span)]
    edits = (*gone.edits, rewrite.insert_lines(build, build.instructions[last].span.end, lines))
    because = f"to agree: what the build writes below `{volume}` is in the image then, and in each new volume"
    line = build.syntax.source.line_of(build.instructions[last].keyword_span.start)
    return Fix(
        f"move the VOLUME behind line {line}", edits, False, because, (Adds((volume + "/**",), stage.index),)
    ), ""


def _text(build: Build, span: Span) -> str:
    return build.syntax.source.text[span.start : span.end].rstrip()
