"""RUNs that may become one are run before and after under real shells, with stand-in commands that log what they see.

This holds the mechanism (`merging`), not the judgement of a rule: whatever it allows is merged. DFOPT_MERGE=N tries N examples.
"""

import itertools
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from dfopt import engine, merging
from dfopt.build import Build
from dfopt.rewrite import Added
from dfopt.rule import Finding, Fix, Given, Info, Rule
from dfopt.source import Source
from dfopt.syntax import parse

COUNT = int(os.environ.get("DFOPT_MERGE", "200"))

# A base image and the shells that may read its RUNs.
DASH, BASH, BUSYBOX = ("dash",), ("bash", "--posix"), ("busybox", "sh")
PLACES: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("FROM example.com/unknown", (DASH, BASH, BUSYBOX)),
    ("FROM debian:bookworm-slim", (DASH,)),
    ("FROM alpine:3.20", (BUSYBOX,)),
    ('FROM debian:bookworm-slim\nSHELL ["/bin/bash", "-c"]', (("bash",),)),
    ('FROM debian:bookworm-slim\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]', (("bash", "-o", "pipefail"),)),
    ('FROM debian:bookworm-slim\nSHELL ["/bin/bash", "-euo", "pipefail", "-c"]', (("bash", "-euo", "pipefail"),)),
    ('FROM debian:bookworm-slim\nSHELL ["/bin/sh", "-ec"]', (("dash", "-e"),)),
    ('FROM alpine:3.20\nSHELL ["/bin/ash", "-e", "-o", "pipefail", "-c"]', (("busybox", "sh", "-e", "-o", "pipefail"),)),
)  # fmt: skip

# `#` becomes a number of its own. `l#` logs and succeeds, `x#` logs and fails, `prog` may be replaced by `inst`.
SIMPLE = """\
l#|l#|l#|l#|l# "$A"|l# $B|l# ${C-none}|x#|x#|touch f#|mkdir -p d && cd d|cd d|cd /|cd nowhere|export A=#|A=#|B=# l#|A=# B=#|unset A|C=$(l#; x#; echo c#)
echo "$- $# $A $B" >> "$LOG"|echo "${C:=set#}" >> "$LOG"|umask 077|umask 027|set -e|set -u|set -x|set -f|set +e|set -eu|set -ex|set -- p q|set -o pipefail|set -a
exit 0|exit 3|exit|exec l#|exec 2>/dev/null|true|false|:|wait|! x#|! l#|l# | x#|x# | l#|echo $((# + 1)) >> "$LOG"|echo $((A = #)) >> "$LOG"|l# "$(l#; x#; l#)"
l# "$(x#)"|C="$(x#)"|trap "l#" EXIT|trap "x#" EXIT|trap "rm -f f#" EXIT|trap - EXIT|trap "" EXIT|eval "A=#"|eval "x#; l#"|. ./lib|. ./lib && l#|alias l=x#|prog #|prog #|prog # && inst|prog # && inst|inst
f#() { l#; x#; l#; }; f#|g() { cd d; A=fn; }; g|shift|read A < lib|ls > l#.txt|l# > o#|l# >> o 2>&1|{ l#; x#; l#; } > o#|printf -v A x|ulimit -n 50|ulimit -n >> "$LOG"
l# & wait|x# & wait|l# & x# && wait|[ -e d ]|[ -d d ] && l#|test "$A" = 1|pwd >> "$LOG"|command cd d|break|return 0|local A=1|readonly A=#|hash -r|type l1 >> "$LOG"|PATH=/usr/bin:$PATH
l# *|l# ~|OLDPWD=x l#|cd - >> "$LOG"|kill -0 $$|echo "${i-none}" >> "$LOG"|g || l#|l# <<< x|echo $? >> "$LOG"|echo "$_" >> "$LOG"|: > f#|A=5 :|time l#|let A=5|((A = 5))|[[ x =~ x ]]|declare A=4|pushd d|IFS=x"""
COMMANDS = [command for line in SIMPLE.split("\n") for command in line.replace(" | ", "\0").split("|")]
NESTED = (
    "(%s; %s)", "{ %s; %s; }", "(%s && %s)", "{ %s && %s; }", "if %s; then %s; fi", "if %s; then l#; else %s; fi", "for i in 1 2; do %s; %s; done",
    "while %s; do %s; break; done", "until %s; do %s; break; done", "case $A in 1) %s;; *) %s;; esac", "%s || %s", "%s && %s", "! { %s; %s; }", "{ %s; %s; } | l#",
    "(%s) | { %s; }", "l# \"$(%s; %s)\"", "h#() { %s; %s; }; h#", "(%s) & wait; %s",
)  # fmt: skip

