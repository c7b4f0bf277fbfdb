"""The trial whose run this process is, as far as it tells the study how it goes."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError
from thexp_pl.record.rerun import current
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.search.settings import SearchSettings
from thexp_pl.sweeps.search.study import STORAGE_VARIABLE, open_study, quiet
from thexp_pl.sweeps.sweep import read_sweep

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["SweptTrial", "swept_trial"]


class SweptTrial:
    """A trial that another process has asked for, and tells the end of.

    Args:
        paths: The files of its sweep.
        settings: The settings of the search.
        number: The trial's number.
    """

    def __init__(self, paths: SweepFolder, settings: SearchSettings, number: int) -> None:
        self.settings = settings
        self._paths = paths
        self._number = number

    @cached_property
    def _trial(self) -> Trial:
        from optuna.trial import Trial

        if not self.settings.storage and not self._paths.study.exists():
            raise RecordError("the file of the study is not to be seen from this machine")
        study = open_study(self._paths, self.settings)
        trials = study.get_trials(deepcopy=False)
        if self._number >= len(trials):
            raise RecordError(f"the study that is reached from here has no trial {self._number}")
        return Trial(study, trials[self._number]._trial_id)

    @cached_property
    def _reported(self) -> set[int]:
        return set(self._trial.study.get_trials(deepcopy=False)[self._number].intermediate_values)

    def report(self, value: float, step: int) -> None:
        """Tell the study how the run goes; what an earlier process of it has told stays.

        Args:
            value: The metric.
            step: The epoch, from 0.
        """
        with quiet():
            if step not in self._reported:
                self._trial.report(value, step)
                self._reported.add(step)

    def should_prune(self) -> bool:
        """Say whether the run does so much worse than others that it is not worth going on."""
        with quiet():
            return self._trial.should_prune()


def swept_trial() -> SweptTrial | None:
    """Give the trial whose run this process is.

    Returns:
        It; None in a process that runs no point of a search, or of one that has no pruner.

    Raises:
        RecordError: What the process was told is damaged.
    """
    told = current()
    if told is None or not told.sweep:
        return None
    sweep = read_sweep(SweepFolder(told.root, told.sweep["key"]))
    if sweep.study is None:
        return None
    settings = SearchSettings.of(sweep.study, os.environ.get(STORAGE_VARIABLE, ""))
    if settings.pruner == "none":
        return None
    number = told.sweep.get("trial")
    if type(number) is not int:
        raise RecordError(f"point {told.sweep['point']} of the sweep {sweep.key} is no trial")
    return SweptTrial(sweep.paths, settings, number)
