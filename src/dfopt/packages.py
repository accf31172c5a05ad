"""The table of package managers: verbs, options, caches and lists with their folders, clean-up, manifests, cache mounts.

`MANAGERS` says what each manager keeps and where; `_GRAMMARS` says how its command line is read; `recognise` reads one.
A grammar lists what the manager's own manual documents. An option that it does not list makes a command unknown: whether
the next word belongs to it is then unknown too, and with that where packages begin and what may be edited.

An option list is text, one option a word: `-r=!|--requirement=!` has two spellings, the first long one being canonical.
Behind the name: nothing for a flag; `=` a value (glued or in the next word); `=?` a value only where glued; `=~` a value
that may be the next word unless that begins with a dash; `=b` a flag that takes a following `true` or `false`; `=2` two
values; `=!` a value that names a manifest; `=/` a value that names the folder to work in.
"""

import re
from collections.abc import Mapping
from functools import cache

from dfopt.shell import Simple, Word
from dfopt.startup import NamedTuple


class Folder(NamedTuple):
    """A folder that a manager keeps, `{home}` standing for HOME; `variables` names what moves it."""

    path: str  # "/var/cache/apt", "{home}/.npm"; `*` is one unknown name (a version)
    variables: tuple[str, ...] = ()  # environment variables and options that put it elsewhere, the strongest first
    below: tuple[str, ...] = ()  # for each, what follows its value ("pip" behind XDG_CACHE_HOME)
    user: str = ""  # "root" or "other" where the default holds for root or for other users only
    identity: tuple[str, ...] = ()  # what a mount's id must tell apart; empty where content names the entries
    copies: str = ""  # a glob below it for what is only a copy of what is installed or can be fetched; "": all of it


class Cleaning(NamedTuple):
    """A verb that empties folders; `needs` are words or canonical options, one of which must be given (empty: none)."""

    verb: str
    needs: tuple[str, ...]
    empties: tuple[str, ...]  # paths of the manager's folders, or of folders below them


class Manager(NamedTuple):
    """What dfopt knows of one package manager; see the module's tables for the sources."""

    name: str  # "apt-get"
    family: str  # managers that share caches and lists: "apt" for apt-get, apt, aptitude
    caches: tuple[Folder, ...]  # downloads kept after an install
    lists: tuple[Folder, ...]  # package indexes fetched by update
    mounts: tuple[Folder, ...]  # what a cache mount is put on
    sharing: str  # "locked" where two builds at once would break it, else "shared"
    content_addressed: bool  # the cache only adds entries named by their content: one id may serve all projects
    enable: str | None  # what must be switched on for the mount to hold anything, None where nothing
    manifests: tuple[str, ...]  # files that declare dependencies, as globs below the working directory
    locks: tuple[str, ...]
    writes: tuple[str, ...]  # where an install puts its result below the working directory ("node_modules")
    no_cache_flags: tuple[str, ...]  # flags that switch the cache off (`--no-cache-dir`); empty where none
    no_cache_variables: tuple[str, ...]  # environment variables that do (`PIP_NO_CACHE_DIR`)
    clean_commands: tuple[tuple[str, ...], ...]  # the words that empty all caches: ("apt-get", "clean"); none: `rm -rf`
    cleanings: tuple[Cleaning, ...] = ()  # every verb that empties something, with what it empties
    refresh: str = ""  # lists are fetched by a "command" of their own, by the install "itself", "": no lists
    no_recommends_flags: tuple[str, ...] = ()  # flags that leave out recommended packages, the usual one first
    production_flags: tuple[str, ...] = ()  # flags that leave out development dependencies, the usual one first
    production_variables: tuple[str, ...] = ()  # the same as environment: "NODE_ENV=production"
    keep_flags: tuple[str, ...] = ()  # options by which a command that downloads keeps what it got
    fresh_flags: tuple[str, ...] = ()  # options by which a command asks for the newest lists
    proof: str = "text only"  # or "buildable": real builds can show it (Debian, PyPI, npm, crates.io, Go, Maven)
    frozen_flags: tuple[str, ...] = ()  # flags with which an install fails rather than change the lock file
    frozen_verbs: tuple[str, ...] = ()  # verbs that do so by themselves (`npm ci`)
    frozen_variables: tuple[str, ...] = ()  # environment variables that make it do so


class Option(NamedTuple):
    """An option as used: its name, value where it takes one, and the index of its (first) word in the command.

    `name` is as written, `canonical` the table's long spelling. `unknown` says that it has a value that is not known.
    """

    name: str
    value: str | None
    index: int  # type: ignore[assignment]  # the name of a tuple's method too
    canonical: str = ""
    unknown: bool = False


class Use(NamedTuple):
    """A command that was recognised, all its words understood.

    `action` is install, update (fetch lists), upgrade, remove, clean, download, build, run, init, query or other.
    `operands` are the words that are no options, without the verb. `manifests` are the files it names by option
    (`-r requirements.txt`). `verb_index` is the index of the verb in the command's words.

    `verb` is the table's spelling (`npm i` is "install"), "" or the implied verb (`yarn`: "install") where none is
    written; `verb_index` is then `name_index`, the index of the manager's own word. `directories` are the folders that
    options make it work in (`npm --prefix client`). `prefix` names what runs it, outermost first ("sudo", "env", "python"),
    `environment` what is set for it alone (value None: not known). `uncertain`: a word of unknown value might split or be
    an option.
    """

    manager: Manager
    action: str
    verb: str
    verb_index: int
    command: Simple
    options: tuple[Option, ...]
    operands: tuple[Word, ...]
    manifests: tuple[Word, ...]
    name_index: int = 0
    directories: tuple[Word, ...] = ()
    prefix: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()
    uncertain: bool = False

    def has(self, *names: str) -> bool:
        """Whether one of the options is given, in any spelling of it (`has("-r")` is true of `--requirement=x`)."""
        table = _table(self.manager.name, self.verb) or {}
        wanted = {table[name][0] if name in table else name for name in names}
        return any(option.canonical in wanted or option.name in wanted for option in self.options)

    def value_of(self, name: str) -> str | None:
        """The value of an option where it is given and known (the last one's), else None."""
        table = _table(self.manager.name, self.verb) or {}
        wanted = table[name][0] if name in table else name
        found = [option.value for option in self.options if option.canonical == wanted]
        return found[-1] if found else None

    @property
    def no_recommends(self) -> bool:
        """Whether recommended packages are switched off in this command, in any spelling of it."""
        return any(_matches(option, flag) for option in self.options for flag in self.manager.no_recommends_flags)

    @property
    def no_cache(self) -> bool:
        """Whether it keeps no cache, by an option or a variable of its own (`PIP_NO_CACHE_DIR=1 pip install`)."""
        if any(_matches(option, flag) for option in self.options for flag in self.manager.no_cache_flags):
            return True
        return any(switches_cache_off(self.manager, name, value) for name, value in self.environment)

    @property
    def production(self) -> bool:
        """Whether development dependencies are left out by this command itself (ENV and configuration aside)."""
        return any(_matches(option, flag) for option in self.options for flag in self.manager.production_flags) or any(
            f"{name}={value}" in self.manager.production_variables for name, value in self.environment
        )

    @property
    def frozen(self) -> bool:
        """Whether this command itself fails rather than change the lock file (ENV and configuration aside)."""
        if self.verb in self.manager.frozen_verbs:
            return True
        return any(_matches(option, flag) for option in self.options for flag in self.manager.frozen_flags) or any(
            name in self.manager.frozen_variables and (value is None or value.lower() not in _FALSE)
            for name, value in self.environment
        )

    @property
    def fetches_lists(self) -> bool:
        """Whether it may leave package lists behind in `manager.lists`."""
        if not self.manager.lists or self.no_cache:
            return False
        if self.action == "update" or any(
            option.canonical in ("--update", "--update-cache") for option in self.options
        ):
            return True
        return self.manager.refresh == "itself" and self.action in (
            "install",
            "upgrade",
            "download",
            "query",
            "remove",
            "run",
        )

    @property
    def needs_lists(self) -> bool:
        """Whether it may read lists that an earlier command fetched (a local package's dependencies are looked up there too)."""
        if self.manager.refresh != "command" or self.no_cache or self.fetches_lists:
            return False
        return self.action in ("install", "upgrade", "download", "query")

    @property
    def fills_caches(self) -> bool:
        """Whether it may leave downloads behind in `manager.caches`."""
        if self.no_cache or not self.manager.caches or (self.manager.name, self.verb) in _FETCHING_NOTHING:
            return False
        return self.action in ("install", "upgrade", "download", "build", "run", "init") or (
            self.action == "update" and self.manager.family == "apt"  # pkgcache.bin and srcpkgcache.bin
        )

    @property
    def empties(self) -> tuple[str, ...]:
        """The folders that it empties, as in the manager's table (`{home}` and moved folders not yet resolved)."""
        found: list[str] = []
        given = {word.value for word in self.operands} | {option.canonical for option in self.options}
        for cleaning in self.manager.cleanings:
            if cleaning.verb == self.verb and (not cleaning.needs or any(need in given for need in cleaning.needs)):
                found.extend(path for path in cleaning.empties if path not in found)
        return tuple(found)

    @property
    def reads_project(self) -> bool:
        """Whether what it installs is declared by the project's manifests, found by itself or named by an option."""
        if self.manifests:
            return True
        if not self.manager.manifests or self.action not in ("install", "download", "build", "upgrade", "run"):
            return False
        if self.manager.family == "pip":
            return any(
                _local(word) is not False and not (word.value or "").endswith(".whl") for word in self.operands
            ) or (self.manager.name == "uv" and self.verb in ("sync", "lock", "run", "export", "build", "add"))
        if any(option.canonical in ("--global", "--system-install") for option in self.options):
            return False
        if self.manager.name == "cargo" and self.verb == "install":
            return self.has("--path")
        if self.manager.name == "go" and self.verb == "install":
            return not any("@" in (word.value or word.text) for word in self.operands)
        if self.manager.name == "gem" or self.verb.startswith(("global", "tool", "self")):
            return False
        if self.manager.family == "conda":
            return self.verb.startswith("env") and not self.operands
        return True


# These build from what is there, or put what they fetch elsewhere.
_FETCHING_NOTHING = frozenset(
    (
        ("composer", "dump-autoload"),
        ("gem", "build"),
        ("gem", "fetch"),
        ("npm", "rebuild"),
        ("uv", "python install"),
        ("uv", "self update"),
    )
)

_TRUE = frozenset(("1", "true", "yes", "on", "t", "y"))
_FALSE = frozenset(("0", "false", "no", "off", "disable", "without"))
_BOOLEANS = frozenset(("yes", "true", "with", "on", "enable", "no", "false", "without", "off", "disable"))


def switches_cache_off(manager: Manager, name: str, value: str | None) -> bool | None:
    """Whether an environment variable of this value switches a manager's cache off; None where the value is not known."""
    if name not in manager.no_cache_variables:
        return False
    if value is None:
        return None
    if (
        manager.name == "pip"
    ):  # any value does, `off` and `0` too (pip's cmdoptions.py); one that is no boolean is an error
        return value != ""
    return value.lower() in _TRUE


def _matches(option: Option, flag: str) -> bool:
    """Whether an option is the flag, `--omit=dev` being given by `--omit dev` and by `--omit=optional,dev` too."""
    name, _, wanted = flag.partition("=")
    if option.canonical != name or option.unknown:
        return False
    if not wanted:
        return option.value is None or option.value.lower() not in _FALSE
    value = (option.value or "").lower()
    key, equals, setting = value.rpartition("=")
    if setting in _FALSE:
        value = f"{key}{equals}false"
    return value == wanted.lower() or wanted.lower() in re.split(r"[,: ]+", value)


def _local(word: Word) -> bool | None:
    """Whether an operand is a path, as the managers tell paths from names; None where it is not known."""
    start, whole, _ = _static(word)
    if start in (".", "..") or start.startswith(("./", "../", "/", "~", ".[", "file:")):
        return True
    return (start.endswith((".whl", ".deb", ".rpm", ".apk", ".tgz", ".gem")) and "://" not in start) if whole else None


def locate(
    folder: Folder, home: str | None, environment: Mapping[str, str | None], use: Use | None = None
) -> str | None:
    """Where a folder is: moved by an option of `use`, by a variable, else its default; None where that is not known.

    `environment` is what the command sees (None: set to something unknown), `home` the user's HOME or None.
    """
    own = dict(use.environment) if use else {}
    for name, below in zip(folder.variables, folder.below or ("",) * len(folder.variables), strict=True):
        value: str | None
        if name.startswith("-"):
            found = [option for option in (use.options if use else ()) if option.canonical == name]
            if not found:
                continue
            value = found[-1].value
        elif name in own or name in environment:
            value = own[name] if name in own else environment[name]
            if value == "":
                continue
        else:
            continue
        if value is None or not value.startswith("/"):
            return None
        return f"{value.rstrip('/')}/{below}" if below else value
    if "{home}" not in folder.path:
        return folder.path
    return folder.path.replace("{home}", home.rstrip("/")) if home is not None else None


# --- What the managers keep. Sources: each manager's manual; rows marked "built" are also shown by real builds. ---

_APT_LISTS = Folder("/var/lib/apt/lists", identity=("distribution", "architecture"))
_APT_CACHE = Folder("/var/cache/apt", identity=("distribution", "architecture"))
_APK_CACHE = Folder("/var/cache/apk", ("--cache-dir",), identity=("distribution", "architecture"))
# Where this exists apk keeps packages in it (apk-cache(5)); as the place of a mount it is gone after the RUN.
_APK_MOUNT = Folder("/etc/apk/cache", ("--cache-dir",), identity=("distribution", "architecture"))
_YUM_CACHE = Folder("/var/cache/yum", identity=("distribution", "architecture"))
_DNF_CACHE = Folder("/var/cache/dnf", identity=("distribution", "architecture"))
_DNF5_CACHE = Folder("/var/cache/libdnf5", identity=("distribution", "architecture"))
_TDNF_CACHE = Folder("/var/cache/tdnf", identity=("distribution", "architecture"))
_ZYPP_PACKAGES = Folder(
    "/var/cache/zypp/packages",
    ("--pkg-cache-dir", "--cache-dir"),
    ("", "packages"),
    identity=("distribution", "architecture"),
)
_ZYPP_CACHE = Folder("/var/cache/zypp", ("--cache-dir",), identity=("distribution", "architecture"))
_ZYPP_RAW = Folder(
    "/var/cache/zypp/raw", ("--raw-cache-dir", "--cache-dir"), ("", "raw"), identity=("distribution", "architecture")
)
_ZYPP_SOLV = Folder(
    "/var/cache/zypp/solv", ("--solv-cache-dir", "--cache-dir"), ("", "solv"), identity=("distribution", "architecture")
)
# pip keeps wheels that it built itself under a tag that does not tell glibc from musl: the id must.
_PIP_CACHE = Folder(
    "{home}/.cache/pip",
    ("--cache-dir", "PIP_CACHE_DIR", "XDG_CACHE_HOME"),
    ("", "", "pip"),
    identity=("distribution", "language", "architecture"),
)
_UV_CACHE = Folder(
    "{home}/.cache/uv",
    ("--cache-dir", "UV_CACHE_DIR", "XDG_CACHE_HOME"),
    ("", "", "uv"),
    identity=("distribution", "language", "architecture"),
)
# ~/.cache/pypoetry holds virtualenvs, which are no cache: only these two folders are.
_POETRY_INDEX = Folder(
    "{home}/.cache/pypoetry/cache", ("POETRY_CACHE_DIR", "XDG_CACHE_HOME"), ("cache", "pypoetry/cache")
)
_POETRY_FILES = Folder(
    "{home}/.cache/pypoetry/artifacts",
    ("POETRY_CACHE_DIR", "XDG_CACHE_HOME"),
    ("artifacts", "pypoetry/artifacts"),
    identity=("distribution", "language", "architecture"),
)
_PIPENV_CACHE = Folder(
    "{home}/.cache/pipenv",
    ("PIPENV_CACHE_DIR", "XDG_CACHE_HOME"),
    ("", "pipenv"),
    identity=("distribution", "language", "architecture"),
)
_CONDA_PACKAGES = Folder("/opt/conda/pkgs", ("CONDA_PKGS_DIRS",), identity=("architecture",))
_CONDA_HOME = Folder("{home}/.conda/pkgs", ("CONDA_PKGS_DIRS",), user="other", identity=("architecture",))
_MICROMAMBA_PACKAGES = Folder(
    "{home}/micromamba/pkgs",
    ("CONDA_PKGS_DIRS", "--root-prefix", "MAMBA_ROOT_PREFIX"),
    ("", "pkgs", "pkgs"),
    identity=("architecture",),
)
_NPM_CACHE = Folder("{home}/.npm", ("--cache", "npm_config_cache", "NPM_CONFIG_CACHE"))
# Beside it lie logs and the packages of `npx`; `cache clean` leaves those (built, npm 10).
_NPM_PACKAGES = Folder(
    "{home}/.npm/_cacache", ("--cache", "npm_config_cache", "NPM_CONFIG_CACHE"), ("_cacache", "_cacache", "_cacache")
)
# Yarn 1 takes /usr/local/share for root's home (its user-home-dir.js).
_YARN_ROOT = Folder(
    "/usr/local/share/.cache/yarn", ("--cache-folder", "YARN_CACHE_FOLDER", "XDG_CACHE_HOME"), ("", "", "yarn"), "root"
)
_YARN_OTHER = Folder(
    "{home}/.cache/yarn", ("--cache-folder", "YARN_CACHE_FOLDER", "XDG_CACHE_HOME"), ("", "", "yarn"), "other"
)
_YARN_BERRY = Folder("{home}/.yarn/berry/cache", ("YARN_CACHE_FOLDER", "YARN_GLOBAL_FOLDER"), ("", "cache"))
_PNPM_STORE = Folder(
    "{home}/.local/share/pnpm/store",
    ("--store-dir", "npm_config_store_dir", "NPM_CONFIG_STORE_DIR", "PNPM_HOME", "XDG_DATA_HOME"),
    ("", "", "", "store", "pnpm/store"),
)
_PNPM_METADATA = Folder(
    "{home}/.cache/pnpm", ("--cache-dir", "npm_config_cache_dir", "XDG_CACHE_HOME"), ("", "", "pnpm")
)
_BUN_CACHE = Folder(
    "{home}/.bun/install/cache",
    ("--cache-dir", "BUN_INSTALL_CACHE_DIR", "BUN_INSTALL", "XDG_CACHE_HOME"),
    ("", "", "install/cache", ".bun/install/cache"),
)
_GO_MODULES = Folder("{home}/go/pkg/mod", ("GOMODCACHE", "GOPATH"), ("", "pkg/mod"))
# `go help cache`: the build cache does not notice changes to C libraries that cgo imports.
_GO_BUILD = Folder(
    "{home}/.cache/go-build", ("GOCACHE", "XDG_CACHE_HOME"), ("", "go-build"), identity=("distribution", "architecture")
)
_CARGO_REGISTRY = Folder("{home}/.cargo/registry", ("CARGO_HOME",), ("registry",))
_CARGO_GIT = Folder("{home}/.cargo/git", ("CARGO_HOME",), ("git",))
_CARGO_GIT_DATABASE = Folder("{home}/.cargo/git/db", ("CARGO_HOME",), ("git/db",))
# maven.repo.local also stands in MAVEN_OPTS, MAVEN_ARGS, .mvn/maven.config and settings.xml: see `maven_repository`.
_MAVEN_REPOSITORY = Folder("{home}/.m2/repository", identity=("project",))
_GRADLE_CACHES = Folder(
    "{home}/.gradle/caches", ("--gradle-user-home", "GRADLE_USER_HOME"), ("caches", "caches"), identity=("project",)
)
_GRADLE_WRAPPER = Folder(
    "{home}/.gradle/wrapper", ("--gradle-user-home", "GRADLE_USER_HOME"), ("wrapper", "wrapper"), identity=("project",)
)
_NUGET_PACKAGES = Folder("{home}/.nuget/packages", ("--packages", "NUGET_PACKAGES"))
_NUGET_PLAIN = Folder("{home}/.nuget/packages", ("NUGET_PACKAGES",))
_NUGET_HTTP = Folder(
    "{home}/.local/share/NuGet/http-cache", ("NUGET_HTTP_CACHE_PATH", "XDG_DATA_HOME"), ("", "NuGet/http-cache")
)
_NUGET_SCRATCH = Folder("/tmp/NuGetScratch", ("NUGET_SCRATCH",))
_COMPOSER_HOME = Folder(
    "{home}/.composer/cache", ("COMPOSER_CACHE_DIR", "COMPOSER_HOME", "XDG_CACHE_HOME"), ("", "cache", "composer")
)
_COMPOSER_XDG = Folder(
    "{home}/.cache/composer", ("COMPOSER_CACHE_DIR", "COMPOSER_HOME", "XDG_CACHE_HOME"), ("", "cache", "composer")
)
_GEM_CACHE = Folder(
    "/usr/local/bundle/cache",
    ("GEM_HOME",),
    ("cache",),
    identity=("distribution", "language", "architecture"),
    copies="*.gem",
)
_GEM_SYSTEM = Folder(
    "/usr/local/lib/ruby/gems/*/cache",
    ("GEM_HOME",),
    ("cache",),
    identity=("distribution", "language", "architecture"),
    copies="*.gem",
)
_GEM_DEBIAN = Folder(
    "/var/lib/gems/*/cache",
    ("GEM_HOME",),
    ("cache",),
    identity=("distribution", "language", "architecture"),
    copies="*.gem",
)
# Alpine's own Ruby.
_GEM_ALPINE = Folder(
    "/usr/lib/ruby/gems/*/cache",
    ("GEM_HOME",),
    ("cache",),
    identity=("distribution", "language", "architecture"),
    copies="*.gem",
)
_GEM_SPECS = Folder("{home}/.gem/specs", ("GEM_SPEC_CACHE",))
_BUNDLE_CACHE = Folder("{home}/.bundle/cache", ("BUNDLE_USER_CACHE", "BUNDLE_USER_HOME"), ("", "cache"))

