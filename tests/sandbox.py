"""Runs the RUNs of a one-stage Dockerfile under real shells in a chroot with stand-ins for package managers, and gives the files left.

It is no image builder: WORKDIR, COPY of a fixed context, USER, ENV, ARG, SHELL and cache and tmpfs mounts are done as BuildKit does
them, nothing else is. The stand-ins keep what matters to dfopt: `apt-get install` needs the lists that `apt-get update` wrote, managers
fill their caches, and `watch` sees every file there is, so that moving anything past it shows.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from typing import NamedTuple

from dfopt.build import Build
from dfopt.source import Source
from dfopt.syntax import parse

_APPLETS = (
    "rm mkdir cat tar touch cp mv ls find dd sleep env id test [ chmod ln basename dirname sort head tail grep sed tr wc mktemp date true"
    " false echo printf sha256sum tee xargs unlink uname seq expr"
).split()

_STAND_INS = {
    "apt-get": r"""
verb=; names=; lists=/var/lib/apt/lists; recommended=yes
for word; do
  case $word in --no-install-recommends) recommended= ;; -*) ;; *) if [ -z "$verb" ]; then verb=$word; else names="$names $word"; fi ;; esac
done
case $verb in
  update) mkdir -p $lists/partial && echo packages > $lists/debian_main && : > $lists/lock ;;
  clean) rm -rf /var/cache/apt/archives/* && mkdir -p $lists/partial && : > $lists/lock ;;
  install)
    mkdir -p /usr/share/packages
    for name in $names; do
      case $name in
        */*) [ -e "$name" ] || exit 100; cp "$name" "/usr/share/packages/${name##*/}" || exit 100 ;;
        *) [ -e $lists/debian_main ] || exit 100; : > /usr/share/packages/$name || exit 100
           [ -z "$recommended" ] || : > /usr/share/packages/$name-recommended ;;
      esac
    done ;;
esac
""",
    "apk": r"""
verb=; names=; cached=yes; folder=/var/cache/apk
[ ! -d /etc/apk/cache ] || folder=/etc/apk/cache
index=$folder/APKINDEX
for word; do
  case $word in --no-cache) cached= ;; -U|--update|--update-cache) fetch=yes ;; -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else names="$names $word"; fi ;; esac
done
case $verb in
  update) mkdir -p $folder && echo index > $index ;;
  add)
    # Without `--no-cache` it fetches the index where there is none, as apk-tools 2 and 3 do for commands that write.
    [ -z "$cached" ] || { [ -z "$fetch" ] && [ -e $index ]; } || { mkdir -p $folder && echo index > $index; }
    mkdir -p /usr/share/packages; for name in $names; do : > /usr/share/packages/$name || exit 1; done ;;
esac
""",
    "dnf": r"""
verb=; names=
for word; do case $word in -*) ;; *) if [ -z "$verb" ]; then verb=$word; else names="$names $word"; fi ;; esac; done
case "$verb$names" in
  "clean all") rm -rf /var/cache/dnf/* ;;
  install*) mkdir -p /var/cache/dnf /usr/share/packages && echo metadata > /var/cache/dnf/repository
    for name in $names; do : > /usr/share/packages/$name || exit 1; done ;;
esac
""",
    "pip": r"""
cache=${PIP_CACHE_DIR:-$HOME/.cache/pip}; verb=; names=; keep=yes; file=
[ -z "$PIP_NO_CACHE_DIR" ] || keep=
while [ $# -gt 0 ]; do
  case $1 in --no-cache-dir) keep= ;; -r) file=$2; shift ;; --target) target=$2; shift ;; -*) ;;
    *) if [ -z "$verb" ]; then verb=$1; else names="$names $1"; fi ;; esac
  shift
done
case $verb in
  cache) rm -rf "$cache" ;;
  install)
    [ -z "$file" ] || names="$names $(cat "$file")" || exit 1
    mkdir -p "${target:-/usr/lib/site}" || exit 1
    for name in $names; do
      [ "$name" != . ] || name=project
      : > "${target:-/usr/lib/site}/${name##*/}" || exit 1
      [ -z "$keep" ] || { mkdir -p "$cache" && : > "$cache/${name##*/}"; }
    done ;;
esac
""",
    "npm": r"""
