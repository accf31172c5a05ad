"""Which files of a project an install of its dependencies reads, and which it leaves beside them, by package manager.

With the build context the files are looked up and read; without it the usual names are taken, those that may be missing as
patterns (`yarn.lock*`: one that matches nothing is no error for COPY). Sources: the manuals of the managers.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from dfopt.context import Context
from dfopt.packages import Use
from dfopt.startup import TYPE_CHECKING, NamedTuple, pattern

if TYPE_CHECKING:
    from typing import Any


class Project(NamedTuple):
    """The folder that an install works in: `folder` of the build context, where this is known; `image` is the same in the image."""

    context: Context | None
    folder: str = ""
    image: str = "/"

    def path(self, name: str) -> str:
        """A file of the folder as a path in the context."""
        return posixpath.normpath(posixpath.join("/", self.folder, name)).lstrip("/")

    def has(self, name: str) -> bool:
        """Whether the context has a file or folder; False where the context is not known."""
        return self.context is not None and self.context.has(self.path(name))

    def text(self, name: str) -> str:
        """The text of a file; "" where there is none."""
        return (self.context.text(self.path(name)) or "") if self.context is not None else ""

    def matching(self, pattern: str) -> list[str]:
        """The files below the folder that a pattern names, `**` standing for folders of any depth, without `node_modules`."""
        if self.context is None:
            return []
        if "**" not in pattern:
            found: Iterable[str] = self.context.matching(self.path(pattern))
        else:
            wanted = re.compile(
                re.escape(self.path(pattern))
                .replace(r"\*\*/", "(?:.*/)?")
                .replace(r"\*\*", ".*")
                .replace(r"\*", "[^/]*")
            )
            found = [one.path for one in self.context.walk(self.folder) if wanted.fullmatch(one.path)]
        return [posixpath.relpath(path, self.folder or ".") for path in found if "node_modules" not in path.split("/")]


class Reading(NamedTuple):
    """What an install reads and leaves, relative to its folder. `files` are names, patterns, and folders (with `/` behind).
    `doubt` says what it may read or change besides; "" where it is known not to."""

    files: tuple[str, ...]
    writes: tuple[str, ...]
    doubt: str = ""


def reading(use: Use, project: Project, environment: Mapping[str, str | None]) -> Reading | str:
    """What an install of dependencies reads, or why it needs more than manifests ("`npm ci` ..." a whole clause).

    `environment` are the variables that it sees, as far as the file sets them.
    """
    reader, verbs = _READERS.get(use.manager.name), _VERBS.get(use.manager.name)
    if reader is None or (verbs is not None and use.verb not in verbs and not use.verb.startswith("pip ")):
        return f"{_label(use)} reads files all over the project"
    answer = reader(use, project)
    if isinstance(answer, str):
        return answer
    for word in use.manifests:
        value = word.value
        if value is None or "://" in value:
            return f"{_label(use)} reads `{word.text}`, whose place in the project is not known"
        name = posixpath.relpath(posixpath.join(project.image, value), project.image)
        if project.context is not None and not project.has(name):
            return f"`{project.path(name)}` is not in the build context"
        if name not in answer.files:
            answer = answer._replace(files=(*answer.files, name))
    if answer.doubt:
        return answer
    for name in _VARIABLES.get(use.manager.family, ()):
        if name in environment:
            return answer._replace(doubt=f"`{name}` may name other files")
    return answer


def names(use: Use) -> tuple[str, ...]:
    """Names and patterns of which one at least lies in the folder that an install works in."""
    named = tuple(word.value for word in use.manifests if word.value and not word.value.startswith("/"))
    return named or tuple(
        name for name in (*use.manager.manifests, *use.manager.locks) if "**" not in name and not name.startswith(".")
    )


# The verbs that install dependencies and read no sources; all others of these managers may.
_VERBS = {
    "npm": ("ci", "install"),
    "yarn": ("install",),
    "pnpm": ("install", "fetch"),
    "bun": ("install", "ci"),
    "uv": ("sync",),
    "poetry": ("install", "sync"),
    "pipenv": ("install", "sync"),
    "go": ("mod download",),
    "dotnet": ("restore",),
    "bundler": ("install",),
    "composer": ("install",),
}


# Variables that name files which an install reads besides.
_VARIABLES = {
    "pip": ("PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "PIP_TARGET", "UV_CONSTRAINT", "UV_FIND_LINKS",
            "UV_CONFIG_FILE", "UV_PROJECT_ENVIRONMENT"),
    "gem": ("BUNDLE_GEMFILE", "BUNDLE_PATH", "BUNDLE_APP_CONFIG"),
    "go": ("GOFLAGS", "GOWORK", "GOENV"),
    "composer": ("COMPOSER", "COMPOSER_VENDOR_DIR"),
    "npm": ("npm_config_userconfig", "NPM_CONFIG_USERCONFIG", "npm_config_prefix", "NPM_CONFIG_PREFIX"),
}  # fmt: skip


def _label(use: Use) -> str:
    return f"`{use.manager.name} {use.verb}`".replace(" `", "`")


def _present(project: Project, needed: str, names: Iterable[str], usual: tuple[str, ...]) -> tuple[str, ...] | str:
    """`needed` and those of `names` that are there, or `usual` where the context is not known."""
    if project.context is None:
        return usual
    if not project.has(needed):
        entry = project.context.entry(project.path(needed))
        return f"`{project.path(needed)}` is {'kept out of the build context' if entry else 'not in the build context'}"
    return (needed, *(name for name in names if project.has(name)))


def _json(text: str) -> "dict[str, Any] | None":
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _toml(text: str) -> "dict[str, Any] | None":
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


# ------------------------------------------------------------------------------------------------------ JavaScript

# Scripts of the project itself that an install runs, by one manager or another.
_LIFECYCLE = (
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "pnpm:devPreinstall",
)

_NODE_LOCKS = {
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
    "bun": ("bun.lock", "bun.lockb"),
}
_NODE_CONFIGURATION = {
    "npm": (".npmrc",),
    "yarn": (".npmrc", ".yarnrc", ".yarnrc.yml", ".yarn/releases/", ".yarn/plugins/", ".yarn/patches/", ".yarn/cache/"),
    "pnpm": (".npmrc", ".pnpmfile.cjs", "pnpm-workspace.yaml"),
    "bun": (".npmrc", "bunfig.toml"),
}
_NODE_USUAL = {
    "npm": ("package*.json", ".npmrc*"),
    "yarn": ("package.json", "yarn.lock*", ".yarnrc*"),
    "pnpm": ("package.json", "pnpm-lock.yaml*", "pnpm-workspace.yaml*", ".npmrc*"),
    "bun": ("package.json", "bun.lock*", "bunfig.toml*"),
}


def _node(use: Use, project: Project) -> Reading | str:
    manager = use.manager.name
    if manager == "pnpm" and use.verb == "fetch":
        named = _present(project, "pnpm-lock.yaml", (".npmrc", "pnpm-workspace.yaml", "patches/"), ("pnpm-lock.yaml",))
        return (
            named if isinstance(named, str) else Reading(named, ("node_modules",), "" if project.context else _UNKNOWN)
        )
    locks = [name for name in _NODE_LOCKS[manager] if project.has(name)]
    found = _present(project, "package.json", (*locks, *_NODE_CONFIGURATION[manager]), _NODE_USUAL[manager])
    if isinstance(found, str):
        return found
    writes = tuple(use.manager.writes)
    if project.context is None:
        return Reading(found, writes, _UNKNOWN)
    files = list(found)
    doubts: list[str] = []
    root = _json(project.text("package.json"))
    if root is None:
        return f"`{project.path('package.json')}` is no JSON"
    members = _workspaces(project, root, manager)
    for folder in ("", *members):
        member = root if not folder else _json(project.text(f"{folder}/package.json"))
        if member is None:
            return f"`{project.path(folder)}/package.json` is no JSON"
        if folder:
            files.append(f"{folder}/package.json")
            writes = (*writes, f"{folder}/node_modules")
            if "bin" in member or "directories" in member:
                doubts.append(f"the programs of `{folder}` are made executable by the install")
        why = _local_dependency(member) or _scripts(use, project, folder, member, files, doubts)
        if why:
            return f"`{posixpath.join(project.path(folder), 'package.json')}` {why}"
    if manager == "pnpm" and "patchedDependencies" in project.text("package.json") + project.text(
        "pnpm-workspace.yaml"
    ):
        files += ["patches/"] if project.has("patches") else []
        doubts.append("patches may lie in other folders")
    if manager == "npm" and project.has("binding.gyp"):
        return "`binding.gyp` makes the install build the sources"
    if re.search(
        r"(?im)^\s*(?:prefix|cache|cafile|globalconfig|userconfig|script-shell|node-options)\s*=",
        project.text(".npmrc"),
    ):
        doubts.append("`.npmrc` names other files")
    doubts += _node_lock(use, project, locks)
    return Reading(tuple(dict.fromkeys(files)), tuple(dict.fromkeys(writes)), doubts[0] if doubts else "")


_UNKNOWN = "the build context is not known: the usual names of manifests and lock files are taken"


def _workspaces(project: Project, root: "dict[str, Any]", manager: str) -> list[str]:
    """The folders of a monorepo's packages."""
    declared = root.get("workspaces")
    patterns = declared.get("packages", []) if isinstance(declared, dict) else declared or []
    if manager == "pnpm":
        block = re.search(r"(?m)^packages:[ \t]*\n((?:[ \t]*(?:-.*|#.*)?\n?)*)", project.text("pnpm-workspace.yaml"))
        patterns = re.findall(r"""(?m)^[ \t]*-[ \t]*["']?([^"'\n#]+?)["']?[ \t]*(?:#.*)?$""", block[1]) if block else []
    found: dict[str, None] = {}
    for named in patterns if isinstance(patterns, list) else ():
        text = str(named)
        hits = [posixpath.dirname(path) for path in project.matching(f"{text.lstrip('!').rstrip('/')}/package.json")]
        for folder in hits:
            if text.startswith("!"):
                found.pop(folder, None)
            elif folder:
                found[folder] = None
    return list(found)


