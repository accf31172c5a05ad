"""The commands beside `check` and `fix`: `explain`, `rules`, `ignore`, `plan`, `order`, `verify` and `audit`.

Each returns the exit code, and raises console.WrongUse where what it is given cannot be used at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from dfopt import catalogue, console, context, files
from dfopt import plan as planning
from dfopt.build import Build
from dfopt.config import Config, ConfigError
from dfopt.console import CLEAN, FINDINGS, STDIN, WRONG_USE, WrongUse
from dfopt.plan import BadWish, Plan, Wishes
from dfopt.source import Source
from dfopt.startup import TYPE_CHECKING, NamedTuple
from dfopt.syntax import parse

if TYPE_CHECKING:
    from typing import Any

_REFUSED = "BuildKit refuses it -> `dfopt check` says why"


class Given(NamedTuple):
    """A Dockerfile that a command is to do something with: `path` is where it lies (None: it came by standard input), `data` its bytes,
    `plan` what the configuration says of it."""

    path: str | None
    source: Source
    data: bytes
    plan: Plan


def each(paths: Sequence[str], wishes: Wishes, config: str | None, no_config: bool, act: Callable[[Given], int]) -> int:
    """Do something with each Dockerfile found; one that cannot be done never stops the others. Returns the highest exit code."""
    base, settings = _settings(wishes, config, no_config)
    known: dict[object, object] = {}
    code, nothing = CLEAN, True
    for found in files.find(paths, planning.excluded(settings)):
        nothing = False
        path = None if found.path == STDIN else found.path
        name = path or "<stdin>"
        try:
            if found.error:
                raise OSError(found.error)
            data = console.read_stdin() if path is None else files.read(path)
            chosen = settings(os.path.dirname(found.path))
            plan = planning.placed(base(chosen, name), chosen, wishes, path, known)
            code = max(code, act(Given(path, Source.from_bytes(data, name), data, plan)))
        except ConfigError as error:
            console.say(f"dfopt: {error}\n")
            code = WRONG_USE
        except context.BadPattern as error:
            where = os.path.relpath(error.path) if error.path else name
            console.say(f"dfopt: {where}{f':{error.line}' if error.line else ''}: {error}\n")
            code = WRONG_USE
        except OSError as error:
            console.say(f"dfopt: {name}: {console.reason(error)}\n")
            code = WRONG_USE
    if nothing:
        console.say(f"dfopt: no Dockerfile found {console.NO_DOCKERFILE}\n")
    return code


def _settings(
    wishes: Wishes, config: str | None, no_config: bool
) -> tuple[Callable[[Config, str], Plan], Callable[[str], Config]]:
    """What makes plans, and what finds configurations. Raises WrongUse."""
    try:
        return planning.planner(wishes), planning.configuration(config, no_config)
    except (BadWish, ConfigError) as error:
        raise WrongUse(str(error)) from None


def _refuse(source: Source, why: str) -> int:
    console.say(f"dfopt: {source.name}: {why}\n")
    return WRONG_USE


def explain(name: str) -> int:
    """Print the page of a rule."""
    try:
        page = catalogue.page(name)
    except KeyError as error:
        raise WrongUse(error.args[0]) from None
    console.write(sys.stdout, page if page.endswith("\n") else page + "\n")
    return CLEAN


def rules() -> int:
    """Print a line for each rule."""
    infos = catalogue.infos()
    rows = [("code", "name", "severity", "default", "fix", "what it finds")]
    rows += [
        (info.code, info.name, info.severity, "on" if info.default else "off", info.fixable, info.summary)
        for info in infos
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [*(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)), row[5]]
        console.write(sys.stdout, "  ".join(cells).rstrip() + "\n")
    return CLEAN


def ignore(paths: Sequence[str], diff: bool, root: str | None) -> int:
    """Write or complete ignore files, one for each build context of the Dockerfiles found; 1 where `diff` shows a change."""
    from dfopt import ignoring

    places: dict[tuple[str, str], tuple[context.Context, list[tuple[str, Build]]]] = {}

    def add(given: Given) -> int:
        if given.path is None:
            return _refuse(given.source, "standard input has no build context")
        build = Build(parse(given.source))
        if build.syntax.fatal:
            return _refuse(given.source, _REFUSED)
        folder = context.root_of(build, given.plan.given) or os.path.dirname(given.path)
        place = context.open_context(folder, given.path)
        key = (os.path.realpath(folder), place.ignore.path)
        places.setdefault(key, (place, []))[1].append((given.path, build))
        return CLEAN

    code = each(paths, Wishes(context=root), None, False, add)
    for place, builds in places.values():
        proposal = ignoring.propose(place, builds)
        path = os.path.relpath(proposal.path)
        before = (proposal.before or "").encode("utf-8", "surrogateescape")
        after = proposal.after.encode("utf-8", "surrogateescape")
        if diff and proposal.added:
            console.write_bytes(console.diff(path, before, after, console.colored("auto", sys.stdout)))
            code = max(code, FINDINGS)
        elif proposal.added:
            try:
                if proposal.before is None:
                    files.create(proposal.path, after)
                else:
                    files.replace(proposal.path, before, after)
            except OSError as error:
                console.say(f"dfopt: {path}: {console.reason(error)}\n")
                code = WRONG_USE
                continue
        stream = sys.stderr if diff else sys.stdout
        console.write(stream, "".join(line + "\n" for line in ignoring.told(proposal, path, diff)))
    return code


def plan(paths: Sequence[str], form: str, root: str | None, config: str | None, no_config: bool) -> int:
    """Print the plans for the last stages of the Dockerfiles found, and for their large components; 2 where a file or the configuration
    cannot be used."""
    from dfopt import relocation
    from dfopt.report import plans
    from dfopt.synthesis import plan_of

    found: list[plans.Planned] = []

    def add(given: Given) -> int:
        build = Build(parse(given.source), given.plan.given.contexts)
        if build.syntax.fatal or build.final is None:
            return _refuse(given.source, _REFUSED)
        split = plan_of(build, given.plan.given, build.final)
        parts = (relocation.plan(build, given.plan.given, stage) for stage in build.stages)
        moves = tuple(part for part in parts if part is not None)
        found.append(plans.Planned(given.source.name, build, split, moves))
        return CLEAN

    code = each(paths, Wishes(context=root), config, no_config, add)
    console.write(sys.stdout, plans.json_of(found) if form == "json" else plans.text_of(found))
    return code


def order(
    paths: Sequence[str], apply: bool, diff: bool, unsafe: bool, log: str | None, root: str | None, form: str,
    config: str | None, no_config: bool,
) -> int:  # fmt: skip
    """Print, or write, the cheapest order of the Dockerfiles found; 1 where a cheaper one than the file's is known and not written."""
    from dfopt import costs, reorder
    from dfopt.report import orders

    try:
        read = () if log is None else (costs.read_log(files.read(log).decode("utf-8", "replace")),)
    except (OSError, costs.BadLog) as error:
        raise WrongUse(f"--costs: `{log}`: {console.reason(error) if isinstance(error, OSError) else error}") from None
    found: list[orders.Result] = []

    def propose(given: Given) -> int:
        # A file that comes by a pipe lies nowhere, whatever context the configuration names.
        plan = (
            given.plan if given.path is not None else given.plan._replace(given=given.plan.given._replace(place=None))
        )
        logs = read if given.path is None else (*read, costs.recorded(given.path))
        try:
            proposal = reorder.propose(given.source, plan, logs, unsafe)
        except reorder.Refused as error:
            if given.path is None and apply:
                console.write_bytes(given.data)
            _refuse(given.source, str(error))
            return FINDINGS
        after = proposal.after.to_bytes() if proposal.changes else given.data
        written = apply and bool(proposal.changes)
        if given.path is None and apply:
            console.write_bytes(after)
        elif written and given.path is not None:
            files.replace(given.path, given.data, after)
        elif diff and proposal.changes:
            console.write_bytes(console.diff(given.source.name, given.data, after, console.colored("auto", sys.stdout)))
        found.append(orders.Result(proposal, written))
        return FINDINGS if proposal.left or (proposal.changes and not written) else CLEAN

    code = each(paths, Wishes(context=root), config, no_config, propose)
    stream = sys.stderr if diff or (apply and STDIN in paths) else sys.stdout
    if found or form == "json":
        console.write(stream, orders.json_of(found) if form == "json" else orders.text_of(found))
    return code


