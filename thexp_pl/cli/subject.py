"""What a training command trains: told from the words, files and variables before any parsing.

The flags of a Params class can be added to a parser only once the class is known, and the class is
named by a flag. So the few words that matter here are read beforehand.
"""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
import yaml

from thexp_pl.cli.importing import import_class
from thexp_pl.errors import UsageError
from thexp_pl.globs import globs
from thexp_pl.params import BaseParams
from thexp_pl.params.flags import apply_values
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.module import PARAMS_KEY

__all__ = ["Subject", "choose_subject"]

SUBCOMMANDS = ("fit", "validate", "test", "predict")


@dataclass
class Subject:
    """What is trained.

    Args:
        facade: The facade Trainer class; None for a LightningModule.
        params: The Params whose values are the flags' defaults; None where there are none.
        note: A line for the user, or an empty text.
    """

    facade: type[Trainer] | None
    params: BaseParams | None
    note: str = ""


def choose_subject(words: list[str], model_class: Any, trainer_class: Any) -> Subject:
    """Tell from the words of the command line what is trained.

    Args:
        words: The words after the program's name.
        model_class: The LightningModule that a script names, or None.
        trainer_class: The facade Trainer or Lightning Trainer that a script names, or None.

    Raises:
        UsageError: If what is named cannot be imported, is of another kind, or both a facade
            Trainer and a LightningModule are named.
    """
    if _is_facade(trainer_class):
        return _facade_subject(trainer_class, words)
    model = model_class or _named("model", words)
    facade_name = _named("trainer_class", words)
    if model and facade_name:
        raise UsageError("--model and --trainer_class both say what to train; give one of them")
    if model:
        return Subject(None, _module_params(model))
    if model_class is None and facade_name is None and "trainer_class" in globs:
        facade_name = globs["trainer_class"]
    if facade_name:
        found = import_class(str(facade_name), "--trainer_class")
        if not _is_facade(found):
            raise UsageError(
                f"--trainer_class {facade_name!r} is no thexp_pl.Trainer; "
                "name a LightningModule with --model"
            )
        return _facade_subject(found, words)
    from thexp_pl.demo import DigitsTrainer

    note = (
        "no trainer named: training the built-in demo on handwritten digits; "
        "name yours with --trainer_class MODULE:CLASS or --model CLASS"
    )
    return _facade_subject(DigitsTrainer, words, note)


def _is_facade(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Trainer)


def _facade_subject(facade: type[Trainer], words: list[str], note: str = "") -> Subject:
    params = facade.params_class()()
    checkpoint = _named("ckpt_path", words)
    if checkpoint:
        _take_checkpoint_params(params, Path(str(checkpoint)))
    return Subject(facade, params, note)


def _take_checkpoint_params(params: BaseParams, path: Path) -> None:
    """Lay the Params of a checkpoint beneath the flags: a resumed run keeps its settings."""
    if not path.is_file():
        raise UsageError(f"--ckpt_path: there is no file {str(path)!r}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # noqa: BLE001 - damaged in any of torch's ways; loading it says how
        return
    saved = state.get(PARAMS_KEY) if isinstance(state, dict) else None
    if saved:
        apply_values(params, saved.items())


def _module_params(model: Any) -> BaseParams | None:
    """Give the Params that a LightningModule's ``params: Params`` argument asks for."""
    if isinstance(model, str):
        if "." not in model and ":" not in model:  # one of Lightning's registered short names
            return None
        model = import_class(model, "--model")
    if "params" not in inspect.signature(model).parameters:
        return None
    # of a class the annotations stand at its __init__
    hint = get_type_hints(getattr(model, "__init__", model)).get("params")
    if isinstance(hint, type) and issubclass(hint, BaseParams):
        return hint()
    return None


def _named(name: str, words: list[str]) -> Any:
    """Find a value in the words, the YAML files that they name, or the environment."""
    found: Any = None
    for subcommand in SUBCOMMANDS:
        if subcommand in words:
            found = os.environ.get(f"PL_{subcommand}__{name}".upper(), found)
    for index, word in enumerate(words):
        flag, equals, text = word.partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        value = text if equals else following
        if flag == f"--{name}":
            found = value
        elif flag in ("-c", "--config") and value:
            found = _in_file(name, Path(value)) or found
    if isinstance(found, dict):
        found = found.get("class_path")
    return found


def _in_file(name: str, path: Path) -> Any:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # parsing reports it, with its place
        return None
    if not isinstance(content, dict):
        return None
    for subcommand in SUBCOMMANDS:
        if isinstance(content.get(subcommand), dict) and name in content[subcommand]:
            return content[subcommand][name]
    return content.get(name)
