"""The command line: one table of options, read by a short parser of our own in plain calls and by typer in all others.

Exit codes: 0 clean, 1 findings, 2 wrong use or a file that cannot be read, 3 a fault of dfopt; the highest one wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

import dfopt
from dfopt import console
from dfopt.console import BROKEN_PIPE, CLEAN, FAULT, FINDINGS, INTERRUPTED, STDIN, WRONG_USE, WrongUse
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    import typer

    from dfopt.config import Config
    from dfopt.plan import Plan
    from dfopt.report import Failure, Outcome, Run


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
        console.silence()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except WrongUse as error:
        console.say(f"dfopt: {error}\n")
        return WRONG_USE
    except OSError as error:
        console.say(f"dfopt: {console.reason(error)}\n")
        return WRONG_USE
    except Exception as error:
        console.say(f"{console.trace(error)}{console.fault('dfopt', type(error).__name__)}\n")
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
        from dfopt import commands

        raise typer.Exit(commands.explain(rule))

    @app.command("ignore", help="Write or complete the ignore file of the build context that Dockerfiles are built in.")
    def ignore_command(
        paths: list[str] | None = typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        diff: bool = typer.Option(False, "--diff", help="Print the changes as a unified diff; write nothing."),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
    ) -> None:
        from dfopt import commands

        raise typer.Exit(commands.ignore(tuple(paths or (".",)), diff, context))

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
        from dfopt import commands
        from dfopt.plan import Wishes

        names = tuple(entry.partition("=")[0] for entry in build_context)
        wishes = Wishes(select=_split(select), ignore=_split(ignore), contexts=names, context=context)
        build = {
            "target": target,
            "arguments": tuple(build_arg),
            "contexts": tuple(build_context),
            "platform": platform,
            "options": tuple(engine_option),
            "twice": twice,
            "rebuilds": rebuilds,
        }
        raise typer.Exit(commands.verify(path, against, unsafe, wishes, build, engine, form, quiet, config, no_config))

    plan_help = "Print how the last stage would be split into builder and runtime, where large components would go, and what must be asked."

    def plan_command(
        paths: list[str] | None = typer.Argument(None, metavar="[PATH]...", help=PATHS, show_default=False),
        form: str = typer.Option("text", "--format", "-f", help="The form of the report."),
        context: str | None = typer.Option(None, "--context", metavar="FOLDER", help="The build context."),
        config: str | None = typer.Option(None, "--config", metavar="FILE", help="Use this configuration file."),
        no_config: bool = typer.Option(False, "--no-config", "--isolated", help="Use no configuration file."),
    ) -> None:
        from dfopt import commands

        raise typer.Exit(commands.plan(tuple(paths or (".",)), form, context, config, no_config))

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
        from dfopt import commands

        raise typer.Exit(commands.audit(image, dockerfile, limits, given, name, platform, engine, form, output))

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
        from dfopt import commands

        raise typer.Exit(
            commands.order(tuple(paths or (".",)), apply, diff, unsafe, log, context, form, config, no_config)
        )

    order_command.__annotations__["form"] = Literal["text", "json"]
    app.command("order", help="Print what each step costs at a change, and the cheapest order; --apply writes it.")(
        order_command
    )

    @app.command("rules", help="List the rules.")
    def rules_command() -> None:
        from dfopt import commands

        raise typer.Exit(commands.rules())

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
    from dfopt.plan import BadWish, Wishes, configuration, placed, planner
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
    try:
        plan = planner(wishes)
        settings = configuration(values["config"], values["no_config"])
    except (BadWish, ConfigError) as error:
        raise WrongUse(str(error)) from None
    # Fixed text and diffs own standard output; the report makes way.
    aside = arguments.command == "fix" and (values.get("diff", False) or STDIN in arguments.paths)
    stream = sys.stderr if aside else sys.stdout
    job = Run(
        command=arguments.command,
        version=dfopt.__version__,
        diff=values.get("diff", False),
        unsafe=values.get("unsafe", False),
        quiet=values["quiet"],
        color=values["output"] is None and console.colored(values["color"], stream),
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
            console.write(stream, piece)
    else:
        from dfopt import files

        report = "".join(pieces)
        try:
            files.create(values["output"], report.encode("utf-8", "replace"))
        except OSError as error:
            console.say(f"dfopt: {values['output']}: {error.strerror or error}\n")
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
    from dfopt.plan import excluded
    from dfopt.report import Failure, visible

    told: set[str] = set()

    def fail(path: str, message: str, code: int = WRONG_USE) -> Iterator[Failure]:
        tally.code = max(tally.code, code)
        if message not in told:  # one broken configuration speaks for all files below it
            told.add(message)
            console.say(f"dfopt: {visible(message)}\n")
            yield Failure(path, message, code == FAULT)

    nothing = True
    for found in files.find(arguments.paths or (".",), excluded(settings)):
        nothing = False
        if found.error:
            yield from fail(found.path, f"{found.path}: {console.reason(OSError(found.error))}")
            continue
        stdin = found.path == STDIN
        path = (arguments.values["stdin_filename"] or "<stdin>") if stdin else found.path
        try:
            data = console.read_stdin() if stdin else files.read(path)
        except OSError as error:
            yield from fail(path, f"{path}: {console.reason(error)}")
            continue
        answered = False
        try:
            chosen = plan(settings(os.path.dirname(path)), path, not stdin)
            outcome, after = _outcome(path, data, chosen, job)
            if stdin and job.command == "fix" and not job.diff:
                answered = True
                console.write_bytes(after)
            elif outcome.changed and job.diff:
                console.write_bytes(
                    console.diff(path, data, after, console.colored(arguments.values["color"], sys.stdout))
                )
            elif outcome.changed:
                files.replace(path, data, after)
                outcome = outcome._replace(written=True)
            for fault in outcome.fixed.faults if outcome.fixed is not None else ():
                yield from fail(path, console.fault(path, f"{fault.message} ({', '.join(fault.codes)})"), FAULT)
            floor = _RANK[chosen.fail_level]
            failing = any(_RANK.get(item.severity, 0) >= floor for item in outcome.report.diagnostics)
            if failing or (job.diff and outcome.changed):
                tally.code = max(tally.code, FINDINGS)
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except ConfigError as error:
            yield from fail(path, str(error))
        except OSError as error:
            yield from fail(path, f"{path}: {console.reason(error)}")
        except Exception as error:  # a fault of dfopt in one file is no reason to leave the others undone
            yield from fail(path, console.fault(path, f"{type(error).__name__}: {error}"), FAULT)
            console.say(console.trace(error))
        else:
            yield outcome
            continue
        if stdin and job.command == "fix" and not job.diff and not answered:
            console.write_bytes(data)  # whoever pipes a file through must not lose it
    if nothing and not job.quiet:
        where = ", ".join(f"`{visible(target)}`" for target in arguments.paths or (".",))
        console.say(f"dfopt: no Dockerfile found in {where} {console.NO_DOCKERFILE}\n")


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
