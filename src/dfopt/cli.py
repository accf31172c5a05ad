"""The command line: one table of options, read by a short parser of our own in plain calls and by typer in all others.

Exit codes: 0 clean, 1 findings, 2 wrong use or a file that cannot be read, 3 a fault of dfopt; the highest one wins.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence

import dfopt
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, TextIO

    import typer

    from dfopt.config import Config
    from dfopt.plan import Plan
    from dfopt.report import Failure, Outcome, Run

CLEAN, FINDINGS, WRONG_USE, FAULT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141
STDIN = "-"


class Option(NamedTuple):
    """An option of `check` and `fix`: a flag (`metavar` empty), one of `choices`, a text, or (`many`) a list of texts;
    `default` is what it is where it is not given."""

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    many: bool = False
    default: object = None
    commands: tuple[str, ...] = ("check", "fix")


OPTIONS = (
    Option(
        "diff", ("--diff",), "Print the changes as a unified diff; write nothing.", default=False, commands=("fix",)
    ),
    Option("unsafe", ("--unsafe",), "Make the fixes too that want your consent.", default=False, commands=("fix",)),
    Option(
        "select",
        ("--select", "-s"),
        "Rules to run instead of the configured ones: codes, names, prefixes, `ALL`; with commas or repeated.",
        "RULES",
        many=True,
    ),
    Option("extend_select", ("--extend-select",), "Rules to run in addition.", "RULES", many=True),
    Option("ignore", ("--ignore", "-i"), "Rules not to run.", "RULES", many=True),
    Option("exit_zero", ("--exit-zero",), "Exit with 0 even where something is found.", default=False),
    Option(
        "fail_level",
        ("--fail-level",),
        "Exit with 1 only for findings of this severity or above; default `info`, which is any.",
        "LEVEL",
        ("error", "warning", "info"),
    ),
    Option(
        "format",
        ("--format", "-f"),
        "The form of the report.",
        "FORMAT",
        ("text", "json", "lsp", "github", "sarif"),
        default="text",
    ),
    Option("output", ("--output", "-o"), "Write the report to this file.", "FILE"),
    Option("quiet", ("--quiet", "-q"), "Print findings and errors only.", default=False),
    Option(
        "color",
        ("--color",),
        "When to use colours; `NO_COLOR` is honoured.",
        "WHEN",
        ("auto", "always", "never"),
        default="auto",
    ),
    Option("config", ("--config",), "Use this configuration file.", "FILE"),
    Option("no_config", ("--no-config", "--isolated"), "Use no configuration file.", default=False),
    Option("stdin_filename", ("--stdin-filename",), "What standard input is called, and where it would lie.", "FILE"),
    Option(
        "cache",
        ("--cache",),
        "The cache policy: mount caches or clean them up; default `auto`.",
        "POLICY",
        ("auto", "mount", "clean"),
    ),
    Option(
        "assembly",
        ("--assembly",),
        "Whether several COPY --from become one; default `auto`.",
        "POLICY",
        ("auto", "always", "off"),
    ),
    Option("context", ("--context",), "The build context; default: where all that the file copies lies.", "FOLDER"),
    Option(
        "build_context",
        ("--build-context",),
        "A named context that the build is given; repeatable.",
        "NAME[=VALUE]",
        many=True,
    ),
)

COMMANDS = {
    "check": "Report what makes images large, builds slow or their behaviour wrong.",
    "fix": "Rewrite Dockerfiles in place; report what was fixed and what is left.",
}
PATHS = "Files, folders or patterns; `-` is standard input; default: the current folder."


class Arguments(NamedTuple):
    """A call of `check` or `fix` as read: `values` has an entry for every option of the command."""

    command: str
    paths: tuple[str, ...]
    values: dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run dfopt with `argv` (default: the process's arguments) and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Python has None for a stream that was closed by whoever started it.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        arguments = None if "_DFOPT_COMPLETE" in os.environ else read_plain(words)
        code = run(arguments) if arguments is not None else run_typer(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _say(f"dfopt: {_reason(error)}\n")
        return WRONG_USE
    except Exception as error:
        _say(f"{_trace(error)}{_fault('dfopt', type(error).__name__)}\n")
        return FAULT


def read_plain(words: list[str]) -> Arguments | None:
    """The arguments of a plain `check` or `fix`; None for whatever typer must look at: help, errors, other commands."""
    if not words or words[0] not in COMMANDS:
        return None
    command = words[0]
    known = {flag: option for option in OPTIONS if command in option.commands for flag in option.flags}
    values: dict[str, Any] = {
        option.name: [] if option.many else option.default for option in OPTIONS if command in option.commands
    }
    paths: list[str] = []
    at = 1
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            paths += words[at:]
            break
        if not word.startswith("-") or word == STDIN:
            paths.append(word)
            continue
        flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        option = known.get(flag)
        if option is None:
            return None
        if not option.metavar:
            if equals:
                return None
            values[option.name] = True
            continue
        if not equals:
            if at == len(words):
                return None
            value = words[at]
            at += 1
        if option.choices and value not in option.choices:
            return None
        if option.many:
            values[option.name].append(value)
        else:
            values[option.name] = value
    return Arguments(command, tuple(paths), values)


def run_typer(words: list[str], act: Callable[[Arguments], int] | None = None) -> int:
    """Let typer read `words`; `check` and `fix` go to `act` (default: `run`)."""
    app = application(act or run)
    try:
        code = app(args=words, prog_name="dfopt")
    except SystemExit as exit:
        code = exit.code
    return code if isinstance(code, int) else CLEAN if code is None else WRONG_USE


def application(act: Callable[[Arguments], int]) -> typer.Typer:
    """The command line as typer knows it, made from the same table."""
    from typing import Literal

    import typer

    app = typer.Typer(
        name="dfopt",
        help="Find what makes Docker images large and builds slow, and rewrite it exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None if "NO_COLOR" in os.environ else "markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(value: bool) -> None:
        if value:
            print(f"dfopt {dfopt.__version__}")
            raise typer.Exit

    @app.callback()
    def start(
        version: bool = typer.Option(
            False, "--version", callback=show_version, is_eager=True, help="Print the version."
        ),
    ) -> None: ...

    for command, text in COMMANDS.items():
        app.command(command, help=text)(_function(command, act))

    @app.command("explain", help="Print the page of a rule.")
    def explain_command(rule: str = typer.Argument(metavar="RULE", help="A code or a name.")) -> None:
        raise typer.Exit(explain(rule))

    @app.command("ignore", help="Write or complete the ignore file of the build context that Dockerfiles are built in.")
    def ignore_command(
        paths: list[str] | None = typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        diff: bool = typer.Option(False, "--diff", help="Print the changes as a unified diff; write nothing."),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
    ) -> None:
        raise typer.Exit(ignore(tuple(paths or (".",)), diff, context))

    @app.command("verify", help="Build a Dockerfile as it is and as fixed, and compare the two images.")
    def verify_command(
        path: str = typer.Argument("Dockerfile", metavar="[PATH]", help="The Dockerfile."),
        against: str | None = typer.Option(
            None, "--against", metavar="FILE", help="Compare with this Dockerfile instead; nothing is declared then."
        ),
        unsafe: bool = typer.Option(False, "--unsafe", help="With the fixes too that want your consent."),
        select: list[str] = typer.Option([], "--select", "-s", metavar="RULES", help="Fix by these rules only."),
        ignore: list[str] = typer.Option([], "--ignore", "-i", metavar="RULES", help="Rules that fix nothing."),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
        target: str | None = typer.Option(None, "--target", metavar="STAGE", help="The stage to build."),
        build_arg: list[str] = typer.Option([], "--build-arg", metavar="NAME=VALUE", help="A build argument."),
        build_context: list[str] = typer.Option([], "--build-context", metavar="NAME=VALUE", help="A named context."),
        platform: str = typer.Option("", "--platform", metavar="OS/ARCH", help="The platform to build for."),
        engine: str = typer.Option(
            "",
            "--engine",
            metavar="ENGINE",
            help="docker, podman, buildah or buildctl; default: the first of these that answers.",
        ),
        engine_option: list[str] = typer.Option(
            [], "--engine-option", metavar="OPTION", help="An option for the engine's command line; repeatable."
        ),
        twice: bool = typer.Option(False, "--twice", help="Build the original twice, to tell noise from change."),
        rebuilds: bool = typer.Option(True, "--rebuilds/--no-rebuilds", help="Time rebuilds behind a change."),
        form: str = typer.Option("text", "--format", "-f", metavar="FORMAT", help="The report as text or json."),
        quiet: bool = typer.Option(False, "--quiet", "-q", help="Do not show what the engine says."),
        config: str | None = typer.Option(None, "--config", metavar="FILE", help="Use this configuration file."),
        no_config: bool = typer.Option(False, "--no-config", "--isolated", help="Use no configuration file."),
    ) -> None:
        values = {"config": config, "no_config": no_config, "select": select, "ignore": ignore, "context": context}
        build = {
            "target": target,
            "arguments": tuple(build_arg),
            "contexts": tuple(build_context),
            "platform": platform,
            "options": tuple(engine_option),
            "twice": twice,
            "rebuilds": rebuilds,
        }
        raise typer.Exit(verify(path, against, unsafe, values, build, engine, form, quiet))

    plan_help = "Print how the last stage of a Dockerfile would be split into builder and runtime, and what must be asked first."

    def plan_command(
        paths: list[str] | None = typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        form: str = typer.Option("text", "--format", "-f", help="The form of the report."),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
        config: str | None = typer.Option(None, "--config", metavar="FILE", help="Use this configuration file."),
        no_config: bool = typer.Option(False, "--no-config", "--isolated", help="Use no configuration file."),
    ) -> None:
        raise typer.Exit(plan(tuple(paths or (".",)), form, context, config, no_config))

    plan_command.__annotations__["form"] = Literal["text", "json"]
    app.command("plan", help=plan_help)(plan_command)

    @app.command("audit", help="Say what an image wastes: an archive, an OCI layout, or an image of an engine.")
    def audit_command(
        image: str = typer.Argument(metavar="IMAGE", help="A file or folder, or the name of an image."),
        dockerfile: str | None = typer.Option(
            None, "--dockerfile", metavar="FILE", help="What it was built from, to name its lines."
        ),
        limits: str | None = typer.Option(
            None, "--ci-config", metavar="FILE", help="Limits as dive has them; default: `.dive-ci` where there is one."
        ),
        lowest_efficiency: str | None = typer.Option(None, "--lowest-efficiency", metavar="SHARE", help="A limit."),
        highest_wasted: str | None = typer.Option(None, "--highest-wasted-bytes", metavar="BYTES", help="A limit."),
        highest_user_wasted: str | None = typer.Option(
            None, "--highest-user-wasted-percent", metavar="SHARE", help="A limit."
        ),
        max_size: str | None = typer.Option(None, "--max-size", metavar="BYTES", help="A limit of the image's size."),
        name: str = typer.Option("", "--name", metavar="NAME", help="Which of several images in an archive."),
        platform: str = typer.Option("", "--platform", metavar="OS/ARCH", help="Which of several platforms."),
        engine: str = typer.Option("", "--engine", metavar="ENGINE", help="The engine that has the image."),
        form: str = typer.Option("text", "--format", "-f", metavar="FORMAT", help="text, json, sarif or html."),
        output: str | None = typer.Option(
            None, "--output", "-o", metavar="FILE", help="Write the report to this file."
        ),
    ) -> None:
        given = {
            "lowest_efficiency": lowest_efficiency,
            "highest_wasted": highest_wasted,
            "highest_user_wasted": highest_user_wasted,
            "max_size": max_size,
        }
        raise typer.Exit(audit(image, dockerfile, limits, given, name, platform, engine, form, output))

    def order_command(
        paths: list[str] | None = typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        apply: bool = typer.Option(False, "--apply", help="Write the proposed order."),
        diff: bool = typer.Option(False, "--diff", help="Print the change as a unified diff; write nothing."),
        unsafe: bool = typer.Option(False, "--unsafe", help="With the changes too that want your consent."),
        log: str | None = typer.Option(
            None, "--costs", metavar="FILE", help="A log of a build, for what each step costs."
        ),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
        form: str = typer.Option("text", "--format", "-f", help="The form of the report."),
        config: str | None = typer.Option(None, "--config", metavar="FILE", help="Use this configuration file."),
        no_config: bool = typer.Option(False, "--no-config", "--isolated", help="Use no configuration file."),
    ) -> None:
        if apply and diff:
            raise typer.BadParameter("--apply writes and --diff does not: give one of them")
        raise typer.Exit(order(tuple(paths or (".",)), apply, diff, unsafe, log, context, form, config, no_config))

    order_command.__annotations__["form"] = Literal["text", "json"]
    app.command("order", help="Print what each step costs at a change, and the cheapest order; --apply writes it.")(
        order_command
    )

    @app.command("rules", help="List the rules.")
    def rules_command() -> None:
        raise typer.Exit(list_rules())

    return app


def _function(command: str, act: Callable[[Arguments], int]) -> Callable[..., None]:
    """A function with the signature that typer reads the options of `command` from."""
    import inspect
    from typing import Literal

    import typer

    def call(paths: Any, **values: Any) -> None:
        for option in OPTIONS:
            if option.name in values and option.many:
                values[option.name] = list(values[option.name] or ())
        raise typer.Exit(act(Arguments(command, tuple(paths or ()), values)))

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            "paths",
            kind,
            annotation=list[str] | None,
            default=typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        )
    ]
    for option in OPTIONS:
        if command not in option.commands:
            continue
        annotation: Any = bool
        if option.metavar:
            annotation = Literal[option.choices] if option.choices else str
            annotation = list[annotation] if option.many else annotation | None
        default = typer.Option(
            [] if option.many else option.default,
            *option.flags,
            help=option.help,
            metavar=None if option.choices else option.metavar or None,
            show_default=isinstance(option.default, str),
        )
        parameters.append(inspect.Parameter(option.name, kind, annotation=annotation, default=default))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__name__ = command
    return call


def run(arguments: Arguments) -> int:
    """Do a `check` or `fix`: find the files, work on each, report; one that cannot be done never stops the others."""
    from dfopt.config import ConfigError
    from dfopt.plan import UnknownRule, Wishes, configuration, placed, planner
    from dfopt.report import Run

    values = arguments.values
    wishes = Wishes(
        select=_split(values["select"]),
        extend_select=_split(values["extend_select"]),
        ignore=_split(values["ignore"]),
        fail_level=values["fail_level"],
        cache=values["cache"],
        assembly=values["assembly"],
        contexts=tuple(entry.partition("=")[0] for entry in values["build_context"]),
        context=values["context"],
    )
    if wishes.context is not None and not os.path.isdir(wishes.context):
        _say(f"dfopt: --context: `{wishes.context}` is no folder\n")
        return WRONG_USE
    try:
        plan = planner(wishes)
        settings = configuration(values["config"], values["no_config"])
    except (UnknownRule, ConfigError) as error:
        _say(f"dfopt: {error}\n")
        return WRONG_USE
    # Fixed text and diffs own standard output; the report makes way.
    aside = arguments.command == "fix" and (values.get("diff", False) or STDIN in arguments.paths)
    stream = sys.stderr if aside else sys.stdout
    job = Run(
        command=arguments.command,
        version=dfopt.__version__,
        diff=values.get("diff", False),
        unsafe=values.get("unsafe", False),
        quiet=values["quiet"],
        color=values["output"] is None and _colored(values["color"], stream),
    )
    tally = _Tally()
    known: dict[object, object] = {}
    results = _work(
        arguments,
        job,
        lambda config, path, on_disk: placed(plan(config, path), config, wishes, path if on_disk else None, known),
        settings,
        tally,
    )
    pieces = _renderer(values["format"])(results, job)
    if values["output"] is None:
        for piece in pieces:
            _write(stream, piece)
    else:
        from dfopt import files

        report = "".join(pieces)
        try:
            files.create(values["output"], report.encode("utf-8", "replace"))
        except OSError as error:
            _say(f"dfopt: {values['output']}: {error.strerror or error}\n")
            tally.code = max(tally.code, WRONG_USE)
    return CLEAN if tally.code == FINDINGS and values["exit_zero"] else tally.code


class _Tally:
    """The exit code so far."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code = CLEAN


