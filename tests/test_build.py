"""The meaning of a file: stages, references, states, copies, mounts and scripts."""

import posixpath
import re
import textwrap
import time
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from real_files import CORPUS
from state_oracle import StageState, state_oracle_or_skip

from dfopt import bases
from dfopt.build import Build, Stage, Variables, mount_options, without_tabs
from dfopt.source import Source
from dfopt.syntax import parse


def read(text: str, *contexts: str) -> Build:
    return Build(parse(Source(textwrap.dedent(text))), contexts)


def last(build: Build) -> int:
    return len(build.instructions) - 1


def kinds(build: Build) -> list[tuple[str, int | None]]:
    return [(reference.kind, reference.stage) for reference in build.references]


# ---------------------------------------------------------------------------------------------------- stages, FROM


def test_stages_have_names_places_and_instructions() -> None:
    build = read("ARG A\nFROM debian AS One\nRUN a\nUSER b\nFROM one\nRUN c\n")
    one, two = build.stages
    assert (one.name, one.index, list(one.indexes), one.needs) == ("one", 0, [1, 2, 3], set())
    assert (two.name, two.index, list(two.indexes), two.needs) == ("", 1, [4, 5], {0})
    assert one.name_span is not None and build.syntax.source.text[slice(*one.name_span)] == "One"
    assert two.name_span is None and two.image == "one" and two.parents == (0,)
    assert build.stage_of == [None, 0, 0, 0, 1, 1]
    assert [build.stage(index) for index in range(6)] == [None, one, one, one, two, two]
    assert build.states[0] is None and build.final is two


@pytest.mark.parametrize(
    ("text", "kind", "stage"),
    [
        ("FROM a AS x\nFROM x\n", "stage", 0),
        ("FROM a AS X\nFROM x\n", "stage", 0),
        ("FROM a AS x\nFROM b AS x\nFROM x\n", "stage", 1),
        ("FROM a AS debian\nFROM debian\n", "stage", 0),
        ("FROM debian AS debian\n", "image", None),
        ("FROM x\nFROM a AS x\n", "image", None),
        ("FROM a AS x\nFROM 0\n", "image", None),
        ("FROM a\nFROM scratch\n", "scratch", None),
        ("FROM a AS scratch\nFROM scratch\n", "stage", 0),
        ("ARG B=x\nFROM a AS x\nFROM $B\n", "unknown", None),
        ("FROM a AS x\nFROM ${B:-x}\n", "stage", 0),
        ("FROM a AS x\nFROM ${TARGETOS:-x}\n", "unknown", None),
        ("ARG B\nFROM ${B+debian}\n", "unknown", None),
    ],
)
def test_what_the_last_from_names(text: str, kind: str, stage: int | None) -> None:
    last_of = read(text).stages[-1 if not text.startswith("FROM x") else 0]
    assert (last_of.base.kind, last_of.base.stage) == (kind, stage)


def test_a_from_with_a_variable_may_name_every_stage_that_matches() -> None:
    build = read("ARG E=prod\nFROM a AS build-dev\nFROM a AS build-prod\nFROM a AS other\nFROM build-${E}\n")
    assert build.stages[3].parents == (0, 1)
    assert build.reached() == {0, 1, 3}
    assert build.children(build.stages[0]) == [build.stages[3]]
    assert build.is_shipped(build.stages[1]) and build.is_shipped(build.stages[2])
    assert read("ARG E\nFROM a AS x\nFROM ${E%z}\n").stages[1].parents == (0,)
    assert read("ARG E\nFROM a AS x\nFROM debian:$E\n").stages[1].parents == ()


def test_a_stage_that_may_have_another_shell_is_not_read() -> None:
    for line in ('SHELL ["pwsh", "-c"]', 'ONBUILD SHELL ["pwsh", "-c"]'):
        build = read(f"ARG E\nFROM a AS x\n{line}\nFROM $E\nRUN a\n")
        run = build.run(last(build))
        assert run is not None and run.script.opaque
    build = read("ARG E\nFROM a AS x\nONBUILD ENV A=1\nONBUILD USER me\nFROM $E\n")
    assert not build.after(build.stages[1]).environment.sets("A") and build.after(build.stages[1]).user is None


def test_facts_come_through_variables_in_the_tag_only() -> None:
    facts = [
        stage.facts.repository if stage.facts else None
        for text in ("golang:$V", "golang$V", "$V/golang", "golang:${V:-1}", "golang:${V%x}", "golang", "${V+golang}")
        for stage in read(f"ARG V\nFROM {text}\n").stages
    ]
    assert facts == ["golang", None, None, "golang", None, "golang", None]
    assert read("FROM golang AS a\nFROM a AS b\nFROM b\n").stages[2].facts == bases.facts("golang")


