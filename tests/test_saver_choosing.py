"""`checkpoint_path`: the words that name a checkpoint."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.errors import CheckpointError, RecordError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.saver import Saver, checkpoint_path
from thexp_pl.saver.choosing import NotFoundError


class Recorded:
    """A run that has ended."""

    def __init__(self, root: str | Path, name: str, *saved: dict[str, Any], best: str = "") -> None:
        run = Experiment(root, name, code=False, console=False)
        run.start_exp()
        self.key = run.key
        self.modules = run.hold_exp_part("modules", [".ckpt", ".pth"])
        self.saver = Saver(self.modules, max_to_keep=2, run_key=run.key)
        if best:
            self.saver.keep_best(best, "max")
        for epoch, info in enumerate(saved, start=1):
            self.saver.save_checkpoint(epoch, {"epoch": epoch, "key": run.key}, info)
        run.end_exp()

    def path(self, epoch: int) -> Path:
        return self.modules / f"{epoch:07d}.ckpt"


def flip(path: Path) -> None:
    """Change one bit in the midst of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# -- last ------------------------------------------------------------------------------------------


def test_last_is_the_newest_of_the_latest_run_that_has_one(tmp_path: Path) -> None:
    Recorded(tmp_path, "digits", {}, {}, {})
    latest = Recorded(tmp_path, "digits", {}, {})
    Recorded(tmp_path, "digits")  # it has saved nothing yet
    Recorded(tmp_path, "other", {})
    assert checkpoint_path("last", experiment="digits", root=tmp_path) == latest.path(2)
    assert checkpoint_path("last", experiment="digits") == latest.path(2)


def test_without_an_experiment_it_is_that_of_the_run_that_started_last(tmp_path: Path) -> None:
    Recorded(tmp_path / "a", "digits", {}, {}, {})
    own = Recorded(tmp_path / "b", "digits", {})
    Recorded(tmp_path / "b", "digits")
    assert checkpoint_path("last") == own.path(1)
    Recorded(tmp_path / "b", "empty")
    with pytest.raises(NotFoundError, match="no run of 'empty' has an undamaged checkpoint"):
        checkpoint_path("last")


def test_newest_goes_by_the_order_of_saving_and_not_by_epoch_or_file_times(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "digits", {}, {})
    newest = run.saver.save_checkpoint(1, {"again": True})
    run.path(2).touch()
    assert checkpoint_path("last", root=tmp_path) == newest == run.modules / "1000001.ckpt"


@settings(max_examples=25)
@given(st.lists(st.lists(st.booleans(), max_size=2), min_size=1, max_size=3))
def test_damaged_ones_are_passed_over_with_one_warning_that_names_them(
    runs: list[list[bool]],
) -> None:
    with tempfile.TemporaryDirectory() as root:
        expected, damaged = None, []
        for sound in runs:
            run = Recorded(root, "digits", *[{} for _ in sound])
            for epoch, is_sound in enumerate(sound, start=1):
                if is_sound:
                    expected, damaged = run.path(epoch), []
                else:
                    flip(run.path(epoch))
                    damaged.append(run.path(epoch))
        said = "".join(rf"(?=.*{re.escape(str(path))} is damaged)" for path in damaged) + "."
        if expected is None:
            with pytest.raises(NotFoundError, match=said):
                checkpoint_path("last", root=root)
        elif damaged:
            with pytest.warns(UserWarning, match=f"{said}.*taking .*instead") as told:
                assert checkpoint_path("last", root=root) == expected
            assert len(told) == 1
            assert told[0].filename == __file__
        else:
            assert checkpoint_path("last", root=root) == expected


def test_a_newer_file_without_its_sidecar_is_named_in_the_warning(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "digits", {}, {})
    run.path(2).with_name("0000002.ckpt.json").unlink()
    with pytest.warns(UserWarning, match=r"0000002\.ckpt has no sidecar"):
        assert checkpoint_path("last", root=tmp_path) == run.path(1)


