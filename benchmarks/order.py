"""How long `dfopt order` takes: on this project's own history, and on a generated one of 5,000 commits; without and with what it keeps.

    python benchmarks/order.py [--commits N]

Prints seconds of whole processes (user's time, not CPU time), one run each; nothing fails where one is long.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]

DOCKERFILE = """\
FROM node:20-slim AS build
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build
FROM debian:bookworm-slim
COPY config /app/config
COPY --from=build /app/dist /app/dist
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
"""


def generated(folder: pathlib.Path, commits: int) -> pathlib.Path:
    """A repository of so many commits over 2,000 files, three changed by each and one in fifty renamed."""
    chance = random.Random(1)
    folder.mkdir()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, env=environment, check=True)
    names = [f"src/part{number % 50}/file{number}.ts" for number in range(1990)]
    names += ["package.json", "package-lock.json", "config/a.yml", "README.md", "Dockerfile"]
    pieces = []

    def put(name: str) -> str:
        text = "".join(f"{name} {line}\n" for line in range(30)) + f"{chance.random()}\n"
        return f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"

    for number in range(commits):
        pieces.append(
            f"commit refs/heads/main\ncommitter a <a@example.org> {1_600_000_000 + 7200 * number} +0000\ndata 1\nx\n"
        )
        changed = names if number == 0 else chance.sample(names, 3)
        pieces += [put(name) for name in changed]
        if number and number % 50 == 0:
            old = chance.randrange(1990)
            pieces.append(f'R "{names[old]}" "{names[old]}x"\n')
            names[old] += "x"
    stream = "".join(pieces).encode()
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, env=environment, input=stream, check=True)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


def seconds(file: pathlib.Path, root: pathlib.Path, cache: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "src"), "XDG_CACHE_HOME": cache}
    words = [sys.executable, "-m", "dfopt", "order", "--no-config", "--context", str(root), str(file)]
    start = time.perf_counter()
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode not in (0, 1) or "git history" not in done.stdout:
        raise SystemExit(f"`dfopt order` ended with {done.returncode}, or found no history: {done.stdout[:200]}")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Times `dfopt order`.")
    parser.add_argument("--commits", type=int, default=5000)
    commits = parser.parse_args().commits
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        top = generated(place / "generated", commits)
        rows = [
            ("this project's history", CHECKOUT / "benchmarks/Dockerfile", CHECKOUT),
            (f"{commits:,} generated commits", top / "Dockerfile", top),
        ]
        for label, file, root in rows:
            cache = str(place / label.replace(" ", "-"))
            print(f"{label}: {seconds(file, root, cache):.2f} s, again {seconds(file, root, cache):.2f} s")


if __name__ == "__main__":
    main()
