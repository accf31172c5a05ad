"""Imports of Python programs: what a module's text says, what an image starts, and where modules lie."""

import pathlib
import sys

import pytest

from dfopt import distributions, imports, modules, syntax
from dfopt.build import Build
from dfopt.rule import Given, Place
from dfopt.source import Source


def said(text: str) -> set[tuple[str, str]]:
    found = modules.read(text)
    assert found is not None
    return {("." * level + module, kind) for level, module, _, _, kind in found.imports}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a, b.c as d", {("a", "needed"), ("b.c", "needed")}),
        ("from . import a\nfrom ..b import c", {(".", "needed"), ("..b", "needed")}),
        ("class A:\n    import a", {("a", "needed")}),
        ("def f():\n    import a", {("a", "perhaps")}),
        ("f = lambda: __import__('a')", {("a", "perhaps")}),
        ("if x:\n    import a\nelse:\n    import b", {("a", "perhaps"), ("b", "perhaps")}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {("a", "perhaps"), ("b", "perhaps")}),
        ("try:\n    import a\nfinally:\n    import b", {("a", "needed"), ("b", "needed")}),
        ("with suppress(ImportError):\n    import a", {("a", "perhaps")}),
        ("if typing.TYPE_CHECKING:\n    import a\nelse:\n    import b", {("a", "typing"), ("b", "perhaps")}),
        ("import importlib\nimportlib.import_module('a.b')", {("importlib", "needed"), ("a.b", "perhaps")}),
        ("\ufeffimport a", {("a", "needed")}),
        ("x = '\\d'\nimport a", {("a", "needed")}),
    ],
)
def test_imports_of_a_text(text: str, expected: set[tuple[str, str]]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text", ["import_module(name)", "__import__(f'{a}')", "exec(text)", "import sys\nsys.path.insert(0, 'lib')"]
)
def test_what_is_imported_by_other_means_is_a_doubt(text: str) -> None:
    found = modules.read(text)
    assert found is not None and found.doubt


@pytest.mark.parametrize("text", ["print 'two'", "import", "\0", "(" * 10000, "type A = int\nx = " + "-" * 9000 + "1"])
def test_what_is_no_python_is_not_read(text: str) -> None:
    assert modules.read(text) is None


# Each is newer than Python 3.11, and an error to its `ast`.
NEWER = [
    "type A = int\nimport a",
    "def f[T](x: T) -> T:\n    import b\n\nimport a",
    "class A[T]:\n    pass\n\nimport a\nif TYPE_CHECKING:\n    import c\n",
]