def _local_dependency(manifest: "dict[str, Any]") -> str:
    for key in (
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "resolutions",
        "overrides",
    ):
        table = manifest.get(key)
        for name, wanted in table.items() if isinstance(table, dict) else ():
            if isinstance(wanted, str) and wanted.startswith(("file:", "link:", "portal:", "./", "../", "/", "~/")):
                return f"takes `{name}` from `{wanted}`, whose files the install needs"
    return ""


def _scripts(
    use: Use, project: Project, folder: str, manifest: "dict[str, Any]", files: list[str], doubts: list[str]
) -> str:
    """Why a package's own scripts need more than manifests; what they are known to read goes to `files`."""
    scripts = manifest.get("scripts")
    if use.has("--ignore-scripts") or not isinstance(scripts, dict):
        return ""
    for name in _LIFECYCLE:
        text = scripts.get(name)
        if not isinstance(text, str):
            continue
        for command in re.split(r"\s*(?:&&|;)\s*", text.strip()):
            program = re.sub(r"^(?:npx|yarn|pnpm exec|bunx)\s+(?:--\S+\s+)*", "", command)
            if program == "patch-package":
                files += [posixpath.join(folder, "patches/")] if project.has(posixpath.join(folder, "patches")) else []
            elif program == "prisma generate":
                schema = manifest.get("prisma", {}).get("schema") if isinstance(manifest.get("prisma"), dict) else None
                place = posixpath.join(folder, schema if isinstance(schema, str) else "prisma/")
                if not project.has(place):
                    return f"runs `{command}` as `{name}`, and its schema is not found"
                files.append(place)
                doubts.append(f"`{command}` runs as `{name}`")
            elif program in (
                "husky",
                "husky install",
                "is-ci || husky install",
                "only-allow pnpm",
                "only-allow yarn",
                "only-allow npm",
            ):
                doubts.append(f"`{command}` runs as `{name}`")
            else:
                return f"runs `{command}` as `{name}`, which may need the sources"
    return ""


