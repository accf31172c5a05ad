"""dfopt as a library: `check` finds and `fix` rewrites; each is imported when it is first asked for."""

TYPE_CHECKING = False  # as typing has it, without the cost of importing typing
if TYPE_CHECKING:
    from dfopt.api import check as check
    from dfopt.api import fix as fix
    from dfopt.config import ConfigError as ConfigError
    from dfopt.engine import Applied as Applied
    from dfopt.engine import Fault as Fault
    from dfopt.engine import Fixed as Fixed
    from dfopt.engine import Report as Report
    from dfopt.rule import Diagnostic as Diagnostic
    from dfopt.rule import Effect as Effect
    from dfopt.rule import Finding as Finding
    from dfopt.rule import Fix as Fix
    from dfopt.rule import Given as Given
    from dfopt.rule import Related as Related
    from dfopt.rule import Saving as Saving
    from dfopt.source import Edit as Edit
    from dfopt.source import Position as Position
    from dfopt.source import Source as Source
    from dfopt.source import Span as Span

__version__ = "0.1.0"

# Where each public name lives. Effects are all the names of the union `dfopt.Effect`; they stay in `dfopt.rule`.
_HOMES = {
    "check": "api", "fix": "api", "ConfigError": "config", "Applied": "engine", "Fault": "engine", "Fixed": "engine",
    "Report": "engine", "Diagnostic": "rule", "Effect": "rule", "Finding": "rule", "Fix": "rule", "Given": "rule",
    "Related": "rule", "Saving": "rule", "Edit": "source", "Position": "source", "Source": "source", "Span": "source",
}  # fmt: skip

__all__ = [
    "Applied",
    "ConfigError",
    "Diagnostic",
    "Edit",
    "Effect",
    "Fault",
    "Finding",
    "Fix",
    "Fixed",
    "Given",
    "Position",
    "Related",
    "Report",
    "Saving",
    "Source",
    "Span",
    "__version__",
    "check",
    "fix",
]  # fmt: skip


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module `dfopt` has no attribute `{name}`")
    from importlib import import_module

    value = getattr(import_module(f"dfopt.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
