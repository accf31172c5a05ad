"""What an audit says agrees with what was computed by hand on made-up images, and its limits are read as dive reads them."""

import io
import json
import pathlib
import tarfile
from typing import Any

import pytest
from test_compare import File, folder, tar
from test_images import as_tar, blob, layout, manifest
from test_report import official_schema

from dfopt import cli, console
from dfopt.audit import Audit, audit, limits, plain, show
from dfopt.images import Image, Step, read_layer
from dfopt.source import Source


def image(*layers: list[File], history: tuple[Step, ...] = ()) -> Image:
    read = tuple(read_layer(io.BytesIO(tar(files))) for files in layers)
    return Image("app", read, history or tuple(Step(f"RUN step {number}", number) for number in range(len(read))), {})


def hidden(result: Audit) -> list[tuple[str, int, int, int | None]]:
    kinds = ("overwritten", "removed", "moved", "metadata")
    return sorted((one.kind, one.size, one.layer, one.by) for one in result.wastes if one.kind in kinds)


def text(count: int, letter: str = "x") -> str:
    return letter * count


def twin(path: str, of: str) -> File:
    return File(path, type=tarfile.LNKTYPE, target=of)


def test_what_a_later_layer_writes_anew() -> None:
    result = audit(image([File("a", text(100))], [File("a", text(60, "y"))], [File("a", text(7, "z"))]))
    assert hidden(result) == [("overwritten", 60, 1, 2), ("overwritten", 100, 0, 1)]
    assert [(row.size, row.hidden) for row in result.layers] == [(100, 100), (60, 60), (7, 0)]
    assert (result.size, result.shown) == (167, 7)
    # dive: needed is the smallest, 7 of 167; all of it is wasted.
    assert (round(result.efficiency, 4), result.wasted, round(result.user_wasted, 4)) == (
        round(7 / 167, 4),
        167,
        round(167 / 67, 4),
    )


def test_what_a_later_layer_removes() -> None:
    result = audit(image([folder("d"), File("d/a", text(100)), File("b", text(5))], [File("d/.wh.a")]))
    assert hidden(result) == [("removed", 100, 0, 1)]
    # dive: the removal counts with what it removes.
    assert (result.wasted, round(result.efficiency, 4)) == (200, round(105 / 205, 4))


def test_a_folder_that_is_removed() -> None:
    files = [folder("d"), File("d/a", text(100)), folder("d/e"), File("d/e/b", text(50))]
    result = audit(image(files, [File(".wh.d")]))
    assert hidden(result) == [("removed", 150, 0, 1)]
    assert sorted(result.wastes[0].paths) == [("/d/a", 100), ("/d/e/b", 50)]


def test_a_folder_that_is_made_opaque() -> None:
    files = [folder("d"), File("d/a", text(100)), File("d/b", text(50))]
    result = audit(image(files, [folder("d"), File("d/.wh..wh..opq"), File("d/b", text(9, "y"))]))
    assert hidden(result) == [("overwritten", 50, 0, 1), ("removed", 100, 0, 1)]
    assert result.shown == 9


def test_hard_links_are_lost_with_the_last_name() -> None:
    pair = [File("a", text(100)), twin("b", "a")]
    assert hidden(audit(image(pair, [File(".wh.a")]))) == []
    assert hidden(audit(image(pair, [File(".wh.a")], [File(".wh.b")]))) == [("removed", 100, 0, 2)]
    assert audit(image(pair)).size == 100


def test_only_the_mode_changes() -> None:
    result = audit(image([File("a", text(100), mode=0o644)], [File("a", text(100), mode=0o755)]))
    assert hidden(result) == [("metadata", 100, 0, 1)]
    assert result.wastes[0].rule == "permissions-rewritten"
    owner = audit(image([File("a", text(100))], [File("a", text(100), owner=(1, 1))]))
    assert hidden(owner) == [("metadata", 100, 0, 1)]
    same = audit(image([File("a", text(100))], [File("a", text(100))]))
    assert hidden(same) == [("overwritten", 100, 0, 1)]


def test_a_file_that_moves() -> None:
    result = audit(image([File("a", text(100))], [File(".wh.a"), File("b", text(100))]))
    assert hidden(result) == [("moved", 100, 0, 1)]
    assert result.wastes[0].rule == "file-moved-later"


def test_nothing_is_wasted() -> None:
    result = audit(image([File("a", text(100))], [File("b", text(50, "y"))]))
    assert (result.wastes, result.efficiency, result.wasted, result.user_wasted) == ((), 1.0, 0, 0.0)
    assert audit(image([])).efficiency == 1.0