def _node_lock(use: Use, project: Project, locks: list[str]) -> Iterator[str]:
    """What is in doubt as to the lock file: whether the install writes it, and what scripts of packages read."""
    if not locks:
        yield f"without a lock file {_label(use)} writes one"
        return
    frozen = {
        "npm": use.verb == "ci",
        "yarn": use.has("--frozen-lockfile") or use.has("--immutable"),
        "pnpm": use.has("--frozen-lockfile"),
        "bun": use.has("--frozen-lockfile") or use.verb == "ci",
    }
    if not frozen[use.manager.name]:
        yield f"{_label(use)} may write `{locks[0]}`, over which the later COPY would lay the old one"
    if use.has("--ignore-scripts"):
        return
    lock = _json(project.text(locks[0])) if locks[0].endswith(".json") else None
    packages = lock.get("packages") if lock is not None else None
    if not isinstance(packages, dict):
        yield f"`{locks[0]}` does not tell which packages run a script when they are installed"
        return
    for name, entry in packages.items():
        if isinstance(entry, dict) and entry.get("hasInstallScript") and "linux" in entry.get("os", ["linux"]):
            if name.startswith("node_modules/"):
                yield f"the install script of `{name.rpartition('node_modules/')[2]}` may read the project"
                return


# ---------------------------------------------------------------------------------------------------------- Python


