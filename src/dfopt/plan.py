"""What is to be done with one file: rules, policies and severities, as configured and as the caller asks."""

import os
from collections.abc import Callable, Iterable, Mapping

from dfopt import catalogue, config, files
from dfopt.config import Config, ConfigError
from dfopt.rule import Given, Place, Rule
from dfopt.startup import NamedTuple


class Wishes(NamedTuple):
    """What the caller asks for; it wins over the configuration. None or empty: as configured."""

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_level: str | None = None
    cache: str | None = None
    assembly: str | None = None
    contexts: tuple[str, ...] = ()
    context: str | None = None


class Plan(NamedTuple):
    """What the engine takes, and from which severity on a finding makes the run fail."""

    rules: tuple[Rule, ...]
    given: Given
    severities: Mapping[str, str]
    fail_level: str


class BadWish(ValueError):
    """What the caller asks for is not there."""


class UnknownRule(BadWish):
    """An `entry` that names no rule; the text gives the nearest."""

    def __init__(self, message: str, entry: str) -> None:
        super().__init__(message)
        self.entry = entry


def select(entries: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules of the catalogue as `catalogue.rules` chooses them. Raises UnknownRule."""
    entries, ignore = tuple(entries), tuple(ignore)
    try:
        return catalogue.rules(entries, ignore)
    except KeyError as error:
        raise UnknownRule(*error.args) from None


def placed(plan: Plan, settings: Config, wishes: Wishes, path: str | None, known: dict[object, object]) -> Plan:
    """The plan for a file that lies at `path` (None: nowhere), whose build context can be looked for; `known` is shared by the files of
    a run, so that a folder is read once. Raises ConfigError where the configuration names a folder that is not there."""
    answers = answers_of(settings, path)
    if answers:
        plan = plan._replace(given=plan.given._replace(answers=answers))
    root = wishes.context
    if root is None and settings.context is not None:
        root = os.path.join(settings.folder, settings.context)
        if not os.path.isdir(root):
            line = config.line_of_entry(settings.path, "context")
            raise ConfigError(f"{config.shown(settings.path)}:{line}: `context`: `{settings.context}` is no folder")
    if path is None and root is None:
        return plan
    return plan._replace(given=plan.given._replace(place=Place(path or "", root, known)))


def answers_of(settings: Config, path: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The configuration's answers for a file: those for its name first, the longest pattern before all, then those for all files."""
    found: list[tuple[str, tuple[str, ...]]] = []
    below = files.relative(path, settings.folder) if path is not None and settings.answers else None
    for glob, answers in sorted(settings.answers, key=lambda pair: -len(pair[0])):
        if not glob or (below is not None and files.pattern(glob).fullmatch(below)):
            found += [(name, answer) for name, answer in answers if all(name != known for known, _ in found)]
    return tuple(found)


def excluded(settings: Callable[[str], Config]) -> Callable[[str], bool]:
    """Whether the configuration leaves out a path that is met on a walk; `settings` finds the configuration of a folder."""
    exclusions: dict[str, list[Callable[[str], object]]] = {}

    def is_excluded(path: str) -> bool:
        try:
            found = settings(os.path.dirname(path))
        except ConfigError:
            return False  # said when a file below is done
        if found.exclude and found.path not in exclusions:
            exclusions[found.path] = [files.pattern(text).fullmatch for text in found.exclude]
        below = files.relative(path, found.folder) if found.exclude else None
        return below is not None and any(matches(below) for matches in exclusions[found.path])

    return is_excluded


def planner(wishes: Wishes) -> Callable[[Config, str], Plan]:
    """A function from a configuration and a path to the plan for that file; equal plans are made once.

    Raises BadWish at once where `wishes` name a rule or a folder that there is not; the function raises ConfigError where the
    configuration does.
    """
    if wishes.context is not None and not os.path.isdir(wishes.context):
        raise BadWish(f"--context: `{wishes.context}` is no folder")
    for entries in (wishes.select, wishes.extend_select, wishes.ignore):
        if entries:
            select(entries)
    bases: dict[str, tuple[Plan, tuple[tuple[Callable[[str], object], frozenset[str]], ...]]] = {}
    made: dict[tuple[str, tuple[int, ...]], Plan] = {}

    def plan(settings: Config, path: str) -> Plan:
        if settings.path not in bases:
            bases[settings.path] = _base(settings, wishes)
        base, ignores = bases[settings.path]
        if not ignores:
            return base
        below = files.relative(path, settings.folder)
        hits = tuple(index for index, (matches, _) in enumerate(ignores) if below is not None and matches(below))
        key = (settings.path, hits)
        if key not in made:
            dropped = frozenset[str]().union(*(ignores[index][1] for index in hits))
            made[key] = base._replace(rules=tuple(rule for rule in base.rules if rule.info.code not in dropped))
        return made[key]

    return plan


def _base(settings: Config, wishes: Wishes) -> tuple[Plan, tuple[tuple[Callable[[str], object], frozenset[str]], ...]]:
    """The plan before the patterns for single files, and these."""
    try:
        # A selection by the caller stands for itself: what the file adds to or takes from its own is not meant for it.
        chosen = wishes.select or settings.select
        extended = wishes.extend_select + (() if wishes.select else settings.extend_select)
        ignore = wishes.ignore + (() if wishes.select else settings.ignore)
        rules = select(chosen, ignore)
        if extended:
            found = {rule.info.code: rule for rule in (*rules, *select(extended, ignore))}
            rules = tuple(found[code] for code in sorted(found))
        severities: dict[str, str] = {}
        for entry, severity in sorted(settings.severity, key=lambda pair: len(pair[0])):
            severities.update((rule.info.code, severity) for rule in select((entry,)))
        ignores = tuple(
            (
                files.pattern(glob).fullmatch,
                frozenset(rule.info.code for rule in select(codes)) if codes else frozenset[str](),
            )
            for glob, codes in settings.per_file_ignores
        )
    except UnknownRule as error:
        if not settings.path:
            raise
        raise ConfigError(
            f"{config.shown(settings.path)}:{config.line_of_entry(settings.path, error.entry)}: {error}"
        ) from None
    rules = tuple(rule for rule in rules if severities.get(rule.info.code) != "off")
    given = Given(
        cache=wishes.cache or settings.cache or "auto",
        assembly=wishes.assembly or settings.assembly or "auto",
        engine=settings.engine or "buildkit",
        runtime=settings.runtime or "slim",
        # A name, or as the command line of a build has it, `name=place`.
        contexts=tuple(
            dict.fromkeys(entry.partition("=")[0] for entry in (*settings.build_contexts, *wishes.contexts))
        ),
    )
    # By default every finding that is shown counts: the severities say what matters more, not what may be passed over.
    return Plan(rules, given, severities, wishes.fail_level or settings.fail_level or "info"), ignores


def configuration(path: str | None, isolated: bool) -> Callable[[str], Config]:
    """A function from a folder to its configuration: the file `path` for all, none where `isolated`, else the nearest.

    Raises ConfigError for a file `path` that cannot be used.
    """
    if path is not None:
        chosen = config.load(path)
        return lambda folder: chosen
    if isolated:
        return lambda folder: config.NONE
    return config.finder()