_APT_CLEANINGS = (
    Cleaning("clean", (), ("/var/cache/apt",)),
    Cleaning("distclean", (), ("/var/cache/apt", "/var/lib/apt/lists")),
)
_APT_NO_RECOMMENDS = ("--no-install-recommends", "--install-recommends=false", "--option=apt::install-recommends=false")
_DOCKER_CLEAN = (
    "Debian's and Ubuntu's images delete archives after each install: "
    "`/etc/apt/apt.conf.d/docker-clean` must go and `Binary::apt::APT::Keep-Downloaded-Packages` be true"
)
_KEEPCACHE = "`keepcache=1` in the main section of the configuration, or `--setopt=keepcache=1` on each command"
_DNF_NO_WEAK = ("--setopt=install_weak_deps=false",)
_NODE_PRODUCTION = ("NODE_ENV=production",)


def _manager(
    name: str,
    family: str,
    *,
    caches: tuple[Folder, ...],
    lists: tuple[Folder, ...] = (),
    mounts: tuple[Folder, ...] = (),
    sharing: str = "shared",
    enable: str | None = None,
    manifests: tuple[str, ...] = (),
    locks: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    no_cache_flags: tuple[str, ...] = (),
    no_cache_variables: tuple[str, ...] = (),
    clean_commands: tuple[tuple[str, ...], ...] = (),
    cleanings: tuple[Cleaning, ...] = (),
    refresh: str = "",
    no_recommends_flags: tuple[str, ...] = (),
    production_flags: tuple[str, ...] = (),
    production_variables: tuple[str, ...] = (),
    keep_flags: tuple[str, ...] = (),
    fresh_flags: tuple[str, ...] = (),
    proof: str = "text only",
    frozen_flags: tuple[str, ...] = (),
    frozen_verbs: tuple[str, ...] = (),
    frozen_variables: tuple[str, ...] = (),
) -> Manager:
    """A row: a mount is put on the caches unless said otherwise."""
    mounts = mounts or caches
    return Manager(
        name, family, caches, lists, mounts, sharing, not any(folder.identity for folder in mounts), enable, manifests, locks,
        writes, no_cache_flags, no_cache_variables, clean_commands, cleanings, refresh, no_recommends_flags, production_flags,
        production_variables, keep_flags, fresh_flags, proof, frozen_flags, frozen_verbs, frozen_variables,
    )  # fmt: skip


def _apt(name: str, recommends: tuple[str, ...]) -> Manager:
    return _manager(
        name, "apt", caches=(_APT_CACHE,), lists=(_APT_LISTS,), mounts=(_APT_CACHE, _APT_LISTS), sharing="locked",
        enable=_DOCKER_CLEAN, clean_commands=((name, "clean"),), cleanings=_APT_CLEANINGS, refresh="command",
        no_recommends_flags=recommends, proof="buildable",
    )  # fmt: skip


def _dnf(name: str, folders: tuple[Folder, ...], weak: tuple[str, ...], options: bool = True) -> Manager:
    return _manager(
        name, "dnf", caches=folders, lists=folders, sharing="locked", enable=_KEEPCACHE,
        keep_flags=("--setopt=keepcache=1",) if options else (), fresh_flags=("--refresh",) if options else (),
        clean_commands=((name, "clean", "all"),),
        cleanings=(Cleaning("clean", ("all",), tuple(folder.path for folder in folders)),),
        refresh="itself", no_recommends_flags=weak,
    )  # fmt: skip


def _conda(name: str, folders: tuple[Folder, ...]) -> Manager:
    return _manager(
        name, "conda", caches=folders, sharing="locked", manifests=("environment.yml", "environment.yaml"),
        locks=("conda-lock.yml", "*.lock", "explicit*.txt"), clean_commands=((name, "clean", "--all", "--yes"),),
        cleanings=(Cleaning("clean", ("--all",), tuple(folder.path for folder in folders)),),
    )  # fmt: skip


_ROWS = (
    _apt("apt-get", _APT_NO_RECOMMENDS),
    _apt("apt", _APT_NO_RECOMMENDS),
    _apt("aptitude", ("--without-recommends", "--option=apt::install-recommends=false")),
    # Which folder these take hangs on what the distribution has under their name: `caches.mount_folders` says.
    _dnf("yum", (_YUM_CACHE, _DNF_CACHE, _DNF5_CACHE), _DNF_NO_WEAK),
    _dnf("dnf", (_DNF_CACHE, _DNF5_CACHE), _DNF_NO_WEAK),
    _dnf("dnf5", (_DNF5_CACHE,), _DNF_NO_WEAK),
    _dnf("microdnf", (_YUM_CACHE, _DNF_CACHE), _DNF_NO_WEAK, False),
    _dnf("tdnf", (_TDNF_CACHE,), (), False),
    _conda("conda", (_CONDA_PACKAGES, _CONDA_HOME)),
    _conda("mamba", (_CONDA_PACKAGES, _CONDA_HOME)),
    _conda("micromamba", (_MICROMAMBA_PACKAGES,)),
    # `cache clean` removes what no installed package needs; only `purge` (apk-tools 3) empties the cache.
    _manager(
        "apk",
        "apk",
        caches=(_APK_CACHE,),
        lists=(_APK_CACHE,),
        mounts=(_APK_MOUNT,),
        sharing="locked",
        enable="apk keeps packages only where `/etc/apk/cache` is there, or with `--cache-dir`",
        fresh_flags=("--update-cache",),
        no_cache_flags=("--no-cache",),
        clean_commands=(("apk", "cache", "purge"),),
        cleanings=(Cleaning("cache purge", (), ("/var/cache/apk",)),),
        refresh="command",
    ),
    _manager(
        "zypper",
        "zypper",
        caches=(_ZYPP_PACKAGES,),
        lists=(_ZYPP_RAW, _ZYPP_SOLV),
        mounts=(_ZYPP_CACHE,),
        sharing="locked",
        enable="repositories keep packages only after `zypper modifyrepo --keep-packages --all`",
        clean_commands=(("zypper", "clean", "--all"),),
        cleanings=(
            Cleaning("clean", ("--all",), ("/var/cache/zypp/packages", "/var/cache/zypp/raw", "/var/cache/zypp/solv")),
            Cleaning("clean", (), ("/var/cache/zypp/packages",)),
        ),
        refresh="itself",
        no_recommends_flags=("--no-recommends",),
    ),
    _manager(
        "pip",
        "pip",
        caches=(_PIP_CACHE,),
        manifests=(
            "requirements*.txt",
            "requirements/*.txt",
            "constraints*.txt",
            "pyproject.toml",
            "setup.py",
            "setup.cfg",
        ),
        writes=("build", "*.egg-info"),
        no_cache_flags=("--no-cache-dir",),
        no_cache_variables=("PIP_NO_CACHE_DIR",),
        clean_commands=(("pip", "cache", "purge"),),
        cleanings=(Cleaning("cache purge", (), ("{home}/.cache/pip",)),),
        proof="buildable",
    ),
    _manager(
        "uv",
        "pip",
        caches=(_UV_CACHE,),
        manifests=("pyproject.toml", "requirements*.txt", "uv.toml", ".python-version"),
        locks=("uv.lock",),
        writes=(".venv",),
        no_cache_flags=("--no-cache",),
        no_cache_variables=("UV_NO_CACHE",),
        clean_commands=(("uv", "cache", "clean"),),
        cleanings=(Cleaning("cache clean", (), ("{home}/.cache/uv",)),),
        production_flags=("--no-dev", "--no-default-groups"),
        production_variables=("UV_NO_DEV=1",),
        proof="buildable",
        frozen_flags=("--locked", "--frozen"),
        frozen_variables=("UV_LOCKED", "UV_FROZEN"),
    ),
    # Poetry's `--no-cache` leaves the artifacts folder in use (poetry 2.5, installation/executor.py): it is no such flag.
    # `cache clear` leaves that folder, too.
    _manager(
        "poetry",
        "poetry",
        caches=(_POETRY_INDEX, _POETRY_FILES),
        manifests=("pyproject.toml", "poetry.toml"),
        locks=("poetry.lock",),
        writes=(".venv",),
        cleanings=(Cleaning("cache clear", ("--all",), ("{home}/.cache/pypoetry/cache",)),),
        production_flags=("--only=main", "--without=dev", "--no-dev"),
        proof="buildable",
    ),
    # `--clear` empties pip's cache as well (built, pipenv 2026.10).
    _manager(
        "pipenv",
        "pipenv",
        caches=(_PIPENV_CACHE,),
        manifests=("Pipfile",),
        locks=("Pipfile.lock",),
        writes=(".venv",),
        no_cache_variables=("PIP_NO_CACHE_DIR",),
        cleanings=(Cleaning("", ("--clear",), ("{home}/.cache/pipenv",)),),
        proof="buildable",
        frozen_flags=("--deploy", "--ignore-pipfile"),
        frozen_verbs=("sync",),
        frozen_variables=("PIPENV_IGNORE_PIPFILE",),
    ),
    # Without `--force`, npm 5 and later refuse to clean.
    _manager(
        "npm",
        "npm",
        caches=(_NPM_PACKAGES,),
        mounts=(_NPM_CACHE,),
        manifests=("package.json", ".npmrc"),
        locks=("package-lock.json", "npm-shrinkwrap.json"),
        writes=("node_modules",),
        clean_commands=(("npm", "cache", "clean", "--force"),),
        cleanings=(Cleaning("cache clean", ("--force",), ("{home}/.npm/_cacache",)),),
        production_flags=("--omit=dev", "--production", "--only=production", "--only=prod", "--no-dev"),
        production_variables=_NODE_PRODUCTION,
        proof="buildable",
        frozen_verbs=("ci", "install-ci-test"),
    ),
    _manager(
        "yarn",
        "yarn",
        caches=(_YARN_ROOT, _YARN_OTHER, _YARN_BERRY),
        sharing="locked",
        manifests=("package.json", ".yarnrc", ".yarnrc.yml", ".npmrc", ".yarn/releases/*", ".yarn/plugins/**"),
        locks=("yarn.lock",),
        writes=(
            "node_modules",
            ".yarn/cache",
            ".yarn/install-state.gz",
            ".yarn/unplugged",
            ".pnp.cjs",
            ".pnp.loader.mjs",
        ),
        clean_commands=(("yarn", "cache", "clean"),),
        cleanings=(
            Cleaning("cache clean", (), ("/usr/local/share/.cache/yarn", "{home}/.cache/yarn")),
            Cleaning("cache clean", ("--all", "--mirror"), ("{home}/.yarn/berry/cache",)),
        ),
        production_flags=("--production",),
        production_variables=_NODE_PRODUCTION,
        proof="buildable",
        frozen_flags=("--frozen-lockfile", "--immutable"),
        frozen_variables=("YARN_ENABLE_IMMUTABLE_INSTALLS",),
    ),
    # The store's files are those of node_modules by hard links: in one layer they cost nothing. `store prune` takes away
    # what is not linked, and the metadata (built, pnpm 9).
    _manager(
        "pnpm",
        "pnpm",
        caches=(_PNPM_STORE, _PNPM_METADATA),
        mounts=(_PNPM_STORE,),
        manifests=("package.json", "pnpm-workspace.yaml", ".npmrc", ".pnpmfile.cjs"),
        locks=("pnpm-lock.yaml",),
        writes=("node_modules",),
        clean_commands=(("pnpm", "store", "prune"),),
        cleanings=(Cleaning("store prune", (), ("{home}/.cache/pnpm",)),),
        production_flags=("--prod",),
        production_variables=_NODE_PRODUCTION,
        proof="buildable",
        frozen_flags=("--frozen-lockfile",),
        frozen_verbs=("ci",),
        frozen_variables=("npm_config_frozen_lockfile", "CI"),
    ),
    _manager(
        "bun",
        "bun",
        caches=(_BUN_CACHE,),
        manifests=("package.json", "bunfig.toml", ".npmrc"),
        locks=("bun.lock", "bun.lockb"),
        writes=("node_modules",),
        clean_commands=(("bun", "pm", "cache", "rm"),),
        cleanings=(Cleaning("pm cache rm", (), ("{home}/.bun/install/cache",)),),
        production_flags=("--production", "--omit=dev"),
        production_variables=_NODE_PRODUCTION,
        proof="buildable",
        frozen_flags=("--frozen-lockfile", "--production"),
        frozen_verbs=("ci",),
    ),
    _manager(
        "go",
        "go",
        caches=(_GO_MODULES, _GO_BUILD),
        manifests=("go.mod", "go.work"),
        locks=("go.sum", "go.work.sum"),
        clean_commands=(("go", "clean", "-cache", "-modcache"),),
        cleanings=(
            Cleaning("clean", ("-cache",), ("{home}/.cache/go-build",)),
            Cleaning("clean", ("-modcache",), ("{home}/go/pkg/mod",)),
        ),
        proof="buildable",
    ),
    _manager(
        "cargo",
        "cargo",
        caches=(_CARGO_REGISTRY, _CARGO_GIT),
        mounts=(_CARGO_REGISTRY, _CARGO_GIT_DATABASE),
        manifests=("Cargo.toml", "**/Cargo.toml", ".cargo/config.toml", "rust-toolchain*"),
        locks=("Cargo.lock",),
        writes=("target",),
        proof="buildable",
        frozen_flags=("--locked", "--frozen"),
    ),
    _manager(
        "maven",
        "maven",
        caches=(_MAVEN_REPOSITORY,),
        sharing="locked",
        manifests=("pom.xml", "**/pom.xml", ".mvn/**", "settings.xml"),
        writes=("target",),
        proof="buildable",
    ),
    _manager(
        "gradle",
        "gradle",
        caches=(_GRADLE_CACHES, _GRADLE_WRAPPER),
        sharing="locked",
        manifests=(
            "build.gradle",
            "build.gradle.kts",
            "settings.gradle",
            "settings.gradle.kts",
            "gradle.properties",
            "gradle/**",
        ),
        locks=("gradle.lockfile", "**/gradle.lockfile"),
        writes=("build", ".gradle"),
    ),
    _manager(
        "dotnet",
        "nuget",
        caches=(_NUGET_PACKAGES, _NUGET_HTTP, _NUGET_SCRATCH),
        mounts=(_NUGET_PACKAGES,),
        sharing="locked",
        manifests=(
            "*.csproj",
            "*.fsproj",
            "*.vbproj",
            "*.sln",
            "*.slnx",
            "nuget.config",
            "NuGet.config",
            "NuGet.Config",
            "Directory.Build.props",
            "Directory.Build.targets",
            "Directory.Packages.props",
            "global.json",
        ),
        locks=("packages.lock.json",),
        writes=("obj", "bin"),
        clean_commands=(("dotnet", "nuget", "locals", "all", "--clear"),),
        cleanings=(
            Cleaning(
                "nuget locals",
                ("all",),
                ("{home}/.nuget/packages", "{home}/.local/share/NuGet/http-cache", "/tmp/NuGetScratch"),
            ),
            Cleaning("nuget locals", ("global-packages",), ("{home}/.nuget/packages",)),
            Cleaning("nuget locals", ("http-cache",), ("{home}/.local/share/NuGet/http-cache",)),
            Cleaning("nuget locals", ("temp",), ("/tmp/NuGetScratch",)),
        ),
        frozen_flags=("--locked-mode",),
    ),
    _manager(
        "nuget",
        "nuget",
        caches=(_NUGET_PLAIN, _NUGET_HTTP, _NUGET_SCRATCH),
        mounts=(_NUGET_PLAIN,),
        sharing="locked",
        manifests=("packages.config", "*.sln", "*.csproj", "nuget.config", "NuGet.config", "NuGet.Config"),
        locks=("packages.lock.json",),
        writes=("packages",),
        clean_commands=(("nuget", "locals", "all", "-clear"),),
        cleanings=(
            Cleaning(
                "locals",
                ("all",),
                ("{home}/.nuget/packages", "{home}/.local/share/NuGet/http-cache", "/tmp/NuGetScratch"),
            ),
            Cleaning("locals", ("global-packages",), ("{home}/.nuget/packages",)),
            Cleaning("locals", ("http-cache",), ("{home}/.local/share/NuGet/http-cache",)),
            Cleaning("locals", ("temp",), ("/tmp/NuGetScratch",)),
        ),
    ),
    # ~/.composer where it is there already, else the XDG folder where the system has one (composer's Factory).
    _manager(
        "composer",
        "composer",
        caches=(_COMPOSER_HOME, _COMPOSER_XDG),
        manifests=("composer.json",),
        locks=("composer.lock", "symfony.lock"),
        writes=("vendor",),
        no_cache_flags=("--no-cache",),
        clean_commands=(("composer", "clear-cache"),),
        cleanings=(Cleaning("clear-cache", (), ("{home}/.composer/cache", "{home}/.cache/composer")),),
        production_flags=("--no-dev", "--update-no-dev"),
        production_variables=("COMPOSER_NO_DEV=1",),
    ),
    _manager(
        "bundler",
        "gem",
        caches=(_GEM_CACHE, _GEM_SYSTEM, _GEM_DEBIAN, _GEM_ALPINE, _BUNDLE_CACHE, _GEM_SPECS),
        mounts=(_GEM_CACHE, _BUNDLE_CACHE),
        sharing="locked",
        manifests=("Gemfile", "*.gemspec", ".ruby-version"),
        locks=("Gemfile.lock", "gems.locked"),
        writes=("vendor/bundle", ".bundle"),
        production_flags=("--without=development",),
        production_variables=("BUNDLE_WITHOUT=development", "BUNDLE_WITHOUT=development:test"),
        frozen_flags=("--frozen", "--deployment"),
        frozen_variables=("BUNDLE_FROZEN", "BUNDLE_DEPLOYMENT"),
    ),
    # `gem cleanup` removes old versions of installed gems, `gem sources --clear-all` the indexes: neither empties the cache.
    _manager(
        "gem",
        "gem",
        caches=(_GEM_CACHE, _GEM_SYSTEM, _GEM_DEBIAN, _GEM_ALPINE, _GEM_SPECS),
        mounts=(_GEM_CACHE,),
        sharing="locked",
        manifests=("Gemfile", "gem.deps.rb"),
        cleanings=(Cleaning("sources", ("--clear-all",), ("{home}/.gem/specs",)),),
    ),
)
# Managers of the distribution; the others install below the working directory or into an interpreter.
SYSTEM_FAMILIES = frozenset(("apt", "apk", "dnf", "zypper"))