def verify(
    path: str, against: str | None, unsafe: bool, wishes: Wishes, build: Mapping[str, Any], engine: str, form: str, quiet: bool,
    config: str | None, no_config: bool,
) -> int:  # fmt: skip
    """Build a file as it is and as fixed, and say what differs; 0 proved, 1 not, 2 wrong use or no engine, 4 a build failed."""
    from dfopt import engine as fixing
    from dfopt.images import UnreadableImage
    from dfopt.verify import NoStage, engines, prove, request_for, show

    _one_of("--engine", engine, ("", *engines.NAMES))
    _one_of("--format", form, ("text", "json"))
    base, settings = _settings(wishes, config, no_config)
    try:
        chosen = settings(os.path.dirname(path))
        plan = planning.placed(base(chosen, path), chosen, wishes, path, {})
        source = Source.from_bytes(files.read(path), path)
        other = Source.from_bytes(files.read(against), against) if against is not None else None
        for one in (source, other):
            if one is not None and parse(one).fatal:
                raise WrongUse(f"{one.name}: {_REFUSED}")
        fixed = None if other is not None else fixing.fix(source, plan.rules, plan.given, plan.severities, unsafe)
        for fault in fixed.faults if fixed is not None else ():
            told = f"{fault.message} ({', '.join(fault.codes)})"
            console.say(f"dfopt: {console.fault(path, told)}\n")
            return console.FAULT
        after = other or (fixed.source if fixed is not None else source)
        if after.text == source.text:
            console.write(sys.stdout, f"{path}: nothing to prove: there is no difference\n")
            return CLEAN
        root = context.root_of(Build(parse(source), plan.given.contexts), plan.given) or os.path.dirname(path) or "."
        request = request_for(source, fixed, after, plan.given, root, path, build["target"])._replace(
            **{key: value for key, value in build.items() if key not in ("target", "options")},
            options=engines.words(build["options"]),
        )
        say = (lambda line: None) if quiet else (lambda line: console.say(line + "\n"))
        with engines.at_work(engine, request.options) as found:
            proof = prove(request, found, say)
            told = f"{found.name} {found.version}"
    except (ConfigError, context.BadPattern, NoStage, engines.BadOption, engines.NoEngine, UnreadableImage) as error:
        raise WrongUse(str(error)) from None
    except OSError as error:
        raise WrongUse(f"{error.filename or path}: {console.reason(error)}") from None
    console.write(sys.stdout, (show.data if form == "json" else show.text)(request, proof, told))
    return proof.code


