"""Keeping the best checkpoints of a Saver, and finding them."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saver_helpers import names

from thexp_pl import Saver
from thexp_pl.errors import UsageError


def saved(saver: Saver, *losses: object) -> list[str]:
    """Save an epoch for each loss (None: an info without it); give the names that are left."""
    for epoch, loss in enumerate(losses):
        saver.save_checkpoint(epoch, {}, {} if loss is None else {"loss": loss})
    return [path.name[6] for path in saver.find_checkpoints()]


@pytest.fixture
def saver(tmp_path: Path) -> Saver:
    return Saver(tmp_path, max_to_keep=1)


def test_the_best_stay_besides_the_newest(saver: Saver) -> None:
    saver.keep_best("loss", n=2)
    assert saved(saver, 0.5, 0.1, 0.4, 0.3, 0.9) == ["1", "3", "4"]
    assert saver.best_checkpoint() == saver.dir / "0000001.ckpt"


def test_with_max_the_greatest_is_the_best(saver: Saver) -> None:
    saver.keep_best("loss", "max")
    assert saved(saver, 0.5, 0.9, 0.4) == ["1", "2"]


def test_of_equals_the_one_saved_first_is_the_best(saver: Saver) -> None:
    saver.keep_best("loss")
    assert saved(saver, 0.5, 0.2, 0.2, 0.2) == ["1", "3"]


def test_what_is_no_finite_number_is_never_the_best(saver: Saver) -> None:
    saver.keep_best("loss")
    values = (math.nan, None, -math.inf, "-5", True, [0], torch.tensor(0.5), 0.7)
    assert saved(saver, *values) == ["6", "7"]


@pytest.mark.parametrize(
    "value",
    [
        Decimal("0.5"),
        Fraction(1, 2),
        np.float32(0.5),
        np.array([0.5]),
        torch.tensor([[0.5]], dtype=torch.bfloat16),
        torch.nn.Parameter(torch.tensor([0.5])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_float_takes_counts_and_is_recorded_as_a_number(
    saver: Saver, value: object
) -> None:
    saver.keep_best("loss")
    assert saved(saver, 0.6, value, 0.7) == ["1", "2"]
    assert saver.checkpoint_info(1) == {"loss": 0.5}
    assert Saver(saver.dir).best_checkpoint() == saver.dir / "0000001.ckpt"


@pytest.mark.parametrize(
    "value",
    [
        np.bool_(False),
        torch.tensor([False]),
        np.array(["-5"]),
        b"-5",
        1j,
        torch.zeros(2),
        Decimal("-Infinity"),
        Fraction(-(10**400)),
        Decimal("sNaN"),
        torch.tensor([math.nan]),
    ],
    ids=repr,
)
def test_truth_text_and_what_is_not_one_finite_number_are_passed_over(
    tmp_path: Path, value: object
) -> None:
    saver = Saver(tmp_path, max_to_keep=1)
    saver.keep_best("loss")
    assert saved(saver, 0.6, value, 0.7) == ["0", "2"]
    keeping_all = Saver(tmp_path / "plain", None)
    saved(keeping_all, value)
    other = Saver(tmp_path / "best", None)
    other.keep_best("loss")
    saved(other, value)
    assert keeping_all.checkpoint_info(0) == other.checkpoint_info(0), "recorded as ever"


def test_a_value_is_compared_as_it_is_however_large(saver: Saver) -> None:
    saver.keep_best("loss", "max")
    assert saved(saver, 1e308, 10**400, 10**399) == ["1", "2"]


def test_another_saver_finds_the_best_by_what_the_sidecars_say(saver: Saver) -> None:
    saver.keep_best("acc", "max")
    for epoch, acc in enumerate([0.1, 0.8, 0.3]):
        saver.save_checkpoint(epoch, {}, {"acc": acc, "loss": acc})
    record = json.loads(Path(saver.dir, "0000002.ckpt.json").read_text())["_record"]
    assert record["best"] == {"monitor": "acc", "mode": "max"}
    assert Saver(saver.dir).best_checkpoint() == saver.dir / "0000001.ckpt"
    saver.keep_best("loss")  # from here on another one is meant
    saver.save_checkpoint(3, {}, {"acc": 0.5, "loss": 0.05})
    assert Saver(saver.dir).best_checkpoint() == saver.dir / "0000003.ckpt"


def test_where_the_best_was_not_kept_there_is_none(saver: Saver) -> None:
    saved(saver, 0.5, 0.2)
    assert saver.best_checkpoint() is None
    assert Saver(saver.dir / "empty").best_checkpoint() is None


def test_a_record_that_someone_else_wrote_names_no_best(saver: Saver) -> None:
    saver.keep_best("loss")
    saved(saver, 0.5)
    beside = saver.dir / "0000000.ckpt.json"
    for best in ("[]", '"loss"', '{"monitor": "loss", "mode": "median"}', '{"mode": "min"}'):
        content = json.loads(beside.read_text())
        content["_record"].pop("sidecar_sha256", None)  # as the earliest ones are
        content["_record"]["best"] = json.loads(best)
        beside.write_text(json.dumps(content))
        assert Saver(saver.dir).best_checkpoint() is None
        assert len(Saver(saver.dir).find_checkpoints()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("",), "monitor=''"),
        ((3,), "monitor=3"),
        (("loss", "maxi"), "did you mean 'max'"),
        (("loss", None), "mode=None"),
        (("loss", "min", 0), "n=0"),
        (("loss", "min", True), "n=True"),
    ],
)
def test_what_cannot_be_meant_is_refused(saver: Saver, arguments: tuple, told: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        saver.keep_best(*arguments)
    assert "\n" not in str(error.value)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, None, math.nan]), max_size=8),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["min", "max"]),
    st.booleans(),
)
def test_what_stays_is_the_newest_and_the_best(
    tmp_path_factory: pytest.TempPathFactory, losses, newest, n, mode, background
) -> None:
    saver = Saver(tmp_path_factory.mktemp("best"), newest, background=background)
    saver.keep_best("loss", mode, n)
    expected: list[int] = []
    for epoch, loss in enumerate(losses):
        saver.save_checkpoint(epoch, {}, {"loss": loss})
        expected.append(epoch)
        valued = [at for at in expected if losses[at] is not None and not math.isnan(losses[at])]
        ranked = sorted(valued, key=lambda at: losses[at], reverse=mode == "max")
        expected = sorted({*expected[-newest:], *ranked[:n]})
    assert names(saver.find_checkpoints()) == [f"000000{epoch}.ckpt" for epoch in expected]
    best = saver.best_checkpoint()
    assert (best.name if best else None) == (
        f"000000{ranked[0]}.ckpt" if losses and ranked else None
    )
