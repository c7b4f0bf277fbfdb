"""The peak memory of a piece of work, in a process of its own.

Run as ``python -m benchmarks.memory CASE [ARGUMENT ...]``, also by another environment's
interpreter; prints the megabytes that were resident at most. Each piece imports what it needs, so
that no other has it in its memory.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["CASES", "peak"]


def nothing() -> None:
    """Only start."""


def load(name: str) -> None:
    """Import a module."""
    __import__(name)


def fit(kind: str, steps: str) -> None:
    """Train a small model by one of the loops that are compared."""
    from benchmarks import loops

    task = loops.Task(steps=int(steps) - 1, warm_up=0, depth=1, width=8, rows=8)
    with loops.own_home() as root:
        if kind == "facade":
            loops.facade(task, root)
        else:
            everything = kind == "everything"
            loops.with_callbacks(task, root if everything else None, everything=everything)


def fit_by_thexp(steps: str) -> None:
    """Train the same by thexp's own epoch: Lightning, which `fit` imports, is no part of it."""
    import torch

    from benchmarks.bench_meter import thexp_frame

    frame = thexp_frame([])
    layer = torch.nn.Linear(8, 8)
    optim = torch.optim.SGD(layer.parameters(), lr=0.01, momentum=0.9)

    def train_batch(trainer: Any, eidx: int, idx: int, step: int, batch: Any, *_: Any) -> Any:
        meter = frame.Meter()
        loss = layer(batch).square().mean()
        loss.backward()
        optim.step()
        optim.zero_grad()
        for index in range(10):
            setattr(meter, f"value{index}", loss.detach())
        return meter

    params = frame.Params()
    params.device = "cpu"
    trainer = type("Case", (frame.Trainer,), {"train_batch": train_batch})(params)
    batches: Any = [torch.randn(8, 8)] * int(steps)
    trainer.regist_train_databundler(torch.utils.data.DataLoader(batches, batch_size=None))
    trainer.train_epoch(1, params)


def command(*words: str) -> None:
    """Carry out a command of ``thexp-pl``."""
    import contextlib
    import os
    from pathlib import Path

    from thexp_pl.cli.main import main

    with Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
        code = main(words)
    if code:
        sys.exit(code)


def to_pandas() -> None:
    """Bring all runs to pandas."""
    from thexp_pl import ExperimentViewer

    ExperimentViewer().to_pandas()


def search(url: str) -> None:
    """Bring all runs of an MLflow store to pandas."""
    import mlflow

    mlflow.set_tracking_uri(url)
    mlflow.search_runs(experiment_ids=["0"])


def frame_of_aim(folder: str, runs: str) -> None:
    """Bring all runs of an Aim repository to pandas."""
    from benchmarks.tracker_stores import Aim

    Aim().frame(folder, int(runs))


def record(name: str, steps: str, folder: str) -> None:
    """Record ten values a step by one of the trackers that are compared."""
    from pathlib import Path

    from benchmarks.sinks import NAMES, OPENINGS, Sink

    def use(sink: Sink) -> None:
        for step in range(int(steps)):
            sink.log(step, dict.fromkeys(NAMES, 1 / (step + 1)))
        sink.flush()

    OPENINGS[name].run(Path(folder), use)


def go_on(who: str, items: str) -> None:
    """Go on at the end of a long epoch by one of the loaders that are compared."""
    from benchmarks.bench_loader import resumed_by

    resumed_by(who, int(items)).seconds()


def keep(project: str, root: str) -> None:
    """Keep the code of a project."""
    from pathlib import Path

    from thexp_pl.record.code import take_snapshot

    take_snapshot(Path(project), Path(root))


def read(way: str, path: str) -> None:
    """Read the metrics of a run by one of the ways that are compared."""
    from pathlib import Path

    if way == "pandas":
        import pandas

        pandas.read_csv(path)
    else:
        from thexp_pl.record import read_metrics

        read_metrics(Path(path))


def save(way: str, megabytes: str, folder: str) -> None:
    """Save a state some times, as fast as the way takes them."""
    from pathlib import Path

    from benchmarks.saving import WAYS, state_of

    save_one, wait = WAYS[way](Path(folder), state_of(int(megabytes)))
    for _ in range(3):  # one is written, one waits, and one wants to
        save_one()
    wait()


def peak() -> float:
    """Give the megabytes that were resident at most in this process."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - nothing more is imported
            line = next(line for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:  # macOS
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(line.split()[1]) * 1024 / 1e6


_RUNS = (command, to_pandas, search, frame_of_aim)
_WORK = (load, fit, fit_by_thexp, record, go_on, keep, read, save)
CASES = {each.__name__: each for each in (nothing, *_RUNS, *_WORK)}

if __name__ == "__main__":
    CASES[sys.argv[1]](*sys.argv[2:])
    print(peak())