def _work(
    arguments: Arguments,
    job: Run,
    plan: Callable[[Config, str, bool], Plan],
    settings: Callable[[str], Config],
    tally: _Tally,
) -> Iterator[Outcome | Failure]:
    """The results, file by file; errors are said as they come."""
    from dfopt import files
    from dfopt.config import ConfigError
    from dfopt.report import Failure, visible

    told: set[str] = set()
    exclusions: dict[str, list[Callable[[str], object]]] = {}

    def fail(path: str, message: str, code: int = WRONG_USE) -> Iterator[Failure]:
        tally.code = max(tally.code, code)
        if message not in told:  # one broken configuration speaks for all files below it
            told.add(message)
            _say(f"dfopt: {visible(message)}\n")
            yield Failure(path, message, code == FAULT)

    def excluded(path: str) -> bool:
        try:
            config = settings(os.path.dirname(path))
        except ConfigError:
            return False  # said when a file below is done
        if config.exclude and config.path not in exclusions:
            exclusions[config.path] = [files.pattern(text).fullmatch for text in config.exclude]
        below = files.relative(path, config.folder) if config.exclude else None
        return below is not None and any(matches(below) for matches in exclusions[config.path])

    nothing = True
    for found in files.find(arguments.paths or (".",), excluded):
        nothing = False
        if found.error:
            yield from fail(found.path, f"{found.path}: {found.error[:1].lower()}{found.error[1:]}")
            continue
        stdin = found.path == STDIN
        path = (arguments.values["stdin_filename"] or "<stdin>") if stdin else found.path
        try:
            data = _read_stdin() if stdin else files.read(path)
        except OSError as error:
            yield from fail(path, f"{path}: {_reason(error)}")
            continue
        answered = False
        try:
            chosen = plan(settings(os.path.dirname(path)), path, not stdin)
            outcome, after = _outcome(path, data, chosen, job)
            if stdin and job.command == "fix" and not job.diff:
                answered = True
                _write_bytes(after)
            elif outcome.changed and job.diff:
                _write_bytes(_diff(path, data, after, _colored(arguments.values["color"], sys.stdout)))
            elif outcome.changed:
                files.replace(path, data, after)
                outcome = outcome._replace(written=True)
            for fault in outcome.fixed.faults if outcome.fixed is not None else ():
                yield from fail(path, _fault(path, f"{fault.message} ({', '.join(fault.codes)})"), FAULT)
            floor = _RANK[chosen.fail_level]
            failing = any(_RANK.get(item.severity, 0) >= floor for item in outcome.report.diagnostics)
            if failing or (job.diff and outcome.changed):
                tally.code = max(tally.code, FINDINGS)
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except ConfigError as error:
            yield from fail(path, str(error))
        except OSError as error:
            yield from fail(path, f"{path}: {_reason(error)}")
        except Exception as error:  # a fault of dfopt in one file is no reason to leave the others undone
            yield from fail(path, _fault(path, f"{type(error).__name__}: {error}"), FAULT)
            _say(_trace(error))
        else:
            yield outcome
            continue
        if stdin and job.command == "fix" and not job.diff and not answered:
            _write_bytes(data)  # whoever pipes a file through must not lose it
    if nothing and not job.quiet:
        where = ", ".join(f"`{visible(target)}`" for target in arguments.paths or (".",))
        _say(f"dfopt: no Dockerfile found in {where} -> name the file itself if it has another name\n")