# ------------------------------------------------------------------------------------------------- --from, from=


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a AS x\nFROM b\nCOPY --from=X a b\n", [("stage", 0)]),
        ("FROM a\nFROM b\nCOPY --from=0 a b\n", [("stage", 0)]),
        ("FROM a\nFROM b\nCOPY --from=+00 a b\n", [("stage", 0)]),
        ("FROM a\nFROM b\nCOPY --from=1 a b\n", [("unknown", None)]),
        ("FROM a\nFROM b\nCOPY --from=7 a b\n", [("unknown", None)]),
        ("FROM a\nFROM b\nCOPY --from=-1 a b\n", [("unknown", None)]),
        ("FROM a\nFROM b\nCOPY --from=" + "9" * 5000 + " a b\n", [("unknown", None)]),
        ("FROM a\nFROM b\nCOPY --from=\u0661 a b\n", [("image", None)]),
        ("FROM a\nFROM b\nCOPY --from=\u00b2 a b\n", [("image", None)]),
        ("FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x a b\n", [("stage", 1)]),
        ("FROM a AS x\nFROM b\nCOPY --from=x a b\nFROM c AS x\n", [("unknown", None)]),
        ("FROM b\nCOPY --from=x a b\nFROM c AS x\n", [("unknown", None)]),
        ("FROM b AS x\nCOPY --from=x a b\n", [("unknown", None)]),
        ("FROM b\nCOPY --from=scratch a b\n", [("scratch", None)]),
        ("FROM b\nCOPY --from=nginx:1 a b\n", [("image", None)]),
        ("ARG A\nFROM b\nCOPY --from=$A a b\n", [("unknown", None)]),
        ("FROM b\nCOPY --from= a b\n", []),
        ("FROM b\nADD --from=x a b\n", []),
        ("FROM a AS x\nFROM b\nRUN --mount=from=x,target=/x a\n", [("stage", 0)]),
        ("FROM a AS x\nFROM b\nRUN --mount=type=cache,FROM=X,target=/x a\n", [("stage", 0)]),
        ("FROM a AS x\nFROM b\nRUN --mount=from=0,target=/x a\n", [("image", None)]),
        ("FROM b\nRUN --mount=target=/x --mount=from=,target=/x a\n", []),
        ("FROM a AS x\nFROM a AS y\nFROM b\nRUN --mount=from=y --mount=from=x a\n", [("stage", 1), ("stage", 0)]),
    ],
)
def test_what_copies_and_mounts_name(text: str, expected: list[tuple[str, int | None]]) -> None:
    build = read(text)
    assert kinds(build) == expected
    needed = {stage for _, stage in expected if stage is not None}
    assert set().union(*(stage.needs - set(stage.parents) for stage in build.stages)) == needed


def test_a_reference_has_its_instruction_and_place() -> None:
    build = read("FROM a AS x\nFROM b\nRUN --mount=target=/y,from=x \\\n --mount=from=i a\nCOPY --from=x a b\n")
    assert [[one.text for one in build.references_of(index)] for index in range(4)] == [[], [], ["x", "i"], ["x"]]
    text = build.syntax.source.text
    assert [text[slice(*one.span)] for one in build.references] == [
        "--mount=target=/y,from=x",
        "--mount=from=i",
        "--from=x",
    ]
    assert [one.instruction for one in build.users(build.stages[0])] == [2, 3]


def test_named_contexts_come_before_images_and_stages() -> None:
    text = "FROM a AS x\nFROM docker.io/library/debian:latest\nFROM x\nCOPY --from=x a b\nCOPY --from=0 a b\nCOPY --from=i a b\nRUN --mount=from=I a\nFROM i:1\n"
    build = read(text, "X", "debian", "i")
    assert [stage.base.kind for stage in build.stages] == ["image", "context", "context", "image"]
    assert [kind for kind, _ in kinds(build)] == ["context"] * 4
    assert build.stages[1].facts is None and build.stages[2].needs == set()
    reserved = read("FROM scratch\nCOPY --from=context a b\n", "scratch", "context")
    assert reserved.stages[0].base.kind == "scratch" and kinds(reserved) == [("image", None)]


def test_a_named_context_is_no_image() -> None:
    text = "ARG V\nFROM golang:$V AS one\nFROM golang AS two\nFROM two\nFROM scratch\nFROM gcr.io/distroless/static\n"
    images = read(text)
    assert [stage.reference for stage in images.stages] == ["golang:$V", "golang", "", "", "gcr.io/distroless/static"]
    folders = [set(images.top_folders(stage) or ()) for stage in images.stages]
    assert folders == [{"go"}, {"go"}, {"go"}, set(), {"busybox"}]
    contexts = read(text, "golang", "gcr.io/distroless/static")
    assert [stage.reference for stage in contexts.stages] == ["golang:$V", "", "", "", ""]
    assert [stage.image for stage in contexts.stages] == [None, None, "two", "scratch", None]
    assert [contexts.top_folders(stage) for stage in contexts.stages[1:]] == [None, None, frozenset(), None]


