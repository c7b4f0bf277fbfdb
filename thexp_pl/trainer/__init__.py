"""The facade: a thexp-style Trainer whose `train_batch` a Lightning Trainer runs.

The rooms are named in docs/architecture.md.
"""

from thexp_pl.trainer.facade import Trainer

__all__ = ["Trainer"]
