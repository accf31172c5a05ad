"""What comes of naive files: how many with one stage and a tool chain are split, asked about or refused, by language and reason.

    python tools/synthesis_table.py [FOLDER] [--reasons N]

FOLDER (or $DFOPT_CORPUS, or ../shared/corpus) holds Dockerfiles below `files/`, without their build contexts. The projects of
`tests/fixtures/synthesis` and `examples/` are counted apart: they have theirs, and the share that is planned without a question is the last line.
Exits with 1 where a split is a fault, or is made once more in the file that it gave.
"""

import argparse
import collections
import pathlib
import re
import sys
from typing import NamedTuple

CHECKOUT = pathlib.Path(__file__).parents[1]
for entry in ("src", "tests", "tools"):
    sys.path.insert(0, str(CHECKOUT / entry))

import corpus  # noqa: E402
import test_synthesis  # noqa: E402

from dfopt import catalogue, engine  # noqa: E402
from dfopt.build import Build  # noqa: E402
from dfopt.plan import Wishes, placed, planner  # noqa: E402
from dfopt.rule import Given, Rule  # noqa: E402
from dfopt.source import Source  # noqa: E402
from dfopt.syntax import parse  # noqa: E402
from dfopt.synthesis import Plan, plan_of  # noqa: E402

RULE = "toolchain-shipped"
OUTCOMES = ("applied", "question", "refused")


class Outcome(NamedTuple):
    """What came of a file: one of OUTCOMES, or `fault`; the language, and why not, without names and numbers of the file."""

    what: str
    language: str
    reason: str


def outcome(source: Source, given: Given, rule: Rule) -> Outcome | None:
    """What comes of a file with one stage; None where it has several, or ships no tool chain that dfopt knows."""
    build = Build(parse(source))
    if len(build.stages) != 1 or build.final is None:
        return None
    plan = plan_of(build, given, build.final)
    report = engine.check(source, (rule,), given)
    found = [one for one in report.diagnostics if one.name == RULE]
    if not found and plan is None:
        return None
    said = re.search(r"with the (.+?) tool chain", found[0].message) if found else None
    language = plan.language if isinstance(plan, Plan) else said[1] if said is not None else "not told"
    if isinstance(plan, str) or plan is None:
        return Outcome("refused", language, corpus.general(plan or found[0].refusal))
    if plan.questions:
        return Outcome("question", language, "; ".join(sorted({general_id(one.id) for one in plan.questions})))
    fixed = engine.fix(source, (rule,), given, {}, True)
    if fixed.faults:
        return Outcome("fault", language, fixed.faults[0].message)
    if not fixed.applied:
        locked = "the file is not rewritten (frontend, template, or refused by BuildKit)"
        return Outcome("refused", language, locked)
    again = engine.fix(fixed.source, (rule,), given, {}, True)
    if again.applied or again.faults:
        return Outcome("fault", language, "split once more")
    return Outcome("applied", language, "")


def general_id(name: str) -> str:
    """A question's id without what only one file has."""
    return re.sub(r"^(run-line|library)-.+", r"\1-...", name)


def given_at(folder: pathlib.Path) -> Given:
    wishes = Wishes(context=str(folder))
    from dfopt import config

    dockerfile = str(folder / "Dockerfile")
    path = folder / "dfopt.toml"
    settings = config.load(str(path)) if path.exists() else config.NONE
    return placed(planner(wishes)(settings, dockerfile), settings, wishes, dockerfile, {}).given


def show(title: str, found: list[Outcome], reasons: int) -> None:
    print(f"\n{title}: {len(found)} files with one stage and a tool chain")
    print(f"  {'language':12}" + "".join(f"{name:>10}" for name in (*OUTCOMES, "files")))
    languages = sorted({one.language for one in found})
    for language in (*languages, "all"):
        own = [one for one in found if language in (one.language, "all")]
        counts = [sum(one.what == name for one in own) for name in OUTCOMES]
        print(f"  {language:12}" + "".join(f"{count:10}" for count in (*counts, len(own))))
    why = collections.Counter((one.what, one.language, one.reason) for one in found if one.reason)
    for (what, language, reason), count in why.most_common(reasons):
        print(f"    {count:5}  {what}, {language}: {reason}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--reasons", type=int, default=40)
    wanted = parser.parse_args()
    rule = next(one for one in catalogue.rules(["ALL"]) if one.info.name == RULE)
    folder = corpus.corpus_folder(wanted.folder)
    everything: list[Outcome] = []
    if (folder / "files").is_dir():
        found = [outcome(Source.from_bytes(data, name), Given(), rule) for name, data in corpus.texts(folder)]
        known = [one for one in found if one is not None]
        show("without their contexts", known, wanted.reasons)
        everything += known
    projects = [
        *(test_synthesis.FOLDER / name / "project" for name in test_synthesis.PROJECTS),
        *sorted(path.parent for path in (CHECKOUT / "examples").glob("*/Dockerfile")),
    ]
    found = [
        outcome(Source.from_bytes((one / "Dockerfile").read_bytes(), str(one)), given_at(one), rule) for one in projects
    ]
    known = [one for one in found if one is not None]
    show("projects with their contexts", known, wanted.reasons)
    planned = sum(one.what == "applied" for one in known)
    print(
        f"\nplanned without a question, with the context: {planned} of {len(known)} ({100 * planned / max(len(known), 1):.0f} %)"
    )
    faults = [one for one in everything + known if one.what == "fault"]
    for one in faults:
        print(f"  ! {one.language}: {one.reason}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
