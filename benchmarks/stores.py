"""Experiment roots with many runs, such as years of work leave, made quickly.

``python -m benchmarks.stores FOLDER RUNS [POINTS]`` makes one, with curves of POINTS points each.
"""

from __future__ import annotations

import json
import math
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from thexp_pl.jsonable import to_jsonable
from thexp_pl.record.manifest import SCHEMA
from thexp_pl.record.metrics import MetricsWriter
from thexp_pl.record.process import process_identity
from thexp_pl.record.roots import register_root

_EXPERIMENTS = 40
_PACKAGES = 100
_FIRST = datetime(2024, 1, 1, tzinfo=timezone.utc)
_METRICS = ("loss", "acc", "val/loss", "val/acc", "grad_norm", "lr", "f1", "ece", "auc", "seconds")
_PARAMS = ("optim.lr", "optim.momentum", "optim.name", "optim.weight_decay", "model.depth",
           "model.width", "model.dropout", "data.batch_size", "data.augment", "data.name", "seed",
           "epoch")  # fmt: skip


def make_store(
    folder: Path,
    runs: int,
    *,
    metrics: int = 10,
    params: int = 12,
    seed: int = 0,
    points: int = 0,
) -> Path:
    """Make an experiment root, and make it known to the user's home.

    Args:
        folder: The root.
        runs: How many runs it has, in 40 experiments.
        metrics: How many metrics a run has.
        params: How many parameters a run has.
        seed: Of all that is drawn; the same store comes of the same numbers.
        points: How many values each metric has in the run's metrics.csv; by default there is none.

    Returns:
        The root.
    """
    folder.mkdir(parents=True)
    register_root(folder)
    draw = random.Random(seed)
    constant = _constant_part()
    for experiment in range(_EXPERIMENTS):
        (folder / f"mnist_depth={experiment}").mkdir()
    for number in range(runs):
        start = _FIRST + timedelta(seconds=600 * number + draw.random())
        key = f"{start:%y-%m-%d-%H%M%S}-{number % 1679616:04x}"[:20]
        experiment = f"mnist_depth={draw.randrange(_EXPERIMENTS)}"
        run = folder / experiment / key
        run.mkdir()
        own = _own_part(draw, experiment, key, start, metrics, params)
        if points:
            own["metrics"] = _curves(draw, run / "metrics.csv", list(own["metrics"]), points)
        text = f"{json.dumps(own, indent=2)[:-2]},\n{constant}\n}}\n"
        (run / "run.json").write_text(text, "utf-8")
        if number % 20 == 0:
            (run / "notes.json").write_text(_notes(number, start), "utf-8")
    return folder


def _own_part(
    draw: random.Random, experiment: str, key: str, start: datetime, metrics: int, params: int
) -> dict[str, Any]:
    seconds = round(draw.expovariate(1 / 600), 3)
    status = draw.choices(("finished", "failed", "interrupted"), (90, 7, 3))[0]
    return {
        "schema": SCHEMA,
        "key": key,
        "experiment": experiment,
        "path": f"{experiment}/{key}",
        "argv": ["train.py", "--optim.lr=0.1"],
        "command": "python train.py --optim.lr=0.1",
        "cwd": "..",
        "start": start.isoformat(timespec="milliseconds"),
        "end": (start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
        "seconds": seconds,
        "status": status,
        "cause": None if status == "finished" else {"type": "KeyError", "message": "'x'"},
        "params": _params(draw, params),
        "metrics": {_named(_METRICS, i): _metric(draw) for i in range(metrics)},
    }


def _params(draw: random.Random, count: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for index in range(count):
        group, _, name = _named(_PARAMS, index).rpartition(".")
        value: Any = round(10 ** draw.uniform(-4, 0), 6)
        if name == "name":
            value = draw.choice(("SGD", "Adam", "AdamW"))
        elif name == "seed":
            value = draw.randrange(5)
        (result.setdefault(group, {}) if group else result)[name] = value
    return result


def _metric(draw: random.Random) -> dict[str, Any]:
    low, high = sorted((draw.random(), draw.random()))
    return {
        "last": draw.uniform(low, high),
        "min": low,
        "max": high,
        "mean": (low + high) / 2,
        "count": draw.randrange(1, 5000),
        "nonfinite": 0,
    }


def _curves(draw: random.Random, file: Path, names: list[str], points: int) -> dict[str, Any]:
    """Write curves that fall, with noise, a spike now and then and a gap; give their summary."""
    writer = MetricsWriter(file)
    speeds = [draw.uniform(2, 20) / points for _ in names]
    for step in range(points):
        values = {
            name: math.exp(-speed * step) + draw.gauss(0, 0.02)
            for name, speed in zip(names, speeds, strict=True)
        }
        if draw.random() < 0.001:
            values[draw.choice(names)] = draw.choice((5.0, math.nan))
        writer.write(step, step // 1_000, values)
    writer.close()
    summary: dict[str, Any] = to_jsonable(writer.summary.to_dict())
    return summary


def _named(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else f"{names[index % len(names)]}_{index}"


def _constant_part() -> str:
    """Give what is the same in every run of one machine, as the end of an indented object."""
    packages = {
        f"package-number-{index}": f"{index % 9}.{index % 13}.1" for index in range(_PACKAGES)
    }
    listed = [
        {"path": f"data/part-{index}.bin", "why": "it is data by its name"} for index in range(60)
    ]
    facts = {
        "process": process_identity(),
        "python": "3.11.9",
        "platform": {"system": "Linux", "release": "6.1.0", "machine": "x86_64"},
        "cpu": {"model": "a processor", "cores": 16, "memory": 64 << 30},
        "gpus": [{"name": "a GPU", "memory": 80 << 30, "driver": "550.1"}] * 2,
        "environment": {f"CUDA_VARIABLE_{index}": str(index) for index in range(10)},
        "packages": packages,
        "editable": {},
        "git": {"commit": "c0ffee" * 6 + "beef", "branch": "main", "dirty": True, "remote": None},
        "code": {"how": "git", "tree": "ab" * 20, "commit": "cd" * 20, "project": "..",
                 "entry": "train.py", "files": 120, "left_out": listed, "left_out_count": 60},
        "seeds": {"PL_GLOBAL_SEED": 0},
        "random_states": {"file": "rnd/start.rnd"},
        "uses": [{"path": "data/train.csv", "bytes": 1 << 30, "sha256": "e" * 64}],
        "parent": None,
        "world_size": 1,
    }  # fmt: skip
    return json.dumps(facts, indent=2)[2:-2]


def _notes(number: int, start: datetime) -> str:
    notes = [{"time": start.isoformat(), "text": f"looked at, number {number}"}]
    return json.dumps({"schema": 1, "tags": ["baseline", f"sweep-{number % 7}"], "notes": notes})


if __name__ == "__main__":
    make_store(Path(sys.argv[1]), int(sys.argv[2]), points=int((*sys.argv, 0)[3]))
