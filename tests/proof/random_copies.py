"""Random images that are filled by COPYs, made one by an assembly stage and held against real builds.

    PYTHONPATH=src:tests python -m proof.random_copies [COUNT] [FIRST]

makes COUNT (50) files from the seeds FIRST (0) onwards, makes every safe fix of `scattered-copies` in them (`assembly = "always"`), builds
both and compares the images. The sources have links inside and out, owners, set-id bits, odd modes and blanks in names; the images have links, folders of
other owners and set-group-id where the COPYs go. Exit code: 1 where an image differs in what was not declared.
"""

import collections
import os
import pathlib
import random
import sys
import tempfile

from dfopt.rule import Given
from proof import prove

BUILDER = r"""FROM debian:bookworm-slim AS b
RUN mkdir -p /out/d/sub /out/e/sub /out/e/lib /out/lib && echo 1 > /out/one && echo 2 > /out/two.txt && echo 3 > /out/d/three \
    && ln -s three /out/d/rel && ln -s /etc /out/d/where && echo x > /out/e/two.txt && ln -s /var/tmp /out/e/d && ln -s sub /out/e/sb \
    && echo l > /out/lib/l && chmod 4755 /out/one && chmod 0700 /out/d /out/e/sub && chmod 2770 /out/d/sub && chown -R 1500:1500 /out/d \
    && chown 1501:1501 /out/two.txt && ln -s /out/d /out/dlink && ln -s two.txt /out/flink.txt \
    && mkdir "/out/a b" && echo 4 > "/out/a b/c d.txt" && chown 1502:1502 "/out/a b/c d.txt" && echo 5 > "/out/x y"
"""
SOURCES = (
    "/out/one",
    "/out/two.txt",
    "/out/d",
    "/out/e",
    "/out/lib",
    "/out/e/.",
    "/out/dlink",
    "/out/flink.txt",
    "/out/*.txt",
    "/out/d/sub",
)
LOCAL = ("c.txt", "tool", "cd", "cd/", "c.txt tool")
ADDED = ("c.txt", "cd/", "c.txt cd/two.txt")
WITH_BLANKS = ("/out/a b", "/out/a b/c d.txt", "/out/x y")
OWNERS = (
    "",
    "",
    "",
    "--chown=app:app",
    "--chown=1600:1600",
    "--chown=1600",
    "--chown=app",
    "mixed",
    "mixed",
    "named",
    "variable",
)
NUMBERS = ("", "--chown=5:6", "--chown=1600", "--chown=0:0")
NAMES = (
    "",
    "--chown=root",
    "--chown=www-data",
    "--chown=root:www-data",
    "--chown=7:root",
    "--chown=team",
    "--chown=team:team",
)
TEAM = "RUN groupadd -g 1700 team && useradd -u 1701 -g team team"
VARIABLES = ("--chown=$ID", "--chown=${ID}", "--chown=1600:1600", "--chown=$OTHER")


def image(chance: random.Random) -> str:
    """A file whose last stage has several COPYs."""
    has_system = chance.random() < 0.85
    top = chance.choice(("/app", "/app", "/app", "/opt/app", "/srv/x", "/usr/local/bin", "/etc/app", "/data/a", "/opt"))
    lines = ["FROM debian:bookworm-slim", "RUN useradd -u 1600 app"] if has_system else ["FROM scratch"]
    as_user = chance.random() < 0.15
    if as_user:
        lines.append("USER 1600")
    has_folder = chance.random() < 0.5
    if has_folder:
        lines.append(f"WORKDIR {top}")
    lines += _before(chance, top, has_system and not as_user)
    owner = chance.choice(OWNERS)
    if not has_system and owner in ("named", "--chown=app", "--chown=app:app"):
        owner = "--chown=1600"
    if owner == "named":
        lines.insert(2, TEAM)
    elif owner == "variable":
        lines.append("ENV ID=1600:1600")
        lines.append("ARG OTHER=1600:1600")
    link = chance.choice(("--link", "--link=true")) if chance.random() < 0.1 else ""
    kinds: dict[str, tuple[str, ...]] = {"mixed": NUMBERS, "named": NAMES, "variable": VARIABLES}
    for _ in range(chance.randint(2, 5)):
        lines.append(_copy(chance, top, has_folder, chance.choice(kinds.get(owner, (owner,))), link))
        if chance.random() < 0.25:
            lines.append(_between(chance, top, has_system and not as_user))
    if owner == "named" and not as_user and chance.random() < 0.5:
        # The user is made where it is first needed.
        lines.remove(TEAM)
        first = next((number for number, line in enumerate(lines) if "=team" in line), len(lines))
        lines.insert(first, TEAM)
    if chance.random() < 0.1:
        lines[0] = lines[0].replace("FROM ", "FROM --platform=$TARGETPLATFORM ")
    if chance.random() < 0.15:
        # Another target, and a COPY that names the image's stage by its number.
        lines[0] += " AS image"
        lines += [
            "FROM scratch AS other",
            "COPY --from=b /out/two.txt /two.txt",
            "FROM image",
            "COPY --from=2 /two.txt /three.txt",
        ]
    return BUILDER + "\n".join(lines) + "\n"