def _pip(use: Use, project: Project) -> Reading | str:
    if any((word.value or ".").startswith((".", "/")) for word in use.operands):
        return f"{_label(use)} installs the project itself"
    files: list[str] = []
    doubts: list[str] = []
    for word in use.manifests:
        value = word.value
        if value is None or value.startswith(("-", "http")) or not _LIST.search(value):
            return f"{_label(use)} reads `{word.text}`, which is more than a list of requirements"
        why = _requirements(
            project, posixpath.relpath(posixpath.join(project.image, value), project.image), files, doubts
        )
        if why:
            return why
    if use.has("--target") or use.has("--prefix") or use.has("--root") or use.has("--src"):
        doubts.append("it is not known where the packages go")
    if use.has("--find-links"):
        doubts.append("`--find-links` may name a folder of the project")
    return Reading(tuple(files), (), doubts[0] if doubts else "")


_LIST = pattern(r"\.(?:txt|in|pip|lock|reqs?)$")


def _requirements(project: Project, name: str, files: list[str], doubts: list[str]) -> str:
    """Why a list of requirements needs more than lists; it, and those that it includes, go to `files`."""
    if name in files:
        return ""
    files.append(name)
    if project.context is None:
        doubts.append(_UNKNOWN)
        return ""
    if not project.has(name):
        return f"`{project.path(name)}` is not in the build context"
    text = re.sub(r"\\\r?\n", " ", project.text(name))
    for line in text.splitlines():
        line = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        include = re.match(r"(?:-r|--requirement|-c|--constraint)[ \t=]*(.+)", line)
        if include is not None:
            other = include[1].strip("\"'")
            if "://" in other:
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
            if path.startswith("/") or "$" in path:
                return f"`{name}` includes `{other}`, whose place is not known"
            if why := _requirements(project, path, files, doubts):
                return why
        elif re.match(r"(?:-e|--editable)[ \t=]*(?:git|hg|svn|bzr)\+", line):
            doubts.append(f"`{line}` leaves a folder `src`")
        elif re.match(r"(?:-e|--editable)\b|\.{1,2}(?:/|$|\[)|/|file:", line) or re.search(r"@\s*file:", line):
            return f"`{name}` holds `{line}`, whose files the install needs"
        elif re.match(r"(?:-f|--find-links)[ \t=]*(?!https?:)", line):
            doubts.append(f"`{line}` names a folder of the project")
    return ""


