"""What is asked of a sweep: secrets wherever they stand, parts of GPUs, how many run at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine, project, thexp_pl
from sweep_local_helpers import HEAD, PLAIN

from thexp_pl import sweep
from thexp_pl.cli import sweep_running
from thexp_pl.errors import UsageError
from thexp_pl.sweeps.engines import engine_of
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.submission import check_open

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures


def test_a_secret_is_found_that_a_late_row_of_a_file_has_alone() -> None:
    points = [Point(number, {"lr": str(number)}) for number in range(300)]
    points[250] = Point(250, {"lr": "1", "api_key": "abcDEF123456"})
    with pytest.raises(UsageError, match=r"--api_key'? takes a secret"):
        check_open(["train.py"], points)


def test_a_secret_that_is_searched_for_is_refused_before_anything_is_written(
    thexp_pl: CommandLine,
) -> None:
    Path("light.py").write_text(HEAD + PLAIN)
    words = ["light.py", "--lr=0.1..0.9", "--trials=2", "--metric=loss"]
    ended = thexp_pl("sweep", *words, "--api_key=abcDEF123456,abcDEF654321")
    assert (ended.code, ended.out) == (2, "")
    assert "--api_key" in ended.err
    assert "takes a secret" in ended.err
    assert not Path("experiment").exists()


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"gpus_per_run": "1.5"}, "--gpus_per_run=1.5: Ray gives whole GPUs, or a part of one"),
        ({"gpus_per_run": "0.00001"}, "--gpus_per_run=1e-05: Ray gives 0.0001 at the least"),
        ({"cpus_per_run": "0.00001"}, "--cpus_per_run=1e-05: Ray gives 0.0001 at the least"),
    ],
)
def test_what_ray_cannot_share_out_is_refused(option: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=f"^{why}"):
        engine_of("ray", option)


@pytest.mark.parametrize(("given", "expected"), [({}, None), ({"jobs": 2}, 2)])
def test_from_python_as_many_run_at_a_time_as_the_engine_says(
    project: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, int], expected: int | None
) -> None:
    class Asked(Exception):  # noqa: N818
        pass

    def run_plan(plan: Any, arguments: Any) -> None:
        raise Asked(arguments.jobs)

    monkeypatch.setattr(sweep_running, "run_plan", run_plan)
    monkeypatch.syspath_prepend(project)
    import mine

    grid = mine.MyParams().grid_search("epoch", [1, 2])
    with pytest.raises(Asked) as asked:
        sweep(mine.MyTrainer, grid, **given)
    assert asked.value.args == (expected,)
