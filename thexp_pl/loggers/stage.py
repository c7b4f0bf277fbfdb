"""What is noted when a training, a validation, a test or a prediction begins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from thexp_pl.atomic import write_text
from thexp_pl.loggers.lineage import note_load, note_resume, origin_of
from thexp_pl.record import Experiment

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn

__all__ = ["note_stage"]

_OPTIONS = (
    "max_epochs",
    "max_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "check_val_every_n_epoch",
    "log_every_n_steps",
)


def note_stage(run: Experiment, trainer: pl.Trainer, model: nn.Module) -> None:
    """Note in the journal how a Trainer runs, and the checkpoint that it goes on from.

    The event is called ``fit``, ``validate``, ``test`` or ``predict``. A fit from a checkpoint of
    another run makes that run this one's parent.

    Args:
        run: The run, which is open.
        trainer: The Trainer, set up.
        model: What it runs.
    """
    stage = "run" if trainer.state.fn is None else str(trainer.state.fn.value)
    run.log_event(stage, **_facts(trainer, model))
    _keep_config(run, trainer)
    # such a strategy loads later, and until then the Trainer names what it loaded before
    path = None if trainer.strategy.restore_checkpoint_after_setup else trainer.ckpt_path
    if path is not None:
        if stage == "fit":
            state = trainer._checkpoint_connector._loaded_checkpoint
            note_resume(run, origin_of(run, path, state))
        else:
            note_load(run, path)


def _keep_config(run: Experiment, trainer: pl.Trainer) -> None:
    """Keep the whole configuration of a plain LightningCLI, as its own callback has it."""
    cli: Any = sys.modules.get("pytorch_lightning.cli")
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # set elsewhere
    for callback in [] if cli is None else callbacks:
        if isinstance(callback, cli.SaveConfigCallback) and not run.paths.config.exists():
            text = callback.parser.dump(callback.config, skip_none=False)
            write_text(run.paths.config, run.redact(text))


def _facts(trainer: pl.Trainer, model: nn.Module) -> dict[str, Any]:
    options = {name: getattr(trainer, name, None) for name in _OPTIONS}
    return {
        "model": type(getattr(model, "facade", model)).__qualname__,
        "strategy": type(trainer.strategy).__name__,
        "accelerator": type(trainer.accelerator).__name__,
        "devices": trainer.num_devices,
        "nodes": trainer.num_nodes,
        "precision": trainer.precision,
        **{name: value for name, value in options.items() if value is not None},
    }