_RANK = {"error": 3, "warning": 2, "info": 1}


def _outcome(path: str, data: bytes, plan: Plan, job: Run) -> tuple[Outcome, bytes]:
    """What checking or fixing one text gives, and the bytes after."""
    from dfopt import engine
    from dfopt.report import Outcome
    from dfopt.source import Source

    source = Source.from_bytes(data, path)
    if job.command == "check":
        return Outcome(path, engine.check(source, plan.rules, plan.given, plan.severities)), data
    fixed = engine.fix(source, plan.rules, plan.given, plan.severities, job.unsafe)
    outcome = Outcome(path, fixed.report, fixed)
    return outcome, fixed.source.to_bytes() if outcome.changed else data


def _diff(path: str, before: bytes, after: bytes, color: bool) -> bytes:
    """A unified diff, byte for byte, that `patch` and `git apply` take."""
    import difflib

    old, new = ([line.decode("latin-1") for line in data.split(b"\n")] for data in (before, after))
    name = os.fsencode(path).decode("latin-1").replace("\n", "?")
    lines = []
    for number, line in enumerate(difflib.unified_diff(_ended(old), _ended(new), f"a/{name}", f"b/{name}")):
        line, ended, _ = line.partition("\n")
        text = line + "\n" + ("" if ended else "\\ No newline at end of file\n")
        if color:
            paint = "\x1b[1m" if number < 2 else {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}.get(line[:1], "")
            text = f"{paint}{line}\x1b[0m\n{text[len(line) + 1 :]}" if paint else text
        lines.append(text)
    return "".join(lines).encode("latin-1")