MANAGERS: dict[str, Manager] = {manager.name: manager for manager in _ROWS}


# --- How the command lines are read. ---


class _Grammar(NamedTuple):
    """`style` holds words: how options are written (getopt, apt, npm, go, maven, dotnet) and what else is allowed:
    `abbreviate` (a unique beginning of a long option will do), `arbitrary` (other options are flags or `--x=y`),
    `booleans` (`--flag=false`), `equals` (`-o=x`).

    `options` are those of every verb, `before` those that may stand before the verb (None: the same). `bare` is the verb
    where none is written, `other` the action where the verb is none of these (a script's name). `verbs` is text: a line holds
    verbs between `;`, each with its other spellings behind `|`, then `:`, their action, `*` where options end at the first
    operand, and their own options; lines that begin with blanks go on.
    """

    style: str
    options: str
    verbs: str
    before: str | None = None
    bare: str | None = None
    other: str | None = None


# Options that several verbs share; `@name` stands for them, here and below.
_SHARED: dict[str, str] = {
    "pip-index": """
        -i=|--index-url=|--pypi-url= --extra-index-url= --no-index -f=|--find-links= --process-dependency-links
        --uploaded-prior-to=
    """,
    "pip-build": """
        -c=!|--constraint=! --build-constraint=! -r=!|--requirement=! --requirements-from-script=!
        --no-deps|--no-dependencies --pre --all-releases= --only-final= -e=!|--editable=!
        --src=|--source=|--source-dir=|--source-directory= --ignore-requires-python --no-build-isolation --use-pep517
        --no-use-pep517 --check-build-dependencies -C=|--config-settings= --config-setting= --global-option=
        --build-option= --no-binary= --only-binary= --prefer-binary --no-prefer-binary --require-hashes
        --progress-bar= --no-clean --root-user-action= --no-verify --group=!
        -b=|--build=|--build-dir=|--build-directory=
    """,
    "pip-target": """
        --platform= --python-version= --implementation= --abi=
    """,
    "uv-index": """
        --index= --default-index= -i=|--index-url= --extra-index-url= -f=|--find-links= --no-index --index-strategy=
        --keyring-provider= --exclude-newer= --exclude-newer-package= --link-mode= --refresh --no-refresh
        --refresh-package= -p=|--python=
    """,
    "uv-resolve": """
        @uv-index -U|--upgrade --no-upgrade -P=|--upgrade-package= --upgrade-group= --resolution= --prerelease=
        --prerelease-package= --pre --fork-strategy= --no-sources --sources --no-sources-package=
        --reinstall|--force-reinstall --no-reinstall --reinstall-package= --compile-bytecode|--compile
        --no-compile-bytecode|--no-compile -C=|--config-setting=|--config-settings= --config-settings-package=
        --no-build-isolation --build-isolation --no-build-isolation-package= --no-build --build --no-build-package=
        --no-binary --binary --no-binary-package= --python-platform= --require-build-hashes --no-require-build-hashes
        --prerelease-package=
    """,
    "uv-groups": """
        --extra= --all-extras --no-all-extras --no-extra= --dev --no-dev --only-dev --group= --no-group=
        --no-default-groups --only-group= --all-groups --no-editable --editable --no-editable-package= --inexact
        --exact --active --no-active --no-install-project --install-project --only-install-project
        --no-install-workspace --only-install-workspace --no-install-local --only-install-local --no-install-package=
        --only-install-package= --locked --no-locked --frozen --no-frozen --dry-run --all-packages --package=
        --script=! --check --output-format= --no-sync --sync
    """,
    "uv-pip": """
        @uv-resolve -r=!|--requirements=!|--requirement=! -e=!|--editable=! -c=!|--constraints=!|--constraint=!
        --overrides=!|--override=! --excludes=!|--exclude=! -b=!|--build-constraints=!|--build-constraint=! --extra=
        --all-extras --no-all-extras --cert= --group= --no-deps --deps --require-hashes --no-require-hashes
        --verify-hashes --no-verify-hashes --system --no-system --break-system-packages --no-break-system-packages
        -t=|--target= --prefix= --no-build --no-binary= --only-binary= --python-version= --exact --inexact --strict
        --no-strict --dry-run --check --output-format= --torch-backend= --user --disable-pip-version-check
        --allow-empty-requirements --no-allow-empty-requirements --root= --no-editable --no-editable-package=
    """,
    "uv-tool": """
        @uv-resolve -w=|--with= --with-requirements=! --with-editable=! --with-executables-from= -e|--editable
        -c=!|--constraints=! --overrides=! --excludes=! -b=!|--build-constraints=! --force --lfs --no-lfs --config-setting-package=
        --torch-backend= --from= --isolated --env-file= --no-env-file
    """,
    "poetry-groups": """
        --without= --with= --only= --default --no-dev --dev-only --sync|--remove-untracked --no-root --no-directory
        --dry-run -E=|--extras= --all-extras --all-groups --only-root --compile
    """,
    "pipenv": """
        -h|--help --version --where --venv --py --envs --rm --bare --man --support --pypi-mirror= -v|--verbose
        -q|--quiet --clear --python= --site-packages --no-site-packages --completion
    """,
    "pipenv-install": """
        @pipenv --system --deploy --pre --extra-pip-args= --resolver= -d|--dev --categories= --extras= --all
        --config-settings= -i=|--index= --extra-index-url= -r=!|--requirements=! --ignore-pipfile -e=!|--editable=!
        --skip-lock --keep-outdated --selective-upgrade --sequential -c=|--code= --three --two --lock-only --outdated
        --dry-run --clean
    """,
    "go-build": """
        -C=/ -a -n -p= -race -msan -asan -cover -covermode= -coverpkg= -v -work -x -asmflags= -buildmode= -buildvcs=?
        -compiler= -gccgoflags= -gcflags= -installsuffix= -json -ldflags= -linkshared -mod= -modcacherw -modfile=
        -overlay= -pgo= -pkgdir= -tags= -trimpath -toolexec= -i
    """,
    "go-test": """
        -artifacts -bench= -benchtime= -count= -cpu= -failfast -fullpath -fuzz= -fuzztime= -fuzzminimizetime= -list=
        -outputdir= -parallel= -run= -short -shuffle= -skip= -timeout= -vet= -benchmem -blockprofile=
        -blockprofilerate= -coverprofile= -cpuprofile= -memprofile= -memprofilerate= -mutexprofile=
        -mutexprofilefraction= -trace= -c -exec= -o= -args
    """,
    "cargo-build": """
        -p=|--package= --workspace|--all --exclude= --lib --bins --bin= --examples --example= --tests --test=
        --benches --bench= --all-targets -F=|--features= --all-features --no-default-features -r|--release --profile=
        -j=|--jobs= --keep-going --target= --target-dir= --artifact-dir= --out-dir= --unit-graph --timings=?
        --manifest-path=! --ignore-rust-version --lockfile-path= --future-incompat-report --message-format=
        --build-plan --compile-time-deps
    """,
    "composer-install": """
        --prefer-source --prefer-dist --prefer-install= --dry-run --download-only --dev --no-dev --no-suggest
        --no-autoloader --no-progress --no-install --audit --no-audit --audit-format= -o|--optimize-autoloader
        -a|--classmap-authoritative --apcu-autoloader --apcu-autoloader-prefix= --ignore-platform-req=
        --ignore-platform-reqs --no-security-blocking --no-blocking --source-fallback --no-source-fallback
        --update-no-dev -w|--update-with-dependencies --with-dependencies -W|--update-with-all-dependencies
        --with-all-dependencies --no-update --prefer-stable --prefer-lowest -m|--minimal-changes --sort-packages
        --fixed --root-reqs -i|--interactive --lock --with= --patch-only --bump-after-update=? --unused
        --no-update-with-dependencies
    """,
    "gem-install": """
        -i=|--install-dir= -n=|--bindir= --document=~ --no-document -N|--no-document --no-ri --no-rdoc --ri --rdoc
        -d|--rdoc --build-root= --vendor -E|--env-shebang --no-env-shebang -f|--force --no-force -w|--wrappers
        --no-wrappers -P=|--trust-policy= --ignore-dependencies --include-dependencies -y|--include-dependencies
        --format-executable --no-format-executable --user-install --no-user-install --development --development-all
        --conservative --minimal-deps --no-minimal-deps --post-install-message --no-post-install-message -g=!|--file=!
        --without= --default --explain --lock --no-lock --suggestions --no-suggestions --test -t|--test
        -j=|--build-jobs= --target-rbconfig= --build-flags= --no-test
    """,
    "zypper-install": """
        -r=|--repo= --from= -t=|--type= -n|--name -C|--capability -f|--force --oldpackage --replacefiles -D|--dry-run
        --details --recommends --no-recommends --debug-solver --force-resolution -R|--no-force-resolution
        -y|--no-confirm -l|--auto-agree-with-licenses --agree-to-third-party-licenses
        --auto-agree-with-product-licenses -d|--download-only --download= --download-in-advance --download-in-heaps
        --download-as-needed --allow-unsigned-rpm -u|--clean-deps -U|--no-clean-deps --solver-focus= --allow-downgrade
        --no-allow-downgrade --allow-name-change --no-allow-name-change --allow-arch-change --no-allow-arch-change
        --allow-vendor-change --no-allow-vendor-change --best-effort --skip-interactive --with-interactive
        --with-optional --without-optional --updatestack-only --with-update --no-confirm -b=?|--bugzilla=? --cve=?
        --issue=? -g=|--category= --severity= --date= -a|--all -m|--matches --force-commit --ignore-unknown
        -i|--ignore-unknown --remove-orphaned
    """,
}

