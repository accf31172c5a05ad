"""The rules that there are: the heads of their pages, and their modules, imported when a file first needs them.

The folder of pages is the registry. A wheel holds the pages as `dfopt/pages/` and their heads as a module, made when it was
built; in a checkout both are read from `rules/`.
"""

import os
from collections.abc import Callable, Iterable, Iterator

from dfopt.build import Build
from dfopt.rule import SEVERITIES, Finding, Given, Info, Rule

# Findings of these codes come from the engine; they have a page and no module.
_ENGINE = ("DF801", "DF901")


def folder() -> str:
    """The folder that holds the rules' pages: in an installed dfopt beside the modules, in a checkout `rules/` at its top."""
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(here, "pages")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(os.path.dirname(here)), "rules")


def infos() -> tuple[Info, ...]:
    """The heads of all pages, in order of code. Raises ValueError, naming the page and line, for a head that is wrong."""
    try:
        from dfopt._index import INDEX  # type: ignore[import-not-found]  # made when a wheel is built
    except ImportError:
        return read_heads(folder())
    return tuple(Info(*entry) for entry in INDEX)


def read_heads(where: str) -> tuple[Info, ...]:
    """The heads of the pages in the folder `where`, in order of code."""
    names = sorted(name[:-3] for name in os.listdir(where) if name.endswith(".md") and name != "README.md")
    found = []
    for name in names:
        with open(os.path.join(where, name + ".md"), encoding="utf-8") as page:
            found.append(read_head(name, page))
    return tuple(sorted(found))


def read_head(name: str, lines: Iterable[str]) -> Info:
    """The head of the page `name`: flat `key: value` lines up to the first empty line, then the title, `# <what is wrong>`.

    Raises ValueError, naming the page and line.
    """
    values: dict[str, str] = {}
    summary = ""
    in_head = True
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if in_head:
            if not line:
                in_head = False
                continue
            key, colon, value = line.partition(":")
            if not colon or key not in _KEYS or key in values:
                raise ValueError(
                    f"rules/{name}.md:{number}: `{line}` is no head line -> one each of {', '.join(_KEYS)}"
                )
            values[key] = value.strip()
        elif line.startswith("# "):
            summary = line[2:].strip()
            break
    missing = [key for key in _KEYS if key not in values and key not in ("also", "triggers", "default")]
    if missing or not summary:
        raise ValueError(f"rules/{name}.md: the page lacks {', '.join(f'`{key}:`' for key in missing) or 'its title'}")
    if values["severity"] not in SEVERITIES:
        raise ValueError(f"rules/{name}.md: severity `{values['severity']}` -> one of {', '.join(SEVERITIES)}")
    return Info(
        values["code"], name, values["severity"], values.get("default", "on") == "on", values["since"],
        tuple(_list(values.get("also", ""))), tuple(_list(values.get("triggers", ""))), summary, values["fix"],
    )  # fmt: skip


_KEYS = ("code", "severity", "default", "since", "fix", "also", "triggers")


def _list(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(",") if part.strip())


def find(entry: str) -> Info:
    """The head of the rule with this code or name. Raises KeyError, with the nearest name, where there is none."""
    for info in infos():
        if entry.lower() in (info.code.lower(), info.name):
            return info
    raise unknown(entry)


def page(entry: str) -> str:
    """The text of the page of the rule with this code or name. Raises KeyError where there is none."""
    with open(os.path.join(folder(), find(entry).name + ".md"), encoding="utf-8") as file:
        return file.read()


def unknown(entry: str) -> KeyError:
    """The error for an entry that names no rule: a message with the nearest code or name, and the entry."""
    import difflib

    known = [info.code for info in infos()] + [info.name for info in infos()]
    below = [code for code in known if entry and code.lower().startswith(entry.lower())]
    if below:
        return KeyError(f"no rule is called `{entry}` -> one of {', '.join(f'`{code}`' for code in below)}", entry)
    near = difflib.get_close_matches(entry.upper(), known, 1) or difflib.get_close_matches(entry.lower(), known, 1, 0.5)
    return KeyError(f"no rule is called `{entry}`" + (f" -> `{near[0]}` is the nearest" if near else ""), entry)


def rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules to run: those on by default, or those selected (a code, a name, a prefix such as `DF1`, `ALL`), without those ignored.

    Of a selecting and an ignoring entry for the same rule the more specific one wins, of equals the ignoring one.
    Raises KeyError for an entry that names no rule.
    """
    known = infos()
    selected, ignored = list(select), list(ignore)
    for entry in (*selected, *ignored):
        if not any(_weight(entry, info) for info in known):
            raise unknown(entry)
    found = []
    for info in known:
        chosen = max((_weight(entry, info) for entry in selected), default=1 if info.default and not selected else 0)
        if chosen and chosen > max((_weight(entry, info) for entry in ignored), default=0):
            found.append(Rule(info, _checker(info.name, info.code in _ENGINE)))
    return tuple(found)


def _weight(entry: str, info: Info) -> int:
    """How specifically `entry` names the rule: 0 not at all, 1 ALL, more for a longer prefix, most for its code or name."""
    entry = entry.strip()
    if entry.upper() == "ALL":
        return 1
    if entry.upper() == info.code or entry.lower() == info.name:
        return 100
    return 1 + len(entry) if entry and info.code.startswith(entry.upper()) else 0


def _checker(name: str, empty: bool) -> Callable[[Build, Given], Iterator[Finding]]:
    def check(build: Build, given: Given) -> Iterator[Finding]:
        if empty:
            return iter(())
        module = __import__("dfopt.rules." + name.replace("-", "_"), fromlist=["check"])
        found: Iterator[Finding] = module.check(build, given)
        return found

    return check
