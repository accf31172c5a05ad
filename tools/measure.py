"""Measures the sizes that `src/dfopt/sizes.py` has: builds images with and without a thing, and reads Debian's package index.

    python tools/measure.py images [WORD ...]     print the rows that real builds give, one pair of images each
    python tools/measure.py index                 write `src/dfopt/debian.py` anew from the package index of Debian bookworm

Both need docker with BuildKit and Debian's archive. `WORD` takes only the rows that hold it. A row says what was measured, in
bytes of the image (`docker image inspect`), and when; it is put into the table by hand, so that someone looks at it.
"""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator

BASE = "debian:bookworm-slim"
ORIGIN = "Debian bookworm"
DATA = pathlib.Path(__file__).parents[1] / "src/dfopt/debian.py"

CLEAN = "rm -rf /var/lib/apt/lists/*"
INSTALL = "apt-get update && apt-get install -y"
LEAN = f"{INSTALL} --no-install-recommends"

# What build recipes install most: tools, compilers, headers, languages, servers. A general list, written down by hand.
NAMES = """
build-essential gcc g++ make cmake ninja-build autoconf automake libtool pkg-config clang gfortran python3 python3-pip python3-venv python3-dev
python3-setuptools nodejs npm ruby golang-go cargo default-jdk default-jre-headless openjdk-17-jdk maven git git-lfs curl wget ca-certificates
gnupg openssh-client rsync procps sudo locales tzdata unzip zip bzip2 xz-utils jq vim nano less libssl-dev libffi-dev zlib1g-dev libpq-dev
libxml2-dev libxslt1-dev libicu-dev libcurl4-openssl-dev libsqlite3-dev libreadline-dev libbz2-dev default-libmysqlclient-dev libpq5 libgomp1
libgl1 libglib2.0-0 libsm6 libxext6 ffmpeg imagemagick nginx postgresql-client sqlite3 gettext
""".split()


def pairs() -> Iterator[tuple[str, str, str]]:
    """What is measured: its name in the table, and two RUNs whose images differ by it."""
    yield "lists apt | debian", f"{LEAN} curl", f"{LEAN} curl && {CLEAN}"
    bare = "rm -f /etc/apt/apt.conf.d/docker-clean && " + INSTALL
    yield "cache apt | debian", f"{bare} curl && {CLEAN}", f"{bare} curl && apt-get clean && {CLEAN}"
    for name in ("python3-pip", "build-essential", "git", "curl"):
        yield f"recommended apt {name} | debian", f"{INSTALL} {name} && {CLEAN}", f"{LEAN} {name} && {CLEAN}"
    for name in (
        "build-essential", "gcc", "g++", "make", "cmake", "git", "python3-dev", "libpq-dev", "default-jdk", "golang", "cargo", "maven", "clang",
        "curl", "wget", "gnupg", "python3-pip", "nodejs", "npm",
    ):  # fmt: skip
        yield f"packages apt {name} | debian", f"{LEAN} {name} && {CLEAN}", f"apt-get update && {CLEAN}"


def images(words: list[str]) -> None:
    """Print a row for each pair."""
    for name, with_it, without_it in pairs():
        if not words or any(word in name for word in words):
            number = size(with_it) - size(without_it)
            print(f"{name} | {number} | measured | {ORIGIN} | {datetime.date.today()}", flush=True)


def size(command: str) -> int:
    """The bytes of the image that a RUN makes of the base."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "Dockerfile").write_text(f"FROM {BASE}\nRUN {command}\n", encoding="utf-8")
        built = ["docker", "build", "--quiet", "--network", "host", folder]
        image = subprocess.run(built, check=True, capture_output=True, text=True).stdout.strip()
    found = subprocess.run(["docker", "image", "inspect", image], check=True, capture_output=True, text=True)
    return int(json.loads(found.stdout)[0]["Size"])


# Asks apt for each install alone, without what is recommended and with it, as it would choose in an image of the base.
PLAN = """\
import json, sys
import apt_pkg