def test_names_are_all_that_stands_for_something() -> None:
    build = read(
        "FROM Img AS One\nFROM docker.io/library/two:latest\nCOPY --from=Three a b\nRUN --mount=from=four a\n", "Five"
    )
    assert {"img", "one", "two", "three", "four", "five"} <= build.names()
    assert "assembly" not in build.names()


def test_onbuild_runs_in_the_stage_from_it_and_only_there() -> None:
    build = read(
        """\
        FROM scratch AS x
        FROM scratch AS base
        ONBUILD ENV A=1
        ONBUILD COPY --from=x a b
        ONBUILD USER me
        FROM base AS child
        ENV B=$A
        FROM child
        """
    )
    base, child, grandchild = build.stages[1:]
    assert build.after(base).user == "root" and not build.after(base).environment.sets("A") and base.needs == set()
    assert build.after(child).user == "me" and build.after(child).environment["B"] == "1" and child.needs == {0, 1}
    assert grandchild.needs == {2} and build.after(grandchild).environment["A"] == "1"
    assert kinds(build) == [("stage", 0)]
    assert (build.references[0].instruction, build.references[0].within, child.base.within) == (3, 2, 2)


# --------------------------------------------------------------------------------------------- which stages matter


def test_which_stages_are_reached_shipped_and_children() -> None:
    build = read(
        """\
        FROM a AS base
        FROM base AS tools
        FROM tools AS build
        FROM base AS test
        FROM b AS data
        FROM c
        COPY --from=build a b
        RUN --mount=from=data,target=/d a
        """
    )
    base, tools, _, test, data, final = build.stages
    assert build.reached() == {0, 1, 2, 4, 5}
    assert build.reached(tools) == {0, 1}
    assert [stage.index for stage in build.children(base)] == [1, 2, 3]
    assert build.children(data) == []
    # `test` is for --target alone, and stands on `base`.
    assert [build.is_shipped(stage) for stage in build.stages] == [True, False, False, True, False, True]
    assert [one.instruction for one in build.users(data)] == [7]
    assert build.users(test) == build.users(final) == []


def test_a_file_without_stages() -> None:
    build = read("ARG A\nRUN a\nCOPY a b\n")
    assert build.final is None and build.reached() == set() and build.states == [None] * 3
    assert build.run(1) is not None and build.copy(2) is None and build.stage(1) is None


# ------------------------------------------------------------------------------------------------------- variables


@given(
    st.lists(st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.none() | st.sampled_from("12")))),
    st.booleans(),
)
def test_variables_are_as_copied_dictionaries(steps: list[tuple[int, dict[str, str | None]]], is_open: bool) -> None:
    start: dict[str, str | None] = {"a": "0"}
    versions = [(Variables(start, is_open), start)]
    for number, values in steps:
        variables, model = versions[number % len(versions)]
        versions.append((variables.with_values(values), {**model, **values}))
    for variables, model in versions:
        assert dict(variables) == model and {**variables} == model and len(variables) == len(model)
        assert variables.open == is_open and set(variables) == set(model)
        for name in "abcd":
            assert variables.sets(name) == (name in model)
            assert (name in variables) == (is_open or name in model)
            assert variables.get(name, "none") == model.get(name, None if is_open else "none")
            if not is_open and name not in model:
                with pytest.raises(KeyError):
                    variables[name]


def environment(text: str) -> dict[str, str | None]:
    build = read("FROM scratch\n" + text)
    found = dict(build.after(build.stages[-1]).environment)
    found.pop("PATH", None)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV A=1 B=2\n", {"A": "1", "B": "2"}),
        ("ENV A=1\nENV A=2 B=$A\n", {"A": "2", "B": "1"}),
        ("ENV A=1\nENV A=2\nENV B=$A\n", {"A": "2", "B": "2"}),
        ("ENV A b  'c d' \n", {"A": "b  c d"}),
        ("ENV A=x\nENV B $A  y\n", {"A": "x", "B": "x  y"}),
        ("ENV A='$B' B=\\$A C=\"a b\"\n", {"A": "$B", "B": "$A", "C": "a b"}),
        ("ENV A=x\nENV ${A}y=z\n", {"A": "x", "xy": "z"}),
        ("ENV A=$NO B=${NO:-d} C=${NO-e}f\n", {"A": "", "B": "d", "C": "ef"}),
        ("ENV A=$PATH\n", {"A": None}),
        ("ARG A\nENV A=1\nENV B=$A\n", {"A": "1", "B": "1"}),
        # BuildKit takes the last one, its documentation says ENV, and the command line may have a third value.
        ("ENV A=1\nARG A=2\nENV B=$A\n", {"A": None, "B": None}),
        ("ENV A=1\nARG A=2\nENV A=3\nENV B=$A\n", {"A": "3", "B": "3"}),
        ("ARG A=1\nENV B=$A C=${A:+x} D=${A+x} E=${A:-x} F=${A-x} G=y\n", dict.fromkeys("BCDEF") | {"G": "y"}),
        ("ONBUILD ENV A=1\n", {}),
    ],
)
def test_environment(text: str, expected: dict[str, str | None]) -> None:
    assert environment(text) == expected


