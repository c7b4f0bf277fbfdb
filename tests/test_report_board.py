"""BoardPlotter: what it reads out of event files, whoever wrote them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from board_helpers import (
    HEAD,
    encoded,
    event,
    histo,
    image,
    restart,
    scalar,
    scalars,
    tensor,
    write_events,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.report.board import BoardPlotter
from thexp_pl.runs.viewer import ExperimentViewer

NAME = "events.out.tfevents.1000000000.host.1.0"
finite = st.floats(width=32, allow_nan=False)


def read(path: Path, tag: str) -> dict[int, float]:
    curve = BoardPlotter(path).scalars(tag)
    assert curve.steps.dtype == np.int64
    assert len(set(curve.steps.tolist())) == len(curve.steps)
    assert curve.values.dtype == curve.times.dtype == np.float64
    return dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


# -- values --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(values=st.dictionaries(st.integers(-(2**63), 2**63 - 1), finite, min_size=1, max_size=20))
def test_scalars_come_back_at_their_steps(
    values: dict[int, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_events(tmp_path_factory.mktemp("board") / NAME, scalars("loss", values, 0))
    assert list(read(path, "loss").items()) == sorted(values.items())


def test_no_scalar_is_left_out_of_many(tmp_path: Path) -> None:
    values = {step: float(step % 7) for step in range(20_000)}  # TensorBoard keeps 1,000 of them
    path = write_events(tmp_path / NAME, [HEAD, *scalars("loss", values)])
    assert read(path, "loss") == values


def test_scalars_that_are_not_finite_come_back(tmp_path: Path) -> None:
    values = {0: math.inf, 1: -math.inf, 2: math.nan}
    found = read(write_events(tmp_path / NAME, scalars("loss", values)), "loss")
    assert found[0] == math.inf
    assert found[1] == -math.inf
    assert math.isnan(found[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.int64, bool])
def test_scalars_written_as_tensors_are_read(tmp_path: Path, dtype: type) -> None:
    values = [tensor("loss", "scalars", np.asarray(value, dtype=dtype)) for value in (1, 0)]
    path = write_events(tmp_path / NAME, [event(step, one) for step, one in enumerate(values)])
    assert read(path, "loss") == {0: 1.0, 1: 0.0}


def test_a_plugin_named_with_the_first_value_alone_counts_for_all(tmp_path: Path) -> None:
    later = tensor("loss", "", np.float32(2))
    later.ClearField("metadata")
    events = [event(0, tensor("loss", "scalars", np.float32(1))), event(1, later)]
    assert read(write_events(tmp_path / NAME, events), "loss") == {0: 1.0, 1: 2.0}


def test_images_come_back_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shown = [
        rng.integers(0, 256, shape).astype(np.uint8) for shape in ((4, 5), (4, 5, 3), (4, 5, 4))
    ]
    files = [encoded(pixels) for pixels in shown]
    old = [event(step, image("old", file)) for step, file in enumerate(files)]
    new = event(7, tensor("new", "images", [b"5", b"4", *files]))
    board = BoardPlotter(write_events(tmp_path / NAME, [*old, new]))
    for tag, steps in (("old", [0, 1, 2]), ("new", [7, 7, 7])):
        pictures = board.images(tag)
        assert [one.step for one in pictures] == steps
        assert [one.encoded for one in pictures] == files
        for picture, pixels in zip(pictures, shown, strict=True):
            expected = pixels if pixels.ndim == 3 else pixels[:, :, None]
            assert picture.pixels.dtype == np.uint8
            np.testing.assert_array_equal(picture.pixels, expected)


def test_histograms_keep_their_counts_and_limits(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=500)
    counts, limits = np.histogram(values, bins=8)
    rows = np.stack([limits[:-1], limits[1:], counts], axis=1)
    events = [event(3, histo("old", values)), event(4, tensor("new", "histograms", rows))]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    for tag, step in (("old", 3), ("new", 4)):
        [histogram] = board.histograms(tag)
        assert histogram.step == step
        np.testing.assert_array_equal(histogram.counts, counts)
        np.testing.assert_allclose(histogram.limits, limits, rtol=1e-12)


def test_texts_come_back_and_a_matrix_of_them_as_a_table(tmp_path: Path) -> None:
    table = np.array([["name", "a|b"], ["x", "1"]], dtype=object)
    events = [
        event(0, tensor("note", "text", ["# 标题\nline"])),
        event(1, tensor("note", "text", ["one", "two"])),
        event(2, tensor("note", "text", table)),
    ]
    texts = BoardPlotter(write_events(tmp_path / NAME, events)).texts("note")
    assert [one.text for one in texts] == [
        "# 标题\nline",
        "one\n\ntwo",
        "| name | a\\|b |\n| --- | --- |\n| x | 1 |",
    ]


def test_what_no_figure_shows_is_passed_over(tmp_path: Path) -> None:
    events = [
        event(0, tensor("_hparams_/session_start_info", "hparams", [0.0])),
        event(0, tensor("sound", "audio", [b"RIFF"])),
        event(0, scalar("loss", 1)),
    ]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    assert board.tags() == {"scalars": ["loss"], "images": [], "histograms": [], "texts": []}


# -- several files -------------------------------------------------------------------------------


def test_a_writer_that_goes_on_from_a_step_takes_the_place_of_what_followed(tmp_path: Path) -> None:
    first = [*scalars("loss", {0: 0, 1: 1, 2: 2, 3: 3}), *scalars("old", {1: 1, 3: 3})]
    write_events(tmp_path / NAME, [HEAD, *first])
    again = [HEAD, restart(2), *scalars("loss", {2: 20}, 2e9)]
    write_events(tmp_path / f"{NAME}.v2", again)
    assert read(tmp_path, "loss") == {0: 0, 1: 1, 2: 20}  # 3 was in the attempt that was given up
    assert read(tmp_path, "old") == {1: 1}


def test_a_step_that_two_files_have_is_the_later_file_s(tmp_path: Path) -> None:
    # sorted by name the later file would come first
    write_events(tmp_path / "a.tfevents.9", scalars("loss", {0: 0, 1: 1, 2: 2}, 1e9))
    write_events(tmp_path / "a.tfevents.10", scalars("loss", {1: 10, 4: 40}, 2e9))
    told = r"values left out, as a file begun later has their steps too: 1 \('loss' 1\)"
    with pytest.warns(UserWarning, match=told):
        assert read(tmp_path, "loss") == {0: 0, 1: 10, 2: 2, 4: 40}


def test_a_step_that_two_files_have_with_the_same_value_loses_nothing(tmp_path: Path) -> None:
    for name in "ab":
        write_events(tmp_path / f"{name}.tfevents", scalars("loss", {0: 5, 1: float("nan")}))
    curve = BoardPlotter(tmp_path).scalars("loss")
    assert curve.values.tolist()[0] == 5
    assert len(curve.steps) == 2


def test_values_that_one_file_has_at_one_step_are_all_kept(tmp_path: Path) -> None:
    path = write_events(tmp_path / NAME, [event(0, scalar("loss", value)) for value in (3, 1, 2)])
    assert BoardPlotter(path).scalars("loss").values.tolist() == [3, 1, 2]


def test_tags_of_several_folders_begin_with_the_folder(tmp_path: Path) -> None:
    write_events(tmp_path / "x" / "logs" / NAME, scalars("a/loss", {0: 1}))
    write_events(tmp_path / "x" / "logs" / "a" / NAME, scalars("loss", {0: 2}))
    board = BoardPlotter(tmp_path)
    assert board.tags()["scalars"] == ["a/loss", "a/loss'"]
    assert board.scalars("a/loss").values.tolist() == [1]
    assert board.scalars("a/loss'").values.tolist() == [2]


# -- sources -------------------------------------------------------------------------------------


def test_a_run_is_found_by_key_run_row_and_folder(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        write_events(exp.paths.board / NAME, scalars("loss", {0: 1}))
    viewer = ExperimentViewer(tmp_path)
    sources = (exp.key, viewer.run(exp.key), viewer.rows()[0], exp.paths.folder)
    for source in sources:
        assert BoardPlotter(source).scalars("loss").values.tolist() == [1]


def test_what_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"holds no event file: .*'tfevents'"):
        BoardPlotter(tmp_path)
    with pytest.raises(RecordError, match=r"no file or folder 'no\\x00where'; and as a run"):
        BoardPlotter("no\0where")
    board = BoardPlotter(write_events(tmp_path / NAME, scalars("loss", {0: 1})))
    with pytest.raises(UsageError, match=r"no scalars of the tag 'lose'; did you mean 'loss'\?"):
        board.scalars("lose")
    with pytest.raises(UsageError, match=r"no images of the tag 'loss'; it is among the scalars"):
        board.images("loss")
