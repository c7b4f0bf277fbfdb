"""A store of runs as different as runs can be, and plain Python that says which of them are meant.

`means` walks over the same text as the query language does, and shares no code with it.
"""

from __future__ import annotations

import ast
import itertools
import json
import math
import operator
import random
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from thexp_pl.record import Experiment
from thexp_pl.runs import RunRow
from thexp_pl.runs.flat import flat

NUMBERS: list[Any] = [0, 1, -1, 0.1, 1e-3, 3, 64, 1e300, 2**63, -0.5]
TEXTS = ["", "adam", "sgd", "Adam", "手写", "a\x00b", "x'; DROP TABLE runs;--", "0.1", "a" * 300]
SPOKEN = [text for text in TEXTS if "\0" not in text]  # where SQLite's JSON ends a text
VALUES = [*NUMBERS, *TEXTS, True, False, None, [], [64, 64], ["adam", 1, True, None], [0.9, 0.999]]
PARAMS = ["lr", "optim.name", "odd name", "amp", 'q"uote', "val/acc"]
METRICS = ["loss", "val/acc", "val.acc", "odd name"]
AGGREGATES = ["last", "min", "max", "mean", "count", "nonfinite"]
STATUSES = ["finished", "failed", "interrupted"]
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_WORDS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
          ast.Is: "==", ast.IsNot: "!=", ast.In: "in", ast.NotIn: "not in"}  # fmt: skip


def make_store(root: Path, count: int = 60, seed: int = 0) -> None:
    """Record a run, and beside it copies that say something else of themselves."""
    chance = random.Random(seed)
    with Experiment(root, "first", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
    kept = json.loads(exp.paths.manifest.read_text())
    kept["packages"] = {"numpy": "2.0"}
    for number in range(count):
        key = f"26-01-{number % 28 + 1:02}-0611{number % 60:02}-q{number:03}"
        name = chance.choice(["mnist", "mnist_lr=0.1", "手写"])
        folder = root / name / key
        folder.mkdir(parents=True)
        start = datetime(2026, 1, number % 28 + 1, 6, 11, number % 60, tzinfo=timezone.utc)
        changes = {
            "key": key, "experiment": name, "path": f"{name}/{key}", "start": start.isoformat(),
            "seconds": chance.choice([0.5, 90, 7200.0]), "status": chance.choice(STATUSES),
            "params": _nested({one: chance.choice(VALUES) for one in _some(chance, PARAMS)}),
            "metrics": {one: _summary(chance) for one in _some(chance, METRICS)},
            "command": chance.choice(TEXTS), "parent": chance.choice([None, {"key": exp.key}]),
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(kept | changes))
        notes = [
            {"time": "2026-01-01T00:00:00+00:00", "text": one} for one in _some(chance, SPOKEN)
        ]
        tags = {"schema": 1, "tags": _some(chance, ["paper", "手写", "a'b"]), "notes": notes}
        (folder / "notes.json").write_text(json.dumps(tags))


def _some(chance: random.Random, among: list[Any]) -> list[Any]:
    return chance.sample(among, chance.randint(0, len(among)))


def _nested(params: dict[str, Any]) -> dict[str, Any]:
    if "optim.name" in params:
        params["optim"] = {"name": params.pop("optim.name")}
    return params


def _summary(chance: random.Random) -> dict[str, Any]:
    numbers = [0.0, 1.0, 0.5, -3.25, 1e300]
    cell = {one: chance.choice([*numbers, "NaN"]) for one in ("min", "max", "mean")}
    cell["last"] = chance.choice([*numbers, "NaN", "Infinity", "-Infinity"])
    return cell | {"count": chance.randint(1, 9), "nonfinite": chance.choice([0, 1])}


def means(query: str, row: RunRow) -> bool:
    """Say whether a query means a run."""
    return _true(ast.parse(query, mode="eval").body, row)


def _true(node: ast.expr, row: RunRow) -> bool:
    if isinstance(node, ast.BoolOp):
        return (all if isinstance(node.op, ast.And) else any)(
            _true(one, row) for one in node.values
        )
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _true(node.operand, row)
    if isinstance(node, ast.Call):
        return _call(node, row)
    if isinstance(node, ast.Compare):
        sides = itertools.pairwise([node.left, *node.comparators])
        return all(
            _compare(one, _WORDS[type(word)], other, row)
            for (one, other), word in zip(sides, node.ops, strict=True)
        )
    return bool(_side(node, row))


def _call(node: ast.Call, row: RunRow) -> bool:
    if isinstance(node.func, ast.Attribute):
        text = _side(node.func.value, row)
        return isinstance(text, str) and getattr(text, node.func.attr)(_side(node.args[0], row))
    name, pattern = (_side(argument, row) for argument in node.args)
    texts = name if isinstance(name, tuple) else [name]
    return any(isinstance(text, str) and re.search(pattern, text) for text in texts)


def _compare(left: ast.expr, word: str, right: ast.expr, row: RunRow) -> bool:
    nothing = [isinstance(one, ast.Constant) and one.value is None for one in (left, right)]
    one, other = _side(left, row), _side(right, row)
    if any(nothing):
        value = other if nothing[0] else one
        column = not _is_param(right if nothing[0] else left)
        absent = value is None or (column and value in ("", ()))
        return absent == (word == "==")
    if word in ("in", "not in"):
        return _within(one, other, right, word == "in")
    if one is None or other is None:
        return False
    if word in ("==", "!="):
        return _equal(one, other) == (word == "==")
    kinds = {_kind(one), _kind(other)}
    return kinds in ({"number"}, {"text"}) and bool(_ORDER[word](one, other))


def _within(one: Any, other: Any, right: ast.expr, positive: bool) -> bool:
    if isinstance(right, ast.List):  # of values
        if one is None:
            return (None in other) if positive else False
        return any(_equal(one, value) for value in other if value is not None) == positive
    if other is None:
        return False
    if isinstance(right, ast.Name) and right.id == "notes":
        return any(one in note for note in other) == positive
    if isinstance(other, str):
        return (isinstance(one, str) and one in other) == positive
    members = other if isinstance(other, list | tuple) else ()
    return any(_equal(one, value) for value in members if value is not None) == positive


def _equal(one: Any, other: Any) -> bool:
    if _kind(one) != _kind(other):
        return False
    if isinstance(one, list):
        return json.dumps(one) == json.dumps(other)
    return bool(float(one) == float(other) if _kind(one) == "number" else one == other)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return (
        "number" if isinstance(value, int | float) else type(value).__name__.replace("str", "text")
    )


def _is_param(node: ast.expr) -> bool:
    while not isinstance(node, ast.Name):
        node = node.value  # type: ignore[attr-defined]
    return node.id in ("params", "metrics")


def _side(node: ast.expr, row: RunRow) -> Any:
    if isinstance(node, ast.List):
        return [_side(one, row) for one in node.elts]
    if isinstance(node, ast.UnaryOp):
        return -_side(node.operand, row)
    parts: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute | ast.Subscript):
        parts.insert(0, inner.attr if isinstance(inner, ast.Attribute) else inner.slice.value)  # type: ignore[attr-defined]
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return ast.literal_eval(node)
    if inner.id == "inf":
        return math.inf
    if inner.id == "params":
        return flat(row.params).get(".".join(parts))
    if inner.id == "metrics":
        aggregate = "last"
        if isinstance(node, ast.Attribute) and node.attr in AGGREGATES and len(parts) > 1:
            aggregate = parts.pop()
        return row.metrics.get(".".join(parts), {}).get(aggregate)
    value = getattr(row, inner.id)
    return str(value) if inner.id == "root" else value
