"""The engine: what it finds, what it suppresses, what it fixes, and that no fix gets away with a lie."""

import random
from typing import Callable, Iterator

import pytest

from dfopt import catalogue, engine
from dfopt.build import Build
from dfopt.engine import check, fix
from dfopt.rule import (
    AddsCommand,
    AddsCopy,
    AddsFlag,
    AddsMount,
    AddsWord,
    Assembles,
    ChangesArgument,
    ChangesBase,
    ChangesConfig,
    ChangesDirective,
    ChangesSource,
    Copied,
    DropsCommand,
    DropsStep,
    Effect,
    Finding,
    Fix,
    Given,
    Info,
    MergesRuns,
    Moves,
    Repeated,
    Retargets,
    Rule,
    SetUp,
    SplitsStage,
)
from dfopt.source import Edit, Source, Span
from dfopt.syntax import parse

TEXT = """\
# syntax=docker/dockerfile:1
ARG VERSION=1
FROM debian:bookworm-slim AS base
# the tools
ENV A=1 B=2
USER app
WORKDIR /srv
RUN first one && \\
    # in between
    second two
COPY --chown=1:1 a.txt b.txt /srv/
RUN third
LABEL k=v
EXPOSE 80
CMD ["serve"]
FROM base
COPY --from=base /srv/a.txt /a.txt
ENTRYPOINT ["run"]
"""


def rule(code: str, check: Callable[[Build, Given], Iterator[Finding]], severity: str = "warning") -> Rule:
    return Rule(
        Info(code, f"rule-{code.lower()}", severity, True, "0.1.0", (), (), "a rule of the tests", "safe"), check
    )


def replacing(old: str, new: str, *effects: Effect, safe: bool = True, code: str = "DF999") -> Rule:
    """A rule whose fix replaces one text by another, and declares `effects`."""

    def check(build: Build, given: Given) -> Iterator[Finding]:
        at = build.syntax.source.text.find(old)
        if at >= 0:
            span = Span(at, at + len(old))
            yield Finding(
                span, f"`{old}` is there -> `{new}`", Fix("replace", (Edit(span, new),), safe, "test", effects)
            )

    return rule(code, check)


LIES = {
    "a command changes": ("first one", "first 1"),
    "a command goes": ("first one && \\\n    # in between\n    second two", "second two\n# in between"),
    "an operator changes": ("first one && ", "first one ; "),
    "a comment goes": ("# the tools\n", ""),
    "a comment changes": ("# in between", "# else"),
    "a variable changes": ("A=1", "A=2"),
    "a variable goes": ("ENV A=1 B=2", "ENV A=1"),
    "the user changes": ("USER app", "USER other"),
    "the user goes": ("USER app\n", ""),
    "the working directory changes": ("WORKDIR /srv\n", "WORKDIR /srv2\n"),
    "a source goes": ("a.txt b.txt", "a.txt"),
    "a destination changes": ("a.txt /a.txt", "a.txt /b.txt"),
    "an owner changes": ("--chown=1:1", "--chown=2:2"),
    "a base changes": ("debian:bookworm-slim", "debian:trixie-slim"),
    "a stage is renamed": ("AS base", "AS other"),
    "a reference goes": ("--from=base ", ""),
    "a label changes": ("k=v", "k=w"),
    "a port changes": ("EXPOSE 80", "EXPOSE 81"),
    "the command changes": ('["serve"]', '["server"]'),
    "the form of the command changes": ('CMD ["serve"]', "CMD serve"),
    "the entry point goes": ('ENTRYPOINT ["run"]\n', ""),
    "a step goes": ("RUN third\n", ""),
    "a step moves": (
        "COPY --chown=1:1 a.txt b.txt /srv/\nRUN third\n",
        "RUN third\nCOPY --chown=1:1 a.txt b.txt /srv/\n",
    ),
    "a step leaves the reach of a variable": ("LABEL k=v\n", "LABEL k=v\nRUN third\n"),
    "a directive goes": ("# syntax=docker/dockerfile:1\n", "\n"),
    "a directive changes": ("dockerfile:1\n", "dockerfile:1.4\n"),
    "a global argument changes": ("VERSION=1", "VERSION=2"),
    "a stage comes in": ("FROM base\n", "FROM scratch AS new\nFROM base\n"),
    "the file is refused": ("RUN third\n", "RUN\n"),
    "an instruction is swallowed": ("RUN third\n", "RUN third \\\n"),
    "a flag comes in": ("RUN third", "RUN --network=none third"),
    "a comment becomes a directive": ("# syntax=docker/dockerfile:1\n", "# syntax=docker/dockerfile:1\n# escape=`\n"),
}


@pytest.mark.parametrize(("old", "new"), LIES.values(), ids=LIES.keys())
def test_a_fix_that_does_more_than_it_declares_is_undone(old: str, new: str) -> None:
    assert old in TEXT
    result = fix(Source(TEXT), [replacing(old, new)])
    assert result.source.text == TEXT
    assert not result.applied
    assert [fault.codes for fault in result.faults] == [("DF999",)]


@pytest.mark.parametrize(
    "effect",
    [
        DropsCommand(5, 0),
        DropsCommand(4, 7),
        AddsCommand(4, None, "&&", ("other",)),
        AddsWord(4, 3, ("x",)),
        Moves(4, 99),
        DropsStep(4),
        AddsMount(4, "type=bind,from=base,source=/a,target=/b"),
    ],
    ids=str,
)
def test_a_declared_effect_that_is_not_made_is_a_lie_too(effect: Effect) -> None:
    result = fix(Source(TEXT), [replacing("LABEL k=v", "LABEL  k=v", effect)])
    assert result.source.text == TEXT
    assert result.faults


ORDERED = """\
FROM debian:bookworm-slim
ARG REVISION
ENV TAG=$REVISION
LABEL revision=$REVISION
RUN first
WORKDIR /srv
USER app
COPY a.txt $TAG.txt
ENV REVISION=fixed
RUN second
CMD ["serve"]
"""
SETTINGS = "ARG REVISION\nENV TAG=$REVISION\nLABEL revision=$REVISION\n"
GROUP = (Moves(3, 4), Moves(2, 4), Moves(1, 4))


