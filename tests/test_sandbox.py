"""Generated Dockerfiles are fixed and both texts run under real shells: same files, modulo what the fixes declare, and no new failure.

This judges dfopt without its own reading of scripts: the stand-ins of `sandbox.py` do the work. DFOPT_SANDBOX=N tries N files
(the default is a sample), DFOPT_SANDBOX_FIRST=N begins with another seed.
"""

import collections
import os
import pathlib
import random
import re
import shutil

import pytest
import sandbox

from dfopt import catalogue, engine
from dfopt.rule import Adds, Changes, Given, Removes
from dfopt.source import Source

COUNT = int(os.environ.get("DFOPT_SANDBOX", "120"))
FIRST = int(os.environ.get("DFOPT_SANDBOX_FIRST", "0"))
POLICIES = (Given(), Given(cache="mount", assembly="always"))

# What a RUN may hold; `#` becomes a number of its own, so that each command leaves a trace of its own.
_COMMON = """curl -fsSL -o /opt/a.deb https://x/a|curl -fsSLo /tmp/t.tgz https://x/t|curl -o /opt/req.txt https://x/r|curl --output=/opt/w https://x/w
curl https://x/q > /opt/q|cat /tmp/t.tgz > /opt/t|rm /opt/a.deb|rm -f /tmp/t.tgz|rm -f /tmp/t.tgz|rm /tmp/t.tgz|rm -f /opt/req.txt|rm -f /opt/*.deb
rm -rf /opt/*|rm -rf /tmp/*|rm -f "/opt/a.deb"|rm -f $HOME/x /opt/q|watch #|watch #|watch #|probe #|probe #|probe #|cd /opt|export A=1|A=2|A=3 probe #
echo $A > /out/e#|umask 077|touch /opt/f#|touch /opt/f#|mkdir -p /tmp/d#|true|exit 0|test -e /opt|[ -d /tmp ]|set -e|set -x|set -f|set +e
ln -s /opt /lnk|ls /tmp > /out/t#|echo $? > /out/s#|echo $_ > /out/u#|cp -r /opt /out/p#|ls > /out/m#|find /opt -name "*.deb" -delete|sleep 0 & wait
service x start|useradd app|useradd app|eval true|. /dev/null|command true|alias rm=true|rm() { true; }|trap "echo t > /out/tr" EXIT|exec true
echo "${B:=set}" > /out/b#|echo "$B" > /out/B#|dd if=/opt/a.deb of=/out/d#"""
_FAMILIES = {
    "debian": """apt-get update|apt-get update|apt-get install -y curl|apt-get install -y --no-install-recommends git
apt-get update && apt-get install -y wget|apt-get update && apt-get install -y wget|apt-get install -y /opt/a.deb|apt-get clean|rm -rf /var/lib/apt/lists/*
rm -rf /var/lib/apt/lists/*|rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*|rm -r /var/lib/apt/lists|pip install flask|pip install -r /opt/req.txt
pip install --no-cache-dir x|pip cache purge|rm -rf ~/.cache/pip|rm -rf /root/.cache|npm install -g x|npm cache clean --force|rm -rf /root/.npm|npm ci""",
    "alpine": """apk update|apk add curl|apk add --no-cache git|apk update && apk add wget|apk add -U jq|apk add --update tar|rm -rf /var/cache/apk/*
rm -rf /var/cache/apk/*|rm -f /var/cache/apk/APKINDEX*|pip install flask|pip install --no-cache-dir x|rm -rf /tmp/* /var/cache/apk/*""",
    "fedora": """dnf install -y nginx|dnf install -y nginx|dnf clean all|dnf clean all|dnf install -y git && dnf clean all|rm -rf /var/cache/dnf
rm -rf /var/cache/dnf/*|pip install flask""",
}
_BASES = {
    "debian": ("debian:bookworm-slim", "python:3.12-slim", "node:20", "ubuntu"),
    "alpine": ("alpine:3.20", "python:3.12-alpine"),
    "fedora": ("fedora:40", "rockylinux:9"),
}
_SHELLS = {"debian": "dash", "alpine": "busybox", "fedora": "bash"}
_FIRST = {
    "debian": "RUN apt-get update && apt-get install -y curl\n",
    "alpine": "RUN apk update && apk add curl\n",
    "fedora": "RUN dnf install -y curl\n",
}
_NESTED = (
    "(%s && %s)",
    "{ %s; %s; }",
    "if %s; then %s; fi",
    "if [ -e /opt/a.deb ]; then %s; else %s; fi",
    "%s || %s",
    "for i in 1 2; do %s && %s; done",
)
_BETWEEN = (
    "ENV A=env", "ENV HOME=/home", "ENV PIP_NO_CACHE_DIR=1", "ENV PIP_CACHE_DIR=/opt/pc", "ARG B", "ENV LANG=C", "WORKDIR /opt", "WORKDIR /tmp/w", "WORKDIR /app",
    "WORKDIR sub", "COPY . .", "COPY a.txt /opt/", "COPY package.json ./", "COPY a.txt /tmp/t.tgz", "COPY . /app", "COPY sub /opt/sub",
    "COPY requirements.txt /opt/req.txt", "USER 1000", "USER root", 'SHELL ["/bin/bash", "-c"]', 'SHELL ["/bin/bash", "-ec"]',
    'SHELL ["/bin/bash", "-o", "pipefail", "-c"]', 'SHELL ["/bin/sh", "-efc"]', "LABEL a=b", "EXPOSE 80", "VOLUME /opt", "ONBUILD RUN apt-get install -y x",
    'RUN ["touch", "/opt/json"]', "# about", "# hadolint ignore=DL3008", "", "########\n# boxed #\n########",
)  # fmt: skip
_MOUNTS = (
    "--mount=type=cache,target=/var/lib/apt/lists ", "--mount=type=cache,target=/root/.cache/pip ", "--mount=type=tmpfs,target=/tmp ",
    "--mount=type=cache,target=/var/cache/apt,sharing=locked ", "--mount=type=cache,target=/root/.npm ", "--network=default ",
)  # fmt: skip


