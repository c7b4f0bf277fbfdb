"""`thexp-pl plot --board`, as it is typed."""

from __future__ import annotations

import json
import resource
import warnings
from pathlib import Path

import numpy as np
import pytest
from board_helpers import HEAD, encoded, event, image, scalars, write_events
from plot_helpers import refused, typed

from thexp_pl.atomic import write_bytes
from thexp_pl.record import Experiment

NAME = "events.out.tfevents.1000000000.host.1.0"


@pytest.fixture
def key() -> str:
    with Experiment("./experiment", "digits", code=False, console=False) as exp:
        pixels = encoded(np.zeros((2, 2), np.uint8))
        events = [HEAD, *scalars("train/loss", {0: 2, 1: 1}), event(1, image("x", pixels))]
        write_events(exp.paths.board / NAME, events)
    return exp.key


def test_the_board_of_a_run_is_saved_by_its_key(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = typed(capsys, key, "--board", "-o", "figures")
    assert out == "figures/train_loss.png\nfigures/train_loss.csv\nfigures/x/0000001.png\n"
    assert err == ""
    assert all(Path(line).stat().st_size for line in out.splitlines())


def test_tags_and_formats_are_chosen_and_told_for_machines(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--board", "--formats", "pdf", "--tags", "*loss", "--smooth", "0.5", "--json")
    told = json.loads(typed(capsys, key, *words, "-o", "figures")[0])
    size = Path("figures/train_loss.pdf").stat().st_size
    assert told == {"files": [{"file": "figures/train_loss.pdf", "bytes": size}], "remarks": []}


def test_a_folder_of_another_tool_is_saved_as_far_as_it_is_whole(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [path] = Path("experiment").rglob(NAME)
    Path("logs").mkdir()
    Path("logs", "a\x1b[31m.tfevents").write_bytes(path.read_bytes()[:-3])
    out, err = typed(capsys, "logs", "--board", "--formats", "csv", "-o", "figures")
    assert out == "figures/train_loss.csv\n"
    assert err.startswith("note: not all could be read: 'a\\x1b[31m.tfevents': its last record")


def test_what_cannot_be_meant_is_refused_in_one_line(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    board = ("--board", "-o", "figures")
    assert "--log_y is for figures of metrics" in refused(capsys, key, *board, "--log_y")
    assert "--formats goes with --board" in refused(capsys, key, "--formats", "pdf", "-o", "x.pdf")
    assert "--board takes one run" in refused(capsys, *board)
    assert "no file or folder 'logs'; and as a run: no run" in refused(capsys, "logs", *board)
    assert "holds no event file" in refused(capsys, "experiment/.thexp", *board)
    assert "did you mean 'train/loss'?" in refused(capsys, key, *board, "--tags", "train/los")
    assert "did you mean 'pdf'?" in refused(capsys, key, *board, "--formats", "pfd")
    assert "the height '99.0' is no number" in refused(capsys, key, *board, "--height", "99")
    assert "smooth=2.0 is no weight" in refused(capsys, key, *board, "--smooth", "2")
    assert "already: name a folder" in refused(capsys, key, "--board", "-o", "experiment")


@pytest.mark.parametrize("data", [b"", b"print('no events')\n"])
def test_a_file_without_anything_to_save_is_an_error(
    data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("model.py").write_bytes(data)
    said = refused(capsys, "model.py", "--board", "-o", "figures")
    assert "there is nothing to save in 'model.py'" in said
    assert ("'model.py': " in said) == bool(data)


def test_a_full_disk_leaves_no_folder_behind(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = Path("experiment").rglob(NAME)
    words = (str(path), "--board", "--formats", "csv,png", "-o", "figures")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # of the PNG
    try:
        said = refused(capsys, *words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot write into 'figures': File too large; name another folder" in said
    assert "figures/train_loss.png" in typed(capsys, *words)[0]


def test_what_libraries_say_of_themselves_is_no_note(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_bytes

    def old(path: Path, data: bytes) -> None:
        warnings.warn("'parseString' deprecated", DeprecationWarning, stacklevel=1)
        whole(path, data)

    monkeypatch.setattr("thexp_pl.atomic.write_bytes", old)
    assert typed(capsys, key, "--board", "-o", "figures")[1] == ""