cache=${npm_config_cache:-$HOME/.npm}; global=
for word; do case $word in -g) global=yes ;; esac; done
case "$1 $2" in
  "cache clean") rm -rf "$cache/_cacache" ;;
  "ci "*) [ -e package.json ] || exit 1; mkdir -p node_modules "$cache/_cacache" && cp package.json node_modules/lock && : > "$cache/_cacache/x" ;;
  "install "*) mkdir -p "$cache/_cacache" && : > "$cache/_cacache/y"
    if [ -n "$global" ]; then mkdir -p /usr/lib/global && : > /usr/lib/global/x; else [ -e package.json ] && mkdir -p node_modules && : > node_modules/x; fi ;;
  "run "*) [ -d node_modules ] && [ -e src.js ] || exit 1; mkdir -p dist && cp src.js dist/ ;;
esac
""",
    "curl": r"""
file=; url=; last=
for word; do
  [ -z "$last" ] || { file=$word; last=; continue; }
  case $word in -o|-*o) last=yes ;; --output=*) file=${word#--output=} ;; -*) ;; *) url=$word ;; esac
done
case $url in https://missing*) exit 22 ;; esac
if [ -n "$file" ]; then mkdir -p "$(dirname "$file")" && echo "$url" > "$file"; else echo "$url"; fi
""",
    "useradd": "echo user >> /etc/passwd\n",
    "watch": r"""
name=$1; mkdir -p /out
{ pwd; umask; id -u; echo "$HOME $A $B"; find / -path /proc -prune -o -path /bin -prune -o -path /lib -prune -o -path /lib64 -prune \
  -o -path /out -prune -o -type f -print; } | sort > "/out/$name"
""",
    "probe": 'mkdir -p /out; { pwd; umask; echo "$HOME $A $B $*"; } > "/out/$1"\n',
    "service": ":\n",
}

CONTEXT = {
    "package.json": "manifest\n",
    "src.js": "source\n",
    "requirements.txt": "flask\n",
    "a.txt": "a\n",
    "sub/b.txt": "b\n",
}

SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash", "busybox": "/bin/busybox"}


class Outcome(NamedTuple):
    """What a build came to: the number of RUNs that succeeded, whether all did, and the files left (path -> kind, mode and content)."""

    runs: int
    good: bool
    files: dict[str, tuple[str, int, bytes]]


def why_not() -> str:
    """Why there is no sandbox here; "" where there is one."""
    if os.name != "posix" or os.geteuid() != 0:
        return "chroot needs root"
    missing = [name for name in (*SHELLS, "chroot", "ldd") if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed" if missing else ""


def template(folder: pathlib.Path) -> pathlib.Path:
    """The file system that every build starts with: three shells, busybox's applets, and the stand-ins."""
    root = folder / "template"
    for name in (
        "bin",
        "usr/local/bin",
        "usr/share",
        "usr/lib",
        "var/lib/apt/lists",
        "var/cache/apt/archives",
        "var/cache/apk",
        "var/cache/dnf",
        "etc",
        "opt",
        "root",
        "home",
        "tmp",
        "var/tmp",
        "out",
        "dev",
    ):
        (root / name).mkdir(parents=True)
    for name in SHELLS:
        program = shutil.which(name)
        assert program is not None
        shutil.copy(program, root / "bin" / name)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library.lstrip("/"))
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    for name, text in _STAND_INS.items():
        path = root / "usr/local/bin" / name
        path.write_text("#!/bin/dash\n" + text, encoding="utf-8")
        path.chmod(0o755)
    (root / "dev/null").touch()
    (root / "dev/null").chmod(0o666)
    return root