KEPT = [
    ("var/lib/apt/lists/x_Packages", "lists", "package-lists-kept"),
    ("root/.cache/pip/http/a/b", "caches", "install-cache-kept"),
    ("home/app/.npm/_cacache/index", "caches", "install-cache-kept"),
    ("usr/lib/python3/x/__pycache__/a.cpython-311.pyc", "byte code", "bytecode-kept"),
    ("usr/share/doc/bash/README", "documentation", "documentation-kept"),
    ("app/.git/objects/aa/b", "version control", "unwanted-copied"),
    ("app/.env", "secrets", "secret-copied"),
    ("root/.ssh/id_ed25519", "secrets", "secret-copied"),
    ("root/.aws/credentials", "secrets", "secret-copied"),
    ("usr/bin/x86_64-linux-gnu-gcc-12", "tool chains", "toolchain-shipped"),
    ("usr/local/go/bin/go", "tool chains", "toolchain-shipped"),
]


@pytest.mark.parametrize(("path", "kind", "rule"), KEPT)
def test_what_no_one_needs_at_run_time(path: str, kind: str, rule: str) -> None:
    (waste,) = audit(image([], [File(path, text(30_000))])).wastes
    assert (waste.kind, waste.rule, waste.size, waste.layer, waste.by) == (kind, rule, 30_000, 1, None)


@pytest.mark.parametrize(
    "path", ["app/main.py", "app/.env.example", "usr/lib/libc.so", "etc/ssh/sshd_config", "var/lib/app/lists"]
)
def test_what_is_needed_or_not_known(path: str) -> None:
    assert audit(image([File(path, text(30_000))])).wastes == ()


def test_a_secret_that_is_removed_is_still_there() -> None:
    result = audit(image([File("root/.ssh/id_rsa", text(30))], [File("root/.ssh/.wh.id_rsa")]))
    assert [(one.kind, one.rule) for one in result.wastes] == [("removed", "secret-removed-later")]


def test_the_same_content_twice() -> None:
    big = text(200_000)
    result = audit(
        image(
            [File("a", big), twin("a2", "a")],
            [File("b", big), File("c", big)],
            [File("small", "x"), File("small2", "x")],
        )
    )
    (waste,) = result.wastes
    assert (waste.kind, waste.size, [path for path, _ in waste.paths]) == ("duplicates", 400_000, ["/a", "/b", "/c"])


def test_large_layers_and_many() -> None:
    # A sparse entry of this size would be slow to make: the notes are taken from the sizes alone.
    result = audit(image(*[[File(f"f{number}", "x")] for number in range(16)]))
    assert result.notes == ("16 layers -> RUNs that follow each other may be one",)


# ------------------------------------------------------------------------------------------------- instructions


@pytest.mark.parametrize(
    ("created_by", "expected"),
    [
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN apt-get update"),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("/bin/sh -c #(nop) COPY file:abc in /app ", "COPY file:abc in /app"),
        ("COPY . /app # buildkit", "COPY . /app"),
        ("RUN |1 V=1 /bin/sh -c make $V # buildkit", "RUN make $V"),
        ("WORKDIR /app", "WORKDIR /app"),
    ],
)
def test_the_history_as_its_author_wrote_it(created_by: str, expected: str) -> None:
    assert plain(created_by) == expected


def test_layers_are_found_in_the_dockerfile() -> None:
    source = Source(
        "FROM debian\nRUN apt-get update && \\\n    apt-get install -y jq\nENV A=1\nCOPY --chown=1 . /app\nRUN make\n"
    )
    history = (
        Step("/bin/sh -c #(nop) ADD file:1 in /", 0),
        Step("RUN /bin/sh -c apt-get update &&     apt-get install -y jq # buildkit", 1),
        Step("ENV A=1", None),
        Step("COPY . /app # buildkit", 2),
        Step("RUN /bin/sh -c make # buildkit", 3),
    )
    result = audit(image([], [], [], [], history=history), source)
    assert [row.line for row in result.layers] == [0, 2, 5, 6]
    other = audit(image([], [], [], [], history=history), Source("FROM debian\nRUN cmake\n"))
    assert [row.line for row in other.layers] == [0, 0, 0, 0]


# ------------------------------------------------------------------------------------------------------- limits


def test_limits_as_dive_has_them(tmp_path: pathlib.Path) -> None:
    path = tmp_path / ".dive-ci"
    path.write_text(
        "rules:\n  lowestEfficiency: 0.95\n  highestWastedBytes: 20MB\n  highestUserWastedPercent: '0.10'  # a tenth\n"
    )
    assert limits.read(str(path)) == limits.Limits(0.95, 20_000_000, 0.10)
    path.write_text("rules:\n  lowestEfficiency: disabled\n  highestWastedBytes: disabled\n")
    assert limits.read(str(path)) == limits.Limits()
    path.write_text("")
    assert limits.read(str(path)) == limits.Limits()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rules:\n  lowestEfficency: 0.9\n", "`lowestEfficency` is no limit -> one of lowestEfficiency"),
        ("rules:\n  lowestEfficiency: 95\n", "lowestEfficiency: `95` -> a share from 0 to 1"),
        ("rules:\n  highestWastedBytes: much\n", "highestWastedBytes: `much` -> bytes"),
        ("rules:\n  highestWastedBytes: true\n", "highestWastedBytes: `True` -> bytes"),
        ("rules: [", "no YAML"),
        ("a: 1\n", "no `rules:` with limits"),
    ],
)
def test_limits_that_cannot_be_read(tmp_path: pathlib.Path, content: str, message: str) -> None:
    path = tmp_path / ".dive-ci"
    path.write_text(content)
    with pytest.raises(limits.BadLimits) as raised:
        limits.read(str(path))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20000000", 20_000_000), ("20MB", 20_000_000), ("1.5 GiB", 1_610_612_736), ("3kb", 3000), (7, 7)],
)
def test_sizes(value: Any, expected: int) -> None:
    assert limits.size(value) == expected


