"""The contract of a rule: what it is given, what it finds, what its fix does and declares.

A rule is a module in `dfopt/rules/` with one function, `check(build, given) -> Iterator[Finding]`, and a page of the same
name in `rules/`. Its page gives the code, the severity and the examples that are its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dfopt.build import Build
from dfopt.source import Edit, Span
from dfopt.startup import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

SEVERITIES = ("error", "warning", "info", "off")


class Place:
    """Where a Dockerfile lies, for rules that look at its build context (`context.of`): its path, and the root of the context where
    that was told. `known` keeps what was read, for as long as a run of dfopt goes."""

    __slots__ = ("dockerfile", "root", "known")

    def __init__(self, dockerfile: str, root: str | None = None, known: dict[object, Any] | None = None) -> None:
        self.dockerfile = dockerfile
        self.root = root
        self.known: dict[object, Any] = {} if known is None else known


class Given(NamedTuple):
    """What a rule may know beyond the file: the policies of the configuration, where the file lies, and cost figures.

    `cache` is `auto`, `mount` or `clean`; `assembly` is `auto`, `always` or `off`; `contexts` names the build contexts that
    only the command line knows (`docker build --build-context name=...`); `place` is where the file lies (None: nowhere, as a text
    from standard input); `costs` are figures of earlier builds (None where there are none); `engine` is what builds the file, `buildkit` or
    `legacy`; `answers` are the configuration's to the questions of plans, by their ids, and `runtime` the kind of image that a program
    which needs nothing is put on (`slim`, `distroless`, `scratch`).
    """

    cache: str = "auto"
    assembly: str = "auto"
    contexts: tuple[str, ...] = ()
    place: Place | None = None
    costs: Any = None
    engine: str = "buildkit"
    answers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    runtime: str = "slim"


class Saving(NamedTuple):
    """What a finding's cure saves: `text` in words; `bytes` in the image where a figure is known.

    `source` is where they are from: `measured` by a build of this project, a `table` that someone published, `unknown`, or ""
    where it is no matter of bytes (time, layers). `origin` names it in words, `date` is its day (ISO 8601). Bytes without both are
    not shown. `sizes` gives the last four: `Saving("the package lists", *sizes.lists("apt", base))`.
    """

    text: str
    bytes: int | None = None
    source: str = "unknown"
    origin: str = ""
    date: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the bytes may be shown: they have a source and a date."""
        return self.bytes is not None and self.source in ("measured", "table") and bool(self.origin and self.date)


class Related(NamedTuple):
    """Another place that the finding speaks of."""

    span: Span
    message: str


# Effects: what a fix declares to change. Steps are named by the index of their instruction in `Syntax.instructions` of the
# text that the fix was made for; `command` is the index of a step in the `Script` of that RUN; offsets are into the RUN's
# script text. The engine applies the effects to the normal form of the old text and requires the new text's to be equal.


class DropsCommand(NamedTuple):
    """A command of a RUN goes, with the operator before it; a RUN without commands goes as a whole."""

    step: int
    command: int


class AddsCommand(NamedTuple):
    """`words` is added to a RUN behind `after` (an index of a step of its script; None: at the end, also of a RUN that others have
    been merged into; -1: before the first), joined by `operator`."""

    step: int
    after: int | None
    operator: str
    words: tuple[str, ...]


class AddsWord(NamedTuple):
    """`words` come in before the word that stands at `offset` of the RUN's script text, or at its end."""

    step: int
    offset: int
    words: tuple[str, ...]


class DropsWord(NamedTuple):
    """The word that stands at `offset` of the RUN's script text goes."""

    step: int
    offset: int


class MergesRuns(NamedTuple):
    """The commands of `second` follow those of `first` in one RUN, joined by `operator` (`&&` or `;`).

    `wraps_first` and `wraps_second` say which of the two stand in a subshell of their own; of `first` its `outside` leading
    commands stay before the parenthesis. Where several RUNs become one the effects stand in order, each with the same `first`.
    """

    first: int
    second: int
    operator: str = "&&"
    wraps_first: bool = False
    wraps_second: bool = False
    outside: int = 0


