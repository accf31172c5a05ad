"""Large components of an image, model weights and data: by the names of files, by the commands that fetch them, and by size on disk."""

import itertools
import posixpath
import re
from collections.abc import Iterator

from dfopt import archives, layers, packages, unwanted
from dfopt.build import Build, Stage, State, once
from dfopt.context import Context, Entry
from dfopt.shell import Simple, Word
from dfopt.startup import NamedTuple, pattern

WEIGHTS = "model weights"
DATA = "data"

# Endings that only such files have, and that say by themselves that a file is large.
_STRONG = {
    WEIGHTS: frozenset("safetensors gguf ggml pth ckpt onnx keras tflite caffemodel pdparams mlmodel nemo mar".split()),
    DATA: frozenset("parquet tfrecord tfrecords hdf5".split()),
}

# Endings that other files have as well: these need a word in their name, or their size.
_WEAK = {
    WEIGHTS: frozenset("pt bin h5 pb weights engine".split()),
    DATA: frozenset("csv tsv jsonl ndjson npy npz arrow feather avro orc".split()),
}

# The same, of which only the size speaks.
_SIZED = {
    WEIGHTS: frozenset("pkl pickle joblib".split()),
    DATA: frozenset("sqlite sqlite3 db mdb lmdb rdb sql dump pcap h5ad las tif tiff".split()),
}

_WORDS = {
    WEIGHTS: frozenset("model models weight weights checkpoint checkpoints ckpt ckpts pretrained best last".split()),
    DATA: frozenset("dataset datasets".split()),
}
_FAMOUS = pattern(r"^(?:ggml|yolo|bert|llama|whisper|resnet|mistral|clip|sam|t5)[-_.\dvx]")

# Folders that hold nothing else by their name; `models` and `data` hold code and small files as often.
_FOLDERS = {
    WEIGHTS: frozenset("weights checkpoints ckpts pretrained pretrained_models pretrained-models".split()),
    DATA: frozenset(()),
}

# Folders of which each large file is such a component, whatever its ending is.
_HOLDING = {
    WEIGHTS: frozenset("models model weights checkpoints ckpts pretrained".split()),
    DATA: frozenset("data dataset datasets".split()),
}

_ARCHIVE = pattern(r"\.(?:zip|7z|tar|tgz|tbz2?|txz|tzst|tar\.(?:gz|bz2|xz|zst|lz4))$", re.IGNORECASE)

# These are what lies beside weights, and small.
_SMALL = pattern(r"\.(?:json|jsonl|txt|md|ya?ml|py|model|vocab|merges)$", re.IGNORECASE)


def kind_of(name: str) -> str:
    """What a file is by its name alone, a path or an address: `WEIGHTS`, `DATA`, or "" where its name does not say."""
    base = posixpath.basename(name.partition("?")[0].partition("#")[0].rstrip("/")).lower()
    stem, dot, ending = base.rpartition(".")
    for kind in (WEIGHTS, DATA):
        if dot and ending in _STRONG[kind]:
            return kind
    words = set(re.split(r"[^a-z]+", stem))
    for kind in (WEIGHTS, DATA):
        if dot and ending in _WEAK[kind] and (words & _WORDS[kind] or (kind == WEIGHTS and _FAMOUS.match(base))):
            return kind
    return ""


def kind_of_archive(address: str) -> str:
    """The same of an archive that is fetched: one whose name says what is in it, and that is no archive of a repository."""
    base = posixpath.basename(address.partition("?")[0].rstrip("/")).lower()
    if _ARCHIVE.search(base) is None or "/archive/" in address or "/releases/download/" in address:
        return ""
    words = set(re.split(r"[^a-z]+", base))
    return next((kind for kind in (WEIGHTS, DATA) if words & (_WORDS[kind] - {"best", "last"})), "")


def kind_of_folder(path: str) -> str:
    """The same of a folder, by its own name."""
    name = posixpath.basename(path.rstrip("/")).lower()
    return next((kind for kind in (WEIGHTS, DATA) if name in _FOLDERS[kind]), "")


class Lying(NamedTuple):
    """A large file of a context: its entry, its kind, its bytes on disk."""

    entry: Entry
    kind: str
    size: int


# A single file below this is nobody's concern; the sum of a COPY's files is asked for as well (`unwanted.LARGE`).
_LEAST = 1_000_000

# How many entries of a folder are looked at, so that a check stays quick.
_LOOKS = 20_000


