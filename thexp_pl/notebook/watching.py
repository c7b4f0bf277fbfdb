"""`watch`: the curves of a run in a cell, until the run has ended."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.notebook.cell import Cell, Pace
from thexp_pl.notebook.drawing import headed, panels
from thexp_pl.notebook.picture import picture
from thexp_pl.record import Experiment
from thexp_pl.record.metrics import read_history
from thexp_pl.record.names import shown
from thexp_pl.record.output import in_notebook
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.figures.tags import choose_tags
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.curves import Curve, curves_of, without_steps
from thexp_pl.runs.run import Run, read_run
from thexp_pl.runs.stamps import metrics_stamp
from thexp_pl.runs.words import duration_text

__all__ = ["watch"]

_GOING_ON = "running"
_PATIENCE = 5  # times as long as a look took is waited before the next


def watch(
    key: str | Run | Experiment,
    metrics: str | Iterable[str] | None = None,
    every: float = 2.0,
) -> None:
    """Draw the curves of a run in this cell, and anew whenever it has recorded more.

    It returns when the run has ended, and the cell then says how. The kernel's interrupt ends the
    watching, not the run. One that has ended already is drawn once. Curves are drawn by matplotlib
    where it is installed (``pip install 'thexp-pl[report]'``), else without a library.

    Args:
        key: A word that means the run, as in `ExperimentViewer.run`; or a Run, or an Experiment.
        metrics: Which ones, such as ``"loss,eval_*"``, or a list of such; all by default, without
            those of single steps.
        every: The fewest seconds from one look to the next; where drawing takes long it is more.

    Raises:
        RecordError: There is no such run, or its metrics cannot be read.
        UsageError: This is no notebook; an argument cannot be used; the run has ended without one
            of the metrics.
    """
    if isinstance(every, bool) or not isinstance(every, (int, float)) or not 0 < every < math.inf:
        raise UsageError(f"every={every!r}: give a number of seconds above 0")
    words = _words(metrics)
    if not in_notebook():
        word = key if isinstance(key, str) else "KEY"
        raise UsageError(
            "watch draws in the cells of a notebook, and this is none; run: thexp-pl show "
            f"{word} --follow"
        )
    _Watching(_paths(key), words, key if isinstance(key, Experiment) else None).follow(every)


class _Watching:
    """The watching of one run.

    Args:
        paths: The run's files.
        words: The metrics that are wanted; none for all.
        recorded: The run, where this process records it.
    """

    def __init__(self, paths: RunPaths, words: list[str], recorded: Experiment | None) -> None:
        self._paths, self._words, self._recorded = paths, words, recorded
        self._cell = Cell()
        self._seen: tuple[object, ...] = ()
        self._body = ""

    def follow(self, every: float) -> None:
        """Show the run until it has ended, is gone, or the kernel is interrupted."""
        pace = Pace(_PATIENCE)
        try:
            while True:
                begun = time.monotonic()
                if self._look():
                    return
                pace.note(begun)
                time.sleep(pace.wait(every))
        except KeyboardInterrupt:
            self._show("no longer watched; the run goes on")

    def _look(self) -> bool:
        """Show the run as it is, and say whether there is nothing more to come."""
        if self._recorded is not None:
            self._recorded.flush()
        run = read_run(self._paths)  # before the metrics: of an ended run none is missed
        if not self._paths.folder.is_dir():
            self._show("its folder is gone: it was moved or deleted")
            return True
        is_over = run.status != _GOING_ON
        stamp = metrics_stamp(self._paths)
        if stamp != self._seen or is_over:
            self._seen, self._body = stamp, _drawn(run, self._words, is_over)
        self._show(_state(run))
        return is_over

    def _show(self, state: str) -> None:
        html = headed(self._paths.experiment, self._paths.key, state, self._body)
        self._cell.show(html, f"{shown(self._paths.key)}: {state}")


def _state(run: Run) -> str:
    took = duration_text(run.seconds, run.status, run.started)
    cause = " ".join(str(value) for value in (run.cause or {}).values())
    return f"{run.status}, {took}{f' ({cause})' if cause else ''}"


def _drawn(run: Run, words: list[str], is_over: bool) -> str:
    try:
        curves = curves_of(read_history(run.paths))
    except OSError as error:
        raise RecordError(
            f"the metrics of {run.key} cannot be read: {error.strerror or error}"
        ) from error
    chosen = _chosen(curves, words, is_over)
    return (picture(run.paths, list(chosen)) if chosen else None) or panels(chosen)


def _chosen(curves: dict[str, Curve], words: list[str], is_over: bool) -> dict[str, Curve]:
    if not words:
        return {name: curves[name] for name in without_steps(curves)}
    if not is_over:  # what is wanted may come later
        words = [word for word in words if _is_there(word, curves)]
    return {name: curves[name] for name in choose_tags(words, curves)} if words else {}


def _is_there(word: str, curves: Iterable[str]) -> bool:
    try:
        return bool(choose_tags([word], curves))
    except UsageError:
        return False


# -- what is asked for ---------------------------------------------------------------------------


def _words(metrics: str | Iterable[str] | None) -> list[str]:
    if metrics is None:
        return []
    words = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    if not all(isinstance(word, str) for word in words):
        raise UsageError(f"metrics={metrics!r}: give names, such as 'loss,eval_*'")
    return [word.strip() for word in words if word.strip()]


def _paths(key: str | Run | Experiment) -> RunPaths:
    if isinstance(key, (Run, Experiment)):
        return key.paths
    if not isinstance(key, str):
        raise UsageError(
            f"watch takes a key, a Run or an Experiment, not a {type(key).__name__}; of a Trainer "
            "take trainer.experiment"
        )
    return ExperimentViewer().run(key).paths
