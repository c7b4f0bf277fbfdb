"""`StudySource`: the points of a search, one after the other as its sampler suggests them."""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from thexp_pl.compare.metric import find_metric
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import shown
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.search.settings import SearchSettings, shown_url
from thexp_pl.sweeps.search.space import SearchSpace, read_space
from thexp_pl.sweeps.search.study import STORAGE_VARIABLE, open_study, quiet, sampler_of
from thexp_pl.sweeps.standing import standing
from thexp_pl.sweeps.sweep import Sweep, add_points, read_points, write_sweep

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from thexp_pl.sweeps.standing import State

__all__ = ["StudySource"]


def _note(line: str) -> None:
    sys.stderr.write(f"note: {line}\n")


class StudySource:
    """Asks the study for points, and tells it what became of them.

    What a sampler suggests follows from its seed, the number of points before and what is known of
    them: a search whose runs come one after the other is the same each time, however often it is
    killed and gone on with.

    Args:
        sweep: The sweep; this process is the one that works on it.
        settings: The settings of the search, those of ``sweep.study`` with the secrets of its URL.
        trials: How many points there are to be in the end. Those that fail now are among them;
            those that failed in an earlier process are replaced.
        digest: Gives the digest of the point of some values.
        said: Takes what a user should know, one line.

    Raises:
        UsageError: As `thexp_pl.sweeps.search.study.open_study`; or the study lies elsewhere.
        RecordError: The study is damaged, or lacks a trial that the sweep has a point of.
    """

    def __init__(
        self,
        sweep: Sweep,
        settings: SearchSettings,
        trials: int,
        digest: Callable[[Mapping[str, str]], str],
        said: Callable[[str], object] = _note,
    ) -> None:
        if trials < 1:
            raise UsageError(f"--trials={trials}: a search has 1 trial at least")
        self._sweep = _told_anew(sweep, settings)
        self._settings = settings
        self._trials = trials
        self._digest, self._said = digest, said
        self._space: SearchSpace = read_space(settings.ranges)
        self._study = open_study(sweep.paths, settings)
        if settings.storage != shown_url(settings.storage):
            os.environ[STORAGE_VARIABLE] = settings.storage  # for the processes of the points
        asked = read_points(sweep)
        self._asked = len(asked)
        with quiet():
            known = self._settled(asked)
        self._is_measured = any(trial.value is not None for trial in known.values())
        states = standing(sweep, asked)
        # those that failed are out of the count: others take their place
        self.points = [
            point
            for point in asked
            if known[point.trial].state.name != "FAIL" or states[point.number].is_done
        ][:trials]
        self._count = len(self.points)
        self._waiting = deque(
            point for point in self.points if not known[point.trial].state.is_finished()
        )

    def _settled(self, asked: Sequence[Point]) -> dict[int | None, FrozenTrial]:
        """Give the study's trials, once those are ended that came to no point."""
        from optuna.trial import TrialState

        trials: dict[int | None, FrozenTrial] = {
            trial.number: trial for trial in self._study.get_trials(deepcopy=False)
        }
        missing = [point for point in asked if point.trial not in trials]
        if missing:
            raise RecordError(
                f"the study of {shown(self._sweep.key)} has no trial {missing[0].trial}, which is"
                f" the sweep's point {missing[0].number}: restore the study, or submit the search"
                " again under another root"
            )
        known = {point.trial for point in asked}
        for number, trial in trials.items():
            if number not in known and not trial.state.is_finished():  # killed as it was asked for
                self._study.tell(trial.number, state=TrialState.FAIL)
        return trials

    # -- what the driver asks and tells ----------------------------------------------------------

    @property
    def total(self) -> int:
        """How many points there are to be."""
        return self._trials

    def next(self) -> Point | None:
        """Give the next point to be run: first those that a killed search has left.

        Returns:
            The point, which is the sweep's; None once there are as many as were asked for.

        Raises:
            ThexpError: What `digest` says of values that cannot be trained with.
            OSError: The study or the points cannot be written.
        """
        if self._waiting:
            return self._waiting.popleft()
        if self.is_over():
            return None
        self._count += 1
        return self._ask()

    def is_over(self) -> bool:
        """Say whether there is no next point any more."""
        return not self._waiting and self._count >= self._trials

    def told(self, point: Point, state: State) -> None:
        """Tell the study what became of a point that is not tried again.

        Args:
            point: The point.
            state: What became of it.

        Raises:
            UsageError: It has finished without the metric, and so has every one before.
            OSError: The study cannot be written.
        """
        from optuna.trial import TrialState

        value = None
        if state.status == "pruned":
            end = TrialState.PRUNED
        else:
            value = self._value(point, state) if state.status == "finished" else None
            end = TrialState.FAIL if value is None else TrialState.COMPLETE
        with quiet():
            self._study.tell(cast("int", point.trial), value, state=end, skip_if_finished=True)

    # -- in the study ----------------------------------------------------------------------------

    def _ask(self) -> Point:
        told = f"{self._settings.seed}:{self._asked}".encode()
        seed = int.from_bytes(hashlib.sha256(told).digest()[:4], "big")
        with quiet():
            self._study.sampler = sampler_of(self._settings.sampler, seed)
            trial = self._study.ask(self._space.distributions())
        values = self._space.values(trial.params)
        point = Point(self._asked, values, self._digest(values), trial.number)
        add_points(self._sweep, [point])
        self._asked += 1
        return point

    def _value(self, point: Point, state: State) -> float | None:
        """Give the metric of a run that has finished; None, and a word about it, without one."""
        metrics = {} if state.run is None else state.run.metrics
        try:
            value = find_metric(self._settings.metric, metrics).value(metrics)
        except UsageError as error:
            if metrics and not self._is_measured:
                raise UsageError(f"--metric: {error}") from error
            value = None
        if value is not None and not math.isnan(value):
            self._is_measured = True
            return value
        name = shown(self._settings.metric)[1:-1]
        what = f"no {name}" if value is None else f"NaN as its {name}"
        self._said(f"trial {point.trial} counts as failed in the study: its run has {what}")
        return None


def _told_anew(sweep: Sweep, settings: SearchSettings) -> Sweep:
    """Keep with which sampler and pruner a search is gone on with."""
    told = settings.told()
    if sweep.study == told:
        return sweep
    before, now = (_where(each) for each in (sweep.study or {}, told))
    if before != now:
        raise UsageError(
            f"the study of {shown(sweep.key)} is kept in {before}, not in {now}: give the same"
            " --storage as before"
        )
    sweep = replace(sweep, study=told)
    write_sweep(sweep)
    return sweep


def _where(told: Mapping[str, Any]) -> str:
    storage = told.get("storage")
    return shown(str(storage)) if storage else "a file of the sweep"