def lying(place: Context, path: str) -> tuple[Lying, ...]:
    """The weights and data of a context that a COPY of `path` takes, by name and size."""
    if ("components", path) not in place.answers:
        place.answers["components", path] = tuple(_lying(place, path))
    found: tuple[Lying, ...] = place.answers["components", path]
    return found


def _lying(place: Context, path: str) -> Iterator[Lying]:
    top = place.entry(path)
    if top is None:
        return
    entries = place.walk(top.path) if top.kind == "folder" else iter((top,))
    for count, entry in enumerate(entries):
        if count >= _LOOKS:
            return
        folders, _, name = entry.path.lower().rpartition("/")
        ending = name.rpartition(".")[2]
        kind = kind_of(name)
        for each in (WEIGHTS, DATA):
            if not kind and (ending in _WEAK[each] or ending in _SIZED[each]):
                kind = each
        large = False
        for each in (WEIGHTS, DATA):
            if not kind and _HOLDING[each] & set(folders.split("/")) and not _CODE.search(name):
                kind, large = each, True
        size = place.size(entry) if kind else 0
        if size >= (_ALONE if large else _LEAST):
            yield Lying(entry, kind, size)


# A file that only its folder tells of must be large by itself.
_ALONE = 50_000_000

# Source text, by its ending.
_CODE = pattern(
    r"\.(?:py|ipynb|pyi|js|mjs|cjs|jsx|ts|tsx|go|rs|java|kt|kts|scala|rb|php|c|cc|cpp|h|hpp|cs|fs|swift|ex|exs|erl|lua|pl|sh|vue|svelte)$"
)


def holds_source(place: Context, folder: str, components: tuple[Lying, ...]) -> bool:
    """Whether a folder of a context holds source text besides the components, in other folders than theirs."""
    own = {posixpath.dirname(one.entry.path) for one in components} - {folder, ""}
    for count, entry in enumerate(place.walk(folder)):
        if count >= _LOOKS:
            return False
        if _CODE.search(entry.path) and not any(entry.path.startswith(f"{one}/") for one in own):
            return True
    return False


class Fetch(NamedTuple):
    """A command of a RUN, or the whole of one that is not read, that brings weights or data into the image: `start` and `end` in
    the script's text, `label` for people, `path` where it puts them (None: not known), `keeps` whether a program that runs
    without it fetches them by itself, into the same place."""

    kind: str
    label: str
    start: int
    end: int
    path: str | None = None
    keeps: bool = False


# Where libraries keep what they fetch; sources: the manuals of huggingface_hub, PyTorch (torch.hub) and Ollama.
_HUB = packages.Folder(
    "{home}/.cache/huggingface",
    ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
    ("", "", "", "huggingface"),
)
_TORCH = packages.Folder("{home}/.cache/torch", ("TORCH_HOME", "XDG_CACHE_HOME"), ("", "torch"))
_WHISPER = packages.Folder("{home}/.cache/whisper", ("XDG_CACHE_HOME",), ("whisper",))
_OLLAMA = packages.Folder("{home}/.ollama/models", ("OLLAMA_MODELS",), ("",))

# Calls of Python libraries that fetch weights or data when they are first made.
_CALL = pattern(
    r"\b(?P<owner>\w+)\.from_pretrained\s*\(|\b(?P<hub>snapshot_download|hf_hub_download|load_dataset|SentenceTransformer|CrossEncoder)\s*\("
    r"|\b(?P<torch>torch\.hub\.load(?:_state_dict_from_url)?)\s*\(|\b(?P<whisper>whisper\.load_model)\s*\("
)
_LIGHT = pattern(r"Tokenizer|Config|Processor|FeatureExtractor")
_CHOSEN = pattern(r"""\b(?:local_dir|cache_dir|cache_folder|save_dir)\s*=\s*["']([^"'$]+)["']""")
_FILE_NAME = pattern(r"""\bfilename\s*=\s*["']([^"']+)["']""")

# Scripts that are named for what they fetch: `download_models.py`, `fetch-weights.sh`.
_SCRIPT = pattern(
    r"^(?:download|fetch|get|pull|cache|preload)[-_](?:[a-z0-9]+[-_])*?(models?|weights|checkpoints?|datasets?)\.(?:py|sh)$"
)

# What only runs another program.
_RUNNERS = frozenset("sudo time nice exec command uvx".split())


# Every RUN that fetches such things has one of these; most RUNs have none and are not looked at.
_FETCHING = (
    "curl", "wget", "aria2c", "git", "hf", "huggingface", "modelscope", "ollama", "dvc", "kaggle", "gdown", "s3", "gs:", "azcopy", "rclone", "python",
    "pypy", "uv ", "poetry", "pipenv", "conda", "spacy", "download", "fetch", "get-", "get_", "pull-", "pull_", "cache-", "cache_", "preload",
)  # fmt: skip


