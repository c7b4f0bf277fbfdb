"""How often a file that changes is looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.files.pace import CREATED, GONE, Pace


def looks(pace: Pace, now: float) -> list[str]:
    """Look at all that may be looked at; each look finds that the file was modified."""
    taken = [path for path in pace.rested(now) if pace.take(path, now) is not None]
    for path in taken:
        pace.told(path, "modified", now)
    return taken


def test_a_file_is_looked_at_at_once_and_then_ever_more_rarely() -> None:
    pace = Pace()
    assert pace.hear("a")
    assert not pace.hear("a")  # it waits to be looked at already
    assert pace.take("a", 0) == 0
    pace.told("a", "created", 0)
    times = []
    for tenth in range(10, 50_000):
        pace.hear("a")
        times += [tenth / 10 for _ in looks(pace, tenth / 10)]
    assert times == [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 3071, 4095]


def test_a_file_that_had_rested_is_looked_at_at_once_again() -> None:
    pace = Pace()
    for minute in range(0, 600, 60):
        assert pace.hear("a")
        assert pace.take("a", minute) == 0
        pace.told("a", "modified", minute)
        assert pace.rested(minute + 1) == []
    assert pace.is_idle


def test_a_file_that_is_gone_is_looked_at_after_a_second_however_long_it_rests() -> None:
    pace = Pace()
    pace.told("a", "created", 0)
    pace.hear("a")
    assert looks(pace, 1000) == ["a"]
    pace.hear("a")
    assert pace.rested(1001) == []
    assert pace.hear("a", GONE)
    assert pace.take("a", 1001.5) is None or pace.rested(1001.5)
    assert pace.take("a", 1001.5) == GONE


def test_what_was_heard_is_kept_until_the_look() -> None:
    pace = Pace()
    assert pace.hear("a", CREATED)
    assert pace.hear("a", GONE)
    assert not pace.hear("a", CREATED)
    assert pace.take("a", 0) == CREATED | GONE
    assert pace.take("a", 0) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=50))
def test_whatever_was_heard_is_looked_at_in_the_end(heard: list[tuple[str, float]]) -> None:
    pace = Pace()
    now, waiting = 0.0, set()
    for path, later in heard:
        now += later
        waiting.difference_update(looks(pace, now))
        waiting.add(path)
        if pace.hear(path) and pace.take(path, now) is not None:
            waiting.remove(path)
            pace.told(path, "modified", now)
    waiting.difference_update(looks(pace, now + 2000))
    assert not waiting
    pace.rested(now + 5000)
    assert pace.is_idle
