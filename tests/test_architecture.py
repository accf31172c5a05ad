"""The house is built as planned: floors, what the checking path may import, who may name rules, generated pages."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys

import generate
import pytest

import dfopt

PACKAGE = pathlib.Path(dfopt.__file__).parent
CHECKOUT = pathlib.Path(__file__).parents[1]

MAP = generate.module_map((CHECKOUT / "docs/architecture.md").read_text("utf-8"))
FLOORS = {name: int(floor) for floor, name, _ in MAP}

# Imports between modules of one floor, each wanted: (who, whom).
WITHIN_A_FLOOR = {
    ("source.py", "startup.py"),
    ("store.py", "startup.py"),
    ("syntax.py", "words.py"),
    ("families.py", "bases.py"),
    ("packages.py", "shell.py"),
    ("normal.py", "commuting.py"),
    ("normal.py", "caches.py"),
    ("normal.py", "rule.py"),
    ("commuting.py", "layers.py"),
    ("components.py", "archives.py"),
    ("components.py", "context.py"),
    ("components.py", "layers.py"),
    ("components.py", "unwanted.py"),
    ("relocation.py", "archives.py"),
    ("relocation.py", "commuting.py"),
    ("relocation.py", "components.py"),
    ("relocation.py", "context.py"),
    ("relocation.py", "layers.py"),
    ("relocation.py", "normal.py"),
    ("relocation.py", "policy.py"),
    ("relocation.py", "rebase.py"),
    ("relocation.py", "rewrite.py"),
    ("relocation.py", "rule.py"),
    ("relocation.py", "synthesis/__init__.py"),
    ("layers.py", "rule.py"),
    ("merging.py", "rewrite.py"),
    ("imports.py", "context.py"),
    ("imports.py", "layers.py"),
    ("imports.py", "rule.py"),
    ("distributions.py", "layers.py"),
    ("distributions.py", "needs.py"),
    ("distributions.py", "projects.py"),
    ("distributions.py", "rule.py"),
    ("needs.py", "context.py"),
    ("needs.py", "layers.py"),
    ("needs.py", "rule.py"),
    ("rebase.py", "layers.py"),
    ("rebase.py", "rule.py"),
    ("merging.py", "rule.py"),
    ("policy.py", "rule.py"),
    ("context.py", "rule.py"),
    ("unwanted.py", "context.py"),
    ("manifests.py", "context.py"),
    ("lists.py", "layers.py"),
    ("lists.py", "rewrite.py"),
    ("lists.py", "rule.py"),
    ("binding.py", "layers.py"),
    ("binding.py", "rewrite.py"),
    ("binding.py", "rule.py"),
    ("archives.py", "layers.py"),
    ("contents.py", "archives.py"),
    ("contents.py", "layers.py"),
    ("costs.py", "context.py"),
    ("costs.py", "layers.py"),
    ("caches.py", "layers.py"),
    ("caches.py", "rewrite.py"),
    ("caches.py", "rule.py"),
    ("synthesis/__init__.py", "synthesis/__init__.py"),
    ("synthesis/__init__.py", "context.py"),
    ("synthesis/__init__.py", "layers.py"),
    ("synthesis/__init__.py", "needs.py"),
    ("synthesis/__init__.py", "projects.py"),
    ("synthesis/__init__.py", "rewrite.py"),
    ("synthesis/__init__.py", "rule.py"),
    ("report/plans.py", "report/__init__.py"),
    ("config.py", "files.py"),
    ("plan.py", "config.py"),
    ("plan.py", "files.py"),
    ("reorder.py", "plan.py"),
    ("report/github.py", "report/__init__.py"),
    ("report/orders.py", "reorder.py"),
    ("report/orders.py", "report/__init__.py"),
    ("report/json.py", "report/__init__.py"),
    ("report/lsp.py", "report/__init__.py"),
    ("report/sarif.py", "report/__init__.py"),
    ("report/text.py", "report/__init__.py"),
    ("verify/__init__.py", "verify/compare.py"),
    ("verify/__init__.py", "verify/engines.py"),
    ("verify/show.py", "verify/__init__.py"),
    ("verify/show.py", "verify/compare.py"),
    ("audit/limits.py", "audit/__init__.py"),
    ("audit/show.py", "audit/__init__.py"),
    ("__main__.py", "cli.py"),
    ("cli.py", "__init__.py"),
    ("cli.py", "commands.py"),
    ("console.py", "report/__init__.py"),
    ("commands.py", "audit/__init__.py"),
    ("commands.py", "audit/limits.py"),
    ("commands.py", "audit/show.py"),
    ("commands.py", "verify/__init__.py"),
    ("commands.py", "verify/engines.py"),
    ("commands.py", "verify/show.py"),
    ("audit/show.py", "__init__.py"),
}

# What a check must not pay for: each costs more than reading a file. `typing` is the cheapest of them, 2.5 ms; `dfopt.startup`
# and `collections.abc` have what is wanted of it.
SLOW = {
    "asyncio", "dataclasses", "dockerfile_parse", "email", "importlib.metadata", "inspect", "jinja2", "libcst",
    "logging",
    "pathlib", "pathspec", "pygls", "rich", "ruamel", "shutil", "socket", "subprocess", "tempfile", "tomllib", "typer",
    "typing", "urllib",
}  # fmt: skip
# Modules that only run when something is asked for that needs them.
BESIDE_THE_PATH = {
    "api.py", "images.py", "verify/__init__.py", "verify/compare.py", "verify/engines.py", "verify/show.py", "__main__.py",
    "audit/__init__.py", "audit/limits.py", "audit/show.py",
    "report/json.py", "report/lsp.py", "report/sarif.py", "report/github.py",
}  # fmt: skip

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name != "_index.py")


def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def row_of(module: str) -> str:
    """The row of the map that a module stands in."""
    folder = module.partition("/")[0]
    return f"{folder}/__init__.py" if folder in ("rules", "synthesis") and "/" in module else module


def imports(tree: ast.AST) -> set[str]:
    """The dotted names of what is imported; `from a import b` is `a.b` where that is a module of dfopt, else `a`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            module = node.module or ""
            for alias in node.names:
                found.add(f"{module}.{alias.name}" if file_of(f"{module}.{alias.name}") else module)
    return found


