"""The table of package managers: verbs, option grammars, caches and lists with their folders, clean-up, manifests, cache mounts."""

from typing import NamedTuple

from dfopt.shell import Simple, Word


class Folder(NamedTuple):
    """A folder that a manager keeps, `{home}` standing for HOME; `variable` names the environment variables and options that move it."""

    path: str                        # "/var/cache/apt", "{home}/.npm"
    variables: tuple[str, ...] = ()  # environment variables that put it elsewhere, the strongest first


class Manager(NamedTuple):
    """What dfopt knows of one package manager; see the module's tables for the sources."""

    name: str                              # "apt-get"
    family: str                            # managers that share caches and lists: "apt" for apt-get, apt, aptitude
    caches: tuple[Folder, ...]             # downloads kept after an install
    lists: tuple[Folder, ...]              # package indexes fetched by update
    mounts: tuple[Folder, ...]             # what a cache mount is put on
    sharing: str                           # "locked" where two builds at once would break it, else "shared"
    content_addressed: bool                # the cache only adds entries named by their content: one id may serve all projects
    enable: str | None                     # what must be switched on for the mount to hold anything, None where nothing
    manifests: tuple[str, ...]             # files that declare dependencies, as globs below the working directory
    locks: tuple[str, ...]
    writes: tuple[str, ...]                # where an install puts its result below the working directory ("node_modules")
    no_cache_flags: tuple[str, ...]        # flags that switch the cache off (`--no-cache-dir`); empty where none
    no_cache_variables: tuple[str, ...]    # environment variables that do (`PIP_NO_CACHE_DIR`)
    clean_commands: tuple[tuple[str, ...], ...]  # the words that empty the cache: ("apt-get", "clean")


class Option(NamedTuple):
    """An option as used: its name, value where it takes one, and the index of its (first) word in the command."""

    name: str
    value: str | None
    index: int


class Use(NamedTuple):
    """A command that was recognised, all its words understood.

    `action` is install, update (fetch lists), upgrade, remove, clean, download, build, run, init, query or other.
    `operands` are the words that are no options, without the verb. `manifests` are the files it names by option
    (`-r requirements.txt`). `verb_index` is the index of the verb in the command's words.
    """

    manager: Manager
    action: str
    verb: str
    verb_index: int
    command: Simple
    options: tuple[Option, ...]
    operands: tuple[Word, ...]
    manifests: tuple[Word, ...]

    def has(self, *names: str) -> bool:
        """Whether one of the options is given."""


MANAGERS: dict[str, Manager]


def recognise(command: Simple) -> Use | None:
    """What a command does, or None: no package manager, an option or verb that the table does not know, or a word whose
    value decides and is not known. `sudo`, `env`, `command`, absolute paths (`/usr/bin/apt-get`) and `python -m pip` are seen through."""
