"""Real Dockerfiles to test against, where they are: $DFOPT_CORPUS, or `shared/corpus` beside the checkout."""

import os
import pathlib

import pytest

CORPUS = pathlib.Path(
    os.environ.get("DFOPT_CORPUS") or pathlib.Path(__file__).resolve().parents[2] / "shared" / "corpus"
)
WHY = "the corpus is not here; DFOPT_CORPUS may name its folder"


def corpus_files() -> list[tuple[str, bytes]]:
    """The name and bytes of every file; skips the calling test where there is no corpus, and fails where it is empty."""
    if not CORPUS.is_dir():
        pytest.skip(WHY)
    files = [
        (str(path.relative_to(CORPUS)), path.read_bytes())
        for path in sorted((CORPUS / "files").rglob("*"))
        if path.is_file()
    ]
    assert files, f"no file below {CORPUS}/files"
    return files
