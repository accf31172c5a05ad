"""What a proof came to, as text for people and as JSON for programs."""

import json
import posixpath
from collections.abc import Iterable
from typing import Any

from dfopt.report import visible
from dfopt.rule import ChangesBase, ChangesConfig, Effect, PackagesRemoved
from dfopt.verify import DIFFERENT, NOT_BUILT, PROVED, Proof, Request, Share, Side
from dfopt.verify.compare import Difference

_MANY = 12


def text(request: Request, proof: Proof, engine: str) -> str:
    """The report for people."""
    lines = [_verdict(request, proof)]
    if proof.code == NOT_BUILT:
        lines += [f"  | {visible(line)}" for line in proof.tail[-15:]]
        return "\n".join(lines) + "\n"
    assert proof.before is not None and proof.after is not None, "both were built"
    lines += ["", *_table(proof.before, proof.after, proof.changed)]
    if proof.uncovered:
        lines += ["", f"not explained by any fix ({len(proof.uncovered)}):", *_listed(proof.uncovered)]
    if proof.explained:
        lines += ["", "explained by the fixes:"]
        for share in proof.explained:
            lines.append(f"  {share.applied.code} {share.applied.title}")
            lines.append(f"    {_told(share.effect)}: {_count(share.differences)}")
    if proof.noise:
        lines += [
            "",
            f"also different between two builds of one file, and set apart ({len(proof.noise)}):",
            *_grouped(proof.noise),
        ]
    if proof.idle:
        lines += ["", "declared, and not seen in these images:", *_unseen(proof.idle)]
    lines += ["", f"built with {engine}; the fixed file with empty and with filled cache mounts"]
    return "\n".join(lines) + "\n"


def _verdict(request: Request, proof: Proof) -> str:
    name = visible(request.name)
    if proof.code == NOT_BUILT:
        return f"{name}: not proved: {visible(proof.failure)}"
    if proof.code == DIFFERENT:
        return f"{name}: the images differ in more than was declared"
    total = sum(len(share.differences) for share in proof.explained)
    if not total:
        return f"{name}: proved: both images are equal"
    return f"{name}: proved: both images are equal but for {total} difference{'s' if total > 1 else ''} that the fixes declare"


def _table(before: Side, after: Side, changed: tuple[str, str]) -> list[str]:
    rows = [("", "before", "after", "")]
    rows.append(("size", _bytes(before.size), _bytes(after.size), _bytes(after.size - before.size, True)))
    rows.append(("layers", str(before.layers), str(after.layers), f"{after.layers - before.layers:+}"))
    times = (
        ("clean build", before.clean, after.clean),
        (f"rebuild after a change of `{changed[0]}`", before.source, after.source),
        (f"rebuild after a change of `{changed[1]}`", before.dependency, after.dependency),
    )
    for label, one, two in times:
        if one is not None and two is not None:
            rows.append((label, f"{one:.1f} s", f"{two:.1f} s", f"{two - one:+.1f} s"))
    pushes = (
        (f"pushed after a change of `{changed[0]}`", before.source_pushed, after.source_pushed),
        (f"pushed after a change of `{changed[1]}`", before.dependency_pushed, after.dependency_pushed),
    )
    for label, old, new in pushes:
        if old is not None and new is not None:
            rows.append((label, _bytes(old), _bytes(new), _bytes(new - old, True)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip()
        for row in rows
    ]


def _bytes(number: int, signed: bool = False) -> str:
    return f"{number:+,} bytes" if signed else f"{number:,} bytes"


def _listed(differences: Iterable[Difference]) -> list[str]:
    listed = [f"  {visible(str(one))}" for one in differences]
    more = [f"  and {len(listed) - _MANY} more (--format json has all)"] if len(listed) > _MANY else []
    return [*listed[:_MANY], *more]


def _grouped(differences: Iterable[Difference]) -> list[str]:
    """Differences of one kind and one sort of file as one line, with the first of them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in differences:
        groups.setdefault((one.kind, posixpath.splitext(one.path)[1] or one.path), []).append(one.path)
    lines = []
    for (kind, ending), paths in sorted(groups.items(), key=lambda group: -len(group[1])):
        what = f"{len(paths)} times `*{ending}`, as {paths[0]}" if len(paths) > 1 else paths[0]
        lines.append(f"  {kind} of {visible(what)}")
    more = [f"  and {len(lines) - _MANY} more sorts (--format json has all)"] if len(lines) > _MANY else []
    return [*lines[:_MANY], *more]


def _unseen(idle: Iterable[str]) -> list[str]:
    """Patterns of one sort as one line, with the first of them; a folder and what is in it count as one."""
    kinds: dict[str, dict[str, None]] = {}
    for one in idle:
        kind, _, path = one.partition(" ")
        kinds.setdefault(kind, {})[path.removesuffix("/**")] = None
    lines = []
    for kind, paths in kinds.items():
        more = f" and {len(paths) - 3} more (--format json has all)" if len(paths) > 3 else ""
        lines.append(f"  {kind} {visible(', '.join(list(paths)[:3]))}{more}".rstrip())
    return lines


def _count(differences: tuple[Difference, ...]) -> str:
    kinds: dict[str, int] = {}
    for one in differences:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _told(effect: Effect) -> str:
    name = type(effect).__name__
    if isinstance(effect, ChangesConfig):
        return f"{name} `{effect.key}`"
    if isinstance(effect, ChangesBase):
        return f"{name} `{effect.old}` -> `{effect.new}`"
    if isinstance(effect, PackagesRemoved):
        return f"{name} ({effect.what})"
    paths = getattr(effect, "paths", ())
    return f"{name} {' '.join(paths)}" if paths else name


def data(request: Request, proof: Proof, engine: str) -> str:
    """The report for programs: `version` 1 of its shape (docs/cli.md)."""
    verdict = {PROVED: "proved", DIFFERENT: "different", NOT_BUILT: "not built"}[proof.code]
    shaped: dict[str, Any] = {
        "version": 1,
        "path": request.name,
        "verdict": verdict,
        "engine": engine,
        "before": proof.before._asdict() if proof.before else None,
        "after": proof.after._asdict() if proof.after else None,
        "changed": {"source": proof.changed[0] or None, "dependency": proof.changed[1] or None},
        "uncovered": [one._asdict() for one in proof.uncovered],
        "explained": [_share(one) for one in proof.explained],
        "noise": [one._asdict() for one in proof.noise],
        "idle": list(proof.idle),
        "failure": proof.failure or None,
        "log": list(proof.tail),
    }
    return json.dumps(shaped, indent=2) + "\n"


def _share(share: Share) -> dict[str, Any]:
    return {
        "code": share.applied.code,
        "name": share.applied.name,
        "effect": _told(share.effect),
        "differences": [one._asdict() for one in share.differences],
    }
