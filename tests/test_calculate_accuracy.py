"""accuracy: the share of samples whose class is among the k likeliest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.calculate import accuracy
from thexp_pl.errors import UsageError


@given(st.integers(1, 20), st.integers(2, 8), st.integers(0, 2**31), st.data())
def test_it_counts_the_samples_whose_class_is_among_the_k_largest(
    samples: int, classes: int, seed: int, data: st.DataObject
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.stack([torch.randperm(classes, generator=generator) for _ in range(samples)])
    labels = torch.randint(classes, (samples,), generator=generator)
    ks = data.draw(st.lists(st.integers(1, classes), min_size=1, max_size=3))

    found = accuracy(ranks.double() / classes, labels, ks)

    # the rank of the right class among the scores, which are all different, counted from the top
    from_top = [classes - 1 - int(row[label]) for row, label in zip(ranks, labels, strict=True)]
    wanted = [sum(place < k for place in from_top) / samples for k in ks]
    assert [share.item() for share in found] == pytest.approx(wanted)
    assert all(share.ndim == 0 for share in found)


def test_scores_in_half_precision_and_small_labels_do() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0]], dtype=torch.bfloat16)
    (share,) = accuracy(logits, torch.tensor([0, 0], dtype=torch.uint8))
    assert share.item() == 0.5


@pytest.mark.parametrize(
    ("logits", "labels", "topk", "word"),
    [
        (torch.zeros(3), torch.zeros(3).long(), (1,), "shape"),
        (torch.zeros(3, 2).long(), torch.zeros(3).long(), (1,), "floating point scores"),
        (torch.zeros(3, 2), torch.zeros(3), (1,), "one integer"),
        (torch.zeros(3, 2), torch.zeros(2).long(), (1,), "for each of the 3 samples"),
        (torch.zeros(3, 2), torch.zeros(3, 2).long(), (1,), "for each of the 3 samples"),
        (torch.zeros(0, 2), torch.zeros(0).long(), (1,), "no samples"),
        (torch.zeros(3, 2), torch.zeros(3).long(), (1, 5), "topk=5: .* to 2 classes"),
        (torch.zeros(3, 2), torch.zeros(3).long(), (0,), "topk=0"),
        (torch.zeros(3, 2), torch.zeros(3).long(), 1, r"topk=1: .* such as topk=\(1, 5\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    logits: Any, labels: Any, topk: Any, word: str
) -> None:
    with pytest.raises(UsageError, match=word) as error:
        accuracy(logits, labels, topk)
    assert "\n" not in str(error.value)