def build(text: str, start: pathlib.Path, root: pathlib.Path, shell: str) -> Outcome:
    """Build the first stage of a Dockerfile in `root` (made from `start`) with `/bin/sh` being `shell`."""
    subprocess.run(["cp", "-al", str(start), str(root)], check=True)
    (root / "bin/sh").symlink_to(shell)
    meaning = Build(parse(Source(text)))
    caches: dict[str, pathlib.Path] = {}
    done = 0
    stage = meaning.stages[0]
    for index in stage.indexes[1:]:
        instruction = meaning.instructions[index]
        state = meaning.state(index)
        workdir = state.workdir or "/"
        if instruction.name == "WORKDIR":
            made = meaning.absolute(meaning.expand(instruction.arguments[0], index), index)
            assert made is not None
            _inside(root, made).mkdir(parents=True, exist_ok=True)
        elif instruction.name == "COPY":
            _copy(meaning, index, root)
        elif instruction.name == "RUN":
            _inside(root, workdir).mkdir(parents=True, exist_ok=True)
            environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root"}
            environment |= {
                name: value for name, value in {**state.arguments, **state.environment}.items() if value is not None
            }
            words = list(state.shell) if state.shell else ["/bin/sh", "-c"]
            if instruction.json:
                command = list(instruction.arguments)
            elif instruction.heredocs:
                command = [*words, instruction.heredocs[0].body.text]
                if command[-1].startswith("#!"):
                    command = [*words, command[-1].partition("\n")[2]]
            else:
                command = [*words, instruction.body.text]
            mounts = [options for _, options in meaning.mounts(index) if options["type"] in ("cache", "tmpfs")]
            undo = [_mount(root, options, caches) for options in mounts]
            user = ["--userspec=1000:1000"] if state.user not in (None, "root", "0") else []
            change = shutil.which("chroot")
            assert change is not None
            ran = subprocess.run(
                [change, *user, str(root), "/bin/dash", "-c", 'cd "$1" && shift && exec "$@"', "dash", workdir, *command],
                env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
            )  # fmt: skip
            for target, saved, parents, key in reversed(undo):
                _unmount(root, target, saved, parents, key, caches)
            if ran.returncode:
                return Outcome(done, False, {})
            done += 1
    return Outcome(done, True, _files(root))


def _inside(root: pathlib.Path, path: str) -> pathlib.Path:
    return root / path.lstrip("/")


def _copy(meaning: Build, index: int, root: pathlib.Path) -> None:
    copy = meaning.copy(index)
    assert copy is not None and copy.sources is not None and copy.destination is not None and copy.origin is None
    for source in copy.sources:
        pattern = source.removeprefix("./").removeprefix("/")
        for name, content in CONTEXT.items():
            folder = pattern in ("", ".")
            if not folder and not pathlib.PurePath(name).match(pattern) and not name.startswith(pattern + "/"):
                continue
            if folder:
                target = _inside(root, copy.destination) / name
            elif name.startswith(pattern + "/"):
                target = _inside(root, copy.destination) / name[len(pattern) + 1 :]
            elif copy.destination.endswith("/"):
                target = _inside(root, copy.destination) / pathlib.PurePath(name).name
            else:
                target = _inside(root, copy.destination)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")


def _mount(
    root: pathlib.Path, options: dict[str, str], caches: dict[str, pathlib.Path]
) -> tuple[pathlib.Path, pathlib.Path | None, list[pathlib.Path], str]:
    target = _inside(root, options["target"])
    parents = [parent for parent in (target, *target.parents) if not parent.exists()]
    saved = None
    if target.exists():
        saved = pathlib.Path(tempfile.mkdtemp(dir=root.parent)) / "saved"
        target.rename(saved)
    key = options.get("id", options["target"]) if options["type"] == "cache" else ""
    if key in caches:
        target.parent.mkdir(parents=True, exist_ok=True)
        caches[key].rename(target)
    else:
        target.mkdir(parents=True)
    return target, saved, parents, key


def _unmount(
    root: pathlib.Path,
    target: pathlib.Path,
    saved: pathlib.Path | None,
    parents: list[pathlib.Path],
    key: str,
    caches: dict[str, pathlib.Path],
) -> None:
    if key and target.exists():
        kept = pathlib.Path(tempfile.mkdtemp(dir=root.parent)) / "cache"
        target.rename(kept)
        caches[key] = kept
    elif target.exists():
        shutil.rmtree(target)
    if saved is not None:
        saved.rename(target)
    for parent in parents:
        if parent.exists() and not any(parent.iterdir()):
            parent.rmdir()


def _files(root: pathlib.Path) -> dict[str, tuple[str, int, bytes]]:
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = pathlib.Path(folder) / name
            place = "/" + str(path.relative_to(root))
            if place.startswith(("/bin", "/lib", "/usr/local/bin", "/dev")):
                continue
            if path.is_symlink():
                found[place] = ("link", 0, os.readlink(path).encode())
            elif path.is_dir():
                found[place] = ("folder", path.stat().st_mode, b"")
            else:
                found[place] = ("file", path.stat().st_mode, path.read_bytes())
    return found
