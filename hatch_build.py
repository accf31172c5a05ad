"""What a wheel holds beside the sources: the rules' pages, and an index of their heads."""

import os
import shutil
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesHook(BuildHookInterface[Any]):
    """Adds `dfopt/pages/` and `dfopt/_index.py` to a wheel; an editable install reads `rules/` as a checkout does."""

    _made = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel is built; `version` is `standard` or `editable`."""
        if version == "editable":
            return
        pages = os.path.join(self.root, "rules")
        self._made = tempfile.mkdtemp(prefix="dfopt-index-")
        index = os.path.join(self._made, "_index.py")
        with open(index, "w", encoding="utf-8", newline="\n") as file:
            file.write(index_of(pages, os.path.join(self.root, "src")))
        build_data["force_include"][pages] = "dfopt/pages"
        build_data["force_include"][index] = "dfopt/_index.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling after the wheel was built."""
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)


def index_of(pages: str, sources: str) -> str:
    """The text of `_index.py` for the folder `pages`, as `dfopt.catalogue` in the folder `sources` reads it."""
    sys.path.insert(0, sources)
    try:
        from dfopt.catalogue import read_heads
    finally:
        sys.path.remove(sources)
    entries = "".join(f"    {tuple(info)!r},\n" for info in read_heads(pages))
    return f'"""The heads of the rules\' pages, made when the wheel was built."""\n\nINDEX = (\n{entries})\n'
