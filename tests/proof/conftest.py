"""The engine of the proofs, and the table of what they came to; with `DFOPT_PROOF_PAGE=FILE` it is kept as a page."""

import os
import pathlib
from collections.abc import Iterator

import pytest

from proof import table
from proof.prove import Docker, Verdict, find_docker

VERDICTS = pytest.StashKey[list[Verdict]]()


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """The engine; without it the proofs are skipped, or fail where `DFOPT_REQUIRE_ENGINE` is set."""
    if not os.environ.get("DFOPT_PROVE"):
        pytest.skip("real builds take minutes -> DFOPT_PROVE=1 runs them")
    found, reason = find_docker()
    if found is None:
        if os.environ.get("DFOPT_REQUIRE_ENGINE"):
            pytest.fail(f"no engine: {reason}", pytrace=False)
        pytest.skip(f"nothing is built, no engine: {reason}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> list[Verdict]:
    """Where each proof leaves its verdict for the table."""
    return request.config.stash.setdefault(VERDICTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(VERDICTS, [])
    if found:
        terminalreporter.section("rules: proved by build, or text only")
        for line in table.rows(found):
            terminalreporter.write_line(line)
        if page := os.environ.get("DFOPT_PROOF_PAGE"):
            pathlib.Path(page).write_text(table.page(found), encoding="utf-8")
