"""Many runs as one table: fitted to a terminal, or in a pipe one whole line a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from thexp_pl.record.names import escaped
from thexp_pl.runs.columns import DEFAULT_COLUMNS, Cells
from thexp_pl.runs.row import RunRow

__all__ = ["print_rows"]

_MAX_CELL = 500
_LINES = 3  # of one run at a terminal
_FIXED = ("key", "status", "start", "duration")
_FROM = {"start": 120, "duration": 100}  # the width from which they are there; a key says the start
_SHARES = {"params": 3, "metrics": 3, "experiment": 2}  # of what the others leave
_MIN_WIDTH = 8
_GAP = "  "


def print_rows(rows: Sequence[RunRow], titles: Sequence[str] = ()) -> None:
    """Print one line a run.

    Args:
        rows: The runs.
        titles: The columns, see `thexp_pl.runs.columns`; by default the usual ones, of the
            parameters those that differ.

    Raises:
        QueryError: There is no such column.
    """
    cells = Cells(rows)
    columns = {title: cells.column(title) for title in titles or DEFAULT_COLUMNS}
    shown = {title: [_one_line(text) for text in texts] for title, texts in columns.items()}
    if sys.stdout.isatty():
        _print_fitted(shown, [row.status for row in rows], usual=not titles)
    else:
        sys.stdout.writelines(f"{line}\n" for line in _aligned(shown))


def _one_line(text: str) -> str:
    if len(text) > _MAX_CELL:
        text = f"{text[:_MAX_CELL]}…"
    return text if text.isprintable() else escaped(text)


def _aligned(columns: dict[str, list[str]]) -> Iterator[str]:
    """Give lines as long as they need to be; rich would take a minute for 100,000."""
    from rich.cells import cell_len

    padded = []
    for title, texts in columns.items():
        lengths = [len(one) if one.isascii() else cell_len(one) for one in (title, *texts)]
        width = max(lengths)
        lines = zip((_one_line(title), *texts), lengths, strict=True)
        padded.append([text + " " * (width - length) for text, length in lines])
    for cells in zip(*padded, strict=True):
        yield "  ".join(cells).rstrip()


def _print_fitted(columns: dict[str, list[str]], statuses: list[str], *, usual: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from thexp_pl.cli.output.tables import STYLES, console

    with console() as out:
        if usual:
            columns = {
                title: texts for title, texts in columns.items() if out.width >= _FROM.get(title, 0)
            }
        widths = _widths(columns, out.width)
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for title in columns:
            table.add_column(Text(_one_line(title)), no_wrap=True, min_width=widths[title])
        for position, status in enumerate(statuses):
            styles = {"status": STYLES.get(status, "")}
            table.add_row(
                *(
                    Text(_folded(texts[position], widths[title]), style=styles.get(title, ""))
                    for title, texts in columns.items()
                )
            )
        out.print(table)


def _widths(columns: dict[str, list[str]], total: int) -> dict[str, int]:
    """Share the width of a terminal: what is never folded gets what it needs, the rest shares."""
    from rich.cells import cell_len

    widths = {title: max(map(cell_len, (title, *texts))) for title, texts in columns.items()}
    folded = sorted((title for title in columns if title not in _FIXED), key=widths.__getitem__)
    left = total - len(_GAP) * len(columns)
    left -= sum(width for title, width in widths.items() if title in _FIXED)
    shares = sum(_SHARES.get(title, 1) for title in folded)
    for title in folded:  # the smallest first: what it leaves is for the others
        share = _SHARES.get(title, 1)
        room = max(left * share // shares, _MIN_WIDTH, min(len(title), 12))
        widths[title] = min(widths[title], room)
        left, shares = left - widths[title], shares - share
    return widths


def _folded(text: str, width: int) -> str:
    """Fold a text to a few lines: between its parts where it has some, else anywhere."""
    from rich.cells import cell_len, chop_cells

    if cell_len(text) <= width:
        return text
    parts = text.split(_GAP)
    if len(parts) == 1:
        lines = chop_cells(text, width)
        return "\n".join([*lines[: _LINES - 1], _cut("".join(lines[_LINES - 1 :]), width)])
    lines, last = [], ""
    for number, part in enumerate(parts):
        joined = f"{last}{_GAP}{part}" if last else _cut(part, width)
        if cell_len(joined) <= width:
            last = joined
            continue
        lines.append(last)
        if len(lines) == _LINES - 1 and cell_len(_GAP.join(parts[number:])) > width:
            return "\n".join([*lines, _cut(f"… {len(parts) - number} more", width)])
        last = _cut(part, width)
    return "\n".join([*lines, last])


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"
