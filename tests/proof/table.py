"""The table of rules: what real builds proved, what is held by its text alone, and why."""

import datetime
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator

from dfopt import catalogue
from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse
from proof.prove import Case, Verdict, page_cases


def page(verdicts: Iterable[Verdict]) -> str:
    """The table as a page of docs/, with when and with what it was made."""
    given = list(verdicts)
    version = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True)
    counts = Counter(one.state for one in given)
    lines = [
        "# What real builds proved",
        "",
        f"{datetime.date.today()}; docker {version.stdout.strip()}; {platform.system()} {platform.machine()}. The base images are what `python tools/engine.py setup` provides.",
        "",
        "`DFOPT_PROVE=1 DFOPT_PROOF_PAGE=docs/proofs.md python -m pytest tests/proof/test_builds.py` makes this page; [safety.md](safety.md) says what is built and compared.",
        f"Of {len(given)} cases {', '.join(f'{counts[state]} are {state}' for state in sorted(counts))}: `left alone` is a hazard that nothing may fix,",
        "`text only` a case whose original does not build there, mostly for want of its base image.",
        "",
        "| rule | | |",
        "| --- | --- | --- |",
    ]
    for line in rows(given):
        name, _, told = line.partition("  ")
        how = "proved by build" if told.strip().startswith("proved by build") else "text only"
        why = told.strip().removeprefix(how).lstrip(": ").removeprefix("in ")
        lines.append(f"| {name} | {how} | {why.replace('|', '&#124;')} |")
    return "\n".join([*lines, ""])


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
