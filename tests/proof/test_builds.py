"""Each case is proved by real builds, where there is an engine and somebody asks for it: `DFOPT_PROVE=1`."""

import os
from collections.abc import Iterator

import pytest

from proof.prove import Case, Docker, example_cases, find_docker, fixture_cases, page_cases, prove

ASKED = bool(os.environ.get("DFOPT_PROVE"))
CASES = [case for case in [*page_cases(), *fixture_cases(), *example_cases()] if not case.skipped]


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """The engine; without it the proofs are skipped, or fail where `DFOPT_REQUIRE_ENGINE` is set."""
    if not ASKED:
        pytest.skip("real builds take minutes -> DFOPT_PROVE=1 runs them")
    found, reason = find_docker()
    if found is None:
        if os.environ.get("DFOPT_REQUIRE_ENGINE"):
            pytest.fail(f"no engine: {reason}")
        pytest.skip(f"nothing is built, no engine: {reason}")
    yield found
    found.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{'unsafe' if case.unsafe else 'safe'}")
def test_the_images_differ_as_declared(case: Case, docker: Docker) -> None:
    verdict = prove(case, docker, "")
    if verdict.state == "text only":
        pytest.skip(verdict.detail[0])
    assert not verdict.is_fault, "\n".join((verdict.state, *verdict.detail))