def _uv(use: Use, project: Project) -> Reading | str:
    if use.verb.startswith("pip"):
        return _pip(use, project)
    if not use.has("--no-install-project") and not use.has("--no-install-workspace"):
        return f"{_label(use)} without `--no-install-project` reads the sources of the project too"
    found = _present(
        project, "pyproject.toml", ("uv.lock", "uv.toml", ".python-version"), ("pyproject.toml", "uv.lock*")
    )
    if isinstance(found, str) or project.context is None:
        return found if isinstance(found, str) else Reading(found, (".venv",), _UNKNOWN)
    data = _toml(project.text("pyproject.toml"))
    if data is None:
        return "`pyproject.toml` is no TOML"
    settings = data.get("tool", {}).get("uv", {})
    for name, source in settings.get("sources", {}).items():
        if any("path" in one for one in (source if isinstance(source, list) else [source])):
            return f"`pyproject.toml` takes `{name}` from a folder, whose files the install needs"
    files = list(found)
    members = settings.get("workspace", {}).get("members", [])
    if members:
        if not use.has("--no-install-workspace"):
            return "`pyproject.toml` has a workspace, whose members are installed without `--no-install-workspace`"
        for pattern in members:
            files += project.matching(f"{pattern}/pyproject.toml")
    doubt = ""
    if not use.has("--frozen") and not use.has("--locked"):
        doubt = f"{_label(use)} may write `uv.lock`, over which the later COPY would lay the old one"
    elif data.get("project", {}).get("dynamic") and not use.has("--frozen"):
        doubt = "`dynamic` metadata is read from the sources"
    return Reading(tuple(files), (".venv",), doubt)


def _poetry(use: Use, project: Project) -> Reading | str:
    if not use.has("--no-root") or use.has("--only-root"):
        return f"{_label(use)} without `--no-root` reads the sources of the project too"
    found = _present(
        project, "pyproject.toml", ("poetry.lock", "poetry.toml"), ("pyproject.toml", "poetry.lock*", "poetry.toml*")
    )
    if isinstance(found, str) or project.context is None:
        return found if isinstance(found, str) else Reading(found, (".venv",), _UNKNOWN)
    data = _toml(project.text("pyproject.toml"))
    if data is None:
        return "`pyproject.toml` is no TOML"
    settings = data.get("tool", {}).get("poetry", {})
    tables = [settings.get("dependencies", {}), settings.get("dev-dependencies", {})]
    tables += [group.get("dependencies", {}) for group in settings.get("group", {}).values()]
    for table in tables:
        for name, wanted in table.items():
            if any(
                isinstance(one, dict) and "path" in one for one in (wanted if isinstance(wanted, list) else [wanted])
            ):
                return f"`pyproject.toml` takes `{name}` from a folder, whose files the install needs"
    if any("file:" in str(one) for one in data.get("project", {}).get("dependencies", [])):
        return "`pyproject.toml` takes a dependency from a folder, whose files the install needs"
    doubt = "" if "poetry.lock" in found else f"without a lock file {_label(use)} writes one"
    return Reading(found, (".venv",), doubt)


def _pipenv(use: Use, project: Project) -> Reading | str:
    found = _present(project, "Pipfile", ("Pipfile.lock",), ("Pipfile", "Pipfile.lock*"))
    if isinstance(found, str) or project.context is None:
        return found if isinstance(found, str) else Reading(found, (".venv",), _UNKNOWN)
    if re.search(r"""(?m)\bpath\s*=|^\s*"?[\w.-]+"?\s*=\s*["'](?:\.|file:)""", project.text("Pipfile")):
        return "`Pipfile` takes a dependency from a folder, whose files the install needs"
    frozen = use.verb == "sync" or use.has("--deploy") or use.has("--ignore-pipfile")
    doubt = "" if frozen and "Pipfile.lock" in found else f"{_label(use)} may write `Pipfile.lock`"
    return Reading(found, (".venv",), doubt)


def _conda(use: Use, project: Project) -> Reading | str:
    if not use.manifests:
        return f"{_label(use)} reads files all over the project"
    files: list[str] = []
    doubts: list[str] = []
    for word in use.manifests:
        value = word.value
        if value is None or value.startswith("/") or "://" in value:
            return f"{_label(use)} reads `{word.text}`, which does not lie in its folder"
        name = posixpath.normpath(value)
        if project.context is None:
            files.append(name)
            doubts.append(_UNKNOWN)
            continue
        if not project.has(name):
            return f"`{project.path(name)}` is not in the build context"
        files.append(name)
        for line in re.findall(r"(?m)^\s*-\s*(-.*|\.{1,2}(?:/.*)?|.*file:.*)$", project.text(name)):
            include = re.match(r"(?:-r|--requirement|-c|--constraint)[ \t=]*(.+)", line)
            if include is None:
                return f"`{name}` holds `{line.strip()}`, whose files the install needs"
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), include[1].strip()))
            if why := _requirements(project, path, files, doubts):
                return why
    return Reading(tuple(files), (), doubts[0] if doubts else "")


