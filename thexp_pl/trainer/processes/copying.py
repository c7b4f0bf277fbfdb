"""A trainer whose copies train, in processes that are spawned or forked: there and back."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset

from thexp_pl.callbacks.progress import full_state
from thexp_pl.data import DataBundler
from thexp_pl.errors import ThexpError, TrainerError
from thexp_pl.trainer.state.attributes import find_attributes
from thexp_pl.trainer.state.checkpoint_state import PARAMS_KEY, plain

if TYPE_CHECKING:
    from thexp_pl.trainer.facade import Trainer

__all__ = ["explain_refusal", "keep_state", "prepare_copy", "take_up_state"]

_FILE = "state.ckpt"
_FACADES_OWN = ("_params", "_options", "_callbacks", "_loaders", "_run", "_calls")
_NOT_COPIED = (pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError)
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


# -- there ---------------------------------------------------------------------------------------


def prepare_copy(facade: Trainer, rank: int) -> None:
    """Have a trainer's copy write as its rank may: rank 0 goes on with the run, others follow it.

    Args:
        facade: The copy, in the process of the rank.
        rank: The rank.
    """
    facade._started().enter_copy(rank)
    _unshare(facade)


def _unshare(facade: Trainer) -> None:
    """Give a spawned copy tensors of its own: torch leaves them in memory that all ranks share.

    Lightning does so for the parameters and buffers of modules; data that is read stays shared.
    """
    waiting: list[Any] = [value for name, value in vars(facade).items() if name not in _FACADES_OWN]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, (Dataset, DataLoader, DataBundler, type)):
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            if value.is_shared():  # type: ignore[no-untyped-call]
                value.data = value.data.clone()
            waiting.append(value.grad if value.is_leaf else None)
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend(value)
        else:
            waiting.append(getattr(value, "__dict__", None))


def explain_refusal(error: Exception, trainer: Any) -> None:
    """Raise what cannot be copied, where that is why no process could be made.

    Args:
        error: What was raised instead.
        trainer: The Lightning Trainer of a facade Trainer.

    Raises:
        TrainerError: An attribute, a loader or a callback cannot be pickled.
    """
    if not isinstance(error, _NOT_COPIED) or isinstance(error, ThexpError):
        return
    for what, value in _parts(trainer.lightning_module.facade):
        try:
            ForkingPickler(BytesIO(), pickle.HIGHEST_PROTOCOL).dump(value)
        except _NOT_COPIED as reason:
            raise TrainerError(
                f"strategy 'ddp_spawn' copies the trainer to each process, and {what} "
                f"({type(value).__name__}) cannot be pickled: {reason}; make it in train_batch, or "
                "use strategy='ddp', which runs the script again"
            ) from None


def _parts(facade: Trainer) -> Iterator[tuple[str, Any]]:
    """Give what a trainer is made of, the user's first."""
    run = facade._started()
    yield f"its class {type(facade).__qualname__}", type(facade)
    for name, value in vars(facade).items():
        if not name.startswith("_") and not hasattr(type(facade), name):
            yield f"its attribute '{name}'", value
    for stage, loader in facade._loaders.items():
        yield f"its '{stage}' loader", loader
    for callback in facade._callbacks:
        yield f"its callback {type(callback).__name__}", callback
    for name, value in vars(facade).items():
        if value is not run and name not in ("_loaders", "_callbacks"):
            yield f"its attribute '{name}'", value


# -- and back ------------------------------------------------------------------------------------


def keep_state(trainer: Any) -> str | None:
    """Write down what a fit ends with; called on all ranks.

    Args:
        trainer: The Lightning Trainer.

    Returns:
        The file, on rank 0.
    """
    state = full_state(trainer)
    if trainer.global_rank != 0:
        return None
    facade = trainer.lightning_module.facade
    path = Path(tempfile.mkdtemp(prefix="thexp_pl-")) / _FILE
    torch.save({"state": state, "plain": _plain_attributes(facade)}, path)
    return str(path)


def take_up_state(trainer: Any, path: str) -> None:
    """Have the trainer that was copied stand where its copy on rank 0 has ended.

    Args:
        trainer: The Lightning Trainer.
        path: What `keep_state` gave; removed.
    """
    facade = trainer.lightning_module.facade
    try:
        # written just now, into a folder that is this user's alone: callbacks may keep anything
        kept = torch.load(path, map_location="cpu", weights_only=False)
    finally:
        shutil.rmtree(Path(path).parent, ignore_errors=True)
    facade._go_on_from(kept["state"])
    for name, value in kept["plain"].items():
        setattr(facade, name, value)
    settings = plain(facade.params.settings())
    for name, value in kept["state"][PARAMS_KEY].items():
        if name not in settings or settings[name] != value:  # it was changed while it trained
            facade.params.update({name: value})


def _plain_attributes(facade: Trainer) -> dict[str, Any]:
    """Give what a checkpoint leaves out and a file can hold: texts, lists, dicts and the like."""
    attributes = vars(facade)
    found = find_attributes(attributes)
    known = {*found.modules, *found.optimizers, *found.others}
    return {
        name: value
        for name, value in attributes.items()
        if name not in known and not name.startswith("_") and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return type(value) is torch.Tensor
    if type(value) is dict:
        return all(_is_plain(one) for pair in value.items() for one in pair)
    if type(value) in (list, tuple, set):
        return all(_is_plain(one) for one in value)
    return type(value) in _PLAIN
