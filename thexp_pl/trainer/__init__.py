"""The facade: a thexp-style Trainer whose `train_batch` a Lightning Trainer runs.

The rooms: `facade` what a user subclasses; `parts` and `checkpoints` its members; `module` the
LightningModule; `raw_steps` the redirection of raw backward and step; `attributes` what is found
and stored; `checkpoint_state` whether a checkpoint fits and where it goes on; `evaluation` the
running of `test_eval_logic`; `results` what the user's methods return; `options` and `devices`
what reaches the Lightning Trainer; `quiet` what Lightning need not say.
"""

from thexp_pl.trainer.facade import Trainer

__all__ = ["Trainer"]
