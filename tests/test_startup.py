"""Named tuples made the cheap way are typing's to whoever uses them; patterns compile when first used."""

import copy
import pickle
import re
import sys
import typing

import pytest

from dfopt import startup


class Ours(startup.NamedTuple):
    """A place."""

    line: int
    column: int = 1
    name: str = ""

    @property
    def label(self) -> str:
        return f"{self.line}:{self.column}"


class Theirs(typing.NamedTuple):
    """A place."""

    line: int
    column: int = 1
    name: str = ""

    @property
    def label(self) -> str:
        return f"{self.line}:{self.column}"


CALLS: tuple[tuple[tuple[object, ...], dict[str, object]], ...] = (
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, "x"), {}),
    ((), {"line": 1}),
    ((1,), {"name": "x"}),
    ((), {"name": "x", "column": 3, "line": 1}),
)
WRONG_CALLS: tuple[tuple[tuple[object, ...], dict[str, object]], ...] = (
    ((), {}),
    ((), {"column": 2}),
    ((1, 2, "x", 4), {}),
    ((1,), {"line": 2}),
    ((1,), {"row": 2}),
    ((1, 2, "x", 4), {"row": 2}),
)


def made(kind: type, values: tuple[object, ...], named: dict[str, object]) -> typing.Any:
    return kind(*values, **named)


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_a_named_tuple_is_what_typing_makes(values: tuple[object, ...], named: dict[str, object]) -> None:
    one: typing.Any = made(Ours, values, named)
    other: typing.Any = made(Theirs, values, named)
    assert one == other and hash(one) == hash(other) and issubclass(Ours, tuple)
    assert (one.line, one.column, one.name, one.label) == (other.line, other.column, other.name, other.label)
    assert one._asdict() == other._asdict() and repr(one) == repr(other).replace("Theirs", "Ours")
    assert one._replace(column=7) == other._replace(column=7) and type(one._replace(column=7)) is Ours
    assert type(one)._make(other) == one
    for twin in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin == one and type(twin) is Ours
    match one:
        case Ours(line, column):
            assert (line, column) == (other.line, other.column)
        case _:
            pytest.fail("no match by place")
    with pytest.raises(AttributeError):
        setattr(one, "line", 2)  # noqa: B010
    assert not hasattr(one, "__dict__") and sys.getsizeof(one) <= sys.getsizeof(other)


@pytest.mark.parametrize(("values", "named"), WRONG_CALLS)
def test_a_wrong_call_is_refused(values: tuple[object, ...], named: dict[str, object]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            made(kind, values, named)


def test_the_class_is_what_typing_makes() -> None:
    assert Ours._fields == Theirs._fields and Ours.__match_args__ == Theirs.__match_args__
    assert (Ours.__doc__, Ours.__module__, Ours.__bases__[0].__bases__) == (Theirs.__doc__, __name__, Theirs.__bases__)
    one: typing.Any
    for one in (Ours(1), Theirs(1)):
        with pytest.raises((TypeError, ValueError)):
            one._replace(row=1)
    with pytest.raises(TypeError, match="without a default"):

        class Wrong(startup.NamedTuple):
            first: int = 1
            second: int  # type: ignore[misc]


def test_a_pattern_compiles_when_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    real = re.compile

    def compile_(expression: str, flags: int = 0) -> "re.Pattern[str]":
        compiled.append(expression)
        return real(expression, flags)

    monkeypatch.setattr(re, "compile", compile_)
    wanted, match = startup.pattern("a(B)", re.IGNORECASE), startup.pattern("c+").match
    assert compiled == []
    for _ in range(2):
        found = wanted.search("xAb")
        assert found is not None and found.span(1) == (2, 3)
        found = match("bccc", 1)
        assert found is not None and found.end() == 4
    assert compiled == ["a(B)", "c+"]
    assert wanted.sub("-", "ab ab") == "- -" and match("b") is None
    assert wanted.sub(repl="-", string="ab ab", count=1) == "- ab"
    assert wanted.split("1ab2") == real("a(B)", re.IGNORECASE).split("1ab2")
    assert [one[0] for one in wanted.finditer("ab AB")] == ["ab", "AB"] and wanted.findall("ab") == ["b"]
    assert wanted.fullmatch("abc") is None
