"""The states of the global random generators as plain values, and the file that keeps them.

No library is imported for its state: where numpy or torch is not loaded, nothing has drawn from it,
and its state is None.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json, write_bytes
from thexp_pl.errors import UsageError

__all__ = [
    "SUFFIX",
    "loaded_states",
    "numpy_state",
    "put_back",
    "put_back_loaded",
    "python_state",
    "read_states",
    "write_states",
]

SUFFIX = ".rnd"
_FORMAT = "thexp_pl random state 1"
_OF_NUMPY = ("key", "pos", "has_gauss", "gauss")


def loaded_states() -> dict[str, Any]:
    """Read the states of the generators whose libraries are loaded, and initialise none.

    Returns:
        What `thexp_pl.rnd.get_state` gives, with lists of integers in place of tensors: ``python``;
        ``numpy`` and ``torch``, None where they are not loaded or, of numpy, where its global
        generator is another than MT19937; ``cuda``, empty unless the script has initialised it;
        ``mps``, None where there is none.
    """
    numpy_random = sys.modules.get("numpy.random")
    try:
        numpy = numpy_state(numpy_random) if hasattr(numpy_random, "get_state") else None
    except UsageError:
        numpy = None
    torch: Any = sys.modules.get("torch")
    states: dict[str, Any] = {
        "python": python_state(),
        "numpy": numpy,
        "torch": None,
        "cuda": [],
        "mps": None,
    }
    if not hasattr(torch, "get_rng_state") or not hasattr(torch, "backends"):  # or half imported
        return states
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    return states | {
        "torch": torch.get_rng_state().tolist(),
        "cuda": [torch.cuda.get_rng_state(device).tolist() for device in devices],
        "mps": torch.mps.get_rng_state().tolist() if torch.backends.mps.is_available() else None,
    }


def python_state() -> dict[str, Any]:
    """Read the state of Python's `random`.

    Returns:
        ``version``, ``words`` (625 integers of 32 bits) and ``gauss`` (a float or None).
    """
    version, words, gauss = random.getstate()
    return {"version": version, "words": list(words), "gauss": gauss}


def numpy_state(numpy_random: Any) -> dict[str, Any]:
    """Read the state of numpy's global generator.

    Args:
        numpy_random: The module `numpy.random`.

    Returns:
        ``key`` (624 integers of 32 bits), ``pos``, ``has_gauss`` and ``gauss``.

    Raises:
        UsageError: It was changed to another than MT19937.
    """
    state = numpy_random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise UsageError(
            f"numpy's global generator is {state['bit_generator']}, but only its default MT19937 "
            "can be saved: keep yours in a numpy.random.Generator of your own"
        )
    return {
        "key": state["state"]["key"].tolist(),
        "pos": int(state["state"]["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def put_back(
    python: tuple[Any, ...], numpy: Any, torch: Any, cuda: Iterable[Any], mps: Any
) -> None:
    """Put the generators of the loaded libraries back; what is None stays as it is.

    Args:
        python: As `random.setstate` takes it.
        numpy: As `numpy.random.set_state` takes it.
        torch: A tensor of uint8 on the CPU, and so are the others.
        cuda: One a device.
        mps: Of the device mps.
    """
    random.setstate(python)
    if numpy is not None:
        sys.modules["numpy.random"].set_state(numpy)
    library: Any = sys.modules.get("torch")
    if torch is not None:
        library.set_rng_state(torch)
    for device, one in enumerate(cuda):
        library.cuda.set_rng_state(one, device)
    if mps is not None:
        library.mps.set_rng_state(mps)


def put_back_loaded(states: Mapping[str, Any]) -> None:
    """Put back what `loaded_states` gave, of the generators that are loaded here.

    Args:
        states: What `read_states` gave of a run's start.

    Raises:
        LookupError: It is no such state.
        TypeError: Likewise.
        ValueError: Likewise.
    """
    python, numpy = states["python"], states["numpy"]
    has_numpy = numpy is not None and hasattr(sys.modules.get("numpy.random"), "set_state")
    torch: Any = sys.modules.get("torch")
    has_torch = hasattr(torch, "set_rng_state") and hasattr(torch, "backends")

    def tensor(words: list[int] | None) -> Any:
        return None if words is None else torch.tensor(words, dtype=torch.uint8)

    devices = torch.cuda.device_count() if has_torch and torch.cuda.is_available() else 0
    has_mps = has_torch and torch.backends.mps.is_available()
    put_back(
        (python["version"], tuple(python["words"]), python["gauss"]),
        ("MT19937", *(numpy[name] for name in _OF_NUMPY)) if has_numpy else None,
        tensor(states["torch"]) if has_torch else None,
        [tensor(one) for one in states["cuda"][:devices]],
        tensor(states["mps"]) if has_mps else None,
    )


def write_states(path: Path, states: dict[str, Any]) -> str:
    """Keep states in a file; an older one of that name is replaced in one step.

    Args:
        path: The file; its stem is noted in it as the states' name.
        states: As `loaded_states` gives them.

    Returns:
        The SHA-256 of the file.

    Raises:
        OSError: It cannot be written; the older one is untouched.
    """
    content = {"format": _FORMAT, "name": path.stem, "sha256": _digest(states), "state": states}
    data = _text(content) + b"\n"
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def read_states(path: Path) -> dict[str, Any]:
    """Read states back; whether they can be set is for `thexp_pl.rnd.set_state` to say.

    Args:
        path: The file.

    Returns:
        The states.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds no states, or others than were written; the message goes on where the
            path was named.
    """
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"is damaged or no random state: {error}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError("is no random state of this version of thexp_pl")
    if content.get("name") != path.stem:  # "A" and "a" are one file to some file systems
        raise ValueError(f"holds the random state {content.get('name')!r}")
    states = content.get("state")
    if not isinstance(states, dict) or content.get("sha256") != _digest(states):
        raise ValueError("is damaged: its sha256 does not fit its state")
    return states


def _digest(states: dict[str, Any]) -> str:
    return hashlib.sha256(_text(states)).hexdigest()


def _text(value: dict[str, Any]) -> bytes:
    # All is plain already; `jsonable.dumps` would look at each of 6,000 numbers again.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )
