"""The board of a run that goes on in its own folder, as TensorBoard shows it."""

from __future__ import annotations

import os
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from thexp_pl.loggers.board import Board


def board(folder: Path, first: int, last: int, value: float, *, goes_back: bool) -> None:
    """Have a process show a value at some steps."""
    opened = Board(folder, report=raise_it, goes_back=goes_back)
    for step in range(first, last):
        opened.add_scalars(step, {"loss": value})
    opened.close()


def raise_it(error: Exception) -> None:
    raise error


def shown(folder: Path) -> list[tuple[int, float]]:
    accumulator = EventAccumulator(os.fspath(folder)).Reload()
    return [(event.step, event.value) for event in accumulator.Scalars("loss")]


def test_what_was_shown_after_the_checkpoint_gives_way(tmp_path: Path) -> None:
    board(tmp_path, 0, 6, 1.0, goes_back=False)
    board(tmp_path, 3, 5, 2.0, goes_back=True)
    assert shown(tmp_path) == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_a_board_that_only_goes_on_leaves_what_is_there(tmp_path: Path) -> None:
    board(tmp_path, 0, 3, 1.0, goes_back=False)
    board(tmp_path, 2, 4, 2.0, goes_back=False)
    assert len(shown(tmp_path)) == 5
