"""What an image may waste at most: dive's own file of limits (`.dive-ci`), and options of the same meaning."""

import re
from typing import Any, NamedTuple

from dfopt.audit import Audit
from dfopt.unwanted import amount


class Limits(NamedTuple):
    """`lowest_efficiency` and `highest_user_wasted` are shares from 0 to 1, the others bytes; None: no limit. Measures are dive's, but
    for `max_size`, which holds the bytes of all files in all layers."""

    lowest_efficiency: float | None = None
    highest_wasted: int | None = None
    highest_user_wasted: float | None = None
    max_size: int | None = None


class BadLimits(ValueError):
    """A limit that cannot be read; the message names the place and what was expected."""


_KEYS = {
    "lowestEfficiency": "lowest_efficiency",
    "highestWastedBytes": "highest_wasted",
    "highestUserWastedPercent": "highest_user_wasted",
}


def read(path: str) -> Limits:
    """The limits in a `.dive-ci` file. Raises BadLimits, and OSError where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    try:
        loaded = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark is not None else ""
        raise BadLimits(f"{path}{place}: no YAML: {getattr(error, 'problem', None) or error}") from None
    rules = loaded.get("rules") if isinstance(loaded, dict) else None
    if loaded is not None and not isinstance(rules, dict):
        raise BadLimits(f"{path}: no `rules:` with limits")
    limits = Limits()
    for key, value in (rules or {}).items():
        if key not in _KEYS:
            raise BadLimits(f"{path}: `{key}` is no limit -> one of {', '.join(_KEYS)}")
        try:
            limits = with_limit(limits, _KEYS[key], value)
        except BadLimits as error:
            raise BadLimits(f"{path}: {key}: {error}") from None
    return limits


def with_limit(limits: Limits, name: str, value: Any) -> Limits:
    """The limits with one of them set; `disabled` takes it away. Raises BadLimits."""
    off = isinstance(value, str) and value.strip().lower() == "disabled"
    read_as = size if name in ("max_size", "highest_wasted") else share
    changed: Any = None if off else read_as(value)
    return limits._replace(**{name: changed})


def share(value: Any) -> float:
    """A share from 0 to 1. Raises BadLimits."""
    try:
        number = float(str(value).strip())
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= 1:
        raise BadLimits(f"`{value}` -> a share from 0 to 1, or `disabled`")
    return number


# As dive and Docker's go-units read them: powers of ten, and of two with an `i`.
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def size(value: Any) -> int:
    """Bytes: `20000000`, `20MB`, `20 MiB`. Raises BadLimits."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?", str(value).strip().lower())
    if match is None or isinstance(value, bool) or match[2] not in _UNITS:
        raise BadLimits(f"`{value}` -> bytes, as 20000000, 20MB or 20MiB, or `disabled`")
    return int(float(match[1]) * _UNITS[match[2]])


def broken(audit: Audit, limits: Limits) -> list[str]:
    """The limits that an image does not keep, in words."""
    found = []
    if limits.lowest_efficiency is not None and audit.efficiency < limits.lowest_efficiency:
        found.append(f"efficiency {audit.efficiency:.4f} is below {limits.lowest_efficiency:g}")
    if limits.highest_wasted is not None and audit.wasted > limits.highest_wasted:
        found.append(f"{amount(audit.wasted)} are wasted, the limit is {amount(limits.highest_wasted)}")
    if limits.highest_user_wasted is not None and audit.user_wasted > limits.highest_user_wasted:
        found.append(
            f"{audit.user_wasted:.4f} of what lies above the base layer is wasted, the limit is {limits.highest_user_wasted:g}"
        )
    if limits.max_size is not None and audit.size > limits.max_size:
        found.append(f"the image has {amount(audit.size)}, the limit is {amount(limits.max_size)}")
    return found
