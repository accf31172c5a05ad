"""Python: what pip, uv, Poetry and Pipenv install goes to a runtime of the same version and release; compilers and headers stay behind.

Sources: packaging.python.org (installation schemes), docs.astral.sh/uv (project environments), python-poetry.org and pipenv.pypa.io
(configuration of virtual environments); docker-library/python on GitHub for the layout of the images.
"""

import posixpath
import re
from collections.abc import Iterable

from dfopt import bases, families, layers, needs
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site, facts

_BUILD_ONLY = pattern(r"(?:PIP|POETRY|PIPENV|UV)_[A-Z_]+")

# The version of Debian's and Ubuntu's own Python by release (packages.debian.org, packages.ubuntu.com).
_SYSTEM = {
    "trixie": "3.13", "bookworm": "3.11", "bullseye": "3.9", "buster": "3.7", "noble": "3.12", "jammy": "3.10", "focal": "3.8", "bionic": "3.6",
}  # fmt: skip

# What installers alone read.
_LISTS = pattern(
    r"(?:requirements|constraints)[a-z0-9_.-]*\.(?:txt|in)|uv\.lock|poetry\.lock|Pipfile(?:\.lock)?|pdm\.lock"
)

# Packages of the distributions that only install.
_INSTALLERS = frozenset(("python3-pip", "python3-venv", "python3-setuptools", "python3-wheel", "py3-pip"))

_MANAGERS = frozenset(("pip", "uv", "poetry", "pipenv"))


def propose(site: Site) -> Proposal | str | None:
    installs = [placed for placed in site.commands if _installs(placed)]
    if not installs:
        return None
    repository, tag = bases.repository_of(site.image)
    if repository != "python" and not (repository in ("debian", "ubuntu") and _has_system_python(site)):
        return None
    small = families.variant(site.image, "slim") if repository == "python" else None
    image = small or site.bottom.base.text
    known = site.stage.facts
    if known is None or known.distribution not in ("debian", "alpine"):
        return f"what the base image `{site.bottom.base.text}` brings is not known"
    if not facts.brings_tools(site):
        return None  # what is full where slim would do has a rule of its own
    if any(_runs_manager(text) for text in site.said("CMD", "ENTRYPOINT", "HEALTHCHECK")):
        return None
    full = small is not None and "slim" not in tag and "alpine" not in tag
    version = _version(site, repository, tag)
    environments = _environments(site)
    outputs: dict[str, Artefact] = {}
    questions: dict[str, Question] = {}
    for placed in installs:
        found = _target(site, placed, environments, repository, version)
        if isinstance(found, str):
            return found
        if isinstance(found, Question):
            questions[found.id] = found
            continue
        for one in found:
            if site.in_mount(placed, one.path):
                return f"`{one.path}` lies in a mount, so that the image has nothing of it"
            outputs[one.path] = one
    packages: tuple[str, ...] = ()
    if full:
        answer = site.answer("libraries")
        linked, unknown = _linked(site, installs, image)
        packages = linked
        if answer is not None:
            packages += tuple(one for one in answer if one != "none")
        elif unknown:
            questions["libraries"] = Question(
                "libraries",
                f"{unknown} may be linked to libraries that `{site.bottom.base.text}` has and `{image}` lacks: which packages have them?",
                ("none", "PACKAGES"),
            )
    family = known.distribution
    explained = frozenset(
        placed.key for placed in site.commands if _explained(placed, full) or _is_django(site, placed)
    )
    notes = []
    if full:
        notes.append(
            f"`{site.bottom.base.text}` also brings git, curl and headers, which `{image}` lacks: a program that calls them at run time needs them installed"
        )

    def is_source(path: str) -> bool | None:
        return True if _LISTS.fullmatch(posixpath.basename(path)) else None

    return Proposal(
        "Python", installs[-1], tuple(outputs.values()), image,
        f"the slim variant of `{site.bottom.base.text}`" if small is not None else "the same image, without what only builds", family, explained,
        is_source, sources_stay=True, packages=packages, beside=_beside(outputs), build_only=_settings(site), tools=_INSTALLERS, questions=tuple(questions.values()),
        starts=frozenset(("python", "python3", f"python{version}")), notes=tuple(notes),
    )  # fmt: skip


