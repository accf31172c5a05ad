"""Secrets that a RUN writes, or a COPY brings, and that no command of the same layer deletes: the image holds them."""

import posixpath
import re
from collections.abc import Iterator

from dfopt import archives, layers
from dfopt.archives import File, Placed
from dfopt.build import Build, Run, Stage
from dfopt.rule import Finding, Given, Related
from dfopt.shell import Simple
from dfopt.source import Span
from dfopt.startup import pattern

# Files that hold nothing but credentials, by the manuals of the programs that read them: `secret-copied` reports these by name
# wherever they are copied from the context, so that here only what a RUN writes to them counts.
_CREDENTIALS = pattern(
    r"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.git-credentials|[._]netrc|\.pypirc|\.aws/credentials|\.docker/config\.json|\.kube/config)$"
)

# Files of settings that may hold a token: npm, yarn, pip, composer, maven, NuGet, cargo; keys and accounts of services.
_MAY_HOLD = pattern(
    r"(?:^|/)(?:\.npmrc|\.yarnrc(?:\.yml)?|pip\.conf|auth\.json|settings(?:-security)?\.xml|(?i:nuget\.config)|\.cargo/credentials(?:\.toml)?"
    r"|credentials(?:\.(?:json|toml|ya?ml))?|[\w.-]*service[-_]?account[\w.-]*\.json|[\w.-]+\.(?:pem|key|p12|pfx|jks|ppk))$"
)

# Names of variables that hold secrets.
_SECRET_NAME = r"\w*(?:TOKEN|SECRET|PASSW|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SSH_?KEY|DEPLOY_?KEY|CREDENTIAL|_PAT\b|_AUTH\b)\w*"
_SECRET = pattern(
    rf"(?i:\$\{{?{_SECRET_NAME})|/run/secrets/|://[^/@\s\"'$]+:[^/@\s\"']+@|://\$\{{?\w+\}}?(?::[^/@\s]*)?@|-----BEGIN [A-Z ]*PRIVATE KEY"
)

# Commands that store what they are given, by their manuals: what of their words says so, and the file below HOME.
_STORING = (
    (re.compile(r"(?:npm|pnpm) (?:config set|set) .*_(?:authToken|auth|password)"), ".npmrc"),
    (re.compile(r"yarn config set .*(?:[aA]uthToken|[aA]uthIdent)"), ".yarnrc.yml"),
    (re.compile(r"pip3? config .*set .*index-url"), ".config/pip/pip.conf"),
    (re.compile(r"git config .*(?:--global|--system).*(?:insteadOf|extraheader)", re.IGNORECASE), ".gitconfig"),
    (
        re.compile(r"composer (?:global )?config .*(?:github-oauth|gitlab-token|http-basic|bearer)"),
        ".composer/auth.json",
    ),
    (re.compile(r"poetry config .*(?:http-basic|pypi-token)"), ".config/pypoetry/auth.toml"),
    (re.compile(r"aws configure set .*(?:secret|token)"), ".aws/credentials"),
    (re.compile(r"cargo login "), ".cargo/credentials.toml"),
    (re.compile(r"docker login .*(?:-p|--password)"), ".docker/config.json"),
    (re.compile(r"dotnet nuget add source .*--password"), ".nuget/NuGet/NuGet.Config"),
)

# What these write is what they are given; the output of others only hangs on it.
_WRITING = pattern(r"(?:echo|printf|cat|tee|base64|envsubst)$")

# Such a command takes the secret away again.
_FORGETTING = pattern(r"--unset|--remove-section|config (?:delete|rm|unset)|logout|remove source|\bunset\b")


def check(build: Build, given: Given) -> Iterator[Finding]:
    for stage in build.stages:
        if not build.is_shipped(stage):
            continue
        for index in stage.indexes:
            name = build.instructions[index].name
            if name in ("COPY", "ADD"):
                yield from _of_copy(build, stage, index)
            elif name == "RUN":
                yield from _of_run(build, stage, index)


# ------------------------------------------------------------------------------------------------------------- copied


def _of_copy(build: Build, stage: Stage, index: int) -> Iterator[Finding]:
    instruction = build.instructions[index]
    bodies = {heredoc.name: heredoc.body.text for heredoc in instruction.heredocs}
    for one in layers.laid(build, index) or ():
        if one.kind == "archive" or "://" in one.source:
            continue
        path = one.path if one.kind == "file" else posixpath.join(one.path, posixpath.basename(one.source.rstrip("/")))
        body = bodies.get(one.source)
        if body is not None:
            if (_CREDENTIALS.search(path) or _MAY_HOLD.search(path)) and _SECRET.search(body):
                yield _finding(build, instruction.text_span, path, "this COPY writes", _deletion(build, index, path))
            continue
        if _CREDENTIALS.search(one.source) or not (_MAY_HOLD.search(one.source) or _MAY_HOLD.search(path)):
            continue
        paths = dict.fromkeys((path, one.path))
        deletion = next(filter(None, (_deletion(build, index, each) for each in paths)), None)
        if deletion is not None:
            # That it is deleted says that it is not for the image.
            yield _finding(build, instruction.text_span, path, f"`{one.source}` may hold a secret:", deletion)


