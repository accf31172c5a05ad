"""A shipped image stands on the full variant of its base though the slim one holds what it uses."""

from collections.abc import Iterator

from dfopt import bases, families, needs, projects, rebase
from dfopt.build import Build, Stage
from dfopt.rule import Finding, Fix, Given, Saving

# Programs of the slim variants beyond Debian's smallest image.
_PROGRAMS = {
    "python": "python python3 pip pip3 python2 pydoc3 openssl update-ca-certificates",
    "pypy": "pypy pypy3 python python3 pip pip3",
    "node": "node nodejs npm npx yarn yarnpkg",
    "ruby": "ruby gem bundle bundler irb rake",
    "perl": "perl",
    "rust": "",
    "erlang": "erl escript",
    "elixir": "elixir iex",
}

# Of these the slim variant has the same programs: what it lacks is to be read.
_ONLY_DOCUMENTATION = frozenset(("debian",))

# Who speaks of these wants what the slim variant leaves out. In Debian's old releases the packages of Java and PostgreSQL fail without the
# folders of manual pages.
_READS = (
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
    "man-db",
    "manpages",
    "path-exclude",
    "openjdk",
    "postgresql",
    "default-j",
)


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        image = rebase.default_image(build, stage)
        slim = families.variant(image, "slim") if image is not None else None
        if image is None or slim is None or not build.is_shipped(stage) or build.windows:
            continue
        if stage.base.text.startswith("$"):
            continue  # which image it is, the caller says
        # What is started with a shell, or not at all, is a place to work in, or another image's base.
        if not any(projects.serves(build, one) for one in (stage, *build.children(stage)) if build.is_shipped(one)):
            continue
        repository, _ = bases.repository_of(image)
        if repository in _ONLY_DOCUMENTATION:
            finding = _documented(build, stage, image, slim)
        else:
            finding = _programs(build, given, stage, repository, image, slim)
        if finding is not None:
            yield finding


def _documented(build: Build, stage: Stage, image: str, slim: str) -> Finding | None:
    images = (stage, *build.children(stage))
    if any(
        word in build.instructions[index].logical.text for one in images for index in one.indexes for word in _READS
    ):
        return None
    message = (
        f"`{image}` has documentation, manual pages and translations -> `{slim}` has the same packages without them"
    )
    agreed = "to agree: documentation, manual pages and translations are missing, also those of packages that are installed later"
    return _with_fix(build, stage, slim, message, "documentation, manual pages and translations", agreed, "")


def _programs(build: Build, given: Given, stage: Stage, repository: str, image: str, slim: str) -> Finding | None:
    found = list(needs.of(build, given, stage, frozenset(_PROGRAMS.get(repository, "").split())))
    if any(need.kind == "build" for need in found):
        return None
    message = f"`{image}` brings compilers, headers and tools of development -> `{slim}`"
    unknown = next((need for need in found if need.kind == "unknown"), None)
    tools = list(dict.fromkeys(need.package for need in found if need.kind == "tool"))
    refusal = ""
    if unknown is not None:
        refusal = f"{unknown.label} may need what only the full image has"
    elif tools:
        refusal = f"{', '.join(f'`{name}`' for name in tools[:3])} would have to be installed"
    agreed = "to agree: the program itself calls no compiler, `git`, `curl` or other tool of the full image, and loads no library of it"
    return _with_fix(build, stage, slim, message, "compilers, headers and tools of development", agreed, refusal)


def _with_fix(build: Build, stage: Stage, new: str, message: str, saved: str, agreed: str, refusal: str) -> Finding:
    span = build.instructions[stage.first].words[0].span
    fix = None
    if not refusal:
        changed = rebase.change_base(build, stage, new)
        if isinstance(changed, str):
            refusal = changed
        else:
            fix = Fix(f"build on `{new}`", (changed[0],), False, agreed, (changed[1], *rebase.keeps(build, stage)))
    return Finding(span, message, fix, Saving(saved), (), refusal)
