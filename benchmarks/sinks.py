"""Open runs of trackers, each used by the calls that a user would make.

Run as ``python -m benchmarks.sinks NAME FOLDER`` by the interpreter that has the tracker, it opens
a run in the folder, and times the steps that it is asked for until its input ends; see `recorders`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.tracker_stores import mlflow_url

__all__ = [
    "AIM",
    "BOARD",
    "CSV_LOGGER",
    "DVCLIVE",
    "MLFLOW",
    "MLFLOW_LATER",
    "OPENINGS",
    "OURS",
    "RUN_LOGGER",
    "SACRED",
    "TENSORBOARD_LOGGER",
    "WRITER",
    "Opening",
]

OURS, RUN_LOGGER, BOARD = "Experiment.log_metrics", "RunLogger", "Board"
WRITER, TENSORBOARD_LOGGER = "SummaryWriter", "Lightning's TensorBoardLogger"
CSV_LOGGER = "Lightning's CSVLogger"
MLFLOW, MLFLOW_LATER = "mlflow.log_metrics", "mlflow.log_metrics, asynchronous"
AIM, SACRED, DVCLIVE = "aim.Run.track", "sacred log_scalar", "dvclive"
NAMES = ("loss", "acc", "val/loss", "val/acc", "lr", "grad_norm", "seconds", "memory", "top5", "f1")

Values = Mapping[str, float]


class Sink(NamedTuple):
    """An open run: how a step's values are given to it, and how what waits is brought to disk."""

    log: Callable[[int, Values], object]
    flush: Callable[[], object] = lambda: None


Use = Callable[[Sink], None]


def _our_experiment(folder: Path, use: Use) -> None:
    from thexp_pl import Experiment

    with Experiment(folder, "a", code=False, console=False) as run:
        use(Sink(lambda step, values: run.log_metrics(step, 0, values), run.flush))


def _our_logger(folder: Path, use: Use) -> None:
    from thexp_pl import RunLogger

    logger = RunLogger(folder, "a", code=False, console=False)
    board = logger.board
    assert board is not None

    def flush() -> None:
        logger.experiment.flush()
        board.flush()

    use(Sink(lambda step, values: logger.log_metrics(values, step), flush))
    logger.experiment.end_exp()


def _our_board(folder: Path, use: Use) -> None:
    from thexp_pl.loggers.board import Board

    board = Board(folder, print)
    use(Sink(board.add_scalars, board.flush))
    board.close()


def _summary_writer(folder: Path, use: Use) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def log(step: int, values: Values) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    use(Sink(log, writer.flush))
    writer.close()


def _tensorboard_logger(folder: Path, use: Use) -> None:
    from pytorch_lightning.loggers import TensorBoardLogger

    logger = TensorBoardLogger(folder)
    use(Sink(lambda step, values: logger.log_metrics(values, step), logger.experiment.flush))
    logger.finalize("success")


def _csv_logger(folder: Path, use: Use) -> None:
    from pytorch_lightning.loggers import CSVLogger

    logger = CSVLogger(folder)
    use(Sink(lambda step, values: logger.log_metrics(dict(values), step), logger.save))
    logger.finalize("success")


def _mlflow(folder: Path, use: Use, synchronous: bool = True) -> None:
    import mlflow

    def log(step: int, values: Values) -> None:
        mlflow.log_metrics(values, step=step, synchronous=synchronous)

    mlflow.set_tracking_uri(mlflow_url(folder))
    with mlflow.start_run():
        use(Sink(log, mlflow.flush_async_logging))


def _aim(folder: Path, use: Use) -> None:
    import aim

    # what it measures of the machine by itself is no part of the question
    run = aim.Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
    use(Sink(lambda step, values: run.track(values, step=step)))
    run.close()


def _sacred(folder: Path, use: Use) -> None:
    import sacred
    from sacred.observers import FileStorageObserver

    experiment = sacred.Experiment("a", save_git_info=False)
    experiment.observers.append(FileStorageObserver(folder))

    @experiment.main
    def train(_run: sacred.run.Run) -> None:
        def log(step: int, values: Values) -> None:
            for name, value in values.items():
                _run.log_scalar(name, value, step)

        # it writes at its heartbeat, which has no public name: here only when it is asked for
        use(Sink(log, _run._emit_heartbeat))

    experiment.run(options={"--beat-interval": 0})


def _dvclive(folder: Path, use: Use) -> None:
    import dvclive

    with dvclive.Live(str(folder / "dvclive"), save_dvc_exp=False) as live:

        def log(step: int, values: Values) -> None:
            for name, value in values.items():
                live.log_metric(name, value)
            live.next_step()

        use(Sink(log))


class Opening(NamedTuple):
    """How a tracker opens a run."""

    run: Callable[[Path, Use], None]
    package: str
    is_apart: bool = False  # in the trackers' own environment


OPENINGS = {
    OURS: Opening(_our_experiment, "thexp_pl"),
    RUN_LOGGER: Opening(_our_logger, "thexp_pl"),
    BOARD: Opening(_our_board, "thexp_pl"),
    WRITER: Opening(_summary_writer, "tensorboard"),
    TENSORBOARD_LOGGER: Opening(_tensorboard_logger, "tensorboard"),
    CSV_LOGGER: Opening(_csv_logger, "pytorch_lightning"),
    MLFLOW: Opening(_mlflow, "mlflow", True),
    MLFLOW_LATER: Opening(partial(_mlflow, synchronous=False), "mlflow", True),
    AIM: Opening(_aim, "aim", True),
    SACRED: Opening(_sacred, "sacred", True),
    DVCLIVE: Opening(_dvclive, "dvclive", True),
}


class _Steps:
    """Records steps into a sink, one after another, each with values of its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._step = 0

    def seconds(self, steps: int, values: int, flushed: bool, least: float) -> float:
        """Time steps; see `benchmarks.recorders.Recorder.seconds`."""
        names = [*NAMES, *(f"value{index}" for index in range(values))][:values]
        drawn = [{name: random.random() * 3 for name in names} for _ in range(steps)]
        taken: list[float] = []
        begin = time.perf_counter()
        while not taken or time.perf_counter() - begin < least:
            start = time.perf_counter()
            for index, each in enumerate(drawn, self._step):
                self._sink.log(index, each)
            if flushed:
                self._sink.flush()
            taken.append(time.perf_counter() - start)
            self._step += steps
            self._sink.flush()  # the next ones find nothing that waits
        warm = taken[1:] or taken  # the process has waited for its turn
        return sum(warm) / len(warm) / steps


def _main(name: str, folder: Path) -> None:
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)  # what a tracker prints is no answer

        def answer(sink: Sink) -> None:
            print("open", file=answers)
            steps = _Steps(sink)
            for line in sys.stdin:
                print(steps.seconds(**json.loads(line)), file=answers)

        if importlib.util.find_spec(OPENINGS[name].package) is None:
            print("absent", file=answers)
        else:
            OPENINGS[name].run(folder, answer)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
