"""Installs that may change the versions of the lock file that was copied for them."""

import re
from collections.abc import Iterator

from dfopt import caches, projects
from dfopt.build import Build, Run, Stage, once
from dfopt.packages import Use
from dfopt.rule import AddsWord, DropsWord, Effect, Finding, Fix, Given, Saving
from dfopt.source import Edit
from dfopt.startup import pattern

# The verbs that read a lock file and may write it anew.
_VERBS = {
    "npm": ("install",), "yarn": ("install",), "pnpm": ("install",), "bun": ("install",), "pipenv": ("install",), "uv": ("sync",),
    "bundler": ("install",), "cargo": ("build", "install"), "dotnet": ("restore",),
}  # fmt: skip

# Options by which the author says what is to become of the lock file, or with which nothing is installed.
_DECIDED = pattern(
    r"lock-?file|package-lock|shrinkwrap|skip-lock|frozen|immutable|locked|deploy|dry-run|force-evaluate|upgrade|resolution|global|help"
    r"|version$"
)
_CONFIGURED = pattern(r"frozen|deployment|immutable|package-lock|lockfile", re.IGNORECASE)

# What `npm ci` knows of the options of `npm install` (npm's manual).
_CI = frozenset(
    """
        --omit --include --only --also --production --dev --optional --ignore-scripts --legacy-peer-deps --strict-peer-deps --audit
        --fund --bin-links --foreground-scripts --install-links --install-strategy --legacy-bundling --global-style --loglevel
        --quiet --silent --verbose -d --dd --ddd --progress --prefer-offline --prefer-online --offline --registry --cache
        --unsafe-perm --allow-root --userconfig --workspace --workspaces --include-workspace-root --force --prefix
        --fetch-retries --fetch-retry-mintimeout --fetch-retry-maxtimeout --fetch-retry-factor --fetch-timeout --maxsockets
        --update-notifier --color --engine-strict --strict-ssl --cafile --proxy --https-proxy --noproxy --python --node-options
        --audit-level --json --yes --timing --logs-max --cpu --os --libc --save --save-prod
    """.split()
)


def check(build: Build, given: Given) -> Iterator[Finding]:
    for index, instruction in enumerate(build.instructions):
        run = build.run(index) if instruction.name == "RUN" and build.stage_of[index] is not None else None
        if run is None:
            continue
        for use in run.uses:
            if _may_change(build, index, use):
                found = projects.lock(build, index, run, use)
                if found is not None and not projects.configured(build, index, _CONFIGURED):
                    yield _finding(build, index, run, use, found)


def _may_change(build: Build, index: int, use: Use) -> bool:
    name = use.manager.name
    if use.verb not in _VERBS.get(name, ()) or use.frozen:
        return False
    if use.manifests and (name != "cargo" or use.has("--manifest-path")):
        return False
    if name == "cargo" and use.verb == "install" and not use.has("--path"):
        return False
    if use.operands and name not in ("cargo", "dotnet"):
        return False
    if any(_DECIDED.search(option.canonical) for option in use.options):
        return False
    state = build.state(index)
    return not any(
        variable in dict(state.environment) or variable in dict(state.arguments)
        for variable in use.manager.frozen_variables
    )


def _finding(build: Build, index: int, run: Run, use: Use, lock: projects.Lock) -> Finding:
    label, name = caches.label(use), use.manager.name
    first = projects.yarn_is_first(build, index) if name == "yarn" else None
    ignores = name == "cargo" and use.verb == "install"
    advice = {
        "npm": "install what it names with `npm ci`",
        "yarn": "add `--immutable`" if first is False else "add `--frozen-lockfile`" if first
        else "add `--frozen-lockfile` (Yarn 1) or `--immutable` (later ones)",
        "bundler": "set `frozen` with `bundle config` or `BUNDLE_FROZEN`",
    }.get(name) or f"add `{use.manager.frozen_flags[0]}`"  # fmt: skip
    what = "takes no notice of" if ignores else "may take other versions than those in"
    message = f"`{label}` {what} `{lock.name}` -> {advice}"
    if not lock.sure:
        message = f"`{label}` {what} `{lock.name}`, where `{lock.source}` brings one -> {advice}"
    fix, refusal = _fix(build, index, run, use, lock, first)
    return Finding(
        caches.span_of(run, use),
        message,
        fix,
        Saving("builds that change without a change of the project", source=""),
        (),
        refusal,
    )