@pytest.mark.parametrize(
    ("old", "new", "effects", "good"),
    [
        (SETTINGS + "RUN first\n", "RUN first\n" + SETTINGS, GROUP, True),
        ("LABEL revision=$REVISION\nRUN first\n", "RUN first\nLABEL revision=$REVISION\n", (Moves(3, 4),), True),
        ("RUN first\nWORKDIR /srv\n", "WORKDIR /srv\nRUN first\n", (Moves(5, 3),), True),
        ("RUN first\nWORKDIR /srv\n", "WORKDIR /srv\nRUN first\n", (Moves(4, 5),), True),
        ("ENV REVISION=fixed\nRUN second\n", "RUN second\nENV REVISION=fixed\n", (Moves(8, 9),), True),
        ("ENV REVISION=fixed\nRUN second\n", "RUN second\nENV REVISION=fixed\n", (Moves(9, 7),), True),
        ("FROM debian:bookworm-slim\n" + SETTINGS + "RUN first\n", "FROM debian:bookworm-slim\nRUN first\n" + SETTINGS, (Moves(4, 0),), True),
        # Not declared, or not for all.
        (SETTINGS + "RUN first\n", "RUN first\n" + SETTINGS, (), False),
        (SETTINGS + "RUN first\n", "RUN first\n" + SETTINGS, GROUP[:2], False),
        ("ENV REVISION=fixed\nRUN second\n", "RUN second\nENV REVISION=fixed\n", (), False),
        # Declared for another place, or another instruction.
        (SETTINGS + "RUN first\n", "RUN first\n" + SETTINGS, (Moves(3, 9), Moves(2, 9), Moves(1, 9)), False),
        ("ENV REVISION=fixed\nRUN second\n", "RUN second\nENV REVISION=fixed\n", (Moves(8, 10),), False),
        ("RUN first\nWORKDIR /srv\n", "WORKDIR /srv\nRUN first\n", (Moves(6, 3),), False),
        ("WORKDIR /srv\n", "WORKDIR /srv\n", (Moves(1, 2),), False),
        # More is done than is declared.
        ("ENV REVISION=fixed\nRUN second\n", "RUN second\nENV REVISION=other\n", (Moves(8, 9),), False),
        ("RUN first\nWORKDIR /srv\nUSER app\n", "WORKDIR /srv\nUSER app\nRUN first\n", (Moves(5, 3),), False),
        # One that the other needs, or undoes, is passed.
        ("ENV TAG=$REVISION\nLABEL", "LABEL", (Moves(2, 0),), False),
        ("ARG REVISION\nENV TAG=$REVISION\n", "ENV TAG=$REVISION\nARG REVISION\n", (Moves(2, 0),), False),
        ("WORKDIR /srv\nUSER app\n", "USER app\nWORKDIR /srv\n", (Moves(6, 4),), False),
        (
            ORDERED[ORDERED.index("ENV REVISION") :],
            'RUN second\nCMD ["serve"]\nENV REVISION=fixed\nARG REVISION\n',
            (Moves(1, 10), Moves(8, 10)),
            False,
        ),
    ],
)  # fmt: skip
def test_what_moves_is_declared_for_its_place(old: str, new: str, effects: tuple[Effect, ...], good: bool) -> None:
    assert old in ORDERED
    result = fix(Source(ORDERED), [replacing(old, new, *effects)])
    assert bool(result.applied) is good and bool(result.faults) is not good


def test_an_argument_does_not_pass_a_variable_of_its_name() -> None:
    text = "FROM debian:bookworm-slim\nARG A\nENV A=1\nRUN make\n"
    done = [replacing("ARG A\nENV A=1\nRUN make\n", "ENV A=1\nRUN make\nARG A\n", Moves(1, 3))]
    result = fix(Source(text), done)
    assert not result.applied and "cannot pass" in result.faults[0].message


BODIES = """\
FROM debian:bookworm-slim
RUN cd /srv; first one
# in between
RUN second two || true
RUN third
ENV A=1
RUN <<EOF
fourth
fifth
EOF
RUN <<EOF
sixth
EOF
RUN set -e; seventh; eighth
RUN set -e; ninth
"""
TWO = "cd /srv; first one\n# in between\nRUN second two || true\n"
JOINED = " && \\\n    # in between\n    "

# What replaces what, and what is declared of it.
MERGES: dict[str, tuple[str, str, tuple[Effect, ...]]] = {
    "both": (TWO, f"(cd /srv; first one){JOINED}(second two || true)\n", (MergesRuns(1, 2, "&&", True, True),)),
    "three": (
        f"{TWO}RUN third",
        f"(cd /srv; first one){JOINED}(second two || true) && third",
        (MergesRuns(1, 2, "&&", True, True), MergesRuns(1, 3)),
    ),
    "and a command more": (
        TWO,
        f"(cd /srv; first one){JOINED}(second two || true) && last one\n",
        (MergesRuns(1, 2, "&&", True, True), AddsCommand(1, None, "&&", ("last", "one"))),
    ),
    "heredocs": (
        "fourth\nfifth\nEOF\nRUN <<EOF\nsixth\n",
        "(\nfourth\nfifth\n) &&\nsixth\n",
        (MergesRuns(5, 6, "&&", True),),
    ),
    "behind a set": (
        "seventh; eighth\nRUN set -e; ninth",
        "(seventh; eighth); ninth",
        (DropsCommand(8, 0), MergesRuns(7, 8, ";", True, False, 1)),
    ),
}
BOTH, HEREDOCS, SET = MERGES["both"], MERGES["heredocs"], MERGES["behind a set"]
LYING_MERGES: dict[str, tuple[str, str, tuple[Effect, ...]]] = {
    "the first is not wrapped": (TWO, f"cd /srv; first one{JOINED}(second two || true)\n", BOTH[2]),
    "the second is not wrapped": (TWO, f"(cd /srv; first one){JOINED}second two || true\n", BOTH[2]),
    "neither is wrapped": (TWO, f"cd /srv; first one{JOINED}second two || true\n", BOTH[2]),
    "both are wrapped, but not declared": (BOTH[0], BOTH[1], (MergesRuns(1, 2),)),
    "the other one is declared": (BOTH[0], BOTH[1], (MergesRuns(1, 2, "&&", True),)),
    "one subshell holds both": (TWO, f"(cd /srv; first one{JOINED}second two || true)\n", BOTH[2]),
    "the subshell begins too late": (TWO, f"cd /srv; (first one){JOINED}(second two || true)\n", BOTH[2]),
    "the subshell ends too early": (TWO, f"(cd /srv; first one){JOINED}(second two) || true\n", BOTH[2]),
    "a group is no subshell": (TWO, f"{{ cd /srv; first one; }}{JOINED}(second two || true)\n", BOTH[2]),
    "two subshells": (TWO, f"( (cd /srv; first one)){JOINED}(second two || true)\n", BOTH[2]),
    "joined by `;`": (TWO, f"(cd /srv; first one){JOINED.replace('&&', ';')}(second two || true)\n", BOTH[2]),
    "joined by a pipe": (TWO, f"(cd /srv; first one){JOINED.replace('&&', '|')}(second two || true)\n", BOTH[2]),
    "joined by `||`": (TWO, f"(cd /srv; first one){JOINED.replace('&&', '||')}(second two || true)\n", BOTH[2]),
    "an operator in the subshell changes": (TWO, f"(cd /srv && first one){JOINED}(second two || true)\n", BOTH[2]),
    "a command in the subshell goes": (TWO, f"(first one){JOINED}(second two || true)\n", BOTH[2]),
    "a command in the subshell changes": (TWO, f"(cd /opt; first one){JOINED}(second two || true)\n", BOTH[2]),
    "the first runs in the background": (TWO, f"(cd /srv; first one &){JOINED}(second two || true)\n", BOTH[2]),
    "the order changes": (TWO, f"(second two || true){JOINED}(cd /srv; first one)\n", BOTH[2]),
    "the comment goes": (TWO, "(cd /srv; first one) && (second two || true)\n", BOTH[2]),
    "a third is swallowed": (MERGES["three"][0], MERGES["three"][1], BOTH[2]),
    "what is added stands in the subshell": (
        TWO,
        f"(cd /srv; first one){JOINED}(second two || true && last one)\n",
        MERGES["and a command more"][2],
    ),
    "over a variable": (
        "third\nENV A=1\nRUN <<EOF\nfourth\nfifth\nEOF\n",
        "third && fourth; fifth\nENV A=1\n",
        (MergesRuns(3, 5),),
    ),
    "a heredoc's lines are joined otherwise": (HEREDOCS[0], "(\nfourth &&\nfifth\n) &&\nsixth\n", HEREDOCS[2]),
    "a heredoc's body leaves the subshell": (HEREDOCS[0], "fourth\nfifth &&\nsixth\n", HEREDOCS[2]),
    "the `set` stands in the subshell": (f"set -e; {SET[0]}", "(set -e; seventh; eighth); ninth", SET[2]),
    "the `set` of the first goes": (f"set -e; {SET[0]}", "(seventh; eighth); ninth", SET[2]),
    "the `set` of the second goes unsaid": (SET[0], SET[1], SET[2][1:]),
    "joined by `&&`, declared by `;`": (SET[0], "(seventh; eighth) && ninth", SET[2]),
}