_APT_GET_OPTIONS = """
    -d|--download-only -f|--fix-broken -m|--ignore-missing|--fix-missing --download -q|--quiet
    -s|--simulate|--just-print|--dry-run|--recon|--no-act -y|--yes|--assume-yes --assume-no -u|--show-upgraded
    -V|--verbose-versions -a=|--host-architecture= -P=|--build-profiles= -b|--compile|--build --ignore-hold
    --with-new-pkgs --upgrade --only-upgrade --allow-downgrades --allow-remove-essential --allow-change-held-packages
    --force-yes --print-uris --purge --reinstall --list-cleanup -t=|--default-release=|--target-release=
    --trivial-only --mark-auto --remove --auto-remove|--autoremove --only-source --diff-only --dsc-only --tar-only
    --arch-only --indep-only --allow-unauthenticated --allow-insecure-repositories --allow-releaseinfo-change
    --allow-releaseinfo-change-origin --allow-releaseinfo-change-label --allow-releaseinfo-change-version
    --allow-releaseinfo-change-codename --allow-releaseinfo-change-suite --allow-releaseinfo-change-defaultpin
    --show-progress --with-source= -e=|--error-on= -h|--help -v|--version -c=|--config-file= -o=|--option=
    --install-recommends --install-suggests -U|--update --color --snapshot= -S= --solver= --planner= --full
    --allow-weak-repositories --allow-downgrade-to-insecure-repositories --fix-policy --show-upgraded --strict-pinning
"""
_APT_GET_VERBS = """
install; reinstall; satisfy; build-dep|builddep: install
source|showsrc; download: download
update: update
upgrade; dist-upgrade|full-upgrade; dselect-upgrade: upgrade
remove; purge; autoremove|auto-remove; autopurge: remove
clean; autoclean|auto-clean; distclean|dist-clean: clean
markauto; unmarkauto: other
check; changelog; indextargets: query
"""
_APTITUDE_OPTIONS = """
    --add-user-tag= --add-user-tag-to= --allow-new-upgrades --allow-new-installs --allow-untrusted --disable-columns
    -D|--show-deps -d|--download-only -F=|--display-format= -f|--fix-broken --full-resolver --group-by= -h|--help
    --log-file= --log-level= --log-resolver --no-new-installs --no-new-upgrades --no-show-resolver-actions -O=|--sort=
    -o= -P|--prompt --purge-unused -q=?|--quiet=? -R|--without-recommends -r|--with-recommends --remove-user-tag=
    --remove-user-tag-from= -s|--simulate --safe-resolver --schedule-only --show-package-names=
    --show-resolver-actions --show-summary=? -t=|--target-release=|--default-release= -V|--show-versions -v|--verbose
    --version --visual-preview -W|--show-why -w=|--width= -y|--assume-yes -Z --autoclean-on-startup --clean-on-startup
    -i -S= -u --arch-only --not-arch-only --option=
"""
_APTITUDE_VERBS = """
install; reinstall; build-dep|build-depends: install
download; source: download
update: update
safe-upgrade|upgrade; full-upgrade|dist-upgrade: upgrade
remove; purge: remove
clean; autoclean: clean
hold; unhold; markauto; unmarkauto; keep; keep-all; forbid-version; forget-new; add-user-tag; remove-user-tag: other
search; show; versions; why; why-not; changelog; help: query
"""
_APK_OPTIONS = """
    -h|--help -p=|--root= -X=|--repository= --repository-config= -q|--quiet -v|--verbose -i|--interactive
    --no-interactive -V|--version -f|--force --force-binary-stdout --force-broken-world --force-missing-repositories
    --force-no-chroot --force-non-repository --force-old-apk --force-overwrite --force-refresh
    -U|--update|--update-cache --progress --progress-fd= --no-progress --purge --allow-untrusted --wait= --keys-dir=
    --repositories-file= --no-network --no-cache --cache-dir= --cache-max-age= --cache-packages=?
    --cache-predownload=? --arch= --print-arch --no-logfile --preserve-env --timeout= -s|--simulate --clean-protected
    --overlay-from-stdin --no-scripts --no-commit-hooks --initramfs-diskless-boot --no-check-certificate --logfile=?
    --root-tmpfs=? --sync=? --pretty-print=? --legacy-info=?
"""
_APK_VERBS = """
add: install --initdb --usermode --no-usermode -l|--latest -u|--upgrade -t=|--virtual= --no-chown
fix: install -d|--depends -R|--reinstall -u|--upgrade -x|--xattr --directory-permissions
fetch: download -L|--link -R|--recursive --stdout -o=|--output= --url -w|--world --pkgname-spec= --built-after=
cache download: download --add-dependencies --available --ignore-conflict -l|--latest -u|--upgrade
cache sync: download --add-dependencies -l|--latest -u|--upgrade
update: update
upgrade: upgrade -a|--available --ignore --no-self-upgrade --self-upgrade-only --prune -l|--latest
    --preupgrade-depends= --preupgrade --no-preupgrade
index: build -d=|--description= -o=|--output= -x=|--index= --merge --rewrite-arch= --prune-origin --no-warnings
mkndx: build -d= --description= -o=|--output=
mkpkg: build -F= --files= -I= --info= -o= --output=
del: remove -r|--rdepends
cache clean; cache purge: clean
extract: other --destination= --no-chown
info: query -a|--all -d|--description -e|--installed -L|--contents -P|--provides -r|--rdepends -R|--depends --replaces
    -s|--size -t|--triggers -w|--webpage -W|--who-owns --install-if --license --rinstall-if --exists --origin
list: query -a|--available -d|--depends -I|--installed -O|--orphaned -P|--providers -u|--upgradable -m|--manifest
    -o|--origin
search: query -a|--all -d|--description -e|-x|--exact --has-origin -o|--origin -r|--rdepends
version: query -a|--all -c|--check -I|--indexes -l=|--limit= -t|--test
dot: query --errors --installed
audit: query --backup --check-permissions --full --ignore-busybox-symlinks --packages --details -r|--recursive
    --system --protected-paths=
query: query --fields= --format= --installed --recursive --summarize= --available --from= --match= -F= --all-matches
policy; stats; manifest; verify: query
"""
_DNF_OPTIONS = """
    -4 -6 --advisory=|--advisories= --allowerasing --assumeno -b|--best --bugfix|--bugfixes --bz=|--bzs=
    -C|--cacheonly --color= --comment= -c=|--config= --cve=|--cves= -d=|--debuglevel= --debugsolver
    --disableexcludes=|--disableexcludepkgs= --disable|--set-disabled --disableplugin=|--disable-plugin=
    --disablerepo=|--disable-repo= --downloaddir=|--destdir= --downloadonly -e=|--errorlevel= --enable|--set-enabled
    --enableplugin=|--enable-plugin= --enablerepo=|--enable-repo= --enhancement|--enhancements -x=|--exclude=
    --excludepkgs= --forcearch= -h|--help|--help-cmd --installroot= --newpackage|--newpackages --noautoremove
    --nobest|--no-best --nodocs|--no-docs --nogpgcheck|--no-gpgchecks --noplugins|--no-plugins --obsoletes -q|--quiet
    -R=|--randomwait= --refresh --releasever= --repofrompath= --repo=|--repoid= --rpmverbosity=
    --sec-severity=|--secseverity= --security --setopt= --skip-broken --skip-unavailable --skip-file-locks
    --showduplicates|--show-duplicates -v|--verbose --version -y|--assumeyes --advisory-severities= --allow-downgrade
    --no-allow-downgrade --offline --store= --use-host-config --setvar= --comment= --dump-main-config --dump-variables
    --installed --available --extras --upgrades --recent --all --autoremove --arch=|--archlist= --resolve --alldeps
    --source --urls --url --urlprotocols= --srpm --debuginfo --noroot --nodeps --rpm --nocrypto --tolerant --minimal
    --upgrade-minimal --disablerhnplugin --whatprovides= --whatrequires= --qf=|--queryformat= --reposdir=
    --allow-vendor-change --no-allow-vendor-change --from-repo= --from-vendor= --skip-missing
"""
_DNF_VERBS = """
group install|group upgrade: install --with-optional
builddep|build-dep: install --define= -D= --spec
install|in|localinstall; groupinstall|group-install|grp-install; reinstall|rei; swap; module install|module
    enable|module reset|module disable|module switch-to; environment install; install-n; install-nevra;
    debuginfo-install; downgrade|dg: install
download: download --arch=
reposync: download --download-path=|-p= --newest-only|-n --download-metadata
system-upgrade download: download
makecache|mc: update --timer
check-update|check-upgrade: update --changelogs
upgrade|update|up; upgrade-to|update-to; upgrade-minimal|update-minimal|up-min; localupdate;
    distro-sync|dsync|distrosync|distribution-synchronization; groupupdate|group-update|groupupgrade: upgrade
remove|rm|erase|remove-n|erase-n: remove --duplicates --oldinstallonly
autoremove; groupremove|group-remove|grouperase; group remove; module remove: remove
clean: clean
config-manager: other --add-repo= --save --dump
config-manager setopt|config-manager addrepo|config-manager enable|config-manager disable: other --from-repofile=
    --id= --set= --overwrite --save-filename= --add-or-replace --create-missing-dir
history; history undo; copr; copr enable; copr disable; copr remove; mark install|mark remove|mark group; mark
    user|mark dependency|mark weak: other
repoquery|rq: query -a|--all -f=|--file= -i|--info -l|--list -s|--source --latest-limit= --userinstalled
    --whatconflicts= --requires --provides --depends --recommends --location --nvr --nevra --installonly --unneeded
    --exactdeps --tree --whatdepends= --envra --recursive --conflicts --leaves
check: query --dependencies --duplicates --obsoleted --provides
needs-restarting: query -r|--reboothint -s|--services
list|ls; info|if; search|se; provides|whatprovides|prov; repolist|lr; repoinfo; deplist; history list;
    grouplist|group-list; group list|group info; module list|module info|module provides;
    updateinfo|update-info|advisory; version; help; leaves: query
"""
_ZYPPER_BEFORE = """
    -h|--help -V|--version -c=|--config= --userdata= -q|--quiet -v|--verbose --color --no-color -A|--no-abbrev
    -s=|--table-style= -n|--non-interactive --non-interactive-include-reboot-patches -x|--xmlout -i|--ignore-unknown
    -D=|--reposd-dir= -C=|--cache-dir= --raw-cache-dir= --solv-cache-dir= --pkg-cache-dir= --no-gpg-checks
    --gpg-auto-import-keys -p=|--plus-repo= --plus-content= --disable-repositories --no-refresh --no-cd --no-remote
    --releasever= -t|--terse -R=|--root= --installroot= --disable-system-resolvables --no-cd --no-check-certificate
"""
_ZYPPER_VERBS = """
install|in; verify|ve; install-new-recommends|inr: install @zypper-install
source-install|si: install -d|--build-deps-only -D|--no-build-deps -r=|--repo= --download-only
download: download --all-matches --dry-run
refresh|ref: update -f|--force -b|--force-build -d|--force-download -B|--build-only -D|--download-only -r=|--repo=
    -s|--services --include-all-archs
refresh-services|refs: update -f|--force -r|--with-repos -R|--restore-status
update|up; dist-upgrade|dup; patch: upgrade @zypper-install
remove|rm; removeptf|rmptf: remove @zypper-install
clean|cc: clean -r=|--repo= -m|--metadata -M|--raw-metadata -a|--all
addrepo|ar: other -r=|--repo= -c|--check -C|--no-check -n=|--name= -e|--enable -d|--disable -f|--refresh
    -F|--no-refresh -p=|--priority= -k|--keep-packages -K|--no-keep-packages -g|--gpgcheck --gpgcheck-strict
    --gpgcheck-allow-unsigned --gpgcheck-allow-unsigned-repo --gpgcheck-allow-unsigned-package -G|--no-gpgcheck
    --default-gpgcheck -t=|--type=
modifyrepo|mr: other -n=|--name= -e|--enable -d|--disable -f|--refresh -F|--no-refresh -r|--refresh -R|--no-refresh
    -p=|--priority= -k|--keep-packages -K|--no-keep-packages -g|--gpgcheck --gpgcheck-strict -G|--no-gpgcheck -a|--all
    -l|--local -t|--remote -m=|--medium-type= --default-gpgcheck
removerepo|rr: other --loose-auth --loose-query -a|--all -l|--local -t|--remote -m=|--medium-type=
addservice|as: other -n=|--name= -e|--enable -d|--disable -f|--refresh
modifyservice|ms: other -e|--enable -d|--disable -r|--refresh
addlock|al; removelock|rl: other -r=|--repo= -t=|--type=
renamerepo|nr; removeservice|rs; cleanlocks|cl: other
repos|lr: query -a|--alias -n|--name -u|--uri -p|--priority -r|--refresh -d|--details -s|--service
    -E|--show-enabled-only -U|--sort-by-uri -N|--sort-by-name -P|--sort-by-priority -A|--sort-by-alias -e=|--export=
search|se: query --match-substrings --match-words -x|--match-exact --provides --requires -n|--name -f|--file-list
    -d|--search-descriptions -C|--case-sensitive -i|--installed-only -u|--not-installed-only -t=|--type= -r=|--repo=
    --sort-by-name --sort-by-repo -s|--details -v|--verbose
info|if: query -s|--match-substrings -r=|--repo= -t=|--type= --provides --requires --recommends
list-updates|lu: query -t=|--type= -r=|--repo= --best-effort -a|--all
list-patches|lp: query -b=? --cve=? -g=|--category= -a|--all -r=|--repo=
packages|pa: query -r=|--repo= -i|--installed-only -u|--not-installed-only --orphaned --suggested --recommended
    --unneeded -N|--sort-by-name -R|--sort-by-repo --userinstalled --autoinstalled
patterns|pt; products|pd: query -r=|--repo= -i|--installed-only -u|--not-installed-only
ps: query -s|--short --print=
services|ls; patch-check|pchk; what-provides|wp; licenses; versioncmp|vcmp; targetos|tos; locks|ll; help;
    needs-rebooting; system-architecture: query
"""
_PIP_OPTIONS = """
    -h|--help --debug --isolated --require-virtualenv|--require-venv --python= -v|--verbose -V|--version -q|--quiet
    --log=|--log-file=|--local-log= --no-input --keyring-provider= --proxy= --retries= --timeout=|--default-timeout=
    --exists-action= --trusted-host= --cert= --client-cert= --cache-dir= --no-cache-dir --disable-pip-version-check
    --no-color --no-python-version-warning --use-feature= --use-deprecated= --resume-retries=
"""
_PIP_VERBS = """
install: install @pip-index @pip-build @pip-target --dry-run -t=|--target= --user --no-user --root= --prefix=
    -U|--upgrade --upgrade-strategy= --force-reinstall -I|--ignore-installed --install-option= --break-system-packages
    --compile --no-compile --no-warn-script-location --no-warn-conflicts --report= --egg --override-externally-managed
download: download -d=|--dest=|--destination-dir=|--destination-directory= @pip-index @pip-build @pip-target
wheel: build -w=|--wheel-dir= @pip-index @pip-build
lock: build -o=|--output= @pip-index @pip-build @pip-target
uninstall: remove -r=!|--requirement=! -y|--yes --root-user-action= --break-system-packages
cache purge; cache remove: clean
config; config set: other --editor= --global --user --site
freeze: query -r=!|--requirement=! -l|--local --user --path= --all --exclude-editable --exclude= -f=|--find-links=
inspect: query -l|--local --user --path=
debug: query @pip-target
list: query -o|--outdated -u|--uptodate -e|--editable -l|--local --user --path= --pre --format= --not-required
    --exclude-editable --include-editable --exclude= @pip-index
show: query -f|--files
search: query -i=|--index=
index versions: query --pre --json --ignore-requires-python --no-binary= --only-binary= @pip-index @pip-target
config list: query --editor= --global --user --site
cache list: query --format=
hash: query -a=|--algorithm=
completion: query --bash --zsh --fish
check; cache dir; cache info; help: query
"""
_UV_OPTIONS = """
    -n|--no-cache|--no-cache-dir --cache-dir= --managed-python --no-managed-python --no-python-downloads
    --allow-python-downloads --python-preference= --python-fetch= -q|--quiet -v|--verbose --color= --no-color
    --native-tls --no-native-tls --system-certs --no-system-certs --offline --no-offline
    --allow-insecure-host=|--trusted-host= --preview --no-preview --preview-features=|--preview-feature= --isolated
    --no-progress --directory=/ --project=/ --config-file= --no-config -h|--help -V|--version --show-settings
    --no-show-settings -V --python-fetch=
"""
_UV_VERBS = """
sync: install @uv-resolve @uv-groups
add: install @uv-resolve @uv-groups -r=!|--requirements=!|--requirement=! -c=!|--constraints=! -m=|--marker=
    --optional= --raw --raw-sources --bounds= --rev= --tag= --branch= --lfs --workspace --no-workspace
pip install; pip sync: install @uv-pip
tool install: install @uv-tool
python install: install -i=|--install-dir= --bin --no-bin --no-registry --registry --mirror= --pypy-mirror=
    --graalpy-mirror= --pyodide-mirror= --python-downloads-json-url= -r|--reinstall -f|--force -U|--upgrade --default
    --compile-bytecode
tool upgrade: upgrade @uv-tool --all
python upgrade: upgrade -i=|--install-dir= --mirror= --pypy-mirror= --graalpy-mirror= --pyodide-mirror=
    --python-downloads-json-url= -r|--reinstall --compile-bytecode
self update: upgrade --token= --dry-run
lock: build @uv-resolve --check --locked --check-exists --frozen --dry-run --script=!
export: build @uv-resolve @uv-groups --format= --prune= --no-annotate --no-header --header --annotate --emit-index-url
    --emit-find-links --no-hashes --hashes -o=|--output-file= --no-emit-project --no-emit-workspace --no-emit-local
    --no-emit-package=
build: build @uv-resolve --package= --all-packages|--all -o=|--out-dir= --sdist --wheel --list --no-build-logs
    --build-logs --force-pep517 --clear --no-create-gitignore -b=!|--build-constraints=! --require-hashes
    --no-verify-hashes
pip compile: build @uv-pip -o=|--output-file= --format= --no-strip-extras --no-strip-markers --strip-extras
    --no-annotate --annotate --no-header --header --annotation-style= --custom-compile-command= --generate-hashes
    --no-generate-hashes --universal --no-emit-package=|--unsafe-package= --emit-index-url --emit-find-links
    --emit-build-options --emit-index-annotation
run: run* @uv-resolve @uv-groups -m|--module --env-file= --no-env-file -w=|--with= --with-editable=
    --with-requirements=! --isolated -s|--script --gui-script --no-project
tool run: run* @uv-tool
remove: remove @uv-resolve @uv-groups --optional=
pip uninstall: remove -r=!|--requirements=!|--requirement=! --keyring-provider= --system --break-system-packages
    --no-break-system-packages -t=|--target= --prefix= --dry-run --cert= -p=|--python= -y|--yes
tool uninstall: remove --all
python uninstall: remove -i=|--install-dir= --all
cache clean: clean --force
cache prune: clean --ci --force
init: init --name= --bare --package --no-package --app --lib --script --description= --no-description --vcs=
    --build-backend= --no-readme --author-from= --no-pin-python --pin-python --no-workspace -p=|--python= --virtual
venv: init @uv-index --no-project --seed -c|--clear --force --allow-existing --prompt= --system-site-packages
    --relocatable --no-clear
version: other @uv-resolve --bump= --dry-run --short --output-format= --no-sync --frozen --locked --package= --active
python pin: other --resolved --no-resolved --no-project --global --rm --python-downloads-json-url=
tool update-shell; python update-shell: other
tree: query @uv-resolve @uv-groups --universal -d=|--depth= --prune= --no-dedupe --invert --outdated --show-sizes
    --python-version= --format=
pip list: query @uv-pip --format= --outdated --exclude-editable -e|--editable --exclude=
pip freeze: query @uv-pip --exclude-editable --path=
pip show: query @uv-pip -f|--files
pip check: query @uv-pip
pip tree: query @uv-pip -d=|--depth= --prune= --package= --no-dedupe --invert --outdated --show-sizes
    --show-version-specifiers
tool dir; python dir: query --bin
python list: query --all-versions --all-platforms --all-arches --only-installed --only-downloads --show-urls
    --output-format= --python-downloads-json-url=
python find: query --no-project --system --no-system --script= --show-version --resolve-links
    --python-downloads-json-url=
self version: query --short --output-format=
help: query --no-pager
tool list: query --show-paths --show-version-specifiers --show-with --show-extras --show-python --outdated
    --exclude-newer= --exclude-newer-package=
cache size: query -H|--human --output-format=
cache dir; generate-shell-completion: query
"""
_POETRY_OPTIONS = """
    -h|--help -q|--quiet -V|--version --ansi --no-ansi -n|--no-interaction --no-plugins --no-cache -P=/|--project=/
    -C=/|--directory=/ -v|--verbose -vv -vvv
"""
_POETRY_VERBS = """
install; sync: install @poetry-groups
add: install -G=|--group= -D|--dev -e|--editable -E=|--extras= --python= --platform= --markers= --source=
    --allow-prereleases --dry-run --lock
self add: install -e|--editable -E=|--extras= --source= --allow-prereleases --dry-run
self install: install --sync --dry-run
python install: install -t|--free-threaded -i=|--implementation= -r|--reinstall -c|--clean
bundle venv: install --python= --clear --with= --without= --only= -E=|--extras= --compile
self sync: install --dry-run
plugin add: install
update: upgrade --lock @poetry-groups
self update: upgrade --preview --dry-run
lock: build --no-update --check --regenerate
build: build -f=|--format= --clean -l=|--local-version= -o=|--output= -c=|--config-settings=
export: build -f=|--format= -o=|--output= --without-hashes --without-urls --dev --without= --with= --only=
    -E=|--extras= --all-extras --all-groups --with-credentials
self lock: build --regenerate
run: run*
shell: run
remove: remove -G=|--group= -D|--dev --dry-run --lock
env remove: remove --all
self remove: remove --dry-run
python remove: remove -t|--free-threaded -i=|--implementation=
cache clear: clean --all
init: init --name= --description= --author= --python= --dependency= --dev-dependency= -l=|--license=
new: init --name= --src --flat --readme= --description= --author= --python= --dependency= --dev-dependency=
    -l=|--license= -i|--interactive
env use: init
config: other --list --unset --local --migrate
version: other -s|--short --dry-run --next-phase
publish: other -r=|--repository= -u=|--username= -p=|--password= --cert= --client-cert= --dist-dir= --build --dry-run
    --skip-existing
source add: other --default --secondary -p=|--priority=
source remove: other
show: query --without= --with= --only= -t|--tree --why -l|--latest -o|--outdated -a|--all -T|--top-level --no-truncate
    -f=|--format=
check: query --lock --strict
env info: query -p|--path -e|--executable
env list: query --full-path
python list: query -a|--all -m|--managed -t|--free-threaded -i=|--implementation=
cache list; env activate; self show; source show; about; list; help; search; debug info: query
"""
_PIPENV_OPTIONS = """
    @pipenv
"""
_PIPENV_VERBS = """
install; sync: install @pipenv-install
update; upgrade: upgrade @pipenv-install
lock: build --dev-only --backend= -r|--requirements --header --no-header @pipenv --system --deploy --pre
    --extra-pip-args= --resolver= -d|--dev --categories= --extras= --all --config-settings= -i=|--index=
    --extra-index-url= --ignore-pipfile -e=!|--editable=! --skip-lock --keep-outdated --selective-upgrade --sequential
    -c=|--code= --three --two --lock-only --outdated --dry-run --clean
pylock: build --generate --from-pyproject --validate --dev-groups=
run: run* --system
shell: run --fancy --anyway
uninstall: remove --all-dev @pipenv-install
clean: remove --dry-run --system
remove: remove
graph: query --json --json-tree --reverse
requirements: query --dev --dev-only --hash --exclude-markers --exclude-index --categories= --from-pipfile --no-lock
check: query --unused= --db= -i=|--ignore= --output= --key= --policy-file= --use-lock --use-installed --categories=
    --scan --auto-install --use-default --style=
audit: query --fix --dry-run --strict --skip-editable --no-deps --local --desc --aliases --locked --system
verify; scripts; open; activate: query
"""
_CONDA_OPTIONS = """
    -h|--help -V|--version -v|--verbose -q|--quiet --json -y|--yes -d|--dry-run -n=|--name= -p=|--prefix=
    -c=|--channel= --use-local --override-channels --repodata-fn= --experimental= --no-lock --repodata-use-zst
    --no-repodata-use-zst --strict-channel-priority --channel-priority= --no-channel-priority --no-deps --only-deps
    --no-pin --copy --no-shortcuts --shortcuts-only= -C|--use-index-cache -k|--insecure --offline --download-only
    --show-channel-urls --solver= --file=! --force-reinstall --freeze-installed|--no-update-deps --update-deps
    -S|--satisfied-skip-solve --update-all|--all --update-specs -m|--mkdir --clobber --revision= --no-default-packages
    --clone= --subdir=|--platform= --dev --debug --trace --console= --no-rc --no-env --rc-file= -r=|--root-prefix=
    --log-level= --ssl-verify= --ssl-no-revoke --cacert-path= --retry-clean-cache --allow-softlinks --always-softlink
    --always-copy --no-always-copy --no-py-pin --no-pyc --pyc --allow-uninstall --no-allow-uninstall --allow-downgrade
    --no-allow-downgrade --extra-safety-checks --no-extra-safety-checks --verify-artifacts --trusted-channels=
    --safety-checks= --lock-timeout= --no-extra-safety-checks --relocate-prefix= --category= --print-config-only
    --no-progress-bar --prune-deps --no-prune-deps --force-remove|--force --unset-env-vars --no-plugins
    --environment-specifier=|--env-spec= --override-frozen --all-channels --mirror=
"""
_CONDA_VERBS = """
env create: install -f=!|--file=! --force
env update: install -f=!|--file=! --prune
install; create: install
update|upgrade; self-update; self update: upgrade
build: build --output --no-test --croot= --numpy= --python= --variant-config-files= -m= --no-anaconda-upload
    --output-folder= --no-build-id
index; package: build
run: run* --no-capture-output|--live-stream -s --cwd= -e= -a= --attach= --detach --clean-env --label= --dev
remove|uninstall: remove --features --keep-env
env remove: remove
clean: clean -a|--all -i|--index-cache -p|--packages -t|--tarballs -s|--source-cache -f|--force-pkgs-dirs -l|--logfiles
    --locks --trash --force
init: other --all --install --user --no-user --system --reverse -s= --shell= --condabin --no-condabin
config: other --system --env --file= --show --show-sources --validate --describe --write-default --get --append=2
    --prepend=2|--add=2 --set=2 --remove=2 --remove-key= --stdin
config set; config append|config prepend: other --system --env --file=
shell; shell init: other -s= --shell=
constructor: other --prefix= --extract-conda-pkgs --extract-tarball
env config; env config vars set; activate; deactivate; rename: other
env export|export: query -f=|--file= --no-builds --from-history --ignore-channels --format= --no-md5 --no-build
    --explicit --md5
list: query --full-name -f|--full-name --explicit --md5 -e|--export --revisions --no-pip -r|--revisions --canonical
    --reverse --show-channel-urls
info: query -a|--all -e|--envs --base -s|--system --unsafe-channels --license -l|--license
search: query -i|--info --envs --full-name
shell hook: query -s= --shell=
env list; repoquery; repoquery search|repoquery depends|repoquery whoneeds; compare; notices; doctor: query
"""
_NPM_OPTIONS = """
    --_auth= --access= --allow-directory= --allow-file= --allow-git= --allow-remote= --allow-scripts= --also=
    --audit-level= --auth-type= --before= --ca= --cache= --cache-max= --cache-min= --cafile= -c=|--call= --cert=
    --cidr= --cpu= --depth= --diff= --diff-dst-prefix= --diff-src-prefix= --diff-unified= --editor=
    --expect-result-count= --expires= --fetch-retries= --fetch-retry-factor= --fetch-retry-maxtimeout=
    --fetch-retry-mintimeout= --fetch-timeout= --git= --globalconfig= --heading= --https-proxy= --include=
    --init-author-email= --init-author-name= --init-author-url= --init-license= --init-module= --init-type=
    --init-version= --init.author.email= --init.author.name= --init.author.url= --init.license= --init.module=
    --init.version= --min-release-age-exclude= --provenance-file= --scopes= --password= --packages-and-scopes-permission=
    --orgs-permission= --token-description= --install-strategy= --key= --libc= --local-address= -L=|--location= --lockfile-version=
    --loglevel= --logs-dir= --logs-max= --maxsockets= -m=|--message= --min-release-age= --name= --node-gyp=
    --node-options= --noproxy= --omit= --only= --orgs= --os= --otp= --package= --pack-destination= --packages=
    -C=/|--prefix=/ --preid= --proxy= --registry=|--reg= --replace-registry-host= --save-prefix= --sbom-format=
    --sbom-type= --scope= --script-shell= --searchexclude= --searchlimit= --searchopts= --searchstaleness= --shell=
    --tag= --sso-type= --sso-poll-frequency= --tag-version-prefix= --umask= --user-agent= --userconfig= --viewer=
    --which= -w=|--workspace= --tmp= --user= --group= --python= --metrics-registry= --send-metrics= --target=
    --runtime= --target_arch= --dist-url= --arch= --fetch-timeout= -a|--all --audit --bin-links --dry-run
    --engine-strict -f|--force --foreground-scripts --fund -g|--global --global-style --if-present --ignore-scripts
    --include-workspace-root|--iwr --install-links --json --legacy-bundling --legacy-peer-deps -l|--long --offline
    --package-lock --package-lock-only -p|--parseable --prefer-dedupe --prefer-offline --prefer-online --production
    --progress -S|--save -B|--save-bundle -D|--save-dev -E|--save-exact -O|--save-optional -P|--save-prod --save-peer
    --shrinkwrap --strict-peer-deps --strict-ssl --timing --unicode --update-notifier -h|-H|-?|--help|--usage
    -v|--version --workspaces|--ws -y|--yes --optional --dev --unsafe-perm -d|--dd|--ddd -q|--quiet -s|--silent
    --verbose --color --description --git-tag-version --link --long --read-only --rebuild-bundle --allow-root --ddd
    --dd -dd -ddd -n
"""
_NPM_VERBS = """
install|i|in|ins|inst|insta|instal|isnt|isnta|isntal|isntall|add; ci|clean-install|ic|install-clean|isntall-clean;
    install-test|it; install-ci-test|cit|sit|clean-install-test; dedupe|ddp; link|ln: install
cache add: download
update|up|u|upgrade|udpate; audit fix: upgrade
rebuild|rb; shrinkwrap; pack: build
exec|x: run*
run|run-script|rum|urn; test|tst|t; start; stop; restart; explore: run
uninstall|unlink|remove|rm|r|un; prune: remove
cache clean|cache clear|cache rm|cache delete; cache verify; cache npx rm: clean
init|create|innit: init
config|c; config set|c set; config delete|config rm|config del; set; set-script; pkg; pkg set|pkg delete|pkg fix;
    version|verison; publish; login|adduser|add-user; logout; token; dist-tag|dist-tags; owner|author; access;
    deprecate; unpublish; approve-scripts; deny-scripts: other
audit; cache ls|cache list; config get|config list|config ls; get; pkg get; ls|list|la|ll; view|v|info|show; outdated;
    root; bin; prefix; ping; whoami; help|hlep; search|s|se|find; doctor; explain|why; fund; query; sbom; completion;
    docs|home; find-dupes; diff: query
"""
_YARN_OPTIONS = """
    -h|--help -v|--version --verbose --offline --prefer-offline --enable-pnp|--pnp --disable-pnp --strict-semver
    --json --ignore-scripts --har --ignore-platform --ignore-engines --ignore-optional --force --skip-integrity-check
    --check-files --no-bin-links --bin-links --flat --production=~|--prod=~ --no-lockfile --pure-lockfile
    --frozen-lockfile --update-checksums --link-duplicates --link-folder= --global-folder= --modules-folder=
    --preferred-cache-folder= --cache-folder= --mutex= --emoji=~ -s|--silent --cwd=/ --proxy= --https-proxy=
    --registry= --no-progress --progress --network-concurrency= --network-timeout= --non-interactive --interactive
    --scripts-prepend-node-path=~ --no-node-version-check --focus --otp= --use-yarnrc= --no-default-rc --no-emoji
    --audit -A --no-audit --save --no-save --ignore-workspace-root-check -W --immutable --no-immutable
    --immutable-cache --no-immutable-cache --check-cache --no-check-cache --check-resolutions --refresh-lockfile
    --inline-builds --no-inline-builds --mode= -c --network-settings= --no-prod
"""
_YARN_VERBS = """
install: install -D|--dev -g|--global -E|--exact -T|--tilde -O|--optional -P|--peer
add: install -D|--dev|--save-dev -P|--peer -O|--optional -E|--exact -T|--tilde -C|--caret --prefer-dev --cached
    --fixed -F -i --interactive
global add: install -E|--exact -T|--tilde --prefix=
workspaces focus: install --all -A|--all
dedupe: install -s=|--strategy= -c|--check
link: install -A|--all -p|--private -r|--relative
unplug: install -A|--all -R|--recursive
import: install
upgrade|up: upgrade -R|--recursive -L|--latest -S=|--scope= -C|--caret -T|--tilde -E|--exact -P=~|--pattern=~
    -i|--interactive -F|--fixed
global upgrade: upgrade --latest --prefix=
upgrade-interactive: upgrade --latest
pack: build -f=|--filename= -o=|--out= -n|--dry-run --install-if-needed
rebuild: build
run: run* -T|--top-level -B|--binaries-only --inspect=? --inspect-brk=? --require=
dlx|create: run* -p=|--package= -q|--quiet
workspaces foreach: run* --from= -A|--all -R|--recursive -W|--worktree -p|--parallel -i|--interlaced -j=|--jobs=
    -t|--topological --topological-dev --include= --exclude= --no-private --since=? -v -n|--dry-run --prefix
exec; node; workspace; workspaces run; test; start: run*
remove: remove -A|--all
global remove; unlink; prune: remove
autoclean: clean -I|--init -F|--force
cache clean|cache clear: clean --all --mirror --pattern=
init: init -y|--yes -p|--private -w|--workspace -i=~ -2 --install
config set; config delete|config unset: other -g|--global -H|--home
set version: other --only-if-needed --yarn-path
set resolution: other -s
publish: other --new-version= --message= --tag= --access=
version: other --new-version= --patch --minor --major --no-git-tag-version --message= --preid=
config; policies set-version; plugin import; plugin remove; npm publish|npm login; patch; stage: other
check: query --integrity --verify-tree
cache list: query --pattern=
workspaces list: query -R --since=?
config get|config list: query --why
npm audit|npm info|npm whoami: query -A|--all -R|--recursive --environment= --severity=
list: query --depth= --pattern=
audit: query --level= --groups=
constraints: query --fix
cache dir; workspaces info; plugin list|plugin runtime; info; why; outdated; bin; global bin|global dir|global list;
    licenses; help; versions; env; explain: query
"""
_PNPM_OPTIONS = """
    -h|--help -v|--version --color --aggregate-output --child-concurrency= -D|--dev --dev -C=/|--dir=/ --fix-lockfile
    -f|--force --frozen-lockfile --verify-store-integrity --global-dir= --global-bin-dir= --hoist-pattern=
    --ignore-pnpmfile --ignore-scripts --ignore-workspace --lockfile-dir= --lockfile-only --loglevel=
    --merge-git-branch-lockfiles --modules-dir= --network-concurrency= --hoist --lockfile --optional --offline
    --package-import-method= --prefer-frozen-lockfile --prefer-offline -P|--prod|--production --public-hoist-pattern=
    -r|--recursive --resolution-only --shamefully-hoist --side-effects-cache --side-effects-cache-readonly
    --store-dir= --store= --cache-dir= --state-dir= --stream --strict-peer-dependencies --auto-install-peers
    --use-running-store-server --use-stderr --use-store-server --virtual-store-dir= -w|--workspace-root --reporter=
    -s|--silent --changed-files-ignore-pattern= --fail-if-no-match -F=|--filter= --filter-prod= --test-pattern=
    --registry= --config= -E|--save-exact --save-workspace-protocol -g|--global -d -S|--save --save-dev
    -O|--save-optional --save-peer --save-prod --save-prefix= --workspace -L|--latest -i|--interactive --depth=
    --allow-build= --lockfile-directory= --package-lock --shared-workspace-lockfile --node-linker= --engine-strict
    --unsafe-perm --enable-pre-post-scripts --use-node-version= --dry-run --json --long --parseable --no-bail --bail
    --sort --workspace-concurrency= --parallel --reverse --resume-from= --report-summary --if-present --sequential
    -c|--shell-mode --pm-on-fail= --yes -y --resolution-mode= --dangerously-allow-all-builds --os= --cpu= --libc=
    --ignore-workspace-root-check --link-workspace-packages --legacy --include-workspace-root --fetch-timeout=
    --fetch-retries= --userconfig= --prefer-workspace-packages --no-save --script-shell= --trust-lockfile
    --minimum-release-age= --strict-dep-builds --symlink --enable-global-virtual-store --config-dir=
"""
_PNPM_VERBS = """
dedupe: install --check
install|i; add; install-test|it; ci|clean-install|ic|install-clean; import; deploy; link|ln; env use|env add; runtime
    set: install
fetch; store add: download
update|up|upgrade; self-update: upgrade
rebuild|rb: build --pending
pack: build --pack-destination= --pack-gzip-level= --out=
dlx: run* --package=
run|run-script; exec; create; test|t|tst; start: run*
remove|rm|uninstall|un; unlink; prune: remove
store prune; cache delete: clean
init: init
config set|c set; config delete: other --location=
publish: other --tag= --access= --publish-branch= --no-git-checks --git-checks --otp=
approve-builds; patch; patch-commit; config|c; set; setup; server start; pkg; version; login: other
env list: query --remote
list|ls|la|ll: query --only-projects --lockfile-only
outdated: query --format= --compatible
audit: query --audit-level= --fix --ignore-registry-errors
store path|store status; cache list; config get|config list|c get; get; why; licenses; licenses list|licenses ls; bin;
    root; help; doctor: query
"""
_BUN_OPTIONS = """
    -h|--help -v|--version --revision -c=?|--config=? -y|--yarn -p|--production -P --no-save --save --ca= --cafile=
    --dry-run --frozen-lockfile -f|--force --cache-dir= --no-cache --silent --quiet --verbose --no-progress
    --no-summary --no-verify --ignore-scripts --trust -g|--global --cwd=/ --backend= --registry= --concurrent-scripts=
    --network-concurrency= --save-text-lockfile --omit= --lockfile-only --linker= --minimum-release-age= --cpu= --os=
    --filter= -F=|--filter= -d|--dev|--development -D --optional --peer -E|--exact --only-missing -a|--analyze
    -b|--bun --bun --shell= --env-file= --elide-lines= --smol -r=|--preload= -i --hot --watch --no-clear-screen
    --if-present --latest --interactive -w|--workspaces --no-install --install= --prefer-offline --prefer-latest
    --inspect=? --recursive --audit-level= --json --all
"""
_BUN_VERBS = """
install|i; ci; add|a; link: install
upgrade: upgrade --canary --stable
update: upgrade
pm pack: build --destination= --filename= --gzip-level=
build: build --compile --outfile= --outdir= --target= --minify --minify-syntax --minify-whitespace
    --minify-identifiers --sourcemap=? --format= --splitting --entry-naming= --chunk-naming= --asset-naming= --root=
    --public-path= -e=|--external= --packages= --define= -d=|--define= --loader= -l=|--loader= --env= --bytecode
    --production --banner= --footer= --no-bundle --emit-dce-annotations --drop= --conditions= --feature=
    --windows-hide-console --watch --tsconfig-override= --compile-exec-argv=
x: run* -p=|--package=
test: run --timeout= --coverage --rerun-each= --only --todo --bail=? -u|--update-snapshots -t=|--test-name-pattern=
    --coverage-reporter= --coverage-dir= --reporter= --reporter-outfile= --randomize --seed= --preload=
run; exec; create|c: run*
repl: run
remove|rm|uninstall; unlink: remove
pm cache rm: clean
init: init -y|--yes -m|--minimal -r|--react
publish: other --access= --tag= --otp= --auth-type= --gzip-level=
patch: other --commit --patches-dir=
pm trust|pm untrusted|pm migrate|pm default-trusted: other
outdated; pm cache; pm ls|pm list|pm bin|pm hash|pm whoami|pm why|pm version|pm pkg; audit; info; why; getcompletes;
    completions: query
"""
_GO_VERBS = """
install: install @go-build
get: install -t -u=? -d -f -fix -insecure -tool @go-build
mod download: download -x -json -reuse= -C=/ -modcacherw -modfile=
mod tidy: download -e -v -x -diff -go= -compat= -C=/ -modcacherw -modfile=
mod vendor: download -e -v -o= -C=/ -modcacherw
work sync: download -C=/
work vendor: download -C=/ -e -v -o=
build: build -o= @go-build
vet: build -vettool= -fix -diff -c= -json @go-build
run: run* -exec= @go-build
test: run @go-build @go-test
generate: run -run= -skip= @go-build
tool: run* -n -C=/ -modfile=
clean: clean -i -r -cache -testcache -modcache -fuzzcache @go-build
mod init: init -C=/
mod edit: other -C=/ -fmt -module= -go= -toolchain= -require= -droprequire= -exclude= -dropexclude= -replace=
    -dropreplace= -retract= -dropretract= -json -print -n -x -tool= -droptool= -godebug= -dropgodebug=
work init|work use: other -C=/ -r
work edit: other -C=/ -use= -dropuse= -go= -replace= -fmt -json -print -toolchain=
env: other -C=/ -json -u -w -changed
fmt: other -n -x -mod=
fix: other -fix= -diff
telemetry: other
mod verify: query -C=/
mod graph|mod why: query -C=/ -go= -x -m -vendor
list: query -f= -json=? -m -compiled -deps -e -export -find -test -u -versions -retracted -reuse= @go-build
version: query -m -v -json
doc: query -all -c -cmd -short -src -u -http
help; bug: query
"""
_CARGO_OPTIONS = """
    -V|--version --list --explain= -v|--verbose -q|--quiet --color= --config= -Z= -h|--help --frozen --locked
    --offline -C=/
"""
_CARGO_VERBS = """
install: install --version=|--vers= --index= --registry= --git= --branch= --tag= --rev= --path=! --root= -f|--force
    -n|--dry-run --no-track --list --debug @cargo-build
binstall: install -y|--no-confirm --version= --git= --force --root= --install-path= --no-symlinks
    --disable-strategies= --strategies= --targets= --pkg-url= --pkg-fmt= --bin-dir= --manifest-path= --dry-run
    --no-track --log-level= --github-token= --locked --disable-telemetry --no-discover-github-token --only-signed
    --registry= --index=
auditable install: install --path=! --root= --force --version= --git= --tag= --rev= --branch= @cargo-build
fetch: download --target= --manifest-path=!
vendor: download --no-delete -s=!|--sync=! --respect-source-config --versioned-dirs --manifest-path=!
build|b; check|c; zigbuild; auditable build; xwin build; component build: build @cargo-build
clippy: build --no-deps --fix --allow-dirty --allow-staged @cargo-build
doc|d: build --open --no-deps --document-private-items @cargo-build
rustc: build* --crate-type= --print= @cargo-build
rustdoc: build --open --output-format= @cargo-build
fix: build --broken-code --edition --edition-idioms --allow-no-vcs --allow-dirty --allow-staged @cargo-build
generate-lockfile: build --manifest-path=! --ignore-rust-version
update: build -n|--dry-run --recursive --aggressive --precise= -b|--breaking -w|--workspace --manifest-path=!
    --ignore-rust-version -p=|--package=
nextest archive: build --archive-file= @cargo-build
chef cook: build @cargo-build --recipe-path= --check --no-build --zigbuild --clippy --no-std --auditable
leptos build: build --bin-features= --lib-features= --project= --split --precompress -P @cargo-build
package: build -l|--list --no-verify --no-metadata --allow-dirty --exclude-lockfile --registry= --index= @cargo-build
run|r: run* @cargo-build
test|t: run --no-run --no-fail-fast --doc @cargo-build
bench: run --no-run --no-fail-fast @cargo-build
nextest run: run -E= --filter-expr= -P= --no-fail-fast --test-threads= --retries= @cargo-build
uninstall: remove -p=|--package= --bin= --root=
new; init: init --vcs= --bin --lib --edition= --name= --registry=
add: other --no-default-features --default-features -F=|--features= --optional --no-optional --public --no-public
    --rename= -n|--dry-run --manifest-path=! --ignore-rust-version -p=|--package= --path= --base= --git= --branch=
    --tag= --rev= --registry= --dev --build --target=
remove|rm: other --dev --build --target= -n|--dry-run --manifest-path=! -p=|--package=
clean: other --doc -n|--dry-run -p=|--package= -r|--release --profile= --target= --target-dir= --manifest-path=!
    --workspace
publish: other -n|--dry-run --index= --registry= --no-verify --allow-dirty --token= @cargo-build
login: other --registry=
owner; yank: other
chef prepare: query --recipe-path= --bin= --manifest-path=
fmt: query* --check --all -p=|--package= --manifest-path= --message-format=
metadata: query --filter-platform= --no-deps --format-version= -F=|--features= --all-features --no-default-features
    --manifest-path=!
tree: query -e=|--edges= -i=|--invert= --prune= --depth= --prefix= --no-dedupe -d|--duplicates --charset=
    -f=|--format= @cargo-build
search: query --limit= --registry= --index=
pkgid: query -p= --manifest-path=
locate-project: query --workspace --message-format= --manifest-path=
info: query --registry= --index=
audit: query --deny= --ignore= -f= --file= --db= --json
version; help; deny: query
"""
_MAVEN_OPTIONS = """
    -am|--also-make -amd|--also-make-dependents -B|--batch-mode -b=|--builder= -C|--strict-checksums
    -c|--lax-checksums -cpu|--check-plugin-updates -D=|--define= -e|--errors -emp=|--encrypt-master-password=
    -ep=|--encrypt-password= -f=!|--file=! -fae|--fail-at-end -ff|--fail-fast -fn|--fail-never -gs=|--global-settings=
    -gt=|--global-toolchains= -h|--help -l=|--log-file= -llr|--legacy-local-repository -N|--non-recursive
    -npr|--no-plugin-registry -npu|--no-plugin-updates -nsu|--no-snapshot-updates -ntp|--no-transfer-progress
    -o|--offline -P=|--activate-profiles= -pl=|--projects= -q|--quiet -rf=|--resume-from= -s=!|--settings=!
    -t=|--toolchains= -T=|--threads= -U|--update-snapshots -up|--update-plugins -v|--version -V|--show-version
    -X|--debug|--verbose -itr|--ignore-transitive-repositories -color= --color= -is=|--install-settings=
    -ps=|--project-settings= -canf=|--cache-artifact-not-found= -sadp=|--strict-artifact-descriptor-policy=
    --non-interactive --force-interactive --raw-streams
"""
_GRADLE_OPTIONS = """
    -?|-h|--help -a|--no-rebuild -b=!|--build-file=! -c=!|--settings-file=! --build-cache --no-build-cache
    --configure-on-demand --no-configure-on-demand --configuration-cache --no-configuration-cache
    --configuration-cache-problems= --console= --continue --no-continue -D=|--system-prop= -d|--debug --daemon
    --no-daemon --foreground -F=|--dependency-verification= -g=|--gradle-user-home= -I=!|--init-script=! -i|--info
    --include-build= -M=|--write-verification-metadata= -m|--dry-run --max-workers= --offline -P=|--project-prop=
    -p=/|--project-dir=/ --parallel --no-parallel --priority= --profile --project-cache-dir= -q|--quiet
    --refresh-dependencies --refresh-keys --export-keys --rerun-tasks -S|--full-stacktrace -s|--stacktrace --scan
    --no-scan --status --stop -t|--continuous -u|--no-search-upward --update-locks=     -V|--show-version -v|--version --warning-mode= --watch-fs --no-watch-fs --write-locks -w|--warn
    -x=|--exclude-task= --tests= --configuration= --gradle-version= --distribution-type=
    --gradle-distribution-sha256-sum= --type= --dsl= --rerun --task= --all --args= --test-framework= --fail-fast
    --problems-report --no-problems-report --non-interactive --isolated-projects --package= --project-name=
    --no-validate-url --gradle-distribution-url= --write-locks --java-version= --overwrite
"""
_DOTNET_OPTIONS = """
    -h|-?|--help -v=|--verbosity= -a=|--arch= -c=|--configuration= -r=|--runtime= -o=|--output= -f=|--framework= --os=
    --no-restore --no-build --no-dependencies --no-incremental --no-cache --no-logo|--nologo|-nologo
    --self-contained=b|--sc=b --no-self-contained -p=|--property= --version-suffix= --source= -s= --packages=
    --use-current-runtime=b|--ucr=b --interactive=b --force --disable-parallel --ignore-failed-sources --configfile=
    --use-lock-file --locked-mode --lock-file-path= --force-evaluate --disable-build-servers --artifacts-path=
    --manifest= --include-symbols --include-source -d|--diagnostics --tl=? -t=|--target= -bl=?|-binaryLogger=?
    -m=?|-maxcpucount=? --maxcpucount=? -nowarn=|-noWarn= -warnaserror=? -restore=? -consoleLoggerParameters=|-clp=
    -flp= -fileLogger|-fl -nodeReuse=|-nr= -graph=? -terminalLogger= -detailedSummary=? -noconlog -noautorsp -l=
    -logger= -ds=? --no-http-cache --file=
"""
_DOTNET_VERBS = """
tool install: install -g|--global --local --tool-path= --version= --add-source= --tool-manifest= --allow-downgrade
    --prerelease --create-manifest-if-needed --allow-roll-forward --ignore-failed-sources
workload install: install --version= --skip-manifest-update --from-rollback-file= --include-previews --temp-dir=
    --skip-sign-check
workload restore: install --temp-dir=
new install: install --force --add-source=
new --install: install
restore: download
tool restore: download --add-source= --tool-manifest=
paket restore: download
tool update: upgrade -g|--global --local --tool-path= --version= --add-source= --tool-manifest= --allow-downgrade
    --prerelease --all
workload update: upgrade --include-previews --from-previous-sdk --temp-dir= --advertising-manifests-only
pack: build -s|--serviceable --nologo --include-source --include-symbols
store: build -m=|--manifest= --framework-version= -w=|--working-dir= --skip-optimization --skip-symbols
build; publish; msbuild: build
test: run* -s=|--settings= -t|--list-tests --filter= --test-adapter-path= -l=|--logger= --blame --blame-crash
    --blame-hang --collect= --results-directory= -e=|--environment= --diag=
run: run* --project= --launch-profile= --no-launch-profile -lp= -e=|--environment= --file=
watch: run* --project= --non-interactive --no-hot-reload --list
exec: run* --runtimeconfig= --depsfile= --additionalprobingpath= --fx-version= --roll-forward= --additional-deps=
tool run: run* --allow-roll-forward
dnx; ef; ef database update; vstest; fsi; jb; paket; cake; fake; script; swagger: run*
tool uninstall: remove -g|--global --local --tool-path= --tool-manifest=
workload uninstall: remove
workload clean: clean --all
nuget locals: clean -c|--clear -l|--list --force-english-output
new: init* -n=|--name= --dry-run --force --no-update-check --project= -lang=|--language= --type= --no-restore
    --no-https --use-program-main -au= --auth= --aot
add package|package add|add: other -v=|--version= -n|--no-restore --package-directory= --prerelease --project=
add reference|reference add: other --project=
sln add|sln list|sln remove: other --in-root --solution-folder=
nuget add source: other -n=|--name= -u=|--username= -p=|--password= --store-password-in-clear-text
    --valid-authentication-types= --protocol-version= --allow-insecure-connections
nuget update source: other -s= -u=|--username= -p=|--password= --store-password-in-clear-text
    --valid-authentication-types=
nuget push: other -k=|--api-key= -s=|--source= --skip-duplicate -n|--no-symbols -t=|--timeout= --no-service-endpoint
dev-certs https: other -ep=|--export-path= -p=|--password= -c|--check --clean -t|--trust --format= -np|--no-password
build-server shutdown: other --msbuild --vbcscompiler --razor
clean; remove package|remove reference|package remove; sln; solution; nuget remove source|nuget disable source|nuget
    enable source; nuget delete; nuget config set; format; user-secrets: other
tool list: query -g|--global --local --tool-path=
list package|package list|list reference|list: query --outdated --include-transitive --vulnerable --deprecated
    --format= --highest-minor --highest-patch
nuget list source: query --format=
tool search; workload list|workload search; nuget verify; help; sdk check; outdated: query
"""
_NUGET_OPTIONS = """
    -?|-help -Verbosity= -NonInteractive -ConfigFile= -ForceEnglishOutput -Source= -NoCache|-NoHttpCache
    -DirectDownload -OutputDirectory= -o= -Version= -ExcludeVersion -Prerelease|-pre -PackagesDirectory=
    -SolutionDirectory= -MSBuildPath= -MSBuildVersion= -FallbackSource= -RequireConsent -DisableParallelProcessing
    -PackageSaveMode= -Project2ProjectTimeOut= -Recursive -Force -UseLockFile -LockedMode -ForceEvaluate
    -LockFilePath= -DependencyVersion= -Framework= -Name= -UserName= -Password= -StorePasswordInClearText -ApiKey=
    -SkipDuplicate -Timeout= -clear -list -Properties= -BasePath= -Build -Symbols -Suffix= -Tool -Id= -Safe -Self
    -AllowInsecureConnections
"""
_NUGET_VERBS = """
install: install
restore: download
update: upgrade
pack: build
locals: clean
spec: init
config: other -Set=
sources; sources add; source; push; setapikey; add; init; delete: other
list; search; help; verify: query
"""
_COMPOSER_OPTIONS = """
    -h|--help -q|--quiet -V|--version --ansi --no-ansi -n|--no-interaction --profile --no-plugins --no-scripts
    -d=/|--working-dir=/ --no-cache -v|--verbose -vv -vvv --silent
"""
_COMPOSER_VERBS = """
install|i; require|r|req; reinstall; global require; global install: install @composer-install
update|u|upgrade; global update: upgrade @composer-install
self-update|selfupdate: upgrade -r|--rollback --clean-backups --no-progress --update-keys --stable --preview
    --snapshot --1 --2 --2.2 --set-channel-only
dump-autoload|dumpautoload: build -o|--optimize -a|--classmap-authoritative --apcu --apcu-prefix= --dev --no-dev
    --ignore-platform-req= --ignore-platform-reqs --strict-psr --strict-ambiguous --dry-run --optimize-autoloader
    --no-scripts
archive: build -f=|--format= --dir= --file= --ignore-filters
run-script|run: run* --timeout= --dev --no-dev -l|--list
exec: run* -l|--list
global exec; test: run*
remove|rm|uninstall; global remove: remove @composer-install
clear-cache|clearcache|cc: clean --gc
create-project: init -s=|--stability= --repository= --repository-url= --add-repository --no-custom-installers
    --no-secure-http --keep-vcs --remove-vcs --ask @composer-install
init: init --name= --description= --author= --type= --homepage= --require= --require-dev= -s=|--stability=
    -l=|--license= --repository= -a=|--autoload=
global config: other -g|--global --unset --json -j --merge -m --append -a|--auth
config: other -g|--global -e|--editor -a|--auth --unset -l|--list -f=|--file= --absolute -j|--json -m|--merge --append
    --source
bump: other -D|--dev-only -R|--no-dev-only --dry-run
repository: other
show|info: query --all --locked -i|--installed -p|--platform -a|--available -s|--self -N|--name-only -P|--path
    -t|--tree -l|--latest -o|--outdated -D|--direct --strict -f=|--format= --no-dev --ignore=
validate: query --no-check-all --check-lock --no-check-lock --no-check-publish --no-check-version
    -A|--with-dependencies --strict
check-platform-reqs: query --no-dev --lock -f=|--format=
audit: query --no-dev -f=|--format= --locked --abandoned= --ignore-severity=
outdated: query -a|--all --locked -D|--direct --strict -m|--minor-only -f=|--format= --no-dev --ignore=
licenses: query -f=|--format= --no-dev
global show; diagnose; about; depends|why; prohibits|why-not; search; status; suggests; fund; list; help; browse|home:
    query
"""
_BUNDLER_OPTIONS = """
    -h|--help -v|--version --no-color -r=|--retry= -V|--verbose --verbose --gemfile=! --binstubs=? --clean
    --deployment --no-deployment --frozen --no-frozen --full-index --jobs= -j=|--jobs= --local --prefer-local
    --no-cache --no-prune --path= -P=|--trust-policy= -q|--quiet --quiet --retry= --shebang= --standalone=? --system
    --without= --with= --redownload|--force --all --no-lock --target-rbconfig= --conservative --patch --minor --major
    --strict --update= --group= -g=|--group= --ruby=? --bundler=? --source= --all-platforms --no-install --cache-path=
    --global --parseable --dry-run --lockfile= --add-platform= --remove-platform= --print --normalize-platforms --pre
    --add-checksums  --git= --branch= --ref= --github= --require= --skip-install --optimistic
    --no-auto-install --glob=  --install
"""
_BUNDLER_VERBS = """
add: install -v=|--version= -s=|--source=
install|i; pristine; plugin install: install
cache|package|pack: download
update: upgrade
binstubs: build --force --path= --shebang= --all --standalone
lock: build
exec|e: run* --keep-file-descriptors --no-keep-file-descriptors --gemfile=!
console: run
remove: remove --install
clean: clean --force --dry-run
init: init --gemspec=
gem: init
config: other --local --global --parseable
config set|config unset: other --local --global
inject: other
config get|config list: query --local --global
list|ls: query --name-only --paths --without-group= --only-group=
show: query --paths
info: query --path --version
outdated: query --filter-patch --porcelain --only-explicit
platform: query --ruby
audit check: query --update
check; env; doctor; open; viz; version; help; audit; licenses: query
"""
_GEM_OPTIONS = """
    -h|--help -V|--verbose --no-verbose -q|--quiet --silent --config-file= --backtrace --debug --norc -v=|--version=
    --platform= --prerelease --no-prerelease --pre -l|--local -r|--remote -b|--both -B=|--bulk-threshold=
    --clear-sources -p=~|--http-proxy=~ --no-http-proxy -s=|--source= -u|--update-sources --no-update-sources -C=/
    --no-color
"""
_GEM_VERBS = """
install|i: install @gem-install
pristine: install --all --skip= --extensions --no-extensions --only-executables --only-plugins
    --only-missing-extensions -E -i= -n= --env-shebang --no-env-shebang
setup: install
fetch: download
update: upgrade --system=~ @gem-install
build: build --strict -o=|--output= --force
rdoc: build --all --ri --rdoc --overwrite
exec: run* -g=|--gem= --conservative
server: run
uninstall|remove: remove -a|--all --no-all -I|--ignore-dependencies --no-ignore-dependencies -D|--check-development
    --no-check-development -x|--executables --no-executables -i=|--install-dir= -n=|--bindir= --user-install
    --no-user-install --format-executable -f|--force --no-force --abort-on-dependent --no-abort-on-dependent --vendor
cleanup|clean: remove -n|--dry-run -d|--dry-run -D|--check-development --no-check-development --user-install
    --no-user-install
sources: other -a=|--add= --append= --prepend= --list -r=|--remove= -c|--clear-all -u|--update -f|--force
unpack: other --target=
cert: other -a= --add=
push; signin; owner; yank: other
list: query -i|--installed --no-installed -I -d|--details --no-details --versions --no-versions -a|--all -e|--exact
    --no-details
search: query -i|--installed -d|--details --versions --no-versions -a|--all -e|--exact
info: query -i -d -a|--all -e|--exact
which: query -a|--all -g|--gems-first
contents: query --all -l|--lib-only --prefix
specification: query --all --ruby --yaml --marshal
dependency: query -R|--reverse-dependencies --pipe
check: query --alien --doctor --dry-run
open; env|environment; outdated; stale; lock; help; version: query
"""
_APT_QUERY_VERBS = """
source: download
edit-sources; modernize-sources: other
list: query --installed --upgradable --manual-installed --all-versions
search: query -n|--names-only --full
show|info: query -a|--all-versions
depends; rdepends: query -i|--important --recurse
policy; moo: query
"""

