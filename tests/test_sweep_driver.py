"""The driver of a sweep, with real processes: what runs, what is tried again, how it stops."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Collection
from pathlib import Path

import pytest
from sweep_local_helpers import (
    PLAIN,
    Heard,
    is_alive,
    light_sweep,
    root,
    run_all,
    runs_of,
)

from thexp_pl.sweeps.driver import drive
from thexp_pl.sweeps.engines.local import LocalEngine
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.source import ListSource
from thexp_pl.sweeps.standing import State, standing
from thexp_pl.sweeps.sweep import add_points, read_points

__all__ = ["root"]

_ENDING = """
with recorded() as exp:
    tell(f"pid-{lr}", os.getpid())
    wait_for("go")
"""


def test_each_point_becomes_one_run_that_carries_the_key(root: Path) -> None:
    sweep = light_sweep(root, PLAIN, ["1", "2", "3"])
    summary = run_all(sweep)
    assert (summary.done, summary.before, summary.exit_code) == (3, 0, 0)
    runs = runs_of(root)
    assert sorted(run.params["lr"] for run in runs) == ["1", "2", "3"]
    assert {run.manifest["sweep"]["key"] for run in runs} == {sweep.key}
    assert sorted(run.manifest["sweep"]["point"] for run in runs) == [0, 1, 2]


def test_points_that_are_done_are_passed_over(root: Path) -> None:
    sweep = light_sweep(root, PLAIN, ["1", "2"])
    source = ListSource(read_points(sweep)[:1])
    drive(sweep, source, LocalEngine(), listener=Heard())
    heard = Heard()
    summary = run_all(sweep, listener=heard)
    assert (summary.done, summary.before, heard.begun_points) == (2, 1, [1])
    again = Heard()
    assert run_all(sweep, listener=again).before == 2
    assert again.begun_points == []
    assert len(runs_of(root)) == 2


def test_a_failed_attempt_is_tried_again_as_often_as_asked(root: Path) -> None:
    body = """
    with recorded() as exp:
        if first_time(f"one-{lr}") or (lr == "2" and first_time("two")):
            raise ValueError("bad \\x1b[31m luck")
    """
    sweep = light_sweep(root, body, ["1", "2"])
    heard = Heard()
    summary = run_all(sweep, listener=heard, retries=1)
    assert (summary.finished, summary.failed, summary.exit_code) == (1, 1, 1)
    final = [ending for ending in heard.endings if ending[0] == 1]
    assert [again for *_, again in final] == [True, False]
    assert "ValueError" in final[0][2]
    assert "\x1b" not in final[0][2]
    assert run_all(sweep).exit_code == 0  # the same command goes on with what has failed


def test_a_process_that_died_of_a_signal_says_which(root: Path) -> None:
    sweep = light_sweep(root, "os.kill(os.getpid(), signal.SIGKILL)", ["1"])
    heard = Heard()
    assert run_all(sweep, listener=heard).failed == 1
    assert "SIGKILL" in heard.endings[0][2]


def test_a_script_that_records_nothing_has_failed(root: Path) -> None:
    sweep = light_sweep(root, "print('the last words')", ["1"])
    heard = Heard()
    assert run_all(sweep, listener=heard).failed == 1
    assert "the last words" in heard.endings[0][2]


def test_fail_fast_asks_the_others_to_end_and_begins_no_more(root: Path) -> None:
    body = f"""
    if lr == "1":
        wait_for("pid-2")
        sys.exit("no luck")
    {_ENDING.replace(chr(10), chr(10) + "    ")}
    """
    sweep = light_sweep(root, body, ["1", "2", "3", "4"])
    heard = Heard()
    summary = run_all(sweep, listener=heard, fail_fast=True)
    assert (summary.failed, summary.done, summary.left) == (1, 0, 3)
    assert sorted(heard.begun_points) == [0, 1]
    assert not is_alive(int((root.parent / "pid-2").read_text()))
    assert summary.exit_code == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_and_the_same_again_goes_on(root: Path, number: int, code: int) -> None:
    sweep = light_sweep(root, _ENDING, ["1", "2", "3"])
    heard = Heard()
    began = root.parent / "pid-1", root.parent / "pid-2"
    heard.on_look = lambda running: (
        signal.raise_signal(number) if all(path.exists() for path in began) else None
    )
    handlers = signal.getsignal(number)
    summary = run_all(sweep, listener=heard)
    assert (summary.exit_code, summary.done, summary.failed) == (code, 0, 0)
    assert not any(is_alive(int(path.read_text())) for path in began)
    assert signal.getsignal(number) == handlers
    (root.parent / "go").touch()
    assert run_all(sweep).done == 3


def test_the_line_after_ctrl_c_says_how_many_are_done(root: Path) -> None:
    body = 'with recorded() as exp:\n    lr == "1" or wait_for("go")'
    sweep = light_sweep(root, body, ["1", "2"])
    heard = Heard()
    heard.on_begun = lambda number: signal.raise_signal(signal.SIGINT) if number else None
    summary = run_all(sweep, LocalEngine(1), listener=heard)
    assert summary.text == "interrupted: 1 of 2 done; the same command goes on"


def test_a_second_ctrl_c_kills_what_does_not_listen(root: Path) -> None:
    deaf = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{_ENDING}"
    sweep = light_sweep(root, deaf, ["1"])
    heard, path = Heard(), root.parent / "pid-1"

    def press(running: Collection[int]) -> None:
        if path.exists():
            signal.raise_signal(signal.SIGINT)

    heard.on_look = press
    assert run_all(sweep, listener=heard).exit_code == 130
    assert not is_alive(int(path.read_text()))


def test_a_listener_that_fails_leaves_nothing_running(root: Path) -> None:
    sweep = light_sweep(root, _ENDING, ["1", "2"])
    heard, path = Heard(), root.parent / "pid-1"

    def fail(running: Collection[int]) -> None:
        if path.exists():
            raise BrokenPipeError

    heard.on_look = fail
    with pytest.raises(BrokenPipeError):
        run_all(sweep, listener=heard)
    assert not is_alive(int(path.read_text()))


def test_a_log_that_cannot_be_written_ends_the_sweep_in_one_line(root: Path) -> None:
    sweep = light_sweep(root, PLAIN, ["1", "2"])
    sweep.paths.log(0).parent.write_text("a file where the folder is to be")
    heard = Heard()
    summary = run_all(sweep, listener=heard)
    assert (summary.exit_code, summary.left) == (1, 2)
    assert summary.text.startswith("0 of 2 done, 2 left; the same command goes on; point 0 cannot ")
    assert "\n" not in summary.text
    assert heard.begun_points == []


def test_those_that_run_end_where_the_next_cannot_be_started(root: Path) -> None:
    sweep = light_sweep(root, 'with recorded() as exp:\n    wait_for("go")', ["1", "2"])
    sweep.paths.log(1).parent.mkdir()
    sweep.paths.log(1).mkdir()  # no log can be written there
    heard = Heard()
    heard.on_said = lambda line: (root.parent / "go").touch()
    assert "point 1 cannot be started" in run_all(sweep, listener=heard).text
    assert heard.lines[0].endswith("those that run are waited for")
    assert standing(sweep, read_points(sweep))[0].status == "finished"


def test_a_run_that_fails_by_itself_while_others_are_asked_to_end_has_failed(root: Path) -> None:
    body = """
    with recorded() as exp:
        signal.signal(signal.SIGTERM, lambda *_: None)
        tell(f"pid-{lr}", os.getpid())
        wait_for("pid-1"), wait_for("pid-2")
        lr == "1" or wait_for("stopping")
        raise ValueError(lr)
    """
    sweep = light_sweep(root, textwrap.dedent(body), ["1", "2", "3"])
    heard = Heard()
    heard.on_said = lambda line: (root.parent / "stopping").touch()
    summary = run_all(sweep, listener=heard, fail_fast=True)
    assert (summary.failed, summary.left) == (2, 1)
    assert "0 of 3 done, 2 failed, 1 left" in summary.text


def test_a_script_that_fails_after_its_run_is_told_of(root: Path) -> None:
    sweep = light_sweep(root, f"{PLAIN}\nsys.exit(3)", ["1"])
    heard = Heard()
    assert run_all(sweep, listener=heard).done == 1
    assert heard.lines == ["point 0 is done, but its process ended with exit code 3"]


class _Doubling:
    """A search of its kind: each next point is twice the one before, once that has ended."""

    total = 3

    def __init__(self, sweep: object) -> None:
        self._sweep, self.points = sweep, ()
        self._asked, self.told_states = 0, list[tuple[str, str]]()

    def next(self) -> Point | None:
        if self.is_over() or len(self.told_states) < self._asked:
            return None
        point = Point(self._asked, {"lr": str(2**self._asked)}, f"digest-{self._asked}")
        add_points(self._sweep, [point])  # type: ignore[arg-type]
        self._asked += 1
        return point

    def told(self, point: Point, state: State) -> None:
        assert state.run is not None
        self.told_states.append((point.values["lr"], state.run.params["lr"]))

    def is_over(self) -> bool:
        return self._asked == self.total


def test_a_source_may_wait_for_what_became_of_a_point(root: Path) -> None:
    sweep = light_sweep(root, PLAIN, [])
    source, heard = _Doubling(sweep), Heard()
    summary = drive(sweep, source, LocalEngine(2), listener=heard)
    assert source.told_states == [("1", "1"), ("2", "2"), ("4", "4")]
    assert (summary.done, heard.most_at_once) == (3, 1)
