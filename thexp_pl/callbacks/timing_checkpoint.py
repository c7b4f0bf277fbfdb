"""A SaverCallback that keeps a keypoint every few epochs."""

from __future__ import annotations

from typing import Any

from thexp_pl.callbacks.saver import SaverCallback
from thexp_pl.errors import UsageError

__all__ = ["TimingCheckpoint"]


class TimingCheckpoint(SaverCallback):
    """Saves a keypoint, which is never removed, after every n-th epoch.

    It is a `SaverCallback` with that one option set, and takes its place: it saves checkpoints
    after every epoch too. It goes together with others as a `ModelCheckpoint` does.

    Args:
        per_epoch: A keypoint after every epoch whose number, from 1, this divides.
        **options: What else `SaverCallback` takes.

    Raises:
        UsageError: An argument is none of these.

    >>> TimingCheckpoint(5).keypoint_every
    5

    Source: thexp's ``TimingCheckpoint``.
    """

    def __init__(self, per_epoch: int = 1, **options: Any) -> None:
        if type(per_epoch) is not int or per_epoch < 1:
            raise UsageError(f"per_epoch must be a number of epochs, 1 or more, not {per_epoch!r}")
        super().__init__(keypoint_every=per_epoch, **options)