def audit(
    image: str, dockerfile: str | None, config: str | None, given: Mapping[str, str | None], name: str, platform: str, engine: str,
    form: str, output: str | None,
) -> int:  # fmt: skip
    """Say what an image wastes; 1 where it is beyond a limit, 2 for wrong use or what is no image."""
    import tempfile

    from dfopt import audit as auditing
    from dfopt import images
    from dfopt.audit import limits as limiting
    from dfopt.audit import show
    from dfopt.verify import engines

    _one_of("--format", form, ("text", "json", "sarif", "html"))
    is_file = os.path.exists(image)
    try:
        config = config or next((path for path in (".dive-ci", ".dive-ci.yaml") if os.path.isfile(path)), None)
        limits = limiting.read(config) if config is not None else limiting.Limits()
        for key, value in given.items():
            if value is not None:
                limits = limiting.with_limit(limits, key, value)
        source = Source.from_bytes(files.read(dockerfile), dockerfile) if dockerfile is not None else None
        if is_file:
            found = images.read(image, name, platform)
        else:
            with tempfile.TemporaryDirectory(prefix="dfopt-") as folder, engines.at_work(engine) as at_work:
                archive = os.path.join(folder, "image.tar")
                at_work.save(image, archive, lambda line: None)
                found = images.read(archive, name, platform)
    except engines.NoEngine as error:
        raise WrongUse(f"there is no file `{image}`, and {error}") from None
    except (limiting.BadLimits, engines.BuildFailed, images.UnreadableImage) as error:
        raise WrongUse(str(error)) from None
    except OSError as error:
        raise WrongUse(f"{error.filename or image}: {console.reason(error)}") from None
    result = auditing.audit(
        found._replace(name=name or (os.path.basename(image.rstrip("/")) if is_file else image)), source
    )
    beyond = limiting.broken(result, limits)
    match form:
        case "json":
            report = show.data(result, beyond)
        case "sarif":
            report = show.sarif(result, beyond, dockerfile or "")
        case "html":
            report = show.page(result, beyond)
        case _:
            report = show.text(result, beyond)
    if output is None:
        console.write(sys.stdout, report)
    else:
        try:
            files.create(output, report.encode("utf-8", "replace"))
        except OSError as error:
            raise WrongUse(f"{output}: {console.reason(error)}") from None
    return FINDINGS if beyond else CLEAN


def _one_of(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises WrongUse where an option has none of its values."""
    if value not in choices:
        raise WrongUse(f"{option}: `{value}` -> one of {', '.join(choice for choice in choices if choice)}")
