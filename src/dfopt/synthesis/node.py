"""Node: a build by npm, yarn, pnpm or bun, or by a bundler itself; a server goes with its production modules, a front end without any.

Sources: docs.npmjs.com (prune, ci, scripts), the manuals of the tools for where they put their output (tsc, Vite, Next.js, Nuxt, Angular,
Vue CLI, Create React App, Nest, Astro, Remix, webpack, tsup), docker-library/node for the variants of the image.
"""

import json
import posixpath
import re

from dfopt import bases, families, projects
from dfopt.startup import TYPE_CHECKING, pattern
from dfopt.synthesis import Artefact, Finish, Placed, Proposal, Question, Site, facts

if TYPE_CHECKING:
    from typing import Any

_MANAGERS = frozenset(("npm", "yarn", "pnpm", "bun"))

# Tools that build, and the folder that they fill where nothing else is configured; "" where only a configuration says.
_BUILDERS = {
    "tsc": "", "nest": "dist", "vite": "dist", "next": ".next", "nuxt": ".output", "nuxi": ".output", "react-scripts": "build", "ng": "",
    "vue-cli-service": "dist", "webpack": "dist", "webpack-cli": "dist", "tsup": "dist", "astro": "dist", "remix": "build", "parcel": "dist",
    "gatsby": "public", "unbuild": "dist", "craco": "build", "react-app-rewired": "build", "rsbuild": "dist", "tsdown": "dist",
    "esbuild": "", "rollup": "", "babel": "", "swc": "", "ncc": "dist", "vue-tsc": "", "run-s": "", "eslint": "", "rimraf": "", "shx": "",
    "cross-env": "", "tsc-alias": "", "copyfiles": "", "cpx": "", "react-router": "build", "solid-start": ".output", "vinxi": ".output",
}  # fmt: skip

# Servers of files, installed for all: what they need they bring.
_FILE_SERVERS = frozenset(
    ("serve", "http-server", "sirv-cli", "sirv", "local-web-server", "ws", "nginx", "static-server", "live-server")
)
_GLOBAL = frozenset((*_FILE_SERVERS, "pm2", "npm", "yarn", "pnpm"))

# Started like this an image builds, or develops, while it runs.
_DEVELOPS = pattern(
    r"\b(?:ts-node(?:-dev)?|tsx|nodemon|next dev|nuxt dev|nuxi dev|nest start|ng serve|webpack(?:-dev-server)? serve|react-scripts start|vite(?! build| preview)"
    r"|vue-cli-service serve|gatsby develop|astro dev|jest|vitest|mocha|tsc -w|concurrently|babel-node|parcel(?! build))\b"
)

# Packages that keep what they need outside of the project's folder.
_ELSEWHERE = frozenset("puppeteer playwright playwright-chromium @playwright/test cypress electron".split())

# Packages of which a part is made by a command of their own, which taking packages out may delete.
_GENERATES = frozenset("prisma @prisma/client patch-package".split())

# What a package needs of the system that the slim image lacks, by family.
_SYSTEM = {
    "prisma": {"debian": "openssl", "alpine": "openssl"},
    "@prisma/client": {"debian": "openssl", "alpine": "openssl"},
    "pg-native": {"debian": "libpq5", "alpine": "libpq"},
    "libpq": {"debian": "libpq5", "alpine": "libpq"},
    "odbc": {"debian": "unixodbc", "alpine": "unixodbc"},
    "kerberos": {"debian": "libgssapi-krb5-2", "alpine": "krb5-libs"},
    "gm": {"debian": "imagemagick", "alpine": "imagemagick"},
    "imagemagick": {"debian": "imagemagick", "alpine": "imagemagick"},
    "node-rdkafka": {"debian": "libsasl2-2", "alpine": "libsasl"},
    "simple-git": {"debian": "git", "alpine": "git"},
}

