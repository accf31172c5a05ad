"""What `dfopt fix` does to real Dockerfiles: crashes, broken and unstable files, lost comments, fixes and refusals by rule.

    python tools/corpus.py [FOLDER] [--mutations N] [--reasons N]

FOLDER (or $DFOPT_CORPUS, or ../shared/corpus) holds Dockerfiles below `files/`. With `--mutations` as many spoiled copies of its
files are tried too. Where the tests' BuildKit oracle can be built it judges every result; else dfopt's own parser does.
Exits with 1 where one of the figures that must be 0 is not.
"""

import argparse
import collections
import os
import pathlib
import random
import sys
import time
import traceback

CHECKOUT = pathlib.Path(__file__).parents[1]
for entry in ("src", "tests"):
    sys.path.insert(0, str(CHECKOUT / entry))

import buildkit_oracle  # noqa: E402

from dfopt import catalogue, engine  # noqa: E402
from dfopt.build import Build  # noqa: E402
from dfopt.rule import Given, Rule  # noqa: E402
from dfopt.source import Source, encode  # noqa: E402
from dfopt.syntax import parse  # noqa: E402

POLICIES = (Given(), Given(cache="mount"), Given(cache="clean", assembly="always"))
ZERO = (
    "crashes",
    "refused by BuildKit after a fix",
    "lost comments",
    "changed on a second run",
    "faults of rules",
    "refused files changed",
)


class Tally:
    """The figures of one mode."""

    def __init__(self) -> None:
        self.zero: collections.Counter[str] = collections.Counter()
        self.files = self.changed = self.refused = self.locked = 0
        self.found: collections.Counter[str] = collections.Counter()
        self.fixed: collections.Counter[str] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()
        self.notes: list[str] = []

    def fault(self, kind: str, name: str, detail: str) -> None:
        self.zero[kind] += 1
        if len(self.notes) < 40:
            self.notes.append(f"{kind}: {name}: {detail}")


def corpus_folder(given: str | None) -> pathlib.Path:
    return pathlib.Path(given or os.environ.get("DFOPT_CORPUS") or CHECKOUT.parent / "shared" / "corpus")


def texts(folder: pathlib.Path) -> list[tuple[str, bytes]]:
    files = folder / "files"
    return [(str(path.relative_to(files)), path.read_bytes()) for path in sorted(files.rglob("*")) if path.is_file()]


def mutations(originals: list[tuple[str, bytes]], count: int) -> list[tuple[str, bytes]]:
    """Spoiled copies: lines and bytes dropped, doubled, swapped or brought in from other files; the same in every run."""
    chance = random.Random(20261121)
    fragments = (b" \\\n", b"\n\n", b"# comment\n", b"RUN <<EOF\napt-get update\nEOF\n", b"\t", b"&& ", b"; ", b"|| true ", b"'", b'"',
                 b"USER app\n", b"WORKDIR x\n", b"SHELL [\"/bin/bash\", \"-c\"]\n", b"# escape=`\n", b"\r\n", b"--mount=type=cache,target=/x ",
                 b"RUN rm -rf /var/lib/apt/lists/*\n", b"RUN set -e; cd /tmp\n", b"COPY . .\n", b"\xff")  # fmt: skip
    made = []
    for number in range(count):
        name, data = originals[chance.randrange(len(originals))]
        lines = data.split(b"\n")
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(lines))
            match chance.randrange(6):
                case 0:
                    del lines[at]
                case 1:
                    lines.insert(at, lines[chance.randrange(len(lines))])
                case 2:
                    other = chance.randrange(len(lines))
                    lines[at], lines[other] = lines[other], lines[at]
                case 3:
                    cut = chance.randrange(len(lines[at]) + 1)
                    lines[at] = lines[at][:cut] + chance.choice(fragments) + lines[at][cut:]
                case 4:
                    other_lines = originals[chance.randrange(len(originals))][1].split(b"\n")
                    lines.insert(at, other_lines[chance.randrange(len(other_lines))])
                case _:
                    lines = [line.rstrip(b"\r") + b"\r" for line in lines] if chance.random() < 0.2 else lines
            lines = lines or [b""]
        made.append((f"{name} (mutation {number})", b"\n".join(lines)))
    return made


def comments(data: bytes) -> collections.Counter[bytes]:
    return collections.Counter(line.strip() for line in data.split(b"\n") if line.strip().startswith(b"#"))


def run(
    files: list[tuple[str, bytes]],
    rules: tuple[Rule, ...],
    unsafe: bool,
    given: Given,
    judge: "buildkit_oracle.Oracle | None",
) -> Tally:
    tally = Tally()
    for name, data in files:
        tally.files += 1
        try:
            one_file(tally, name, data, rules, unsafe, given, judge)
        except Exception:
            tally.fault("crashes", name, traceback.format_exc(limit=-3))
    return tally


