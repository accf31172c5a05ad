"""Elixir: `mix release` makes a folder with the program and Erlang's machine; it runs on the slim image of the release that builds.

Sources: hexdocs.pm/mix (mix release: `_build/MIX_ENV/rel/NAME`, `--path`), docker-library's and erlef's images.
"""

import posixpath
import re

from dfopt import bases, families
from dfopt.startup import pattern
from dfopt.synthesis import Artefact, Placed, Proposal, Question, Site

_BUILD_ONLY = frozenset(
    ("MIX_ENV", "MIX_HOME", "HEX_HOME", "HEX_UNSAFE_HTTPS", "HEX_HTTP_TIMEOUT", "MIX_ARCHIVES", "ERL_FLAGS_BUILD")
)

_SOURCE = pattern(
    r"(?i).*\.(?:exs?|eex|heex|leex|erl|hrl|proto)|mix\.(?:exs|lock)|\.formatter\.exs|\.credo\.exs|package(?:-lock)?\.json"
)
_SOURCE_FOLDERS = frozenset(
    ("lib", "config", "priv", "assets", "test", "rel", "apps", "deps", "_build", "native", "c_src", "src")
)


def propose(site: Site) -> Proposal | str | None:
    built = [placed for placed in site.commands if _words(placed)[:1] == ["mix"] and "release" in _words(placed)]
    if not built:
        return None
    started = " ".join(site.said("CMD", "ENTRYPOINT"))
    if re.search(r"(?:^|\s)(?:mix|iex)(?=\s|$)", started):
        return None
    last = built[-1]
    if bases.repository_of(site.image)[0] != "elixir":
        return f"what `{site.bottom.base.text}` brings to a release is not known"
    known = site.stage.facts
    family = known.distribution if known is not None else None
    if family not in ("debian", "alpine") or "$" in site.image:
        return f"what `{site.bottom.base.text}` stands on is not known"
    image = families.variant(site.image, "slim") or site.image
    if "@" in site.image and image != site.image:
        return f"`{site.bottom.base.text}` is pinned, and which slim image belongs to it is not known"
    path = _output(site, last, started)
    questions: list[Question] = []
    outputs: list[Artefact] = []
    if path is None:
        words = f"which folder does `{last.text[:60]}` make?"
        questions.append(Question("artefact", words, ("_build/prod/rel/NAME",)))
    else:
        if site.in_mount(last, path):
            return f"`{path}` lies in a mount, so that the image has nothing of it"
        outputs.append(Artefact(path, "folder", "the release, with Erlang's machine in it"))

    def is_source(name: str) -> bool | None:
        parts = name.strip("/").split("/")
        return True if _SOURCE.fullmatch(parts[-1]) or parts[0] in _SOURCE_FOLDERS else None

    explained = frozenset(placed.key for placed in site.commands if _explained(placed))
    # A release links libssl and ncurses of the image that builds; the slim one of Debian has both, Alpine's is the same image.
    return Proposal(
        "Elixir", last, tuple(outputs), image, "the same release of Erlang" + (" without what builds" if image != site.image else ""), family,
        explained, is_source, tools=frozenset(("git", "nodejs", "npm", "curl", "inotify-tools", "yarn")) - _named(started),
        build_only=_BUILD_ONLY, questions=tuple(questions),
    )  # fmt: skip


def _words(placed: Placed) -> list[str]:
    """The words of a command without what is set before it."""
    words = [word.value or word.text for word in placed.simple.words]
    return words


def _named(started: str) -> frozenset[str]:
    return frozenset(name for name in ("curl", "git") if re.search(rf"\b{name}\b", started))


def _output(site: Site, placed: Placed, started: str) -> str | None:
    """The folder of the release."""
    answer = site.answer("artefact")
    if answer is not None:
        return site.joined(placed.folder, answer[0])
    words = _words(placed)
    for at, word in enumerate(words):
        if word == "--path" and at + 1 < len(words):
            return site.joined(placed.folder, words[at + 1]) if "$" not in words[at + 1] else None
        if word.startswith("--path="):
            return site.joined(placed.folder, word.partition("=")[2]) if "$" not in word else None
    environment = next(
        (one.value.value for one in placed.simple.assignments if one.name == "MIX_ENV" and one.value is not None), None
    )
    if environment is None:
        state = site.build.state(placed.instruction)
        environment = state.environment["MIX_ENV"] if state.environment.sets("MIX_ENV") else None
        if environment is None and (state.environment.sets("MIX_ENV") or state.arguments.sets("MIX_ENV")):
            return None
        environment = environment or "dev"
    after = words[words.index("release") + 1 :]
    name = next((word for word in after if not word.startswith("-")), None) or _name(site, placed)
    if name is None:
        named = re.search(r"_build/\w+/rel/([\w-]+)/bin/", started)
        name = named[1] if named is not None else None
    if name is None or "$" in name:
        return None
    return site.joined(placed.folder, posixpath.join("_build", environment, "rel", name))


def _name(site: Site, placed: Placed) -> str | None:
    """The name of the project's release, by mix.exs: its application's, where no releases are listed."""
    path = site.in_context(posixpath.join(placed.folder or "/", "mix.exs"))
    text = site.context.text(path) if path is not None and site.context is not None else None
    if text is None or re.search(r"\breleases:", text):
        return None
    found = re.search(r"\bapp:\s*:(\w+)", text)
    return found[1] if found is not None else None


def _explained(placed: Placed) -> bool:
    use = placed.command.use
    words = _words(placed)
    if words[:1] == ["mix"]:
        return True
    if use is not None and use.manager.name in ("npm", "yarn", "pnpm"):
        return not use.has("-g", "--global")
    return bool(words) and posixpath.basename(words[0]) in ("rebar3", "esbuild", "tailwind", "brunch", "webpack")
