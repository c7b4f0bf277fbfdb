"""The generators that training draws from: seeding, reading and restoring all of them at once."""

from __future__ import annotations

import contextlib
import hashlib
import operator
import random
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import torch

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.record.facts.random_states import numpy_state, put_back, python_state

__all__ = [
    "MAX_SEED",
    "fix_seed",
    "fork",
    "get_state",
    "isolate",
    "seed_all",
    "seed_apart",
    "set_state",
]

MAX_SEED = 2**32 - 1  # numpy's limit
MT_WORDS = 624  # of the Mersenne Twister, which Python and numpy have in common
SEED_BYTES = 8  # at the head of torch's state: the seed that it was begun with


def fix_seed(seed: SupportsIndex = 10) -> dict[str, Any]:
    """Seed every generator, and have cuDNN choose deterministic algorithms where there is CUDA.

    Args:
        seed: 0 to 4294967295, the range of numpy's global generator.

    Returns:
        The state right after seeding, as `get_state` gives it.

    Raises:
        UsageError: The seed is no integer of that range.

    >>> _ = fix_seed(1)
    >>> first = random.random(), torch.rand(1).item()
    >>> _ = fix_seed(1)
    >>> first == (random.random(), torch.rand(1).item())
    True
    """
    seed_all(seed)
    if torch.cuda.is_available():
        torch.backends.cudnn.deterministic = True
    return get_state()


def get_state() -> dict[str, Any]:
    """Read the state of every generator.

    Returns:
        Tensors and plain values only, so that `torch.load(weights_only=True)` takes it:
        ``python`` (version, words int64 of shape (625,), gauss), ``numpy`` (key int64 of shape
        (624,), pos, has_gauss, gauss), ``torch`` (uint8), ``cuda`` (a list of uint8, one a device)
        and ``mps`` (uint8 or None); all tensors are copies on the CPU.

    Raises:
        UsageError: numpy's global generator was changed to another than MT19937.
    """
    python, numpy = python_state(), numpy_state(np.random)
    return {
        "python": {**python, "words": _tensor(python["words"])},
        "numpy": {**numpy, "key": _tensor(numpy["key"])},
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state(device) for device in range(_cuda_devices())],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def _tensor(words: list[int]) -> torch.Tensor:
    # by way of numpy, which reads a list in half the time
    return torch.from_numpy(np.array(words, dtype=np.int64))


def set_state(state: Mapping[str, Any]) -> None:
    """Restore every generator that the state holds, or none where the state is damaged.

    Warns where this machine has generators that the state knows nothing of, such as torch's in the
    state of a run that began before torch was imported: they draw on as they were.

    Args:
        state: What `get_state` gave, here or on another machine, tensors on any device, or what a
            run began with (`thexp_pl.record.facts.random_states.read_states`).

    Raises:
        CheckpointError: It is no such state.
    """
    decoded = _decode(state)
    put_back(decoded.python, decoded.numpy, decoded.torch, decoded.cuda, decoded.mps)
    if decoded.missing:
        warnings.warn(
            f"the random state holds nothing for {decoded.missing}, which draw on as they were",
            UserWarning,
            stacklevel=2,
        )


@contextlib.contextmanager
def fork(seed: SupportsIndex) -> Iterator[None]:
    """Draw from freshly seeded generators inside a `with`, and go on after it as if nothing was.

    Args:
        seed: 0 to 4294967295.

    Raises:
        UsageError: The seed is no integer of that range.

    >>> _ = fix_seed(1)
    >>> expected = random.random()
    >>> _ = fix_seed(1)
    >>> with fork(5):
    ...     _ = random.random()
    >>> random.random() == expected
    True
    """
    with isolate():
        seed_all(seed)
        yield


@contextlib.contextmanager
def isolate() -> Iterator[None]:
    """Draw inside a `with` as ever, and go on after it as if nothing was drawn.

    >>> _ = fix_seed(1)
    >>> with isolate():
    ...     inside = random.random()
    >>> random.random() == inside
    True
    """
    before = get_state()
    try:
        yield
    finally:
        set_state(before)


