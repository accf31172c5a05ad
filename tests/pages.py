"""The examples on the rules' pages: read once, for whoever tests with them.

A page holds them as fenced blocks. What follows `dockerfile` behind the fence says what the block shows:

    before [OPTION]...   fixed to the text of the next block, which is `after`
    ok [OPTION]...       no finding of the rule
    report [OPTION]...   findings of the rule, and nothing is changed

Options: `unsafe` (`dfopt fix --unsafe`), `findings=2` (so many), `build` (both texts are built and compared where an engine
is there), and the policies of `dfopt.rule.Given` (`cache=mount`, `assembly=always`, `contexts=docs,tools`, `engine=legacy`,
`answer=components:stage`, and `context=npm` for the project `tests/fixtures/projects/npm`, see `project`).
"""

import atexit
import functools
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from dfopt import catalogue
from dfopt.rule import Given, Info, Place

FOLDER = pathlib.Path(__file__).parents[1] / "rules"
PROJECTS = pathlib.Path(__file__).parent / "fixtures" / "projects"
KINDS = ("before", "after", "ok", "report")

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*(.*)")


class Example(NamedTuple):
    """One example: `text` shows `kind`, `after` is what a `before` becomes (else ""), `line` counts from 1."""

    rule: str
    code: str
    line: int
    kind: str
    text: str
    after: str
    given: Given
    unsafe: bool
    build: bool
    findings: int | None

    def __str__(self) -> str:
        return f"{self.rule}:{self.line}:{self.kind}"


@functools.cache
def project(name: str) -> pathlib.Path:
    """The folder of a project. Where it has a list `sparse.txt` (lines of bytes and a path) it is a copy in which these files are
    there too, empty but of that size: no repository should hold gigabytes to show a rule."""
    folder = PROJECTS / name
    listed = folder / "sparse.txt"
    if not listed.exists():
        return folder
    made = pathlib.Path(tempfile.mkdtemp(prefix="dfopt-")).resolve()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    shutil.copytree(folder, made, dirs_exist_ok=True, ignore=shutil.ignore_patterns("sparse.txt"))
    for line in listed.read_text(encoding="utf-8").splitlines():
        size, _, path = line.partition(" ")
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).touch()
        os.truncate(made / path, int(size))
    return made


@functools.cache
def infos() -> tuple[Info, ...]:
    """The heads of all pages."""
    return catalogue.read_heads(str(FOLDER))


@functools.cache
def examples() -> tuple[Example, ...]:
    """All examples of all pages."""
    return tuple(example for info in infos() for example in read(info, text_of(info)))


def text_of(info: Info) -> str:
    return (FOLDER / f"{info.name}.md").read_text(encoding="utf-8")


def read(info: Info, page: str) -> Iterator[Example]:
    """The examples on one page. Raises ValueError, naming the page and line, for a block that shows nothing."""
    before: Example | None = None
    for line, label, text in _blocks(page):
        words = label.split()
        if not words or words[0] != "dockerfile":
            continue
        place = f"rules/{info.name}.md:{line}"
        kind = words[1] if len(words) > 1 else ""
        if kind not in KINDS:
            raise ValueError(f"{place}: a Dockerfile that shows nothing -> `dockerfile` and one of {', '.join(KINDS)}")
        if (kind == "after") != (before is not None):
            raise ValueError(f"{place}: `{kind}` -> each `before` is followed by its `after`")
        if before is not None:
            if words[2:]:
                raise ValueError(f"{place}: options stand at `before`")
            yield before._replace(after=text)
            before = None
            continue
        example = Example(info.name, info.code, line, kind, text, "", Given(), False, False, None)
        example = _with_options(example, words[2:], place)
        if kind == "before":
            before = example
        else:
            yield example
    if before is not None:
        raise ValueError(f"rules/{info.name}.md:{before.line}: `before` without `after`")


def _with_options(example: Example, options: list[str], place: str) -> Example:
    for option in options:
        key, _, value = option.partition("=")
        if option == "unsafe":
            example = example._replace(unsafe=True)
        elif option == "build":
            example = example._replace(build=True)
        elif key == "findings" and value.isdecimal():
            example = example._replace(findings=int(value))
        elif key == "context" and value:
            root = project(value)
            lies = Place(str(root / "Dockerfile"), str(root))
            example = example._replace(given=example.given._replace(place=lies))
        elif key == "contexts" and value:
            example = example._replace(given=example.given._replace(contexts=tuple(value.split(","))))
        elif key == "cache" and value:
            example = example._replace(given=example.given._replace(cache=value))
        elif key == "assembly" and value:
            example = example._replace(given=example.given._replace(assembly=value))
        elif key == "answer" and value:
            name, _, answer = value.partition(":")
            example = example._replace(given=example.given._replace(answers=((name, (answer,)),)))
        elif key == "engine" and value:
            example = example._replace(given=example.given._replace(engine=value))
        else:
            raise ValueError(f"{place}: unknown option `{option}`")
    return example


def _blocks(page: str) -> Iterator[tuple[int, str, str]]:
    """The fenced blocks: the line of the opening fence from 1, what stands behind it, the text."""
    fence, label, first = "", "", 0
    held: list[str] = []
    for number, line in enumerate(page.split("\n"), 1):
        opening = _FENCE.fullmatch(line.rstrip())
        if not fence:
            if opening is not None:
                fence, label, first, held = opening[1], opening[2], number, []
        elif opening is not None and opening[1].startswith(fence) and not opening[2]:
            yield first, label, "".join(each + "\n" for each in held)
            fence = ""
        else:
            held.append(line)
    if fence:
        raise ValueError(f"the block that line {first} opens is never closed")
