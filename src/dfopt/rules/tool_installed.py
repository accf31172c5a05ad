"""A tool that is installed by a package manager or a script from the network, though its publisher ships it in an image to copy from."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import rewrite
from dfopt.build import Build, Run, Stage
from dfopt.packages import Use
from dfopt.rule import Adds, AddsCopy, Changes, DropsCommand, DropsWord, Effect, Finding, Fix, Given, Layers, Removes
from dfopt.shell import Simple
from dfopt.source import Edit, Span
from dfopt.startup import NamedTuple, pattern


class _Tool(NamedTuple):
    """A tool and its image. `tag` makes a tag of a version, `paths` are its programs in the image; `folder` is where they go; `script` is the
    address of its installer, whose group is a version; `first` is the first version whose image is known to be so; `static` is whether
    it runs on any Linux, else on glibc alone; `left` are texts of a file that names what the image does not bring."""

    name: str
    image: str
    tag: str
    paths: tuple[str, ...]
    folder: str
    script: str
    first: tuple[int, ...]
    static: bool
    left: str


# Sources: the tools' own pages on their images, as known in 2026-11. uv's image had no `uvx` in its first versions.
_TOOLS = (
    _Tool("uv", "ghcr.io/astral-sh/uv", "{}", ("/uv", "/uvx"), "/bin/", r"https?://astral\.sh/uv/(?:(\d[\w.]*)/)?install\.sh", (0, 5, 0), True,
          r"-m[\s\",]+uv\b|bin/uvx?\b|\.(?:local|cargo)/(?:bin/)?env\b|uninstall\s[^\n]*\buv\b|import uv\b"),
    _Tool("uv", "ghcr.io/astral-sh/uv", "{}", ("/uv",), "/bin/", r"https?://astral\.sh/uv/(?:(\d[\w.]*)/)?install\.sh", (0, 3, 0), True,
          r"\buvx\b|-m[\s\",]+uv\b|bin/uvx?\b|\.(?:local|cargo)/(?:bin/)?env\b|uninstall\s[^\n]*\buv\b|import uv\b"),
    _Tool("composer", "composer", "{}", ("/usr/bin/composer",), "", r"https?://getcomposer\.org/installer", (2, 0, 0), True, r"self-update"),
    _Tool("bun", "oven/bun", "{}", ("/usr/local/bin/bun",), "/usr/local/bin/", r"https?://bun\.(?:sh|com)/install", (1, 0, 0), False,
          r"\bbunx\b|\.bun/bin/bun\b|bun upgrade|uninstall\s[^\n]*\bbun\b"),
    _Tool("deno", "denoland/deno", "bin-{}", ("/deno",), "/usr/local/bin/", r"https?://(?:deno\.land(?:/x/install)?|deno\.com)/install\.sh", (1, 20, 0), False,
          r"\.deno/bin/deno\b|deno upgrade|DENO_INSTALL_ROOT"),
)  # fmt: skip

# Which package manager brings which tool.
_PACKAGES = {("pip", "uv"), ("npm", "bun")}
_VERSION = pattern(r"v?(\d+\.\d+\.\d+)")
_SHELLS = frozenset("sh bash dash ash".split())
# What decides where uv's installer puts it.
_FOLDERS = ("UV_INSTALL_DIR", "UV_UNMANAGED_INSTALL", "XDG_BIN_HOME", "BUN_INSTALL", "DENO_INSTALL")


class _Install(NamedTuple):
    """An install of a tool: `version` is what its author pins, "" where nothing; `target` is where the programs go, "" for the tool's own
    folder; `command` is its index in the script (None: it cannot be taken out), `word` the one word of it where it installs more;
    `doubt` says why it is left alone."""

    tool: str
    simple: Simple
    end: int
    version: str
    target: str
    command: int | None
    word: int | None
    doubt: str


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        for index in stage.indexes:
            run = build.run(index)
            if run is None or run.script.opaque is not None or build.windows:
                continue
            for install in (*_by_manager(run), *_by_script(run)):
                yield _finding(build, stage, index, run, install)


def _by_manager(run: Run) -> Iterator[_Install]:
    for use in run.uses:
        if use.action != "install" or use.verb != "install" or (use.manager.name == "npm" and not use.has("--global")):
            continue
        for word in use.operands:
            name, mark, rest = _split(word.value or "", use)
            if (use.manager.name, name) not in _PACKAGES:
                continue
            pinned = _VERSION.fullmatch(rest) if mark else None
            doubt = ""
            if (
                use.uncertain
                or use.has("--target", "--prefix", "--root", "--user", "--only-binary", "--no-binary")
                or use.prefix[:1] == ("sudo",)
            ):
                doubt = "its options may say where it goes"
            alone = len(use.operands) == 1 and not use.manifests
            at = None if alone else use.command.words.index(word)
            yield _Install(
                name,
                use.command,
                use.command.end,
                pinned[1] if pinned else "",
                "",
                rewrite.step_of(run, use.command),
                at,
                doubt,
            )


def _split(text: str, use: Use) -> tuple[str, str, str]:
    """A package's name, the mark of an exact version, and what follows."""
    if use.manager.name == "npm":
        return text.partition("@")
    return text.partition("==")


