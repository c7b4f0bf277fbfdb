"""A Saver in a folder of many files: what it has read once it reads again only where it changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from saver_helpers import in_own_process, lose_the_sidecar, main, names

from thexp_pl import Saver
from thexp_pl.saver import known


def count_what_is_read(folder: str) -> None:
    """Print how many sidecars a save opens among many others, and one after a change outside."""
    known.SETTLED_NS = 0  # what is two seconds old counts as settled: not to wait for that here
    opened: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".ckpt.json"):
            opened.append(str(arguments[0]))

    saver = Saver(folder)
    for epoch in range(40):
        saver.save_keypoint(epoch, {})
    sys.addaudithook(watch)
    for change in (lambda: None, lambda: Saver(folder).save_keypoint(0, {}, {"new": 1}, True)):
        change()
        opened.clear()
        saver.save_keypoint(50, {})
        print(len(opened))


def test_a_save_reads_only_the_sidecars_that_are_new(tmp_path: Path) -> None:
    first, second = map(int, in_own_process(count_what_is_read, tmp_path).split())
    assert 1 <= first <= 2  # the last one that was saved
    assert 2 <= second <= 3  # and the one that has changed


def test_savers_of_one_folder_see_each_others_files(tmp_path: Path) -> None:
    savers = [Saver(tmp_path, max_to_keep=4) for _ in range(3)]
    for epoch in range(12):
        savers[epoch % 3].save_checkpoint(epoch, {"epoch": epoch})
        for saver in savers:
            expected = [f"{at:07d}.ckpt" for at in range(max(0, epoch - 3), epoch + 1)]
            assert names(saver.find_checkpoints()) == expected
    lose_the_sidecar(savers[1].find_checkpoints()[-1])
    for saver in savers:
        assert saver.load_checkpoint(-1, byindex=True) == {"epoch": 10}


def test_a_sidecar_that_changes_in_place_is_read_again(tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    path = saver.save_checkpoint(1, {}, {"loss": 0.5})
    saver.keep_best("loss")
    assert saver.best_checkpoint() is not None
    beside = Path(f"{path}.json")
    content = beside.read_bytes()
    for _ in range(20):  # of the same size, within one tick of the clock
        beside.write_bytes(content.replace(b"0.5", b"0.6"))
        assert not saver.find_checkpoints()
        beside.write_bytes(content)
        assert saver.find_checkpoints() == [path]


@pytest.mark.slow
def test_a_thousand_keypoints_are_found_in_the_order_of_saving(tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    saved = [saver.save_keypoint(epoch * 7 % 1000, {}) for epoch in range(1000)]
    assert saver.find_keypoints() == saved == Saver(tmp_path).find_keypoints()


if __name__ == "__main__":
    main(globals())