def file_of(name: str) -> str:
    """The file of the module of dfopt with this dotted name; "" where there is none."""
    package, *rest = name.split(".")
    path = "/".join(rest)
    candidates = (f"{path}.py", f"{path}/__init__.py") if path else ("__init__.py",)
    return next((each for each in candidates if package == "dfopt" and each in MODULES), "")


def executed(tree: ast.Module) -> ast.Module:
    """The module without what does not run at its import: bodies of functions, and what type checkers read."""

    class Runs(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            is_guard = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if is_guard else self.generic_visit(node)

    runs = Runs().visit(tree)
    assert isinstance(runs, ast.Module)
    return runs


def wrong_floors(module: str, names: set[str]) -> list[str]:
    """The modules of dfopt among `names` that `module` may not import."""
    own = row_of(module)
    wrong = []
    for other in sorted(filter(None, map(file_of, names))):
        target = row_of(other)
        if FLOORS[target] >= FLOORS[own] and (own, target) not in WITHIN_A_FLOOR:
            wrong.append(other)
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_imports_lead_down(module: str) -> None:
    tree = tree_of(module)
    # `dfopt/__init__.py` names the public classes for type checkers only.
    assert wrong_floors(module, imports(executed(tree) if module == "__init__.py" else tree)) == []


def test_a_wrong_import_is_seen() -> None:
    def wrong(module: str, text: str) -> list[str]:
        return wrong_floors(module, imports(ast.parse(text)))

    assert wrong("syntax.py", "from dfopt.build import Build") == ["build.py"]
    assert wrong("engine.py", "def late():\n    from dfopt import cli, rule") == ["cli.py"]
    assert wrong("rule.py", "import dfopt") == ["__init__.py"]
    other_rules = "from dfopt.rules import other_rule\nfrom dfopt import engine, shell"
    assert wrong("rules/some_rule.py", other_rules) == ["engine.py", "rules/__init__.py"]


@pytest.mark.parametrize("module", MODULES)
def test_nothing_slow_is_imported(module: str) -> None:
    if module in BESIDE_THE_PATH:
        return
    names = imports(executed(tree_of(module)))
    assert [name for name in sorted(names) if name in SLOW or name.split(".")[0] in SLOW] == []


def test_a_check_imports_nothing_slow(tmp_path: pathlib.Path) -> None:
    """As it really runs: one file with findings, in a process of its own that has no third-party package at all."""
    shutil.copy(CHECKOUT / "examples/python/Dockerfile", tmp_path)
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from dfopt.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", program, "check", "Dockerfile"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Dockerfile:" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.split("\n") if line.startswith("import time:")}
    assert "dfopt.engine" in loaded
    assert [name for name in sorted(loaded) if name in SLOW or name.split(".")[0] in SLOW] == []


@pytest.mark.parametrize("module", MODULES)
def test_each_module_says_what_it_is(module: str) -> None:
    docstring = ast.get_docstring(tree_of(module)) or ""
    assert re.match(r"\S.*[.;:]", docstring, re.DOTALL), "a module begins with the sentence that is its line in the map"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("rules/")])
def test_only_rules_know_rules(module: str) -> None:
    """No code or name of a rule stands outside its own module; the engine names its own two."""
    own = set(re.findall(r"\"(DF\d{3})\"", (PACKAGE / module).read_text(encoding="utf-8")))
    assert own <= ({"DF801", "DF901"} if module in ("engine.py", "catalogue.py") else set())
    names = {each.split(".")[2] for each in imports(tree_of(module)) if each.startswith("dfopt.rules.")}
    assert names == set()


def test_the_map_lists_each_module() -> None:
    rows = {name: sentence for _, name, sentence in MAP}
    assert rows == generate.module_sentences(), "python tools/generate.py"


@pytest.mark.parametrize("name", sorted(generate.PARTS))
def test_generated_pages_are_current(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert generate.PARTS[name](text) == text, "python tools/generate.py"


def test_architecture_is_two_pages_at_most() -> None:
    """At 60 lines of 120 characters, the map not counted."""
    text = (CHECKOUT / "docs/architecture.md").read_text(encoding="utf-8")
    prose = [line for line in text.split("\n") if not line.startswith("|")]
    assert sum(max(1, -(-len(line) // 120)) for line in prose) <= 120
