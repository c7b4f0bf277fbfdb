"""A link in the place of a run's file shows nobody what lies outside of the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from board_helpers import HEAD, scalars, write_events
from page_helpers import data_in
from typed_commands import Typed, thexp_pl
from ui_helpers import serving

from thexp_pl.record import Experiment
from thexp_pl.record.paths import RankPaths, RunPaths
from thexp_pl.report.page import run_id
from thexp_pl.runs import ExperimentViewer
from thexp_pl.saver import Saver

__all__ = ["thexp_pl"]

SECRET = "hunter2"
REMARK = "a symbolic link out of its folder, which is not followed"
CHECKPOINT = "modules/0000002.ckpt"
NAME = "board/events.out.tfevents.1000000000.host.1.0"
LINKS = {
    "the log": ("logs/console.log",),
    "the log's folder": ("logs",),
    "the manifest": ("run.json",),
    "notes and metrics": ("notes.json", "metrics.csv"),
    "the journal": ("journal.jsonl",),
    "code": ("code", "keycode"),
    "a file of the key code": ("code", "keycode/train.py"),
    "a rank": ("ranks/1/rank.json",),
    "the ranks": ("ranks",),
}


def record(name: str = "digits") -> RunPaths:
    """Record a run whose code was copied."""
    with Experiment("./experiment", name, code=False, console=False) as exp:
        exp.params = {"of": name}
        exp.log_metrics(0, 0, {f"loss of {name}": 1.0})
        exp.log_event("created", path=name)
        exp.note(name)
        exp.tag(name)
        for folder in ("code", "keycode", "logs"):
            (exp.path / folder).mkdir()
            (exp.path / folder / "train.py").write_text(f"{name} = 1\n")
        exp.paths.console.write_text(f"{name}\n")
        with Saver(exp.path / "modules") as saver:
            saver.save_checkpoint(2, {"w": 1}, {name: 0.5})
    told = json.loads(exp.paths.manifest.read_text())
    told["code"] = {"how": "copy", "tree": None, "files": 1, "entry": "train.py"}
    exp.paths.manifest.write_text(json.dumps(told))
    rank = RankPaths(exp.paths, 1)
    rank.folder.mkdir(parents=True)
    rank.manifest.write_text(json.dumps({**told, "status": "failed", "cause": {"message": name}}))
    return exp.paths


@pytest.fixture
def run(thexp_pl: Typed) -> RunPaths:
    """A run, beside which a folder ``outside`` has the files of another one, with the secret."""
    shutil.move(record(SECRET).folder, "outside")
    shutil.rmtree(Path("experiment", SECRET))
    return record()


def link(run: RunPaths, *names: str) -> None:
    """Put links to the other run's files in the place of a run's own."""
    for name in names:
        place = run.folder / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        place.symlink_to(Path("outside", name).absolute())


def page_of(thexp_pl: Typed, run: RunPaths) -> str:
    """What the page of a run in a file is made of."""
    thexp_pl("report", run.key, "-o", "page.html")
    return json.dumps(data_in(Path("page.html").read_text()), ensure_ascii=False)


@pytest.mark.parametrize("names", LINKS.values(), ids=LINKS)
def test_no_page_and_no_command_shows_what_a_link_leads_to(
    thexp_pl: Typed, run: RunPaths, names: tuple[str, ...]
) -> None:
    link(run, *names)
    page, shown = page_of(thexp_pl, run), thexp_pl("show", run.key)
    told = page + shown + thexp_pl("list") + thexp_pl("show", run.key, "--json")
    assert SECRET not in told + str(ExperimentViewer(["./experiment"]).exp_code(run.key))
    assert REMARK in page
    assert REMARK in " ".join(shown.split())


def test_the_live_pages_show_nothing_of_it_either(thexp_pl: Typed, run: RunPaths) -> None:
    link(run, *LINKS["the log"], *LINKS["notes and metrics"], *LINKS["the journal"], *LINKS["code"])
    with serving("--port", "0", "--exps_dir", "./experiment") as server:
        page = server.get("/api/page", ids=run_id(run))
        assert page.status == 200
        curves = server.get("/api/curves", ids=run_id(run))
        rows = server.get("/api/rows")
        assert REMARK.encode() in page.body
        assert SECRET.encode() not in page.body + curves.body + rows.body
        assert run.key.encode() in rows.body


def test_a_log_that_is_a_link_is_refused_in_one_line(thexp_pl: Typed, run: RunPaths) -> None:
    link(run, "logs/console.log")
    said = thexp_pl.refused("show", run.key, "--log", "5")
    assert REMARK in said
    assert SECRET not in said


def test_notes_are_not_written_through_a_link(thexp_pl: Typed, run: RunPaths) -> None:
    link(run, "notes.json")
    before = Path("outside", "notes.json").read_bytes()
    code, _, said = thexp_pl.ended("tag", run.key, "--add", "best")
    assert (code, REMARK in said) == (2, True)
    assert Path("outside", "notes.json").read_bytes() == before


def test_a_checkpoint_whose_sidecar_is_a_link_has_no_numbers(
    thexp_pl: Typed, run: RunPaths
) -> None:
    link(run, f"{CHECKPOINT}.json")
    told = page_of(thexp_pl, run) + thexp_pl("show", run.key) + thexp_pl("show", run.key, "--json")
    assert SECRET not in told
    assert "its sidecar is a symbolic link" in " ".join(told.split())


def test_an_event_file_that_is_a_link_is_drawn_by_its_own_name_only(
    thexp_pl: Typed, run: RunPaths
) -> None:
    file = write_events(Path("outside", NAME), [HEAD, *scalars(SECRET, {0: 2, 1: 1})])
    run.board.mkdir(exist_ok=True)
    link(run, NAME)
    words = ("--board", "--formats", "csv", "-o", "figures")
    said = thexp_pl.refused("plot", run.key, *words)
    assert "symbolic link out of its run" in said
    assert not Path("figures").exists()
    assert thexp_pl("plot", str(file), *words) == f"figures/{SECRET}.csv\n"


def test_links_of_the_users_own_go_on_working(thexp_pl: Typed, run: RunPaths) -> None:
    """The root, the run and its checkpoints may lie on another disk; links may stay within."""
    disk = Path("disk").absolute()
    disk.mkdir()
    shutil.move(run.folder / "modules", disk / "modules")
    (run.folder / "modules").symlink_to(disk / "modules")
    run.console.rename(run.folder / "printed.txt")
    run.console.symlink_to("../printed.txt")
    shutil.move(run.folder, disk / run.key)
    run.folder.symlink_to(disk / run.key)
    Path("experiment").rename("root")
    Path("experiment").symlink_to("root")
    page = page_of(thexp_pl, run)
    shown = thexp_pl("show", run.key)
    assert REMARK not in page + " ".join(shown.split())
    detail = json.loads(page)["detail"]
    assert detail["log"] == "digits"
    assert detail["tags"] == ["digits"]
    assert [one["metrics"] for one in detail["checkpoints"]] == [{"digits": 0.5}]
    (curves,) = json.loads(page)["curves"].values()
    assert list(curves["curves"]) == ["loss of digits"]


def test_a_comparison_shows_nothing_of_linked_code(thexp_pl: Typed, run: RunPaths) -> None:
    other = record()
    (other.code / "train.py").write_text("changed = 1\n")
    assert "changed = 1" in thexp_pl("diff", run.key, other.key, "--code")
    link(run, "code")
    _, told, said = thexp_pl.ended("diff", run.key, other.key, "--code")
    assert REMARK in said
    assert SECRET not in told + said