_SOURCE = pattern(
    r"(?i).*\.(?:tsx?|mts|cts|jsx|vue|svelte|astro|scss|sass|less|styl|snap|map|tsbuildinfo)|tsconfig.*\.json|jsconfig\.json|.*\.(?:test|spec|stories)\.[cm]?[jt]sx?"
    r"|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|\.(?:eslint|prettier|stylelint|babel|swc|browserslist|npm|yarn|nvm|nyc|mocha|huskyrc|lintstaged)"
    r".*|(?:eslint|prettier|jest|vitest|cypress|playwright|tailwind|postcss|babel|vite|webpack|rollup|tsup|svelte|astro|vue|metro|commitlint|lint-staged|craco)\.config\.\w+"
    r"|webpack\..*\.js|angular\.json|nest-cli\.json|karma\.conf\.js|turbo\.json|nodemon\.json|\.husky|__tests__|__mocks__|cypress|e2e|coverage|\.storybook|\.turbo|\.next|node_modules"
)

# What no program reads when it runs, whatever is run.
_NEVER = pattern(
    r"(?i).*\.(?:test|spec|stories)\.[cm]?[jt]sx?|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|\.(?:eslint|prettier|stylelint)rc.*"
    r"|(?:eslint|prettier|jest|vitest|cypress|playwright|commitlint)\.config\.\w+|\.husky|__tests__|__mocks__|cypress|e2e|coverage|\.storybook|\.turbo|node_modules"
)

# A folder of sources of which the build makes something else; data in it may be read.
_SOURCE_FOLDERS = frozenset(("src", "source"))

_BUILD_ONLY = frozenset(
    "HUSKY CYPRESS_INSTALL_BINARY GENERATE_SOURCEMAP DISABLE_ESLINT_PLUGIN INLINE_RUNTIME_CHUNK NPM_CONFIG_LOGLEVEL NPM_CONFIG_FUND"
    " NPM_CONFIG_AUDIT NPM_CONFIG_UPDATE_NOTIFIER NEXT_PRIVATE_STANDALONE".split()
)


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _builds(placed)]
    if not built or bases.repository_of(site.image)[0] != "node":
        return None
    last = built[-1]
    folder = _folder(site, last)
    if folder is None:
        return f"it is not known where `{last.text[:60]}` works"
    manifest = _manifest(site, folder)
    known = manifest.get("scripts")
    scripts: dict[str, Any] = known if isinstance(known, dict) else {}
    started = _started(site, scripts)
    if _DEVELOPS.search(started):
        return None
    if manifest.get("workspaces") or site.in_context(posixpath.join(folder, "pnpm-workspace.yaml")):
        return "the project has workspaces, whose modules lie in several folders"
    refusal = _managed_otherwise(site, last, folder, started)
    if refusal:
        return refusal
    needed = _names(manifest, "dependencies")
    every = needed | _names(manifest, "devDependencies")
    outside = sorted(needed & _ELSEWHERE)
    if outside:
        return f"`{outside[0]}` keeps a browser outside of the project's folder"
    family = site.stage.facts.distribution if site.stage.facts is not None else None
    image = families.variant(site.image, "slim") or site.image
    if family not in ("debian", "alpine") or "$" in site.image:
        return f"what `{site.bottom.base.text}` stands on is not known"
    if "@" in site.image and image != site.image:
        return f"`{site.bottom.base.text}` is pinned, and which slim image belongs to it is not known"
    questions: list[Question] = []
    outputs: list[Artefact] = []
    for placed in built:
        found = _outputs(site, placed, scripts)
        if isinstance(found, Question):
            questions.append(found)
        else:
            outputs += found
    server = _server(started)
    setup = tuple(
        ("npm", "install", "-g", *packages)
        for placed in site.commands
        if (packages := _globals(placed)) and _needs(started, packages)
    )
    modules = posixpath.join(folder, "node_modules")
    notes: list[str] = []
    if image != site.image:
        notes.append(
            "programs that only the full image has (`git`, `curl`, `python3`, ImageMagick) are gone, unless the plan names them"
        )
    finish = Finish()
    if server is None or (server not in setup_names(setup) and server != "nginx"):
        if not any(_installs(placed) for placed in site.commands):
            return "the file installs no modules"
        outputs.append(Artefact(modules, "folder", "the modules"))
        server = None
        finish = _pruning(site, last, folder, manifest, started, every, notes)
    elif server == "nginx" and not (set(started.split()) & {"node", "npm"}):
        small = facts.small_image(site.image, site.stage.facts)[0]
        image = small if small and small != "alpine:3" else image
    for one in outputs:
        if site.in_mount(last, one.path):
            return f"`{one.path}` lies in a mount, so that the image has nothing of it"
    if server is not None and server != "nginx":
        notes.append(
            f"`{server}` stays what serves the files: nginx would make the image smaller, and answers otherwise"
        )

    tools_run = _runs_of(started)
    runs_output = _runs_output(site, started, outputs, modules)

    def is_source(path: str) -> bool | None:
        parts = path.strip("/").split("/")
        if server is not None:
            return None if re.search(r"\.(?:conf|template|sh)$|^serve\.json$", parts[-1]) else True
        if ("tsconfig-paths" in started or "ts-" in started) and parts[-1].startswith("tsconfig"):
            return None
        if not runs_output:
            # Its own files are run: only what nothing reads when it runs is left.
            return True if any(_NEVER.fullmatch(part) for part in parts) else None
        if parts[-1].partition(".")[0] in tools_run and ".config." in parts[-1]:
            return None
        if any(_SOURCE.fullmatch(part) for part in parts) or (parts[0] in _SOURCE_FOLDERS and _is_code(parts[-1])):
            return True
        if len(parts) == 1 and site.context is None and parts[0] in _SOURCE_FOLDERS:
            return True
        return False if parts == ["package.json"] else None

    packages = tuple(sorted({
        _SYSTEM[name][family] for name in needed & set(_SYSTEM) if server is None and name != ""
    }))  # fmt: skip
    tools = frozenset(
        ("python3", "python", "python2", "py3-pip", "git", "curl", "wget", "bash", "libc6-compat")
    ) - _named(started)
    if any(
        placed.command.use is not None and {"libc6-compat"} & {word.value for word in placed.command.use.operands}
        for placed in site.commands
    ):
        tools -= {"libc6-compat"}
    explained = frozenset(placed.key for placed in site.commands if _explained(site, folder, placed))
    return Proposal(
        "Node", last, tuple(outputs), image, "the same release of Node" + (" without what builds" if image != site.image else ""), family,
        explained, is_source, packages=packages, tools=tools, build_only=_BUILD_ONLY, questions=tuple(questions),
        starts=frozenset(("node", "npm", "npx", "yarn", "corepack", "docker-entrypoint.sh")) | setup_names(setup), notes=tuple(notes),
        finish=finish, setup=setup,
    )  # fmt: skip


