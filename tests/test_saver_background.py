"""A Saver in the background: order, bounds, errors, and what stays the user's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saver_helpers import SECONDS, Gate, Waiting, files, names, state_of

from thexp_pl import Saver


@pytest.fixture
def gate() -> Iterator[Gate]:
    Gate.entered.clear()
    Gate.opened.clear()
    yield Gate()
    Gate.opened.set()


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[Saver]:
    saver = Saver(tmp_path / "sav", background=True)
    yield saver
    Gate.opened.set()
    saver.close()


def test_a_save_returns_before_it_is_written(saver: Saver, gate: Gate) -> None:
    path = saver.save_checkpoint(1, {"gate": gate})
    assert gate.entered.wait(SECONDS)
    assert not path.exists()
    gate.opened.set()
    saver.flush()
    assert path.exists()


def test_saves_are_written_in_the_order_of_the_calls(tmp_path: Path) -> None:
    written: list[Path] = []
    with Saver(tmp_path, None, background=True, on_commit=written.append) as saver:
        given = [saver.save_checkpoint(epoch, state_of(epoch)) for epoch in (5, 3, 3, 9)]
        given.append(saver.save_model(1, {}))
        assert saver.find_checkpoints() == given[:4]
    assert written == given
    assert names(given) == [
        "0000005.ckpt",
        "0000003.ckpt",
        "1000003.ckpt",
        "0000009.ckpt",
        "model.0000001.pth",
    ]


def test_whatever_reads_sees_what_was_given_before(saver: Saver, capsys) -> None:
    path = saver.save_checkpoint(4, {})
    assert saver.find_checkpoints() == [path]
    path = saver.save_checkpoint(5, state_of(5), {"epoch": 5})
    assert saver.load_state_dict(path)[1] == {"epoch": 5}
    saver.save_checkpoint(6, state_of(6), {"epoch": 6})
    assert saver.load_latest_checkpoint()["value"] == 6
    saver.save_checkpoint(7, state_of(7), {"epoch": 7})
    assert saver.checkpoint_info(7) == {"epoch": 7}
    saver.save_checkpoint(8, {})
    saver.summary()
    assert "0000008.ckpt" in capsys.readouterr().out
    saver.save_checkpoint(9, {})
    saver.clear_checkpoints()
    assert not files(saver.dir)


def test_two_saves_are_held_and_the_third_waits(saver: Saver, gate: Gate) -> None:
    events: list[str] = []

    class Copied:
        def __reduce__(self) -> tuple[Any, ...]:
            if threading.current_thread() is third:
                events.append("third copied")
            return (int, ())

    third = threading.Thread(target=lambda: saver.save_checkpoint(3, {"a": Copied()}))
    saver.save_checkpoint(1, {"gate": gate})
    saver.save_checkpoint(2, {})
    third.start()
    third.join(0.3)  # were it not to wait, it would be done by then
    events.append("opened")
    gate.opened.set()
    third.join(SECONDS)
    saver.flush()
    assert events == ["opened", "third copied"]
    assert names(saver.find_checkpoints()) == [f"000000{epoch}.ckpt" for epoch in (1, 2, 3)]


def test_names_that_are_promised_are_not_given_twice(saver: Saver, gate: Gate) -> None:
    first = saver.save_checkpoint(1, {"gate": gate})
    second = saver.save_checkpoint(1, {"second": True}, replacement=False)
    gate.opened.set()
    third = saver.save_checkpoint(1, {"third": True}, replacement=True)
    assert names([first, second, third]) == ["0000001.ckpt", "1000001.ckpt", "1000001.ckpt"]
    assert saver.load_checkpoint(second) == {"third": True}
    assert len(saver.find_checkpoints()) == 2


def test_a_name_that_another_process_takes_meanwhile_is_not_overwritten(
    tmp_path: Path, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    committed: list[Path] = []
    saver = Saver(tmp_path, background=True, on_commit=committed.append)
    promised = saver.save_checkpoint(1, {"a": Waiting()})
    assert gate.entered.wait(SECONDS)
    Saver(tmp_path).save_checkpoint(1, {"a": "another's"})
    gate.opened.set()
    with caplog.at_level(logging.WARNING, "thexp_pl.saver"):
        saver.flush()
    assert saver.load_checkpoint(promised) == {"a": "another's"}
    assert names(committed) == ["1000001.ckpt"]
    assert saver.load_checkpoint(committed[0]) == {"a": 1}
    assert "1000001.ckpt" in caplog.text