@pytest.mark.parametrize(("old", "new", "effects"), MERGES.values(), ids=MERGES.keys())
def test_a_merge_that_is_as_declared_is_made(old: str, new: str, effects: tuple[Effect, ...]) -> None:
    assert old in BODIES
    result = fix(Source(BODIES), [replacing(old, new, *effects)])
    assert result.source.text == BODIES.replace(old, new)
    assert result.faults == ()


@pytest.mark.parametrize(("old", "new", "effects"), LYING_MERGES.values(), ids=LYING_MERGES.keys())
def test_a_merge_that_lies_is_undone(old: str, new: str, effects: tuple[Effect, ...]) -> None:
    assert old in BODIES
    result = fix(Source(BODIES), [replacing(old, new, *effects)])
    assert result.source.text == BODIES
    assert [fault.codes for fault in result.faults] == [("DF999",)]


def test_what_is_declared_is_made() -> None:
    build = Build(parse(Source(TEXT)))
    run = next(index for index, one in enumerate(build.instructions) if one.name == "RUN")
    result = fix(
        Source(TEXT), [replacing("second two", "second two && third 3", AddsCommand(run, None, "&&", ("third", "3")))]
    )
    # The text comes again and again, so the rule does not rest, which is a fault of its own.
    assert result.faults
    result = fix(Source(TEXT), [replacing("second two", "second deux", _drop(build, run), _add(run))])
    assert "second deux" in result.source.text
    assert not result.faults
    assert [applied.line for applied in result.applied] == [10]


def test_a_step_that_goes_and_a_mount_of_a_stage_are_made_as_declared() -> None:
    text = "FROM debian AS one\nRUN true\nFROM debian\nCOPY a /b\nRUN third\n"
    new = "--mount=type=bind,from=one,source=/a,target=/b third"
    effects = (DropsStep(3), AddsMount(4, "type=bind,from=one,source=/a,target=/b"))
    assert not fix(Source(text), [replacing("COPY a /b\nRUN third", f"RUN {new}", *effects)]).faults
    # Neither alone is the truth, nor is a mount of something else.
    for lies in (effects[:1], effects[1:], (effects[0], AddsMount(4, "type=bind,source=/a,target=/b"))):
        result = fix(Source(text), [replacing("COPY a /b\nRUN third", f"RUN {new}", *lies)])
        assert result.source.text == text
        assert result.faults


# The lines of two files that differ in the COPYs alone; what is declared of it, which is the truth for the first.
PARTS = """\
FROM debian AS one
FROM debian AS two
FROM --platform=linux/amd64 debian:bookworm-slim
ARG OUT=/out
ENV PLACE=/app
WORKDIR /app
USER 5
"""
ONE, TWO_, NUMBERED = (
    "COPY --from=one --chown=a:b $OUT/x ./",
    "COPY --from=two --chown=a:b y $PLACE/lib/",
    "COPY --from=two --chown=7 z /app",
)
COPIES = f"{ONE}\nLABEL a=b\n{TWO_}\n"
STAGE = """\
FROM --platform=linux/amd64 scratch AS all
ARG OUT=/out
COPY --from=one $OUT/x /app/
COPY --from=two y /app/lib/
FROM --platform=linux/amd64 debian:bookworm-slim
"""
MERGED = "COPY --from=all --chown=a:b /app /app\nLABEL a=b\n"
ASSEMBLY = Assembles((7, 9), "all", "/app")


def _assembled(copies: str, stage: str, merged: str, *effects: Effect) -> engine.Fixed:
    """What the engine makes of a fix that puts `stage` before the last stage of PARTS and `merged` in the place of its `copies`."""
    old = PARTS + copies
    opening = "FROM --platform=linux/amd64 debian:bookworm-slim\n"
    return fix(Source(old), [replacing(old, PARTS.replace(opening, stage) + merged, *effects)])


def test_an_assembly_that_is_as_declared_is_made() -> None:
    result = _assembled(COPIES, STAGE, MERGED, ASSEMBLY)
    assert result.faults == ()
    assert "AS all" in result.source.text


@pytest.mark.parametrize(("old", "new"), [
    ("COPY --from=one $OUT/x /app/\nCOPY --from=two y /app/lib/", "COPY --from=two y /app/lib/\nCOPY --from=one $OUT/x /app/"),
    ("COPY --from=two y /app/lib/\n", ""),
    ("--from=two y", "--from=one y"),
    ("two y /app/lib/", "two y /app/lib"),
    ("two y /app/lib/", "two y ./lib/"),
    ("two y /app/lib/", "two z /app/lib/"),
    ("two y", "two --chmod=755 y"),
    ("two y", "two --chown=7 y"),
    ("one $OUT/x", "one /out/x"),
    ("ARG OUT=/out\n", ""),
    ("ARG OUT=/out\n", "ARG OUT=/other\n"),
    ("ARG OUT=/out\n", "ARG OUT\n"),
    ("ARG OUT=/out\n", "ENV OUT=/out\n"),
    ("ARG OUT=/out\n", "ARG OUT=/out\nWORKDIR /app\n"),
    ("--platform=linux/amd64 scratch", "scratch"),
    ("scratch", "debian"),
    ("AS all", "AS one"),
    ("--from=all --chown=a:b", "--from=all"),
    ("--from=all --chown=a:b", "--from=all --chown=a"),
    ("--from=all --chown=a:b", "--from=all --link --chown=a:b"),
    ("--chown=a:b /app /app", "--chown=a:b /app /srv"),
    ("--chown=a:b /app /app", "--chown=a:b /app/lib /app"),
    ("LABEL a=b\n", ""),
])  # fmt: skip
def test_an_assembly_that_lies_is_undone(old: str, new: str) -> None:
    assert old in STAGE + MERGED
    result = _assembled(COPIES, STAGE.replace(old, new), MERGED.replace(old, new), ASSEMBLY)
    assert result.source.text == PARTS + COPIES
    assert [fault.codes for fault in result.faults] == [("DF999",)]


