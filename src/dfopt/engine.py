"""check() and fix() to a fixed point: parse, find, take fixes, apply, read again and compare; no input or output, names no rule."""

import re
from collections.abc import Iterable, Mapping

from dfopt.build import Build
from dfopt.rule import (
    AddsCommand,
    ChangesDirective,
    Diagnostic,
    DropsCommand,
    Effect,
    Finding,
    Fix,
    Given,
    Rule,
    Saving,
)
from dfopt.source import Source, Span, apply_edits
from dfopt.startup import NamedTuple, pattern
from dfopt.syntax import Instruction, Problem, Syntax, parse

# Findings of the engine itself; their pages stand among the rules' pages.
SYNTAX_ERROR = ("DF801", "syntax-error")
UNUSED_IGNORE = ("DF901", "unused-ignore")

ROUNDS = 20

_IGNORE = pattern(r"^[ \t]*#[ \t]*dfopt:[ \t]*ignore(-file)?[ \t]*(?:\[([^\]\n]*)\])?", re.MULTILINE | re.IGNORECASE)

# What hadolint (`# hadolint ignore=DL3009`) and BuildKit (`# check=skip=NoEmptyContinuation`) are told holds for the rules that
# stand for the same fault.
_FOREIGN = pattern(
    r"^[ \t]*#[ \t]*(?:hadolint[ \t]+(?P<all>global[ \t]+)?ignore[ \t]*=|check[ \t]*=(?:[^\s;]*;)*?[ \t]*skip=)[ \t]*(?P<names>[\w]+(?:[ \t]*,[ \t]*\w+)*)",
    re.MULTILINE | re.IGNORECASE,
)

# Template languages whose output, not their text, is the Dockerfile: Jinja, Go templates, ERB. Docker itself has no such tokens.
_TEMPLATE = pattern(r"\{\{|\{%|<%|@@[A-Z_]+@@")
_QUOTED = pattern(r"""'[^']*'|"(?:[^"\\]|\\.)*\"""")