def _by_script(run: Run) -> Iterator[_Install]:
    """The installers that are fetched and handed to a shell, or to PHP."""
    for number, step in enumerate(run.script.steps):
        commands = step.pipeline.commands
        if len(commands) != 2 or step.pipeline.negated:
            continue
        fetch, shell = commands
        if not isinstance(fetch, Simple) or not isinstance(shell, Simple) or not fetch.words or not shell.words:
            continue
        if posixpath.basename(fetch.words[0].value or "") not in ("curl", "wget"):
            continue
        words = [word.value for word in shell.words]
        settings = {one.name: one.value.value if one.value is not None else "" for one in shell.assignments}
        if words[0] == "env":
            while len(words) > 1 and "=" in (words[1] or ""):
                name, _, value = (words.pop(1) or "").partition("=")
                settings[name] = value
            del words[0]
        for tool in _TOOLS:
            address = next(
                (
                    hit
                    for word in fetch.words[1:]
                    if (hit := re.fullmatch(tool.script, word.value or word.text.strip("\"'")))
                ),
                None,
            )
            if address is None or not words:
                continue
            install = _of_composer if tool.name == "composer" else _of_shell
            found = install(tool, words, settings, address[1] if address.re.groups else None)
            if found is not None:
                version, target, doubt = found
                yield _Install(tool.name, fetch, step.pipeline.end, version, target, number, None, doubt)
            break


def _of_shell(
    tool: _Tool, words: list[str | None], settings: dict[str, str | None], version: str | None
) -> tuple[str, str, str] | None:
    if posixpath.basename(words[0] or "") not in _SHELLS:
        return None
    rest = [word for word in words[1:] if word not in ("-", "-s", "--", "-e", "-x", "-ex", "-y", "--yes")]
    if version is None and len(rest) == 1 and rest[0] is not None:
        pinned = _VERSION.fullmatch(rest[0].removeprefix("bun-"))
        version, rest = (pinned[1], []) if pinned else (None, rest)
    chosen = [value for name, value in settings.items() if name in _FOLDERS]
    doubt = "its options may say where it goes" if rest or len(chosen) > 1 else ""
    target = ""
    if chosen:
        if chosen[0] is None or not chosen[0].startswith("/") or tool.name != "uv":
            doubt = "it is not known where it goes"
        else:
            target = chosen[0].rstrip("/") + "/"
    return version or "", target, doubt


def _of_composer(
    tool: _Tool, words: list[str | None], settings: dict[str, str | None], version: str | None
) -> tuple[str, str, str] | None:
    if not re.fullmatch(r"php[\d.]*", posixpath.basename(words[0] or "")):
        return None
    given: dict[str, str] = {}
    for word in words[1:]:
        name, _, value = (word or "?").partition("=")
        given[name] = value
    folder = given.get("--install-dir", "")
    name = given.get("--filename", "composer.phar")
    doubt = ""
    if not folder.startswith("/") or given.keys() - {"--", "--install-dir", "--filename", "--version", "--quiet"}:
        doubt = "it is not known where it goes"
    pinned = _VERSION.fullmatch(given.get("--version", ""))
    return pinned[1] if pinned else "", posixpath.join(folder, name), doubt


def _finding(build: Build, stage: Stage, index: int, run: Run, install: _Install) -> Finding:
    version = tuple(map(int, install.version.split("."))) if install.version else None
    rows = [tool for tool in _TOOLS if tool.name == install.tool]
    tool = next((row for row in rows if version is None or version >= row.first), rows[0])
    tag = tool.tag.format(install.version or "<version>")
    target = install.target if install.target.startswith("/") else tool.folder or "/usr/local/bin/composer"
    copy = f"COPY --from={tool.image}:{tag} {' '.join(tool.paths)} {target}"
    span = run.span(install.simple.start, install.end)
    message = f"`{tool.name}` is installed here, though its publisher ships it in an image -> `{copy}`"
    refusal = install.doubt
    if not refusal and version is None:
        refusal = f"no version of `{tool.name}` is named, and `latest` would change it with each new release"
    if not refusal and version is not None and version < tool.first:
        refusal = "this version's image is not known"
    if not refusal:
        refusal = _needed(build, stage, tool)
    fix = None if refusal else _fix(build, stage, index, run, install, tool, tag, target, copy)
    if fix is None and not refusal:
        refusal = "other commands hang on this one"
    return Finding(span, message, fix, None, (), refusal)