_GRAMMARS: dict[str, _Grammar] = {
    "apt-get": _Grammar("apt", _APT_GET_OPTIONS, _APT_GET_VERBS),
    "apt": _Grammar("apt", _APT_GET_OPTIONS, _APT_GET_VERBS + _APT_QUERY_VERBS),
    "aptitude": _Grammar("getopt abbreviate", _APTITUDE_OPTIONS, _APTITUDE_VERBS),
    "apk": _Grammar("getopt abbreviate", _APK_OPTIONS, _APK_VERBS),
    "yum": _Grammar("getopt abbreviate", _DNF_OPTIONS, _DNF_VERBS),
    "dnf": _Grammar("getopt abbreviate", _DNF_OPTIONS, _DNF_VERBS),
    "dnf5": _Grammar("getopt abbreviate", _DNF_OPTIONS, _DNF_VERBS),
    "microdnf": _Grammar("getopt abbreviate", _DNF_OPTIONS, _DNF_VERBS),
    "tdnf": _Grammar("getopt abbreviate", _DNF_OPTIONS, _DNF_VERBS),
    "zypper": _Grammar("getopt abbreviate", "-h|--help", _ZYPPER_VERBS, _ZYPPER_BEFORE),
    "pip": _Grammar("getopt abbreviate", _PIP_OPTIONS, _PIP_VERBS),
    "uv": _Grammar("getopt equals", _UV_OPTIONS, _UV_VERBS),
    "poetry": _Grammar("getopt", _POETRY_OPTIONS, _POETRY_VERBS),
    "pipenv": _Grammar("getopt", _PIPENV_OPTIONS, _PIPENV_VERBS),
    "conda": _Grammar("getopt abbreviate", _CONDA_OPTIONS, _CONDA_VERBS),
    "mamba": _Grammar("getopt abbreviate", _CONDA_OPTIONS, _CONDA_VERBS),
    "micromamba": _Grammar("getopt abbreviate", _CONDA_OPTIONS + " -f=!|--file=!", _CONDA_VERBS),
    "npm": _Grammar("npm arbitrary abbreviate", _NPM_OPTIONS, _NPM_VERBS),
    "yarn": _Grammar("getopt booleans", _YARN_OPTIONS, _YARN_VERBS, bare="install", other="run"),
    "pnpm": _Grammar("npm", _PNPM_OPTIONS, _PNPM_VERBS, other="run"),
    "bun": _Grammar("getopt equals", _BUN_OPTIONS, _BUN_VERBS, other="run"),
    "go": _Grammar("go", "-h|--help", _GO_VERBS, "-h|--help -C=/"),
    "cargo": _Grammar("getopt equals", _CARGO_OPTIONS, _CARGO_VERBS),
    "maven": _Grammar("maven", _MAVEN_OPTIONS, ""),
    "gradle": _Grammar("maven", _GRADLE_OPTIONS, ""),
    "dotnet": _Grammar(
        "dotnet",
        _DOTNET_OPTIONS,
        _DOTNET_VERBS,
        "-h|--help --version --info --list-sdks --list-runtimes -d|--diagnostics",
    ),
    "nuget": _Grammar("dotnet", _NUGET_OPTIONS, _NUGET_VERBS),
    "composer": _Grammar("getopt", _COMPOSER_OPTIONS, _COMPOSER_VERBS, other="run"),
    "bundler": _Grammar("getopt equals booleans", _BUNDLER_OPTIONS, _BUNDLER_VERBS, bare="install"),
    "gem": _Grammar("getopt abbreviate", _GEM_OPTIONS, _GEM_VERBS),
}

