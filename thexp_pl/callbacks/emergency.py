"""What one rank held when an exception ended its training, in a file of its own."""

from __future__ import annotations

import contextlib
import logging

import pytorch_lightning as pl

from thexp_pl.callbacks.progress import completed_batches, completed_epochs, full_state
from thexp_pl.callbacks.store import modules_of
from thexp_pl.saver.pair import write_pair
from thexp_pl.saver.sidecar import Record, Sidecar, now, versions, world_size

__all__ = ["write_emergency"]

logger = logging.getLogger("thexp_pl.callbacks")


def write_emergency(trainer: pl.Trainer) -> None:
    """Write ``emergency.<rank>.ckpt``, a Lightning checkpoint with its sidecar, over an older one.

    No other rank is asked: it may be gone, or wait for this one. Whatever goes wrong is one line in
    the log; the exception that led here stays the one that is reported.

    Args:
        trainer: The Trainer, which an exception has interrupted.
    """
    folder, run_key = modules_of(trainer)
    path = folder / f"emergency.{trainer.global_rank}.ckpt"
    epoch, step = completed_epochs(trainer), completed_batches(trainer)

    def describe(size: int, sha256: str) -> Sidecar:
        record = Record(
            kind="emergency",
            epoch=epoch,
            step=step,
            order=0,
            bytes=size,
            sha256=sha256,
            run_key=run_key,
            world_size=world_size(),
            versions=versions(),
            time=now(),
        )
        return Sidecar({"eidx": epoch}, record)

    try:
        state = full_state(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        write_pair(path, state, describe)
    except BaseException as error:  # noqa: BLE001 - an impatient Ctrl-C is one too
        reason = str(error).partition("\n")[0] or type(error).__name__
        logger.warning("%s could not be written: %s", path, reason)
        with contextlib.suppress(OSError):
            for stray in folder.glob(f".{path.name}*"):  # a full disk needs the room
                stray.unlink()
    else:
        logger.warning("what this rank held when it failed is kept in %s", path)
