"""`verify` says "identical" of what it has compared: all that two runs have kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from thexp_pl import Experiment, ExperimentViewer, Saver
from thexp_pl.rerun import Verdict, verify
from thexp_pl.runs import Run

Keeps = Callable[[Experiment, Any], None]


def recorded(root: Path, keeps: Keeps, value: Any) -> Run:
    with Experiment(root, "a", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 1.0})
        keeps(exp, value)
    return ExperimentViewer([root]).run(exp.key)


def compare(root: Path, keeps: Keeps, one: Any, other: Any, *ignore: str) -> Verdict:
    first, second = recorded(root, keeps, one), recorded(root, keeps, other)
    return verify(first, second, ignore=ignore)


def saver(exp: Experiment, name: str = "modules") -> Saver:
    return Saver(exp.hold_exp_part(name, [".ckpt", ".pth"]))


def in_a_model_without_tensors(exp: Experiment, value: Any) -> None:
    saver(exp).save_model(1, {"coefficients": [1, value]})


def beside_a_tensor(exp: Experiment, value: Any) -> None:
    saver(exp).save_model(9, {"alpha": value, "w": torch.zeros(2)})


def in_a_checkpoint_after_an_early_model(exp: Experiment, value: Any) -> None:
    saver(exp).save_model(1, {"w": torch.zeros(3)})
    for epoch in (2, 3):
        saver(exp).save_checkpoint(epoch, {"w": torch.tensor([float(value)])})


def in_the_second_of_two_folders(exp: Experiment, value: Any) -> None:
    saver(exp, "disc").save_model(1, {"w": torch.zeros(2)})
    saver(exp, "gen").save_model(1, {"w": torch.tensor([float(value)])})


def beside_the_state_dict(exp: Experiment, value: Any) -> None:
    state = {"state_dict": {"w": torch.zeros(2)}, "thexp_pl_attributes": {"ema": torch.ones(3)}}
    state["thexp_pl_attributes"]["ema"] *= value
    saver(exp).save_checkpoint(1, state)


def in_the_optimizer(exp: Experiment, value: Any) -> None:
    state = {"state": {0: {"momentum_buffer": torch.tensor([float(value)])}}}
    saver(exp).save_checkpoint(
        1, {"state_dict": {"w": torch.zeros(2)}, "optimizer_states": [state]}
    )


def in_a_file_of_torch_save(exp: Experiment, value: Any) -> None:
    folder = Path(exp.hold_exp_part("weights", [".pt"]))
    torch.save({"w": torch.tensor([float(value)])}, folder / "final.pt")


def in_an_array(exp: Experiment, value: Any) -> None:
    saver(exp).save_model(1, {"a": np.array([1.0, value]), "n": np.float64(value)})


def in_a_file_of_something_else(exp: Experiment, value: Any) -> None:
    Path(exp.hold_exp_part("weights", [".pt"]), "final.pt").write_text(f"not of torch: {value}")


def in_the_epoch_alone(exp: Experiment, value: Any) -> None:
    saver(exp).save_checkpoint(int(value), {"w": torch.zeros(2)})


KEEPS = [
    in_a_model_without_tensors,
    beside_a_tensor,
    in_a_checkpoint_after_an_early_model,
    in_the_second_of_two_folders,
    beside_the_state_dict,
    in_the_optimizer,
    in_a_file_of_torch_save,
    in_an_array,
    in_a_file_of_something_else,
    in_the_epoch_alone,
]


@pytest.mark.parametrize("keeps", KEEPS)
def test_a_difference_is_seen_wherever_it_is_kept(keeps: Keeps, tmp_path: Path) -> None:
    same = compare(tmp_path, keeps, 3, 3)
    assert same.identical, str(same)
    assert str(same).startswith("identical: 1 values of metrics, ")
    other = compare(tmp_path, keeps, 3, 4)
    assert not other.identical
    assert str(other).startswith("diverged: ")
    assert (other.metrics, other.values) == ("", 1)


def test_the_line_names_the_files_that_were_compared(tmp_path: Path) -> None:
    told = str(compare(tmp_path, in_a_checkpoint_after_an_early_model, 3, 3))
    assert told.endswith(
        "2 tensors and 0 other values of modules/0000003.ckpt, modules/model.0000001.pth"
    )
    told = str(compare(tmp_path, in_the_second_of_two_folders, 3, 4))
    assert "differ in 1 of 1 tensors, first in w of gen/model.0000001.pth" in told
    told = str(compare(tmp_path, beside_a_tensor, "slow", "fast"))
    assert "first in alpha of modules/model.0000009.pth ('slow' then, 'fast' now)" in told


def test_numbers_are_compared_to_the_bit_and_by_their_kind(tmp_path: Path) -> None:
    nan = float("nan")
    for same in (nan, -0.0, 10**5000, None, "", {"a": [(), {1: nan}]}, np.float32(0.1)):
        assert compare(tmp_path, beside_a_tensor, same, same).identical, same
    for one, other in ((0.0, -0.0), (1, True), (1, 1.0), (None, 0), ([1], [1, 1]), ([2], 2)):
        assert not compare(tmp_path, beside_a_tensor, one, other).identical, (one, other)
    assert not compare(tmp_path, beside_a_tensor, 10**5000, 10**5000 + 1).identical


def test_places_keys_and_versions_are_no_difference(tmp_path: Path) -> None:
    def keeps(exp: Experiment, value: Any) -> None:
        state = {
            "pytorch-lightning_version": value,
            "callbacks": {
                "ModelCheckpoint": {f"/run/{exp.key}/epoch=1.ckpt": 1.5, "dirpath": f"/{value}"},
                "Timer": {"time_elapsed": {"train": value}},
                "RndCallback": {"ranks": {0: {"python": value}}},
            },
            "run": f"digits/{exp.key}",
        }
        saver(exp).save_checkpoint(1, state)

    verdict = compare(tmp_path, keeps, "1", "2")
    assert verdict.identical, str(verdict)
    assert (verdict.tensors, verdict.others) == (0, 2)


def test_what_is_ignored_is_ignored_in_the_files_as_well_and_no_weights_by_chance(
    tmp_path: Path,
) -> None:
    def keeps(exp: Experiment, value: Any) -> None:
        state = {"callback_metrics": {"time/step": value}, "w": torch.tensor([1.0, 2.0])}
        saver(exp).save_checkpoint(1, state)

    assert not compare(tmp_path, keeps, 0.1, 0.2).identical
    assert compare(tmp_path, keeps, 0.1, 0.2, "time/*").identical
    assert compare(tmp_path, keeps, 0.1, 0.2, "callback_metrics.*").identical
    assert not compare(tmp_path, in_a_file_of_torch_save, 1, 2, "w").identical


def test_a_file_that_one_run_alone_has_kept_is_named(tmp_path: Path) -> None:
    def keeps(exp: Experiment, value: Any) -> None:
        in_a_file_of_torch_save(exp, 1)
        if value:
            torch.save({}, Path(exp.hold_exp_part("weights"), "more.pt"))

    told = compare(tmp_path, keeps, False, True).weights
    assert told == "weights/more.pt is kept by one run alone"


def test_files_that_hold_nothing_are_nothing_to_compare(tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        with Experiment(tmp_path, "a", code=False, console=False) as exp:
            saver(exp).save_checkpoint(1, {})
        runs.append(ExperimentViewer([tmp_path]).run(exp.key))
    verdict = verify(*runs)
    assert not verdict.identical
    assert str(verdict).startswith("nothing to compare")


def test_a_state_that_holds_itself_ends(tmp_path: Path) -> None:
    def keeps(exp: Experiment, value: Any) -> None:
        state: dict[str, Any] = {}
        state["again"] = state
        torch.save(state, Path(exp.hold_exp_part("weights", [".pt"]), "final.pt"))

    assert "holds more than" in compare(tmp_path, keeps, 0, 0).weights