class _Writer:
    """Writes one Dockerfile from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.family = self.chance.choice(("debian", "debian", "alpine", "fedora"))
        own = re.split(r"[|\n]", _FAMILIES[self.family])
        # `|` alone divides; none of the commands is a pipeline.
        self.commands = own * 3 + re.split(r"[|\n]", _COMMON)
        self.number = 0

    def command(self, depth: int = 0) -> str:
        self.number += 1
        if depth < 2 and self.chance.random() < 0.1:
            return self.chance.choice(_NESTED) % (self.command(depth + 1), self.command(depth + 1))
        return self.chance.choice(self.commands).replace("#", str(self.number))

    def run(self) -> str:
        chance = self.chance
        commands = [self.command() for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4)))]
        flags = chance.choice(_MOUNTS) if chance.random() < 0.06 else ""
        style = chance.randrange(8)
        if style == 0:
            first = chance.choice(("", "set -e\n", "set -eux\n", "#!/bin/sh\nset -e\n", "# first\n"))
            lines = [command + chance.choice(("", "", "", "", " # tail", "\n# below")) for command in commands]
            return f"RUN {flags}<<EOF\n{first}" + "\n".join(lines) + "\nEOF\n"
        operator = chance.choice(("&&",) * 6 + (";",))
        text = commands[0]
        indent = chance.choice(("    ", "  ", "\t"))
        for command in commands[1:]:
            joint = operator if chance.random() < 0.93 else chance.choice(("&&", ";", "||"))
            comment = (
                chance.choice((f"{indent}# why\n", "# at the margin\n", f"{indent}#\n{indent}# box\n"))
                if chance.random() < 0.2
                else ""
            )
            if style > 3:
                text += f"; {command}" if joint == ";" else f" {joint} {command}"
            elif joint == ";":
                text += f"; \\\n{comment}{indent}{command}"
            elif style == 1:
                text += f" \\\n{comment}{indent}{joint} {command}"
            else:
                text += f" {joint} \\\n{comment}{indent}{command}"
        if chance.random() < 0.1:
            text = chance.choice(("set -e; ", "set -ex && ", "set -eu; ")) + text
        return f"RUN {flags}{text}" + chance.choice(("\n",) * 8 + (" \\\n\n", ";\n", "  \n", " # tail\n"))

    def text(self) -> str:
        chance = self.chance
        text = (
            chance.choice(("", "", "", "# syntax=docker/dockerfile:1\n", "# head\n\n"))
            + f"FROM {chance.choice(_BASES[self.family])}\n"
        )
        fetch = (
            "RUN curl -o /opt/a.deb https://x/a && curl -o /tmp/t.tgz https://x/t && curl -o /opt/req.txt https://x/r\n"
        )
        text += chance.choice(("", fetch, _FIRST[self.family], "COPY . .\n"))
        for _ in range(chance.randrange(2, 8)):
            text += self.run() if chance.random() < 0.72 else chance.choice(_BETWEEN) + "\n"
        if chance.random() < 0.15:
            text = text.rstrip("\n")
        if chance.random() < 0.1 and "<<" not in text:
            text = text.replace("\n", "\r\n")
        return text


def _pattern(glob: str) -> re.Pattern[str]:
    """A path of an effect as a regular expression: `P/**` is all below P, `*` stays within a component."""
    pieces = re.split(r"(/\*\*|\*|\?)", glob)
    return re.compile(
        "".join({"/**": "/.+", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece)) for piece in pieces)
    )


def _uncovered(before: sandbox.Outcome, after: sandbox.Outcome, patterns: list[re.Pattern[str]]) -> list[str]:
    """Paths that differ though no effect says so. What `watch` saw of declared paths is covered as they are."""
    found = []
    for path in sorted({*before.files, *after.files}):
        one, two = before.files.get(path), after.files.get(path)
        if one == two or any(pattern.fullmatch(path) for pattern in patterns):
            continue
        if path.startswith("/out/") and one is not None and two is not None and one[:2] == two[:2]:
            lines = set(one[2].decode().split("\n")) ^ set(two[2].decode().split("\n"))
            if all(any(pattern.fullmatch(line) for pattern in patterns) for line in lines):
                continue
        found.append(f"{path}: {one} became {two}")
    return found


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    why = sandbox.why_not()
    if why:
        pytest.skip(f"no sandbox: {why}")
    return sandbox.template(tmp_path_factory.mktemp("sandbox"))


def test_fixed_files_build_the_same(start: pathlib.Path, tmp_path: pathlib.Path) -> None:
    rules = catalogue.rules(["ALL"])
    proved: collections.Counter[str] = collections.Counter()
    wrong = []
    for seed in range(FIRST, FIRST + COUNT):
        writer = _Writer(seed)
        text = writer.text()
        before: sandbox.Outcome | None = None
        for given in POLICIES:
            result = engine.fix(Source(text), rules, given)
            assert result.faults == (), f"seed {seed}: {result.faults}"
            if result.source.text == text:
                continue
            assert engine.fix(result.source, rules, given).applied == (), f"seed {seed} is not at rest"
            before = before or _built(text, start, tmp_path, _SHELLS[writer.family])
            if not before.good:
                break
            after = _built(result.source.text, start, tmp_path, _SHELLS[writer.family])
            effects = [
                effect
                for applied in result.applied
                for effect in applied.effects
                if isinstance(effect, Removes | Adds | Changes)
            ]
            patterns = [_pattern(path) for effect in effects for path in effect.paths]
            found = _uncovered(before, after, patterns) if after.good else ["it fails to build now"]
            if found:
                wrong.append(f"seed {seed}, cache={given.cache}: {found[:3]}\n{text}\n-> {result.source.text}")
            proved.update(applied.name for applied in result.applied)
    assert not wrong, "\n\n".join(wrong)
    assert len(proved) > 3 or COUNT < 100, f"too little was tried: {proved}"
    print(dict(proved))


def _built(text: str, start: pathlib.Path, folder: pathlib.Path, shell: str) -> sandbox.Outcome:
    place = folder / "build"
    place.mkdir()
    try:
        return sandbox.build(text, start, place / "root", shell)
    finally:
        shutil.rmtree(place)
