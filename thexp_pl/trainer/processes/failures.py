"""Why a rank cannot go on: because another has failed, and what that one died of."""

from __future__ import annotations

import re
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytorch_lightning as pl

from thexp_pl.errors import RecordError, TrainerError
from thexp_pl.runs.run import read_run
from thexp_pl.strategies.peers import Loss, loss_of

__all__ = ["death_in_words", "told_failures"]

_ENDS = ("failed", "killed", "interrupted")
_WAIT_SECONDS = 5.0  # for another rank to write down how it ended
_CONNECTIONS = re.compile(r"[/\\](torch[/\\]distributed|strategies[/\\]attendance)\b")


def death_in_words(code: int) -> str:
    """Say how a process ended.

    Args:
        code: As `subprocess.Popen.poll` gives it.

    >>> death_in_words(1), death_in_words(-9)
    ('ended with code 1', 'was killed by SIGKILL')
    """
    if code >= 0:
        return f"ended with code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


@contextmanager
def told_failures(trainer: pl.Trainer) -> Iterator[None]:
    """Where a connection breaks because another rank has failed or is lost, say so.

    Args:
        trainer: The Lightning Trainer of a facade Trainer.

    Raises:
        TrainerError: Another rank has failed, with what it failed of; or its machine is lost.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_of_connection(error):
            raise
        loss = loss_of(error)
        if loss is not None and loss.is_silent:  # what that rank writes blames this one
            raise TrainerError(str(loss)) from None
        reason = _reason(trainer, loss) or loss
        if reason is None:
            raise
        raise TrainerError(str(reason)) from None


def _is_of_connection(error: BaseException) -> bool:
    if isinstance(error.__cause__, RuntimeError):
        return _is_of_connection(error.__cause__)
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and _CONNECTIONS.search(frames[-1].filename) is not None


def _reason(trainer: Any, loss: Loss | None) -> str | None:
    """Find a rank that has failed in what the ranks write down; None where that is not told.

    Where it is known to whom the connection broke, another that has written may have failed of this
    very rank's silence.
    """
    own = trainer.global_rank
    asked = set(() if loss is None else loss.ranks) - {own}
    paths = trainer.lightning_module.facade.experiment.paths
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        with suppress(RecordError, OSError):
            run = read_run(paths)
            records = [{"rank": 0, "status": run.status, "cause": run.cause}, *run.ranks]
            for record in records:
                rank, status = record["rank"], record["status"]
                cause = record["cause"] or {}
                if rank == own or (asked and rank not in asked):
                    continue
                if status in _ENDS or _has_left(cause):
                    return f"rank {rank} {_cause(status, cause)}"
        time.sleep(0.05)
    return None


def _has_left(cause: Mapping[str, Any]) -> bool:
    return cause.get("type") == "SystemExit"


def _cause(status: str, cause: Mapping[str, Any]) -> str:
    if "signal" in cause:
        return f"was killed by {cause['signal']}"
    if _has_left(cause):
        return f"has left the training: SystemExit: {cause.get('message', '')}"
    if "type" in cause:
        return f"{status}: {cause['type']}: {cause.get('message', '')}"
    return f"was {status}: {cause.get('message', 'no cause is known')}"