def _deletion(build: Build, index: int, path: str) -> Span | None:
    """The first command behind instruction `index` that deletes a file."""
    for later in layers.later(build, index):
        run = build.run(later)
        for cleaning in layers.cleaned(build, later) if run is not None else ():
            if run is not None and any(layers.covers(one, path) for one in cleaning.paths):
                return run.span(cleaning.simple.start, cleaning.simple.end)
    return None


# ------------------------------------------------------------------------------------------------------------ written


def _of_run(build: Build, stage: Stage, index: int) -> Iterator[Finding]:
    run = build.run(index)
    if run is None:
        return
    seen: set[str] = set()
    for place in archives.placed(build, index):
        for file in _written(build, index, place):
            if file.key in seen or (file.path is not None and layers.mounted(build, index, file.path)):
                continue
            if file.path is None and build.mounts(index):
                continue
            if archives.may_be_removed(build, index, file, place.command.simple.end) or _forgotten(build, index, place):
                continue
            seen.add(file.key)
            simple = place.command.simple
            deletion = _deletion(build, index, file.path) if file.path is not None else None
            what = f"`{_label(simple)}` writes"
            yield _finding(build, _span(run, simple), file.path or file.text, what, deletion)


def _span(run: Run, simple: Simple) -> Span:
    return run.span(simple.start, simple.end)


def _label(simple: Simple) -> str:
    return " ".join(word.text for word in simple.words[:2] if len(word.text) < 20 and "\n" not in word.text) or "it"


def _written(build: Build, index: int, place: Placed) -> Iterator[File]:
    """The files into which a command writes a secret."""
    simple = place.command.simple
    words = simple.words[1:] if simple.words and simple.words[0].value == "sudo" else simple.words
    text = " ".join(word.text for word in words)
    piped = _pipeline_text(build, index, simple)
    for redirection in simple.redirections:
        if redirection.operator in (">", ">>", ">|") and redirection.descriptor in (None, "1"):
            yield from _target(build, index, place, redirection.target.text, piped)
    if words and words[0].value == "tee":
        for word in words[1:]:
            if not word.text.startswith("-"):
                yield from _target(build, index, place, word.text, piped)
    home = build.state(index).home
    for storing, below in _STORING:
        if storing.match(text) and _stores_secret(text) and not _FORGETTING.search(text):
            path = posixpath.join(home, below) if home is not None and "--system" not in text else None
            yield File(f"~/{below}", path or f"~/{below}", path)


def _stores_secret(text: str) -> bool:
    if _SECRET.search(text):
        return True
    # A token written out: a long last word of letters and digits.
    last = text.rpartition(" ")[2].strip("\"'")
    return (
        re.fullmatch(r"[\w+/.=-]{20,}", last) is not None
        and re.search(r"[0-9]", last) is not None
        and "://" not in text
    )


def _target(build: Build, index: int, place: Placed, target: str, written: str) -> Iterator[File]:
    file = archives.file_of(build, index, place, target)
    name = file.path or file.key
    if _CREDENTIALS.search(name):
        # The fingerprints of hosts, or a key that is made here, are none.
        if not re.search(r"\bssh-key(?:scan|gen)\b", written):
            yield file
    elif (
        _MAY_HOLD.search(name)
        and _WRITING.match(posixpath.basename(place.command.name or ""))
        and _SECRET.search(written)
    ):
        yield file


def _pipeline_text(build: Build, index: int, simple: Simple) -> str:
    """What may come into a command's output: its own words and heredocs, and the pipeline that it ends."""
    run = build.run(index)
    assert run is not None, "a placed command stands in a RUN that is read"
    start = simple.start
    for step in run.script.steps:
        if step.pipeline.start <= simple.start < step.pipeline.end and len(step.pipeline.commands) > 1:
            start = step.pipeline.start
    bodies = [one.body.text for one in simple.redirections if one.body is not None]
    return run.script.text[start : simple.end] + "\n".join(bodies)


def _forgotten(build: Build, index: int, place: Placed) -> bool:
    """Whether a later command of the RUN may take the secret away again."""
    return any(
        other.command.simple.start > place.command.simple.start
        and _FORGETTING.search(" ".join(word.text for word in other.command.simple.words)) is not None
        for other in archives.placed(build, index)
    )


# ------------------------------------------------------------------------------------------------------------ findings


def _finding(build: Build, span: Span, path: str, what: str, deletion: Span | None) -> Finding:
    name = re.sub(r"[^a-z0-9]+", "-", posixpath.basename(path).lower()).strip("-")
    related: tuple[Related, ...] = ()
    kept = f"{what} a secret into a layer of the image"
    if what.endswith(":"):
        kept = f"{what} it stays in the layer that it is copied to"
    if deletion is not None:
        line = build.syntax.source.line_of(deletion.start)
        kept += f", which deleting it on line {line} does not change"
        related = (Related(deletion, "this only hides it"),)
    target = f",target={path}" if path.startswith("/") and "*" not in path else ""
    message = f"{kept} -> mount it for the RUN that needs it: `--mount=type=secret,id={name}{target}`"
    return Finding(span, message, None, None, related, "by what name the build gets the secret, the file does not say")
