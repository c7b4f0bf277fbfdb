"""What a training command trains: told from what was given, before any parsing."""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import torch

from thexp_pl.cli.given import Given
from thexp_pl.cli.importing import import_class
from thexp_pl.cli.params_given import GivenParams
from thexp_pl.cli.parser import RESERVED
from thexp_pl.errors import CheckpointError, ParamsError, RecordError, UsageError
from thexp_pl.globvars import globs
from thexp_pl.params import BaseParams
from thexp_pl.params.flags import apply_values
from thexp_pl.record.folders import as_root
from thexp_pl.runs import ExperimentViewer
from thexp_pl.saver.choosing import BEST, LAST, NotFoundError, checkpoint_path
from thexp_pl.trainer import Trainer
from thexp_pl.trainer.module import PARAMS_KEY

__all__ = ["Origin", "Subject", "choose_subject", "explain_checkpoint", "loading"]

_DEEDS = {
    "fit": "training",
    "validate": "evaluating",
    "test": "testing",
    "predict": "predicting with",
}


@dataclass(frozen=True)
class Origin:
    """The checkpoint that ``--ckpt_path`` names.

    Args:
        path: The file, validated, or what Lightning alone understands; None for a fresh start.
        warnings: Lines for the user.
    """

    path: str | None
    warnings: list[str]


@dataclass
class Subject:
    """What is trained.

    Args:
        facade: The facade Trainer class; None for a LightningModule.
        params: The Params whose values are the flags' defaults; None where there are none.
        note: A line for the user, or an empty text.
        is_named: The command, and not a script, says what is trained.
        origin: The checkpoint to begin from; None where none is named.
        seed: That of the checkpoint's run, where the Params have no parameter for it.
    """

    facade: type[Trainer] | None
    params: BaseParams | None
    note: str = ""
    is_named: bool = True
    origin: Origin | None = None
    seed: Any = None

    @property
    def warnings(self) -> list[str]:
        """Lines for the user about the checkpoint."""
        return [] if self.origin is None else self.origin.warnings

    def settle_checkpoint(self, config: Any) -> None:
        """Put the checkpoint's file in the place of the word that named it.

        Args:
            config: The configuration as parsed, the subcommand's settings below its name.
        """
        subcommand = config.get("subcommand")
        if self.origin is not None and subcommand is not None:
            config[subcommand]["ckpt_path"] = self.origin.path