# What an executable's name stands for: a manager, or a word that runs the command behind it.
_EXECUTABLES: dict[str, str] = {
    **{name: name for name in _GRAMMARS if name not in ("maven", "bundler")},
    "yum-3": "yum",
    "dnf-3": "dnf",
    "dnf4": "dnf",
    "yarnpkg": "yarn",
    "mvn": "maven",
    "mvnw": "maven",
    "mvnd": "maven",
    "gradlew": "gradle",
    "composer.phar": "composer",
    "bundle": "bundler",
    "bundler": "bundler",
    "nuget.exe": "nuget",
    **dict.fromkeys(("pip2", "pip2.7", "pip3", *(f"pip3.{minor}" for minor in range(3, 21))), "pip"),
    **dict.fromkeys(
        ("python", "python2", "python2.7", "python3", "pypy", "pypy3", *(f"python3.{minor}" for minor in range(3, 21))),
        "=python",
    ),
    "sudo": "=sudo",
    "env": "=env",
    "command": "=command",
    "exec": "=plain",
    "nohup": "=plain",
    "eatmydata": "=plain",
    "time": "=time",
    "nice": "=nice",
    "timeout": "=timeout",
    "corepack": "=corepack",
    "php": "=php",
    "sh": "=sh",
    "bash": "=sh",
}
_BEHIND_VARIABLE = (
    r'"?\$(?:\w+|\{\w+\})(?:/[\w.+-]+)*/([\w.+-]+)"?'
    r'|(?:/[\w.+-]+)*/"?\$(?:\w+|\{\w+\})"?(?:/[\w.+-]+)*/([\w.+-]+)'
)
# Between double quotes: plain text and simple expansions, which give one word (not "$@").
_ONE_WORD = r'(?:[^"$`\\]|\\.|\$\w+|\$\{\w+\}|\$\([^"`()]*\)|\$\{\w+:?[-+=?][^"`${}\\]*\})*"'