def _ended(lines: list[str]) -> list[str]:
    """Lines split at LF, each with its LF again; no last line where the text ends in LF."""
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def explain(name: str) -> int:
    """Print the page of a rule."""
    from dfopt import catalogue

    try:
        page = catalogue.page(name)
    except KeyError as error:
        _say(f"dfopt: {error.args[0]}\n")
        return WRONG_USE
    _write(sys.stdout, page if page.endswith("\n") else page + "\n")
    return CLEAN


def ignore(paths: Sequence[str], diff: bool, root: str | None) -> int:
    """Write or complete ignore files, one for each build context of the Dockerfiles found; 1 where `diff` shows a change."""
    from dfopt import context, files, ignoring
    from dfopt.build import Build
    from dfopt.rule import Given, Place
    from dfopt.source import Source
    from dfopt.syntax import parse

    if root is not None and not os.path.isdir(root):
        _say(f"dfopt: --context: `{root}` is no folder\n")
        return WRONG_USE
    code = CLEAN
    places: dict[tuple[str, str], tuple[context.Context, list[tuple[str, Build]]]] = {}
    for found in files.find(paths, lambda path: False):
        try:
            if found.error or found.path == STDIN:
                raise OSError(found.error or "standard input has no build context")
            build = Build(parse(Source.from_bytes(files.read(found.path), found.path)))
            if build.syntax.fatal:
                raise OSError("BuildKit refuses it -> `dfopt check` says why")
            folder = root or context.root_of(build, Given(place=Place(found.path))) or os.path.dirname(found.path)
            place = context.open_context(folder, found.path)
        except (OSError, context.BadPattern) as error:
            line = f":{error.line}" if isinstance(error, context.BadPattern) else ""
            _say(f"dfopt: {found.path}{line}: {error}\n")
            code = WRONG_USE
            continue
        key = (os.path.realpath(folder), place.ignore.path)
        places.setdefault(key, (place, []))[1].append((found.path, build))
    for place, builds in places.values():
        proposal = ignoring.propose(place, builds)
        path = os.path.relpath(proposal.path)
        before = (proposal.before or "").encode("utf-8", "surrogateescape")
        after = proposal.after.encode("utf-8", "surrogateescape")
        if diff and proposal.added:
            _write_bytes(_diff(path, before, after, _colored("auto", sys.stdout)))
            code = max(code, FINDINGS)
        elif proposal.added and proposal.before is None:
            files.create(proposal.path, after)
        elif proposal.added:
            files.replace(proposal.path, before, after)
        stream = sys.stderr if diff else sys.stdout
        _write(stream, "".join(line + "\n" for line in ignoring.told(proposal, path, diff)))
    if not places and code == CLEAN:
        _say("dfopt: no Dockerfile found -> name the file itself if it has another name\n")
    return code