def _installs(placed: Placed) -> bool:
    use = placed.command.use
    if use is None or use.manager.family not in ("pip", "uv", "poetry", "pipenv") and use.manager.name not in _MANAGERS:
        return False
    return use.action == "install" and not _is_own_tool(placed)


def _is_own_tool(placed: Placed) -> bool:
    """Whether only installers are installed (`pip install --upgrade pip poetry`): nothing of it is for the running program."""
    use = placed.command.use
    assert use is not None, "an install"
    # A version may be a variable's; a name that is one matches nothing.
    names = {re.split(r"[=<>!~\[;]", word.value or word.text.strip("\"'"))[0].lower() for word in use.operands}
    return (
        bool(names)
        and not use.manifests
        and names
        <= {"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "virtualenv", "build", "pip-tools", "cython"}
    )


# What setup.py does below its own folder alone.
_BUILDS_HERE = frozenset(
    ("build", "build_py", "build_ext", "build_clib", "egg_info", "compile_catalog", "clean", "check")
)


def _explained(placed: Placed, full: bool) -> bool:
    """Whether a command is an install, or writes below the project alone. (What it compiles in a full image may link what the slim one lacks.)"""
    use = placed.command.use
    if use is not None and use.manager.name in _MANAGERS:
        return True
    words = [word.value for word in placed.simple.words]
    name = posixpath.basename(placed.command.name or "")
    if name in ("virtualenv", "pyenv", "cython", "."):
        return True
    is_python = re.fullmatch(r"python[0-9.]*", name) is not None
    if is_python and not full and words[1:2] == ["setup.py"] and placed.folder is not None:
        asked = [word or "$" for word in words[2:] if not (word or "").startswith("-")]
        return set(asked) <= _BUILDS_HERE
    return is_python and words[1:3] in (
        ["-m", "venv"],
        ["-m", "virtualenv"],
        ["-m", "ensurepip"],
        ["-m", "compileall"],
        ["--version"],
    )


# `STATIC_ROOT = BASE_DIR / "static"` and its older form; `BASE_DIR = Path(__file__).resolve().parent.parent` and its older form.
_STATIC_ROOT = pattern(r"(?m)^\s*STATIC_ROOT\s*(?::[^=\n]*)?=\s*(.+)$")
_BELOW_BASE = pattern(
    r"(?:(?:os\.path\.join|str|Path)\(\s*)*(?:settings\.)?(?P<base>[A-Z_]+)\b(?!.*(?:environ|getenv|env\(|config\(|\.\.|[\"']/))"
)
_BASE = r"(?m)^\s*{}\s*(?::[^=\n]*)?=\s*(.+)$"


def _is_django(site: Site, placed: Placed) -> bool:
    """Whether Django's `manage.py` collects or compiles what lies below the project, whose folder is carried whole: by the STATIC_ROOT of
    all settings in the build context (docs.djangoproject.com)."""
    words = [placed.command.name or "", *(word.value or "$" for word in placed.simple.words[1:])]
    if re.fullmatch(r"python[0-9.]*", posixpath.basename(words[0])):
        del words[0]
    asked = [word for word in words[1:] if not word.startswith("-")][:1]
    if words[:1] not in (["manage.py"], ["./manage.py"]) or placed.folder is None:
        return False
    laid = (one for index in site.indexes for one in layers.laid(site.build, index) or ())
    if all(one.path != placed.folder or one.kind for one in laid):
        return False
    if asked != ["collectstatic"]:
        return asked in (["compilemessages"], ["check"])
    return _static_below(site, placed.folder)


def _static_below(site: Site, folder: str) -> bool:
    """Whether each STATIC_ROOT of the project's settings certainly lies below a folder, and there is one."""
    root = site.in_context(folder)
    if root is None or site.context is None:
        return False
    settings = {
        one.path: text
        for one in site.context.walk(root)
        if re.search(r"(?:^|/)(?:settings/[^/]+|[^/]*settings[^/]*)\.py$", one.path)
        and (text := site.context.text(one.path)) is not None
    }
    values = [value.strip() for text in settings.values() for value in _STATIC_ROOT.findall(text)]
    bases = {found["base"] for value in values if (found := _BELOW_BASE.match(value)) is not None}
    if not values or any(_BELOW_BASE.match(value) is None for value in values):
        return False
    return all(_is_above(name, settings, root) for name in bases)


def _is_above(name: str, settings: dict[str, str], root: str) -> bool:
    """Whether a variable of the settings is the folder of a file of theirs, no higher than the project's."""
    found = [(path, value) for path, text in settings.items() for value in re.findall(_BASE.format(name), text)]
    for path, value in found:
        steps = (
            value.count("dirname(")
            + len(re.findall(r"\.parent\b", value))
            + sum(int(one) + 1 for one in re.findall(r"\.parents\[(\d)\]", value))
        )
        if (
            "__file__" not in value
            or not 0 < steps <= len(posixpath.relpath(path, root or ".").split("/"))
            or ".." in value
        ):
            return False
    return bool(found)


def _runs_manager(text: str) -> bool:
    """Whether the image runs an installer, so that the tool must be there."""
    words = re.split(r"[\s\"'\[\],;&|]+", text)
    return any(word in ("uv", "uvx", "poetry", "pipenv", "pip", "pip3", "tox", "nox", "hatch", "pdm") for word in words)


def _settings(site: Site) -> frozenset[str]:
    """The variables of the file that steer installers alone."""
    return frozenset(
        key.text
        for index in site.indexes
        if site.build.instructions[index].name == "ENV"
        for key, _ in site.build.instructions[index].pairs
        if _BUILD_ONLY.fullmatch(key.text)
    )


def _system_packages(site: Site) -> set[str]:
    """The packages that the stage's RUNs install from the distribution."""
    return {
        (word.value or "").partition("=")[0]
        for placed in site.commands
        if placed.command.use is not None
        and placed.command.use.manager.family in ("apt", "apk")
        and placed.command.use.action == "install"
        for word in placed.command.use.operands
    }


def _has_system_python(site: Site) -> bool:
    return bool(_system_packages(site) & {"python3", "python3-pip", "python3-venv", "python3-dev"})


def _version(site: Site, repository: str, tag: str) -> str:
    """The version of the interpreter, `3.12`; "" where it is not known."""
    if repository == "python":
        found = re.match(r"([0-9]+\.[0-9]+)", tag)
        return found[1] if found is not None else ""
    return _SYSTEM.get(facts.release_of(site.image), "")


def _environments(site: Site) -> dict[str, int]:
    """The virtual environments that commands make, and the RUN of each."""
    found: dict[str, int] = {}
    for placed in site.commands:
        words = placed.simple.words
        name = posixpath.basename(placed.command.name or "")
        use = placed.command.use
        values = [word.value for word in words]
        target = None
        if re.fullmatch(r"python[0-9.]*", name) and values[1:3] in (["-m", "venv"], ["-m", "virtualenv"]):
            target = next((word for word in words[3:] if not word.text.startswith("-")), None)
        elif name == "virtualenv" or (use is not None and use.manager.name == "uv" and use.verb == "venv"):
            start = 1 if name == "virtualenv" else 2
            target = next((word for word in words[start:] if not word.text.startswith("-")), None)
            if target is None and name != "virtualenv":
                path = site.joined(placed.folder, ".venv")
                if path is not None:
                    found[path] = placed.instruction
        if target is not None:
            path = site.path(placed, target)
            if path is not None:
                found[path] = placed.instruction
    return found


# What moves installs elsewhere, each by its manager's manual.
_PLACES = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
    "PYTHONUSERBASE",
    "UV_PYTHON",
    "UV_TARGET",
    "UV_PREFIX",
    "PIPENV_CUSTOM_VENV_NAME",
)


