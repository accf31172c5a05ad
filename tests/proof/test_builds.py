"""Each case is proved by real builds, where there is an engine and somebody asks for it: `DFOPT_PROVE=1`.

Several are built at a time (`DFOPT_PROVE_JOBS`, default: one a core). At the end a table tells of each rule how often a build proved
it, or that it is held by its text alone, and why.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import test_synthesis

from dfopt import catalogue
from dfopt.rule import Given
from proof import synthesis
from proof.prove import Case, Docker, Verdict, example_cases, fixture_cases, page_cases, prove

CASES = {
    f"{case.name}-{'unsafe' if case.unsafe else 'safe'}": case
    for case in [*page_cases(), *fixture_cases(), *example_cases()]
    if not case.skipped
}
PROJECTS = test_synthesis.PROJECTS
SPLIT = catalogue.rules([test_synthesis.RULE])[0].info.code

Proved = Callable[[str], tuple[str, list[str]]]


@pytest.fixture(scope="module")
def proved(docker: Docker, verdicts: list[Verdict], request: pytest.FixtureRequest) -> Iterator[Proved]:
    """What came of a case. All that were asked for are built side by side, and each test waits for its own."""

    def build(name: str) -> tuple[str, list[str]]:
        if name in PROJECTS:
            state, detail = synthesis.proved(name, docker, "")
            verdicts.append(Verdict(Case(name, "", (SPLIT,), (), Given(), True, ""), state, (), applied=(SPLIT,)))
            return state, detail
        verdict = prove(CASES[name], docker, "")
        verdicts.append(verdict)
        return verdict.state, list(verdict.detail)

    items = [one for one in request.session.items if isinstance(one, pytest.Function) and "proved" in one.fixturenames]
    wanted = [str(one.callspec.params["name"]) for one in items]
    with ThreadPoolExecutor(int(os.environ.get("DFOPT_PROVE_JOBS") or os.cpu_count() or 1)) as pool:
        futures: dict[str, Future[tuple[str, list[str]]]] = {name: pool.submit(build, name) for name in wanted}
        yield lambda name: futures[name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", [*CASES, *PROJECTS])
def test_the_images_differ_as_declared(name: str, proved: Proved) -> None:
    state, detail = proved(name)
    if state == "text only":
        pytest.skip(detail[0])
    assert state in ("proved", "left alone"), "\n".join((state, *detail))
