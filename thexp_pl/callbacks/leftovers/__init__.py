"""What Lightning leaves out of a checkpoint, though training that goes on from it depends on it.

The rooms: `gradients` accumulated and not yet stepped with; `means` the running ones of an epoch
that has begun; `plateau` the steps of a ReduceLROnPlateau that come after a save; `whole` all of
them and the metrics, of every rank.
"""

from thexp_pl.callbacks.leftovers.gradients import watch_steps
from thexp_pl.callbacks.leftovers.whole import collect, restore

__all__ = ["collect", "restore", "watch_steps"]