def _before(chance: random.Random, top: str, has_shell: bool) -> list[str]:
    steps = [f"WORKDIR {top}/d", f"COPY c.txt {top}/e/f", f"COPY c.txt {top}/", f"COPY --chown=9:9 tool {top}/lib/"]
    if has_shell:
        steps += [
            f"RUN mkdir -p {top}",
            f"RUN mkdir -p {top}/d && chmod 0711 {top}/d",
            f"RUN mkdir -p {top} && chown -R 7:7 {top}",
            f"RUN mkdir -p {top} && chmod 2775 {top}",
            f"RUN mkdir -p {top} && ln -s /var/tmp {top}/d",
            f"RUN mkdir -p {top} && ln -s /etc/x {top}/two.txt",
        ]
    return [chance.choice(steps)] if chance.random() < 0.45 else []


def _copy(chance: random.Random, top: str, has_folder: bool, owner: str, link: str) -> str:
    flags = [owner] if owner else []
    if chance.random() < 0.1:
        flags.append(chance.choice(("--chmod=755", "--chmod=600", "--chmod=0711")))
    if link:
        flags.append(link)
    keyword, kind = "COPY", chance.random()
    if kind < 0.3:
        source = chance.choice(LOCAL)
    elif kind < 0.38:
        keyword, source = "ADD", chance.choice(ADDED)
    elif kind < 0.43:
        keyword, source = chance.choice(("COPY", "ADD")), "<<TEXT"
    elif kind < 0.48:
        flags.insert(0, "--from=debian:bookworm-slim")
        source = "/etc/debian_version"
    elif kind < 0.58:
        flags.insert(0, "--from=b")
        place = chance.choice((f"{top}/", f"{top}/my files/", f"{top}/my files/x", f"{top}/x y"))
        return " ".join(["COPY", *flags, f'["{chance.choice(WITH_BLANKS)}", "{place}"]'])
    else:
        source = chance.choice(SOURCES) + (f" {chance.choice(SOURCES)}" if chance.random() < 0.1 else "")
        flags.insert(0, "--from=b")
        if chance.random() < 0.08:
            flags.append("--exclude=*.txt")
    places = ("./", ".", "d", "./d/", "e", "lib", "lib/x", "lib/x/", "two.txt", "one", "sub/one", "d/sub", "q/r/")
    place = chance.choice(places)
    if not has_folder or chance.random() < 0.3:
        place = chance.choice((top, f"{top}/", f"{top}/{place.lstrip('./')}"))
    if (" " in source or "*" in source) and not place.endswith("/"):
        place += "/"
    if " " not in source and source[0] != "<" and chance.random() < 0.15:
        return " ".join([keyword, *flags, f'["{source}", "{place}"]'])
    return " ".join([keyword, *flags, source, place]) + ("\nhello $A\nTEXT" if source == "<<TEXT" else "")


def _between(chance: random.Random, top: str, has_shell: bool) -> str:
    steps = [
        "ENV A=1",
        "ARG OTHER=1600:1600",
        "LABEL a=b",
        "USER 0",
        f"WORKDIR {top}/lib",
        "COPY tool /srv/tool",
        "WORKDIR /tmp",
        f"WORKDIR {top}",
    ]
    if has_shell:
        steps += ["RUN true", f"RUN ls -R {top} > /list", "RUN mkdir -p /srv/z && date > /dev/null", "RUN touch /srv/t"]
    return chance.choice(steps)


def write_context(folder: pathlib.Path) -> None:
    """The build context of all files."""
    (folder / "cd" / "sub").mkdir(parents=True)
    for path, mode in (("c.txt", 0o640), ("tool", 0o755), ("cd/sub/f", 0o644), ("cd/two.txt", 0o644)):
        (folder / path).write_text(path + "\n", encoding="utf-8")
        (folder / path).chmod(mode)
    (folder / "cd" / "sub").chmod(0o711)
    (folder / "cd" / "etc").symlink_to("/etc")
    (folder / "cd" / "d").symlink_to("sub")


def main(arguments: list[str]) -> int:
    count = int(arguments[0]) if arguments else 50
    first = int(arguments[1]) if len(arguments) > 1 else 0
    docker, reason = prove.find_docker()
    if docker is None:
        print(f"no engine: {reason}; nothing is built")
        return int(bool(os.environ.get("DFOPT_REQUIRE_ENGINE")))
    states: collections.Counter[str] = collections.Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_context(folder)
        try:
            for seed in range(first, first + count):
                text = image(random.Random(seed))
                case = prove.Case(str(seed), text, ("DF302",), (), Given(assembly="always"), False, "", folder)
                verdict = prove.prove(case, docker, "")
                states[verdict.state] += 1
                if verdict.is_fault:
                    faults += 1
                    print(prove.show(verdict), text, sep="\n", flush=True)
        finally:
            docker.close()
    print(", ".join(f"{number} {state}" for state, number in states.most_common()))
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
