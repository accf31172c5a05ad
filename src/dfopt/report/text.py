"""The form for people: place, rule and message, the source with what is meant underlined, and what can be done."""

from collections.abc import Iterator, Sequence

from dfopt.engine import Applied
from dfopt.report import Outcome, Results, Run, figure, place, size, total, visible
from dfopt.rule import Diagnostic, Saving
from dfopt.source import Source, Span

TAB = 4
WIDEST = 160  # columns of a source line that are shown; a line may have 65,535
SHOWN_LINES = 6  # of a span over more lines the first ones and the last are shown

PAINT = {
    "error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m", "path": "\x1b[1m", "dim": "\x1b[2m",
    "good": "\x1b[32m", "unsafe": "\x1b[33m",
}  # fmt: skip
OFF = "\x1b[0m"


def render(results: Results, run: Run) -> Iterator[str]:
    """One piece per file, then the summary."""
    counts = dict.fromkeys(("error", "warning", "info"), 0)
    offered: list[Saving | None] = []
    made: list[Saving | None] = []
    files = files_with_findings = fixable = unsafe = fixed = files_fixed = failed = 0
    for result in results:
        if not isinstance(result, Outcome):
            failed += 1
            continue
        files += 1
        yield file(result, run)
        for diagnostic in result.report.diagnostics:
            counts[diagnostic.severity] = counts.get(diagnostic.severity, 0) + 1
            if diagnostic.fix is not None:
                fixable += diagnostic.fix.safe
                unsafe += not diagnostic.fix.safe
            offered.append(diagnostic.saves)
        files_with_findings += bool(result.report.diagnostics)
        if result.changed and result.fixed is not None:
            fixed += len(result.fixed.applied)
            made += [applied.saves for applied in result.fixed.applied]
            files_fixed += 1
    if run.quiet or not (files or failed):
        return
    findings = sum(counts.values())
    lines = []
    if run.command == "fix" and fixed:
        lines.append(
            _paint(run, "good", f"{'would fix' if run.diff else 'fixed'} {fixed} in {_count(files_fixed, 'file')}")
        )
        lines += _saved("known savings", "fix", made)
    where = f"{files_with_findings} of {_count(files, 'file')}" if files > 1 else _count(files, "file")
    left = " left" if run.command == "fix" else ""
    if findings:
        parts = [
            _count(number, level) if level != "info" else f"{number} info" for level, number in counts.items() if number
        ]
        lines.append(f"{_count(findings, 'finding')}{left} in {where}: {', '.join(parts)}")
        lines += _saved(f"known savings{left}", "finding", offered)
        offers = [f"{fixable} can be fixed by `dfopt fix`"] if fixable else []
        if unsafe:
            offers.append(
                f"{unsafe} {'more ' if offers else ''}can be fixed by `dfopt fix --unsafe`, after a look at each"
            )
        if offers:
            lines.append("; ".join(offers))
    elif files:
        lines.append(_paint(run, "good", f"no findings{left}") + f" in {_count(files, 'file')}")
    if failed:
        lines.append(_paint(run, "error", f"{_count(failed, 'error')}, given above"))
    yield "\n".join(lines) + "\n"


def file(outcome: Outcome, run: Run) -> str:
    """What is to be said of one file; empty where there is nothing."""
    pieces = []
    path = visible(outcome.path)
    if outcome.fixed is not None and outcome.changed and not run.quiet:
        pieces += [_applied(path, applied, run) for applied in outcome.fixed.applied]
        pieces.append("\n" if outcome.fixed.applied and outcome.report.diagnostics else "")
    if outcome.fixed is not None and outcome.report.locked and outcome.report.diagnostics and not run.quiet:
        pieces.append(f"{_paint(run, 'path', path + ':')} not fixed: {visible(outcome.report.locked)}\n")
    for diagnostic in outcome.report.diagnostics:
        pieces.append(_diagnostic(path, outcome.report.source, diagnostic, run))
    return "".join(pieces)


def _applied(path: str, applied: Applied, run: Run) -> str:
    verb = "would fix" if run.diff else "fixed"
    reasons = [visible(f"saves: {figure(applied.saves)}")] if applied.saves else []
    kind = "safe" if applied.safe else "unsafe"
    reasons.append(
        _paint(run, "good" if applied.safe else "unsafe", kind)
        + (visible(f": {applied.because}") if applied.because else "")
    )
    head = f"{_paint(run, 'path', f'{path}:{applied.line}:')} {_paint(run, 'good', verb)}"
    return f"{head} {applied.code} {visible(applied.title)} ({'; '.join(reasons)})\n"


