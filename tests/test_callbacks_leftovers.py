"""What Lightning leaves out of a checkpoint: resumed anywhere, the same bits come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torchmetrics
from pytorch_lightning.callbacks import EarlyStopping
from rnd_helpers import BATCHES, DATA, SaveEach, Sized, same
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader
from trainer_helpers import lightnings_own_warnings, plain_trainer

from thexp_pl import rnd
from thexp_pl.callbacks import RndCallback
from thexp_pl.callbacks.after import after_module_hook
from thexp_pl.callbacks.leftovers import collect, restore, watch_steps

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*overridden after .* initialization"),
]


class Keeps(pl.Callback):
    """Puts what is left out into every checkpoint."""

    def __init__(self) -> None:
        self.loaded: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.end = watch_steps(pl_module)
        if self.loaded is not None:
            after_module_hook(
                pl_module, "on_train_start", lambda: restore(trainer, pl_module, self.loaded)
            )

    def on_train_end(self, *args: Any) -> None:
        self.end()

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        checkpoint["left"] = collect(trainer, pl_module)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        self.loaded = checkpoint["left"]


class Net(pl.LightningModule):
    """Notes each step's loss and learning rate, and the metrics at every epoch's end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.noted: dict[str, Any] = {}

    def loss(self, batch: Any) -> torch.Tensor:
        loss = nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        lr = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.noted[f"step {self.trainer.fit_loop.total_batch_idx}"] = (loss.item(), lr)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.loss(batch)

    def on_train_epoch_start(self) -> None:
        self.noted[f"epoch {self.current_epoch}"] = dict(self.trainer.callback_metrics)

    def on_train_end(self) -> None:
        self.noted["end"] = dict(self.trainer.callback_metrics)

    def configure_optimizers(self) -> Any:
        return SGD(self.parameters(), lr=0.1, momentum=0.9)


Made = tuple[type[Net], dict[str, Any]]


def trained(made: Made, folder: Path, path: Path | None = None) -> tuple[Net, dict[str, Any]]:
    """Train, from a checkpoint where one is given, and give the module and the whole end."""
    rnd.fix_seed(5 if path is None else 99)
    cls, options = made
    stopping = [EarlyStopping(**one) for one in options.get("stopping", [])]
    own = {key: value for key, value in options.items() if key != "stopping"}
    trainer = plain_trainer(
        **{"max_epochs": 3, "num_sanity_val_steps": 0, **own},
        callbacks=[*stopping, RndCallback(), Keeps(), SaveEach(folder)],
        enable_checkpointing=True,
    )
    module = cls()
    validated = DataLoader(DATA, 8) if "limit_val_batches" in own else None
    trainer.fit(module, Sized(), validated, ckpt_path=path, weights_only=True)
    return module, trainer._checkpoint_connector.dump_checkpoint()


def resumed_everywhere(made: Made, folder: Path) -> tuple[Net, dict[Path, Any]]:
    """Compare the whole of a training with each that goes on from one of its checkpoints."""
    whole, end = trained(made, folder)
    saved = sorted(folder.glob("*.ckpt"), key=lambda path: int(path.name.partition(".")[0]))
    assert len(saved) >= BATCHES
    last = max(int(key.split()[1]) for key in whole.noted if key.startswith("step"))
    for path in saved:
        if int(path.name.partition(".")[0]) > last:
            continue
        resumed, resumed_end = trained(made, folder / "resumed", path)
        for key, value in resumed.noted.items():
            assert same(value, whole.noted[key]), (path.name, key, value, whole.noted[key])
        assert f"step {last}" in resumed.noted
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "left"):
            assert same(resumed_end[key], end[key]), (path.name, key)
    return whole, {path: torch.load(path, weights_only=True)["left"]["ranks"][0] for path in saved}


class ByHand(Net):
    """Two optimizers, of which one steps after every batch and one after every third."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        often, seldom = self.optimizers()
        often.zero_grad()
        self.manual_backward(self.loss(batch))
        often.step()
        if self.trainer.fit_loop.total_batch_idx % 3 == 2:
            seldom.step()
            seldom.zero_grad()

    def configure_optimizers(self) -> Any:
        return SGD(self.layers[0].parameters(), lr=0.1), SGD(self.layers[2].parameters(), lr=0.1)


@lightnings_own_warnings
def test_gradients_that_wait_for_a_step_are_saved_and_no_others(tmp_path: Path) -> None:
    _, saved = resumed_everywhere((ByHand, {}), tmp_path)

    for path, left in saved.items():
        often, seldom = left["gradients"]
        assert often is None
        assert (seldom is None) == (int(path.name.partition(".")[0]) % 3 == 0)


@lightnings_own_warnings
def test_an_accumulation_of_lightnings_goes_on_in_its_midst(tmp_path: Path) -> None:
    _, saved = resumed_everywhere((Net, {"accumulate_grad_batches": 3}), tmp_path)

    waits = {path.name: bool(left["gradients"]) for path, left in saved.items()}
    assert waits["2.on_train_batch_end.ckpt"]
    assert not waits["3.on_train_batch_end.ckpt"]


class Validated(Net):
    """Is measured by what gets worse from the second validation on."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("worse", float(self.current_epoch // 2))


