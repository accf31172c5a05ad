"""Ruby: `bundle install`; the gems are carried as they lie, the program runs from its sources on the slim image of the same release.

Sources: docker-library/ruby (GEM_HOME, PATH), bundler.io (config), the gems' own installation pages for the libraries they link.
"""

import posixpath
import re

from dfopt import bases, families
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site, facts

_RUNS = frozenset(
    "ruby bundle bundler gem irb rake rails puma rackup unicorn sidekiq thin foreman resque passenger iodine falcon jekyll".split()
)
_DEVELOPS = pattern(r"\b(?:guard|rspec|rubocop|spring|bin/dev|jekyll serve|test:prepare|cucumber)\b")

# Gems with native extensions, and the header package whose library they link; "" where they bring their own.
_LINKED = {
    "pg": "libpq-dev", "mysql2": "default-libmysqlclient-dev", "charlock_holmes": "libicu-dev", "curb": "libcurl4-openssl-dev",
    "ruby-vips": "libvips-dev", "rdkafka": "", "sqlite3": "libsqlite3-dev", "ffi-rzmq": "libzmq3-dev", "rbnacl": "libsodium-dev",
    "typhoeus": "libcurl4-openssl-dev", "libxml-ruby": "libxml2-dev", "rmagick": "!", "mini_magick": "!", "rugged": "", "ruby-odbc": "unixodbc-dev",
}  # fmt: skip
_PROGRAMS = {"rmagick": "imagemagick", "mini_magick": "imagemagick"}
_ON_ALPINE = {
    "libpq-dev": "libpq",
    "default-libmysqlclient-dev": "mariadb-connector-c",
    "libsqlite3-dev": "sqlite-libs",
}


def propose(site: Site) -> Proposal | str | None:
    installs = [placed for placed in site.commands if _is(placed, "install")]
    if not installs or bases.repository_of(site.image)[0] != "ruby":
        return None
    started = " ".join(site.said("CMD", "ENTRYPOINT", "HEALTHCHECK"))
    if _DEVELOPS.search(started):
        return None
    last = installs[-1]
    folder = last.folder
    if folder in (None, "/"):
        return f"it is not known where `{last.text[:60]}` works"
    assert folder is not None
    image = families.variant(site.image, "slim") or site.image
    if image == site.image and not facts.brings_tools(site):
        return None
    if "@" in site.image and image != site.image:
        return f"`{site.bottom.base.text}` is pinned, and which slim image belongs to it is not known"
    known = site.stage.facts
    family = known.distribution if known is not None else None
    if family not in ("debian", "alpine") or "$" in site.image:
        return f"what `{site.bottom.base.text}` stands on is not known"
    outputs = [
        Artefact("/usr/local/bundle", "folder", "the gems"),
        Artefact(folder, "folder", "the program with what the build writes into it"),
    ]
    moved = _elsewhere(site, folder)
    if moved is None:
        return "it is not known where Bundler puts the gems"
    outputs += [Artefact(path, "folder", "the gems") for path in moved]
    for one in outputs:
        if any(site.in_mount(placed, one.path) for placed in installs):
            return f"`{one.path}` lies in a mount, so that the image has nothing of it"
    if any(
        placed.command.use is not None and placed.command.use.manager.name == "bundler"
        and {"config", "--global"} <= {word.value for word in placed.simple.words} for placed in site.commands
    ):  # fmt: skip
        return "`bundle config --global` keeps settings in a home, which the runtime lacks"
    packages: set[str] = set()
    questions: list[Question] = []
    if image != site.image:
        _libraries(site, folder, image, family, packages, questions)
    if family == "alpine":
        packages.add("libstdc++")  # gems in C++ are linked to it, and only the compiler brings it
    explained = frozenset(placed.key for placed in site.commands if _explained(placed))
    tools = (
        frozenset(("git", "curl", "nodejs", "npm", "yarn", "tzdata-legacy"))
        if not _uses_node(site, folder)
        else frozenset(("git", "curl"))
    )
    return Proposal(
        "Ruby", last, tuple(outputs), image, "the same release of Ruby" + (" without what builds" if image != site.image else ""), family,
        explained, lambda path: None, sources_stay=True, packages=tuple(sorted(packages)), tools=tools - _named(started),
        build_only=frozenset(("BUNDLE_JOBS", "BUNDLE_RETRY", "BUNDLE_SILENCE_ROOT_WARNING")), questions=tuple(questions), starts=_RUNS,
    )  # fmt: skip


def _is(placed: Placed, action: str) -> bool:
    use = placed.command.use
    return use is not None and use.manager.name == "bundler" and use.action == action


def _named(started: str) -> frozenset[str]:
    return frozenset(name for name in ("curl", "git") if re.search(rf"\b{name}\b", started))