def test_a_value_that_doubles_is_soon_not_known() -> None:
    assert environment("ENV A=x\n" + "ENV A=$A$A\n" * 12) == {"A": "x" * 4096}
    assert environment("ENV A=x\n" + "ENV A=$A$A\n" * 20) == {"A": None}


def test_an_unknown_key_makes_all_unknown() -> None:
    build = read("FROM golang\nENV A=1\nARG K\nENV $K=2\nENV B=$A\n")
    state = build.after(build.stages[0])
    assert state.environment["A"] is None and state.environment["B"] is None
    assert state.lookup("GOPATH") == state.lookup("GOCACHE") == (True, None)
    assert state.base is None and build.state(3).base is not None


def test_arguments_are_seen_where_they_are_declared_and_in_stages_from_there() -> None:
    build = read(
        "ARG A=1\nFROM scratch AS x\nENV B=${A:-no}\nARG A\nENV C=${A:-no}\nFROM x\nENV D=${A:-no}\nFROM scratch\nENV E=${A:-no}${TARGETOS}\n"
    )
    values = {
        name: state.environment[name]
        for state, name in zip(map(build.after, [*[build.stages[1]] * 3, build.stages[2]]), "BCDE", strict=True)
    }
    assert values == {"B": "no", "C": None, "D": None, "E": "no"}


def test_an_unknown_base_may_set_any_variable() -> None:
    build = read("FROM who/knows\nENV A=$B C=${B+x} D=${B:-x} E=1\nENV F=$E\n")
    final = build.after(build.stages[0])
    assert dict(final.environment) == {"A": None, "C": None, "D": None, "E": "1", "F": "1"}
    assert final.lookup("NEW") == (True, None) and final.lookup("E") == (True, "1")
    assert final.user is None and final.workdir is None and final.home is None and not final.is_root


def test_lookup() -> None:
    build = read("FROM golang:1.22\nENV A=1\nARG B\nRUN x\n")
    state = build.state(3)
    assert state.lookup("A") == (True, "1") and state.lookup("B") == (True, None)
    assert state.lookup("GOPATH") == (True, "/go") and state.lookup("GOTOOLCHAIN") == (True, None)
    assert state.lookup("PIP_CACHE_DIR") == (False, None)
    assert state.lookup("http_proxy") == state.lookup("HTTPS_PROXY") == state.lookup("PATH") == (True, None)
    assert read("FROM scratch\nRUN x\n").state(1).lookup("A") == (False, None)


def test_home_and_root() -> None:
    def home(text: str) -> tuple[str | None, bool]:
        state = (build := read(text)).after(build.stages[-1])
        return state.home, state.is_root

    assert home("FROM debian\n") == ("/root", True)
    assert home("FROM debian\nUSER 0:0\n") == ("/root", True)
    assert home("FROM debian\nUSER me\n") == (None, False)
    assert home("FROM debian\nENV HOME=/h\nUSER me:root\n") == ("/h", False)
    assert home("FROM debian\nENV HOME=h\n") == (None, True)
    assert home("FROM debian\nARG HOME=/h\n") == (None, True)
    assert home("FROM debian\nENV HOME=/h\nARG HOME\n") == (None, True)


# ------------------------------------------------------------------------------------------- WORKDIR, USER, SHELL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "/"),
        ("WORKDIR a\n", "/a"),
        ("WORKDIR /a/\nWORKDIR b//c/.\n", "/a/b/c"),
        ("WORKDIR //a\n", "/a"),
        ("WORKDIR /a/b\nWORKDIR ../c\n", "/a/c"),
        ("WORKDIR /a/../b\n", None),
        ("WORKDIR /a\nWORKDIR ../../..\n", "/"),
        ("ENV A=/x\nWORKDIR $A/y\n", "/x/y"),
        ("WORKDIR /a\nWORKDIR $NO\n", "/a"),
        ('WORKDIR "/a b"\n', "/a b"),
        ("ARG A\nWORKDIR /a\nWORKDIR $A\nWORKDIR b\n", None),
        ("ARG A\nWORKDIR $A\nWORKDIR /b\n", "/b"),
        ("WORKDIR C:\\\\a\n", None),
        ("ONBUILD WORKDIR /a\n", "/"),
    ],
)
def test_workdir(text: str, expected: str | None) -> None:
    build = read("FROM scratch\n" + text)
    assert build.after(build.stages[0]).workdir == expected


def test_user_and_shell_go_on_in_stages_from_there() -> None:
    build = read(
        'FROM debian AS a\nENV U=me\nUSER "$U":1\nSHELL ["bash", "-c"]\nWORKDIR /a\nRUN x\nFROM a\nRUN y\nARG Q\nUSER $Q\nFROM debian\nRUN z\n'
    )
    assert build.state(2).user == "root" and build.state(3).user == "me:1"
    assert (build.state(7).user, build.state(7).shell, build.state(7).workdir) == ("me:1", ("bash", "-c"), "/a")
    assert build.after(build.stages[1]).user is None
    assert (build.state(11).user, build.state(11).shell, build.state(11).workdir) == ("root", None, "/")


