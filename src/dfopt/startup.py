"""What makes a start cheap: named tuples and patterns as `typing` and `re` have them, made in a fraction of the time.

A check of one file takes about as long as its imports. Measured on CPython 3.11: a class made by `typing.NamedTuple` costs
0.1 ms (it compiles source text) and `import typing` 2.5 ms, one made here 0.01 ms; a compiled pattern costs 0.05 to 0.3 ms.
Type checkers see the originals.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NamedTuple
else:
    try:
        from _collections import _tuplegetter as _field  # what collections.namedtuple takes
    except ImportError:
        from operator import itemgetter

        def _field(index: int, text: str) -> property:
            return property(itemgetter(index), doc=text)

    class _Tuple(tuple):
        """What all named tuples share; `_defaults` are those of the last fields."""

        __slots__ = ()
        _fields = _defaults = ()

        def __new__(cls, *values, **named):
            if named or len(values) != len(cls._fields):
                values = cls._complete(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, values, named):
            """All values of a call, the defaults with them. Raises TypeError where one is missing, or there is one too many."""
            fields, defaults = cls._fields, cls._defaults
            given, required = len(values), len(fields) - len(cls._defaults)
            if not named and required <= given <= len(fields):
                return values + defaults[given - required :]
            complete = list(values)
            for index, name in enumerate(fields[given:], given):
                if name in named:
                    complete.append(named.pop(name))
                elif index >= required:
                    complete.append(defaults[index - required])
                else:
                    raise TypeError(f"{cls.__name__}() misses the argument `{name}`")
            if named or given > len(fields):
                wrong = next(iter(named), None)
                what = f"the argument `{wrong}`" if named else f"{given} arguments, it has {len(fields)}"
                raise TypeError(f"{cls.__name__}() does not take {what}")
            return complete

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **named):
            values = tuple(map(named.pop, self._fields, self))
            if named:
                raise TypeError(f"{type(self).__name__} has no field `{next(iter(named))}`")
            return tuple.__new__(type(self), values)

        def _asdict(self):
            return dict(zip(self._fields, self))

        def __repr__(self):
            shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self))
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            return tuple(self)

    class _Maker(type):
        def __new__(cls, name, bases, namespace):
            if not bases:
                return type.__new__(cls, name, bases, namespace)
            fields = tuple(_names(namespace))
            defaults = tuple(namespace[field] for field in fields if field in namespace)
            if any(field in namespace for field in fields[: len(fields) - len(defaults)]):
                raise TypeError(f"a field of {name} without a default follows one with a default")
            for index, field in enumerate(fields):
                namespace[field] = _field(index, field)
            namespace |= {"__slots__": (), "_fields": fields, "_defaults": defaults, "__match_args__": fields}
            return type(name, (_Tuple,), namespace)

    def _names(namespace):
        """The names that a class body annotates."""
        if "__annotations__" in namespace:
            return namespace["__annotations__"]
        from annotationlib import (  # from Python 3.14 on
            Format,
            call_annotate_function,
            get_annotate_from_class_namespace,
        )

        annotate = get_annotate_from_class_namespace(namespace)
        return call_annotate_function(annotate, Format.FORWARDREF) if annotate else ()

    class NamedTuple(metaclass=_Maker):
        """As `typing.NamedTuple`, for classes with annotated fields."""


__all__ = ["NamedTuple", "pattern"]


def _late(name: str) -> Callable[..., Any]:
    """The method `name` of a pattern, which compiles it at its first call and leaves that to the compiled one from then on."""

    def call(self: _Pattern, *values: Any, **named: Any) -> Any:
        method = self.__dict__.get(name)
        if method is None:
            method = self.__dict__[name] = getattr(re.compile(self._expression, self._flags), name)
        return method(*values, **named)

    return call


class _Pattern:
    def __init__(self, expression: str, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    match, fullmatch, search = _late("match"), _late("fullmatch"), _late("search")
    finditer, findall, sub, split = _late("finditer"), _late("findall"), _late("sub"), _late("split")


def pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, but compiled when first used: for what most files do not need."""
    made: Any = _Pattern(expression, flags)
    compiled: re.Pattern[str] = made
    return compiled
