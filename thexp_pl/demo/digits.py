"""The UCI optical digits, shipped with the package; see ``LICENSE-digits.txt`` beside this file."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import torch
from torch.utils.data import TensorDataset

__all__ = ["load_digits"]

_HELD_OUT = 360  # of 1,797; the others train


def load_digits() -> tuple[TensorDataset, TensorDataset]:
    """Load the handwritten digits, split into 1,437 images to train on and 360 held out.

    The split is fixed and independent of any random state.

    Returns:
        Two datasets of pairs: an image, float32 of shape (1, 8, 8) from 0 to 1 on the CPU, and its
        digit, a 0-d int64.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998, https://doi.org/10.24432/C50P49.

    >>> train, held_out = load_digits()
    >>> len(train), len(held_out), tuple(train[0][0].shape)
    (1437, 360, (1, 8, 8))
    """
    with (files(__package__) / "digits.npz").open("rb") as file, np.load(file) as data:
        images = torch.from_numpy(data["images"]).float().div(16).unsqueeze(1)
        labels = torch.from_numpy(data["labels"]).long()
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(images)))
    train, held_out = order[_HELD_OUT:], order[:_HELD_OUT]
    return TensorDataset(images[train], labels[train]), TensorDataset(
        images[held_out], labels[held_out]
    )