@once
def fetched(build: Build, index: int) -> tuple[Fetch, ...]:
    """What a RUN leaves in its layer of weights and data: not what it deletes again, nor what goes into a mount."""
    run = build.run(index)
    if run is None:
        return ()
    text = run.script.text
    if not any(word in text for word in _FETCHING):
        return ()
    state = build.state(index)
    if run.script.opaque is not None:
        inner = build.instructions[index].heredocs[0].body.text if build.instructions[index].heredocs else ""
        found = [fetch._replace(start=0, end=len(text)) for fetch in _called(inner, state)] if "python" in text else []
    else:
        found = [fetch for place in archives.placed(build, index) for fetch in _fetches(build, index, place, state)]
    gone = [(path, cleaning.simple.start) for cleaning in layers.cleaned(build, index) for path in cleaning.paths]
    kept: list[Fetch] = []
    for one in found:
        if one.path is not None and (
            layers.mounted(build, index, one.path)
            or any(start >= one.start and layers.covers(path, one.path) for path, start in gone)
        ):
            continue
        kept.append(one)
    return tuple(kept)


def _fetches(build: Build, index: int, place: archives.Placed, state: State) -> Iterator[Fetch]:
    simple = place.command.simple
    words = _own(simple.words)
    if not words:
        return
    values = [word.value if word.value is not None else word.text.strip("\"'") for word in words]
    name = posixpath.basename(values[0])

    def made(kind: str, path: str | None, label: str = "", keeps: bool = False) -> Fetch:
        return Fetch(kind, label or _shown(words), simple.start, simple.end, path, keeps)

    def at(text: str | None) -> str | None:
        return archives.file_of(build, index, place, text).path if text else place.folder

    if name in ("hf", "huggingface-cli") and values[1:2] == ["download"]:
        options, operands = _options(values[2:])
        files = operands[1:]
        if operands and "--dry-run" not in options and not (files and all(map(_SMALL.search, files))):
            kind = DATA if options.get("--repo-type") == "dataset" else WEIGHTS
            chosen = options.get("--local-dir") or options.get("--cache-dir")
            yield made(kind, at(chosen) if chosen else _located(_HUB, state), keeps="--local-dir" not in options)
    elif name == "modelscope" and values[1:2] == ["download"]:
        options, _ = _options(values[2:])
        yield made(
            DATA if "--dataset" in options else WEIGHTS,
            at(options["--local_dir"]) if "--local_dir" in options else None,
        )
    elif name == "ollama" and values[1:2] == ["pull"]:
        yield made(WEIGHTS, _located(_OLLAMA, state))
    elif name == "git":
        yield from (made(kind, path) for kind, path in _of_git(place, simple, values, state))
    elif name == "dvc" and values[1:2] and values[1] in ("pull", "fetch", "get", "import"):
        yield made(DATA, None)
    elif (
        name == "kaggle"
        and values[1:2]
        and values[1] in ("datasets", "competitions", "models", "d", "c", "m")
        and "download" in values
    ):
        yield made(WEIGHTS if values[1].startswith("m") else DATA, None)
    elif name == "gdown":
        options, _ = _options(values[1:])
        output = options.get("-O") or options.get("--output")
        kind = kind_of(output) or kind_of_archive(output) if output else ""
        if kind or not output:
            yield made(kind or WEIGHTS if output else "a large file", at(output) if output else None)
    elif name in ("curl", "wget", "aria2c"):
        names = [*archives.fetched(simple), *(value for value in values[1:] if "://" in value)]
        for one in names:
            kind = kind_of(one.strip("\"'")) or kind_of_archive(one.strip("\"'"))
            if kind:
                outputs = archives.fetched(simple)
                path = at(outputs[0]) if len(outputs) == 1 and kind_of(one.strip("\"'")) else None
                yield made(kind, path)
                break
    elif name in _STORES:
        yield from (made(kind, at(path)) for kind, path in _of_store(name, values))
    elif re.fullmatch(r"python[\d.]*|pypy3?|uv|poetry|pipenv|conda|spacy", name):
        yield from _of_python(words, values, state, simple)
    elif (named := _SCRIPT.match(name)) is not None or (
        name in ("sh", "bash", "dash") and len(values) > 1 and (named := _SCRIPT.match(posixpath.basename(values[1])))
    ):
        yield made(DATA if named[1].startswith("data") else WEIGHTS, None)


