"""What dfopt keeps between its runs: JSON in the user's cache folder, written whole or not at all; what is wrong there is not there."""

from __future__ import annotations

import os

from dfopt.startup import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# A larger file is none of dfopt's.
_LARGEST = 64 << 20


def folder() -> str:
    """Where it lies: `dfopt` in XDG_CACHE_HOME where that is an absolute path, else in `~/.cache`; "" where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return ""
        base = os.path.join(home, ".cache")
    return os.path.join(base, "dfopt")


def read(name: str) -> Any:
    """What was kept under a name (`history/abc`); None where there is nothing, or nothing that can be read."""
    import json

    place = folder()
    try:
        path = os.path.join(place, f"{name}.json")
        if not place or os.path.getsize(path) > _LARGEST:
            return None
        with open(path, "rb") as file:
            return json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None


def write(name: str, value: Any) -> bool:
    """Keep a value; False where the folder cannot be written, which is nobody's business."""
    import json

    place = folder()
    if not place:
        return False
    path = os.path.join(place, f"{name}.json")
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.new"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(value, separators=(",", ":")).encode("ascii"))
        os.replace(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        return False
    return True


def prune(kind: str, entries: int, size: int) -> None:
    """Of the files of a kind (`history`) leave the newest `entries`, of `size` bytes together at most; leftovers of writers that
    were stopped go with them."""
    found = []
    try:
        with os.scandir(os.path.join(folder(), kind)) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                found.append((status.st_mtime, status.st_size, entry.path))
    except OSError:
        return
    total = 0
    for number, (_, length, path) in enumerate(sorted(found, reverse=True), 1):
        total += length
        if number > entries or total > size:
            try:
                os.unlink(path)
            except OSError:
                pass