NUMBERS = f"COPY --from=one --chown=1:2 x /app/\n{NUMBERED}\nCOPY w /app/w\n"
NUMBERED_STAGE = STAGE.split("ARG")[0] + (
    "COPY --from=one --chown=1:2 x /app/\nCOPY --from=two --chown=7 z /app/\nCOPY w /app/w\n"
    "FROM --platform=linux/amd64 debian:bookworm-slim\n"
)


@pytest.mark.parametrize(("copies", "stage", "merged", "effect", "good"), [
    (NUMBERS, NUMBERED_STAGE, "COPY --from=all /app /app\n", Assembles((7, 8, 9), "all", "/app", (8,)), True),
    # The folder is not declared, or another one is.
    (NUMBERS, NUMBERED_STAGE, "COPY --from=all /app /app\n", Assembles((7, 8, 9), "all", "/app"), False),
    (NUMBERS, NUMBERED_STAGE, "COPY --from=all /app /app\n", Assembles((7, 8, 9), "all", "/app", (7,)), False),
    # One owner for all, or that of one changed.
    (NUMBERS, NUMBERED_STAGE.replace(" --chown=7", ""), "COPY --from=all --chown=7 /app /app\n", Assembles((7, 8, 9), "all", "/app", (8,)), False),
    (NUMBERS, NUMBERED_STAGE.replace("--chown=7", "--chown=8"), "COPY --from=all /app /app\n", Assembles((7, 8, 9), "all", "/app", (8,)), False),
    # Names of users that differ, and a name beside none.
    (NUMBERS.replace("=7", "=b"), NUMBERED_STAGE.replace("=7", "=b"), "COPY --from=all /app /app\n", Assembles((7, 8, 9), "all", "/app", (8,)), False),
    # `--link` on some.
    (NUMBERS.replace("COPY w", "COPY --link w"), NUMBERED_STAGE, "COPY --from=all --link /app /app\n", Assembles((7, 8, 9), "all", "/app", (8,)), False),
    # One is left behind, or they are out of order, or of another stage.
    (NUMBERS, NUMBERED_STAGE.replace("COPY w /app/w\n", ""), "COPY --from=all /app /app\n", Assembles((7, 8), "all", "/app", (8,)), False),
    (NUMBERS, NUMBERED_STAGE, "COPY --from=all /app /app\n", Assembles((8, 7, 9), "all", "/app", (8,)), False),
    (NUMBERS, NUMBERED_STAGE, "COPY --from=all /app /app\n", Assembles((7, 7, 8, 9), "all", "/app", (8,)), False),
    # The owner is a variable that changes between.
    ("COPY --chown=$OUT a /app/a\nENV OUT=5\nCOPY --chown=$OUT b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all --chown=$OUT /app /app\nENV OUT=5\n", Assembles((7, 9), "all", "/app"), False),
    # It is the same one before and behind another variable, and a value that is known is the same as the variable.
    ("COPY --chown=$OUT a /app/a\nENV IN=5\nCOPY --chown=$OUT b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all --chown=$OUT /app /app\nENV IN=5\n", Assembles((7, 9), "all", "/app"), True),
    ("ENV ID=5\nCOPY --chown=$ID a /app/a\nADD --chown=5 b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "ADD b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "ENV ID=5\nCOPY --from=all --chown=$ID /app /app\n", Assembles((8, 9), "all", "/app"), True),
    ("COPY --chown=root:root a /app/a\nCOPY --chown=0 b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all --chown=root:root /app /app\n", Assembles((7, 8), "all", "/app"), True),
    # An ADD stays one.
    ("COPY a /app/a\nADD b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all /app /app\n", Assembles((7, 8), "all", "/app"), False),
    # Names that differ, as the numbers that they have, or as others.
    ("COPY --chown=www-data a /app/a\nCOPY --chown=root b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY --chown=33:33 a /app/a\n"
     "COPY --chown=0:0 b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all /app /app\n", Assembles((7, 8), "all", "/app"), True),
    ("COPY --chown=www-data a /app/a\nCOPY --chown=root b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY --chown=33 a /app/a\n"
     "COPY --chown=0:0 b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all /app /app\n", Assembles((7, 8), "all", "/app"), False),
    # `--link` is written in two ways, and taken back.
    ("COPY --link=True a /app/a\nCOPY --link b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all --link=True /app /app\n", Assembles((7, 8), "all", "/app"), True),
    ("COPY --link=false a /app/a\nCOPY b /app/b\n", "FROM --platform=linux/amd64 scratch AS all\nCOPY a /app/a\n"
     "COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n", "COPY --from=all /app /app\n", Assembles((7, 8), "all", "/app"), True),
    # The JSON form is another spelling.
    ('COPY ["a", "/app/x y/a"]\nCOPY b "/app/b"\n', 'FROM --platform=linux/amd64 scratch AS all\nCOPY ["a", "/app/x y/a"]\n'
     'COPY b /app/b\nFROM --platform=linux/amd64 debian:bookworm-slim\n', 'COPY --from=all ["/app", "/app"]\n', Assembles((7, 8), "all", "/app"), True),
])  # fmt: skip
def test_owners_and_folders_of_an_assembly_are_as_declared(
    copies: str, stage: str, merged: str, effect: Effect, good: bool
) -> None:
    result = _assembled(copies, stage, merged, effect)
    assert bool(result.faults) is not good
    assert ("AS all" in result.source.text) is good


def test_a_heredoc_does_not_pass_a_variable_that_it_uses() -> None:
    text = "FROM debian\nENV A=1\nCOPY <<E /a\n$A\nE\n"
    result = fix(Source(text), [replacing(text, "FROM debian\nCOPY <<E /a\n$A\nE\nENV A=1\n")])
    assert result.faults and result.source.text == text


def _drop(build: Build, run: int) -> Effect:
    return DropsCommand(run, 1)


def _add(run: int) -> Effect:
    return AddsCommand(run, 0, "&&", ("second", "deux"))


@pytest.mark.parametrize(("declared", "good"), [("/srv/", True), ("/srv", False), ("/opt/", False)])
def test_a_copy_goes_where_it_is_declared_to_go(declared: str, good: bool) -> None:
    build = Build(parse(Source(TEXT)))
    copy = next(index for index, one in enumerate(build.instructions) if one.name == "COPY")
    text = TEXT.replace("b.txt /srv/", "b.txt /x/")
    back = replacing("b.txt /x/", "b.txt /srv/", Retargets(copy, declared))
    result = fix(Source(text), [back])
    assert (result.source.text == TEXT) == good
    assert bool(result.faults) == (not good)
    run = next(index for index, one in enumerate(build.instructions) if one.name == "RUN")
    assert fix(Source(text), [replacing("b.txt /x/", "b.txt /srv/", Retargets(run, declared))]).faults