def seed_all(seed: SupportsIndex) -> None:
    """Seed every generator, and change nothing else; see `fix_seed`."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number <= MAX_SEED:
        raise UsageError(f"seed {seed!r}: give an integer from 0 to {MAX_SEED}")
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)  # every CUDA device and MPS too


def seed_apart(rank: int) -> None:
    """Seed every generator by the state that all ranks have in common, and by the rank.

    `torch.initial_seed` stays what it was: from it loaders on all ranks make one common order.

    Args:
        rank: The number of this process; each gives a stream of its own.
    """
    common = torch.get_rng_state()
    digest = hashlib.sha256(common.numpy().tobytes() + rank.to_bytes(8, "little")).digest()
    seed_all(int.from_bytes(digest[:4], "little"))
    state = torch.get_rng_state()
    state[:SEED_BYTES] = common[:SEED_BYTES]
    torch.set_rng_state(state)


class _Decoded(NamedTuple):
    """A state as the libraries take it, and the names of this machine's generators it lacks."""

    python: tuple[Any, ...]
    numpy: tuple[str, Any, int, int, float] | None
    torch: torch.Tensor | None
    cuda: list[torch.Tensor]
    mps: torch.Tensor | None
    missing: str


def _decode(state: Mapping[str, Any]) -> _Decoded:
    """Check a state on generators of its own, so that a damaged one changes nothing."""
    try:
        decoded = _decoded(state)
        random.Random().setstate(decoded.python)
        if decoded.numpy is not None:
            np.random.RandomState().set_state(decoded.numpy)
        if decoded.torch is not None:
            torch.Generator().set_state(decoded.torch)
        for device, one in enumerate(decoded.cuda):
            torch.Generator(f"cuda:{device}").set_state(one)
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"this is no random state of get_state(): {type(error).__name__}: {reason}"
        ) from error
    return decoded


def _decoded(state: Mapping[str, Any]) -> _Decoded:
    devices, has_mps = _cuda_devices(), torch.backends.mps.is_available()
    missing = [name for name in ("numpy", "torch") if state[name] is None]
    missing += [f"cuda:{device}" for device in range(len(state["cuda"]), devices)]
    missing += ["mps"] if has_mps and state["mps"] is None else []
    return _Decoded(
        python=_python(state["python"]),
        numpy=None if state["numpy"] is None else _numpy(state["numpy"]),
        torch=None if state["torch"] is None else _bytes(state["torch"]),
        cuda=[_bytes(one) for one in state["cuda"][:devices]],
        mps=_bytes(state["mps"]) if has_mps and state["mps"] is not None else None,
        missing=", ".join(missing),
    )


def _python(state: Mapping[str, Any]) -> tuple[Any, ...]:
    version, gauss = state["version"], state["gauss"]
    _check("python's version", version, type(version) is int and version == random.getstate()[0])
    _check("python's gauss", gauss, isinstance(gauss, float | None))
    words = _words("python's words", state["words"], MT_WORDS + 1).tolist()
    return version, tuple(words), gauss


def _numpy(state: Mapping[str, Any]) -> tuple[str, Any, int, int, float]:
    pos, has_gauss, gauss = state["pos"], state["has_gauss"], state["gauss"]
    # numpy itself looks at none of these, and draws from outside its key
    _check("numpy's pos", pos, type(pos) is int and 0 <= pos <= MT_WORDS)
    _check("numpy's has_gauss", has_gauss, type(has_gauss) is int and has_gauss in (0, 1))
    _check("numpy's gauss", gauss, isinstance(gauss, float))
    key = _words("numpy's key", state["key"], MT_WORDS).numpy().astype(np.uint32)
    return "MT19937", key, pos, has_gauss, gauss


def _check(what: str, value: Any, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{what} cannot be {value!r}")


def _words(what: str, value: Any, count: int) -> torch.Tensor:
    words = torch.as_tensor(value).cpu()
    if words.dtype != torch.int64 or words.shape != (count,):
        raise ValueError(f"{what} must be {count} integers")
    if not bool(((words >= 0) & (words < 2**32)).all()):
        raise ValueError(f"{what} must be of 32 bits each")
    return words


def _bytes(value: Any) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.uint8).cpu()


def _cuda_devices() -> int:
    # a forked loader worker cannot touch CUDA, and draws nothing from it
    if not torch.cuda.is_available() or torch.cuda._is_in_bad_fork():
        return 0
    return torch.cuda.device_count()