def verify(
    path: str,
    against: str | None,
    unsafe: bool,
    values: dict[str, Any],
    build: dict[str, Any],
    engine: str,
    form: str,
    quiet: bool,
) -> int:
    """Build a file as it is and as fixed, and say what differs; 0 proved, 1 not, 2 wrong use or no engine, 4 a build failed."""
    from dfopt import context, files
    from dfopt import engine as fixing
    from dfopt.build import Build
    from dfopt.config import ConfigError
    from dfopt.images import UnreadableImage
    from dfopt.plan import UnknownRule, Wishes, configuration, placed, planner
    from dfopt.source import Source
    from dfopt.syntax import parse
    from dfopt.verify import engines, prove, request_for, show

    names = tuple(entry.partition("=")[0] for entry in build["contexts"])
    wishes = Wishes(
        select=_split(values["select"]), ignore=_split(values["ignore"]), contexts=names, context=values["context"]
    )
    try:
        for option, given, choices in (
            ("--engine", engine, ("", *engines.NAMES)),
            ("--format", form, ("text", "json")),
        ):
            if given not in choices:
                raise ValueError(f"{option}: `{given}` -> one of {', '.join(choice for choice in choices if choice)}")
        if values["context"] is not None and not os.path.isdir(values["context"]):
            raise ValueError(f"--context: `{values['context']}` is no folder")
        config = configuration(values["config"], values["no_config"])(os.path.dirname(path))
        plan = placed(planner(wishes)(config, path), config, wishes, path, {})
        source = Source.from_bytes(files.read(path), path)
        other = Source.from_bytes(files.read(against), against) if against is not None else None
        for one in (source, other):
            if one is not None and parse(one).fatal:
                raise ValueError(f"{one.name}: BuildKit refuses it -> `dfopt check` says why")
        fixed = None if other is not None else fixing.fix(source, plan.rules, plan.given, plan.severities, unsafe)
        for fault in fixed.faults if fixed is not None else ():
            told = f"{fault.message} ({', '.join(fault.codes)})"
            _say(f"dfopt: {_fault(path, told)}\n")
            return FAULT
        after = other or (fixed.source if fixed is not None else source)
        if after.text == source.text:
            _write(sys.stdout, f"{path}: nothing to prove: there is no difference\n")
            return CLEAN
        root = context.root_of(Build(parse(source), plan.given.contexts), plan.given) or os.path.dirname(path) or "."
        request = request_for(source, fixed, after, plan.given, root, path, build.pop("target"))._replace(
            **{**build, "options": engines.words(build["options"])}
        )
        say = (lambda line: None) if quiet else (lambda line: _say(line + "\n"))
        with engines.at_work(engine, request.options) as found:
            proof = prove(request, found, say)
            told = f"{found.name} {found.version}"
    except KeyError as error:
        _say(f"dfopt: {path}: there is no stage `{error.args[0]}`\n")
        return WRONG_USE
    except (UnknownRule, ConfigError, ValueError, engines.NoEngine, UnreadableImage) as error:
        _say(f"dfopt: {error}\n")
        return WRONG_USE
    except OSError as error:
        _say(f"dfopt: {error.filename or path}: {_reason(error)}\n")
        return WRONG_USE
    _write(sys.stdout, (show.data if form == "json" else show.text)(request, proof, told))
    return proof.code


