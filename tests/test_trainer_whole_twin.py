"""What is of the package `lightning`, the twin of pytorch_lightning, is refused by its name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
from trainer_helpers import TinyTrainer

from thexp_pl import Params
from thexp_pl.callbacks import LoggerCallback, MeterCallback, RndCallback, SaverCallback
from thexp_pl.callbacks.refusals import refuse_twin
from thexp_pl.errors import UsageError

# the twin's modules as far as they are needed: the same names, and classes that are others
_TWIN = {
    "__init__.py": "",
    "pytorch/__init__.py": "from lightning.pytorch.trainer.trainer import Trainer\n",
    "pytorch/trainer/__init__.py": "",
    "pytorch/trainer/trainer.py": "class Trainer:\n    pass\n",
    "pytorch/callbacks/__init__.py": """
from lightning.pytorch.callbacks.callback import Callback
from lightning.pytorch.callbacks.early_stopping import EarlyStopping
""",
    "pytorch/callbacks/callback.py": "class Callback:\n    pass\n",
    "pytorch/callbacks/early_stopping.py": """
from lightning.pytorch.callbacks.callback import Callback
class EarlyStopping(Callback):
    def __init__(self, monitor):
        pass
""",
    "pytorch/loggers/__init__.py": "from lightning.pytorch.loggers.csv_logs import CSVLogger\n",
    "pytorch/loggers/csv_logs.py": """
class CSVLogger:
    def __init__(self, save_dir):
        pass
""",
    "pytorch/strategies/__init__.py": "from lightning.pytorch.strategies.ddp import DDPStrategy\n",
    "pytorch/strategies/ddp.py": "class DDPStrategy:\n    pass\n",
    "fabric/__init__.py": "",
    "fabric/plugins/__init__.py": """
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
""",
    "fabric/plugins/io/__init__.py": "",
    "fabric/plugins/io/torch_io.py": "class TorchCheckpointIO:\n    pass\n",
}


@pytest.fixture
def twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give `lightning`: the installed one, or else a package that mirrors it."""
    if importlib.util.find_spec("lightning") is None:
        for name, text in _TWIN.items():
            path = tmp_path / "site" / "lightning" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(tmp_path / "site")
    yield importlib.import_module("lightning")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightning"]:
        del sys.modules[name]


def of_twin(module: str, name: str, *args: Any) -> Any:
    return getattr(importlib.import_module(f"lightning.{module}"), name)(*args)


@pytest.mark.parametrize(
    ("option", "thing", "home"),
    [
        ("callbacks", ("pytorch.callbacks", "EarlyStopping", "loss"), "callbacks.early_stopping"),
        ("logger", ("pytorch.loggers", "CSVLogger", "x"), "loggers.csv_logs"),
        ("strategy", ("pytorch.strategies", "DDPStrategy"), "strategies.ddp"),
    ],
)
@pytest.mark.parametrize("as_list", [True, False])
def test_an_option_that_holds_one_is_refused_with_the_right_import(
    option: str, thing: Any, home: str, as_list: bool, twin: ModuleType
) -> None:
    made, name = of_twin(*thing), thing[1]
    message = rf"{option}: {name} is of the package 'lightning'[^\n]*: import {name} from "

    with pytest.raises(UsageError, match=rf"\A{message}pytorch_lightning\.{home}\Z"):
        TinyTrainer(Params(), **{option: [made] if as_list else made})


def test_a_plugin_of_its_fabric_is_named_as_well(twin: ModuleType) -> None:
    plugin = of_twin("fabric.plugins", "TorchCheckpointIO")

    with pytest.raises(UsageError, match=r"from lightning_fabric\.plugins\.io\.torch_io\Z"):
        TinyTrainer(Params(), plugins=[plugin])


def test_a_users_class_made_of_one_is_refused_by_its_own_name(twin: ModuleType) -> None:
    base = importlib.import_module("lightning.pytorch.callbacks").Callback
    own = type("Mine", (base,), {})()

    with pytest.raises(UsageError, match=r"\Acallbacks: Mine is of .*: import Callback from pyt"):
        TinyTrainer(Params(), callbacks=[pl.Callback(), own])


def test_its_trainer_is_refused_and_ours_is_not(twin: ModuleType) -> None:
    with pytest.raises(UsageError, match=r"\ATrainer is of the package 'lightning'"):
        refuse_twin(of_twin("pytorch", "Trainer"))

    refuse_twin(pl.Callback())


def test_a_package_of_the_users_own_may_have_that_name() -> None:
    own = type("Storm", (), {"__module__": "lightning.storms"})()

    refuse_twin(own)


def test_nothing_of_it_is_imported_to_tell() -> None:
    TinyTrainer(Params(), callbacks=[pl.Callback()])

    assert not any(name.partition(".")[0] == "lightning" for name in sys.modules)


@pytest.mark.parametrize("kind", [LoggerCallback, MeterCallback, RndCallback, SaverCallback])
def test_our_callbacks_are_refused_in_its_trainer(
    kind: type[pl.Callback], twin: ModuleType
) -> None:
    with pytest.raises(UsageError, match=r"\ATrainer is of the package 'lightning'"):
        kind().setup(of_twin("pytorch", "Trainer"), pl.LightningModule(), "fit")


def test_its_callback_cannot_be_hooked(twin: ModuleType) -> None:
    callback = importlib.import_module("lightning.pytorch.callbacks").Callback()

    with pytest.raises(UsageError, match=r"\ACallback is of the package 'lightning'"):
        TinyTrainer(Params()).add_callback(callback)
