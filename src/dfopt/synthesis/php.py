"""PHP: Composer and the image's own scripts for extensions; the program runs from its sources on the same image, without what compiles.

Sources: docker-library/php (docker-php-ext-install, -configure, -enable; the folders of extensions and of their settings),
getcomposer.org. There is no slimmer image of the same kind, so what is saved is compilers, headers, Composer and its cache.
"""

import posixpath
import re

from dfopt import bases
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Site, facts

_EXTENSIONS = "/usr/local/lib/php/extensions"
_SETTINGS = "/usr/local/etc/php/conf.d"

_STARTS = frozenset(
    "php php-fpm apache2-foreground apache2ctl apachectl docker-php-entrypoint docker-php-ext-enable pecl".split()
)
_EXTENDS = frozenset(
    "docker-php-ext-install docker-php-ext-configure docker-php-ext-enable docker-php-source pecl phpize pear install-php-extensions".split()
)
_DEVELOPS = pattern(r"\b(?:composer|phpunit|artisan serve|xdebug|phpstan|bin/console server:run|symfony server)\b")

# What the images name for `phpize` and a compiler.
_COMPILERS = ("$PHPIZE_DEPS", "${PHPIZE_DEPS}")

# Composer itself, wherever the file puts it.
_COMPOSER = ("/usr/bin/composer", "/usr/local/bin/composer", "/bin/composer", "/usr/local/bin/composer.phar")

# What composer's installer is fetched and run by.
_INSTALLER = pattern(r"getcomposer\.org|composer-setup|composer\.sig|composer\.github\.io")

# Settings of the server that a command of the image makes: the runtime repeats it.
_REPEATED = frozenset(("a2enmod", "a2dismod"))


def propose(site: Site) -> Proposal | str | None:
    installs = [placed for placed in site.commands if _installs(placed)]
    extended = [placed for placed in site.commands if _name(placed) in _EXTENDS]
    if not (installs or extended) or bases.repository_of(site.image)[0] != "php" or not facts.brings_tools(site):
        return None
    started = " ".join(site.said("CMD", "ENTRYPOINT", "HEALTHCHECK"))
    if _DEVELOPS.search(started):
        return None
    known = site.stage.facts
    family = known.distribution if known is not None else None
    if family not in ("debian", "alpine") or "$" in site.image:
        return f"what `{site.bottom.base.text}` stands on is not known"
    if any(_name(placed) == "install-php-extensions" for placed in extended):
        return "`install-php-extensions` installs packages of its own choice, which the runtime would need too"
    last = (installs or extended)[-1]
    outputs: list[Artefact] = []
    for placed in installs:
        folder = _folder(site, placed)
        if folder in (None, "/"):
            return f"it is not known where `{placed.text[:60]}` works"
        assert folder is not None
        if site.in_mount(placed, posixpath.join(folder, "vendor")):
            return f"`{folder}/vendor` lies in a mount, so that the image has nothing of it"
        outputs.append(Artefact(folder, "folder", "the program with what the build writes into it"))
    if extended:
        outputs += [
            Artefact(_EXTENSIONS, "folder", "the extensions that are compiled"),
            Artefact(_SETTINGS, "folder", "the settings that switch them on"),
        ]
    setup = tuple(
        tuple(word.text for word in placed.simple.words) for placed in site.commands
        if _name(placed) in _REPEATED and not placed.command.nesting
    )  # fmt: skip
    left = frozenset(path for path in _COMPOSER if path not in started)
    # What PECL compiles may be C++, whose library Alpine's compiler brings.
    packages = ("libstdc++",) if family == "alpine" and any(_name(placed) == "pecl" for placed in extended) else ()
    explained = frozenset(placed.key for placed in site.commands if _explained(placed))
    return Proposal(
        "PHP", last, tuple(dict.fromkeys(outputs)), site.image, "the image that the extensions are compiled for", family, explained,
        lambda path: None, sources_stay=True, packages=packages, tools=frozenset(("git", "zip", "unzip", "curl", "nodejs", "npm", "7zip", *_COMPILERS)) - _named(started),
        build_only=frozenset(("COMPOSER_ALLOW_SUPERUSER", "COMPOSER_HOME", "COMPOSER_CACHE_DIR", "COMPOSER_MEMORY_LIMIT", "COMPOSER_NO_INTERACTION")),
        starts=_STARTS, setup=setup, left=left,
    )  # fmt: skip


def _name(placed: Placed) -> str:
    return posixpath.basename(placed.command.name or "")


def _named(started: str) -> frozenset[str]:
    return frozenset(name for name in ("curl", "git", "unzip", "zip") if re.search(rf"\b{name}\b", started))


def _installs(placed: Placed) -> bool:
    use = placed.command.use
    return (
        use is not None
        and use.manager.name == "composer"
        and use.action == "install"
        and not use.verb.startswith("global")
    )


def _folder(site: Site, placed: Placed) -> str | None:
    use = placed.command.use
    folder = placed.folder
    for word in use.directories if use is not None else ():
        folder = site.joined(folder, site.value(placed, word))
    return folder


def _explained(placed: Placed) -> bool:
    """Whether a command only fetches packages, extends PHP, or fetches Composer."""
    use = placed.command.use
    if use is not None and use.manager.name == "composer":
        return not use.verb.startswith("global")
    if use is not None and use.manager.name in ("npm", "yarn", "pnpm"):
        return not use.has("-g", "--global")
    name = _name(placed)
    if name in _EXTENDS or name in _REPEATED:
        return True
    if name in ("php", "curl", "wget", "chmod", "rm", "mv"):
        if name == "php" and re.search(r"--install-dir|--filename=composer", placed.text):
            return True  # the installer comes through a pipe
        fetched = _INSTALLER.search(placed.text) is not None
        return fetched or (name in ("chmod", "mv", "rm") and "composer" in placed.text)
    return False