def test_keypoints_models_and_foreign_files_are_never_the_last(tmp_path: Path) -> None:
    run = Recorded(tmp_path, "digits", {})
    run.saver.save_keypoint(9, {})
    run.saver.save_model(9, {})
    torch.save({}, run.modules / "emergency.0.ckpt")
    assert checkpoint_path("last", root=tmp_path) == run.path(1)


# -- best ------------------------------------------------------------------------------------------


def test_best_is_the_best_of_the_latest_run_that_kept_one(tmp_path: Path) -> None:
    scores = [{"acc": score} for score in (0.5, 0.9, 0.1, 0.2)]
    run = Recorded(tmp_path, "digits", *scores, best="acc")
    Recorded(tmp_path, "digits", {"acc": 1.0})  # it says of no metric that it is the one
    assert checkpoint_path("best", root=tmp_path) == run.path(2)
    assert checkpoint_path("last", root=tmp_path) != run.path(2)


def test_a_damaged_best_gives_way_to_the_next_best(tmp_path: Path) -> None:
    scores = [{"acc": score} for score in (0.9, 0.3, 0.2)]
    run = Recorded(tmp_path, "digits", *scores, best="acc")
    flip(run.path(1))
    with pytest.warns(UserWarning, match=r"0000001\.ckpt is damaged.*taking .*0000002\.ckpt"):
        assert checkpoint_path("best", root=tmp_path) == run.path(2)


def test_without_a_best_it_is_said_what_would_make_one(tmp_path: Path) -> None:
    Recorded(tmp_path, "digits", {"acc": 1.0})
    with pytest.raises(NotFoundError, match="save with a monitor"):
        checkpoint_path("best", root=tmp_path)
    with pytest.raises(NotFoundError, match="save with a monitor"):
        checkpoint_path("@last@best", root=tmp_path)


