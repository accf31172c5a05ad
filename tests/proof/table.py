"""The table of rules: what real builds proved, what is held by its text alone, and why."""

from collections.abc import Iterable, Iterator

from dfopt import catalogue
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse
from proof.prove import Case, Verdict, page_cases


def rows(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A line for each rule that fixes: how many cases with its fix real builds proved, or why there is none."""
    given = list(verdicts)
    examples: dict[str, list[Case]] = {}
    for case in page_cases():
        examples.setdefault(case.codes[0], []).append(case)
    for info in catalogue.infos():
        proved = [one for one in given if one.state == "proved" and info.code in one.applied]
        if not proved and info.code not in examples:
            continue
        line = f"{info.code} {info.name:32}"
        if proved:
            saved = sum(one.saved for one in proved if one.applied == (info.code,))
            alone = f", {saved:,} bytes less where it is alone" if saved > 0 else ""
            yield f"{line} proved by build in {len(proved)} case{'s' if len(proved) > 1 else ''}{alone}"
            continue
        yield f"{line} text only: {_why(examples[info.code], [one for one in given if info.code in one.case.codes])}"


def _why(examples: list[Case], tried: list[Verdict]) -> str:
    failed = next((one.detail[0] for one in tried if one.state == "text only" and one.detail), "")
    if failed:
        return failed
    if any(not case.skipped for case in examples):
        return "its examples were not built in this run"
    bases = {
        stage.image or "what a variable says"
        for case in examples
        for stage in Build(parse(Source(case.text))).stages
        if stage.base.kind != "stage"
    }
    return f"no example is marked `build`; they stand on {', '.join(sorted(bases))}"