_LOGGER = """#!/bin/dash
name=${0##*/}
entry="$name $* in $PWD, $(pwd), $(umask), $(env | grep -E '^(A|B|C|HOME|IFS|OLDPWD)=' | sort | tr '\\n' ' '), $(ulimit -n)"
echo "$entry" >> "$LOG"
case $name in x*) exit 1 ;; esac
"""


class Outcome(NamedTuple):
    """Whether all RUNs succeeded, what was logged, and the files left."""

    good: bool
    log: str
    files: dict[str, tuple[int, bytes]]


@st.composite
def bodies(draw: st.DrawFn, number: int) -> tuple[str, bool]:
    """A RUN's script, in which numbers begin behind `number`, and whether it is a heredoc."""

    def numbered(text: str) -> str:
        nonlocal number
        while "#" in text.replace("$#", ""):
            number += 1
            head, mark, tail = text.replace("$#", "\1").partition("#")
            text = f"{head}{number}{tail}".replace("\1", "$#") if mark else text
        return text

    def command(depth: int) -> str:
        if depth < 2 and draw(st.integers(0, 5)) == 0:
            return draw(st.sampled_from(NESTED)) % (command(depth + 1), command(depth + 1))
        if draw(st.integers(0, 3)) == 0:
            return "l#"
        return draw(st.sampled_from(COMMANDS)).replace("\0", " | ").replace("%", "%%" if depth else "%")

    commands = [command(0).replace("%%", "%") for _ in range(draw(st.integers(1, 4)))]
    heredoc = draw(st.integers(0, 5)) == 0
    first = draw(st.sampled_from(("", "", "", "set -e", "set -eu", "set -ex", "set -e")))
    style = draw(st.sampled_from(("&&", "&&", ";", ";", "mixed")))
    if heredoc:
        return numbered("\n".join(filter(None, (first, *commands)))), True
    text = commands[0]
    gap = draw(st.sampled_from((" ", " ", " \\\n    ", " \\\n  # why\n\t")))
    for one in commands[1:]:
        joint = draw(st.sampled_from(("&&", ";", "||"))) if style == "mixed" else style
        text += f";{gap}{one}" if joint == ";" else f" {joint}{gap}{one}"
    if first:
        text = f"{first}{'; ' if style == ';' else ' && '}{text}"
    return numbered(text + draw(st.sampled_from(("", "", "", "", ";", " &", " # end")))), False


@st.composite
def files(draw: st.DrawFn) -> tuple[str, tuple[tuple[str, ...], ...], bool]:
    """A Dockerfile, the shells that may run it, and whether a command is appended to what is merged."""
    head, shells = draw(st.sampled_from(PLACES))
    found = [draw(bodies(1000 * number)) for number in range(draw(st.integers(2, 3)))]
    one_kind = draw(st.booleans())
    text = head + "\n"
    for body, heredoc in found:
        if heredoc or (one_kind and found[0][1]):
            text += f"RUN <<EOF\n{body}\nEOF\n"
        else:
            text += f"RUN {body}\n"
    return text, shells, draw(st.integers(0, 4)) == 0


