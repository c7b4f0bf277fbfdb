"""The facade: a thexp-style Trainer whose `train_batch` a Lightning Trainer runs.

The rooms: `facade` what a user subclasses, `parts` and `checkpoints` its members, `module` the
LightningModule, `raw_steps` the redirection of raw backward and step, `attributes` what is found
and stored, `evaluation` the running of `test_eval_logic`, `devices` the choice of the device.
"""

from thexp_pl.trainer.facade import Trainer

__all__ = ["Trainer"]