def choose_subject(given: Given, model_class: Any, trainer_class: Any) -> Subject:
    """Tell what is trained.

    Args:
        given: What the user gave.
        model_class: The LightningModule that a script names, or None.
        trainer_class: The facade Trainer or Lightning Trainer that a script names, or None.

    Raises:
        UsageError: If what is named cannot be imported, is of another kind, or both a facade
            Trainer and a LightningModule are named.
        CheckpointError: If the checkpoint is damaged, or there is none of that name.
        RecordError: If the checkpoint's run is none.
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

    def experiment() -> str:
        if not params.has_exp_name():
            return facade.__name__
        # a copy: it rewrites the words, and the checkpoint's own Params lie beneath them later
        return GivenParams(params, copy.deepcopy(given), RESERVED).params.get_exp_name()

    origin, seed = _origin(given, experiment), None
    if origin is not None and origin.path is not None:
        with loading(origin):
            state = torch.load(origin.path, map_location="cpu", weights_only=True, mmap=True)
        seed = _take_params(params, state, Path(origin.path))
    return Subject(facade, params, note, origin=origin, seed=seed)


def _module_subject(model: Any, given: Given) -> Subject:
    params = _module_params(model)
    name = given.text("model") or str(getattr(model, "__name__", model))
    origin = seed = None
    if not _is_lightnings(given.text("ckpt_path")):
        origin = _origin(given, lambda: name.rpartition(".")[2])
    if params is not None and origin is not None and origin.path is not None:
        try:
            state = torch.load(origin.path, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # noqa: BLE001 - it holds more than plain values: Lightning will say so
            state = {}
        seed = _take_params(params, state, Path(origin.path))
    return Subject(None, params, origin=origin, seed=seed)


def _is_lightnings(text: str | None) -> bool:
    """Say whether this is none of our words or files: an address, or a folder of shards."""
    text = text or ""
    return text == "hpc" or text.startswith("registry") or "://" in text or Path(text).is_dir()


def _origin(given: Given, experiment: Callable[[], str]) -> Origin | None:
    """Find the checkpoint to begin from.

    ``last`` and ``best`` are those of the experiment that the run will belong to. Where ``fit``
    finds no ``last`` it begins anew, so that a job that is queued again needs no other command.
    Keys are looked for in all known roots.
    """
    setting, text = given.find("ckpt_path"), given.text("ckpt_path")
    if setting is None or text in (None, "", "null"):
        return None
    place: dict[str, Any] = {}
    root = given.text("exps_dir") or "./experiment"
    if text in (LAST, BEST):
        place = {"experiment": given.text("exp_name") or experiment(), "root": root}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            if _means_run_in(root, str(text)):
                place = {"root": root}
            path: str | None = str(checkpoint_path(str(text), **place))
        except (CheckpointError, RecordError, UsageError) as error:
            line = f"{setting.place}: {error}"
            if not (
                isinstance(error, NotFoundError) and text == LAST and given.subcommand == "fit"
            ):
                raise type(error)(line) from None
            return Origin(None, [f"{line}; training starts from the beginning"])
    return Origin(path, [f"{setting.place}: {one.message}" for one in told])


def _means_run_in(root: str, text: str) -> bool:
    """Say whether the run of ``RUN@CHECKPOINT`` is one of this root, whatever others hold.

    That is so of ``@last``, ``@last~2`` and an experiment's name, where the root has such runs.
    """
    run = text.rpartition("@")[0]
    if not run or not as_root(root).is_dir():
        return False
    experiments = {one.paths.experiment for one in ExperimentViewer([root]).runs()}
    counts_back = re.fullmatch("@last(~[0-9]+)?", run) is not None
    return run in experiments or (counts_back and bool(experiments))


def explain_checkpoint(parser: Any, subcommand: str) -> None:
    """Have the help of ``--ckpt_path`` say what it takes here, not what a Trainer takes.

    Args:
        parser: The parser of a subcommand.
        subcommand: Its name.
    """
    begins = " (where there is none yet, fit begins anew)" if subcommand == "fit" else ""
    for action in parser._actions:
        if action.dest == "ckpt_path":
            action.help = (
                f"The checkpoint to begin from: last{begins} or best of the run's experiment, "
                "RUN@CHECKPOINT, or a path."
            )


@contextmanager
def loading(origin: Origin | None) -> Iterator[None]:
    """Refuse in one line what cannot be loaded.

    Args:
        origin: The checkpoint.

    Raises:
        CheckpointError: With the first line of what is wrong.
    """
    try:
        yield
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        file = "the file" if origin is None else origin.path
        raise CheckpointError(f"--ckpt_path: {file} cannot be loaded: {reason}") from error


def _take_params(params: BaseParams, state: Any, path: Path) -> Any:
    """Lay the Params of a checkpoint beneath the flags: a resumed run keeps its settings.

    Only the device stays out: where to compute is a matter of the machine. A seed that is no
    parameter of theirs was given by a flag, and is returned.
    """
    found = state.get(PARAMS_KEY) if isinstance(state, dict) else None
    saved = dict(found or {})
    seed = None if "seed" in params else saved.pop("seed", None)
    try:
        apply_values(params, [pair for pair in saved.items() if pair[0] != "device"])
    except ParamsError as error:
        raise UsageError(
            f"--ckpt_path: the parameters in {path.name} do not fit: {error}"
        ) from None
    return seed


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