@pytest.mark.parametrize(("declared", "made", "good"), [
    ("--chmod=755", "--chmod=755", True),
    ("--chmod=755", "--chmod=700", False),
    ("--chmod=$A", "--chmod=$A", True),
    ("--chmod=755", "", False),
    ("--mount=type=tmpfs,target=/x", "--chmod=755", False),
])  # fmt: skip
def test_a_flag_comes_in_as_declared(declared: str, made: str, good: bool) -> None:
    build = Build(parse(Source(TEXT)))
    copy = next(index for index, one in enumerate(build.instructions) if one.name == "COPY")
    old, new = "COPY --chown=1:1 a.txt", f"COPY {made} --chown=1:1 a.txt"
    result = fix(Source(TEXT), [replacing(old, new, AddsFlag(copy, declared))])
    assert (result.source.text == TEXT.replace(old, new)) == good or (not made and not good)
    assert bool(result.faults) == (not good)


@pytest.mark.parametrize(
    ("old", "new", "effect", "good"),
    [
        ("ENV A=1 B=2", "ENV B=2", ChangesConfig(0, "Env.A", "1", None), True),
        ("ENV A=1 B=2", "ENV A=1", ChangesConfig(0, "Env.B", "2", None), True),
        ("ENV A=1 B=2", "ENV A=3 B=2", ChangesConfig(0, "Env.A", "1", "3"), True),
        ("ENV A=1 B=2", "ENV B=2", ChangesConfig(0, "Env.A", "2", None), False),
        ("ENV A=1 B=2", "ENV B=2", ChangesConfig(0, "Env.B", "2", None), False),
        ("ENV A=1 B=2", "ENV B=2", ChangesConfig(1, "Env.A", "1", None), False),
        ("ENV A=1 B=2", "ENV A=1 B=2 C=3", ChangesConfig(0, "Env.C", None, "3"), False),
        ("ENV A=1 B=2\n", "", ChangesConfig(0, "Env.A", "1", None), False),
    ],
)
def test_a_variable_changes_as_declared(old: str, new: str, effect: Effect, good: bool) -> None:
    result = fix(Source(TEXT), [replacing(old, new, effect)])
    assert bool(result.applied) is good and bool(result.faults) is not good


@pytest.mark.parametrize(
    ("declared", "good"),
    [
        (ChangesDirective("syntax", "docker/dockerfile:1", "docker/dockerfile:2"), True),
        (ChangesDirective("syntax", "docker/dockerfile:1", "docker/dockerfile:3"), False),
        (ChangesDirective("syntax", "docker/dockerfile:2", "docker/dockerfile:2"), False),
        (ChangesDirective("syntax", "docker/dockerfile:1", None), False),
    ],
)
def test_a_directive_changes_as_declared(declared: Effect, good: bool) -> None:
    made = replacing("docker/dockerfile:1", "docker/dockerfile:2", declared)
    assert bool(fix(Source(TEXT), [made]).applied) is good


@pytest.mark.parametrize(
    ("old", "new", "effect", "good"),
    [
        ("/srv/a.txt /a", "/opt/a.txt /a", ChangesSource(12, "/srv/a.txt", "/opt/a.txt"), True),
        ("/srv/a.txt /a", "/opt/b.txt /a", ChangesSource(12, "/srv/a.txt", "/opt/a.txt"), False),
        ("/srv/a.txt /a.txt", "/opt/a.txt /b.txt", ChangesSource(12, "/srv/a.txt", "/opt/a.txt"), False),
        ("/srv/a.txt /a", "/opt/a.txt /a", ChangesSource(12, "/srv/b.txt", "/opt/a.txt"), False),
        ("/srv/a.txt /a", "/opt/a.txt /a", ChangesSource(6, "a.txt", "/opt/a.txt"), False),
        ("/srv/a.txt /a", "/opt/a.txt /a", ChangesSource(99, "/srv/a.txt", "/opt/a.txt"), False),
        ('"serve"', '"/bin/serve"', ChangesConfig(0, "Cmd", '["serve"]', '["/bin/serve"]'), True),
        ('"serve"', '"/bin/serve", "x"', ChangesConfig(0, "Cmd", '["serve"]', '["/bin/serve"]'), False),
        ('"serve"', '"/bin/serve"', ChangesConfig(0, "Cmd", '["run"]', '["/bin/serve"]'), False),
        ('"serve"', '"/bin/serve"', ChangesConfig(1, "Cmd", '["serve"]', '["/bin/serve"]'), False),
    ],
)
def test_a_path_changes_as_declared(old: str, new: str, effect: Effect, good: bool) -> None:
    assert TEXT.count(old) == 1
    result = fix(Source(TEXT), [replacing(old, new, effect)])
    assert bool(result.applied) is good and bool(result.faults) is not good


BASES = "ARG TAG=3.12 OTHER=1\nFROM python:3.12 AS one\nCOPY a b/\nFROM python:$TAG\nRUN x\nFROM golang:1.24\nCOPY --from=one /b c/\n"


@pytest.mark.parametrize(
    ("old", "new", "effects", "good"),
    [
        ("python:3.12 ", "python:3.12-slim ", [ChangesBase(0, "python:3.12", "python:3.12-slim")], True),
        ("python:3.12 ", "python:3.12-slim ", [], False),
        ("python:3.12 ", "python:3.12-slim ", [ChangesBase(0, "python:3.12", "python:3.11-slim")], False),
        ("python:3.12 ", "python:3.12-slim ", [ChangesBase(0, "python:3.11", "python:3.12-slim")], False),
        ("python:3.12 ", "python:3.12-slim ", [ChangesBase(1, "python:3.12", "python:3.12-slim")], False),
        ("python:3.12 AS one", "python:3.12-slim AS two", [ChangesBase(0, "python:3.12", "python:3.12-slim")], False),
        # Another shell, another folder to work in, no image at all.
        ("python:3.12 ", "python:3.12-alpine ", [ChangesBase(0, "python:3.12", "python:3.12-alpine")], False),
        ("golang:1.24", "debian:12", [ChangesBase(2, "golang:1.24", "debian:12")], False),
        ("golang:1.24", "one", [ChangesBase(2, "golang:1.24", "one")], False),
        ("golang:1.24", "scratch", [ChangesBase(2, "golang:1.24", "scratch")], False),
        ("python:$TAG\n", "python:$TAG-slim\n", [ChangesBase(1, "python:$TAG", "python:$TAG-slim")], True),
        ("TAG=3.12 ", "TAG=3.12-slim ", [ChangesArgument("TAG", "3.12", "3.12-slim")], True),
        ("TAG=3.12 ", "TAG=3.12-slim ", [ChangesArgument("TAG", "3.11", "3.12-slim")], False),
        ("TAG=3.12 ", "TAG=3.12-slim ", [ChangesArgument("OTHER", "1", "2")], False),
        ("OTHER=1", "OTHER=2", [ChangesArgument("TAG", "3.12", "3.12-slim")], False),
        ("$TAG\nRUN x", "$TAG\nCOPY --from=one /b /d\nRUN x", [AddsCopy(4, ("/b",), "/d", ("--from=one",))], True),
        ("$TAG\nRUN x", "$TAG\nCOPY --from=img /b /d\nRUN x", [AddsCopy(4, ("/b",), "/d", ("--from=img",))], True),
        ("$TAG\nRUN x", "$TAG\nCOPY --from=img /b /d\nRUN x", [AddsCopy(4, ("/b",), "/d", ("--from=one",))], False),
        ("$TAG\nRUN x", "$TAG\nCOPY /b /d\nRUN x", [AddsCopy(4, ("/b",), "/d", ("--from=one",))], False),
    ],
)
def test_a_base_changes_as_declared(old: str, new: str, effects: list[Effect], good: bool) -> None:
    assert BASES.count(old) == 1
    result = fix(Source(BASES), [replacing(old, new, *effects)])
    assert bool(result.applied) is good and bool(result.faults) is not good