def _static(word: Word) -> tuple[str, bool, bool]:
    """What a word begins with for certain, whether that is all of it, and whether it may become several words."""
    if word.value is not None:
        return word.value, True, False
    text = word.text
    start: list[str] = []
    quoted = False
    index = 0
    if text.startswith("~"):
        return "~", False, False
    while index < len(text):
        character = text[index]
        if character == "'" and not quoted:
            end = text.find("'", index + 1)
            if end < 0:
                break
            start.append(text[index + 1 : end])
            index = end + 1
            continue
        if character == '"':
            quoted = not quoted
        elif character == "\\" and index + 1 < len(text) and (not quoted or text[index + 1] in '$`"\\\n'):
            index += 1
            start.append(text[index] if text[index] != "\n" else "")
        elif character in "$`" or (not quoted and character in "*?[{<>("):
            break
        else:
            start.append(character)
        index += 1
    rest = text[index:]
    if not quoted and rest[:1] in "*?[":  # names of files: they begin as the pattern does
        return "".join(start), False, "$" in rest or "`" in rest or not start
    if not quoted and rest[:1] == "{":
        return "".join(start), False, "$" in rest or "`" in rest or not start
    if quoted and rest:
        closing = re.match(_ONE_WORD, rest)
        while closing:
            rest = rest[closing.end() :]
            literal = re.match(r"[^\"'$`*?\[{\\<>(]*", rest)
            rest = rest[literal.end() :] if literal else rest
            if not rest:
                return "".join(start), False, False
            closing = re.match(_ONE_WORD, rest[1:]) if rest[0] == '"' else None
            rest = rest[1:] if closing else rest
    return "".join(start), False, True


@cache
def _read_options(text: str) -> dict[str, tuple[str, str]]:
    """An option list (see the module's beginning) as spelling -> (canonical spelling, kind)."""
    table: dict[str, tuple[str, str]] = {}
    for entry in text.split():
        if entry.startswith("@"):
            table.update(_read_options(_SHARED[entry[1:]]))
            continue
        names = [name.partition("=") for name in entry.split("|")]
        canonical = next((name for name, _, _ in names if name.startswith("--")), names[0][0])
        for name, equals, kind in names:
            table[name] = (canonical, equals + kind)
    return table


@cache
def _verbs(manager: str) -> tuple[dict[str, tuple[str, str, str]], frozenset[str]]:
    """Spelling -> (verb, action with its `*`, own options), and the words that begin a verb of several words."""
    verbs: dict[str, tuple[str, str, str]] = {}
    begins: set[str] = set()
    text = _GRAMMARS[manager].verbs.strip()
    for line in re.split(r"\n(?=\S)", text) if text else ():
        names, _, text = " ".join(line.split()).partition(": ")
        action, _, options = text.partition(" ")
        for name in names.split("; "):
            spellings = name.split("|")
            for spelling in spellings:
                verbs[spelling] = (spellings[0], action, options)
                words = spelling.split(" ")
                begins.update(" ".join(words[:count]) for count in range(1, len(words)))
    return verbs, frozenset(begins)


@cache
def _table(manager: str, verb: str) -> dict[str, tuple[str, str]] | None:
    """The options that stand behind a verb ("": before any)."""
    grammar = _GRAMMARS[manager]
    if not verb:
        return _read_options(grammar.options if grammar.before is None else grammar.before)
    own = _verbs(manager)[0].get(verb, ("", "", ""))[2]
    return {**_read_options(grammar.options), **_read_options(own)} if own else _read_options(grammar.options)


class _Reader:
    """One command line being read; `failed` once a word is met that the grammar does not know."""

    __slots__ = ("style", "words", "table", "options", "manifests", "directories", "uncertain")

    def __init__(self, style: str, words: tuple[Word, ...]) -> None:
        self.style = style
        self.words = words
        self.table: dict[str, tuple[str, str]] = {}
        self.options: list[Option] = []
        self.manifests: list[Word] = []
        self.directories: list[Word] = []
        self.uncertain = False

    def find(self, name: str) -> tuple[str, str] | None:
        """A long option by its name, its negation or, where the reader allows it, its unique beginning."""
        entry = self.table.get(name)
        if entry is not None:
            return entry
        if ("apt" in self.style or "npm" in self.style) and name.startswith("--no-"):
            entry = self.table.get("--" + name[5:])
            if entry is not None and entry[1] in ("", "=b"):
                return "--no-" + entry[0].lstrip("-"), ""
        if "abbreviate" in self.style and len(name) > 3:
            found = {entry for spelling, entry in self.table.items() if spelling.startswith(name)}
            if len(found) == 1:
                return found.pop()
        return None

    def take(self, name: str, canonical: str, kind: str, glued: Word | None, index: int) -> int:
        """Record an option whose value is glued to it, in the next word or absent; the index behind it, or -1."""
        following = index + 1
        if kind in ("", "=?") and glued is None:
            if "apt" in self.style and following < len(self.words):
                value = self.words[following].value
                level = canonical in ("--quiet", "--verbose-versions") and value is not None and value.isdigit()
                if value is not None and (value in _BOOLEANS or level):
                    self.options.append(Option(name, value, index, canonical))
                    return following + 1
            if "npm" in self.style and following < len(self.words) and self.words[following].value in ("true", "false"):
                self.options.append(Option(name, self.words[following].value, index, canonical))
                return following + 1
            self.options.append(Option(name, None, index, canonical))
            return following
        if kind == "=b" and glued is None:
            value = self.words[following].value if following < len(self.words) else None
            if value in ("true", "false"):
                self.options.append(Option(name, value, index, canonical))
                return following + 1
            self.options.append(Option(name, None, index, canonical))
            return following
        if kind == "=~" and glued is None:
            if following >= len(self.words):
                self.options.append(Option(name, None, index, canonical))
                return following
            start, whole, _ = _static(self.words[following])
            if start.startswith("-"):
                self.options.append(Option(name, None, index, canonical))
                return following
            if not whole and not start:
                return -1
        if (
            kind == ""
            and glued is not None
            and not any(word in self.style for word in ("apt", "npm", "go", "booleans", "dotnet"))
        ):
            return -1
        if glued is None:
            if following >= len(self.words):
                return -1
            glued = self.words[following]
            following += 1
            if kind == "=2":
                if following >= len(self.words):
                    return -1
                following += 1
            if _static(glued)[2]:
                self.uncertain = True
        self.options.append(Option(name, glued.value, index, canonical, glued.value is None))
        if kind == "=!":
            self.manifests.append(glued)
        elif kind == "=/":
            self.directories.append(glued)
        return following

    def part(self, word: Word, known: str, offset: int) -> Word:
        """The value glued to an option as a word of its own, `offset` characters into what is known of its word."""
        if word.value is not None:
            value = word.value[offset:]
            if word.text.endswith(value):
                return word._replace(
                    text=value, value=value, glob=value if word.glob is not None else None, start=word.end - len(value)
                )
            return word._replace(value=value, glob=None)
        if word.text.startswith(known):
            return word._replace(text=word.text[offset:], start=word.start + offset, glob=None)
        return word._replace(glob=None)

    def option(self, word: Word, index: int) -> int:
        """Read the option at `index`; the index behind it, or -1 where it is not known."""
        text, whole, splits = _static(word)
        if splits:
            self.uncertain = True
        if "go" in self.style.split():
            text = text[1:] if text.startswith("--") else text
        if text.startswith("--") or "go" in self.style.split() or "dotnet" in self.style:
            separators = "=:" if "dotnet" in self.style else "="
            end = next((place for place, character in enumerate(text) if character in separators), len(text))
            name = text[:end]
            if end == len(text) and not whole:
                return -1
            if "dotnet" in self.style and name.startswith("/"):
                name = "-" + name[1:]
            entry = self.find(name)
            if entry is None and "dotnet" in self.style:
                lower = name.lower()
                found = {entry for spelling, entry in self.table.items() if spelling.lower() in (lower, "-" + lower)}
                entry = found.pop() if len(found) == 1 else None
            if entry is None and name.startswith("--config.") and "npm" in self.style and end < len(text):
                entry = (name, "=")
            if entry is None and "arbitrary" in self.style:
                entry = (name, "" if end == len(text) else "=?")
            if entry is None:
                return -1
            glued = self.part(word, text, end + 1) if end < len(text) else None
            return self.take(name, *entry, glued, index)
        if "maven" in self.style:
            return self.maven(word, text, whole, index)
        if "npm" in self.style and len(text) > 2 and whole:
            entry = self.table.get(text) or self.table.get("-" + text)  # `-global`, `-ddd`
            if entry is not None:
                return self.take(text, *entry, None, index)
        return self.cluster(word, text, whole, index)

    def maven(self, word: Word, text: str, whole: bool, index: int) -> int:
        """`-am`, `-DskipTests`, `-P x`, `-T1C`: a name in full, else one letter with its value glued."""
        name, equals, _ = text.partition("=")
        entry = self.table.get(name)
        if entry is not None and (whole or equals):
            glued = self.part(word, text, len(name) + 1) if equals else None
            return self.take(name, *entry, glued, index)
        entry = self.table.get(text[:2])
        if entry is not None and entry[1].startswith("=") and len(text) + (not whole) > 2:
            return self.take(text[:2], *entry, self.part(word, text, 2), index)
        return -1

    def cluster(self, word: Word, text: str, whole: bool, index: int) -> int:
        """`-yq`, `-ovalue`, `-o value`, `-y=false` (apt)."""
        place = 1
        if whole and text in self.table and len(text) > 2:  # `-vvv` as an option of its own
            return self.take(text, *self.table[text], None, index)
        while place < len(text):
            name = "-" + text[place]
            entry = self.table.get(name)
            if entry is None:
                return -1
            canonical, kind = entry
            place += 1
            if kind in ("", "=b"):
                if text[place : place + 1] == "=" and ("apt" in self.style or "booleans" in self.style):
                    return self.take(name, canonical, kind, self.part(word, text, place + 1), index)
                if place == len(text) and whole:
                    return self.take(name, canonical, kind, None, index)
                self.options.append(Option(name, None, index, canonical))
                continue
            if place < len(text) or not whole:
                if text[place : place + 1] == "=" and any(style in self.style for style in ("apt", "equals")):
                    place += 1
                if place == len(text) and kind in ("=?", "=~") and not whole:
                    return -1
                return self.take(name, canonical, kind, self.part(word, text, place), index)
            return self.take(name, canonical, kind, None, index)
        return -1  # a bare dash, or flags with something unknown behind them