# ------------------------------------------------------------------------------------------------ expand, COPY, ADD


def test_expand() -> None:
    build = read("FROM scratch\nENV A=1\nRUN x\n")
    assert build.expand('"$A"b\\$A', 2) == "1b$A" and build.expand("$PATH", 2) is None and build.expand("$A", 1) == ""
    back = read("# escape=`\nFROM scratch\nENV A=1\nRUN x\n")
    assert back.expand("`$A\\$A", 2) == "$A\\1"


@pytest.mark.parametrize(
    ("line", "sources", "destination"),
    [
        ("COPY a b", ("a",), "/w/b"),
        ("COPY a b /c/", ("a", "b"), "/c/"),
        ("COPY a .", ("a",), "/w/"),
        ("COPY a ./", ("a",), "/w/"),
        ("COPY a ./b/.", ("a",), "/w/b/"),
        ("COPY a ..", ("a",), "/"),
        ("COPY a b/..", ("a",), "/w"),
        ("COPY a /", ("a",), "/"),
        ("COPY a //x//y", ("a",), "/x/y"),
        ("COPY a /x/../y", ("a",), "/y"),
        ('COPY ["a b", ""]', ("a b",), "/w/"),
        ("COPY $K a$K/", ("k",), "/w/ak/"),
        ("COPY $U a", None, "/w/a"),
        ("COPY a $U", ("a",), None),
        ("ADD http://x/y /z", ("http://x/y",), "/z"),
        ("COPY a", None, None),
        ("RUN a b", None, None),
    ],
)
def test_copy(line: str, sources: tuple[str, ...] | None, destination: str | None) -> None:
    build = read(f"FROM scratch\nARG U\nENV K=k\nWORKDIR /w\n{line}\n")
    copy = build.copy(4)
    found = (None, None) if copy is None else (copy.sources, copy.destination)
    assert found == (sources, destination)


def test_copy_where_the_working_directory_is_not_known() -> None:
    build = read("FROM who/knows\nCOPY a b\nCOPY a /b\n")
    assert [copy.destination for copy in map(build.copy, (1, 2)) if copy] == [None, "/b"]


def test_copy_has_flags_origin_and_heredocs() -> None:
    build = read(
        "FROM a AS x\nFROM scratch\nCOPY --link --chown=1:2 --from=x a b\nCOPY <<E1 f <<'E2' /d/\none\nE1\ntwo\nE2\n"
    )
    copy = build.copy(2)
    assert copy is not None and copy.flags == {"link": "true", "chown": "1:2", "from": "x"}
    assert copy.origin is not None and copy.origin.stage == 0
    files = build.copy(3)
    assert files is not None and (files.sources, files.destination, files.origin) == (("E1", "f", "E2"), "/d/", None)


def test_absolute() -> None:
    build = read("FROM scratch\nWORKDIR /w\nRUN x\n")
    assert [build.absolute(path, 2) for path in (None, "a/", "/a/b/..", "", "../..", ".")] == [
        None,
        "/w/a/",
        "/a",
        "/w/",
        "/",
        "/w/",
    ]
    windows = read("# escape=`\nFROM a\nWORKDIR /w\nRUN x\n")
    assert [windows.absolute(path, 2) for path in ("C:/a", "a\\b", "/a")] == [None, None, "/a"]


# ---------------------------------------------------------------------------------------------------------- mounts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {"type": "bind"}),
        ("type=cache,target=/a", {"type": "cache", "target": "/a"}),
        ("dst=/a,src=b,ro", {"type": "bind", "target": "/a", "source": "b", "readonly": "true"}),
        ("destination=/a,rw=false,TYPE=tmpfs", {"type": "tmpfs", "target": "/a", "readwrite": "false"}),
        ("target=/a,dst=/b", {"type": "bind", "target": "/b"}),
        ('"target=/a,b",id=x=y', {"type": "bind", "target": "/a,b", "id": "x=y"}),
        ('"id=a""b",from=c', {"type": "bind", "id": 'a"b', "from": "c"}),
    ],
)
def test_mount_options(value: str, expected: dict[str, str]) -> None:
    assert mount_options(value) == expected


def test_mounts_of_a_run() -> None:
    build = read("FROM a\nRUN --network=none --mount=type=cache,dst=/c --mount=target=/d x\nCOPY a b\n")
    assert [(flag.name, options["target"]) for flag, options in build.mounts(1)] == [("mount", "/c"), ("mount", "/d")]
    assert build.mounts(2) == []


# --------------------------------------------------------------------------------------------------------- scripts


def commands(build: Build, index: int) -> list[str | None]:
    run = build.run(index)
    assert run is not None
    for command in run.commands:
        span = run.span(command.simple.words[0].start, command.simple.words[0].end)
        assert build.syntax.source.text[slice(*span)] == command.label
    return [command.name for command in run.commands]


