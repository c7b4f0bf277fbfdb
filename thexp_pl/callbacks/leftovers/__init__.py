"""What Lightning leaves out of a checkpoint, though training that goes on from it depends on it.

The rooms: `gradients` accumulated and not yet stepped with; `means` the running ones of an epoch
that has begun; `plateau` the steps of a ReduceLROnPlateau that come after a save; `rows` what is
logged after it; `stopping` that an EarlyStopping has stopped it; `whole` the rest: the first three
and the metrics, of every rank.
"""

from thexp_pl.callbacks.leftovers.gradients import watch_steps
from thexp_pl.callbacks.leftovers.rows import coming_rows, write_rows
from thexp_pl.callbacks.leftovers.stopping import EarlyStops
from thexp_pl.callbacks.leftovers.whole import (
    collect,
    is_within_epoch,
    restore,
    restore_callback_metrics,
)

__all__ = [
    "EarlyStops",
    "collect",
    "coming_rows",
    "is_within_epoch",
    "restore",
    "restore_callback_metrics",
    "watch_steps",
    "write_rows",
]