def _rule(appended: bool) -> Rule:
    """Merges the longest groups of RUNs that can be merged."""

    def check(build: Build, given: Given) -> Iterator[Finding]:
        runs = [index for index, one in enumerate(build.instructions) if one.name == "RUN"]
        additions = [rewriting] if appended else []
        for first, last in ((runs[0], runs[-1]), *itertools.pairwise(runs)):
            found = merging.merge(build, first, last, additions) if last > first else None
            if found is not None and not found.refusal:
                assert merging.why_not_one(build, first, last, additions) == ""
                fix = Fix("merge", found.edits, True, found.because, found.effects)
                yield Finding(build.instructions[first].keyword_span, "merge", fix)
                return

    rewriting = Added("la appended", ("# why",))
    return Rule(Info("DF999", "merge", "info", True, "0.1.0", (), (), "all that can be", "safe"), check)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the stand-ins."""
    missing = [name for name in ("dash", "bash", "busybox") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    folder = tmp_path_factory.mktemp("programs")
    logger = folder / "logger"
    logger.write_text(_LOGGER, encoding="utf-8")
    logger.chmod(0o755)
    inst = folder / "inst"
    inst.write_text('#!/bin/dash\nmkdir -p "$BIN" && cp "${0%/*}/logger" "$BIN/prog"\n', encoding="utf-8")
    inst.chmod(0o755)
    for name in ("prog", "la"):
        (folder / name).symlink_to(logger)
    return folder


def _run(scripts: list[str], shell: tuple[str, ...], programs: pathlib.Path, place: pathlib.Path) -> Outcome:
    """Run scripts one after the other, each in a new shell, up to the first that fails."""
    shutil.rmtree(place, ignore_errors=True)
    work, log = place / "work", place / "log"
    work.mkdir(parents=True)
    log.touch()
    (work / "lib").write_text("A=sourced\ncd d\n", encoding="utf-8")
    environment = {
        "PATH": f"{place}/bin:{place}/names:{programs}:/usr/bin:/bin",
        "LOG": str(log),
        "BIN": str(place / "bin"),
        "HOME": "/root",
        "B": "env",
    }
    (place / "names").mkdir()
    words = set(" ".join(scripts).replace(";", " ").replace(")", " ").replace('"', " ").replace("(", " ").split())
    for word in words:
        if word[0] in "lx" and word[1:].isdigit():
            (place / "names" / word).symlink_to(programs / "logger")
    good = True
    for script in scripts:
        ran = subprocess.run(
            [*shell, "-c", script], cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
        )  # fmt: skip
        if ran.returncode:
            good = False
            break
    left = {}
    for path in sorted([*work.rglob("*"), *(place / "bin").rglob("*")]):
        content = b"" if path.is_dir() else path.read_bytes()
        left[str(path.relative_to(place))] = (path.stat().st_mode, content)
    lines = log.read_text("utf-8", "replace").split("\n")
    if any("|" in script.replace("||", "") or "&" in script.replace("&&", "") for script in scripts):
        lines.sort()  # what runs at the same time may come in any order
    return Outcome(good, "\n".join(lines), left)


def _scripts(text: str) -> list[str]:
    """What the shell is given for each RUN."""
    instructions = parse(Source(text)).instructions
    return [
        one.heredocs[0].body.text if one.heredocs else one.body.text for one in instructions if one.name == "RUN"
    ]  # fmt: skip


@settings(
    max_examples=COUNT,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(files())
@example(
    (
        "FROM x\nRUN set -e && l1\nRUN set -e && l1001 & wait && C=$(l1002; x1003; echo c1004)\n",
        (DASH, BASH, BUSYBOX),
        True,
    )
)
@example(("FROM x\nRUN set -e; ! { cd d; l1; }\nRUN l1001\n", (DASH, BASH, BUSYBOX), True))
@example(("FROM x\nRUN l1 | l2; l3;\nRUN l1001; set -e; (! { cd d; l1002; }); l1003\n", (DASH, BASH, BUSYBOX), False))
def test_merged_runs_do_the_same(programs: pathlib.Path, tmp_path: pathlib.Path, made: tuple[str, tuple[tuple[str, ...], ...], bool]) -> None:  # fmt: skip
    text, shells, appended = made
    if parse(Source(text)).fatal:
        return
    rules = [_rule(appended)]
    found = engine.check(Source(text), rules).diagnostics
    fix = found[0].fix if found else None
    if fix is None:
        # The engine takes no fix in an instruction that goes on over an empty line.
        assert not found or "swallowed" in found[0].refusal
        event("not merged")
        return
    after = engine.apply_fix(Source(text), fix)
    assert _faults(text, rules) == ()
    event(
        "wrapped"
        if any(getattr(one, "wraps_first", False) or getattr(one, "wraps_second", False) for one in fix.effects)
        else "plain"
    )
    old, new = _scripts(text), _scripts(after.text)
    gone = len(old) - len(new)
    if appended:
        start = next(number for number, (one, two) in enumerate(zip(old, new)) if one != two)
        old.insert(start + gone + 1, "la appended")
    for shell in shells:
        one = _run(old, shell, programs, tmp_path / "place")
        two = _run(new, shell, programs, tmp_path / "place")
        event("good" if one.good else "bad")
        assert one == two, f"{shell}\n{text}\n->\n{after.text}"


def _faults(text: str, rules: list[Rule]) -> tuple[object, ...]:
    """What the engine says of the first round."""
    once = [
        Rule(
            rules[0].info,
            lambda build, given: rules[0].check(build, given) if build.syntax.source.text == text else iter(()),
        )
    ]
    result = engine.fix(Source(text), once)
    assert result.applied or result.faults
    return result.faults