def _target(
    site: Site, placed: Placed, environments: dict[str, int], repository: str, version: str
) -> list[Artefact] | Question | str:
    """Where an install puts its packages."""
    use = placed.command.use
    assert use is not None, "an install"
    state = site.build.state(placed.instruction)
    options = {option.canonical: option for option in use.options}
    for name in ("--target", "--prefix", "--root"):
        if name in options:
            path = site.joined(placed.folder, options[name].value)
            return (
                [Artefact(path, "folder", "what is installed")]
                if path is not None
                else f"where `{placed.text[:60]}` installs is not known"
            )
    manager = use.manager.name
    own = site.own_variables(placed)
    for name in _PLACES:
        if name in own or state.environment.sets(name) or state.arguments.sets(name):
            return f"`{name}` says where packages go"
    program = placed.simple.words[use.name_index].value or ""
    first = placed.simple.words[0].value or ""
    for word in (program, first):
        if word.startswith("/") and posixpath.basename(posixpath.dirname(word)) == "bin":
            root = posixpath.dirname(posixpath.dirname(word))
            if root in environments:
                return [_environment(root)]
    project = posixpath.join(placed.folder, ".venv") if placed.folder is not None else None
    if manager == "uv" and not use.verb.startswith("pip"):
        is_set, value = state.lookup("UV_PROJECT_ENVIRONMENT")
        if is_set:
            path = site.joined(placed.folder, value)
            if path is None:
                return "where uv makes its environment is not known"
            if path == "/usr/local":
                return _system(site, repository, version, state.is_root)
            return [_environment(path)]
        return [_environment(project)] if project is not None else "where uv makes its environment is not known"
    if manager == "poetry":
        create = state.lookup("POETRY_VIRTUALENVS_CREATE")[1]
        inside = state.lookup("POETRY_VIRTUALENVS_IN_PROJECT")[1]
        configured = _configured(site, placed)
        if (create or "").lower() in ("false", "0") or configured.get("virtualenvs.create") == "false":
            return _system(site, repository, version, state.is_root)
        if (inside or "").lower() in ("true", "1") or configured.get("virtualenvs.in-project") == "true":
            return [_environment(project)] if project is not None else "where Poetry makes its environment is not known"
    if manager == "pipenv":
        if "--system" in options:
            return _system(site, repository, version, state.is_root)
        if state.lookup("PIPENV_VENV_IN_PROJECT")[1] in ("1", "true", "True"):
            return [_environment(project)] if project is not None else "where Pipenv makes its environment is not known"
    active = _active(site, placed, environments)
    if active is not None:
        return [_environment(active)]
    if manager in ("poetry", "pipenv"):
        return f"`{manager}` makes its virtual environment in a folder of its cache, whose name hangs on the project's path -> keep it in the project"
    if manager == "uv" and "--system" not in options and state.lookup("UV_SYSTEM_PYTHON")[1] not in ("1", "true"):
        return "where uv installs is not known"
    if "--user" in options or not state.is_root:
        if state.home is None:
            return "the home folder of the user that installs is not known"
        return [Artefact(posixpath.join(state.home, ".local"), "folder", "what pip installs for the user")]
    return _system(site, repository, version, True)


