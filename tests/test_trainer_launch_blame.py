"""Which rank is blamed where a connection broke, of several that have written how they ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from thexp_pl.strategies.peers import Loss
from thexp_pl.trainer.processes import failures

FAILED = {"type": "TrainerError", "message": "ranks 0, 1 on north no longer answer"}


@pytest.fixture
def trainer() -> Any:
    facade = SimpleNamespace(experiment=SimpleNamespace(paths=None))
    return SimpleNamespace(global_rank=0, lightning_module=SimpleNamespace(facade=facade))


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the ranks 1 and 2 have written: the second, cut off with rank 3, blames this machine."""
    written = [
        {"rank": 1, "status": "running", "cause": None},
        {"rank": 2, "status": "failed", "cause": FAILED},
    ]
    run = SimpleNamespace(status="running", cause=None, ranks=written)
    looks = iter(range(1000))

    def read(paths: object) -> Any:
        if next(looks) == 2:  # rank 1 writes later than rank 2
            written[0] = {"rank": 1, "status": "failed", "cause": {"message": "2, 3 are silent"}}
        return run

    monkeypatch.setattr(failures, "read_run", read)
    return written


@pytest.mark.usefixtures("ranks")
def test_the_rank_whose_connection_broke_is_waited_for(trainer: Any) -> None:
    assert failures._reason(trainer, Loss([1], "north")) == "rank 1 was failed: 2, 3 are silent"


@pytest.mark.usefixtures("ranks")
@pytest.mark.parametrize("loss", [None, Loss([0], "north")])
def test_where_nobody_knows_which_that_was_the_first_that_has_written_is(
    trainer: Any, loss: Loss | None
) -> None:
    assert failures._reason(trainer, loss) == f"rank 2 failed: TrainerError: {FAILED['message']}"