def _needed(build: Build, stage: Stage, tool: _Tool) -> str:
    """What of a file needs the tool to be as it was installed; "" where nothing is known to."""
    facts = stage.facts
    if not tool.static and (facts is None or facts.distribution not in ("debian", "redhat", "suse", "arch")):
        return f"the image's `{tool.name}` needs glibc, which this stage is not known to have"
    for one in build.stages:
        for number in one.indexes:
            instruction = build.instructions[number]
            texts = (instruction.logical.text, *(heredoc.body.text for heredoc in instruction.heredocs))
            for text in texts:
                found = re.search(tool.left, text)
                if found is not None:
                    return f"`{found[0].strip()}` speaks of it as it is installed here"
    return ""


def _fix(
    build: Build, stage: Stage, index: int, run: Run, install: _Install, tool: _Tool, tag: str, target: str, copy: str
) -> Fix | None:
    if install.command is None:
        return None
    instruction = build.instructions[index]
    whole = install.word is None and len(run.script.steps) == 1
    edits: tuple[Edit, ...]
    dropped: Effect = DropsCommand(index, install.command)
    if whole:
        if any(flag.name != "mount" or "type=cache" not in (flag.value or "") for flag in instruction.flags):
            return None
        above = rewrite.inner_comments(build, index)
        newline = build.syntax.source.newline
        place = Span(instruction.span.start, instruction.text_span.end) if not run.heredoc else instruction.span
        ending = newline if run.heredoc else ""
        edits = (Edit(place, "".join(line + newline for line in above) + copy + ending),)
    else:
        start = rewrite.block_start(build, index)
        if install.word is not None:
            words = install.simple.words
            word = words[install.word]
            edits = (
                rewrite.insert_lines(build, start, [copy]),
                rewrite.drop_word(build, run, words[install.word - 1].end, word.start, word.end),
            )
            dropped = DropsWord(index, word.start)
        else:
            gone = rewrite.drop_command(build, index, install.command)
            if gone is None:
                return None
            first = gone.edits[0]
            lines = [*gone.comments, copy]
            if first.span.start == first.span.end:  # its comments, which speak of what stays
                edits = (rewrite.insert_lines(build, start, lines), *gone.edits) if first.span.start != start else ()
            else:
                edits = (rewrite.insert_lines(build, start, lines), *gone.edits)
            if not edits:
                return None
    programs = tuple(target if not target.endswith("/") else target + posixpath.basename(path) for path in tool.paths)
    images = (stage, *build.children(stage))
    effects: list[Effect] = [AddsCopy(index, tool.paths, target, (f"--from={tool.image}:{tag}",)), dropped]
    for one in images:
        effects.append(Adds((*programs, *(f"/usr{path}" for path in programs if path.startswith("/bin/"))), one.index))
        left = (_BY_SCRIPT if install.word is None and install.end != install.simple.end else _BY_MANAGER)[tool.name]
        effects += [Removes(left, one.index), Changes(tuple(path for path in left if "." in path), one.index)]
        if not whole:
            effects.append(Layers(one.index, 1))
    agreed = f"to agree: `{tool.name}` comes from `{tool.image}` to `{target}`, and is no longer where it was installed"
    return Fix(f"copy `{tool.name}` from its image", edits, False, agreed, tuple(effects))


# What an install left, by its manager and by its script; where a virtual environment or HOME is, is not known.
_BY_MANAGER = {
    "uv": ("/**/*-packages/uv", "/**/*-packages/uv/**", "/**/*-packages/uv-*.dist-info", "/**/*-packages/uv-*.dist-info/**",
           "/**/bin/uv", "/**/bin/uvx", "/**/.cache", "/**/.cache/pip", "/**/.cache/pip/**"),
    "bun": ("/**/node_modules/bun", "/**/node_modules/bun/**", "/**/bin/bun", "/**/bin/bunx", "/**/.npm/**"),
}  # fmt: skip
_BY_SCRIPT = {
    "uv": ("/**/.local", "/**/.local/bin", "/**/bin/uv", "/**/bin/uvx", "/**/bin/env", "/**/bin/env.fish", "/**/.config/uv/**", "/**/.profile",
           "/**/.bashrc", "/**/.bash_profile", "/**/.zshrc", "/**/.zshenv"),
    "composer": ("/**/.composer/**",),
    "bun": ("/**/.bun", "/**/.bun/**", "/**/.bashrc"),
    "deno": ("/**/.deno", "/**/.deno/**", "/**/.bashrc", "/**/.profile"),
}  # fmt: skip
