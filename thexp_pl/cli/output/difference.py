"""The difference of two runs for people: tables by category, and hunks in colour.

What comes from a run is shown, never obeyed: control characters are escaped, in hunks too.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thexp_pl.cli.commands.common import put
from thexp_pl.cli.output.tables import STYLES, cell, console, grid
from thexp_pl.compare.diff import Change, Difference, FileChange, FileState
from thexp_pl.compare.values import MISSING
from thexp_pl.record.names import escaped
from thexp_pl.runs.run import Run
from thexp_pl.runs.words import start_text

__all__ = ["entries", "print_difference", "told"]

_MAX_HUNK_LINES = 200  # at a terminal
_MAX_FILES = 50
_MAX_NAMES = 8
_BAR = 40
_ROOM = 500  # letters of a value in a pipe
_NARROWEST = 16
_GAPS = 4  # letters between three columns
_HASH_LETTERS = 12
_HUNK_STYLES = {"+": "green", "-": "red", "@": "cyan", " ": "", "\\": "dim"}


def print_difference(difference: Difference, *, is_stat: bool, is_whole: bool) -> None:
    """Print what differs between two runs.

    Args:
        difference: What differs.
        is_stat: Print a summary, a line a category.
        is_whole: Print all hunks also where a terminal would overflow.
    """
    with console() as out:
        out.print(_heading(difference.a, difference.b))
        if is_stat:
            _print_stat(out, difference)
        for name in () if is_stat else difference.categories:
            out.print()
            out.print(name, style="bold underline")
            if name == "code":
                _print_code(out, difference, is_whole)
            else:
                _print_changes(out, difference, name)
    _print_end(difference)


def entries(difference: Difference) -> Iterator[tuple[str, Change]]:
    """Go through all that differs, as pairs of values.

    Args:
        difference: What differs.

    Yields:
        The category, and the change; of a file ``<mode> <hash>``, of histories that part the step
        and the value.
    """
    for name in difference.categories:
        if name == "code":
            code = difference.code
            changes = [*map(_of_file, code.files), *code.git]
        elif name == "metrics":
            changes = [*difference.metrics.summary, *_of_parting(difference)]
        else:
            changes = getattr(difference, name)
        yield from ((name, change) for change in changes)


def told(value: Any) -> str:
    """Give a value as it is shown: a text as it stands, all else as JSON.

    Args:
        value: A JSON value, or `MISSING`.

    Returns:
        The text, not escaped.
    """
    if value is MISSING:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _heading(a: Run, b: Run) -> Table:
    table = grid(5)
    for name, run in (("a", a), ("b", b)):
        texts = (run.key, run.paths.experiment, start_text(run.started))
        table.add_row(
            cell(name, "bold"), *map(cell, texts), cell(run.status, STYLES.get(run.status, ""))
        )
    return table


def _print_changes(out: Console, difference: Difference, name: str) -> None:
    found = [change for category, change in entries(difference) if category == name]
    out.print(_table(out, name, found))


def _table(out: Console, category: str, changes: Sequence[Change]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    room = max((out.width - _GAPS) // 3, _NARROWEST) if sys.stdout.isatty() else _ROOM
    longest = max([cell(change.name).cell_len for change in changes], default=0)
    table.add_column("", overflow="fold", min_width=min(longest, room))
    for title in ("a", "b"):
        table.add_column(title, overflow="ellipsis", no_wrap=True, max_width=room)
    for change in changes:
        table.add_row(cell(change.name), *map(cell, _pair(category, change, room)))
    return table


def _pair(category: str, change: Change, room: int) -> tuple[str, str]:
    """Give both values so that they look different, also where they are cut."""
    sides = (change.a, change.b)
    a, b = (escaped(_shown(category, value)) for value in sides)
    if a == b:  # 1 and "1"
        a, b = (told(x) if x is MISSING else escaped(json.dumps(x)) for x in sides)
    if max(cell_len(a), cell_len(b)) <= room:
        return a, b
    shorter = min(len(a), len(b))
    alike = start = next((place for place in range(shorter) if a[place] != b[place]), shorter)
    while start and cell_len(a[start - 1 : alike]) < room // 2:
        start -= 1
    return (f"…{a[start:]}", f"…{b[start:]}") if start else (a, b)


def _shown(category: str, value: Any) -> str:
    if category == "command" and isinstance(value, list):
        return shlex.join(value)
    if category == "data" and isinstance(value, dict):
        return _content(value)
    if category == "random" and isinstance(value, str):
        return value[:_HASH_LETTERS]
    return told(value)


def _content(used: dict[str, Any]) -> str:
    size, digest = used.get("bytes"), used.get("sha256")
    words = [f"{size:,} bytes"] if isinstance(size, int) else []
    if used.get("files") is not None:
        words.append(f"{told(used['files'])} files")
    words.append(str(digest)[:_HASH_LETTERS] if digest else told(used.get("state")))
    return ", ".join(words)


def _print_code(out: Console, difference: Difference, is_whole: bool) -> None:
    code = difference.code
    if code.git:
        out.print(_table(out, "code", code.git))
    _print_files(out, code.files)
    lines = code.patch.split(b"\n")[:-1]
    if lines:
        out.print()
    shown = lines if is_whole or not sys.stdout.isatty() else lines[:_MAX_HUNK_LINES]
    is_header = False
    for line in shown:
        text = line.decode("utf-8", "backslashreplace")
        is_header = text.startswith("diff --git ") or (is_header and text[:1] != "@")
        style = "bold" if is_header else _HUNK_STYLES.get(text[:1], "bold")
        out.print(Text(escaped(text.expandtabs()), style), soft_wrap=True)
    if len(shown) < len(lines):
        keys = f"{difference.a.key} {difference.b.key}"
        rest = len(lines) - len(shown)
        out.print(f"... {rest:,} more lines: `thexp-pl diff {keys} --code` shows all", style="bold")


def _print_files(out: Console, files: Sequence[FileChange]) -> None:
    """Print one line a file, as ``git diff --stat`` does."""
    table = grid(4)
    most = max([(f.added or 0) + (f.removed or 0) for f in files], default=0)
    shown = files if not sys.stdout.isatty() else files[:_MAX_FILES]
    for file in shown:
        count = "binary" if file.is_binary else ""
        if file.added is not None and file.removed is not None:
            count = str(file.added + file.removed)
        table.add_row(cell(file.how), cell(file.name), cell(count), _bar(file, most))
    if files:
        out.print(table)
        if len(shown) < len(files):
            out.print(f"... {len(files) - len(shown):,} more files")
        out.print(_sum(files))


def _bar(file: FileChange, most: int) -> Text:
    scale = min(1.0, _BAR / most) if most else 1.0
    signs = Text()
    for sign, count, style in (("+", file.added, "green"), ("-", file.removed, "red")):
        signs.append(sign * (max(1, round(count * scale)) if count else 0), style)
    return signs


def _sum(files: Sequence[FileChange]) -> str:
    added, removed = sum(f.added or 0 for f in files), sum(f.removed or 0 for f in files)
    words = [f"{len(files):,} file{'' if len(files) == 1 else 's'} changed"]
    for count, noun, sign in ((added, "insertion", "+"), (removed, "deletion", "-")):
        if count:
            words.append(f"{count:,} {noun}{'' if count == 1 else 's'}({sign})")
    return ", ".join(words)


def _print_stat(out: Console, difference: Difference) -> None:
    table = grid()
    for name in difference.categories:
        names = [change.name for category, change in entries(difference) if category == name]
        some = ", ".join(names[:_MAX_NAMES])
        rest = f", ... ({len(names)})" if len(names) > _MAX_NAMES else ""
        text = _sum(difference.code.files) if name == "code" else f"{some}{rest}"
        table.add_row(cell(name, "bold"), cell(text))
    if difference:
        out.print(table)
    if difference.code.files:
        out.print()
        _print_files(out, difference.code.files)


def _print_end(difference: Difference) -> None:
    agree = "the metrics agree bit for bit" if difference.metrics.agree else ""
    if not difference:
        agree = f"; {agree}" if agree else ""
        put(f"\nNothing differs{agree}.")
    elif agree:
        put(f"\n{agree.capitalize()}.")
    for remark in difference.remarks:
        put(f"note: {escaped(remark)}")


def _of_file(file: FileChange) -> Change:
    def state(side: FileState | None) -> Any:
        return MISSING if side is None else f"{side.mode} {side.sha1}"

    return Change(file.name, state(file.a), state(file.b))


def _of_parting(difference: Difference) -> Iterator[Change]:
    first = difference.metrics.first
    if first is not None:
        step = "a value without a step" if first.step is None else f"step {first.step}"
        yield Change(f"{first.name}: the histories part at {step}", first.a, first.b)
