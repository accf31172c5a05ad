"""Small Python projects, each with its Dockerfile: what the rules that follow imports say of them, and above all of which they say nothing."""

import pathlib

import pytest

import dfopt

MISSING, STRAY, TOOLS = "requirement-missing", "module-not-shipped", "dev-dependencies-shipped"
HEAD = "FROM python:3.12-slim\nWORKDIR /app\n"
ALL = HEAD + "COPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"
START = 'CMD ["python", "app.py"]\n'

Project = tuple[dict[str, str], str]


def said(folder: pathlib.Path, project: Project) -> list[str]:
    """The rules that say something of a project, each with what it names first."""
    files, dockerfile = project
    for name, text in {"Dockerfile": dockerfile, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    report = dfopt.check(folder / "Dockerfile", select=[MISSING, STRAY, TOOLS], context=folder, isolated=True)
    return [f"{one.name} {one.message}" for one in report.diagnostics]


DJANGO = {
    "manage.py": "import os, sys\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_of.settings')\n"
    "    from django.core.management import execute_from_command_line\n    execute_from_command_line(sys.argv)\nmain()\n",
    "site_of/__init__.py": "",
    "site_of/settings.py": "INSTALLED_APPS = ['django.contrib.admin', 'shop']\nROOT_URLCONF = 'site_of.urls'\n"
    "try:\n    from .local import *\nexcept ImportError:\n    pass\n",
    "site_of/urls.py": "from django.urls import path\n",
    "site_of/local.py": "DEBUG = True\n",
    "site_of/wsgi.py": "from django.core.wsgi import get_wsgi_application\n",
    "shop/__init__.py": "",
    "shop/models.py": "from django.db import models\n",
    ".dockerignore": "site_of/local.py\n",
    "requirements.txt": "Django==5.1\ngunicorn\n",
}

SILENT: dict[str, Project] = {
    "Django, with settings of the developer's own": (DJANGO, ALL + 'CMD ["gunicorn", "site_of.wsgi:application"]\n'),
    "a module that a compose file mounts": (
        {"requirements.txt": "requests\n", "app.py": "import requests, local\n", "local.py": "", ".dockerignore": "local.py\ncompose.yaml\n",
         "compose.yaml": "services:\n  app:\n    build: .\n    volumes:\n      - ./local.py:/app/local.py\n"},
        ALL + START),
    "modules that gunicorn's settings look for elsewhere": (
        {"requirements.txt": "gunicorn\n", "wsgi.py": "import plugin\ndef app(environ, start):\n    return []\n", "lib/plugin.py": "",
         "gunicorn.conf.py": "pythonpath = 'lib'\n"},
        ALL + 'CMD ["gunicorn", "wsgi:app"]\n'),
    "an environment that comes with the sources": (
        {"requirements.txt": "requests\n", "app.py": "import flask\n", "env3/bin/python": ""},
        HEAD + "COPY . .\nENV PATH=/app/env3/bin:$PATH\n" + START),
    "Django by manage.py": (DJANGO, ALL + 'CMD ["python", "manage.py", "runserver"]\n'),
    "the src layout, installed": (
        {"pyproject.toml": "[project]\nname = 'shop'\nversion = '1'\ndependencies = ['requests']\n",
         "src/shop/__init__.py": "", "src/shop/__main__.py": "import shop.prices, requests\n", "src/shop/prices.py": ""},
        HEAD + 'COPY pyproject.toml .\nCOPY src src\nRUN pip install --no-cache-dir .\nCMD ["python", "-m", "shop"]\n'),
    "the src layout, by PYTHONPATH": (
        {"requirements.txt": "requests\n", "src/shop/__init__.py": "", "src/shop/__main__.py": "from shop import prices\nimport requests\n",
         "src/shop/prices.py": ""},
        ALL + 'ENV PYTHONPATH=/app/src\nCMD ["python", "-m", "shop"]\n'),
    "a namespace package in two folders": (
        {"requirements.txt": "requests\n", "app.py": "import corp.a, corp.b\n", "corp/a.py": "", "more/corp/b.py": ""},
        ALL + "ENV PYTHONPATH=/app/more\n" + START),
    "imports under conditions": (
        {"requirements.txt": "requests\n", "app.py": "import sys\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n"
         "if sys.version_info < (3, 11):\n    import toml\ntry:\n    import ujson as json\nexcept ImportError:\n    import json\n"
         "def chart():\n    import matplotlib\n"},
        ALL + START),
    "plug-ins found by entry points": (
        {"requirements.txt": "requests\npytest\n", "app.py": "from importlib.metadata import entry_points\n"
         "for one in entry_points(group='shop'):\n    one.load()\n"},
        ALL + START),
    "modules loaded by a name made at run time": (
        {"requirements.txt": "requests\nblack\n", "app.py": "import importlib, os\nimportlib.import_module(os.environ['PLUGIN'])\n"},
        ALL + START),
    "a builder's installation is copied": (
        {"requirements.txt": "PyYAML\nrequests\n", "app.py": "import yaml, requests\nfrom shop import prices\n",
         "shop/__init__.py": "", "shop/prices.py": ""},
        "FROM python:3.12 AS build\nWORKDIR /src\nCOPY requirements.txt .\nRUN pip install --prefix=/install -r requirements.txt\nCOPY . .\n"
        "FROM python:3.12-slim\nWORKDIR /app\nCOPY --from=build /install /usr/local\nCOPY --from=build /src/app.py .\n"
        "COPY --from=build /src/shop shop\n" + START),
    "modules are copied among the installed ones": (
        {"requirements.txt": "requests\n", "app.py": "import yaml\n", "vendor/yaml/__init__.py": ""},
        HEAD + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        "COPY vendor/ /usr/local/lib/python3.12/site-packages/\nCOPY app.py .\n" + START),
    "the path is changed beside an import made at run time": (
        {"requirements.txt": "requests\n", "app.py": "import importlib, sys\nsys.path.insert(0, 'vendor')\nimport yaml\n"
         "importlib.import_module(sys.argv[1])\n", "vendor/yaml/__init__.py": ""},
        ALL + START),
    "an import made at run time stands before the change of the path": (
        {"requirements.txt": "requests\n", "app.py": "import importlib, sys\nimportlib.import_module(sys.argv[1])\n"
         "sys.path.insert(0, 'vendor')\nimport yaml\n", "vendor/yaml/__init__.py": ""},
        ALL + START),
    "the path by another name": (
        {"requirements.txt": "requests\n", "app.py": "from sys import path\npath.append('vendor')\nimport yaml\n",
         "vendor/yaml/__init__.py": ""},
        ALL + START),
    "the path by another name of sys": (
        {"requirements.txt": "requests\n", "app.py": "import sys as system\nsystem.path.append('vendor')\nimport yaml\n",
         "vendor/yaml/__init__.py": ""},
        ALL + START),
    "the path by site": (
        {"requirements.txt": "requests\n", "app.py": "import site\nsite.addsitedir('vendor')\nimport yaml\n", "vendor/yaml/__init__.py": ""},
        ALL + START),
    "a package that looks for its modules elsewhere": (
        {"requirements.txt": "requests\n", "app.py": "import shop.extra\n", "shop/__init__.py": "__path__.append('/plugins')\n",
         "shop/extra.py": "", ".dockerignore": "shop/extra.py\n"},
        ALL + START),
    "a module that is made in the program": (
        {"requirements.txt": "requests\n", "app.py": "import sys, types\nsys.modules['yaml'] = types.ModuleType('yaml')\nimport yaml\n"},
        ALL + START),
    "a module that the program installs": (
        {"requirements.txt": "requests\n", "app.py": "import subprocess, sys\n"
         "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'pyyaml'])\nimport yaml\n"},
        ALL + START),
    "the start names where modules lie": (
        {"requirements.txt": "requests\n", "app.py": "import yaml\n", "vendor/yaml/__init__.py": ""},
        ALL + "CMD PYTHONPATH=vendor python app.py\n"),
    "the start names it by env": (
        {"requirements.txt": "requests\n", "app.py": "import yaml\n", "vendor/yaml/__init__.py": ""},
        ALL + 'CMD ["env", "PYTHONPATH=vendor", "python", "app.py"]\n'),
    "a script names it": (
        {"requirements.txt": "requests\n", "app.py": "import yaml\n", "vendor/yaml/__init__.py": "",
         "start.sh": "#!/bin/sh\nexport PYTHONPATH=/app/vendor\nexec python app.py\n"},
        ALL + 'ENTRYPOINT ["./start.sh"]\n'),
    "gunicorn is told where modules lie": (
        {"requirements.txt": "gunicorn\n", "app.py": "import yaml\n", "vendor/yaml/__init__.py": ""},
        ALL + 'CMD ["gunicorn", "--pythonpath", "vendor", "app:application"]\n'),
    "a file that is not read": (
        {"requirements.txt": "requests\n", "app.py": "import first\nimport yaml\n", "first.py": "print 'Python 2', sys.path\n"},
        ALL + START),
    "Debian's programs bring modules": (
        {"app.py": "import requests\n"},
        "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y python3 certbot\nWORKDIR /app\nCOPY app.py .\n"
        'CMD ["python3", "app.py"]\n'),
    "a distribution of another name may bring it": (
        {"requirements.txt": "opencv-python-headless\npyjwt\nscikit-learn\nPillow\n", "app.py": "import cv2, jwt, sklearn, PIL\n"},
        ALL + START),
    "distributions of one namespace": (
        {"requirements.txt": "google-cloud-storage\nazure-identity\n", "app.py": "from google.cloud import storage\nimport azure.identity\n"},
        ALL + START),
    "requirements that include others": (
        {"requirements.txt": "-r requirements/base.txt\n", "requirements/base.txt": "PyYAML\n", "app.py": "import yaml\n"},
        HEAD + "COPY . .\nRUN pip install -r requirements.txt\n" + START),
    "another image": (
        {"requirements.txt": "requests\n", "app.py": "import yaml\n"},
        (ALL + START).replace("python:3.12-slim", "example.org/team/python:3")),
    "a module that the build makes": (
        {"app.py": "import version\n", "version.py": "", ".dockerignore": "version.py\n"},
        HEAD + "COPY . .\nRUN echo 'number = 1' > version.py\n" + START),
    "the program raises before": (
        {"requirements.txt": "requests\n", "app.py": "try:\n    import yaml\nexcept ImportError as failure:\n    raise SystemExit(1)\n"},
        ALL + START),
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_said(tmp_path: pathlib.Path, name: str) -> None:
    assert said(tmp_path, SILENT[name]) == []


FOUND: dict[str, tuple[Project, list[str]]] = {
    "a requirement is missing": (
        ({"requirements.txt": "requests\n", "app.py": "import requests\nimport yaml\n"}, ALL + START), [f"{MISSING} the program needs `yaml`"]),
    "it is missing below a package": (
        ({"requirements.txt": "flask\n", "shop/__init__.py": "", "shop/wsgi.py": "from .prices import of\n",
          "shop/prices.py": "import sqlalchemy\n"}, ALL + 'CMD ["python", "-m", "shop.wsgi"]\n'),
        [f"{MISSING} the program needs `sqlalchemy`"]),
    "a module is kept out": (
        ({"requirements.txt": "requests\n", "app.py": "import keys\n", "keys.py": "", ".dockerignore": "*\n!app.py\n!requirements.txt\n"},
         ALL + START), [f"{STRAY} the program needs `keys.py`"]),
    "a module is not copied": (
        ({"requirements.txt": "requests\n", "app.py": "from shop.prices import of\n", "shop/__init__.py": "", "shop/prices.py": ""},
         HEAD + "COPY requirements.txt app.py ./\nRUN pip install -r requirements.txt\n" + START), [f"{STRAY} the program needs `shop/__init__.py`"]),
    "tools are installed": (
        ({"requirements.txt": "requests\npytest\nblack\n", "app.py": "import requests\n"}, ALL + START), [f"{TOOLS} `requirements.txt` brings `pytest`"]),
    "Debian's own Python": (
        ({"app.py": "import requests\n"}, "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y python3 curl ca-certificates\n"
          'WORKDIR /app\nCOPY app.py .\nCMD ["python3", "app.py"]\n'), [f"{MISSING} the program needs `requests`"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_is_said(tmp_path: pathlib.Path, name: str) -> None:
    project, expected = FOUND[name]
    found = said(tmp_path, project)
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found
