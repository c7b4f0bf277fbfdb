"""What differs between a run and its parent, as a page shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from thexp_pl.compare.diff import CodeDifference, Difference, diff_runs
from thexp_pl.compare.diff.change import Change
from thexp_pl.compare.values import MISSING
from thexp_pl.errors import RecordError
from thexp_pl.record.names import cut
from thexp_pl.report.page.coloured import patch_html
from thexp_pl.runs.facts import text_of
from thexp_pl.runs.run import Run

__all__ = ["difference_data"]

_TITLES = {"random": "random states"}
_PATCH_BYTES = 200_000  # in all
_FILE_START = re.compile(rb"^(?=diff --git )", re.MULTILINE)
_NO_VALUE = "-"
_THIS = "this run"
_LETTERS = 2_000  # of a value


def difference_data(run: Run, parent: Run | None, *, code: bool) -> dict[str, Any] | None:
    """Tell what differs between a run and the one it came from.

    Args:
        run: The run.
        parent: The run it came from; None where that is not there.
        code: Show patches.

    Returns:
        None for a run that began anew; else ``key`` of the parent, ``categories`` that differ,
        ``sections`` (of each ``category``, ``title``, ``heads`` of the columns and ``rows`` of as
        many texts: a name, and what it is in the parent and in the run), ``patches`` (of each file
        ``path``, ``state`` and ``html``) and ``remarks``.

    Raises:
        UsageError: There is no Pygments for the patches.
    """
    told = run.manifest.get("parent") or {}
    if parent is None and not told.get("key"):
        return None
    key = parent.key if parent else str(told["key"])
    if parent is None:
        return _said(key, f"the run {key} is not there any more, so what differs cannot be told")
    try:
        found = diff_runs(parent, run)
    except RecordError as error:  # one of the two is damaged
        return _said(key, str(error))
    patches, cut_off = _patches(found.code) if code else ([], [])
    return {
        "key": key,
        "categories": list(found.categories),
        "sections": [part for name in found.categories for part in _sections(found, name, key)],
        "patches": patches,
        "remarks": [*found.remarks, *cut_off],
    }


def _said(key: str, remark: str) -> dict[str, Any]:
    return {"key": key, "categories": [], "sections": [], "patches": [], "remarks": [remark]}


def _sections(found: Difference, name: str, parent: str) -> Iterator[dict[str, Any]]:
    title = _TITLES.get(name, name)
    rows = [_cells(change) for change in _rows(found, name)]
    if rows or name != "code":
        yield {"category": name, "title": title, "heads": ["name", parent, _THIS], "rows": rows}
    if name == "code" and (files := found.code.files):
        told = [[cut(f.name, _LETTERS), f.how, _counts(f.added, f.removed)] for f in files]
        yield {"category": name, "title": title, "heads": ["file", "how", "lines"], "rows": told}


def _rows(found: Difference, category: str) -> Iterator[Change]:
    if category == "code":
        yield from found.code.git
    elif category == "metrics":
        yield from found.metrics.summary
        first = found.metrics.first
        if first is not None:
            step = "a value without a step" if first.step is None else f"step {first.step}"
            yield Change(f"{first.name}: the histories part at {step}", first.a, first.b)
    else:
        yield from getattr(found, category)


def _cells(change: Change) -> list[str]:
    sides = (change.a, change.b)
    texts = [_NO_VALUE if side is MISSING else text_of(side) for side in sides]
    return [change.name, *(cut(text, _LETTERS) for text in texts)]


def _counts(added: int | None, removed: int | None) -> str:
    return "binary" if added is None or removed is None else f"+{added} -{removed}"


def _patches(code: CodeDifference) -> tuple[list[dict[str, Any]], list[str]]:
    """Give the patch of each file, as long as there is room."""
    parts = [part for part in _FILE_START.split(code.patch) if part]
    files = [file for file in code.files if not file.is_binary]
    if len(parts) != len(files):  # a file in place of a link has two
        return _told([("all files", "changed", code.patch)])
    return _told([(f.name, f.how, part) for f, part in zip(files, parts, strict=True)])


def _told(parts: list[tuple[str, str, bytes]]) -> tuple[list[dict[str, Any]], list[str]]:
    found, left, room = [], [], _PATCH_BYTES
    for path, state, part in parts:
        if len(part) > room:
            left.append(path)
            continue
        room -= len(part)
        text = part.decode("utf-8", "backslashreplace")
        found.append({"path": path, "state": state, "html": patch_html(text)})
    rest = f"a page holds {_PATCH_BYTES // 1000} kB of patches; without: {', '.join(left)}"
    return found, [rest] if left else []
