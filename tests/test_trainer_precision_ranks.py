"""float16 mixed precision on two ranks: they agree on every scale and every skipped step."""

from __future__ import annotations

import torch
from ddp_helpers import Deed, together
from precision_helpers import assert_same
from precision_ranks import by_hand


def test_two_ranks_scale_skip_and_clip_as_one_and_equal_the_averages_by_hand() -> None:
    (outcomes,) = together([Deed("precision_ranks:train", world=2)])
    for one in outcomes:
        assert isinstance(one, dict), one
    first, second = outcomes
    expected = by_hand(2)

    assert_same(first, second)
    assert first["skipped"] == [False, False, True, False, False, False]
    assert first["scale"] == expected["scale"]
    torch.testing.assert_close(first["weights"], expected["weights"], rtol=0, atol=1e-6)
