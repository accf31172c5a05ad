"""Proves splits by real builds: each project before and after, the kept paths and the configuration compared, its command run in both images.

    PYTHONPATH=src:tests python -m proof.synthesis [NAME ...]

The projects are those of `tests/fixtures/synthesis`. `run.txt` beside a project holds, a line each, words to run in both images behind
`docker run IMAGE` (an empty line: the image's own command); output and exit code must be equal. Without the file the image's own
command is run. Needs what `proof.prove` needs; a project whose base image cannot be had is told as text only.
Exit code: 0 all that could be built are proved, 1 not.
"""

import shlex
import sys

import test_synthesis

from dfopt import catalogue, engine
from proof.prove import Case, Docker, find_docker, prove, show


def proved(name: str, docker: Docker | None, reason: str) -> tuple[str, list[str]]:
    """The word for what came of a project, and what there is to say."""
    folder = test_synthesis.FOLDER / name
    source, given = test_synthesis.source_of(folder), test_synthesis.given_of(folder)
    project = folder / "project"
    rule = catalogue.rules([test_synthesis.RULE])[0]
    case = Case(name, source.text, (rule.info.code,), (), given, True, "", project)
    verdict = prove(case, docker, reason)
    lines = [show(verdict)]
    if verdict.state != "proved" or docker is None:
        return verdict.state, lines
    fixed = engine.fix(source, [rule], given, unsafe=True)
    before, _ = docker.build(source.text, case, None)
    after, _ = docker.build(fixed.source.text, case, None)
    path = folder / "run.txt"
    for line in path.read_text().split("\n")[:-1] if path.exists() else [""]:
        one, two = docker.run(before, shlex.split(line)), docker.run(after, shlex.split(line))
        # A server goes on running: the prover ends it (-1).
        if one != two or one.code not in (0, -1):
            lines.append(
                f"    `{line}`: before {one.code} {one.output[-300:]!r}, after {two.code} {two.output[-300:]!r}"
            )
            return "runs otherwise", lines
        lines.append(f"    `{line}` prints {one.output[:60]!r} in both")
    return "proved", lines


def main(names: list[str]) -> int:
    """Prove those that are asked for, or all."""
    docker, reason = find_docker()
    counts: dict[str, int] = {}
    try:
        for name in test_synthesis.PROJECTS:
            if names and not any(word in name for word in names):
                continue
            state, lines = proved(name, docker, reason)
            counts[state] = counts.get(state, 0) + 1
            print("\n".join(lines), flush=True)
    finally:
        if docker is not None:
            docker.close()
    print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    return int(bool(set(counts) - {"proved", "text only", "left alone"}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