ONE_STAGE = (
    'FROM golang:1.24\nWORKDIR /src\nENV A=1\nUSER app\nCOPY a /src/a\nRUN go build\nEXPOSE 80\nCMD ["/src/a"]\n'
)
TWO_STAGES = ONE_STAGE.replace("golang:1.24", "golang:1.24 AS build").replace(
    "EXPOSE", "FROM debian:12\nRUN useradd app\nWORKDIR /src\nENV A=1\nUSER app\nCOPY --from=build /src/a /src/\nEXPOSE"
)
LINES: tuple[Repeated | SetUp | Copied, ...] = (
    SetUp((("useradd", "app"),)), Repeated(1, False), Repeated(2, False), Repeated(3, False), Copied(("/src/a",), "/src/", ""),
    Repeated(6, True), Repeated(7, True),
)  # fmt: skip
SPLITS = SplitsStage(0, "build", "debian:12", LINES, (("Env.GOPATH", "/go", None),))


@pytest.mark.parametrize(
    ("after", "effect", "good"),
    [
        (TWO_STAGES, SPLITS, True),
        # A name, an image, a command, a path, an owner and a place that were not declared.
        (TWO_STAGES, SPLITS._replace(builder="builder"), False),
        (TWO_STAGES, SPLITS._replace(image="debian:11"), False),
        (TWO_STAGES.replace("useradd app", "useradd other"), SPLITS, False),
        (TWO_STAGES.replace("/src/a /src/\n", "/src/b /src/\n"), SPLITS, False),
        (TWO_STAGES.replace("--from=build", "--from=build --chown=app"), SPLITS, False),
        (TWO_STAGES.replace("--from=build", "--from=golang"), SPLITS, False),
        (TWO_STAGES.replace("FROM debian:12\nRUN useradd app\nWORKDIR /src", "FROM debian:12\nWORKDIR /src\nRUN useradd app"), SPLITS, False),
        # What the author wrote: a step of the builder, a value, an instruction that is gone or stays behind.
        (TWO_STAGES.replace("RUN go build", "RUN go build ./..."), SPLITS, False),
        (TWO_STAGES.replace("ENV A=1\nUSER app\nCOPY a", "USER app\nCOPY a"), SPLITS, False),
        (TWO_STAGES.replace("EXPOSE 80", "EXPOSE 81"), SPLITS, False),
        (TWO_STAGES.replace("RUN go build\n", "RUN go build\nEXPOSE 80\n"), SPLITS, False),
        # Declared, but not the configuration that the image had.
        (TWO_STAGES.replace("WORKDIR /src\nENV A=1\nUSER app\nCOPY --from", "WORKDIR /src\nUSER app\nCOPY --from"),
         SPLITS._replace(lines=tuple(one for one in LINES if one != Repeated(2, False))), False),
        (TWO_STAGES.replace("USER app\nCOPY --from", "COPY --from"), SPLITS._replace(lines=tuple(one for one in LINES if one != Repeated(3, False))), False),
        (TWO_STAGES.replace("EXPOSE 80\n", ""), SPLITS._replace(lines=tuple(one for one in LINES if one != Repeated(6, True))), False),
        (TWO_STAGES, SPLITS._replace(changed=()), False),
        (TWO_STAGES.replace("ENV A=1\nUSER app\nCOPY --from", "USER app\nCOPY --from"),
         SPLITS._replace(lines=tuple(one for one in LINES if one != Repeated(2, False)), changed=(*SPLITS.changed, ("Env.A", None, None))), True),
        # What a step of the builder sees does not move.
        (TWO_STAGES.replace("WORKDIR /src\nENV A=1\nUSER app\nCOPY a", "WORKDIR /src\nUSER app\nCOPY a"),
         SPLITS._replace(lines=tuple(Repeated(2, True) if one == Repeated(2, False) else one for one in LINES)), False),
    ],
)  # fmt: skip
def test_a_stage_is_split_as_declared(after: str, effect: SplitsStage, good: bool) -> None:
    result = fix(Source(ONE_STAGE), [replacing(ONE_STAGE, after, effect)])
    assert bool(result.applied) is good and bool(result.faults) is not good


def test_the_last_variable_takes_its_instruction_along() -> None:
    text = "FROM a\nENV A=1\nRUN first\nENV B=1\nRUN second\n"
    gone = ChangesConfig(0, "Env.A", "1", None)
    assert fix(Source(text), [replacing("ENV A=1\n", "", gone)]).applied
    moved = replacing("ENV A=1\nRUN first\nENV B=1\n", "ENV B=1\nRUN first\n", gone)
    assert fix(Source(text), [moved]).faults


def test_a_run_without_a_command_stays_a_step() -> None:
    text = "FROM a\nRUN first\nRUN\n"
    fixed = fix(
        Source(text),
        [replacing("RUN first", "RUN --mount=type=cache,target=/c first", AddsMount(1, "type=cache,target=/c"))],
    )
    assert not fixed.faults and "--mount" in fixed.source.text


def test_white_space_and_layout_may_change() -> None:
    result = fix(
        Source(TEXT),
        [
            replacing(
                "first one && \\\n    # in between\n    second two", "first   one \\\n  # in between\n  && second two"
            )
        ],
    )
    assert "\n  && second two" in result.source.text
    assert not result.faults


def test_rules_that_undo_each_other_change_nothing() -> None:
    rules = [replacing("LABEL k=v", "LABEL  k=v", code="DF997"), replacing("LABEL  k=v", "LABEL k=v", code="DF998")]
    result = fix(Source(TEXT), rules)
    assert result.source.text == TEXT
    assert not result.applied
    assert result.faults
    assert "rest" in result.faults[-1].message


