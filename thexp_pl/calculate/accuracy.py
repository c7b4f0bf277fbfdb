"""How often the right class is among those that a model finds likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thexp_pl.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["accuracy"]


def accuracy(logits: Tensor, labels: Tensor, topk: Sequence[int] = (1,)) -> tuple[Tensor, ...]:
    """Give the share of samples whose class is among the k likeliest, for each k.

    For other tasks and averages, and to count over an epoch without a Meter, take torchmetrics:
    ``torchmetrics.classification.MulticlassAccuracy``.

    Args:
        logits: Scores, of any floating dtype and of shape (samples, classes); the larger, the
            likelier. Probabilities do as well.
        labels: The right classes, integers of shape (samples,), on the same device.
        topk: The values of k, each from 1 to the number of classes.

    Returns:
        For each k a 0-d tensor from 0 to 1 on that device; it is not waited for.

    Raises:
        UsageError: The shapes or types do not fit, there is no sample, or a k is none.

    Source: thexp's ``calculate.accuracy``; computed by torchmetrics' ``multiclass_accuracy``.

    >>> import torch
    >>> logits = torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.1, 0.6]])
    >>> [share.item() for share in accuracy(logits, torch.tensor([1, 0]), topk=(1, 2))]
    [0.5, 1.0]
    """
    _check(logits, labels, topk)
    from torchmetrics.functional.classification import multiclass_accuracy  # a second to import

    classes = logits.shape[1]
    return tuple(
        # its own checks of the values would wait for the device
        multiclass_accuracy(logits, labels, classes, "micro", top_k=k, validate_args=False)
        for k in topk
    )


def _check(logits: Tensor, labels: Tensor, topk: Sequence[int]) -> None:
    if logits.ndim != 2 or not logits.is_floating_point():
        raise UsageError(
            f"logits of shape {tuple(logits.shape)} and {logits.dtype}: accuracy takes floating "
            "point scores of shape (samples, classes)"
        )
    is_whole = not (labels.is_floating_point() or labels.is_complex())
    if labels.shape != logits.shape[:1] or not is_whole:
        raise UsageError(
            f"labels of shape {tuple(labels.shape)} and {labels.dtype}: accuracy takes one integer "
            f"for each of the {len(logits)} samples"
        )
    if not len(labels):
        raise UsageError("no samples: there is no accuracy of nothing")
    if not isinstance(topk, Sequence):
        raise UsageError(f"topk={topk!r}: give a sequence of numbers, such as topk=(1, 5)")
    for k in topk:
        if type(k) is not int or not 1 <= k <= logits.shape[1]:
            raise UsageError(f"topk={k!r}: give whole numbers from 1 to {logits.shape[1]} classes")