class Moves(NamedTuple):
    """`step`, any instruction but FROM, stands directly behind `behind` (an instruction of the same stage, its FROM too) instead of
    where it was. Several are made in their order: ARG and the ENV that uses it go behind a RUN as `Moves(env, run), Moves(arg, run)`.

    The state of a RUN changes by exactly the ENV, ARG, USER, WORKDIR and SHELL that it passes, or that pass it; that it does not need
    them is the rule's to show. Of two instructions that are no steps one passes the other only where they commute."""

    step: int
    behind: int


class AddsCopy(NamedTuple):
    """A COPY of `sources` to `destination` (as written) comes directly before `before`: from the build context, or from what a
    `--from=` among the flags names."""

    before: int
    sources: tuple[str, ...]
    destination: str
    flags: tuple[str, ...] = ()


class Retargets(NamedTuple):
    """A COPY or ADD goes to `destination` (absolute) instead."""

    step: int
    destination: str


class AddsMount(NamedTuple):
    """A RUN gets `--mount=` with this value; a `from` in it is a stage's name, or an image's."""

    step: int
    mount: str


class DropsStep(NamedTuple):
    """A RUN, COPY or ADD goes as a whole."""

    step: int


class AddsFlag(NamedTuple):
    """An instruction gets a flag, given as it will be written (`--chown=app:app`); with `--from=` a COPY of the build context takes its
    sources from there instead."""

    step: int
    flag: str


class DropsFlag(NamedTuple):
    """An instruction loses a flag, given as written (`--mount=...`)."""

    step: int
    flag: str


class ChangesSource(NamedTuple):
    """A COPY that names the source `old` (as expanded) names `new` instead."""

    step: int
    old: str
    new: str


class Assembles(NamedTuple):
    """The COPYs `steps` of one stage become the stage `FROM scratch AS <stage>` (of that stage's `--platform`) with absolute
    destinations, and one `COPY --from=<stage> <root> <root>` in the place of the first.

    That one carries `--link` where all have it, and the `--chown` on which all agree; owners that differ stay with their COPYs and
    are numbers. The destinations of `folders`, some of the steps, get a `/`: they are folders before, which the new stage lacks. What
    the COPYs take from ARGs is declared at the top of the new stage as it is in theirs.
    """

    steps: tuple[int, ...]
    stage: str
    root: str
    folders: tuple[int, ...] = ()


class Relocates(NamedTuple):
    """A step goes to a stage of its own, `FROM scratch AS <stage>` directly before its own, and `COPY --from=<stage>` of `sources` stands in
    its place.

    A COPY or ADD of the build context lays its files at `place` there; owner, mode and `--link` stay with the COPY behind it, as the
    destination does. A RUN goes with its flags to a stage on the base image, and of the platform, of its own one, with the WORKDIR `folder`
    where that is not ""; `destination` (absolute) is then where its files are copied to.
    """

    step: int
    stage: str
    sources: tuple[str, ...]
    place: str = ""
    folder: str = ""
    destination: str = ""


class Repeated(NamedTuple):
    """An instruction of the old stage that stands in the new one: it `moves` there, or both have it."""

    instruction: int
    moves: bool


class SetUp(NamedTuple):
    """A RUN of the new stage: commands as words, joined by `&&`."""

    commands: tuple[tuple[str, ...], ...]


class Copied(NamedTuple):
    """A COPY of the new stage from the old one; `owner` is its `--chown`, "" for none."""

    sources: tuple[str, ...]
    destination: str
    owner: str


class Setting(NamedTuple):
    """A WORKDIR (`value` alone) or an ENV of one variable."""

    keyword: str
    name: str
    value: str


class SplitsStage(NamedTuple):
    """The file's last stage becomes a builder: it gets the name `builder` and loses the instructions that move; a stage `FROM image`
    behind it, of its old name and platform, has `lines` in their order. Stages that it stands on stay as they are: of these, lines may be
    repeated, none moves.

    The configuration of the new last image is the old one's, key by key, but for `changed`: (key, old value where it is the base
    image's, new value; None for unset). The builder ends with a RUN of `finish`, commands as words, where it has any.
    """

    stage: int
    builder: str
    image: str
    lines: tuple[Repeated | SetUp | Copied | Setting, ...]
    changed: tuple[tuple[str, str | None, str | None], ...]
    finish: tuple[tuple[str, ...], ...] = ()


