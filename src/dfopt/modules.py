"""The text of a Python module: what it imports, and what speaks for more; by `ast`, and by libcst where the syntax is newer than the Python that runs.

Apart from `imports.py`, so that only who meets a Python program pays for `ast`.
"""

import ast
import warnings
from collections.abc import Iterator

from dfopt.startup import NamedTuple, pattern


class Text(NamedTuple):
    """What one file says: imports as (level, module, names, line, kind), strings that may name modules, and why there may be more.
    `elsewhere` says why modules may come from another place than the image's files, "" where nothing speaks for that."""

    imports: tuple[tuple[int, str, tuple[str, ...], int, str], ...]
    strings: frozenset[str]
    doubt: str
    names: frozenset[str]
    elsewhere: str


_DOTTED = pattern(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

# By what of `sys` a program says where modules are looked for, or what they are; and by which names without it.
_OF_SYSTEM = frozenset("path modules meta_path path_hooks path_importer_cache".split())
_PLACING = frozenset("__path__ addsitedir extend_path ensurepip pip".split())
_INSTALLING = pattern(r"\b(?:pip[23]?|uv|poetry|pipenv|conda) +(?:pip +)?(?:install|sync)\b")


# Such text may be `activate_this.py`, which says where modules lie.
_RUNS_TEXT = "runs text as Python"


def _elsewhere(
    names: set[str],
    systems: set[str],
    attributes: set[tuple[str, str]],
    imports: list[tuple[int, str, tuple[str, ...], int, str]],
    installs: bool,
) -> str:
    """Why modules may come from another place than the image's files; `systems` are the names that `sys` has."""
    taken = {name for _, module, some, _, _ in imports if module == "sys" for name in some}
    taken |= {name for of, name in attributes if of in systems}
    if not taken.isdisjoint(_OF_SYSTEM):
        return "changes or reads `sys.path`"
    said = names | {name for _, name in attributes} | {module.partition(".")[0] for _, module, *_ in imports}
    if not said.isdisjoint(_PLACING):
        return "says where modules lie"
    return "may install modules" if installs else ""


def read(text: str) -> Text | None:
    """The imports of a module's text; None where it is no Python that is understood here."""
    text = text.removeprefix("\ufeff")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (RecursionError, MemoryError, ValueError):
        return None
    except SyntaxError:
        return _read_newer(text)
    return _collected(tree)


def _collected(tree: ast.AST) -> Text:
    imports: list[tuple[int, str, tuple[str, ...], int, str]] = []
    strings: set[str] = set()
    names: set[str] = set()
    doubt = ""
    runs = ""
    systems, attributes, installs = {"sys"}, set[tuple[str, str]](), False
    pending: list[tuple[ast.AST, str]] = [(tree, "needed")]
    while pending:
        node, kind = pending.pop()
        below: Iterator[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            imports += [(0, alias.name, (), node.lineno, kind) for alias in node.names]
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            systems |= {alias.asname for alias in node.names if alias.name == "sys" and alias.asname}
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.level, node.module or "", tuple(one.name for one in node.names), node.lineno, kind))
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and len(node.value) < 200 and _DOTTED.fullmatch(node.value):
                strings.add(node.value)
            if isinstance(node.value, str) and (node.value in ("pip", "pip3") or _INSTALLING.search(node.value)):
                installs = True
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Call):
            called = _call(node)
            if isinstance(called, tuple):
                imports.append((*called, node.lineno, "perhaps"))
            doubt = doubt or (called if isinstance(called, str) else "")
            runs = _RUNS_TEXT if called == _RUNS_TEXT else runs
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name):
                attributes.add((node.value.id, node.attr))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
            # Decorators and defaults are evaluated where the function is defined; they import nothing.
            below, kind = iter((*node.decorator_list, *node.body)), _weaker(kind)
            pending += [(one, kind) for one in (*node.args.defaults, *(each for each in node.args.kw_defaults if each))]
        elif isinstance(node, ast.Lambda):
            kind = _weaker(kind)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.If):
            if _is_typing(node.test):
                pending += [(one, "typing") for one in node.body]
                pending += [(one, _weaker(kind)) for one in node.orelse]
                continue
            kind = _weaker(kind)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            if node.handlers:
                pending += [(one, kind) for one in node.finalbody]
                below, kind = iter((*node.body, *node.handlers, *node.orelse)), _weaker(kind)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.Match)):
            kind = _weaker(kind)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            # `with suppress(ImportError)`, or another that swallows what is raised.
            kind = _weaker(kind)
        pending += [(one, kind) for one in below]
    elsewhere = _elsewhere(names, systems, attributes, imports, installs) or runs
    imports.sort(key=lambda one: one[3])
    return Text(tuple(imports), frozenset(strings), doubt or elsewhere, frozenset(names), elsewhere)


