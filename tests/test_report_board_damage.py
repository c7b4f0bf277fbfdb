"""BoardPlotter and files that are torn, damaged, growing or no event files at all."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from board_helpers import HEAD, encoded, event, histo, image, scalar, scalars, tensor, write_events
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from thexp_pl.errors import RecordError
from thexp_pl.report.board import BoardPlotter

NAME = "events.out.tfevents.1000000000.host.1.0"
VALUES = {step: float(step) for step in range(6)}


def told(path: Path) -> tuple[dict[int, float], str]:
    """Read the scalar `loss` of a file, and what is warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        board = BoardPlotter(path)
    curves = [board.scalars(tag) for tag in board.tags()["scalars"] if tag == "loss"]
    values = [pair for one in curves for pair in zip(one.steps, one.values, strict=True)]
    lines = [str(warning.message) for warning in found]
    assert len(lines) <= 1
    assert "\n" not in "".join(lines)
    return {int(step): float(value) for step, value in values}, "".join(lines)


def record_ends(data: bytes) -> list[int]:
    ends = [0]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 16 + struct.unpack_from("<Q", data, ends[-1])[0])
    return ends


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    return write_events(folder / NAME, [HEAD, *scalars("loss", VALUES)]).read_bytes()


def test_a_file_cut_off_at_any_byte_gives_its_whole_records(whole: bytes, tmp_path: Path) -> None:
    ends = record_ends(whole)
    path = tmp_path / NAME
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        values, line = told(path)
        count = max(sum(end <= size for end in ends) - 2, 0)  # the first record has no value
        assert values == {step: VALUES[step] for step in range(count)}
        assert ("its last record is not whole" in line) == (size not in ends)


def test_a_flipped_byte_costs_one_record_or_what_follows(whole: bytes, tmp_path: Path) -> None:
    ends = record_ends(whole)
    path = tmp_path / NAME
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        values, line = told(path)
        number = sum(end <= place for end in ends) - 1
        is_in_head = place - ends[number] < 12
        lost = set(range(number - 1, 6 if is_in_head else number))
        assert values == {step: value for step, value in VALUES.items() if step not in lost}
        assert ("is no record" if is_in_head else "damaged records left out: 1") in line


def test_a_file_that_grows_is_read_as_far_as_it_is_whole(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    middle = record_ends(whole)[4]
    with path.open("wb", buffering=0) as file:
        file.write(whole[: middle + 5])
        assert told(path)[0] == {0: 0.0, 1: 1.0, 2: 2.0}
        file.write(whole[middle + 5 :])
    assert told(path) == (VALUES, "")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" * 20, os.urandom(300), b"\0" * 300])
def test_a_file_of_something_else_has_no_tags(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(data)
    values, line = told(path)
    assert values == {}
    assert bool(line) == bool(data)


def test_a_record_that_claims_to_be_huge_is_not_waited_for(whole: bytes, tmp_path: Path) -> None:
    length = struct.pack("<Q", 2**62)
    path = tmp_path / NAME
    path.write_bytes(whole + length + struct.pack("<I", masked_crc32c(length)) + b"short")
    values, line = told(path)
    assert values == VALUES
    assert "its last record is not whole (17 bytes)" in line


@pytest.mark.timeout(20)
def test_a_pipe_with_the_name_of_an_event_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    values, line = told(tmp_path)
    assert values == {}
    assert "not a regular file" in line


def test_values_that_cannot_be_meant_are_left_out_with_a_line(tmp_path: Path) -> None:
    huge = tensor("loss", "scalars", np.float32(1))
    for _ in range(3):
        huge.tensor.tensor_shape.dim.add(size=2**40)  # one number, said to be repeated 2**120 times
    several = tensor("loss", "scalars", np.array([1.0, 2.0]))
    text = tensor("loss", "scalars", ["1.0"])
    events = [
        HEAD,
        *(event(9, value) for value in (huge, several, text)),
        b"\xff\xff\xff",  # no event, with the right checksums
        *scalars("loss", VALUES),
    ]
    values, line = told(write_events(tmp_path / NAME, events))
    assert values == VALUES
    assert "damaged records left out: 1" in line
    assert "values left out: 3, the first for it is a tensor of the shape" in line


def test_histograms_that_are_none_are_left_out_with_a_line(tmp_path: Path) -> None:
    falling = HistogramProto(min=5, max=1, bucket_limit=[3, 2], bucket=[1, 1])
    uneven = HistogramProto(bucket_limit=[1, 2], bucket=[1])
    endless = HistogramProto(min=0, max=float("inf"), bucket_limit=[1], bucket=[1])
    values = [Summary.Value(tag="w", histo=one) for one in (falling, uneven, endless)]
    negative = tensor("w", "histograms", [[0.0, 1.0, -3.0]])
    good = histo("w", np.arange(20.0))
    events = [event(step, one) for step, one in enumerate([*values, negative, good])]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    with pytest.warns(UserWarning, match="'w': the histogram of step ") as found:
        histograms = board.histograms("w")
    assert len(found) == 4
    assert [one.step for one in histograms] == [4]


def test_damaged_images_are_left_out_of_what_is_saved(tmp_path: Path) -> None:
    jpeg = encoded(np.full((4, 4, 3), 200, np.uint8), "JPEG")
    torn_png = encoded(np.zeros((4, 4), np.uint8))[:30]
    files = [jpeg, jpeg[:40], b"", torn_png]
    events = [event(step, image("x", file)) for step, file in enumerate(files)]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    with pytest.warns(UserWarning, match="'x': the image of step . cannot be decoded") as found:
        saved = board.save(tmp_path / "out")
    assert len(found) == 2
    assert [path.name for path in saved] == ["0000000.png", "0000003.png"]
    assert saved[0].read_bytes().startswith(b"\x89PNG")
    assert saved[1].read_bytes() == torn_png  # what was written is kept as it is
    with pytest.raises(RecordError, match="the image of step 3 cannot be decoded"):
        print(board.images("x")[3].pixels)


def test_a_file_that_goes_away_after_reading_is_told_in_one_line(tmp_path: Path) -> None:
    path = write_events(tmp_path / NAME, [event(0, image("x", b"png")), event(0, scalar("y", 1))])
    board = BoardPlotter(path)
    path.unlink()
    assert board.scalars("y").values.tolist() == [1]
    with pytest.raises(RecordError, match="cannot be read any more"):
        board.images("x")
    path.write_bytes(b"something else")
    with pytest.raises(RecordError, match="is another file by now"):
        board.images("x")