def test_scripts_of_run() -> None:
    build = read(
        'FROM debian\nRUN --network=none a && \\\n  # no\n  b\nRUN ["a"]\nCOPY a b\nRUN <<E\nc\nd\nE\nRUN <<-E\n\te\n\tE\n'
    )
    assert commands(build, 1) == ["a", "b"] and build.run(2) is None and build.run(3) is None
    assert commands(build, 4) == ["c", "d"] and commands(build, 5) == ["e"]
    assert build.run(1) is build.run(1)
    assert [run.heredoc for run in map(build.run, (1, 4, 5)) if run] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("RUN <<'E'\na\nE\n", True),
        ("RUN 3<<E\na\nE\n", True),
        ("RUN <<E\n#!/bin/bash\na\nE\n", True),
        ("RUN <<-E\n\t#!/bin/sh\n\ta\n\tE\n", True),
        ("RUN <<E\n#!/usr/bin/env python3\na\nE\n", False),
        ("RUN <<E\na\r\nE\n", False),
        ("RUN cat <<E\na\nE\n", False),
        ("RUN <<E cat\na\nE\n", False),
        ("RUN <<E <<F\na\nE\nb\nF\n", False),
        ('SHELL ["/bin/bash", "-c"]\nRUN a\n', True),
        ('SHELL ["/bin/bash", "-ec"]\nRUN <<E\na\nE\n', True),
        ('SHELL ["python", "-c"]\nRUN a\n', False),
        ('SHELL ["python", "-c"]\nRUN <<E\n#!/bin/sh\na\nE\n', True),
        ('SHELL ["powershell", "-c"]\nRUN a\n', False),
    ],
)
def test_which_scripts_are_read(text: str, readable: bool) -> None:
    build = read("FROM debian\n" + text)
    run = build.run(last(build))
    assert run is not None and (run.script.opaque is None) == readable
    if readable:
        assert commands(build, last(build)) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        "# escape=`\nFROM debian\n",
        "FROM mcr.microsoft.com/windows/servercore:ltsc2022\n",
        "FROM who/knows:nanoserver-1809\n",
        "FROM --platform=windows/amd64 who/knows\n",
        "FROM --platform=${P:-windows} who/knows\n",
        "ARG V\nFROM mcr.microsoft.com/windows/$V\n",
        "ARG V\nFROM mcr.microsoft.com/windows/${V%x}\n",
    ],
)
def test_windows_is_not_read(text: str) -> None:
    build = read(text + "RUN a\n")
    run = build.run(last(build))
    assert build.windows and run is not None and run.script.opaque and run.commands == ()


@given(st.text("\tab \n", max_size=40))
def test_without_tabs_keeps_places(body: str) -> None:
    build = read("FROM a\n")
    build = Build(parse(Source("FROM a\nRUN <<-E\n" + body + "\nE\n")))
    heredoc = build.instructions[1].heredocs[0]
    text = without_tabs(heredoc.body)
    assert text.text == "\n".join(line.lstrip("\t") for line in heredoc.body.text.split("\n"))
    source = build.syntax.source.text
    assert "".join(source[text.offset(at)] for at in range(len(text.text))) == text.text


# ------------------------------------------------------------------------------------------------ all files, in time


def ask_everything(build: Build) -> None:
    count = len(build.instructions)
    assert len(build.states) == len(build.stage_of) == count
    build.names()
    for stage in build.stages:
        assert stage.first <= stage.last < count
        assert stage.needs <= set(range(stage.index)) and set(stage.parents) <= stage.needs
        assert build.reached(stage) <= set(range(stage.index + 1))
        build.after(stage), build.is_shipped(stage), build.users(stage), build.children(stage)
    for reference in build.references:
        assert reference.kind in ("stage", "scratch", "context", "image", "unknown")
        assert (reference.stage is not None) == (reference.kind == "stage")
    for index, instruction in enumerate(build.instructions):
        build.references_of(index), build.mounts(index), build.copy(index), build.stage(index)
        run = build.run(index)
        if run is not None:
            for command in run.commands:
                span = run.span(command.simple.start, command.simple.end)
                assert instruction.span.start <= span.start <= span.end <= instruction.span.end
        state = build.states[index]
        assert (state is None) == (build.stage_of[index] is None)
        if state is not None:
            assert state.home is None or state.home.startswith("/")
            assert state.workdir is None or state.workdir.startswith("/")
            state.lookup("A"), build.expand("${A:-b}", index)


WORDS = st.sampled_from(
    ["a", "b", "/a", "../b", "$A", "${B:-x}", "${A+y}", "A=1", "B=$A", "'q r'", '"$A"', "x", "AS", "as", "0", "1", "--from=a", "--from=0",
     "--from=x", "--mount=from=b,target=/c", "--mount=type=cache,target=$A", "--platform=$A", "<<E", "<<-'F'", "[", '["a", "b"]', "\\",
     "=", "", "scratch", "debian:$A", "\ufeff", "\udc80", "\u00b2"]
)  # fmt: skip
KEYWORDS = st.sampled_from(
    "FROM FROM FROM ARG ENV USER WORKDIR SHELL COPY ADD RUN ONBUILD LABEL CMD E F NO".split()
    + ["ONBUILD ENV", "ONBUILD COPY", "ONBUILD FROM"]
)
LINES = st.lists(
    st.tuples(KEYWORDS, st.lists(WORDS, max_size=4)).map(lambda pair: " ".join([pair[0], *pair[1]])), max_size=12
)