@lightnings_own_warnings
def test_a_metric_validated_every_second_epoch_stops_a_resumed_training_alike(
    tmp_path: Path,
) -> None:
    stopping = {"monitor": "worse", "patience": 2, "check_on_train_epoch_end": True}
    options = {
        "max_epochs": 9,
        "check_val_every_n_epoch": 2,
        "limit_val_batches": 1.0,
        "stopping": [{**stopping, "strict": False}],
    }
    whole, _ = resumed_everywhere((Validated, options), tmp_path)

    assert {"epoch 3", "epoch 4"} & whole.noted.keys() == {"epoch 3"}


class Plateau(Net):
    """Has its learning rate from a mean over the epoch, of which the last batch is a part."""

    interval, frequency = "epoch", 1

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = self.loss(batch)
        self.log("mean", loss, on_step=True, on_epoch=True)
        self.log("fixed", 1.0 + self.trainer.fit_loop.total_batch_idx // 6)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = SGD(self.parameters(), lr=0.1)
        scheduler = ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=0)
        monitor = "mean_epoch" if self.interval == "epoch" else "mean_step"
        config = {"scheduler": scheduler, "monitor": monitor, "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": {**config, "frequency": self.frequency}}


class PlateauEachStep(Plateau):
    interval = "step"


class PlateauSeldom(Plateau):
    frequency = 2


@lightnings_own_warnings
@pytest.mark.parametrize("cls", [Plateau, PlateauEachStep, PlateauSeldom])
def test_a_plateau_takes_every_step_once(cls: type[Net], tmp_path: Path) -> None:
    whole, _ = resumed_everywhere((cls, {"max_epochs": 5}), tmp_path)

    assert len({value[1] for key, value in whole.noted.items() if key.startswith("step")}) > 1


@lightnings_own_warnings
def test_a_plateau_after_a_validation_takes_every_step_once(tmp_path: Path) -> None:
    class ValidatedPlateau(Plateau):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("mean_epoch", nn.functional.cross_entropy(self.layers(batch[0]), batch[1]))

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.loss(batch)

    options = {"max_epochs": 5, "limit_val_batches": 1.0, "val_check_interval": 2}
    resumed_everywhere((ValidatedPlateau, options), tmp_path)


class Means(Net):
    """Logs means in every way, some of them in one batch only."""

    def __init__(self) -> None:
        super().__init__()
        self.accuracy = torchmetrics.MeanMetric()
        self.unlogged = torchmetrics.MetricCollection(
            {name: torchmetrics.SumMetric() for name in ("one", "two")}
        )
        self.validated = torchmetrics.MeanMetric()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = self.loss(batch)
        for reduce_fx in ("mean", "min", "max", "sum"):
            self.log(reduce_fx, loss, on_step=False, on_epoch=True, reduce_fx=reduce_fx)
        self.log("weighed", loss, on_step=True, on_epoch=True, batch_size=1 + batch_idx)
        self.accuracy.update(loss.detach())
        self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)
        self.unlogged.update(loss.detach())
        if batch_idx == 1:
            self.log("once", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        counted = self.unlogged.compute()
        self.unlogged.reset()
        self.log("unlogged", counted["one"] + counted["two"])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated.update(self.layers(batch[0]).mean())
        self.log("validated", self.validated)


@lightnings_own_warnings
@pytest.mark.parametrize("validates", [True, False])
def test_the_means_of_an_epoch_in_progress_go_on(validates: bool, tmp_path: Path) -> None:
    options = (
        {"limit_val_batches": 1.0, "val_check_interval": 2}
        if validates
        else {"limit_val_batches": 0}
    )
    whole, _ = resumed_everywhere((Means, options), tmp_path)

    names = {"mean", "min", "max", "sum", "weighed_epoch", "accuracy", "once", "unlogged"}
    assert names <= whole.noted["end"].keys()
    assert len({*map(float, (whole.noted["end"][name] for name in names))}) > 5