# ------------------------------------------------------------------------------------------------- Go, Rust, the JVM


def _go(use: Use, project: Project) -> Reading | str:
    if project.context is None:
        return Reading(("go.mod", "go.sum*"), (), _UNKNOWN)
    if project.has("go.work"):
        files = ["go.work", *(name for name in ("go.work.sum",) if project.has(name))]
        folders = re.findall(
            r"(?m)^\s*(?:use\s+)?(\.{0,2}/?[\w./-]+)\s*$", re.sub(r"\buse\s*\(|\)|//.*", "", project.text("go.work"))
        )
        folders = [
            posixpath.normpath(folder)
            for folder in folders
            if folder.startswith(".") or project.has(f"{folder}/go.mod")
        ]
    else:
        files, folders = [], ["."]
    doubt = ""
    for folder in folders:
        for name in ("go.mod", "go.sum"):
            path = posixpath.normpath(posixpath.join(folder, name))
            if path.startswith(".."):
                return f"`go.work` uses `{folder}`, which does not lie below its folder"
            if project.has(path):
                files.append(path)
            elif name == "go.mod":
                return f"`{project.path(path)}` is not in the build context"
        module = project.text(posixpath.join(folder, "go.mod"))
        for target in re.findall(r"(?m)=>\s*(\.{1,2}/\S*|/\S+)", module):
            path = posixpath.normpath(posixpath.join(folder, target, "go.mod"))
            if path.startswith(("..", "/")):
                return f"`go.mod` replaces a module by `{target}`, which does not lie below its folder"
            if not project.has(path):
                return f"`go.mod` replaces a module by `{target}`, whose `go.mod` is not in the build context"
            files.append(path)
        doubt = doubt or _incomplete(module, project.text(posixpath.join(folder, "go.sum")))
    return Reading(tuple(dict.fromkeys(files)), (), doubt)


def _incomplete(module: str, sums: str) -> str:
    """Why `go mod download` might change go.sum: an old go.mod, or a module whose sums are missing."""
    version = re.search(r"(?m)^go\s+1\.(\d+)", module)
    if version is None or int(version[1]) < 17:
        return "before Go 1.17 `go.mod` does not name all modules, and `go.sum` may be completed"
    replaced = set(re.findall(r"(?m)^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s*=>", module))
    for name, number in re.findall(r"(?m)^\s*(?:require\s+)?([\w.~/-]+\.[\w.~/-]*)\s+(v[\w.+-]+)\s*(?://.*)?$", module):
        if name not in replaced and f"{name} {number} h1:" not in sums:
            return f"`go.sum` has no sum of `{name}`, which the download may add"
    return ""


def _cargo(use: Use, project: Project) -> Reading | str:
    return f"{_label(use)} cannot build dependencies alone: `cargo chef`, or a `main.rs` that does nothing, makes a layer of them"