def test_a_rule_that_goes_on_for_ever_is_stopped() -> None:
    result = fix(Source(TEXT), [replacing("LABEL ", "LABEL  ")])
    assert result.source.text == TEXT
    assert "rest" in result.faults[-1].message


def test_one_wrong_fix_does_not_stop_the_others() -> None:
    rules = [replacing("USER app", "USER other", code="DF998"), replacing("EXPOSE 80", "EXPOSE  80", code="DF997")]
    result = fix(Source(TEXT), rules)
    assert result.source.text == TEXT.replace("EXPOSE 80", "EXPOSE  80")
    assert [fault.codes for fault in result.faults] == [("DF998",)]
    assert [applied.code for applied in result.applied] == ["DF997"]


def test_fixes_that_overlap_come_one_after_the_other() -> None:
    rules = [
        replacing("EXPOSE 80\n", "EXPOSE  80\n", code="DF998"),
        replacing("EXPOSE 80\nCMD ", "EXPOSE 80\nCMD\t", code="DF997"),
    ]
    result = fix(Source(TEXT), rules)
    assert not result.faults
    assert [applied.code for applied in result.applied] == ["DF997", "DF998"]
    assert [applied.round for applied in result.applied] == [1, 2]


def test_a_mount_waits_for_what_may_make_fewer_runs() -> None:
    text = "FROM a\nRUN one\nRUN two\n"

    def mounts(build: Build, given: Given) -> Iterator[Finding]:
        for index, one in enumerate(build.instructions):
            if one.name == "RUN" and not one.flags:
                place = Span(one.keyword_span.end, one.keyword_span.end)
                edit = Edit(place, " --mount=type=cache,target=/c")
                fixed = Fix("mount", (edit,), True, "test", (AddsMount(index, "type=cache,target=/c"),))
                yield Finding(one.keyword_span, "no mount", fixed)

    def merges(build: Build, given: Given) -> Iterator[Finding]:
        runs = [(index, one) for index, one in enumerate(build.instructions) if one.name == "RUN"]
        if len(runs) == 2 and not runs[0][1].flags and not runs[1][1].flags:
            place = Span(runs[0][1].text_span.end, runs[1][1].keyword_span.end)
            effect = MergesRuns(runs[0][0], runs[1][0])
            yield Finding(place, "two RUNs", Fix("merge", (Edit(place, " &&"),), True, "test", (effect,)))

    result = fix(Source(text), [rule("DF998", mounts), rule("DF999", merges)])
    assert result.source.text == "FROM a\nRUN --mount=type=cache,target=/c one && two\n"
    assert [applied.code for applied in result.applied] == ["DF999", "DF998"]


def test_unsafe_fixes_are_made_only_when_asked_for() -> None:
    unsafe = replacing("EXPOSE 80", "EXPOSE  80", safe=False)
    assert fix(Source(TEXT), [unsafe]).source.text == TEXT
    assert fix(Source(TEXT), [unsafe], unsafe=True).source.text != TEXT


def test_a_refused_file_is_reported_and_left() -> None:
    text = TEXT + "FROB x\nRUN\n"
    result = fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")])
    assert result.source.text == text
    assert result.report.refused
    assert {diagnostic.code for diagnostic in result.report.diagnostics} == {"DF801"}
    assert not result.faults


def test_a_binary_file_is_one_fault() -> None:
    text = "".join(f"\0line {number}\n" for number in range(20))
    assert len(check(Source(text), []).diagnostics) == 1
    assert len(check(Source(text.replace("\0", "")), []).diagnostics) > 1


@pytest.mark.parametrize(
    "first",
    ["# syntax=example.com/frontend:1\n", "# syntax=docker/dockerfile-copy\n"],
)
def test_a_foreign_frontend_is_checked_and_not_fixed(first: str) -> None:
    text = first + TEXT.partition("\n")[2]
    result = fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")])
    assert result.source.text == text
    assert "frontend" in result.report.diagnostics[0].refusal
    assert result.report.locked


@pytest.mark.parametrize(
    "first", ["docker/dockerfile", "docker.io/docker/dockerfile:1.7-labs", "docker/dockerfile-upstream:master"]
)
def test_dockers_own_frontends_are_known(first: str) -> None:
    text = f"# syntax={first}\n" + TEXT.partition("\n")[2]
    assert fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")]).source.text != text


@pytest.mark.parametrize(
    "line",
    [
        "FROM {{ base }}",
        "COPY {% if x %}a{% endif %} /a",
        "FROM <%= base %>",
        "WORKDIR @@HOME@@",
        "RUN pip install x=={{ v }}",
    ],
)
def test_a_template_is_checked_and_not_fixed(line: str) -> None:
    text = (
        TEXT.replace("FROM base\n", f"FROM base\n{line}\n") if not line.startswith("FROM") else line + "\nEXPOSE 80\n"
    )
    result = fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")])
    assert result.source.text == text


def test_a_template_that_buildkit_would_refuse_is_called_one() -> None:
    (found,) = check(Source("FROM {{ base }}\n"), []).diagnostics
    assert found.code == "DF801" and "template" in found.refusal


def test_an_instruction_that_may_have_swallowed_another_is_not_rewritten() -> None:
    text = TEXT.replace("RUN third\n", "RUN third \\\n\nRUN fourth\n")
    result = fix(Source(text), [replacing("third", "third  ")])
    assert result.source.text == text
    assert not result.faults
    assert "swallowed" in result.report.diagnostics[0].refusal
    assert fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")]).source.text != text


@pytest.mark.parametrize("end", ["\\\n", "\\", "\\\n\n", "\\  \n# about\n"])
def test_nothing_is_put_behind_an_instruction_that_goes_on_at_the_end(end: str) -> None:
    text = f"FROM a\nRUN last {end}"

    def check(build: Build, given: Given) -> Iterator[Finding]:
        at = len(build.syntax.source.text)
        edit = Edit(Span(at, at), "RUN other\n")
        yield Finding(Span(0, 4), "it is too short", Fix("add a line", (edit,), True, "test", ()))

    result = fix(Source(text), [rule("DF999", check)])
    assert (result.source.text, result.faults) == (text, ())
    assert "end of the file" in result.report.diagnostics[0].refusal


def test_a_directive_behind_a_byte_order_mark_may_change() -> None:
    text = "\ufeff# syntax=docker/dockerfile:1.1\nFROM a\nRUN b\n"
    change = ChangesDirective("syntax", "docker/dockerfile:1.1", "docker/dockerfile:1.2")
    result = fix(Source(text), [replacing("file:1.1", "file:1.2", change)])
    assert (result.source.text, result.faults) == (text.replace("1.1", "1.2"), ())


def test_go_templates_in_commands_are_no_template() -> None:
    text = TEXT.replace("third", "docker inspect -f '{{.Id}}' x")
    assert fix(Source(text), [replacing("EXPOSE 80", "EXPOSE  80")]).source.text != text


# ------------------------------------------------------------------------------------------------------ suppression