class Report(NamedTuple):
    """What was found in a text, in order of place.

    `refused` is whether BuildKit would refuse the file; `locked` says why dfopt does not rewrite it ("" where it may).
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    refused: bool
    locked: str


class Applied(NamedTuple):
    """A fix that was made. `line` is the line, from 1, of the finding in the text of that round; `round` counts from 1."""

    code: str
    name: str
    title: str
    because: str
    saves: Saving | None
    safe: bool
    line: int
    round: int
    effects: tuple[Effect, ...]


class Fault(NamedTuple):
    """A fix that broke its promise and was undone, or rules that never come to rest: a fault of dfopt, exit code 3."""

    codes: tuple[str, ...]
    message: str


class Fixed(NamedTuple):
    """The text before and after, what was made, and the report on the new text."""

    before: Source
    report: Report
    applied: tuple[Applied, ...]
    faults: tuple[Fault, ...]

    @property
    def source(self) -> Source:
        """The new text; the old one where nothing was fixed."""
        return self.report.source


class Offer(NamedTuple):
    """A fix that may be made, and what it cures."""

    diagnostic: Diagnostic
    fix: Fix


def check(source: Source, rules: Iterable[Rule], given: Given = Given(), severities: Mapping[str, str] = {}) -> Report:
    """All findings of `rules` in `source`, in order of place, without those that a comment suppresses.

    `severities` maps codes and names to severities. Where BuildKit refuses the file its faults are all that is found.
    """
    return _report(source, tuple(rules), given, severities)[0]


def fix(
    source: Source,
    rules: Iterable[Rule],
    given: Given = Given(),
    severities: Mapping[str, str] = {},
    unsafe: bool = False,
) -> Fixed:
    """Make the safe fixes (with `unsafe` all) of `rules` until nothing changes.

    Where BuildKit refuses the file, or it is locked, nothing is changed. A fix whose result differs from what it declared
    is undone and becomes a `Fault`; a text that comes back, or more than 20 rounds, leave the file as it was.
    """
    rules = tuple(rules)
    current = source
    seen = {source.text}
    applied: list[Applied] = []
    faults: list[Fault] = []
    for number in range(1, ROUNDS + 2):
        usable = tuple(rule for rule in rules if not any(rule.info.code in fault.codes for fault in faults))
        report, build = _report(current, usable, given, severities)
        chosen = [] if report.refused or report.locked else offered(report.diagnostics, unsafe)
        if not chosen:
            break
        text, made, broken = _make(current, build, chosen, given)
        faults += broken
        if text in seen and made or number > ROUNDS:
            codes = tuple(sorted({one.diagnostic.code for one in made}))
            faults.append(Fault(codes, f"the fixes of {', '.join(codes)} do not come to rest"))
            return Fixed(source, _report(source, rules, given, severities)[0], (), tuple(faults))
        for one in made:
            diagnostic = one.diagnostic
            applied.append(
                Applied(
                    diagnostic.code, diagnostic.name, one.fix.title, one.fix.because, diagnostic.saves, one.fix.safe,
                    current.line_of(diagnostic.span.start), number, one.fix.effects,
                )
            )  # fmt: skip
        seen.add(text)
        current = Source(text, source.name)
    if faults:
        report = _report(current, rules, given, severities)[0]
    return Fixed(source, report, tuple(applied), tuple(faults))


def offered(diagnostics: Iterable[Diagnostic], unsafe: bool) -> list[Offer]:
    """The fixes (with `unsafe` all, else the safe ones) that are made in one round; what waits is looked for anew in the text that
    they leave, so the order in which they are made does not matter.

    One fix may take away what another needs: RUNs with different mounts cannot become one, so mounts come after merges. The effects of
    a fix give its phase, and a round makes fixes of the earliest phase only; of those that touch each other, the first in order of
    place and code.
    """
    found = [Offer(one, one.fix) for one in diagnostics if one.fix is not None and one.fix.edits]
    phases = [(one, _phase(one.fix)) for one in found if one.fix.safe or unsafe]
    earliest = min((phase for _, phase in phases), default=0)
    places = []
    for one, phase in phases:
        if phase == earliest:
            start = min(edit.span.start for edit in one.fix.edits)
            end = max(edit.span.end for edit in one.fix.edits)
            places.append(((start, one.diagnostic.code, end), one))
    places.sort(key=lambda place: place[0])
    offers: list[Offer] = []
    taken = -1
    for (start, _, end), one in places:
        # In order of place, so none but the last one taken can be touched.
        if start > taken:
            offers.append(one)
            taken = end
    return offers


# Words and flags, which may show that no more is needed (`apk add --no-cache`); where files are copied; which RUNs there are and
# which commands stand in each; mounts, which make RUNs differ; commands, which a mount may make idle; what gathers the COPYs left.
_PHASES = {
    "AddsCopy": 1,
    "Moves": 1,
    "MergesRuns": 2,
    "AddsMount": 3,
    "AddsCommand": 4,
    "DropsCommand": 4,
    "Assembles": 5,
}


def _phase(fix: Fix) -> int:
    kinds = {type(effect).__name__ for effect in fix.effects}
    if "SplitsStage" in kinds:
        # Which layers are shipped at all is settled before anything is done for their sake.
        return -1
    if "AddsMount" in kinds:
        # What it adds and takes away is there for the mount.
        return _PHASES["AddsMount"]
    phase = max((_PHASES.get(kind, 0) for kind in kinds), default=0)
    steps = {effect.step for effect in fix.effects if isinstance(effect, AddsCommand | DropsCommand)}
    # Commands that go from one RUN to another are as good as a merge.
    return _PHASES["MergesRuns"] if phase == _PHASES["AddsCommand"] and len(steps) > 1 else phase


def apply_fix(source: Source, fix: Fix, given: Given = Given()) -> Source:
    """`source` with one fix made, as an editor does; raises ValueError where the result differs from what the fix declares."""
    build = Build(parse(source), given.contexts)
    text = apply_edits(source.text, fix.edits)
    wrong = _broken_promise(build, [fix], Source(text, source.name), given)
    if wrong:
        raise ValueError(wrong)
    return Source(text, source.name)


# ----------------------------------------------------------------------------------------------------- checking


def _report(
    source: Source, rules: tuple[Rule, ...], given: Given, severities: Mapping[str, str]
) -> tuple[Report, Build]:
    syntax = parse(source)
    build = Build(syntax, given.contexts)
    locked = lock(syntax)
    if syntax.fatal:
        found = [_problem(problem, locked) for problem in syntax.problems if problem.fatal]
        if "\0" in source.text:
            del found[1:]  # no text file: each of its lines would be a fault of its own
        return Report(source, tuple(found), True, locked), build
    lowered = source.text.lower()
    doubtful, open_end = _doubtful(syntax), _open_end(syntax)
    found = []
    ran: set[str] = set()
    for rule in rules:
        info = rule.info
        severity = severities.get(info.code) or severities.get(info.name) or info.severity
        if severity == "off":
            continue
        ran.update((info.code.lower(), info.name))
        if info.triggers and not any(trigger in lowered for trigger in info.triggers):
            continue
        found += [
            _diagnostic(rule, severity, finding, locked, doubtful, open_end) for finding in rule.check(build, given)
        ]
    if "skip=" in lowered or "hadolint" in lowered:
        found = _without_foreign(syntax, found, {rule.info.code: rule.info.also for rule in rules})
    if "dfopt:" in lowered:
        found = _suppress(syntax, found, ran, any(rule.info.code == UNUSED_IGNORE[0] for rule in rules), severities)
    found.sort(key=lambda one: (one.span, one.code, one.message))
    return Report(source, tuple(found), False, locked), build


def _doubtful(syntax: Syntax) -> list[Instruction]:
    """The instructions that go on over an empty line: a forgotten continuation may have swallowed what follows, so nobody
    rewrites them."""
    return [
        one
        for one in syntax.instructions
        if any(one.span.start <= problem.span.start < one.span.end for problem in syntax.problems)
    ]


def _open_end(syntax: Syntax) -> int:
    """Where an instruction ends that goes on at the end of the file, since its last line ends in the escape character; else -1.
    What is put behind it would become part of it."""
    last = syntax.nodes[-1] if syntax.nodes else None
    if not isinstance(last, Instruction):
        return -1
    for line in reversed(syntax.source.text[last.span.start :].split("\n")):
        text = line.strip()
        if text and not text.startswith("#"):
            return last.span.end if text.endswith(syntax.escape) else -1
    return -1


def _diagnostic(
    rule: Rule, severity: str, finding: Finding, locked: str, doubtful: list[Instruction], open_end: int
) -> Diagnostic:
    info = rule.info
    fix, refusal = finding.fix, finding.refusal
    if locked and fix is not None:
        fix, refusal = None, locked
    for start, end in (edit.span for edit in finding.fix.edits) if finding.fix is not None else ():
        if 0 <= open_end <= start:
            fix, refusal = (
                None,
                "the last instruction goes on at the end of the file, and would take in what is put behind it",
            )
        if any(start < one.span.end and one.span.start < max(end, start + 1) for one in doubtful):
            fix, refusal = (
                None,
                "an instruction that it would change goes on over an empty line and may have swallowed another",
            )
    return Diagnostic(
        info.code, info.name, severity, finding.span, finding.message, fix, finding.saves, finding.related, refusal
    )


def _problem(problem: Problem, locked: str) -> Diagnostic:
    code, name = SYNTAX_ERROR
    # What BuildKit would refuse may be right in a template, or to another frontend.
    return Diagnostic(code, name, "error", problem.span, problem.message, None, None, (), locked)


def lock(syntax: Syntax) -> str:
    """Why a file is not rewritten though BuildKit accepts it; "" where it may be.

    A frontend other than Docker's may read the file in its own way, and what looks like a Dockerfile may be a template of one.
    """
    for directive in syntax.directives:
        if directive.name == "syntax":
            image = directive.value.split()[0] if directive.value.split() else ""
            name = image.removeprefix("docker.io/").partition("@")[0].partition(":")[0]
            if name not in ("docker/dockerfile", "docker/dockerfile-upstream"):
                return f"the frontend `{image}` may read the file differently"
    if _TEMPLATE.search(syntax.source.text):
        for instruction in syntax.instructions:
            # What a command gets in quotes may hold such tokens (`docker inspect -f '{{.Id}}'`).
            token = _TEMPLATE.search(_QUOTED.sub("", instruction.logical.text))
            if token is not None:
                line = syntax.source.line_of(instruction.span.start)
                return f"`{token.group()}` in the instruction on line {line} is a template's, so this is not the text that will be built"
    return ""


class _Ignore(NamedTuple):
    span: Span
    first: int
    end: int
    names: tuple[str, ...]
    places: tuple[Span, ...]


def _suppress(
    syntax: Syntax, found: list[Diagnostic], ran: set[str], report_unused: bool, severities: Mapping[str, str]
) -> list[Diagnostic]:
    """The diagnostics without those that a `# dfopt: ignore[...]` comment takes away, and the comments that took none."""
    ignores = list(_ignores(syntax))
    used: set[tuple[int, str]] = set()
    kept: list[Diagnostic] = []
    for diagnostic in found:
        hit = False
        for number, ignore in enumerate(ignores):
            if ignore.first <= diagnostic.span.start < ignore.end:
                for name in ignore.names or ("",):
                    if name in ("", diagnostic.code.lower(), diagnostic.name):
                        used.add((number, name))
                        hit = True
        if not hit:
            kept.append(diagnostic)
    severity = severities.get(UNUSED_IGNORE[0]) or severities.get(UNUSED_IGNORE[1]) or "info"
    if report_unused and severity != "off":
        for number, ignore in enumerate(ignores):
            if not ignore.names and not any(one == number for one, _ in used):
                kept.append(_unused(ignore.span, "the comment suppresses nothing -> remove it", severity))
            for name, place in zip(ignore.names, ignore.places):
                if (number, name) not in used and name in ran:
                    written = syntax.source.text[place.start : place.end]
                    kept.append(
                        _unused(place, f"`{written}` has no finding here -> remove it from the comment", severity)
                    )
    return kept


def _without_foreign(syntax: Syntax, found: list[Diagnostic], also: Mapping[str, tuple[str, ...]]) -> list[Diagnostic]:
    """The diagnostics without those that the file tells hadolint or BuildKit not to report."""
    text = syntax.source.text
    taken: list[tuple[int, int, set[str]]] = []
    directives = {directive.span.start for directive in syntax.directives}
    for match in _FOREIGN.finditer(text):
        names = {name.strip().lower() for name in match["names"].split(",")}
        if "hadolint" not in match.group().lower() and "all" in names:
            names.update(name.lower() for codes in also.values() for name in codes if not name[-1].isdigit())
        if match["all"] or match.start() in directives:
            taken.append((0, len(text) + 1, names))
            continue
        target = _target(syntax, match.start())
        if target is not None:
            taken.append((target.span.start, target.span.end, names))
    return [
        one
        for one in found
        if not any(
            start <= one.span.start < end and any(other.lower() in names for other in also.get(one.code, ()))
            for start, end, names in taken
        )
    ]


def _target(syntax: Syntax, start: int) -> Instruction | None:
    """The instruction that a comment speaks of: the one that it stands in, else the next."""
    return next((one for one in syntax.instructions if one.span.end > start), None)


def _unused(span: Span, message: str, severity: str) -> Diagnostic:
    return Diagnostic(*UNUSED_IGNORE, severity, span, message, None, None, (), "")


def _ignores(syntax: Syntax) -> Iterable[_Ignore]:
    text = syntax.source.text
    for match in _IGNORE.finditer(text):
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        names, places = [], []
        if match.group(2) is not None:
            for part in re.finditer(r"[^\s,]+", match.group(2)):
                names.append(part.group().lower())
                places.append(Span(match.start(2) + part.start(), match.start(2) + part.end()))
        span = Span(start, match.end())
        if match.group(1):
            yield _Ignore(span, 0, len(text) + 1, tuple(names), tuple(places))
            continue
        target = _target(syntax, start)
        if target is not None:
            yield _Ignore(span, target.span.start, target.span.end, tuple(names), tuple(places))


# ------------------------------------------------------------------------------------------------------- fixing


def _make(source: Source, build: Build, chosen: list[Offer], given: Given) -> tuple[str, list[Offer], list[Fault]]:
    """The text after one round, the fixes that it holds, and those that broke their promise."""
    faults: list[Fault] = []
    text = _edited(source.text, chosen)
    wrong = _broken_promise(build, [one.fix for one in chosen], Source(text, source.name), given)
    if wrong and len(chosen) > 1:
        # Find the ones that are wrong alone; fixes that are only wrong together are made one by one.
        good = []
        for one in chosen:
            alone = _broken_promise(build, [one.fix], Source(_edited(source.text, [one]), source.name), given)
            if alone:
                faults.append(_fault(one, alone))
            else:
                good.append(one)
        chosen = good
        text = _edited(source.text, chosen)
        if chosen and _broken_promise(build, [one.fix for one in chosen], Source(text, source.name), given):
            chosen = chosen[:1]
            text = _edited(source.text, chosen)
    elif wrong:
        faults.append(_fault(chosen[0], wrong))
        chosen = []
        text = source.text
    return text, chosen, faults


def _edited(text: str, chosen: list[Offer]) -> str:
    return apply_edits(text, [edit for one in chosen for edit in one.fix.edits])


def _fault(one: Offer, wrong: str) -> Fault:
    code = one.diagnostic.code
    return Fault((code,), f"the fix `{one.fix.title}` of {code} was undone: {wrong}")


def _broken_promise(build: Build, fixes: list[Fix], after: Source, given: Given) -> str:
    """What the new text holds that the fixes did not declare, or lacks; "" where all is as declared."""
    syntax = parse(after)
    if syntax.fatal:
        problem = next(problem for problem in syntax.problems if problem.fatal)
        return f"BuildKit would refuse the result: {problem.message}"
    if len(syntax.problems) > len(build.syntax.problems):
        return f"the result has a new fault: {syntax.problems[-1].message}"
    # What a directive says is compared with the normal forms.
    declared = {effect.name for one in fixes for effect in one.effects if isinstance(effect, ChangesDirective)}
    lost = _comments(build.syntax)
    for directive in build.syntax.directives:
        if directive.name in declared:
            lost.remove(build.syntax.source.text[slice(*directive.span)].strip())
    for comment in _comments(syntax):
        if comment in lost:
            lost.remove(comment)
    if lost:
        return f"the comment `{lost[0]}` is lost"
    from dfopt import normal  # a check needs none of it

    expected = normal.form_of(build)
    try:
        normal.apply([effect for fix in fixes for effect in fix.effects], expected)
    except normal.Broken as broken:
        return str(broken)
    wrong = normal.differences(expected, normal.form_of(Build(syntax, given.contexts)))
    return "; ".join(wrong)


def _comments(syntax: Syntax) -> list[str]:
    """The texts of all comment lines, those inside instructions too."""
    found = []
    for line in syntax.source.text.removeprefix("\ufeff").split("\n"):
        stripped = line.strip()
        if stripped.startswith("#"):
            found.append(stripped)
    return found
