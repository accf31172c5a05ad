"""Every finding lies on the text that it speaks of, however the author broke the lines."""

import random
import re
from typing import NamedTuple

import pytest
from real_files import corpus_files

from dfopt import catalogue, engine
from dfopt.build import Build
from dfopt.rule import Diagnostic, Given
from dfopt.source import Source
from dfopt.syntax import parse

RULES = catalogue.rules(["ALL"])
GIVENS = (Given(), Given(cache="mount"), Given(assembly="always"))

# Files in which many rules find something; each line is one instruction, so that it can be broken anywhere.
FILES = (
    "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN apt-get update && apt-get install -y gcc curl\nRUN pip install -r requirements.txt\n"
    "RUN curl -o /tmp/x.tgz https://example.com/x.tgz\nRUN tar xf /tmp/x.tgz -C /opt\nRUN rm /tmp/x.tgz\nRUN rm -rf /var/lib/apt/lists/*\n",
    "FROM golang:1.24 AS build\nCOPY . /src\nWORKDIR /src\nRUN go mod download && go build -o /out/a ./...\nFROM alpine:3.22\nRUN apk update && apk add curl git\n"
    "RUN rm -rf /var/cache/apk/*\nCOPY --from=build /out/a.bin /app/a.bin\nCOPY --from=build /out/b.bin /app/b.bin\n",
    "FROM node:20\nWORKDIR /srv\nADD . /srv\nRUN npm install && npm cache clean --force\nRUN yarn build\nRUN apt-get update\nRUN apt-get install -y git\n",
)  # fmt: skip


class Found(NamedTuple):
    code: str
    message: str
    text: str


def diagnostics(text: str, given: Given) -> list[Diagnostic]:
    return list(engine.check(Source(text), RULES, given).diagnostics)


def plain(text: str) -> str:
    """A piece of a Dockerfile as BuildKit joins it: comment lines, continuations and the white space around them are gone."""
    lines = [line for line in text.split("\n") if not line.strip().startswith("#")]
    return re.sub(r"\s+", " ", re.sub(r"\\\s*$", "", "\n".join(lines), flags=re.MULTILINE)).strip()


def found(text: str, given: Given) -> list[Found]:
    """What is found, with line numbers taken out of the messages, since they change with the layout."""
    return [
        Found(one.code, re.sub(r"lines? \d+( to \d+)?", "line N", one.message), plain(text[slice(*one.span)]))
        for one in diagnostics(text, given)
    ]


def broken(text: str, chance: random.Random, newline: str) -> str:
    """The same file with continuations and comment lines put in where the author might."""
    lines = []
    for line in text.rstrip("\n").split("\n"):
        words = line.split(" ")
        pieces = [words[0]]
        for word in words[1:]:
            if chance.random() < 0.4 and words[0] not in ("FROM",):
                comment = f"{newline}{chance.choice(['', '  ', chr(9)])}# a comment \\" if chance.random() < 0.3 else ""
                pieces.append(
                    f" \\{chance.choice(['', ' ', chr(9)])}{comment}{newline}{chance.choice(['', '    ', chr(9)])}{word}"
                )
            else:
                pieces.append(" " + word)
        lines.append("".join(pieces))
    return newline.join(lines) + newline


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("text", FILES, ids=["python", "go", "node"])
@pytest.mark.parametrize("given", GIVENS, ids=["auto", "mount", "always"])
def test_findings_do_not_depend_on_the_layout(text: str, given: Given, newline: str) -> None:
    expected = sorted(found(text, given))
    assert len(expected) >= 3
    for seed in range(25):
        other = broken(text, random.Random(seed), newline)
        assert sorted(found(other, given)) == expected, other


def heredoc(text: str) -> str:
    """The same file with its RUNs as heredocs."""
    return re.sub(r"^RUN (.*)$", lambda match: f"RUN <<EOF\nset -e\n{match[1]}\nEOF", text, flags=re.MULTILINE)


@pytest.mark.parametrize("text", FILES, ids=["python", "go", "node"])
def test_findings_inside_heredocs_lie_on_their_text(text: str) -> None:
    other = heredoc(text)
    seen = 0
    build = Build(parse(Source(other)))
    bodies = [one.body_span for instruction in build.instructions for one in instruction.heredocs]
    for one in diagnostics(other, Given(cache="clean")):
        _lies(other, one)
        seen += any(body.start <= one.span.start and one.span.end <= body.end for body in bodies)
    assert seen


def _lies(text: str, one: Diagnostic) -> None:
    """The span is inside, not empty, begins and ends on text, and the message quotes what stands there."""
    start, end = one.span
    assert 0 <= start < end <= len(text), one
    piece = text[start:end]
    if one.code not in ("DF802",):
        assert piece == piece.strip(), one
    quoted = re.match(r"`([^`]+)`", one.message)
    if quoted is not None:
        # The message may name a command by its program and verb alone.
        words, there = quoted[1].split(), plain(piece)
        # Base images are named as they are with the file's own arguments.
        expanded = one.code.startswith("DF4") and "$" in there
        assert expanded or words[0] in there or words[0].rpartition("/")[2] in there, (one.message, there)
        if len(words) > 1 and one.code not in ("DF201", "DF203", "DF103", "DF601"):
            assert words[1] in there, (one.message, there)
    for related in one.related:
        assert 0 <= related.span.start < related.span.end <= len(text), one
    for fix in (one.fix,) if one.fix is not None else ():
        assert all(0 <= edit.span.start <= edit.span.end <= len(text) for edit in fix.edits)


@pytest.mark.parametrize("given", GIVENS, ids=["auto", "mount", "always"])
def test_spans_over_real_files(given: Given) -> None:
    count = 0
    for name, data in corpus_files():
        source = Source.from_bytes(data, name)
        for one in engine.check(source, RULES, given).diagnostics:
            _lies(source.text, one)
            count += 1
    assert count > 300