def plan(paths: Sequence[str], form: str, root: str | None, config: str | None, no_config: bool) -> int:
    """Print the plans for the last stages of the Dockerfiles found; 2 where a file or the configuration cannot be used."""
    from dfopt import files
    from dfopt.build import Build
    from dfopt.config import ConfigError
    from dfopt.plan import Wishes, configuration, placed, planner
    from dfopt.report import plans
    from dfopt.source import Source
    from dfopt.syntax import parse
    from dfopt.synthesis import plan_of

    if root is not None and not os.path.isdir(root):
        _say(f"dfopt: --context: `{root}` is no folder\n")
        return WRONG_USE
    code = CLEAN
    wishes = Wishes(context=root)
    known: dict[object, object] = {}
    found: list[plans.Planned] = []
    try:
        base, settings = planner(wishes), configuration(config, no_config)
    except ConfigError as error:
        _say(f"dfopt: {error}\n")
        return WRONG_USE
    for one in files.find(paths, lambda path: False):
        stdin = one.path == STDIN
        try:
            if one.error:
                raise OSError(one.error[:1].lower() + one.error[1:])
            data = _read_stdin() if stdin else files.read(one.path)
            config_of = settings(os.path.dirname(one.path))
            given = placed(base(config_of, one.path), config_of, wishes, None if stdin else one.path, known).given
            build = Build(parse(Source.from_bytes(data, one.path)), given.contexts)
            if build.syntax.fatal or build.final is None:
                raise ValueError("BuildKit refuses it -> `dfopt check` says why")
            found.append(plans.Planned("<stdin>" if stdin else one.path, build, plan_of(build, given, build.final)))
        except ConfigError as error:
            _say(f"dfopt: {error}\n")
            code = WRONG_USE
        except (OSError, ValueError) as error:
            _say(f"dfopt: {one.path}: {_reason(error) if isinstance(error, OSError) else error}\n")
            code = WRONG_USE
    _write(sys.stdout, plans.json_of(found) if form == "json" else plans.text_of(found))
    if not found and code == CLEAN:
        _say("dfopt: no Dockerfile found -> name the file itself if it has another name\n")
    return code