# -- of one run ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorded, Recorded]:
    """An experiment root with two runs of two experiments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(tmp_path_factory.mktemp("home")))
        root = tmp_path_factory.mktemp("root")
        first = Recorded(root, "digits", {"acc": 0.5}, {"acc": 0.4}, {"acc": 0.3}, best="acc")
        first.saver.save_keypoint(1, {})
        second = Recorded(root, "letters", {}, {})
    return root, first, second


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (lambda key: f"{key}@last", "0000003.ckpt"),
        (lambda key: f"{key[:-1]}@best", "0000001.ckpt"),
        (lambda key: f"{key}@2", "0000002.ckpt"),
        (lambda key: f"{key}@0000002", "0000002.ckpt"),
        (lambda key: f"{key}@keep.0000001.ckpt", "keep.0000001.ckpt"),
        (lambda _: "digits@last", "0000003.ckpt"),
        (lambda _: "@last~1@2", "0000002.ckpt"),
    ],
)
def test_a_run_and_what_it_holds(
    two: tuple[Path, Recorded, Recorded], named: Callable[[str], str], expected: str
) -> None:
    root, first, _ = two
    assert checkpoint_path(named(first.key), root=root) == first.modules / expected


def test_last_names_the_run_that_started_last(two: tuple[Path, Recorded, Recorded]) -> None:
    root, first, second = two
    assert checkpoint_path("@last@last", root=root) == second.path(2)
    assert checkpoint_path("@last~0@1", root=root) == second.path(1)
    with pytest.raises(RecordError, match="no run is '@last~2': 2 are recorded"):
        checkpoint_path("@last~2@last", root=root)
    assert first.key != second.key


@pytest.mark.parametrize(
    ("which", "error", "said"),
    [
        ("digits@7", NotFoundError, r"no checkpoint of epoch 7 .* holds epochs 1, 2, 3"),
        ("@last@" + "9" * 5000, UsageError, "no number of completed epochs: it is too large"),
        ("@last~" + "9" * 5000 + "@last", RecordError, "no run has the key"),
        ("digits@lats", NotFoundError, r"it has 0000001\.ckpt, .*; did you mean 'last'\?"),
        ("digits@0000002.ckp", NotFoundError, r"did you mean '0000002\.ckpt'\?"),
        ("digits@0000002.ckpt.json", NotFoundError, "has no checkpoint"),
        ("digits@..", NotFoundError, "has no checkpoint"),
        ("digits@٣", NotFoundError, "has no checkpoint"),
        ("digit@last", RecordError, r"did you mean 'digits'\?"),
        ("zz@last", RecordError, "no run has the key 'zz'"),
        ("@last", UsageError, "write RUN@CHECKPOINT"),
        ("digits@", UsageError, "write RUN@CHECKPOINT"),
        ("", UsageError, "names no checkpoint"),
        (3, UsageError, "names no checkpoint"),
        ("a\0b", UsageError, "is no path"),
        ("x" * 5000, NotFoundError, "there is no file"),
        ("gone.ckpt", NotFoundError, r"^there is no file 'gone\.ckpt'$"),
        ("lst", NotFoundError, r"did you mean 'last'\?"),
        ("gone/x@y.ckpt", RecordError, "no run has the key 'gone/x'"),
        ("x@y/gone.ckpt", NotFoundError, "there is no file"),
        (".", UsageError, "is a folder"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    two: tuple[Path, Recorded, Recorded], which: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        checkpoint_path(which, root=two[0])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"experiment": 3}, "experiment=3 names no experiment"),
        ({"root": 3}, "3 is no path"),
        ({"root": "a\0b"}, "is no path"),
    ],
)
@pytest.mark.parametrize("which", ["last", "@last@last", "gone.ckpt"])
def test_a_place_that_can_be_none_is_refused(place: dict[str, Any], said: str, which: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        checkpoint_path(which, **place)
    assert "\n" not in str(raised.value)


def test_no_run_and_a_misspelt_experiment_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no run is recorded in any known root"):
        checkpoint_path("last")
    with pytest.raises(NotFoundError, match=r"no run of 'digits' is recorded in .*gone"):
        checkpoint_path("last", experiment="digits", root=tmp_path / "gone")
    Recorded(tmp_path, "digits", {})
    with pytest.raises(NotFoundError, match=r"no run of 'digts' .*did you mean 'digits'\?"):
        checkpoint_path("last", experiment="digts", root=tmp_path)


# -- paths -----------------------------------------------------------------------------------------


def test_a_path_is_validated_by_its_sidecar_where_it_has_one(tmp_path: Path) -> None:
    path = Saver(tmp_path).save_checkpoint(1, {"a": 1})
    assert checkpoint_path(path) == checkpoint_path(str(path)) == path
    flip(path)
    with pytest.raises(CheckpointError, match="is damaged: its sha256"):
        checkpoint_path(path)
    path.with_name("0000001.ckpt.json").unlink()
    with pytest.raises(CheckpointError, match="has no sidecar"):
        checkpoint_path(path)
    foreign = tmp_path / "epoch=1-step=2@x.ckpt"
    torch.save({}, foreign)
    assert checkpoint_path(str(foreign)) == foreign


def test_a_file_with_the_name_of_a_word_is_named_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({}, "last")
    assert checkpoint_path("./last") == checkpoint_path(Path("last")) == Path("last")
    with pytest.raises(NotFoundError):
        checkpoint_path("last", root=tmp_path)


def test_beside_a_run_that_saves_the_last_is_always_found_and_never_goes_back(
    tmp_path: Path,
) -> None:
    run = Recorded(tmp_path, "digits", {})

    def save() -> None:
        for epoch in range(2, 60):  # the older ones go
            run.saver.save_checkpoint(epoch, {"epoch": epoch})

    thread = threading.Thread(target=save, daemon=True)
    thread.start()
    seen, deadline = [], time.monotonic() + 180
    while thread.is_alive() and time.monotonic() < deadline:
        seen.append(checkpoint_path("last", root=tmp_path).name)
    assert not thread.is_alive()
    seen.append(checkpoint_path("last", root=tmp_path).name)
    assert seen == sorted(seen)
    assert seen[-1] == "0000059.ckpt"
