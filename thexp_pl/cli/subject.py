"""What a training command trains: told from what was given, before any parsing."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import torch

from thexp_pl.cli.given import Given
from thexp_pl.cli.importing import import_class
from thexp_pl.errors import ParamsError, UsageError
from thexp_pl.globvars import globs
from thexp_pl.params import BaseParams
from thexp_pl.params.flags import apply_values
from thexp_pl.saver.reading import read_state
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.module import PARAMS_KEY

__all__ = ["Subject", "choose_subject"]

_DEEDS = {
    "fit": "training",
    "validate": "evaluating",
    "test": "testing",
    "predict": "predicting with",
}


@dataclass
class Subject:
    """What is trained.

    Args:
        facade: The facade Trainer class; None for a LightningModule.
        params: The Params whose values are the flags' defaults; None where there are none.
        note: A line for the user, or an empty text.
        is_named: The command, and not a script, says what is trained.
    """

    facade: type[Trainer] | None
    params: BaseParams | None
    note: str = ""
    is_named: bool = True


def choose_subject(given: Given, model_class: Any, trainer_class: Any) -> Subject:
    """Tell what is trained.

    Args:
        given: What the user gave.
        model_class: The LightningModule that a script names, or None.
        trainer_class: The facade Trainer or Lightning Trainer that a script names, or None.

    Raises:
        UsageError: If what is named cannot be imported, is of another kind, or both a facade
            Trainer and a LightningModule are named.
        CheckpointError: If the facade's checkpoint is damaged.
    """
    if _is_facade(trainer_class):
        return replace(_facade_subject(trainer_class, given), is_named=False)
    if model_class is not None:
        return replace(_module_subject(model_class, given), is_named=False)
    model, name = given.text("model"), given.text("trainer_class")
    if model and name:
        raise UsageError("--model and --trainer_class both say what to train; give one of them")
    if model:
        return _module_subject(model, given)
    setting = given.find("trainer_class")
    place = setting.place if setting else "--trainer_class"
    if not name and "trainer_class" in globs:
        name, place = str(globs["trainer_class"]), "the variable trainer_class (thexp-pl config)"
    if not name:
        return _demo_subject(given)
    found = import_class(name, place)
    if not _is_facade(found):
        raise UsageError(
            f"{place}: {name!r} is no thexp_pl.Trainer; name a LightningModule with --model"
        )
    return _facade_subject(found, given)


def _demo_subject(given: Given) -> Subject:
    from thexp_pl.demo import DigitsTrainer

    note = (
        f"no trainer named: {_DEEDS[given.subcommand or 'fit']} the built-in demo on handwritten "
        "digits; name yours with --trainer_class MODULE:CLASS or --model CLASS"
    )
    return _facade_subject(DigitsTrainer, given, note)


def _is_facade(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Trainer)


def _facade_subject(facade: type[Trainer], given: Given, note: str = "") -> Subject:
    params = facade.params_class()()
    checkpoint = given.text("ckpt_path")
    if checkpoint:
        path = Path(checkpoint)
        if not path.is_file():
            raise UsageError(f"--ckpt_path: there is no file {checkpoint!r}")
        _take_params(params, read_state(path, weights_only=True, map_location="cpu")[0], path)
    return Subject(facade, params, note)


def _module_subject(model: Any, given: Given) -> Subject:
    params = _module_params(model)
    path = Path(given.text("ckpt_path") or "")
    if params is not None and path.is_file():  # Lightning takes other words than files too
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # noqa: BLE001 - damaged in any of torch's ways: Lightning will say so
            state = {}
        _take_params(params, state, path)
    return Subject(None, params)


def _take_params(params: BaseParams, state: Any, path: Path) -> None:
    """Lay the Params of a checkpoint beneath the flags: a resumed run keeps its settings.

    Only the device stays out: where to compute is a matter of the machine.
    """
    saved = state.get(PARAMS_KEY) if isinstance(state, dict) else None
    try:
        apply_values(params, [pair for pair in (saved or {}).items() if pair[0] != "device"])
    except ParamsError as error:
        raise UsageError(
            f"--ckpt_path: the parameters in {path.name} do not fit: {error}"
        ) from None


def _module_params(model: Any) -> BaseParams | None:
    """Give the Params that a LightningModule's ``params: Params`` argument asks for."""
    if isinstance(model, str):
        if "." not in model and ":" not in model:  # one of Lightning's registered short names
            return None
        if ":" in model:
            dotted = model.replace(":", ".")
            raise UsageError(f"--model: {model!r} has a colon; Lightning's form is {dotted!r}")
        model = import_class(model, "--model")
    if "params" not in inspect.signature(model).parameters:
        return None
    # of a class the annotations stand at its __init__
    hint = get_type_hints(getattr(model, "__init__", model)).get("params")
    if isinstance(hint, type) and issubclass(hint, BaseParams):
        return hint()
    return None