def audit(
    image: str,
    dockerfile: str | None,
    config: str | None,
    given: dict[str, str | None],
    name: str,
    platform: str,
    engine: str,
    form: str,
    output: str | None,
) -> int:
    """Say what an image wastes; 1 where it is beyond a limit, 2 for wrong use or what is no image."""
    import tempfile

    from dfopt import audit as auditing
    from dfopt import files, images
    from dfopt.audit import limits as limiting
    from dfopt.audit import show
    from dfopt.source import Source
    from dfopt.verify import engines

    try:
        forms = ("text", "json", "sarif", "html")
        if form not in forms:
            raise ValueError(f"--format: `{form}` -> one of {', '.join(forms)}")
        config = config or next((path for path in (".dive-ci", ".dive-ci.yaml") if os.path.isfile(path)), None)
        limits = limiting.read(config) if config is not None else limiting.Limits()
        for key, value in given.items():
            if value is not None:
                limits = limiting.with_limit(limits, key, value)
        source = Source.from_bytes(files.read(dockerfile), dockerfile) if dockerfile is not None else None
        if os.path.exists(image):
            found = images.read(image, name, platform)
        else:
            with tempfile.TemporaryDirectory(prefix="dfopt-") as folder, engines.at_work(engine) as at_work:
                archive = os.path.join(folder, "image.tar")
                at_work.save(image, archive, lambda line: None)
                found = images.read(archive, name, platform)
        found = found._replace(name=name or (os.path.basename(image.rstrip("/")) if os.path.exists(image) else image))
    except engines.NoEngine as error:
        _say(f"dfopt: there is no file `{image}`, and {error}\n")
        return WRONG_USE
    except (ValueError, engines.BuildFailed, images.UnreadableImage) as error:
        _say(f"dfopt: {error}\n")
        return WRONG_USE
    except OSError as error:
        _say(f"dfopt: {error.filename or image}: {_reason(error)}\n")
        return WRONG_USE
    result = auditing.audit(found, source)
    beyond = limiting.broken(result, limits)
    report = {
        "text": lambda: show.text(result, beyond),
        "json": lambda: show.data(result, beyond),
        "sarif": lambda: show.sarif(result, beyond, dockerfile or ""),
        "html": lambda: show.page(result, beyond),
    }[form]()
    if output is None:
        _write(sys.stdout, report)
    else:
        try:
            files.create(output, report.encode("utf-8", "replace"))
        except OSError as error:
            _say(f"dfopt: {output}: {_reason(error)}\n")
            return WRONG_USE
    return FINDINGS if beyond else CLEAN


