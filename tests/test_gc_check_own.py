"""gc --check finds a changed byte in what a run writes itself, and lets grow what may grow."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rerun_record_helpers import call

from thexp_pl.atomic import write_json
from thexp_pl.record import Experiment
from thexp_pl.record.folders import run_folders
from thexp_pl.record.journal import read_journal
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.rerun import Rerun
from thexp_pl.runs import read_run
from thexp_pl.upkeep import check

OWN = (
    "metrics.csv",
    "config.yaml",
    "logs/console.log",
    "board/events.out.tfevents.1.host.1.0",
    "rnd/start.rnd",
    "keycode/step.py",
    "traceback.txt",
)
FIRST = """
exp = Experiment("runs", "digits", code=False, console=True)
exp.start_exp()
print("an attempt")
exp.log_metrics(0, 0, {"loss": 0.5})
(exp.path / "config.yaml").write_text("lr: NUMBER\\n")
"""
KILL = "exp.flush()\nos.kill(os.getpid(), signal.SIGKILL)\n"


def recorded(root: Path) -> RunPaths:
    """Record a run that fails, with all kinds of files."""
    exp = Experiment(root, "digits", code=False, console=True)
    exp.start_exp()
    print("hello")
    exp.params = {"lr": 0.1}
    exp.log_metrics(0, 0, {"loss": 0.5})
    for path in (exp.path / name for name in OWN if name.startswith(("config", "board", "key"))):
        path.parent.mkdir(exist_ok=True)
        path.write_text("some content\n")
    exp.finish("failed", OSError("disk"))
    return exp.paths


def damaged(paths: RunPaths) -> set[str]:
    return {fault.path for fault in check([paths]).damaged}


def test_a_flipped_byte_of_what_a_run_writes_is_found_anywhere(tmp_path: Path) -> None:
    paths = recorded(tmp_path)
    assert check([paths]).damaged == []
    for name in OWN:
        whole = (paths.folder / name).read_bytes()
        for at in (0, len(whole) // 2, len(whole) - 1):
            data = bytearray(whole)
            data[at] ^= 0x01
            (paths.folder / name).write_bytes(data)
            assert damaged(paths) == {name}, at
        (paths.folder / name).write_bytes(whole[:-1])
        assert damaged(paths) == {name}
        (paths.folder / name).write_bytes(whole)
    assert check([paths]).damaged == []


def test_a_changed_value_in_the_manifest_is_found_and_it_can_be_read_all_the_same(
    tmp_path: Path,
) -> None:
    paths = recorded(tmp_path)
    text = paths.manifest.read_text()
    paths.manifest.write_text(text.replace('"lr": 0.1', '"lr": 0.2'))
    assert damaged(paths) == {"run.json"}
    assert read_run(paths).params == {"lr": 0.2}
    edited = json.loads(paths.manifest.read_text())
    del edited["sha256"]  # whoever edits it by hand can say so
    write_json(paths.manifest, edited)
    assert damaged(paths) == set()
    paths.manifest.write_text(json.dumps(json.loads(text)))  # spelt otherwise, the same
    assert damaged(paths) == set()


def test_what_is_added_to_a_log_after_the_end_is_no_damage(tmp_path: Path) -> None:
    paths = recorded(tmp_path)
    for name in ("logs/console.log", "board/events.out.tfevents.1.host.1.0"):
        with (paths.folder / name).open("a") as file:
            file.write("more\n")
    assert damaged(paths) == set()
    with paths.config.open("a") as file:
        file.write("more\n")
    assert damaged(paths) == {"config.yaml"}


def test_a_run_that_paused_and_went_on_is_whole(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=True) as exp:
        exp.log_metrics(0, 0, {"loss": 0.5})
        exp.pause()
        assert damaged(exp.paths) == set()
        exp.log_metrics(1, 0, {"loss": 0.25})
        print("more")
    assert damaged(exp.paths) == set()
    with exp.paths.console.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"?")
    assert damaged(exp.paths) == {"logs/console.log"}


def test_a_run_that_goes_on_in_place_is_whole_however_that_ends(tmp_path: Path) -> None:
    project = tmp_path / "project"
    call(project, FIRST.replace("NUMBER", "1") + "exp.end_exp()\n")
    (paths,) = run_folders(project / "runs")
    told = Rerun("resumed", (paths.key,), paths.root, in_place=True)
    for number, end in (("2", KILL), ("3", "exp.end_exp()\n")):
        call(project, FIRST.replace("NUMBER", number) + end, told)
        found = check([paths])
        assert (found.damaged, found.gone) == ([], []), number
    assert paths.console.read_text().count("an attempt") >= 2
    paths.config.write_text("lr: 2\n")
    assert damaged(paths) == {"config.yaml"}


def test_a_run_that_leaves_much_ends_without_reading_all_of_it(tmp_path: Path) -> None:
    with Experiment(tmp_path, "digits", code=False, console=False) as exp:
        exp.paths.board.mkdir()
        exp.log_metrics(0, 0, {"loss": 0.5})
        exp.flush()
        for number in range(300):
            (exp.paths.board / f"{number}").touch()
        (exp.paths.board / "large").touch()
        os.truncate(exp.paths.board / "large", 1 << 40)
    finals = {e["path"]: e for e in read_journal(exp.paths.journal) if e.get("final")}
    assert len(finals) == 200
    assert "sha256" in finals["metrics.csv"]
    assert "unhashed" in finals["board/large"]
    assert check([exp.paths]).damaged == []