def test_what_is_beyond() -> None:
    result = audit(image([File("a", text(100))], [File("a", text(60, "y"))]))
    assert limits.broken(result, limits.Limits()) == []
    assert len(limits.broken(result, limits.Limits(0.99, 10, 0.1, 100))) == 4
    assert limits.broken(result, limits.Limits(0.1, 1000, 3.0, 1000)) == []


# -------------------------------------------------------------------------------------------------------- forms


def wasteful() -> Audit:
    return audit(image([File("app/.env", text(10)), File("a<b>.zip", text(50_000))], [File(".wh.a<b>.zip")]))


def test_text_names_what_cures() -> None:
    shown = show.text(wasteful(), ["too much"])
    assert "50.0 kB of files that a later layer removes: /a<b>.zip" in shown
    assert "layer 1, hidden by layer 2 -> archive-kept" in shown
    assert "secret-copied" in shown
    assert "beyond the limits:\n  too much" in shown


def test_json_has_all() -> None:
    shaped = json.loads(show.data(wasteful(), []))
    assert {one["kind"] for one in shaped["wastes"]} == {"secrets", "removed"}
    assert shaped["layers"][0] == {
        "number": 0,
        "size": 50_010,
        "hidden": 50_000,
        "instruction": "RUN step 0",
        "line": None,
    }


def test_sarif_is_valid() -> None:
    shaped = json.loads(show.sarif(wasteful(), ["too much"], "Dockerfile"))
    schema = official_schema()
    if schema is not None:
        validator = pytest.importorskip("jsonschema").Draft7Validator(schema)
        assert [error.message for error in validator.iter_errors(shaped)] == []
    results = shaped["runs"][0]["results"]
    assert {one["ruleId"] for one in results} == {"secret-copied", "archive-kept", "limit"}


def test_the_page_stands_by_itself() -> None:
    page = show.page(wasteful(), ["too much"])
    assert "a&lt;b&gt;.zip" in page and "<b>.zip" not in page
    assert "src=" not in page and "@import" not in page
    assert page.count('<div class="bar">') == 2


# -------------------------------------------------------------------------------------------------- command line


def call(*words: str) -> int:
    return cli.main(["audit", *words])


def archive(tmp_path: pathlib.Path) -> str:
    files: dict[str, bytes] = {}
    first, second = tar([File("a", text(50_000))]), tar([File(".wh.a")])
    history = [{"created_by": "RUN /bin/sh -c make # buildkit"}, {"created_by": "RUN /bin/sh -c rm /a # buildkit"}]
    return as_tar(
        tmp_path / "image.tar", layout(blob(files, manifest(files, first, second, history=history)), files=files)
    )


def test_the_command(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nRUN make\nRUN rm /a\n")
    assert call(path, "--dockerfile", "Dockerfile") == console.CLEAN
    shown = capsys.readouterr().out
    assert "image.tar: 50.0 kB in 2 layers, 0 bytes of them in its file system" in shown
    assert "RUN make (line 2)" in shown
    assert call(path, "--highest-wasted-bytes", "1kB") == console.FINDINGS
    assert "100.0 kB are wasted, the limit is 1.0 kB" in capsys.readouterr().out
    (tmp_path / ".dive-ci").write_text("rules:\n  lowestEfficiency: 0.99\n")
    assert call(path) == console.FINDINGS
    assert call(path, "--lowest-efficiency", "disabled") == console.CLEAN
    for form in ("json", "sarif", "html"):
        assert call(path, "--format", form, "--output", f"report.{form}") == console.FINDINGS
        assert (tmp_path / f"report.{form}").stat().st_size > 500


def test_wrong_use(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "x.tar").write_text("no image")
    for words, message in (
        (("x.tar",), "x.tar: "),
        (("gone.tar",), "there is no file `gone.tar`, and no engine"),
        (("x.tar", "--format", "yaml"), "--format: `yaml` -> one of text, json, sarif, html"),
        (("x.tar", "--max-size", "big"), "`big` -> bytes"),
        (("x.tar", "--dockerfile", "gone"), "no such file"),
    ):
        assert call(*words) == console.WRONG_USE
        assert message in capsys.readouterr().err
