"""What the documents show is so: their links lead somewhere, their rules are there, their code is the code."""

import pathlib
import re

import pytest
from conftest import CHECKOUT

from dfopt import catalogue

DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md"), *(CHECKOUT / "rules").glob("*.md")])


def name_of(document: pathlib.Path) -> str:
    return document.relative_to(CHECKOUT).as_posix()


def blocks(document: str, language: str) -> list[str]:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_rule_shown_is_the_rule() -> None:
    """Every piece of code in the walk-through stands in the sources as it stands there."""
    text = (CHECKOUT / "docs/writing-a-rule.md").read_text(encoding="utf-8")
    module = re.search(r"\]\(\.\./(src/dfopt/rules/\w+\.py)\)", text)
    page = re.search(r"\]\(\.\./(rules/[\w-]+\.md)\)", text)
    assert module is not None
    assert page is not None
    pieces = blocks("docs/writing-a-rule.md", "python")
    source = (CHECKOUT / module[1]).read_text(encoding="utf-8")
    assert len(pieces) >= 3
    for piece in pieces:
        assert piece in source
    shown = re.findall(r"^````markdown\n(.*?)^````$", text, re.MULTILINE | re.DOTALL)
    assert shown
    for piece in shown:
        assert piece in (CHECKOUT / page[1]).read_text(encoding="utf-8")


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