def _fix(
    build: Build, index: int, run: Run, use: Use, lock: projects.Lock, first: bool | None
) -> tuple[Fix | None, str]:
    name = use.manager.name
    if not lock.sure:
        return None, f"`{lock.source}` may match no `{lock.name}`, and without one the build would fail"
    if use.uncertain:
        return None, "a word of the command is not known"
    agreed = f"to agree: the build fails where `{lock.name}` does not fit the project"
    if name == "npm":
        return _npm_ci(build, index, run, use, lock, agreed)
    if name == "yarn" and first is None:
        return None, "it is not known which Yarn the project uses"
    words = use.command.words
    if name == "bundler":
        place = words[0].start
        if use.prefix or use.command.assignments:
            return None, "other words stand before the command"
        edit = Edit(run.span(place, place), "BUNDLE_FROZEN=true ")
        return Fix(
            "set `BUNDLE_FROZEN`", (edit,), False, agreed, (AddsWord(index, place, ("BUNDLE_FROZEN=true",)),)
        ), ""
    flag = "--immutable" if first is False else use.manager.frozen_flags[0]
    added = caches.with_flag(run, index, use, flag)
    if added is None:
        return None, caches.NO_PLACE
    return Fix(f"add `{flag}`", (added[0],), False, agreed, (added[1],)), ""


def _npm_ci(build: Build, index: int, run: Run, use: Use, lock: projects.Lock, agreed: str) -> tuple[Fix | None, str]:
    """`npm ci` with the options of `npm install`."""
    words = use.command.words
    if use.verb_index == use.name_index or caches.behind_verb(use) != use.verb_index:
        return None, "it is not known which word is the verb"
    stage = build.stage(index)
    major = projects.node_major(build, stage) if stage is not None else None
    if major is not None and major < 10:
        return None, "the base image's npm has no `npm ci`"
    for option in use.options:
        if not {option.canonical, "--" + option.canonical.removeprefix("--no-")} & _CI:
            return None, f"`npm ci` has no `{option.name}`"
    if _installs_more(build, index, use):
        return None, "`npm ci` begins by deleting `node_modules`, which another install has written to"
    verb = words[use.verb_index]
    replaced = [(verb.start, verb.end, "ci")]
    if projects.npm_is_new(build, index):
        for option in use.options:
            word = words[option.index]
            if word.value in ("--production", "--production=true", "--only=production", "--only=prod"):
                replaced.append((word.start, word.end, "--omit=dev"))
    edits = tuple(Edit(run.span(start, end), text) for start, end, text in replaced)
    effects: list[Effect] = []
    for start, end, text in replaced:
        effects += (AddsWord(index, end, (text,)), DropsWord(index, start))
    return Fix("install with `npm ci`", edits, False, agreed + ", and `node_modules` is made anew", tuple(effects)), ""


def _installs_more(build: Build, index: int, use: Use) -> bool:
    """Whether npm has installed something that is not for all before, in any folder."""
    run = build.run(index)
    before = (other for other in (run.uses if run is not None else ()) if other.command.start < use.command.start)
    return any(map(_installs, before)) or bool(index and projects.last_before(build, index - 1, _installing))


@once
def _installing(build: Build, stage: Stage) -> tuple[tuple[int, bool], ...]:
    """The RUNs of a stage in which npm installs something that is not for all."""
    found = []
    for index in stage.indexes:
        run = build.run(index) if build.instructions[index].name == "RUN" else None
        if run is not None and any(map(_installs, run.uses)):
            found.append((index, True))
    return tuple(found)


def _installs(use: Use) -> bool:
    return use.manager.name == "npm" and use.action == "install" and not use.has("--global", "--location")