def _environment(path: str) -> Artefact:
    return Artefact(path, "folder", "the virtual environment")


def _configured(site: Site, placed: Placed) -> dict[str, str]:
    """What `poetry config KEY VALUE` says before an install."""
    found: dict[str, str] = {}
    for other in site.commands:
        if other.key == placed.key:
            break
        values = [word.value or "" for word in other.simple.words]
        if posixpath.basename(other.command.name or "") == "poetry" and "config" in values:
            rest = [value for value in values[values.index("config") + 1 :] if not value.startswith("-")]
            if len(rest) == 2:
                found[rest[0]] = rest[1]
    return found


def _active(site: Site, placed: Placed, environments: dict[str, int]) -> str | None:
    """The virtual environment that a command finds active: by `VIRTUAL_ENV`, by PATH, or by its script in the same RUN."""
    state = site.build.state(placed.instruction)
    for word in placed.run.commands:
        if word.simple.start >= placed.simple.start:
            break
        if word.name in (".", "source") and len(word.simple.words) > 1:
            path = layers.path_of(word.simple.words[1], state, placed.folder)
            if path is not None and path.endswith("/bin/activate"):
                return path.removesuffix("/bin/activate")
    value = state.lookup("VIRTUAL_ENV")[1]
    if value in environments and placed.command.use is not None and placed.command.use.manager.name == "uv":
        return value
    # What stands before `$PATH` is known though the image's own part is not.
    for index in reversed([index for index in site.indexes if index < placed.instruction]):
        instruction = site.build.instructions[index]
        for key, text in instruction.pairs if instruction.name == "ENV" else ():
            if key.text == "PATH" and text is not None:
                expanded = (
                    re.sub(r"[\"']", "", text.text)
                    .replace("${VIRTUAL_ENV}", "$VIRTUAL_ENV")
                    .replace("$VIRTUAL_ENV", value or "$VIRTUAL_ENV")
                )
                found = next((path for path in environments if f"{path}/bin" in expanded.split(":")), None)
                if found is not None:
                    return found
    return None


