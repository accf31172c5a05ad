"""Writes what is derived: the list of rules, the map of modules, the pieces of code in the walk-through, README's examples.

    python tools/generate.py [--check]

With `--check` nothing is written: it names what is out of date and exits with 1. A test does the same.
"""

import ast
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

CHECKOUT = pathlib.Path(__file__).parents[1]
SOURCES = CHECKOUT / "src"
PACKAGE = SOURCES / "dfopt"
EXAMPLES = ("node", "python", "go")

GROUPS = {
    "DF1": "Layers and clean-up",
    "DF2": "Order and cache",
    "DF3": "Stages",
    "DF4": "Base images",
    "DF5": "Build context",
    "DF6": "Packages",
    "DF7": "Security",
    "DF8": "Correctness and metadata",
    "DF9": "Style and housekeeping",
}

_ROW = re.compile(r"\| (\d) \| `([^`]+)` \| (.*?) ?\|")


def rules_page(_: str = "") -> str:
    """docs/rules.md."""
    sys.path.insert(0, str(SOURCES))
    from dfopt.catalogue import read_heads

    lines = [
        "# Rules",
        "",
        "Made from the pages in [`rules/`](../rules) by `python tools/generate.py`. `dfopt explain RULE` prints one.",
        "",
        "A safe fix is made by `dfopt fix`, an unsafe one only by `dfopt fix --unsafe` ([what that means](safety.md)).",
        "*also* names the codes of hadolint and BuildKit that speak of the same fault.",
    ]
    infos = read_heads(str(CHECKOUT / "rules"))
    for prefix, title in GROUPS.items():
        group = [info for info in infos if info.code.startswith(prefix)]
        if not group:
            continue
        lines += ["", f"## {prefix}xx {title}", "", "| code | rule | severity | fix | what it finds | also |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        for info in group:
            severity = info.severity if info.default else f"{info.severity}, off by default"
            link = f"[{info.name}](../rules/{info.name}.md)"
            cells = (info.code, link, severity, info.fixable, info.summary, ", ".join(info.also))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def architecture(text: str) -> str:
    """docs/architecture.md with the sentences of its map as the modules give them now; its floors stay."""
    floors = {name: floor for floor, name, _ in module_map(text)}
    rows = [(floors.get(name, "?"), name, sentence) for name, sentence in module_sentences().items()]
    rows.sort(key=lambda row: row[0])
    table = [
        "| floor | module | what it is |",
        "| --- | --- | --- |",
        *(f"| {floor} | `{name}` | {sentence} |" for floor, name, sentence in rows),
    ]
    return _between(text, "map", "\n".join(table))


def module_map(text: str) -> list[tuple[str, str, str]]:
    """The rows of the map: floor, module, sentence."""
    return [(match[1], match[2], match[3]) for match in map(_ROW.fullmatch, text.split("\n")) if match]


def module_sentences() -> dict[str, str]:
    """Each module below src/dfopt with the first sentence of its docstring; those of the rules and of synthesis stand as one each."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        folder, _, file = name.rpartition("/")
        if name == "_index.py" or (folder in ("rules", "synthesis") and file != "__init__.py"):
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        paragraph = " ".join(docstring.partition("\n\n")[0].split())
        found[name] = re.split(r"(?<=[.;]) (?=[A-Z])", paragraph)[0]
    return found


def walk_through(text: str) -> str:
    """docs/writing-a-rule.md with its pieces of a rule's module and page as they stand there now.

    A piece is a fenced block with a path behind the language, then the name of a function, or the line that ends the piece.
    """

    def piece(match: re.Match[str]) -> str:
        fence, language, path, what = match[1], match[2], match[3], match[4]
        file = CHECKOUT / path
        if not file.exists():
            raise SystemExit(f"{path} is not there")
        source = file.read_text(encoding="utf-8")
        if language == "python":
            nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == what]
            content = "\n".join(ast.get_source_segment(source, node) or "" for node in nodes)
        else:
            content, found, _ = source.partition(f"\n{what}\n")
            content = content.rstrip("\n") if found else ""
        if not content:
            raise SystemExit(f"{path} has no `{what}`")
        return f"{fence}{language} {path} {what}\n{content}\n{fence}"

    return re.sub(r"^(`{3,})(\w+) (\S+/\S+) ([^\n]+)\n.*?^\1$", piece, text, flags=re.MULTILINE | re.DOTALL)


def readme(text: str) -> str:
    """README.md with what dfopt says of the examples now."""
    parts = []
    for name in EXAMPLES:
        path = f"examples/{name}/Dockerfile"
        diff, report = run_fix(path)
        parts += [
            f"### [{path}]({path})",
            "",
            "<details><summary>before</summary>",
            "",
            "```dockerfile",
            (CHECKOUT / path).read_text(encoding="utf-8").rstrip("\n"),
            "```",
            "",
            "</details>",
            "",
            "```diff",
            diff.rstrip("\n"),
            "```",
            "",
            "<details><summary>what was fixed, what is left, what it saves</summary>",
            "",
            "```text",
            report.rstrip("\n"),
            "```",
            "",
            "</details>",
            "",
        ]
    return _between(text, "examples", "\n".join(parts).rstrip("\n"))


def run_fix(path: str) -> tuple[str, str]:
    """What `dfopt fix --diff` prints of a file of the checkout: the diff and the report."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dfopt", "fix", "--diff", "--no-config", path],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"dfopt failed on {path}:\n{done.stderr}")
    return done.stdout, done.stderr


def _between(text: str, name: str, content: str) -> str:
    """`text` with what stands between the two comments of the part `name` replaced."""
    start, end = f"<!-- {name}: made by tools/generate.py -->", f"<!-- end of {name} -->"
    head, found, rest = text.partition(start)
    tail = rest.partition(end)[2]
    if not found or end not in rest:
        raise SystemExit(f"the comments `{start}` and `{end}` are not there")
    return f"{head}{start}\n\n{content}\n\n{end}{tail}"


PARTS: dict[str, Callable[[str], str]] = {
    "docs/rules.md": rules_page,
    "docs/architecture.md": architecture,
    "docs/writing-a-rule.md": walk_through,
    "README.md": readme,
}


def main(arguments: list[str]) -> int:
    stale = []
    for name, make in PARTS.items():
        path = CHECKOUT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = make(old)
        if new != old:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8", newline="\n")
                print(f"wrote {name}")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)} -> python tools/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