apt_pkg.init()
apt_pkg.config.set("Dir::State::status", "/base-status")
apt_pkg.config.set("APT::Install-Recommends", sys.argv[1])
cache = apt_pkg.Cache(None)
chosen = apt_pkg.DepCache(cache)
found, sizes = {}, {}
for name in sys.argv[2:]:
    chosen.init()
    if name not in cache or chosen.get_candidate_ver(cache[name]) is None:
        continue
    chosen.mark_install(cache[name], True, True)
    seen, queue = set(), [cache[name]]
    while queue:
        package = queue.pop()
        if package.name in seen or not chosen.marked_install(package):
            continue
        seen.add(package.name)
        version = chosen.get_candidate_ver(package)
        sizes[package.name] = version.installed_size
        for kind in ("Depends", "PreDepends", "Recommends"):
            for choice in version.depends_list.get(kind, ()):
                queue += [target.parent_pkg for one in choice for target in one.all_targets()]
    found[name] = sorted(seen)
json.dump([found, sizes], sys.stdout)
"""


def index() -> None:
    """Write the table of what packages bring, from the archive as it is today."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "plan.py").write_text(PLAN, encoding="utf-8")
        text = f"FROM {BASE} AS work\nRUN cp /var/lib/dpkg/status /base-status && {LEAN} python3-apt\nCOPY plan.py /\n"
        for mode in ("false", "true"):
            text += f"RUN python3 /plan.py {mode} {' '.join(NAMES)} > /{mode}.json\n"
        text += "FROM scratch\nCOPY --from=work /*.json /\n"
        pathlib.Path(folder, "Dockerfile").write_text(text, encoding="utf-8")
        command = ["docker", "build", "--network", "host", "--output", f"{folder}/out", folder]
        subprocess.run(command, check=True)
        texts = [pathlib.Path(folder, "out", f"{mode}.json").read_text(encoding="utf-8") for mode in ("false", "true")]
    (lean, sizes), (rich, more) = map(json.loads, texts)
    # Of a name that stands in the base already nothing comes: its sets are empty.
    installs = {name: (frozenset(lean[name]), frozenset(rich[name])) for name in lean}
    DATA.write_text(write_table(installs, {**sizes, **more}, str(datetime.date.today())), encoding="utf-8")
    print(f"wrote {DATA.name}: {len(installs)} packages; not there: {' '.join(sorted(set(NAMES) - set(installs)))}")


def write_table(installs: dict[str, tuple[frozenset[str], frozenset[str]]], sizes: dict[str, int], date: str) -> str:
    """The module. Packages that come and go together in all installs are one group, so that sets stay short and exact."""
    member: dict[str, list[str]] = {}
    for name in sorted(installs):
        for mode, packages in zip("-+", installs[name]):
            for package in packages:
                member.setdefault(package, []).append(mode + name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for package in sorted(member):
        groups.setdefault(tuple(member[package]), []).append(package)
    number = {package: index for index, packages in enumerate(groups.values()) for package in packages}
    sums = [sum(sizes[package] for package in packages) // 1024 for packages in groups.values()]
    lines = []
    for name in sorted(installs):
        lean, rich = ({number[package] for package in packages} for packages in installs[name])
        lines.append(f"{name} | {_ranges(lean)} | {_ranges(rich - lean)}".rstrip())
    head = HEAD.replace("DATE", date)
    return (
        f'{head}\nDATE = "{date}"\n\nKIB = (\n{_wrapped(map(str, sums))}\n)\n\nINSTALLS = """\n'
        + "\n".join(lines)
        + '\n"""\n'
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, runs of them as `first-last`."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _wrapped(words: Iterable[str]) -> str:
    lines = ["   "]
    for word in words:
        if len(lines[-1]) + len(word) > 118:
            lines.append("   ")
        lines[-1] += f" {word},"
    return "\n".join(lines)


HEAD = '''"""What installing a package of Debian bookworm brings into a slim image; made by `tools/measure.py index`, not by hand.

The source is Debian's package index of DATE (main, updates and security, amd64): apt's own choice of what is installed with each
package, alone, and the index's Installed-Size. `KIB` are the sizes of groups of packages that always come together, in KiB; a
line of `INSTALLS` is a package, the groups that it needs, and those that only its recommendations bring.
"""
'''


def main(arguments: list[str]) -> int:
    """What the words of the command line ask for."""
    match arguments:
        case ["images", *words]:
            images(words)
        case ["index"]:
            index()
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