def order(
    paths: Sequence[str], apply: bool, diff: bool, unsafe: bool, log: str | None, root: str | None, form: str,
    config: str | None, no_config: bool,
) -> int:  # fmt: skip
    """Print, or write, the cheapest order of the Dockerfiles found; 1 where a cheaper one than the file's is known and not written."""
    from dfopt import context, costs, files, reorder
    from dfopt.config import ConfigError
    from dfopt.plan import Wishes, configuration, placed, planner
    from dfopt.report import orders
    from dfopt.source import Source

    if root is not None and not os.path.isdir(root):
        _say(f"dfopt: --context: `{root}` is no folder\n")
        return WRONG_USE
    wishes = Wishes(context=root)
    known: dict[object, object] = {}
    try:
        base, settings = planner(wishes), configuration(config, no_config)
        given = () if log is None else (costs.read_log(files.read(log).decode("utf-8", "replace")),)
    except ConfigError as error:
        _say(f"dfopt: {error}\n")
        return WRONG_USE
    except (OSError, costs.BadLog) as error:
        _say(f"dfopt: --costs: `{log}`: {_reason(error) if isinstance(error, OSError) else error}\n")
        return WRONG_USE
    code, nothing = CLEAN, True
    found: list[orders.Result] = []
    for one in files.find(paths, lambda path: False):
        nothing = False
        stdin = one.path == STDIN
        path = "<stdin>" if stdin else one.path
        try:
            if one.error:
                raise OSError(one.error[:1].lower() + one.error[1:])
            data = _read_stdin() if stdin else files.read(one.path)
            chosen = settings(os.path.dirname(one.path))
            # A file that comes by a pipe lies nowhere, whatever context the configuration names.
            plan = placed(base(chosen, path), chosen, wishes, one.path, known) if not stdin else base(chosen, path)
            logs = given if stdin else (*given, costs.recorded(one.path))
            source = Source.from_bytes(data, path)
            try:
                proposal = reorder.propose(source, plan, logs, unsafe)
            except reorder.Refused as error:
                _say(f"dfopt: {path}: {error}\n")
                code = max(code, FINDINGS)
                if stdin and apply:
                    _write_bytes(data)
                continue
            after = proposal.after.to_bytes() if proposal.changes else data
            written = apply and bool(proposal.changes)
            if stdin and apply:
                _write_bytes(after)
            elif written:
                files.replace(one.path, data, after)
            elif diff and proposal.changes:
                _write_bytes(_diff(path, data, after, _colored("auto", sys.stdout)))
            if proposal.left or (proposal.changes and not written):
                code = max(code, FINDINGS)
            found.append(orders.Result(proposal, written))
        except ConfigError as error:
            _say(f"dfopt: {error}\n")
            code = max(code, WRONG_USE)
        except (OSError, context.BadPattern) as error:
            _say(f"dfopt: {path}: {_reason(error) if isinstance(error, OSError) else error}\n")
            code = max(code, WRONG_USE)
    stream = sys.stderr if diff or (apply and STDIN in paths) else sys.stdout
    if found or form == "json":
        _write(stream, orders.json_of(found) if form == "json" else orders.text_of(found))
    if nothing:
        _say("dfopt: no Dockerfile found -> name the file itself if it has another name\n")
    return code


def list_rules() -> int:
    """Print a line for each rule."""
    from dfopt import catalogue

    infos = catalogue.infos()
    rows = [("code", "name", "severity", "default", "fix", "what it finds")]
    rows += [
        (info.code, info.name, info.severity, "on" if info.default else "off", info.fixable, info.summary)
        for info in infos
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [*(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)), row[5]]
        _write(sys.stdout, "  ".join(cells).rstrip() + "\n")
    return CLEAN


def _renderer(name: str) -> Callable[[Iterator[Outcome | Failure], Run], Iterator[str]]:
    """Import the one form that is asked for."""
    match name:
        case "json":
            from dfopt.report.json import render
        case "lsp":
            from dfopt.report.lsp import render
        case "github":
            from dfopt.report.github import render
        case "sarif":
            from dfopt.report.sarif import render
        case _:
            from dfopt.report.text import render
    return render


def _split(entries: list[str]) -> tuple[str, ...]:
    return tuple(part.strip() for entry in entries for part in entry.split(",") if part.strip())


def _colored(when: str, stream: TextIO) -> bool:
    if when != "auto":
        return when == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def _fault(path: str, what: str) -> str:
    from dfopt.report import ISSUES

    return (
        f"{path}: a fault of dfopt: {what} -> nothing is wrong on your side; please report it at {ISSUES} with the file"
    )


def _trace(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


def _read_stdin() -> bytes:
    if sys.stdin is None:  # closed by whoever started the process
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read()


def _write(stream: TextIO, text: str) -> None:
    """Write text whatever the stream's encoding can hold."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _write_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _say(text: str) -> None:
    """Write to standard error, in order with what standard output got."""
    sys.stdout.flush()
    _write(sys.stderr, text)


def _silence() -> None:
    """Whoever read standard output is gone: let Python's last flush go nowhere instead of complaining."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