def _managed_otherwise(site: Site, last: Placed, folder: str, started: str) -> str:
    """Why the modules, or what runs the program, are not where npm and the image have them; "" where they are."""
    managers = {placed.command.use.manager.name for placed in site.commands if placed.command.use is not None}
    if "yarn" in managers:
        path = site.in_context(posixpath.join(folder, ".yarnrc.yml"))
        text = site.context.text(path) if path is not None and site.context is not None else None
        if text is not None and not re.search(r"(?m)^nodeLinker:\s*[\"']?node-modules", text):
            return "Yarn keeps modules in archives here (Plug'n'Play), beside the project's sources"
        if text is None and projects.yarn_is_first(site.build, last.instruction) is False:
            return "where this version of Yarn keeps modules is not known"
    for name in ("pnpm", "bun"):
        if re.search(rf"(?<![\w./-]){name}\s", started) and not any(
            name in {word.partition("@")[0] for word in _globals(placed)} for placed in site.commands
        ):
            return f"`{name}` starts the program, and the runtime would have to fetch it"
    return ""


def setup_names(setup: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    """The programs that global installs of the runtime bring."""
    names = {word.partition("@")[0] for words in setup for word in words[3:]}
    return frozenset(
        names | ({"pm2-runtime"} if "pm2" in names else set()) | ({"sirv"} if "sirv-cli" in names else set())
    )


# Programs that run what a build made, by their own names for it.
_RUN_OUTPUT = pattern(
    r"\b(?:next start|nuxt start|nuxi (?:start|preview)|remix-serve|react-router-serve|astro preview|vite preview|serve|http-server)\b"
)


def _runs_output(site: Site, started: str, outputs: list[Artefact], modules: str) -> bool:
    """Whether the image runs what the build made, and not its own sources: `node dist/main`, `next start`."""
    if _RUN_OUTPUT.search(started):
        return True
    workdir = site.build.after(site.stage).workdir
    folders = [one.path for one in outputs if one.path != modules]
    words = [
        path for word in re.split(r"[\s\"',;]+", started) if word and (path := site.joined(workdir, word)) is not None
    ]
    named = [path for path in words if any(path.startswith(folder + "/") for folder in folders)]
    sources = [path for path in words if re.search(r"\.[cm]?[jt]sx?$", path) and path not in named]
    return bool(named) and not sources


def _is_code(name: str) -> bool:
    return re.search(r"\.(?:[cm]?[jt]sx?|vue|svelte|css|scss|html|graphql|proto)$", name) is not None


def _names(manifest: "dict[str, Any]", key: str) -> set[str]:
    found = manifest.get(key)
    return set(found) if isinstance(found, dict) else set()


def _manifest(site: Site, folder: str) -> "dict[str, Any]":
    """The project's package.json; empty where it is not known."""
    path = site.in_context(posixpath.join(folder, "package.json"))
    text = site.context.text(path) if path is not None and site.context is not None else None
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(placed: Placed) -> list[str]:
    return [word.value or word.text for word in placed.simple.words]


def _folder(site: Site, placed: Placed) -> str | None:
    folder = placed.folder
    use = placed.command.use
    for word in use.directories if use is not None else ():
        folder = site.joined(folder, site.value(placed, word))
    return folder


def _tool(words: list[str]) -> str:
    """The tool that words of a command run, `npx` and paths taken off."""
    while words and (
        words[0] in ("npx", "bunx", "pnpx", "yarn", "pnpm", "exec", "dlx", "cross-env", "run", "--")
        or "=" in words[0]
        or words[0].startswith("-")
    ):
        words = words[1:]
    return posixpath.basename(words[0]) if words else ""


def _builds(placed: Placed) -> bool:
    use = placed.command.use
    if use is not None and use.manager.name in _MANAGERS:
        named = [use.verb, *((word.value or "") for word in use.operands)]
        return use.action in ("run", "build") and any(name == "build" or name.startswith("build:") for name in named)
    words = _words(placed)
    name = _tool(words)
    return (
        name in _BUILDERS
        and _BUILDERS[name] != ""
        and ("build" in words or name in ("tsup", "webpack", "vite"))
        or name == "tsc"
    )


def _installs(placed: Placed) -> bool:
    use = placed.command.use
    return use is not None and use.manager.name in _MANAGERS and use.action == "install" and not _is_global(placed)


def _is_global(placed: Placed) -> bool:
    use = placed.command.use
    return use is not None and (
        use.has("--global", "-g") or (use.manager.name == "yarn" and use.verb.startswith("global"))
    )


def _globals(placed: Placed) -> tuple[str, ...]:
    """The known packages that a command of npm's installs for all, as written."""
    use = placed.command.use
    if use is None or not _is_global(placed) or use.action != "install" or use.uncertain:
        return ()
    names = tuple(word.value or "" for word in use.operands)
    return names if names and all(name.partition("@")[0] in _GLOBAL for name in names) else ()


def _needs(started: str, packages: tuple[str, ...]) -> bool:
    names = {name.partition("@")[0] for name in packages}
    programs = names | ({"pm2-runtime"} if "pm2" in names else set()) | ({"sirv"} if "sirv-cli" in names else set())
    return any(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", started) for name in programs)


def _explained(site: Site, folder: str | None, placed: Placed) -> bool:
    """Whether a command only fetches modules or builds."""
    use = placed.command.use
    if use is not None and use.manager.name in _MANAGERS:
        if _is_global(placed):
            return (
                use.action != "install"
                or bool(_globals(placed))
                or all((word.value or "").lstrip("@").partition("@")[0] in _TOOLS for word in use.operands)
            )
        if use.action == "run" or use.verb in ("run", "exec", "x"):
            named = [use.verb, *((word.value or "") for word in use.operands)]
            known = r"(?:build|compile|lint|test|clean|format|type-?check|generate|codegen|prisma|prebuild|postbuild|ci)(?::.*)?"
            return any(
                re.fullmatch(known, name) or name in _BUILDERS or name == "prisma" for name in named[1:] or named
            )
        return True
    words = _words(placed)
    name = _tool(list(words))
    if name == "prisma" and not ("generate" in words and folder is not None and not _generates_elsewhere(site, folder)):
        return False
    if words and words[0] == "corepack":
        return True
    return name in _BUILDERS or name in (
        "prisma",
        "ngcc",
        "jest",
        "vitest",
        "node-prune",
        "svgr",
        "patch-package",
        "husky",
        "node-gyp",
    )


_TOOLS = frozenset(
    "typescript ts-node @angular/cli angular/cli @nestjs/cli nestjs/cli @vue/cli vue/cli webpack webpack-cli vite gulp gulp-cli grunt-cli rimraf node-gyp"
    " prisma turbo nx eslint prettier expo-cli react-scripts create-react-app bower lerna npm-check-updates cross-env tsc node-prune bun".split()
)


# ----------------------------------------------------------------------------------------------------------- what it starts


def _started(site: Site, scripts: "dict[str, Any]") -> str:
    """What CMD, ENTRYPOINT and HEALTHCHECK say, with the scripts of package.json that they run."""
    found = " ".join(site.said("CMD", "ENTRYPOINT", "HEALTHCHECK"))
    seen: set[str] = set()
    pending = [found]
    while pending:
        text = pending.pop()
        for hit in re.finditer(
            r"\b(?:npm|yarn|pnpm|bun)\s+(?:--?[\w-]+\s+)*(?:run(?:-script)?\s+)?(?:--?[\w-]+\s+)*([\w:.-]+)", text
        ):
            name = hit[1]
            script = scripts.get(name)
            if isinstance(script, str) and name not in seen:
                seen.add(name)
                found += f" {script}"
                pending.append(script)
    return found


def _server(started: str) -> str | None:
    """The server of files that an image starts."""
    for name in sorted(_FILE_SERVERS):
        if re.search(rf"(?:^|[\s/])(?<!run ){re.escape(name)}(?=\s|$)", started) and not re.search(
            rf"(?:ng|webpack|vue-cli-service) {name}", started
        ):
            return name
    return None


def _named(started: str) -> frozenset[str]:
    return frozenset(
        name for name in ("curl", "wget", "bash", "git", "python3", "python") if re.search(rf"\b{name}\b", started)
    )


# ----------------------------------------------------------------------------------------------------------- outputs


def _outputs(site: Site, placed: Placed, scripts: "dict[str, Any]") -> list[Artefact] | Question:
    """What one command builds."""
    folder = _folder(site, placed)
    answered = site.answered(folder, "folder")
    if answered is not None:
        return answered
    use = placed.command.use
    text = placed.text
    if use is not None and use.manager.name in _MANAGERS:
        names = [name for word in use.operands if (name := word.value or "").startswith("build")] or ["build"]
        text = _script(scripts, names[0])
    found = _of_script(site, folder, text) if text else None
    if found is None:
        named = _by_start(site, folder)
        words = f"which folders does `{placed.text[:60]}` fill for the running program?"
        return Question("artefact", words, (*named, "FOLDERS"))
    return [Artefact(path, "folder", "what the build makes") for path in found]


def _script(scripts: "dict[str, Any]", name: str, depth: int = 0) -> str:
    """A script of package.json with what runs before and behind it, and those that it runs in their place."""
    if not isinstance(scripts.get(name), str) or depth > 5:
        return ""
    text = " && ".join(one for key in (f"pre{name}", name, f"post{name}") if isinstance(one := scripts.get(key), str))
    return re.sub(
        r"\b(?:npm|yarn|pnpm|bun) run ([\w:.-]+)", lambda hit: _script(scripts, hit[1], depth + 1) or hit[0], text
    )


# Commands of scripts that leave nothing, and those that copy or make what the last of their words names.
_IDLE = frozenset(("rimraf", "rm", "eslint", "echo", "tsc-alias", "jest", "vitest", "node-prune", "prettier", "true"))
_COPYING = frozenset(("cp", "copyfiles", "cpx", "cpy", "shx", "mkdir", "mkdirp", "ncp"))


def _of_script(site: Site, folder: str | None, text: str) -> list[str] | None:
    """The folders that a script fills; None where one of its commands may fill others."""
    if folder is None or "BUILD_PATH" in text or "BUILD_PATH" in site.build.syntax.source.text:
        return None
    found: list[str] = []
    copied: list[str] = []
    for part in re.split(r"\s*(?:&&|;)\s*", text):
        words = part.split()
        name = _tool(list(words))
        if name in _IDLE or (name == "prisma" and not _generates_elsewhere(site, folder)):
            continue
        if name in _COPYING:
            if not {"rm", "rimraf"} & set(words[:2]):
                copied.append(site.joined(folder, words[-1].strip("\"'")) or "")
            continue
        if name not in _BUILDERS or set(part) & set("|`$<>"):
            return None
        if name in ("vue-tsc", "tsc") and "--noEmit" in words:
            continue
        target = _option(words)
        if not target and site.context is None:
            return None  # what its configuration says is not known
        target = target or _configured(site, folder, name, words) or _BUILDERS[name]
        if name == "tsc" and target == "*":
            continue
        path = site.joined(folder, target) if target and not set(target) & set("?*$") else None
        if path is None or path == folder:
            return None
        found.append(path)
    if not all(any((path + "/").startswith(other + "/") for other in found) for path in copied):
        return None
    # A folder brings what lies in it.
    return [path for path in dict.fromkeys(found) if not any(path.startswith(other + "/") for other in found)] or None


def _generates_elsewhere(site: Site, folder: str) -> bool:
    """Whether Prisma's schema may put its client beside the modules."""
    path = site.in_context(posixpath.join(folder, "prisma/schema.prisma"))
    text = site.context.text(path) if path is not None and site.context is not None else None
    return text is None or re.search(r"(?m)^\s*output\s*=", text) is not None


# Options that name the folder of the output; one letter means another thing to TypeScript's compiler.
_LONG = ("--outDir", "--out-dir", "--outdir", "--outfile", "--output-path", "--dist-dir", "--dest")
_SHORT = ("-d", "-o")


def _option(words: list[str]) -> str:
    """The folder that an option names."""
    names = _LONG if {"tsc", "vue-tsc"} & set(words) else (*_LONG, *_SHORT)
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            value = value if equals else (words[at + 1] if at + 1 < len(words) else "")
            return posixpath.dirname(value) if name == "--outfile" else value
    return ""


def _configured(site: Site, folder: str, name: str, words: list[str]) -> str:
    """The folder that a tool's configuration in the context names; "" where it names none."""

    def text(*names: str) -> str:
        for one in names:
            path = site.in_context(posixpath.join(folder, one))
            if path is not None and site.context is not None:
                return site.context.text(path) or ""
        return ""

    if name in ("tsc", "vue-tsc"):
        chosen = next(
            (words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-p", "--project", "-b", "--build")),
            "tsconfig.json",
        )
        seen = 0
        config = text(chosen)
        if '"references"' in config:
            return "?"
        while config and seen < 4:
            bare = re.sub(r"(?m)^\s*//[^\n]*$|/\*.*?\*/", "", config, flags=re.DOTALL)
            if re.search(r'"noEmit"\s*:\s*true', bare):
                return "*"
            hit = re.search(r'"outDir"\s*:\s*"([^"]+)"', bare)
            if hit is not None:
                return hit[1].rstrip("/")
            more = re.search(r'"extends"\s*:\s*"(\./[^"]+)"', bare)
            config = text(more[1], more[1] + ".json") if more is not None else ""
            seen += 1
        return ""
    if name == "ng":
        hit = re.search(r'"outputPath"\s*:\s*(?:"([^"]+)"|\{\s*"base"\s*:\s*"([^"]+)")', text("angular.json"))
        return (hit[1] or hit[2]) if hit is not None else ""
    endings = ("ts", "js", "mjs", "mts", "cjs")

    def told(config: str, expression: str, word: str) -> str:
        hit = re.search(expression, config)
        return hit[1] if hit is not None else "?" if re.search(word, config) else ""

    if name == "vite":
        config = text(*(f"vite.config.{one}" for one in endings))
        return "?" if re.search(r"\broot\s*:", config) else told(config, r"outDir\s*:\s*['\"]([^'\"]+)['\"]", "outDir")
    if name == "next":
        config = text(*(f"next.config.{one}" for one in endings))
        if re.search(r"output\s*:\s*['\"]export['\"]", config):
            return "out" if "distDir" not in config else "?"
        return told(config, r"distDir\s*:\s*['\"]([^'\"]+)['\"]", "distDir")
    if name in ("webpack", "webpack-cli"):
        chosen = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("--config", "-c")), "")
        config = text(chosen) if chosen else text(*(f"webpack.config.{one}" for one in endings))
        path = r"path\s*:\s*path\.(?:resolve|join)\(\s*__dirname\s*,\s*['\"]\.?/?([^'\"]+)['\"]\s*\)"
        return "?" if chosen and not config else told(config, path, r"\bpath\s*:|require\(['\"]\.|merge")
    if name == "vue-cli-service":
        return told(text("vue.config.js", "vue.config.cjs"), r"outputDir\s*:\s*['\"]([^'\"]+)['\"]", "outputDir")
    if name in ("tsup", "tsdown", "astro", "rsbuild", "nuxt", "nuxi", "remix", "react-router", "unbuild"):
        config = text(
            *(f"{one}.config.{ending}" for one in {name, "nuxt" if name == "nuxi" else name} for ending in endings)
        )
        return told(
            config,
            r"out(?:Dir|put)\s*:\s*['\"]([^'\"]+)['\"]",
            r"outDir|output|buildDirectory|distPath|outBase|adapter|preset",
        )
    return ""


# Folders that are named for what a build makes.
_OUTPUT_FOLDERS = frozenset(
    ("dist", "build", "lib", "out", ".output", ".next", "output", "public/dist", "prod", "release")
)


def _by_start(site: Site, folder: str | None) -> tuple[str, ...]:
    """The folder that the image's command names, where its name is one of outputs."""
    workdir = site.build.after(site.stage).workdir
    for index in site.indexes:
        instruction = site.build.instructions[index]
        if instruction.name not in ("CMD", "ENTRYPOINT") or folder is None:
            continue
        words = instruction.arguments if instruction.json else tuple(" ".join(instruction.arguments).split())
        for word in words:
            path = site.joined(workdir, word.strip("\"'"))
            if path is not None and path.startswith(folder.rstrip("/") + "/"):
                first = path[len(folder.rstrip("/")) + 1 :].split("/")[0]
                if first in _OUTPUT_FOLDERS:
                    return (first,)
    return ()


# ----------------------------------------------------------------------------------------------------------- modules


def _pruning(
    site: Site, last: Placed, folder: str, manifest: "dict[str, Any]", started: str, every: set[str], notes: list[str]
) -> Finish:
    """The commands that take development dependencies out at the builder's end; none where that is not shown to be right."""
    installs = [placed for placed in site.commands if _installs(placed) and placed.command.use is not None]
    managers = {placed.command.use.manager.name for placed in installs if placed.command.use is not None}
    if any(
        placed.command.use is not None and (placed.command.use.production or placed.command.use.verb == "prune")
        for placed in installs
    ):
        return Finish()
    if any(placed.command.use is not None and placed.command.use.verb == "prune" for placed in site.commands):
        return Finish()
    if any(site.build.state(placed.instruction).lookup("NODE_ENV")[1] == "production" for placed in installs):
        return Finish()
    why = ""
    development = _names(manifest, "devDependencies")
    if managers - {"npm"}:
        why = f"`{sorted(managers - {'npm'})[0]}` is asked for no clean-up of its modules"
    elif not manifest:
        why = "package.json is not known"
    elif not development:
        return Finish()
    elif every & _GENERATES:
        why = f"`{sorted(every & _GENERATES)[0]}` writes into the modules"
    elif _runs_of(started) & _programs(development):
        why = "the image runs one of them"
    elif site.ending.workdir != folder:
        why = "the builder ends in another folder than the project's"
    elif re.search(r"-r\s|--require|--import|--loader", started):
        why = "the image's command loads modules by options"
    if why:
        notes.append(f"development dependencies stay among the modules: {why}")
        return Finish()
    notes.append("development dependencies are taken out: what the program needs must be among `dependencies`")
    words = ("npm", "prune", "--omit=dev" if projects.npm_is_new(site.build, last.instruction) else "--production")
    modules = posixpath.join(folder, "node_modules")
    return Finish((words,), (f"{modules}/**",), (f"{modules}/.package-lock.json",))


def _runs_of(started: str) -> set[str]:
    return {posixpath.basename(word) for word in re.split(r"[\s\"',;&|]+", started) if word}


def _programs(names: set[str]) -> set[str]:
    """The programs that packages bring, by their usual names."""
    found = set()
    for name in names:
        if name.startswith("@types/"):
            continue
        found |= {name, posixpath.basename(name), name.removesuffix("-cli"), name.strip("@").split("/")[0]}
    return found | ({"nest"} if "@nestjs/cli" in names else set()) | ({"ng"} if "@angular/cli" in names else set())