def _weaker(kind: str) -> str:
    return "perhaps" if kind == "needed" else kind


def _is_typing(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _call(node: ast.Call) -> tuple[int, str, tuple[str, ...]] | str:
    """The import that a call does, or why it may import more than is seen; "" for another call."""
    function = node.func
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    if name in ("import_module", "__import__"):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
            module = first.value.lstrip(".")
            level = len(first.value) - len(module)
            if level and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                return (
                    (0, f"{node.args[1].value!s}.{module}".strip("."), ())
                    if level == 1
                    else "imports by a name made at run time"
                )
            return (level, module, ())
        return "imports by a name made at run time"
    if name in (
        "walk_packages",
        "iter_modules",
        "run_path",
        "run_module",
        "spec_from_file_location",
        "load_source",
        "entry_points",
    ):
        return "imports by a name made at run time"
    if name in ("exec", "execfile") and isinstance(function, ast.Name):
        return _RUNS_TEXT
    return ""


# What libcst is asked to read. Its parser recurses without a limit, and ends the process where the stack does; chains of operators take it
# quadratic time (5,000 of them 20 s).
_LONGEST_TEXT = 100_000
_LONGEST_STATEMENT = 4_000
_DEEPEST = 60
_MOST_BRANCHES = 1_000

_BRACKETS = pattern(r"[][(){}]|\\?\n")


def _is_tame(text: str) -> bool:
    """Whether a text is short, and so are its statements, with brackets that are not deep (those in strings and comments among them)."""
    if len(text) > _LONGEST_TEXT or text.count("elif") > _MOST_BRANCHES:
        return False
    depth = start = 0
    for token in _BRACKETS.finditer(text + "\n"):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth = max(depth - 1, 0)
        elif token.end() - start > _LONGEST_STATEMENT:
            return False
        elif not depth and token[0] == "\n":
            start = token.end()
        if depth > _DEEPEST:
            return False
    return True


def _read_newer(text: str) -> Text | None:
    """The same for text whose syntax is newer than the Python that runs here. Each import is given to `ast` by itself."""
    if not _is_tame(text):
        return None
    try:
        import libcst
    except ImportError:
        return None

    try:
        tree = libcst.parse_module(text)
    except (libcst.ParserSyntaxError, RecursionError, ValueError):
        return None
    imports: list[tuple[int, str, tuple[str, ...], int, str]] = []
    strings: set[str] = set()
    names: set[str] = set()
    doubt = ""
    attributes, installs, elsewhere = set[tuple[str, str]](), False, ""
    pending: list[tuple[libcst.CSTNode, str]] = [(tree, "needed")]
    while pending:
        node, kind = pending.pop()
        if isinstance(node, (libcst.Import, libcst.ImportFrom, libcst.Call)):
            try:
                part = _collected(ast.parse(tree.code_for_node(node).strip()))
            except SyntaxError:
                part = None
            if part is not None:
                if isinstance(node, libcst.Call):
                    kind = _weaker(kind)
                imports += [(*one[:3], 0, kind) for one in part.imports]
                names |= part.names
                strings |= part.strings
                doubt = doubt or part.doubt
                elsewhere = elsewhere or part.elsewhere
                if isinstance(node, libcst.Import) and any(
                    one.evaluated_name == "sys" and one.evaluated_alias for one in node.names
                ):
                    elsewhere = elsewhere or "gives `sys` another name"  # calls are read by themselves, without it
                continue
        elif isinstance(node, libcst.SimpleString):
            value = node.raw_value
            if _DOTTED.fullmatch(value):
                strings.add(value)
            installs = installs or value in ("pip", "pip3") or _INSTALLING.search(value) is not None
        elif isinstance(node, libcst.Name):
            names.add(node.value)
        elif isinstance(node, libcst.Attribute):
            if isinstance(node.value, libcst.Name):
                attributes.add((node.value.value, node.attr.value))
        elif isinstance(node, libcst.If) and tree.code_for_node(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            pending.append((node.body, "typing"))
            if node.orelse is not None:
                pending.append((node.orelse, _weaker(kind)))
            continue
        elif isinstance(
            node,
            (libcst.FunctionDef, libcst.Lambda, libcst.If, libcst.Try, libcst.TryStar, libcst.For, libcst.While, libcst.Match, libcst.With),
        ):  # fmt: skip
            kind = _weaker(kind)
        pending += [(one, kind) for one in node.children]
    elsewhere = elsewhere or _elsewhere(names, {"sys"}, attributes, imports, installs)
    return Text(tuple(imports), frozenset(strings), doubt or elsewhere, frozenset(names), elsewhere)
