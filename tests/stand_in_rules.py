"""Small rules of the tests' own, so that the rim is tested without depending on what the real rules find."""

import re
from collections.abc import Iterator

import pytest

from dfopt import catalogue
from dfopt.build import Build
from dfopt.rule import Finding, Fix, Given, Info, Related, Removes, Saving
from dfopt.source import Edit, Span


def _info(code: str, name: str, severity: str, default: bool, fixable: str) -> Info:
    return Info(code, name, severity, default, "0.1.0", (), (), f"what {name} finds", fixable)


INFOS = (
    _info("DF191", "two-blanks", "warning", True, "safe"),
    _info("DF192", "keyword-case", "info", True, "unsafe"),
    _info("DF291", "bad-word", "error", True, "no"),
    _info("DF292", "breaks-its-promise", "warning", False, "safe"),
    _info("DF293", "raises", "warning", False, "no"),
    _info("DF294", "spans-lines", "info", False, "no"),
)


def two_blanks(build: Build, given: Given) -> Iterator[Finding]:
    """More than one blank after a keyword: safe to fix, changes nothing."""
    for match in re.finditer(r"^\ufeff?([A-Za-z]+)(  +)", build.syntax.source.text, re.MULTILINE):
        span = Span(*match.span(2))
        fix = Fix("leave one blank", (Edit(span, " "),), True, "blanks there mean nothing", ())
        yield Finding(span, f"{len(match[2])} blanks after `{match[1]}` -> leave one", fix, Saving("a few bytes"))


def keyword_case(build: Build, given: Given) -> Iterator[Finding]:
    """A keyword in lower case: the stand-in for an unsafe fix."""
    for match in re.finditer(r"^[a-z]+(?= )", build.syntax.source.text, re.MULTILINE):
        span = Span(*match.span())
        fix = Fix("write it in capitals", (Edit(span, match[0].upper()),), False, "someone may like it so", ())
        yield Finding(span, f"`{match[0]}` is in lower case -> `{match[0].upper()}`", fix)


def bad_word(build: Build, given: Given) -> Iterator[Finding]:
    """The word BAD: nothing to be done; speaks of the first character of the file too."""
    for match in re.finditer("BAD", build.syntax.source.text):
        related = (Related(Span(0, 1), "the file starts here"),)
        saving = Saving("one word", 38_000_000, "measured", "a test's image", "2026-11-21")
        yield Finding(
            Span(*match.span()), "`BAD` is bad -> find a better word", None, saving, related, "no better word is known"
        )


def breaks_its_promise(build: Build, given: Given) -> Iterator[Finding]:
    """A fix that changes what it does not declare."""
    at = build.syntax.source.text.find("sh -c true")
    if at >= 0:
        yield Finding(
            Span(at, at + 10),
            "`sh -c true` -> `true`",
            Fix("run it directly", (Edit(Span(at, at + 10), "true"),), True, "", (Removes(("/x/**",), 0),)),
        )


def raises(build: Build, given: Given) -> Iterator[Finding]:
    """A rule with a fault."""
    if "CRASH" in build.syntax.source.text:
        raise RuntimeError("a fault of the rule")
    yield from ()


def spans_lines(build: Build, given: Given) -> Iterator[Finding]:
    """One finding over the whole file."""
    yield Finding(Span(0, len(build.syntax.source.text)), "all of it")


CHECKS = {
    "two-blanks": two_blanks,
    "keyword-case": keyword_case,
    "bad-word": bad_word,
    "breaks-its-promise": breaks_its_promise,
    "raises": raises,
    "spans-lines": spans_lines,
}


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue holds the rules of this module and nothing else."""
    monkeypatch.setattr(catalogue, "infos", lambda: INFOS)
    monkeypatch.setattr(catalogue, "_checker", lambda name, empty: CHECKS[name])