def _own(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words of a command without those that only run it."""
    while words and (words[0].value or "") in _RUNNERS:
        words = words[1:]
    if words and words[0].value == "env":
        words = words[1:]
        while words and "=" in words[0].text and not words[0].text.startswith("-"):
            words = words[1:]
    if len(words) > 2 and words[0].value in ("uv", "poetry", "pipenv", "pdm") and words[1].value == "run":
        words = words[2:]
    return words


def _shown(words: tuple[Word, ...]) -> str:
    """A command as people name it: no more words than it takes to know it again."""
    text = " ".join(word.text for word in words)
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 60 else text[:57].rstrip() + "..."


def _options(values: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options with their values and the other words, by the habit of these programs: a long or one-letter option takes the
    next word unless that begins with a dash, or the option is known for a flag."""
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = list(values)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif "=" in word:
            key, _, value = word.partition("=")
            options[key] = value
        elif word in _FLAGS or not rest or rest[0].startswith("-"):
            options[word] = ""
        else:
            options[word] = rest.pop(0)
    return options, operands


_FLAGS = frozenset(
    "--quiet -q --resume-download --force-download --dry-run --no-progress --fuzzy --id --folder --recursive -r -R -m -n --only-show-errors"
    " --no-sign-request --delete -c --continue --progress --verbose -v".split()
)


def _located(folder: packages.Folder, state: State) -> str | None:
    return packages.locate(folder, state.home, layers.environment(state))


def _of_git(
    place: archives.Placed, simple: Simple, values: list[str], state: State
) -> Iterator[tuple[str, str | None]]:
    """What `git lfs pull` and the clone of a model or data set from Hugging Face bring."""
    skipped = any(one.name == "GIT_LFS_SKIP_SMUDGE" for one in simple.assignments) or state.environment.sets(
        "GIT_LFS_SKIP_SMUDGE"
    )
    if values[1:2] == ["lfs"] and values[2:3] and values[2] in ("pull", "fetch", "checkout"):
        yield WEIGHTS + " or data", None
    elif "clone" in values[1:] and not skipped:
        for value in values:
            hub = re.match(r"(?:https?://|git@)(?:[^/@]*@)?(?:huggingface\.co|hf\.co)[/:](datasets/|spaces/)?", value)
            if hub is not None and hub[1] != "spaces/":
                yield (DATA if hub[1] else WEIGHTS), layers.cloned(simple.words, state, place.folder)


# Programs that copy from object stores: the words that say so, and how an address there begins.
_STORES = {
    "aws": (("s3",), ("cp", "sync"), pattern(r"s3://")),
    "gsutil": ((), ("cp", "rsync"), pattern(r"gs://")),
    "gcloud": (("storage",), ("cp", "rsync"), pattern(r"gs://")),
    "s5cmd": ((), ("cp", "sync"), pattern(r"s3://")),
    "azcopy": ((), ("copy", "cp", "sync"), pattern(r"https://")),
    "rclone": ((), ("copy", "copyto", "sync"), pattern(r"[\w-]+:(?!//)")),
    "mc": ((), ("cp", "mirror"), pattern(r"\w+/")),
}


def _of_store(name: str, values: list[str]) -> Iterator[tuple[str, str | None]]:
    """What a copy from an object store brings, where the address says what it is."""
    groups, verbs, address = _STORES[name]
    _, operands = _options(values[1:])
    words = [word for word in operands if word not in groups]
    if any(group not in operands for group in groups) or not words or words[0] not in verbs or len(words) != 3:
        return
    source, target = words[1:]
    if not address.match(source) or (address.match(target) and name != "mc"):
        return
    path = source.partition("?")[0].rstrip("/").lower()
    kind = kind_of(path) or kind_of_archive(path)
    if not kind and not _SMALL.search(path):
        parts = re.split(r"[^a-z]+", path.partition("//")[2] or path)
        kind = next((each for each in (WEIGHTS, DATA) if set(parts) & (_WORDS[each] - {"best", "last"})), "")
    if kind:
        yield kind, None if target.endswith(("/", ".")) else target


def _of_python(words: tuple[Word, ...], values: list[str], state: State, simple: Simple) -> Iterator[Fetch]:
    if values[0] == "spacy" or values[1:3] == ["-m", "spacy"]:
        rest = values[values.index("spacy") + 1 :]
        large = [value for value in rest[1:] if re.search(r"_(?:lg|trf)(?:-|$)", value)]
        if rest[:1] == ["download"] and large:
            yield Fetch(WEIGHTS, _shown(words), simple.start, simple.end)
        return
    for option, code in itertools.pairwise(words):
        if re.fullmatch(r"-[a-zA-Z]*c", option.text):
            for one in _called(code.value if code.value is not None else code.text, state):
                yield one._replace(start=simple.start, end=simple.end)
            return
    for value in values[1:]:
        if not value.startswith("-"):
            named = _SCRIPT.match(posixpath.basename(value))
            if named is not None:
                yield Fetch(DATA if named[1].startswith("data") else WEIGHTS, _shown(words), simple.start, simple.end)
            return


def _called(code: str, state: State) -> Iterator[Fetch]:
    """What a piece of Python fetches, by the first call that does."""
    for call in _CALL.finditer(code):
        owner, hub = call["owner"], call["hub"]
        if owner is not None and _LIGHT.search(owner):
            continue
        behind = code[call.end() : call.end() + 400].partition(")")[0]
        if hub == "hf_hub_download" and (file := _FILE_NAME.search(behind)) is not None and _SMALL.search(file[1]):
            continue
        chosen = _CHOSEN.search(behind)
        folder = _TORCH if call["torch"] else _WHISPER if call["whisper"] else _HUB
        path = chosen[1] if chosen is not None else _located(folder, state)
        kind = DATA if hub == "load_dataset" or "repo_type" in behind and "dataset" in behind else WEIGHTS
        label = f"{call[0].rstrip('( ')}(...)"
        yield Fetch(kind, label, 0, 0, path if path and path.startswith("/") else None, chosen is None)
        return


def sizes_of(place: Context, sources: tuple[str, ...]) -> tuple[Lying, ...]:
    """The weights and data on disk that a COPY of `sources` takes."""
    found: dict[str, Lying] = {}
    for source in sources:
        for path in place.matching(source) if "://" not in source else ():
            found.update((one.entry.path, one) for one in lying(place, path))
    return tuple(found.values())


def are_alone(place: Context, sources: tuple[str, ...], found: tuple[Lying, ...]) -> bool:
    """Whether a COPY takes no source text with them."""
    for source in sources:
        for path in place.matching(source) if "://" not in source else ():
            entry = place.entry(path)
            if entry is not None and entry.kind == "folder" and holds_source(place, path, found):
                return False
            if entry is not None and entry.kind != "folder" and _CODE.search(path):
                return False
    return True


class Taken(NamedTuple):
    """What a COPY or ADD of the build context takes of weights and data: `size` in bytes and `files` as they lie there, 0 and none where
    only names tell of it; `alone` is whether it takes no source text with them."""

    kind: str
    size: int
    files: tuple[Lying, ...]
    alone: bool


def taken(build: Build, index: int, place: Context | None) -> Taken | None:
    """The weights and data that a COPY or ADD takes from the build context, by size on disk where it is known, else by name; None where
    there are none, or small ones."""
    instruction = build.instructions[index]
    copy = build.copy(index) if instruction.name in ("COPY", "ADD") and build.stage(index) is not None else None
    if copy is None or copy.origin is not None or copy.sources is None or instruction.heredocs:
        return None
    if place is not None:
        files = sizes_of(place, copy.sources)
        size = sum(one.size for one in files)
        if size >= unwanted.LARGE:
            return Taken(files[0].kind, size, files, are_alone(place, copy.sources, files))
    for source in copy.sources:
        if place is None or "://" in source or not place.matching(source, hidden=True):
            kind = kind_of(source) or kind_of_folder(source)
            kind = kind or (kind_of_archive(source) if instruction.name == "ADD" else "")
            if kind:
                return Taken(kind, 0, (), True)
    return None


@once
def fills(build: Build, stage: Stage) -> bool:
    """Whether all that a stage brings are weights or data: it is there so that they are fetched and cached apart."""
    steps = [index for index in stage.indexes if build.instructions[index].name in ("RUN", "COPY", "ADD")]
    return bool(steps) and all(
        fetched(build, index) if build.instructions[index].name == "RUN" else taken(build, index, None)
        for index in steps
    )


@once
def ships(build: Build, stage: Stage) -> bool:
    """Whether the layers of a stage are in an image that is kept. One that others copy from is there for that: a `FROM $BASE` may name
    it, but hardly does."""
    if not build.is_shipped(stage) or not build.users(stage):
        return build.is_shipped(stage)
    return any(stage in build.chain(other) for other in build.stages if other is not stage and build.is_shipped(other))