_PLACES = frozenset(("BUNDLE_PATH", "GEM_HOME", "GEM_PATH", "BUNDLE_APP_CONFIG", "BUNDLE_USER_HOME"))


def _elsewhere(site: Site, folder: str) -> list[str] | None:
    """Where Bundler puts gems beside the image's folder; None where that is not known."""
    paths = []
    for placed in site.commands:
        if site.own_variables(placed) & _PLACES:
            return None
    for name in ("BUNDLE_PATH", "GEM_HOME", "BUNDLE_APP_CONFIG"):
        end = site.build.after(site.stage)
        if end.environment.sets(name):
            value = end.environment[name]
            known = site.stage.facts.variables.get(name) if site.stage.facts is not None else None
            if (
                value is None
                and known is None
                and name in (site.stage.facts.variables if site.stage.facts is not None else {})
            ):
                continue  # as the base image has it
            if value is None:
                return None
            paths.append(value)
        elif end.arguments.sets(name):
            return None
    for placed in site.commands:
        use = placed.command.use
        if use is None or use.manager.name != "bundler":
            continue
        words = [word.value or "" for word in placed.simple.words]
        given = use.value_of("--path")
        if given is not None:
            paths.append(given)
        elif use.has("--path"):
            return None
        if "config" in words and "path" in words and words[-1] != "path":
            paths.append(words[-1])
    found = []
    for path in paths:
        joined = site.joined(folder, path)
        if joined is None:
            return None
        if not (joined + "/").startswith((folder + "/", "/usr/local/bundle/")):
            found.append(joined)
    return list(dict.fromkeys(found))


def _libraries(site: Site, folder: str, image: str, family: str, packages: set[str], questions: list[Question]) -> None:
    """The packages with the libraries that gems link, by the lock file."""
    path = site.in_context(posixpath.join(folder, "Gemfile.lock"))
    text = site.context.text(path) if path is not None and site.context is not None else None
    if text is None:
        answer = site.answer("gems")
        if answer is None:
            words = "which packages do gems with native extensions need to run, as `libpq5` for pg? (Gemfile.lock is not known)"
            questions.append(Question("gems", words, ("none", "PACKAGES")))
        else:
            packages.update(one for one in answer if one != "none")
        return
    gems = set(re.findall(r"(?m)^    ([A-Za-z0-9_.-]+) \(", text))
    release = "alpine" if family == "alpine" else facts.release_of(image)
    for gem in sorted(gems & set(_LINKED)):
        if _LINKED[gem] == "!":
            packages.add(_PROGRAMS[gem])
            continue
        if not _LINKED[gem]:
            continue
        found = _ON_ALPINE.get(_LINKED[gem]) if family == "alpine" else facts.library(_LINKED[gem], release)
        if found is None:
            answer = site.answer(f"library-{_LINKED[gem]}")
            if answer is None:
                words = f"which package has the library that the gem `{gem}` links (of `{_LINKED[gem]}`)? -> `none` for none"
                questions.append(Question(f"library-{_LINKED[gem]}", words, ("none", "PACKAGES")))
            else:
                packages.update(one for one in answer if one != "none")
        elif found:
            packages.add(found)
    if re.search(r"(?m)^GIT\b", text):
        packages.add("git")  # gems that are a repository ask git for their files
    if "tzinfo" in gems and "tzinfo-data" not in gems:
        packages.add("tzdata")


def _uses_node(site: Site, folder: str) -> bool:
    """Whether the program may run JavaScript itself."""
    path = site.in_context(posixpath.join(folder, "Gemfile.lock"))
    text = site.context.text(path) if path is not None and site.context is not None else None
    return (
        text is None
        or re.search(r"(?m)^    (?:execjs|mini_racer|therubyracer|react-rails|grover|hypernova)", text) is not None
    )


_TASKS = pattern(
    r"(?:bin/|\./bin/)?(?:rails|rake)\b.*\b(?:assets:\w+|webpacker:\w+|vite:\w+|css:build|javascript:build|tmp:\w+|log:clear|yarn:install|shakapacker:\w+)"
)


def _explained(placed: Placed) -> bool:
    """Whether a command only fetches gems, or writes below the project."""
    use = placed.command.use
    if use is not None and use.manager.name == "bundler":
        if use.action == "run" or use.verb == "exec":
            words = " ".join(word.value or "" for word in placed.simple.words)
            return _TASKS.search(words) is not None or "bootsnap" in words
        return True
    if use is not None and use.manager.name == "gem":
        return True
    if use is not None and use.manager.name in ("npm", "yarn", "pnpm"):
        return not use.has("-g", "--global")
    return _TASKS.match(" ".join(word.value or word.text for word in placed.simple.words)) is not None