@settings(max_examples=300)
@given(LINES.map("\n".join) | st.text(max_size=60), st.lists(st.sampled_from(["a", "x", "debian"]), max_size=2))
def test_nothing_raises(text: str, contexts: list[str]) -> None:
    ask_everything(Build(parse(Source(text)), tuple(contexts)))


def corpus() -> Iterator[tuple[str, bytes]]:
    folder = CORPUS / "files"
    found = sorted(
        path
        for path in (folder if folder.is_dir() else CORPUS).rglob("*")
        if path.is_file() and path.suffix not in (".gz", ".json", ".md")
    )
    if not found:
        pytest.skip(f"there is no corpus at {CORPUS}")
    for path in found:
        yield path.name, path.read_bytes()


def test_nothing_raises_on_the_corpus() -> None:
    for _, data in corpus():
        ask_everything(Build(parse(Source.from_bytes(data))))


@pytest.mark.parametrize(
    "line",
    [
        "ENV A{0}=$A{1}x B=$A{0}",
        "ENV A=$A",
        "ARG A{0}",
        "ENV A=1\nARG A",
        "WORKDIR a{0}",
        "RUN a{0}",
        "COPY --from=a{0} a b",
        "ONBUILD ENV A{0}=1",
    ],
)
def test_time_is_linear(line: str) -> None:
    syntax = parse(Source("FROM debian\n" + "".join(line.format(at, at - 1) + "\n" for at in range(5000))))
    assert len(syntax.instructions) > 5000
    start = time.process_time()
    Build(syntax)
    # Copies of the dictionaries took ten times that; a slow runner has room.
    assert time.process_time() - start < 2


# ------------------------------------------------------------------------------------------------ BuildKit's own word


def normal(image: str) -> str:
    for prefix in ("docker.io/", "library/"):
        image = image.removeprefix(prefix)
    return image.removesuffix(":latest")


def images_of(build: Build) -> tuple[set[str], bool]:
    """The images that the last stage needs or may need, and whether these are exactly those."""
    reached = build.reached()
    bottoms = [stage.base for stage in build.stages if stage.index in reached]
    named = [one for one in build.references if one.within in reached]
    found = {normal(one.text) for one in (*bottoms, *named) if one.kind == "image"}
    # Of what an ONBUILD brings in late BuildKit uses images whose configuration it never asks for (resolveBaseImage marks
    # them as done while nothing reaches them), so that its questions are not all that it needs.
    late = any(build.instructions[one.instruction].name == "ONBUILD" for one in named)
    return found, not late and all(one.kind != "unknown" for one in (*bottoms, *named))


def differences(build: Build, stage: Stage, buildkit: StageState) -> list[str]:
    """Where what is known of the last stage is not what BuildKit has."""
    state = build.after(stage)
    variables = state.variables()
    found = []
    for name in {*variables, *buildkit.seen}:
        if name not in variables:
            found.append(f"{name} is not set, to BuildKit it is {buildkit.seen[name]!r}")
        elif variables[name] is not None and variables[name] != buildkit.seen.get(name):
            found.append(f"{name} is {variables[name]!r}, to BuildKit {buildkit.seen.get(name)!r}")
    for name in {*state.environment, *buildkit.environment}:
        if name not in state.environment or (state.environment.sets(name) and name not in buildkit.environment):
            found.append(f"{name} is set by one in the image")
        elif state.environment[name] is not None and state.environment[name] != buildkit.environment[name]:
            found.append(
                f"{name} is {state.environment[name]!r} in the image, to BuildKit {buildkit.environment[name]!r}"
            )
    if state.user is not None and state.user != (buildkit.user or "root"):
        found.append(f"user {state.user!r}, to BuildKit {buildkit.user!r}")
    if state.workdir is not None and state.workdir != "/" + posixpath.normpath(buildkit.workdir or "/").lstrip("/"):
        found.append(f"workdir {state.workdir!r}, to BuildKit {buildkit.workdir!r}")
    if state.shell != () and state.shell != buildkit.shell:
        found.append(f"shell {state.shell!r}, to BuildKit {buildkit.shell!r}")
    images, complete = images_of(build)
    theirs = set(map(normal, buildkit.images))
    # A FROM with a variable may name every stage, or any image, such as one that is the default of an ARG.
    top = build.syntax.source.text[: build.instructions[build.stages[0].first].span.start]
    named = {
        normal(stage.base.text)
        for stage in build.stages
        if stage.base.kind == "image" and normal(stage.base.text) not in top
    }
    if images != theirs if complete else not theirs & named <= images:
        found.append(f"images {sorted(images)}, to BuildKit {sorted(theirs)}")
    return found


