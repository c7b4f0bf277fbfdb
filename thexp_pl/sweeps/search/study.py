"""The study of a search: Optuna's own, in a file of the sweep or in a database."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.append import size_without_torn_line
from thexp_pl.record.names import shown
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.report.extras import needed
from thexp_pl.sweeps.search.settings import SearchSettings, shown_url

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

__all__ = ["STORAGE_VARIABLE", "check_storage", "open_study", "quiet", "sampler_of"]

STORAGE_VARIABLE = "THEXP_PL_STUDY_STORAGE"  # its secrets never reach the disk
_LOCK_SECONDS = 60.0


def open_study(paths: SweepFolder, settings: SearchSettings) -> Study:
    """Open the study of a sweep, which is called by the sweep's key, or make it.

    Args:
        paths: The sweep's files.
        settings: The settings of the search.

    Returns:
        The study, with the pruner that was asked for and a sampler that suggests nothing.

    Raises:
        UsageError: Optuna is not installed, or the database cannot be reached.
        RecordError: The file of the study is damaged.
    """
    optuna = needed("optuna", "a search", "optuna")
    with quiet():
        storage = _database(settings.storage) if settings.storage else _journal(paths.study)
        study: Study = optuna.create_study(
            study_name=paths.key,
            storage=storage,
            direction="minimize" if settings.direction == "min" else "maximize",
            sampler=sampler_of("random", 0),
            pruner=_pruner(settings.pruner),
            load_if_exists=True,
        )
    return study


def check_storage(settings: SearchSettings) -> None:
    """See that the database of a study can be reached, before anything is submitted.

    Args:
        settings: The settings of the search.

    Raises:
        UsageError: As `open_study`.
    """
    needed("optuna", "a search", "optuna")
    if settings.storage:
        with quiet():
            _database(settings.storage)


def sampler_of(name: str, seed: int) -> BaseSampler:
    """Make a sampler.

    Args:
        name: One of `thexp_pl.sweeps.search.settings.SAMPLERS`.
        seed: Of its random numbers.

    Returns:
        The sampler. That for ``"tpe"`` keeps away from what other trials are trying.
    """
    from optuna.samplers import RandomSampler, TPESampler

    if name == "random":
        return RandomSampler(seed=seed)
    with quiet():
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _pruner(name: str) -> BasePruner:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "none":
        return NopPruner()
    return MedianPruner() if name == "median" else HyperbandPruner()


def _database(url: str) -> BaseStorage:
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy.pool import NullPool

    try:
        # a search asks seldom: no connection is left open, nor inherited by a process it starts
        return get_storage(RDBStorage(url, engine_kwargs={"poolclass": NullPool}))
    except Exception as error:
        # whichever driver of SQLAlchemy it is, its errors tell of statements and versions too
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        secret_free = shown_url(reason.replace(url, shown_url(url)))
        raise UsageError(
            f"the study cannot be kept in {shown(shown_url(url))}: {secret_free}; give --storage"
            " the URL of a database that is there, or leave it out for a file of the sweep"
        ) from error


def _journal(path: Path) -> BaseStorage:
    from filelock import Timeout
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock: Any = _Lock(path)  # Optuna asks no more of one than these two methods
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    except (OSError, ValueError, KeyError, TypeError, AssertionError, Timeout) as error:
        raise RecordError(
            f"the study {shown(str(path))} cannot be read: {type(error).__name__}: {error}; restore"
            " the file, or submit the search again under another root"
        ) from error


class _Lock:
    """The lock of a study's file, which a killed process lets go of; its torn line is cut off.

    After a kill Optuna's own has others wait for half a minute, and a torn line damages the file.

    Args:
        path: The study's file.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._path = path
        self._lock = FileLock(f"{path}.lock", timeout=_LOCK_SECONDS)

    def acquire(self) -> bool:
        """Wait until no other process writes."""
        self._lock.acquire()
        size_without_torn_line(self._path)
        return True

    def release(self) -> None:
        """Let others write."""
        self._lock.release()


@contextmanager
def quiet() -> Iterator[None]:
    """Have Optuna say nothing of what goes well, and nothing of what it calls experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
