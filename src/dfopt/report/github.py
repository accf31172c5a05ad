"""The form for GitHub Actions: one workflow command a finding, shown at its line of the pull request."""

from collections.abc import Iterator

from dfopt.report import Outcome, Results, Run, place, sound

LEVEL = {"error": "error", "warning": "warning", "info": "notice"}


def render(results: Results, run: Run) -> Iterator[str]:
    """One line a finding, and one for each file that could not be done."""
    for result in results:
        if not isinstance(result, Outcome):
            where = f"file={escape_property(result.path)}," if result.path else ""
            yield f"::error {where}title=dfopt::{escape(result.message)}\n"
            continue
        source = result.report.source
        for item in result.report.diagnostics:
            start, end = place(source, item.span.start), place(source, item.span.end)
            if end.column == 1 and end.line > start.line:  # the line end before belongs to the span, this line does not
                end = place(source, item.span.end - 1)
            properties = [f"file={escape_property(result.path)}", f"line={start.line}", f"endLine={end.line}"]
            if start.line == end.line:  # columns are for one line only
                properties += [f"col={start.column}", f"endColumn={max(end.column, start.column)}"]
            properties.append(f"title={escape_property(f'{item.code} {item.name}')}")
            yield f"::{LEVEL.get(item.severity, 'notice')} {','.join(properties)}::{escape(item.message)}\n"


def escape(text: str) -> str:
    """The text of a workflow command's message."""
    return sound(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """The text of a workflow command's property."""
    return escape(text).replace(":", "%3A").replace(",", "%2C")