class ChangesDirective(NamedTuple):
    """A parser directive gets another value; None: there was or is none."""

    name: str
    old: str | None
    new: str | None


class ChangesConfig(NamedTuple):
    """A key of a stage's image configuration changes (`Env.NAME`, `User`, `Cmd` ...); None: there was or is none."""

    stage: int
    key: str
    old: str | None
    new: str | None


class ChangesBase(NamedTuple):
    """The stage with index `stage` stands on the image `new` instead of `old`, both as its FROM has them (without a variable as
    expanded). User, working directory, shell and variables that are known of both images are equal. What the image must keep says
    `Keeps`."""

    stage: int
    old: str
    new: str


class ChangesArgument(NamedTuple):
    """The default of an ARG before the first FROM changes; both values are as written."""

    name: str
    old: str
    new: str


class Keeps(NamedTuple):
    """Paths that are the same in both images though the stage, or one below it, changes its base: globs as in `Removes`. What
    lies elsewhere may differ as the two base images do."""

    paths: tuple[str, ...]
    stage: int


class Removes(NamedTuple):
    """Paths that the image of the stage with index `stage` no longer has: absolute Docker-style globs; `P/**` excludes P itself."""

    paths: tuple[str, ...]
    stage: int


class Adds(NamedTuple):
    """Paths that the image of the stage has in addition."""

    paths: tuple[str, ...]
    stage: int


class Changes(NamedTuple):
    """Paths whose content, mode or owner changes in the image of the stage."""

    paths: tuple[str, ...]
    stage: int


class PackagesRemoved(NamedTuple):
    """Packages that are no longer installed; which ones the package manager decides (`what` says why)."""

    stage: int
    what: str


class Layers(NamedTuple):
    """The image of the stage has `change` more layers (negative: fewer)."""

    stage: int
    change: int


Effect = (
    DropsCommand | AddsCommand | AddsWord | DropsWord | MergesRuns | Moves | AddsCopy | AddsMount | AddsFlag | DropsFlag | DropsStep
    | Retargets | ChangesSource | Assembles | Relocates | SplitsStage | ChangesDirective | ChangesConfig | ChangesBase | ChangesArgument | Keeps | Removes
    | Adds | Changes | PackagesRemoved | Layers
)  # fmt: skip


class Fix(NamedTuple):
    """A rewriting: `edits` are disjoint and made all or not at all.

    `safe` fixes are made by `dfopt fix`, the others by `dfopt fix --unsafe`. `because` is one line for the person: why it
    is safe, or what must be agreed to.
    """

    title: str
    edits: tuple[Edit, ...]
    safe: bool
    because: str
    effects: tuple[Effect, ...]


class Finding(NamedTuple):
    """What a rule found: `span` lies on the text that `message` speaks of; `refusal` says why there is no fix, where that helps."""

    span: Span
    message: str
    fix: Fix | None = None
    saves: Saving | None = None
    related: tuple[Related, ...] = ()
    refusal: str = ""


class Info(NamedTuple):
    """The head of a rule's page. `also` holds other tools' codes; `triggers` are texts of which one must occur in a file for the rule to
    have anything to say; `default` is whether the rule is on without being selected."""

    code: str
    name: str
    severity: str
    default: bool
    since: str
    also: tuple[str, ...]
    triggers: tuple[str, ...]
    summary: str
    fixable: str


class Rule(NamedTuple):
    """A rule as the engine takes it; `check` is called with the meaning of the file and what is given."""

    info: Info
    check: Callable[[Build, Given], Iterator[Finding]]


class Diagnostic(NamedTuple):
    """A finding with its rule's code, name and severity: what `dfopt.check` gives."""

    code: str
    name: str
    severity: str
    span: Span
    message: str
    fix: Fix | None
    saves: Saving | None
    related: tuple[Related, ...]
    refusal: str