def _diagnostic(path: str, source: Source, diagnostic: Diagnostic, run: Run) -> str:
    at = place(source, diagnostic.span.start)
    head = _paint(run, "path", f"{path}:{at.line}:{at.column}:")
    label = _paint(run, diagnostic.severity, f"{diagnostic.code} {diagnostic.severity}")
    text = f"{head} {label} {visible(diagnostic.message)} {_paint(run, 'dim', f'[{diagnostic.name}]')}\n"
    gutter, lines = snippet(source, diagnostic.span)
    for number, mark, shown, carets in lines:
        text += f"{_paint(run, 'dim', f'{number:>{gutter}} {mark}')} {shown}".rstrip() + "\n"
        if carets:
            text += f"{_paint(run, 'dim', ' ' * gutter + ' |')} {_paint(run, diagnostic.severity, carets)}\n"
    indent = " " * gutter + " = "
    for related in diagnostic.related:
        there = place(source, related.span.start)
        text += f"{indent}see {path}:{there.line}:{there.column}: {visible(related.message)}\n"
    if diagnostic.saves is not None:
        text += f"{indent}saves: {visible(figure(diagnostic.saves))}\n"
    if diagnostic.fix is not None:
        fix = diagnostic.fix
        kind = _paint(run, "good" if fix.safe else "unsafe", "fix" if fix.safe else "unsafe fix")
        because = f" ({visible(fix.because)})" if fix.because else ""
        text += f"{indent}{kind}: {visible(fix.title)}{because}\n"
    elif diagnostic.refusal:
        text += f"{indent}no fix: {visible(diagnostic.refusal)}\n"
    return text + "\n"


def snippet(source: Source, span: Span) -> tuple[int, Sequence[tuple[str, str, str, str]]]:
    """The lines that a span touches: the gutter's width, then (number, mark, text, carets) for each line shown.

    A span within one line is underlined; of a span over several lines each line is marked with `>` in the gutter.
    """
    start, end = span
    # White space at the end (line ends above all) would show as lines that the finding does not speak of.
    if "\n" in source.text[start:end]:
        end = start + len(source.text[start:end].rstrip())
    first, last = source.line_of(start), source.line_of(max(start, end - 1))
    gutter = len(str(last)) + 1
    if first == last:
        base = source.line_starts[first - 1]
        shown, left, right = columns(source.line_text(first), start - base, end - base)
        return gutter, [(str(first), "|", shown, " " * left + "^" * max(1, right - left))]
    numbers = list(range(first, last + 1))
    if len(numbers) > SHOWN_LINES:
        numbers = [*numbers[: SHOWN_LINES - 1], 0, last]
    lines = []
    for number in numbers:
        shown = columns(source.line_text(number), 0, 0)[0] if number else ""
        lines.append((str(number) if number else "...", ">" if number else " ", shown, ""))
    return max(gutter, 4 if 0 in numbers else 0), lines


def columns(line: str, start: int, end: int) -> tuple[str, int, int]:
    """A source line as shown, and where the characters `[start, end)` stand in it, in terminal columns from 0."""
    skip = line.startswith("\ufeff")
    begin = int(skip)
    if len(line) > WIDEST and start > WIDEST // 2:
        begin = start - WIDEST // 4
    cut = line[begin : begin + WIDEST]
    shown, at = ("\u2026", 1) if begin > skip else ("", 0)
    left = right = -1
    simple = cut.isascii() and "\t" not in cut
    text = visible(cut)
    if simple:
        left, right = at + max(0, start - begin), at + min(max(0, end - begin), len(cut))
        shown += text
    else:
        for index, character in enumerate(text, begin):
            if index == start:
                left = at
            if index == end:
                right = at
            piece = " " * (TAB - at % TAB) if character == "\t" else character
            shown += piece
            at += len(piece) if character == "\t" else width(character)
        left = at if left < 0 else left
        right = at if right < 0 else right
    return shown + ("\u2026" if begin + WIDEST < len(line) else ""), left, right


def width(character: str) -> int:
    """How many columns a terminal gives to a character: 0, 1 or 2."""
    if character < "\u0300":
        return 1
    import unicodedata

    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _paint(run: Run, name: str, text: str) -> str:
    return f"{PAINT[name]}{text}{OFF}" if run.color else text


def _saved(head: str, noun: str, savings: list[Saving | None]) -> list[str]:
    """The line that says what findings or fixes save, where that is known of one."""
    found = total(savings)
    if not found.known:
        return []
    more = f"; not known in {found.unknown} more" if found.unknown else ""
    return [f"{head}: about {size(found.bytes)} in {_count(found.known, noun)}{more}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('x') else 's'}"