def prefixes(text: str) -> Iterator[Build]:
    """The file cut off behind each of its stages."""
    whole = parse(Source(text))
    ends = [
        before.span.end
        for before, after in zip(whole.instructions, whole.instructions[1:], strict=False)
        if after.name == "FROM"
    ]
    for end in [*ends, len(text)]:
        build = Build(parse(Source(text[:end])))
        if build.stages:
            yield build


def compare(text: str) -> list[tuple[list[str], StageState]]:
    oracle = state_oracle_or_skip()
    builds, theirs = list(prefixes(text)), oracle.stages(text.encode("utf-8", "surrogateescape"))
    if not theirs:
        return []
    assert len(builds) == len(theirs)
    return [
        ([] if state.error else differences(build, build.stages[-1], state), state)
        for build, state in zip(builds, theirs, strict=True)
    ]


@pytest.fixture
def no_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle's images are not those of the table."""
    monkeypatch.setattr(bases, "facts", lambda image, unknown_tag=False: None)


VALUES = st.sampled_from(
    ["1", "$A", "${B:-x}$C", "'$A'", '"a $B"', "${A+y}", "${C:+z}", "\\$A", "${A#1}", "${B/1/2}", "$BASE", ""]
)
PATHS = st.sampled_from(["/a/", "b", "../c", "/d//e", "$A", ".", "/$B", "'f g'", "//h"])
NAME = st.sampled_from("ABC")
STAGES = st.sampled_from(["one", "two", "three"])
ORIGINS = st.sampled_from(["one", "ONE", "two", "three", "0", "1", "2", "img9", "scratch"])
STEPS = st.one_of(
    st.builds("ENV {}={} {}={}".format, NAME, VALUES, NAME, VALUES),
    st.builds("ENV {} {}".format, NAME, VALUES.filter(bool)),
    st.builds("ARG {}={}".format, NAME, VALUES),
    st.builds("ARG {}".format, NAME),
    st.builds("WORKDIR {}".format, PATHS),
    st.builds("USER {}".format, st.sampled_from(["me", "$A:1", '"0"', "root"])),
    st.sampled_from(['SHELL ["bash", "-c"]', "RUN a", "ARG TARGETOS"]),
    st.builds("COPY --from={} a b".format, ORIGINS),
    st.builds("RUN --mount=from={},target=/m a".format, ORIGINS),
)
STEPS |= STEPS.map("ONBUILD {}".format)
STAGE = st.builds(
    lambda base, name, steps: [f"FROM {base}" + (f" AS {name}" if name else ""), *steps],
    st.sampled_from(["img1", "img2", "img3", "one", "two", "three", "scratch", "${A:-one}", "img$NO"]),
    st.just("") | STAGES,
    st.lists(STEPS, max_size=5),
)
FILES = st.builds(
    lambda first, stages: "\n".join([*first, *(line for stage in stages for line in stage)]) + "\n",
    st.lists(st.sampled_from(["ARG A=one", "ARG C"]), max_size=1),
    st.lists(STAGE, min_size=1, max_size=4),
)


@settings(max_examples=500)
@given(FILES)
def test_states_are_buildkits(text: str) -> None:
    state_oracle_or_skip()
    # BuildKit numbers the images that `--from` names behind the stages, so that such a number means one of them.
    assume(all(int(number) < text.count("FROM") for number in re.findall(r"from=([0-9]+)", text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "facts", lambda image, unknown_tag=False: None)
        for found, state in compare(text):
            assert not found, f"{found} in\n{text}"
            refused = state.error or ""
            assert not refused.startswith("panic"), refused


def test_states_of_the_corpus_are_buildkits(no_facts: None) -> None:
    state_oracle_or_skip()
    compared, faults = 0, []
    for name, data in corpus():
        for found, state in compare(data.decode("utf-8", "surrogateescape")):
            compared += state.error is None
            faults += [f"{name}: {one}" for one in found]
    assert not faults, f"{len(faults)}: {faults[:20]}"
    assert compared > 1000


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nCOPY --from=0 a b\n",
        "FROM a\nCOPY --from=1 a b\n",
        "FROM a\nCOPY --from=-1 a b\n",
        "FROM a\nCOPY --from=x a b\nFROM b AS x\n",
        "FROM a AS x\nCOPY --from=x a b\n",
        "FROM a AS x\nFROM b\nCOPY --from=x a b\nFROM c AS x\n",
        "ARG A=x\nFROM a AS x\nFROM b\nCOPY --from=$A a b\n",
    ],
)
def test_what_is_called_unknown_is_refused_by_buildkit(text: str) -> None:
    assert [one.kind for one in read(text).references] == ["unknown"]
    assert state_oracle_or_skip().stages(text.encode())[-1].error or "FROM b AS x" in text or "FROM c AS x" in text
