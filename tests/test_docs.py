"""What the documents show is so: their links lead somewhere, their rules are there."""

import pathlib
import re

import pytest
from conftest import CHECKOUT

from dfopt import catalogue

DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md"), *(CHECKOUT / "rules").glob("*.md")])


def name_of(document: pathlib.Path) -> str:
    return document.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: pathlib.Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("https://", "http://")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_rules_that_are_named_are_there(document: pathlib.Path) -> None:
    known = {info.code for info in catalogue.infos()}
    named = set(re.findall(r"\bDF\d{3}\b", document.read_text(encoding="utf-8")))
    assert named <= known


def test_each_document_is_in_the_index() -> None:
    text = (CHECKOUT / "docs/index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", text))
    assert linked == {path.name for path in (CHECKOUT / "docs").glob("*.md")} - {"index.md"}


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` takes the command for the tests from README; there is one, and the other one shows all examples."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m 1 -E '([^']*)'", (CHECKOUT / ".ci/run").read_text(encoding="utf-8"))
    assert pattern is not None
    assert len(re.findall(pattern[1], readme, re.MULTILINE)) == 1
    commands = re.findall(r"^```sh\n(.*)\n```$", readme, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("dfopt fix --diff --exit-zero examples")
    assert re.fullmatch(pattern[1], commands[1])