def _maven(use: Use, project: Project) -> Reading | str:
    goals = [use.verb, *((word.value or word.text) for word in use.operands)]
    if not all(goal.startswith(("dependency:", "de.qaware.maven:go-offline")) for goal in goals if goal):
        return f"{_label(use)} builds the sources"
    if use.has("--file"):
        return f"{_label(use)} works on another `pom.xml`"
    if project.context is None:
        return Reading(("pom.xml",), (), _UNKNOWN)
    found = _present(project, "pom.xml", (".mvn/",), ())
    if isinstance(found, str):
        return found
    files = list(found)
    if use.command.words[use.name_index].text.endswith("mvnw"):
        files += [name for name in ("mvnw",) if project.has(name)]
    artefacts: dict[str, str] = {}
    texts: dict[str, str] = {}
    pending = ["pom.xml"]
    while pending:
        path = pending.pop(0)
        text = re.sub(r"(?s)<!--.*?-->", "", project.text(path))
        texts[path] = text
        own = re.sub(r"(?s)<(parent|dependencies|dependencyManagement|build|profiles|plugins)>.*?</\1>", "", text)
        name = re.search(r"<artifactId>\s*([^<\s]+)", own)
        artefacts[name[1] if name else path] = path
        for module in re.findall(r"<module>\s*([^<\s]+)\s*</module>", text):
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
            inner = inner if inner.endswith(".xml") else f"{inner}/pom.xml"
            if inner.startswith("..") or not project.has(inner):
                return f"the module `{module}` of `{path}` is not in the build context"
            if inner not in texts and inner not in pending:
                pending.append(inner)
    for path, text in texts.items():
        for block in re.findall(r"(?s)<dependency>(.*?)</dependency>", text):
            name = re.search(r"<artifactId>\s*([^<\s]+)", block)
            if name is not None and artefacts.get(name[1], path) != path:
                return f"`{path}` depends on the module `{name[1]}`, which has to be built first"
            if "<systemPath>" in block:
                return f"`{path}` names a library of the project by `systemPath`"
        parent = re.search(r"(?s)<parent>.*?<relativePath>\s*([^<\s]+)\s*</relativePath>", text)
        if parent is not None:
            above = posixpath.normpath(posixpath.join(posixpath.dirname(path), parent[1]))
            if above.startswith("..") or not project.has(above):
                return f"the parent of `{path}` is not in the build context"
            texts.setdefault(above if above.endswith(".xml") else f"{above}/pom.xml", "")
    files += [path for path in texts if path not in files]
    doubt = ""
    if any(re.search(r"(?s)<activation>.*?<file>", text) for text in texts.values()):
        doubt = "a profile is active where a file of the project exists"
    return Reading(tuple(files), (), doubt)


def _gradle(use: Use, project: Project) -> Reading | str:
    tasks = [use.verb, *((word.value or word.text) for word in use.operands)]
    if not all(
        task.rpartition(":")[2] in ("dependencies", "resolveDependencies", "downloadDependencies")
        for task in tasks
        if task
    ):
        return f"{_label(use)} builds the sources"
    if project.context is None:
        return f"{_label(use)} reads the build scripts of all projects"
    scripts = [
        name
        for name in project.matching("**/*.gradle") + project.matching("**/*.gradle.kts")
        if not name.startswith("buildSrc/")
    ]
    if not scripts:
        return "no build script is in the build context"
    others = [name for name in ("gradlew", "gradle.properties", "gradle/", "buildSrc/") if project.has(name)]
    others += project.matching("**/gradle.lockfile")
    return Reading(
        (*sorted(scripts), *others), (".gradle", "build"), "build scripts may read other files of the project"
    )


# ------------------------------------------------------------------------------------------------- .NET, Ruby, PHP


def _dotnet(use: Use, project: Project) -> Reading | str:
    named = [word.value for word in use.operands]
    if None in named:
        return f"it is not known what {_label(use)} restores"
    common = ("nuget.config", "NuGet.config", "NuGet.Config", "global.json", "Directory.Build.props", "Directory.Build.targets",
              "Directory.Packages.props")  # fmt: skip
    if project.context is None:
        files = [str(name) for name in named] or ["*.sln", "*.csproj"]
        if any(not name.endswith("proj") for name in files if named):
            return f"{_label(use)} reads the projects of a solution"
        return Reading((*files, "*.props", "nuget.config*"), ("obj",), _UNKNOWN)
    pending = [posixpath.normpath(str(name)) for name in named] or [
        *project.matching("*.sln"), *project.matching("*.slnx"), *project.matching("*.*proj")
    ][:1]  # fmt: skip
    projects: list[str] = []
    found: list[str] = []
    while pending:
        path = pending.pop(0)
        if path in found:
            continue
        if path.startswith(("..", "/")) or not project.has(path):
            return f"`{path}` is not in the build context"
        if "proj" not in posixpath.splitext(path)[1] and not path.endswith((".sln", ".slnx")):
            inside = project.matching(f"{path}/*.sln") or project.matching(f"{path}/*.*proj")
            if not inside:
                return f"no project lies in `{path}`"
            pending += inside[:1]
            continue
        found.append(path)
        folder = posixpath.dirname(path)
        text = project.text(path)
        if path.endswith((".sln", ".slnx")):
            inner = re.findall(r'"([^"]+\.(?:cs|fs|vb)proj)"', text)
        else:
            projects.append(path)
            inner = re.findall(r'<ProjectReference\s+Include="([^"]+)"', text)
            if re.search(r'<Import\s+Project="(?!\$\(MSBuild)', text):
                return f"`{path}` imports other files"
            found += [name for name in (posixpath.join(folder, "packages.lock.json"),) if project.has(name)]
        pending += [posixpath.normpath(posixpath.join(folder, name.replace("\\", "/"))) for name in inner]
    if not projects:
        return "no project is in the build context"
    folders = sorted({posixpath.dirname(path) for path in projects})
    above = {""}
    for folder in folders:
        while folder:
            above.add(folder)
            folder = posixpath.dirname(folder)
    found += [path for folder in sorted(above) for name in common if project.has(path := posixpath.join(folder, name))]
    return Reading(tuple(dict.fromkeys(found)), tuple(posixpath.join(folder, "obj") for folder in folders))