def recognise(command: Simple) -> Use | None:
    """What a command does, or None: no package manager, an option or verb that the table does not know, or a word whose
    value decides and is not known. `sudo`, `env`, `command`, absolute paths (`/usr/bin/apt-get`) and `python -m pip` are
    seen through."""
    words = command.words
    if not words:
        return None
    first = words[0].value
    if first is not None and (first if "/" not in first else first.rpartition("/")[2]) not in _EXECUTABLES:
        return None
    environment: list[tuple[str, str | None]] = [
        (item.name, None if item.append or item.value is None else item.value.value) for item in command.assignments
    ]
    prefix: list[str] = []
    uncertain = False
    index = 0
    while index < len(words):
        name = words[index].value
        if name is None:
            hidden = re.fullmatch(_BEHIND_VARIABLE, words[index].text)
            if hidden is None:
                return None
            name = hidden.group(1) or hidden.group(2)
            uncertain = uncertain or _static(words[index])[2]
        kind = _EXECUTABLES.get(name.rpartition("/")[2])
        if kind is None:
            return None
        if not kind.startswith("="):
            return _read(kind, command, index, prefix, environment, uncertain)
        behind = _see_through(kind, words, index, environment)
        if behind is None:
            return None
        prefix.append(name.rpartition("/")[2])
        index, module = behind
        if module:
            kind = _EXECUTABLES.get(module, "=")
            return None if kind.startswith("=") else _read(kind, command, index, prefix, environment, uncertain)
    return None


# For a word that runs another command: flags, options with a value, and how many operands come before that command.
_RUNNERS: dict[str, tuple[str, str, int]] = {
    "=sudo": ("AbEHknPSBN", "CghprTtu", 0),
    "=command": ("p", "", 0),
    "=plain": ("", "", 0),
    "=time": ("pvaq", "fo", 0),
    "=nice": ("", "n", 0),
    "=timeout": ("fpv", "ks", 1),
    "=python": ("bBdEIiOqRsSuvx3tP", "WX", 0),
    "=php": ("n", "dc", 0),
    "=env": ("i0v", "u", 0),
    "=sh": ("ex", "", 0),
}
_LONG_RUNNERS: dict[str, str] = {
    "=sudo": """--preserve-env=? --set-home --non-interactive --stdin --background --reset-timestamp --preserve-groups --user=
        --group= --host= --prompt= --close-from= --command-timeout= --role= --type=""",
    "=timeout": "--foreground --preserve-status --verbose --kill-after= --signal=",
    "=env": "--ignore-environment --unset=",
    "=nice": "--adjustment=",
    "=time": "--portability --verbose --format= --output= --append --quiet",
}


def _see_through(
    kind: str, words: tuple[Word, ...], index: int, environment: list[tuple[str, str | None]]
) -> tuple[int, str] | None:
    """The index of the command's own name behind a word that runs it, with the module's name for `python -m`."""
    if kind == "=corepack":
        tool = (words[index + 1].value or "").partition("@")[0] if index + 1 < len(words) else ""
        return (index + 1, tool) if tool in ("npm", "yarn", "pnpm") else None
    flags, valued, operands = _RUNNERS[kind]
    long_options = _read_options(_LONG_RUNNERS.get(kind, ""))
    index += 1
    while index < len(words):
        text, whole, _ = _static(words[index])
        if not whole and ("=" not in text or text.startswith("-")):
            return (
                (index, "")
                if not text.startswith("-") and not operands and kind not in ("=python", "=php", "=sh")
                else None
            )
        if text == "--":
            index += 1
            break
        if text.startswith("--"):
            name, equals, _ = text.partition("=")
            entry = long_options.get(name)
            if entry is None:
                return None
            index += 1 if equals or entry[1] != "=" else 2
        elif text == "-" and kind == "=env" or kind == "=nice" and re.fullmatch(r"-\d+", text):
            index += 1
        elif text.startswith("-") and len(text) > 1:
            step = 1
            for place, character in enumerate(text[1:], 1):
                if character == "m" and kind == "=python":
                    module = text[place + 1 :] or (words[index + 1].value if index + 1 < len(words) else None)
                    return (index if text[place + 1 :] else index + 1, module) if module else None
                if character in valued:
                    step = 1 if text[place + 1 :] else 2
                    break
                if character not in flags:
                    return None
            index += step
        elif kind in ("=sudo", "=env") and re.match(r"\w+=", text):
            name, _, value = text.partition("=")
            environment.append((name, value if whole else None))
            index += 1
        elif operands:
            operands -= 1
            index += 1
        else:
            break
    if index >= len(words) or operands:
        return None
    if kind in ("=python", "=php", "=sh"):  # a script of the manager's: `php composer.phar`, `sh ./gradlew`
        script = (words[index].value or "").rpartition("/")[2]
        fits = {"=php": ("composer", "composer.phar"), "=sh": ("gradlew", "mvnw")}.get(kind, ())
        return (index, "") if script in fits else None
    return index, ""


_NO_WORD = ("--help", "--version", "-?")


def _read(
    name: str,
    command: Simple,
    name_index: int,
    prefix: list[str],
    environment: list[tuple[str, str | None]],
    uncertain: bool,
) -> Use | None:
    """Read a command line of the manager whose own word is at `name_index`."""
    grammar = _GRAMMARS[name]
    words = command.words
    verbs, begins = _verbs(name)
    reader = _Reader(grammar.style, words)
    table = _table(name, "")
    assert table is not None
    reader.table = table
    script = "maven" in grammar.style
    written = ""  # the verb as far as it is read
    verb: str | None = None  # the verb once it is known
    verb_index = name_index
    action = ""
    verbatim = False
    operands: list[Word] = []
    index = name_index + 1
    while index < len(words):
        word = words[index]
        text, whole, splits = _static(word)
        dash = text.startswith("-") and (len(text) > 1 or not whole)
        if (
            index == name_index + 1 and name == "cargo" and whole and text.startswith("+")
        ):  # rustup's choice of a tool chain
            reader.options.append(Option(text, None, index, "+toolchain"))
            index += 1
            continue
        if not dash and verb is not None and "dotnet" in grammar.style and text.startswith("/"):
            end = next((place for place, character in enumerate(text) if character == ":"), len(text))
            dash = re.fullmatch(r"/[A-Za-z]+", text[:end]) is not None and (
                end < len(text)
                and whole + (end < len(text)) > 0
                and "-" + text[1:end] in reader.table
                or any(spelling.lower().lstrip("-") == text[1:end].lower() for spelling in reader.table)
                and end < len(text)
                or text.lower() in ("/nologo", "/m", "/bl", "/warnaserror", "/restore")
            )
        if dash and text == "--" and whole:
            if verb is None and not script:
                return None
            operands.extend(words[index + 1 :])
            uncertain = uncertain or any(_static(item)[2] for item in words[index + 1 :])
            break
        if dash:
            index = reader.option(word, index)
            if index < 0:
                return None
            continue
        if verb is None and not script:
            if not whole or splits:
                return None
            candidate = f"{written} {text}" if written else text
            if candidate in verbs or candidate in begins:
                if not written:
                    verb_index = index
                written = candidate
                if candidate not in begins:
                    verb, action, _ = verbs[candidate]
            elif written in verbs:  # "yarn config" with an operand
                verb, action, _ = verbs[written]
                operands.append(word)
            elif written or (grammar.other is None):
                return None
            else:  # a script of the project's
                verb, action, verb_index, verbatim = text, grammar.other, index, True
            if verb is not None:
                verbatim = verbatim or action.endswith("*")
                action = action.rstrip("*")
                reader.table = _table(name, verb) or table
            elif written:
                reader.table = _merged(name, written)
            if verbatim and verb is not None and text == verb and grammar.other is not None and verb not in verbs:
                operands.extend(words[index + 1 :])
                uncertain = uncertain or any(_static(item)[2] for item in words[index + 1 :])
                break
            index += 1
            continue
        uncertain = uncertain or splits or (not whole and not text)  # `"$X"` is one word, and may be an option
        operands.append(word)
        index += 1
        if verbatim:
            operands.extend(words[index:])
            uncertain = uncertain or any(_static(item)[2] for item in words[index:])
            break
        if (
            "go" in grammar.style.split()
            and verb != "test"
            and any(_static(item)[0].startswith("-") for item in words[index:])
        ):
            return None  # Go's flags end at the first operand: the command fails
    if verb is None and not script:
        if written:
            if written not in verbs:
                return None
            verb, action, _ = verbs[written]
            action = action.rstrip("*")
        elif any(option.canonical in _NO_WORD or option.canonical.startswith("--list") for option in reader.options):
            verb, action = "", "query"
        elif grammar.bare is not None:
            verb, action = grammar.bare, verbs[grammar.bare][1]
        else:
            verb, action = "", "query" if reader.options else "other"
            if name == "pipenv" and any(option.canonical == "--clear" for option in reader.options):
                action = "clean"
    elif any(option.canonical in _NO_WORD and option.value is None for option in reader.options):
        action = "query"
    if script:
        verb = ""
        action = _build_action(operands, reader.options)
        if operands:
            verb_index = next(place for place, item in enumerate(words) if item is operands[0])
            verb = operands[0].value or ""
    if name in ("conda", "mamba", "micromamba", "dotnet") and verb == "init" and not operands:
        action = "other"
    return Use(
        MANAGERS[name],
        action,
        verb or "",
        verb_index,
        command,
        tuple(reader.options),
        tuple(operands),
        tuple(reader.manifests),
        name_index,
        tuple(reader.directories),
        tuple(prefix),
        tuple(environment),
        uncertain or reader.uncertain,
    )


@cache
def _merged(manager: str, written: str) -> dict[str, tuple[str, str]]:
    """Options that may stand inside a verb of several words (`npm cache --force clean`): what all its ends agree on."""
    verbs = _verbs(manager)[0]
    merged: dict[str, tuple[str, str]] = {}
    clashing: set[str] = set()
    for spelling, (verb, _, _) in verbs.items():
        if spelling == written or spelling.startswith(written + " "):
            for name, entry in (_table(manager, verb) or {}).items():
                if merged.setdefault(name, entry)[1] != entry[1]:
                    clashing.add(name)
    return {name: entry for name, entry in merged.items() if name not in clashing}


def _build_action(operands: list[Word], options: list[Option]) -> str:
    """What Maven or Gradle is asked for by goals or tasks: download where they only resolve, query, else build."""
    if any(option.canonical in ("--version", "--help") for option in options):
        return "query"
    goals = [word.value for word in operands]
    if goals and all(
        goal is not None
        and (
            goal.endswith(
                (
                    ":go-offline",
                    ":resolve",
                    ":resolve-plugins",
                    ":copy-dependencies",
                    ":get",
                    ":go-offline-maven-plugin",
                )
            )
            or goal in ("dependencies", "downloadRepos", "downloadDependencies", "resolveDependencies")
            or ":go-offline" in goal
            or ":resolve" in goal
        )
        for goal in goals
    ):
        return "download"
    if goals and all(goal == "clean" or goal is not None and ":purge-local-repository" in goal for goal in goals):
        return "other"
    if goals and all(
        goal in ("tasks", "projects", "properties", "help", "help:effective-pom", "dependency:tree") for goal in goals
    ):
        return "query"
    return "build" if goals else "other"


def maven_repository(use: Use, environment: Mapping[str, str | None], home: str | None) -> str | None:
    """Maven's local repository: `-Dmaven.repo.local` of the command, MAVEN_ARGS or MAVEN_OPTS, else below HOME, else None.

    What `.mvn/maven.config` or a settings file says is not seen: they are the context's.
    """
    for option in reversed(use.options):
        if option.canonical == "--define":
            if option.value is None:
                return None
            if option.value.startswith("maven.repo.local="):
                return option.value.partition("=")[2]
        if option.canonical in ("--settings", "--global-settings"):
            return None
    for name in ("MAVEN_ARGS", "MAVEN_OPTS"):
        if name in environment:
            value = environment[name]
            if value is None:
                return None
            found = re.search(r"-Dmaven\.repo\.local=(\S+)", value)
            if found:
                return found.group(1)
    return f"{home.rstrip('/')}/.m2/repository" if home is not None else None


# --- Commands that have nothing to do with packages. ---

_FILE_COMMANDS = frozenset(
    """
        : true false echo printf test [ exit cd pwd umask export set unset shift sleep date id whoami uname arch
        nproc hostname printenv mkdir rmdir touch cp mv rm ln link unlink install chmod chown chgrp cat tac head
        tail tee sort uniq wc tr cut paste fold nl ls dir stat du df file readlink realpath basename dirname
        grep egrep fgrep sed find tar unzip zip gzip gunzip zcat bzip2 bunzip2 bzcat xz unxz xzcat zstd unzstd
        cpio mktemp mkfifo mknod truncate dd split cmp diff patch md5sum sha1sum sha256sum sha512sum base64 od
        xxd seq expr curl wget git setcap getcap sync which type jq useradd userdel usermod groupadd groupdel
        groupmod adduser addgroup deluser delgroup chpasswd chsh passwd update-alternatives ldconfig locale-gen
        update-locale update-ca-certificates update-ca-trust ssh-keygen
    """.split()
)
# Options with which these run other commands. (Those of curl and wget only name more files and addresses.)
_ESCAPES: dict[str, tuple[str, ...]] = {
    "find": ("-exec", "-execdir", "-ok", "-okdir"),
    "tar": (
        "-I", "--use-compress-program", "--to-command", "--checkpoint-action", "--rsh-command", "--info-script", "-F",
        "--new-volume-script",
    ),
    "sort": ("--compress-program",),
    "install": ("--strip-program", "-s", "--strip"),
    "split": ("--filter",),
    "cpio": ("--rsh-command",),
    "zip": ("-TT", "--unzip-command"),
    "git": ("-c", "--config", "-u", "--upload-pack", "--exec-path", "--template", "--recurse-submodules", "--recursive"),
}  # fmt: skip
_GIT_COMMANDS = frozenset(
    ("clone", "init", "checkout", "fetch", "reset", "rev-parse", "describe", "log", "status", "config")
)
_SED_SCRIPT = (
    r"(?:[$\d]+(?:,[$\d]+)?|/(?:[^/\\\n]|\\.)*/)?\s*!?\s*"  # an address
    r"(?:s(?P<mark>[/|#,@:!])(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)[gpiI0-9]*"
    r"|[dpq=]|[aic]\\?[^\n]*)"
)


def touches_only_its_words(command: Simple) -> bool:
    """Whether a command certainly reads and writes nothing but the paths that its words and redirections name.
    Exactly: it starts no program that it does not name here, and the files it touches are those that its
    words (relative to the working directory, `-R` and patterns included) and redirections name, what lies
    below them, their links, its user's own settings (`~/.curlrc`), and fixed files of the system that no
    package manager keeps: /etc/passwd and its kin with home folders made from /etc/skel, /etc/ssl,
    /etc/ld.so.cache, /etc/alternatives, locales. So it does not read or write package lists, caches or
    databases unless a word names them: that is for the caller to look at, `rm -rf /var/lib/apt/lists/*`
    passes here. A word of unknown value counts as text or a path; where it is nothing but an unquoted
    expansion, and this command has options that run programs, the answer is False. True does not say that
    the shell's own state stays (`cd`, `export`, `set`, `umask`)."""
    words = command.words
    if not words:
        return True  # assignments and redirections alone
    name = words[0].value
    if name is None or (name if "/" not in name else name.rpartition("/")[2]) not in _FILE_COMMANDS:
        return False
    name = name.rpartition("/")[2]
    if any(
        item.name in ("PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "IFS", "BASH_ENV", "ENV") for item in command.assignments
    ):
        return False
    if name == "sed":
        return _sed_is_plain(words)
    escapes = _ESCAPES.get(name)
    if escapes is None:
        return True
    if name == "git" and (len(words) < 2 or words[1].value not in _GIT_COMMANDS):
        return False
    for word in words[1:]:
        text, _, splits = _static(word)
        if not text and splits and re.fullmatch(r"\$\w+|\$\{[^{}]*\}|\$\(.*\)|`.*`", word.text, re.DOTALL):
            return False
        for escape in escapes:
            if text == escape or (
                escape.startswith("--") and len(text) > 3 and escape.startswith(text.partition("=")[0])
            ):
                return False
            if len(escape) == 2 and name != "find" and re.match(r"-[A-Za-z]*" + escape[1], text):
                return False
        if name == "tar" and word is words[1] and re.fullmatch(r"[A-Za-z]*[IF][A-Za-z]*", text):
            return False
    return True


def _sed_is_plain(words: tuple[Word, ...]) -> bool:
    """Whether sed's scripts are single plain commands: none that runs programs (`e`) or names files (`r`, `w`)."""
    scripts: list[Word] = []
    rest: list[Word] = []
    index = 1
    while index < len(words):
        text, whole, _ = _static(words[index])
        if text in ("-e", "--expression"):
            index += 1
            if index >= len(words):
                return False
            scripts.append(words[index])
        elif text.startswith("--expression="):
            return False
        elif text.startswith("-") and len(text) > 1:
            if not whole or not re.fullmatch(
                r"-[nErsuz]*(?:i[.\w]*)?|--in-place(?:=[.\w]*)?|--regexp-extended|--quiet|--silent", text
            ):
                return False
            if re.match(r"-[nErsuz]*i\w*e$", text):
                return False  # `-ie` is read as a suffix, and meant otherwise
        else:
            rest.append(words[index])
        index += 1
    if not scripts:
        if not rest:
            return False
        scripts = rest[:1]
    return all(re.fullmatch(_SED_SCRIPT, _script_text(word)) is not None for word in scripts)


def _script_text(word: Word) -> str:
    """A script of sed's with `0` for what simple expansions between double quotes bring in; "{" where it is
    not known."""
    if word.value is not None:
        return word.value
    if not re.fullmatch(r'"(?:[^"$`\\]|\\.|\$\w+|\$\{\w+\})*"', word.text, re.DOTALL):
        return "{"
    return re.sub(r'\\([$`"\\\n])', r"\1", re.sub(r"(?<!\\)\$(?:\w+|\{\w+\})", "0", word.text[1:-1]))