def _system(site: Site, repository: str, version: str, is_root: bool) -> list[Artefact] | Question | str:
    """The folders of the interpreter's own packages, with their programs and data (`sysconfig`'s scheme)."""
    if not is_root:
        return "the user that installs may not write the interpreter's own packages"
    if not version:
        return Question(
            "python-version",
            f"which version of Python has `{site.bottom.base.text}`? -> name it in the tag",
            ("VERSION",),
        )
    packages = "site-packages" if repository == "python" else "dist-packages"
    return [
        Artefact(f"/usr/local/lib/python{version}/{packages}", "folder", "what is installed"),
        Artefact("/usr/local/bin", "folder", "the programs of what is installed"),
        Artefact("/usr/local/share", "folder", "data that packages install"),
        Artefact("/usr/local/etc", "folder", "configuration that packages install"),
    ]


# What the images of Python have among the packages: pip, up to 3.11 setuptools and wheel too.
_BUNDLED = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources", "distutils-precedence.pth")


def _beside(outputs: Iterable[str]) -> tuple[str, ...]:
    """What stays of the image's own packages where the builder has others of their releases."""
    folders = [path for path in outputs if path.startswith("/usr/local/lib/") and path.endswith("-packages")]
    names = [*_BUNDLED, *(f"{name}-*.dist-info" for name in _BUNDLED[:3])]
    return tuple(f"{folder}/{name}{below}" for folder in folders for name in names for below in ("", "/**"))


# Distributions without wheels that link one library beyond those of each image; the package of its headers. Source: their own pages of
# installation.
_LINKS = {"psycopg2": "libpq-dev", "psycopg-c": "libpq-dev", "mysqlclient": "default-libmysqlclient-dev"}


def _linked(site: Site, installs: list[Placed], image: str) -> tuple[tuple[str, ...], str]:
    """The packages with the libraries of what the installs compile in the full image, and what of it has others that are not known ("":
    nothing)."""
    found: dict[str, None] = {}
    release = facts.release_of(image) or facts.release_of(site.image)
    for placed in installs:
        use = placed.command.use
        assert use is not None, "an install"
        for label, name in needs.compiled(site.build, site.given, placed.instruction, use):
            header = _LINKS.get(re.sub(r"[-_.]+", "-", name).lower())
            library = facts.library(header, release) if header is not None else None
            if not library:
                return tuple(found), label
            found[library] = None
    return tuple(found), ""
