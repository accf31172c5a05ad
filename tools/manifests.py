"""For how many single-stage files the manifests are copied before the install, safely or with consent, and why not for the others.

    python tools/manifests.py [FOLDER] [--reasons N] [--show REASON]

FOLDER (or $DFOPT_CORPUS, or ../shared/corpus) holds Dockerfiles below `files/`, without their build contexts: without these no split is safe, and the
usual names of manifests are taken. The pages' examples with a context are counted besides. Counted are files of one stage that install a
project's dependencies behind a COPY of the whole context or a folder. Nothing must crash, break its word or change again on a second run; else the
exit code is 1.
"""

import argparse
import collections
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).parents[1]
for entry in ("src", "tests"):
    sys.path.insert(0, str(CHECKOUT / entry))

import pages  # noqa: E402
from corpus import corpus_folder, general, texts  # noqa: E402

from dfopt import catalogue, engine  # noqa: E402
from dfopt.build import Build  # noqa: E402
from dfopt.rule import Given  # noqa: E402
from dfopt.source import Source  # noqa: E402
from dfopt.syntax import parse  # noqa: E402

RULE = "copy-before-install"


class Tally:
    """What came of the files of one kind, by package manager."""

    def __init__(self) -> None:
        self.outcomes: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.reasons: collections.Counter[str] = collections.Counter()
        self.faults: list[str] = []


def count(tally: Tally, source: Source, given: Given, show: str | None) -> None:
    """Count one file; one that does not concern us changes nothing."""
    build = Build(parse(source), given.contexts)
    if len(build.stages) != 1 or build.syntax.fatal:
        return
    rules = catalogue.rules([RULE])
    found = [one for one in engine.check(source, rules, given).diagnostics if one.code == "DF201"]
    if not found:
        return
    first = found[0]
    manager = first.message.partition("comes before `")[2].partition("`")[0].partition(" ")[0] or "?"
    fixed = engine.fix(source, rules, given, unsafe=True)
    again = engine.fix(fixed.source, rules, given, unsafe=True)
    tally.faults += [f"{source.name}: {fault.message}" for fault in (*fixed.faults, *again.faults)]
    if again.applied:
        tally.faults.append(f"{source.name}: changed again on a second run")
    if fixed.applied:
        outcome = "split, safe" if all(one.safe for one in fixed.applied) else "split, to agree"
        reason = next((one.because for one in fixed.applied if not one.safe), "shown by the context")
    else:
        outcome, reason = "not split", first.refusal or "no fix is offered"
    tally.outcomes[manager][outcome] += 1
    reason = f"{outcome}: {general(reason)}"
    tally.reasons[reason] += 1
    if show is not None and show in reason:
        print(f"{source.name}: {first.refusal or reason}")


def table(title: str, tally: Tally, reasons: int) -> None:
    columns = ("split, safe", "split, to agree", "not split")
    total = collections.Counter[str]()
    print(f"\n{title}")
    print(f"  {'manager':12} " + " ".join(f"{column:>16}" for column in columns))
    for manager, outcomes in sorted(tally.outcomes.items(), key=lambda one: -sum(one[1].values())):
        print(f"  {manager:12} " + " ".join(f"{outcomes[column]:16}" for column in columns))
        total.update(outcomes)
    files = sum(total.values())
    print(f"  {'all':12} " + " ".join(f"{total[column]:16}" for column in columns))
    split = files - total["not split"]
    print(f"  {split} of {files} are split ({100 * split / max(files, 1):.0f} %)")
    for reason, number in tally.reasons.most_common(reasons):
        print(f"    {number:5}  {reason}")
    for fault in tally.faults:
        print(f"  ! {fault}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--reasons", type=int, default=25)
    parser.add_argument("--show", metavar="REASON", help="name the files whose reason holds this text")
    wanted = parser.parse_args()
    projects = Tally()
    for example in pages.examples():
        if example.rule == RULE and example.given.place is not None and example.kind != "after":
            name = f"{example.rule}:{example.line}"
            count(projects, Source(example.text, name), example.given, wanted.show)
    table("examples with their build context", projects, wanted.reasons)
    real = Tally()
    folder = corpus_folder(wanted.folder)
    if (folder / "files").is_dir():
        for name, data in texts(folder):
            count(real, Source.from_bytes(data, name), Given(), wanted.show)
        table("real files, without their build context", real, wanted.reasons)
    else:
        print(f"\nno corpus at {folder}: no real files are counted")
    return 1 if projects.faults or real.faults else 0


if __name__ == "__main__":
    sys.exit(main())
