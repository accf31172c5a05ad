"""For how many naive stages a split is planned, asked or refused, by language and reason.

    python tools/synthesis.py [FOLDER] [--show REASON] [--diffs]

FOLDER (or $DFOPT_CORPUS, or ../shared/corpus) holds Dockerfiles below `files/`, without their build contexts: most plans ask for files. The
projects of `tests/fixtures/synthesis` are counted besides, with theirs. Nothing must crash, break its word or change again on a
second run; else the exit code is 1.
"""

import argparse
import collections
import difflib
import pathlib
import re
import sys

CHECKOUT = pathlib.Path(__file__).parents[1]
for entry in ("src", "tests"):
    sys.path.insert(0, str(CHECKOUT / entry))

import test_synthesis  # noqa: E402
from corpus import corpus_folder  # noqa: E402

from dfopt import catalogue, engine, synthesis  # noqa: E402
from dfopt.build import Build  # noqa: E402
from dfopt.rule import Given  # noqa: E402
from dfopt.source import Source  # noqa: E402
from dfopt.syntax import parse  # noqa: E402

RULES = catalogue.rules([test_synthesis.RULE])


class Tally:
    """What came of the files of one kind."""

    def __init__(self) -> None:
        self.counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.reasons: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []


def outcome(source: Source, given: Given, tally: Tally, arguments: argparse.Namespace) -> None:
    """Count one file."""
    report = engine.check(source, RULES, given)
    if report.refused or report.locked or not report.diagnostics:
        return
    build = Build(parse(source), given.contexts)
    assert build.final is not None
    found = report.diagnostics[0]
    match = re.search(r"the (\S+) tool chain", found.message)
    language = match[1] if match else "?"
    plan = synthesis.plan_of(build, given, build.final)
    if isinstance(plan, synthesis.Plan) and not plan.questions:
        kind, reason = "planned", "planned"
    elif isinstance(plan, synthesis.Plan):
        kind, reason = "asked", " + ".join(sorted(re.sub(r"-[0-9]+$", "", question.id) for question in plan.questions))
    else:
        kind, reason = "refused", re.sub(r"`[^`]*`", "`...`", plan or f"no module for {language}")
    tally.counts[language][kind] += 1
    tally.reasons[f"{language}: {kind}: {reason}"] += 1
    fixed = engine.fix(source, RULES, given, unsafe=True)
    tally.faults += [f"{source.name}: {fault.message}" for fault in fixed.faults]
    if fixed.applied:
        again = engine.fix(fixed.source, RULES, given, unsafe=True)
        if again.applied:
            tally.faults.append(f"{source.name}: changes again on a second run")
    if arguments.show and arguments.show in f"{language}: {kind}: {reason}":
        print(f"--- {source.name}: {plan if isinstance(plan, str) else ''}")
        for question in plan.questions if isinstance(plan, synthesis.Plan) else ():
            print(f"    {question.id}: {question.words}")
        if arguments.diffs:
            before, after = source.text.splitlines(), fixed.source.text.splitlines()
            print("\n".join(list(difflib.unified_diff(before, after, lineterm="", n=99))[2:]))


def shown(title: str, tally: Tally) -> None:
    """Print the figures."""
    print(title)
    print(f"  {'language':10} {'planned':>8} {'asked':>8} {'refused':>8}")
    for language, counts in sorted(tally.counts.items()):
        print(f"  {language:10} " + " ".join(f"{counts[kind]:8}" for kind in ("planned", "asked", "refused")))
    total = sum(sum(counts.values()) for counts in tally.counts.values())
    planned = sum(counts["planned"] for counts in tally.counts.values())
    print(f"  {planned} of {total} planned without a question\n")
    for reason, count in tally.reasons.most_common():
        print(f"  {count:4} {reason}")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--show", help="print the files whose outcome holds this text")
    parser.add_argument("--diffs", action="store_true", help="with what the fix makes of them")
    arguments = parser.parse_args()
    projects, files = Tally(), Tally()
    for name in test_synthesis.PROJECTS:
        folder = test_synthesis.FOLDER / name
        source = Source(test_synthesis.source_of(folder).text, name)
        outcome(source, test_synthesis.given_of(folder), projects, arguments)
    for path in sorted((corpus_folder(arguments.folder) / "files").rglob("*")):
        if path.is_file():
            try:
                outcome(Source.from_bytes(path.read_bytes(), path.name), Given(), files, arguments)
            except Exception as error:
                files.faults.append(f"{path.name}: {type(error).__name__}: {error}")
    shown("projects with their context", projects)
    shown("files without a context", files)
    for fault in (*projects.faults, *files.faults):
        print(fault)
    return int(bool(projects.faults or files.faults))


if __name__ == "__main__":
    sys.exit(main())