def one_file(
    tally: Tally,
    name: str,
    data: bytes,
    rules: tuple[Rule, ...],
    unsafe: bool,
    given: Given,
    judge: "buildkit_oracle.Oracle | None",
) -> None:
    source = Source.from_bytes(data, name)
    result = engine.fix(source, rules, given, {}, unsafe)
    after = encode(result.source.text)
    for fault in result.faults:
        tally.fault("faults of rules", name, fault.message)
    tally.locked += bool(result.report.locked)
    tally.found.update(diagnostic.name for diagnostic in result.report.diagnostics)
    for applied in result.applied:
        tally.found[applied.name] += 1
        tally.fixed[applied.name] += 1
    for diagnostic in result.report.diagnostics:
        reason = diagnostic.refusal or ("left to --unsafe" if diagnostic.fix is not None else "no fix is offered")
        tally.reasons[f"{diagnostic.name}: {general(reason)}"] += 1
    if result.report.refused:
        tally.refused += 1
        if after != data:
            tally.fault("refused files changed", name, "")
        return
    if after == data:
        return
    tally.changed += 1
    refused = judge.parse(after).refused if judge is not None else parse(Source.from_bytes(after)).fatal
    if refused:
        tally.fault("refused by BuildKit after a fix", name, after.decode("utf-8", "replace")[:200])
    if comments(data) - comments(after):
        tally.fault("lost comments", name, str(comments(data) - comments(after)))
    again = engine.fix(Source.from_bytes(after, name), rules, given, {}, unsafe)
    if again.source.text != result.source.text:
        tally.fault("changed on a second run", name, ", ".join(applied.name for applied in again.applied))


def general(reason: str) -> str:
    """A reason without the names and numbers of one file, so that like ones count together."""
    import re

    reason = re.sub(r"\bline \d+", "line N", reason)
    return re.sub(r"`[^`]*`", "`...`", reason)[:110]


def opaque(files: list[tuple[str, bytes]]) -> tuple[int, int, collections.Counter[str]]:
    """How many RUNs in shell form there are, how many are not read, and why."""
    total, unread = 0, collections.Counter[str]()
    for name, data in files:
        build = Build(parse(Source.from_bytes(data, name)))
        for index, instruction in enumerate(build.instructions):
            run = build.run(index) if instruction.name == "RUN" and build.stage_of[index] is not None else None
            if run is not None:
                total += 1
                if run.script.opaque is not None:
                    unread[run.script.opaque] += 1
    return total, sum(unread.values()), unread


def show(title: str, tally: Tally, reasons: int) -> bool:
    print(
        f"\n{title}: {tally.files} files, {tally.changed} changed, {tally.refused} that BuildKit refuses, {tally.locked} not rewritten (frontend, template)"
    )
    print("  " + ", ".join(f"{kind}: {tally.zero[kind]}" for kind in ZERO))
    for name in sorted(tally.found):
        print(f"  {name:24} {tally.found[name]:5} found {tally.fixed[name]:5} fixed")
    for reason, count in tally.reasons.most_common(reasons):
        print(f"    {count:5}  {reason}")
    seldom = [name for name in tally.found if tally.found[name] >= 5 and 3 * tally.fixed[name] < tally.found[name]]
    if seldom and reasons:
        print("  rules that fix under a third of five or more findings, and why:")
    for name in sorted(seldom) if reasons else ():
        why = [(count, one) for one, count in tally.reasons.most_common() if one.startswith(f"{name}: ")]
        print(f"    {name}: " + "; ".join(f"{count} {one.removeprefix(f'{name}: ')}" for count, one in why[:4]))
    for note in tally.notes:
        print(f"  ! {note}")
    return not any(tally.zero.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--reasons", type=int, default=12)
    wanted = parser.parse_args()
    folder = corpus_folder(wanted.folder)
    if not (folder / "files").is_dir():
        print(f"no corpus at {folder}: nothing to show")
        return 0
    started = time.process_time()
    judge: buildkit_oracle.Oracle | None = None
    try:
        judge = buildkit_oracle.Oracle()
        print("judge: BuildKit's own parser")
    except buildkit_oracle.Unavailable as unavailable:
        print(f"judge: dfopt's parser, since BuildKit's cannot be had: {unavailable}")
    originals = texts(folder)
    spoiled = mutations(originals, wanted.mutations)
    rules = catalogue.rules(["ALL"])
    good = True
    for given in POLICIES:
        for unsafe in (False, True):
            label = f"dfopt fix{' --unsafe' if unsafe else ''} (cache={given.cache}, assembly={given.assembly})"
            first = given is POLICIES[0]
            good &= show(label, run(originals, rules, unsafe, given, judge), wanted.reasons if first else 0)
            good &= show(f"{label}, spoiled files", run(spoiled, rules, unsafe, given, judge), 0)
    total, unread, why = opaque(originals)
    foreign = sum(count for reason, count in why.items() if "Windows" in reason or "a shell" in reason)
    share = 100 * (unread - foreign) / max(total - foreign, 1)
    print(
        f"\nRUNs in shell form: {total}; of Windows and of shells that are no Bourne shell: {foreign}; of the others not read: {unread - foreign} ({share:.2f} %)"
    )
    for reason, count in why.most_common():
        print(f"    {count:5}  {reason}")
    print(f"\nCPU time: {time.process_time() - started:.0f} s; {'all as it must be' if good else 'NOT as it must be'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
