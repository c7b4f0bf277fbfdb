"""The built-in demo: its data, and how well its trainer learns them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trainer_helpers import ended_runs, start  # noqa: F401 - a fixture of every test here

from thexp_pl.demo import DigitsParams, DigitsTrainer, load_digits


def test_the_digits_are_split_in_two_parts_with_all_the_images() -> None:
    train, held_out = load_digits()

    assert (len(train), len(held_out)) == (1437, 360)
    for images, labels in (train.tensors, held_out.tensors):
        assert images.shape == (len(labels), 1, 8, 8)
        assert images.dtype == torch.float32
        assert (images.min().item(), images.max().item()) == (0.0, 1.0)
        assert labels.dtype == torch.int64
        assert set(labels.tolist()) == set(range(10))


def test_the_split_does_not_depend_on_any_random_state() -> None:
    first = load_digits()
    torch.manual_seed(123)
    second = load_digits()

    for one, two in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.tensors, two.tensors, strict=True))
    images, labels = first[1].tensors
    assert labels[:12].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5, 2, 8]
    assert images.sum().item() == 7003.1875


def test_no_image_is_in_both_parts() -> None:
    train, held_out = load_digits()
    seen = {tuple(image.flatten().tolist()) for image in train.tensors[0]}

    assert not any(tuple(image.flatten().tolist()) in seen for image in held_out.tensors[0])


@pytest.mark.parametrize("lr", [None, 0.01])
def test_the_demo_reaches_95_percent_on_what_it_has_not_seen(
    lr: float | None, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    epoch = DigitsParams().epoch
    assert DigitsTrainer.params_class() is DigitsParams
    trainer = start(DigitsTrainer, tmp_path, epoch)
    if lr is not None:
        trainer.optim.param_groups[0]["lr"] = lr

    trainer.train()

    _, held_out = load_digits()
    images, labels = held_out.tensors
    accuracy = (trainer.predict([images]) == labels).float().mean().item()
    assert accuracy >= 0.95
    assert trainer.experiment.metrics["eval_acc"]["last"] == pytest.approx(accuracy)