def on(*words: str) -> Rule:
    """A rule that finds each of `words`."""

    def check(build: Build, given: Given) -> Iterator[Finding]:
        text = build.syntax.source.text
        for word in words:
            at = text.find(word)
            if at >= 0:
                yield Finding(Span(at, at + len(word)), f"`{word}` is there")

    return rule("DF999", check)


def codes(text: str, *rules: Rule) -> list[str]:
    engine_rules = [Rule(info, lambda build, given: iter(())) for info in catalogue.infos() if info.code == "DF901"]
    return [diagnostic.code for diagnostic in check(Source(text), [*rules, *engine_rules]).diagnostics]


@pytest.mark.parametrize(
    "comment",
    [
        "# dfopt: ignore[DF999]",
        "#dfopt:ignore[df999] because",
        "# dfopt: ignore[rule-df999]",
        "# dfopt: ignore[DF101, DF999] why",
        "# dfopt: ignore",
        "  # DFOPT: Ignore[DF999]",
    ],
)
def test_a_comment_suppresses(comment: str) -> None:
    assert codes(f"FROM a\n{comment}\nRUN bad\n", on("bad")) == []


def test_a_comment_reaches_over_empty_lines_and_comments_to_its_instruction_only() -> None:
    assert codes("FROM a\n# dfopt: ignore[DF999]\n\n# more\nRUN bad\n", on("bad")) == []
    assert codes("FROM a\n# dfopt: ignore[DF999]\nRUN good\nRUN bad\n", on("bad")) == ["DF901", "DF999"]


def test_a_comment_inside_a_continuation_suppresses() -> None:
    assert codes("FROM a\nRUN one && \\\n    # dfopt: ignore[DF999]\n    bad\n", on("bad")) == []


def test_a_whole_file_is_ignored() -> None:
    assert codes("# dfopt: ignore-file[DF999]\nFROM a\nRUN bad\nRUN worse\n", on("bad", "worse")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\n# hadolint ignore=DL3009\nRUN bad\n", []),
        ("FROM a\n# hadolint ignore=DL3008, dl3009\nRUN bad\n", []),
        ("FROM a\n# hadolint ignore=DL3008\nRUN bad\n", ["DF999"]),
        ("FROM a\n# hadolint ignore=DL3009\nRUN good\nRUN bad\n", ["DF999"]),
        ("# hadolint global ignore=DL3009\nFROM a\nRUN good\nRUN bad\n", []),
        ("# check=skip=SomeCheck\nFROM a\nRUN bad\n", []),
        ("# check=error=true;skip=Other,SomeCheck\nFROM a\nRUN good\nRUN bad\n", []),
        ("FROM a\n# check=skip=SomeCheck\nRUN bad\n", []),
        ("FROM a\n# check=skip=SomeCheck\nRUN good\nRUN bad\n", ["DF999"]),
        ("# check=skip=Other\nFROM a\nRUN bad\n", ["DF999"]),
        ("# check=skip=all\nFROM a\nRUN bad\n", []),
        ("FROM a\n# check=skip=ALL\nRUN bad\n", []),
        ("FROM a\n# hadolint ignore=all\nRUN bad\n", ["DF999"]),
    ],
)
def test_what_other_tools_are_told_holds_for_the_same_fault(text: str, expected: list[str]) -> None:
    known = on("bad")
    same = known._replace(info=known.info._replace(also=("DL3009", "SomeCheck")))
    assert [one.code for one in check(Source(text), [same]).diagnostics] == expected


def test_an_unused_comment_is_reported_where_its_rule_ran() -> None:
    assert codes("FROM a\n# dfopt: ignore[DF999]\nRUN good\n", on("bad")) == ["DF901"]
    assert codes("FROM a\n# dfopt: ignore[DF998]\nRUN good\n", on("bad")) == []


def test_an_unused_comment_points_at_the_entry() -> None:
    text = "FROM a\n# dfopt: ignore[DF101, DF999]\nRUN good\n"
    engine_rules = [Rule(info, lambda build, given: iter(())) for info in catalogue.infos() if info.code == "DF901"]
    (found,) = check(Source(text), [on("bad"), *engine_rules]).diagnostics
    assert text[slice(*found.span)] == "DF999"
    assert found.message.startswith("`DF999` "), "as its author wrote it"


# ----------------------------------------------------------------------------------------------------------- order


def test_severities_are_set_by_code_and_name() -> None:
    text = "FROM a\nRUN bad\n"
    assert [one.severity for one in check(Source(text), [on("bad")], severities={"DF999": "error"}).diagnostics] == [
        "error"
    ]
    assert [
        one.severity for one in check(Source(text), [on("bad")], severities={"rule-df999": "info"}).diagnostics
    ] == ["info"]
    assert check(Source(text), [on("bad")], severities={"DF999": "off"}).diagnostics == ()


def test_findings_stand_in_order_of_place() -> None:
    text = "FROM a\nRUN bad\nRUN worse\n"
    found = check(Source(text), [on("worse", "bad")]).diagnostics
    assert [text[slice(*one.span)] for one in found] == ["bad", "worse"]


NAIVE = """\
FROM python:3.12-slim
WORKDIR /app
COPY . .
RUN apt-get update
RUN apt-get install -y gcc libpq-dev curl
RUN pip install -r requirements.txt
RUN curl -o /tmp/x.tgz https://example.com/x.tgz
RUN tar xf /tmp/x.tgz -C /opt
RUN rm /tmp/x.tgz
# tidy
RUN rm -rf /var/lib/apt/lists/*
CMD ["python", "main.py"]
"""


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_single_fixes_does_not_matter_for_rest(seed: int) -> None:
    """Any subset of rules, its fixes made one at a time in any order, ends in a text that the subset leaves as it is."""
    chance = random.Random(seed)
    every = catalogue.rules(["ALL"])
    subset = [one for one in every if chance.random() < 0.7]
    source = Source(NAIVE)
    for _ in range(60):
        report = check(source, subset)
        fixes = [one.fix for one in report.diagnostics if one.fix is not None]
        if not fixes:
            break
        source = engine.apply_fix(source, chance.choice(fixes))
    else:
        pytest.fail("the fixes do not come to rest")
    rested = fix(source, subset, unsafe=True)
    assert rested.source.text == source.text
    assert not rested.faults


def test_a_run_without_a_command_is_no_fault_of_a_fix_elsewhere() -> None:
    text = "FROM node:20-slim\nRUN npm ci\nRUN\n"
    result = fix(Source(text), catalogue.rules(["DF103"]))
    assert not result.faults
    assert result.source.text == text.replace("npm ci", "npm ci && npm cache clean --force")


def test_all_rules_at_once_improve_a_naive_file() -> None:
    result = fix(Source(NAIVE), catalogue.rules(["ALL"]), unsafe=True)
    assert not result.faults
    assert result.source.text.index("pip install") < result.source.text.index("COPY . .")
    assert result.source.text.count("RUN") < NAIVE.count("RUN")