@pytest.mark.parametrize("text", NEWER)
def test_newer_syntax_is_read_alike(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_libcst = modules._read_newer(text)
    assert by_libcst is not None
    found = {(module, kind) for _, module, _, _, kind in by_libcst.imports}
    assert ("a", "needed") in found
    assert found <= {("a", "needed"), ("b", "perhaps"), ("c", "typing")}
    assert len(found) == text.count("import")
    if sys.version_info >= (3, 12):
        assert said(text) == found


def graph(folder: pathlib.Path, text: str) -> imports.Graph | str:
    build = Build(syntax.parse(Source(text)))
    assert build.final is not None
    return imports.graph(build, Given(place=Place(str(folder / "Dockerfile"), str(folder))), build.final)


def project(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


FILES = {
    "app.py": "import b\n",
    "b.py": "import c.d\n",
    "c/__init__.py": "",
    "c/d.py": "from . import e\n",
    "c/e.py": "import yaml\n",
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_of.settings')\n",
    "site_of/settings.py": "INSTALLED_APPS = ['shop']\n",
    "shop/__init__.py": "",
    "shop/models.py": "import lxml\n",
    "run.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
    "scripts/main.py": "import near\n",
    "scripts/near.py": "",
    "loop.py": "import loop, pool\n",
    "pool.py": "import loop\n",
    ".dockerignore": "secret.py\n",
    "secret.py": "",
    "wants.py": "import secret\n",
}


@pytest.mark.parametrize(
    ("start", "files", "outside"),
    [
        ('CMD ["python", "-u", "app.py"]', {"app.py", "b.py", "c/__init__.py", "c/d.py", "c/e.py"}, {"yaml"}),
        ('CMD ["python3", "-m", "c.d"]', {"c/__init__.py", "c/d.py", "c/e.py"}, {"yaml"}),
        ("CMD uvicorn --host 0.0.0.0 --port $PORT c.e:app", {"c/__init__.py", "c/e.py"}, {"yaml"}),
        ('ENTRYPOINT ["./run.sh"]\nCMD ["gunicorn", "-b", ":80", "c.e:app"]', {"c/__init__.py", "c/e.py"}, {"yaml"}),
        ("ENV FLASK_APP=c/e.py\nCMD flask run", {"c/e.py"}, {"yaml"}),
        ('CMD ["celery", "-A", "c.e", "worker"]', {"c/__init__.py", "c/e.py"}, {"yaml"}),
        ('CMD ["sh", "-c", "cd /app && exec python /app/loop.py"]', {"loop.py", "pool.py"}, set()),
        ('ENTRYPOINT ["tini", "--", "python"]\nCMD ["scripts/main.py"]', {"scripts/main.py", "scripts/near.py"}, set()),
        ('CMD ["python", "manage.py", "runserver"]', {"manage.py", "site_of/settings.py", "shop/__init__.py", "shop/models.py"}, {"lxml"}),
        ("ENV PYTHONPATH=/app/c\nWORKDIR /\nCMD python -m d", {"c/d.py"}, set()),
    ],
)  # fmt: skip
def test_what_an_image_starts(tmp_path: pathlib.Path, start: str, files: set[str], outside: set[str]) -> None:
    found = graph(project(tmp_path, FILES), f"FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n{start}\n")
    assert isinstance(found, imports.Graph), found
    assert set(found.files) == files
    assert {one.name for one in found.outside} == outside
    assert found.strays == ()


@pytest.mark.parametrize(
    "start", ['CMD ["node", "app.js"]', "CMD python $SCRIPT", 'CMD ["python", "gone.py"]', "", 'CMD ["python", "-c", "import b"]']
)  # fmt: skip
def test_what_is_not_known_to_start(tmp_path: pathlib.Path, start: str) -> None:
    found = graph(project(tmp_path, FILES), f"FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n{start}\n")
    assert isinstance(found, str)


@pytest.mark.parametrize(
    ("steps", "strays"),
    [
        ("COPY . .", ["secret.py"]),
        ("COPY wants.py .", ["secret.py"]),
        ("COPY wants.py secret.p[y] ./", ["secret.py"]),
        ("COPY . .\nRUN touch secret.py", []),
        ("COPY . .\nRUN apt-get update && apt-get install -y git && mkdir data && chown -R nobody /app", ["secret.py"]),
        ("COPY . .\nRUN make", []),
        ("COPY . .\nCOPY <<EOF secret.py\nEOF", []),
        ("COPY --from=other / /app\nCOPY wants.py .", []),
        ("ADD https://example.org/x /app/\nCOPY wants.py .", []),
        ("COPY . .\nVOLUME [\"/app\"]", []),
    ],
)  # fmt: skip
def test_modules_that_are_not_there(tmp_path: pathlib.Path, steps: str, strays: list[str]) -> None:
    text = f'FROM python:3.12-slim\nWORKDIR /app\n{steps}\nCMD ["python", "wants.py"]\n'
    found = graph(project(tmp_path, FILES), text)
    assert isinstance(found, imports.Graph)
    assert [one.path for one in found.strays] == strays


def test_the_number_of_files_is_bounded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_MOST_FILES", 3)
    found = graph(project(tmp_path, FILES), 'FROM python:3\nWORKDIR /app\nCOPY . .\nCMD ["python", "app.py"]\n')
    assert isinstance(found, imports.Graph)
    assert len(found.files) == 3 and any("more than 3 files" in doubt for doubt in found.doubts)


def test_the_text_that_is_read_is_bounded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_MOST_CHARACTERS", len(FILES["app.py"]))
    found = graph(project(tmp_path, FILES), 'FROM python:3\nWORKDIR /app\nCOPY . .\nCMD ["python", "app.py"]\n')
    assert isinstance(found, imports.Graph)
    assert found.files == ("app.py", "b.py") and "characters" in found.elsewhere and found.elsewhere in found.doubts


UNREADABLE = "match = 1\nx = f'{x!}' if 1 else 2 3\n"  # no version of Python reads it


def test_newer_syntax_without_libcst_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libcst", None)
    assert modules.read(UNREADABLE) is None


@pytest.mark.parametrize(
    ("text", "is_elsewhere"),
    [
        ("import sys\nsys.path.append('a')", True),
        ("import sys as s\ns.path.append('a')", True),
        ("from sys import path", True),
        ("import sys\nsys.meta_path.append(x)", True),
        ("import site\nsite.addsitedir('a')", True),
        ("__path__ = extend_path(__path__, __name__)", True),
        ("import os\nos.system('pip install yaml')", True),
        ("exec(open('activate_this.py').read())", True),
        ("import importlib, sys\nimportlib.import_module(x)\nsys.path.append('a')", True),
        ("import os\nos.path.join('a', 'b')", False),
        ("import sys\nsys.exit(sys.argv)", False),
        ("import importlib\nimportlib.import_module(x)", False),
        ("request.path", False),
    ],
)
def test_what_says_where_modules_lie(text: str, is_elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = modules.read(text)
    assert found is not None and bool(found.elsewhere) == is_elsewhere
    assert not is_elsewhere or found.doubt
    newer = modules._read_newer(text)
    assert newer is not None and bool(newer.elsewhere) == is_elsewhere


def test_the_tables_of_distributions_are_sound() -> None:
    names = set(distributions._BRINGS)
    assert names == {distributions.normal(name) for name in names}
    for name, brought in distributions._BRINGS.items():
        assert brought.split() == [distributions.normal(one) for one in brought.split()], name
        assert name not in brought.split()
    for module in (*distributions._OTHER_NAMES, *distributions._SAME_NAMES):
        assert not imports.is_standard(module), module
        assert distributions.of_module(module)
    assert distributions.of_module("yaml.nodes") == ("pyyaml", "pyyaml-ft")
    assert distributions.of_module("google") == ()
    assert "yaml" in distributions.modules_of("PyYAML")
