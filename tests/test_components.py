"""Large components: what a name says, what a command fetches, what lies in a context."""

import pathlib

import pytest

from dfopt import components, context
from dfopt.build import Build
from dfopt.components import DATA, WEIGHTS
from dfopt.source import Source
from dfopt.syntax import parse


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.safetensors", WEIGHTS),
        ("https://example.org/a/net.ONNX?download=true", WEIGHTS),
        ("pytorch_model.bin", WEIGHTS),
        ("yolov8n.pt", WEIGHTS),
        ("ggml-base.en.bin", WEIGHTS),
        ("part-0001.parquet", DATA),
        ("large_dataset.csv", DATA),
        ("page.pt", ""),
        ("countries.csv", ""),
        ("remodel.bin", ""),
        ("firmware.bin", ""),
        ("model.py", ""),
        ("models", ""),
        ("onnx", ""),
    ],
)
def test_a_name_says_what_a_file_is(name: str, kind: str) -> None:
    assert components.kind_of(name) == kind


def fetched(script: str, head: str = "") -> list[tuple[str, str | None]]:
    build = Build(parse(Source.from_bytes(f"FROM python:3.12-slim\n{head}RUN {script}\n".encode())))
    return [(one.kind, one.path) for one in components.fetched(build, len(build.instructions) - 1)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("hf download a/b", [(WEIGHTS, "/root/.cache/huggingface")]),
        ("HF_TOKEN=x hf download a/b --local-dir=/m --max-workers 4", [(WEIGHTS, "/m")]),
        ("uv run huggingface-cli download --repo-type dataset a/b", [(DATA, "/root/.cache/huggingface")]),
        ("hf download a/b config.json vocab.txt", []),
        ("hf upload a/b", []),
        ("git clone https://hf.co/datasets/a/b /d", [(DATA, "/d")]),
        ("git clone https://huggingface.co/spaces/a/b", []),
        ("gdown --id 123 -O weights.pth", [(WEIGHTS, "/weights.pth")]),
        ("gdown https://drive.example/x -O settings.ini", []),
        (
            "wget -q https://example.org/vosk-model-en.zip && unzip vosk-model-en.zip && rm vosk-model-en.zip",
            [(WEIGHTS, None)],
        ),
        ("curl -L https://example.org/org/model-server/archive/v1/model.tar.gz | tar xz", []),
        ("curl -fo /m/a.onnx https://example.org/a.onnx && rm -rf /m", []),
        ("aws s3 cp s3://bucket/a.gguf /m/a.gguf", [(WEIGHTS, "/m/a.gguf")]),
        ("aws s3 cp --recursive s3://bucket/datasets/x /d --no-sign-request", [(DATA, "/d")]),
        ("aws s3 cp /m/a.gguf s3://bucket/a.gguf", []),
        ("aws s3 cp s3://bucket/models/config.json /m/", []),
        ("gsutil -m rsync -r gs://bucket/weights /w", [(WEIGHTS, "/w")]),
        ("dvc pull", [(DATA, None)]),
        ("kaggle datasets download -d a/b", [(DATA, None)]),
        ("""python -c 'import torch; torch.hub.load("a/b", "c")'""", [(WEIGHTS, "/root/.cache/torch")]),
        ("""python -c 'whisper.load_model("base")'""", [(WEIGHTS, "/root/.cache/whisper")]),
        ("""python -c 'hf_hub_download(repo_id="a/b", filename="config.json")'""", []),
        ("""python -c 'snapshot_download("a/b", local_dir="/m")'""", [(WEIGHTS, "/m")]),
        ("./scripts/download_weights.sh", [(WEIGHTS, None)]),
        ("python -u tools/fetch_imagenet_dataset.py", [(DATA, None)]),
        ("python manage.py download_models", []),
        ("hf download", []),
        ("gdown", [("a large file", None)]),
        ("python -c", []),
    ],
)
def test_a_command_fetches(script: str, found: list[tuple[str, str | None]]) -> None:
    assert fetched(script) == found


def test_variables_move_where_libraries_keep_what_they_fetch() -> None:
    assert fetched("hf download a/b", "ENV HF_HOME=/hub\n") == [(WEIGHTS, "/hub")]
    assert fetched("hf download a/b", "USER app\n") == [(WEIGHTS, None)]
    assert fetched("--mount=type=cache,target=/hub hf download a/b", "ENV HF_HOME=/hub\n") == []


def test_only_large_files_of_the_known_kinds_count(tmp_path: pathlib.Path) -> None:
    for name, size in {"models/a.xyz": 60_000_000, "models/b.xyz": 40_000_000, "models/big.py": 60_000_000, "c.csv": 2_000_000,
                       "d.csv": 900_000, "lib.so": 80_000_000, "hidden/e.gguf": 80_000_000}.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
    (tmp_path / ".dockerignore").write_text("hidden\n")
    place = context.open_context(str(tmp_path))
    found = components.sizes_of(place, (".",))
    assert [(one.entry.path, one.kind, one.size) for one in found] == [
        ("c.csv", DATA, 2_000_000),
        ("models/a.xyz", WEIGHTS, 60_000_000),
    ]
    assert components.sizes_of(place, ("https://example.org/a.gguf", "*.csv", "none")) == found[:1]