def _bundler(use: Use, project: Project) -> Reading | str:
    manifest = "gems.rb" if project.has("gems.rb") and not project.has("Gemfile") else "Gemfile"
    lock = "gems.locked" if manifest == "gems.rb" else "Gemfile.lock"
    found = _present(project, manifest, (lock, ".ruby-version", ".tool-versions"), ("Gemfile", "Gemfile.lock*"))
    if isinstance(found, str) or project.context is None:
        return found if isinstance(found, str) else Reading(found, (".bundle", "vendor/bundle"), _UNKNOWN)
    text = re.sub(r"(?m)#.*$", "", project.text(manifest))
    reads = re.search(
        r"(?m)^\s*gemspec\b|\bpath:|:path\s*=>|\beval_gemfile\b|\brequire_relative\b|\bFile\.|\bDir[.\[]|^\s*path\s",
        text,
    )
    if reads is not None:
        return f"`{manifest}` reads other files of the project (`{reads[0].strip()}`)"
    doubt = ""
    if lock not in found:
        doubt = f"without a lock file {_label(use)} writes one"
    elif not (use.has("--deployment") or use.has("--frozen")):
        doubt = f"{_label(use)} may write `{lock}`, over which the later COPY would lay the old one"
    if project.has(".bundle"):
        doubt = "`.bundle` is part of the project"
    return Reading(found, (".bundle", "vendor/bundle"), doubt)


def _composer(use: Use, project: Project) -> Reading | str:
    if not (use.has("--no-autoloader") and use.has("--no-scripts")):
        return f"{_label(use)} without `--no-autoloader --no-scripts` reads the sources of the project too"
    found = _present(
        project, "composer.json", ("composer.lock", "symfony.lock", "auth.json"), ("composer.json", "composer.lock*", "symfony.lock*")
    )  # fmt: skip
    if isinstance(found, str) or project.context is None:
        return found if isinstance(found, str) else Reading(found, ("vendor",), _UNKNOWN)
    data = _json(project.text("composer.json"))
    if data is None:
        return "`composer.json` is no JSON"
    repositories = data.get("repositories", [])
    for one in repositories.values() if isinstance(repositories, dict) else repositories:
        if isinstance(one, dict) and one.get("type") in ("path", "artifact"):
            return f"`composer.json` takes packages from `{one.get('url')}`, whose files the install needs"
    lock = _json(project.text("composer.lock")) if "composer.lock" in found else None
    if lock is None:
        return Reading(found, ("vendor",), f"without a lock file {_label(use)} writes one")
    plugins = [
        one.get("name")
        for key in ("packages", "packages-dev")
        for one in lock.get(key, ())
        if one.get("type") == "composer-plugin"
    ]
    doubt = f"the plugin `{plugins[0]}` may read the project" if plugins and not use.has("--no-plugins") else ""
    return Reading(found, ("vendor",), doubt)


_READERS: dict[str, Callable[[Use, Project], Reading | str]] = {
    "npm": _node,
    "yarn": _node,
    "pnpm": _node,
    "bun": _node,
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "pipenv": _pipenv,
    "conda": _conda,
    "mamba": _conda,
    "micromamba": _conda,
    "go": _go,
    "cargo": _cargo,
    "maven": _maven,
    "gradle": _gradle,
    "dotnet": _dotnet,
    "bundler": _bundler,
    "composer": _composer,
}
