"""`thexp_pl.sweep`: a grid of Params trained from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import FACADE, environment, project

from thexp_pl import Params, sweep
from thexp_pl.cli.main import main
from thexp_pl.errors import UsageError
from thexp_pl.record.rerun import Rerun

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project"]  # a fixture

CALL = """
if __name__ == "__main__":
    from thexp_pl import sweep

    params = MyParams()
    params.epoch = 1
    grid = params.grid_search("optim.lr", [0.05, 0.01]).grid_search("seed", [7])
    for run in sweep(MyTrainer, grid, jobs=2):
        print(run.key, run.params["optim"]["lr"], run.params["seed"])
"""


@pytest.fixture
def mine(project: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the user's trainer."""
    monkeypatch.syspath_prepend(project)
    import mine

    return mine


def run_script(
    folder: Path, name: str, limit: float = 200, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=limit,
        env={**environment(folder), **variables},
    )  # fmt: skip


def test_a_grid_from_a_script_is_trained_and_the_runs_come_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "swept_script.py").write_text(FACADE + CALL)
    done = run_script(tmp_path, "swept_script.py")
    assert done.returncode == 0, (done.stdout, done.stderr)
    *said, first, second = done.stdout.splitlines()
    keys = [line.split()[0] for line in (first, second)]
    assert [line.split()[1:] for line in (first, second)] == [["0.05", "7"], ["0.01", "7"]]
    assert said[0].endswith("2 points, engine local, -j 2")
    (told,) = tmp_path.glob("experiment/.thexp/sweeps/*/sweep.json")
    words = json.loads(told.read_text())["words"]
    assert words == ["fit", "--trainer_class=swept_script.py:MyTrainer", "--epoch=1", "--seed=7"]
    # the same call from another module, and the same command, mean the same points
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    from swept_script import MyParams, MyTrainer  # type: ignore[import-not-found]

    params = MyParams()
    params.epoch = 1
    grid = params.grid_search("optim.lr", [0.01, 0.05]).grid_search("seed", [7])
    assert [run.key for run in sweep(MyTrainer, grid)] == keys[::-1]
    assert main(["sweep", *words[1:], "--optim.lr=0.05,1e-2"]) == 0
    assert capsys.readouterr().out.count("all 2 points are done") == 2


def refused(trainer: Any, grid: Any, **options: Any) -> str:
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(UsageError) as caught:
        sweep(trainer, grid, **options)
    assert "\n" not in str(caught.value)
    assert sorted(Path.cwd().rglob("*")) == before
    return str(caught.value)


def test_a_call_in_a_run_of_a_sweep_is_refused_and_names_the_guard() -> None:
    point = {"key": "sweep-26-11-23-053038-51cm", "point": 0, "digest": "0" * 16}
    submitted = {"code": {"project": "."}, "git": None}
    told = Rerun("swept", (), Path.cwd(), sweep=point, submitted=submitted)
    (Path.cwd() / "train.py").write_text("from thexp_pl import sweep\nsweep(None, [])\n")
    done = run_script(Path.cwd(), "train.py", **told.write(Path.cwd() / "told.json"))
    assert done.returncode == 1
    assert 'call it below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_a_class_that_no_other_process_can_import_is_refused(mine: Any) -> None:
    class Inner(mine.MyTrainer):  # type: ignore[misc, name-defined]
        pass

    grid = Params().grid_search("epoch", [1, 2])
    assert "define it at the top of a module" in refused(Inner, grid)
    assert "not <class 'int'>" in refused(int, grid)


def test_at_a_prompt_a_class_is_refused_with_the_way_out(tmp_path: Path) -> None:
    typed = [
        "from thexp_pl import Params, sweep",
        "T = type('T', (), {'params_class': Params})",
        "sweep(T, Params().grid_search('epoch', [1, 2]))",
    ]
    done = subprocess.run(
        [sys.executable, "-i", "-c", ""], input="".join(f"{line}\n" for line in typed),
        cwd=tmp_path, capture_output=True, text=True, timeout=100, env=environment(tmp_path),
    )  # fmt: skip
    assert "from a prompt or a notebook: write it into a module" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        (lambda own: [], "holds no point"),
        (lambda own: own, "give params.grid_search("),
        (lambda own: [3], "a point of the grid is a int"),
        (lambda own: own.grid_search("maybe", [object(), 2]), "has no plain form"),
        (lambda own: own.grid_search("label", [["a"], ["b"]]), "does not come back from its flag"),
    ],
)
def test_a_grid_that_flags_cannot_give_is_refused_in_one_line(
    mine: Any, grid: Any, why: str
) -> None:
    assert why in refused(mine.MyTrainer, grid(mine.MyParams()))


@pytest.mark.parametrize(
    ("grid", "options", "why"),
    [
        (5, {}, "a grid is a list of Params, and 5 is none"),
        (None, {"jobs": "2"}, "jobs='2': give a whole number, 1 or more"),
        (None, {"jobs": 0}, "jobs=0: give a whole number, 1 or more"),
        (None, {"retries": True}, "retries=True: give a whole number, 0 or more"),
        (None, {"engine": "slurm", "cpus_per_run": 2}, "say --slurm.timeout_min=MINUTES"),
        (None, {"engine": "slurm", "slurm": {"timeout_min": "x"}}, "--slurm.timeout_min='x' is"),
        (None, {"engine": "slurm", "slurm": {"setup": ["a"], "nodes": 2}}, "each run has one node"),
        (None, {"engine": "ray", "address": "nowhere:1:2"}, "'nowhere:1:2'"),
        (None, {"address": "auto"}, "--address is an option of --engine ray"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused_in_one_line(
    mine: Any, grid: Any, options: dict[str, Any], why: str
) -> None:
    points = grid or mine.MyParams().grid_search("epoch", [1, 2])
    assert why in refused(mine.MyTrainer, points, **options)


_ABOVE = "class T(Trainer):\n    pass\n"
_CALL_IT = "sweep(T, Params().grid_search('epoch', [1, 2]))\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{_ABOVE}{_CALL_IT}", "and would begin the sweep of its line 6 once more: call it below"),
        (f"{_ABOVE}def main():\n    {_CALL_IT}main()\n", "the sweep of its line 8 once more"),
        (
            'if __name__ == "__main__":\n    class T(Trainer):\n        pass\n    ' + _CALL_IT,
            "cannot import T, which is defined below `if __name__",
        ),
    ],
)
def test_a_script_whose_import_would_not_do_for_the_runs_starts_none(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "script.py").write_text(
        f"from thexp_pl import Params, sweep\nclass Trainer:\n    params_class = Params\n{text}"
    )
    done = run_script(tmp_path, "script.py")
    assert done.returncode == 1
    assert why in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_values_of_every_plain_kind_come_back_from_their_flags(mine: Any) -> None:
    from thexp_pl.cli.sweep_call import _plan

    values: dict[str, list[Any]] = {
        "epoch": [1, 2],
        "optim.lr": [1e-300, 0.1 + 0.2, 1.0],
        "optim.betas": [(0.9, 0.99), (0.5, 0.5)],
        "optim.nesterov": [True, False],
        "label": ["", "a,b", "--x", "0..4", "'q\"", "手"],
        "maybe": [None, 1, "1", "text", [1, 2], {"a b": 1}, True],
        "kind": ["quick", "slow"],
        "size": [1, 2.5],
        "fresh": ["a", 3, None],  # a new parameter
        "device": ["cpu"],
    }
    for name, own in values.items():
        plan, order = _plan(mine.MyTrainer, list(mine.MyParams().grid_search(name, own)))
        assert len(plan.points) == len(set(order)) == len(own), name


@pytest.mark.slow
def test_the_example_trains_three_learning_rates_with_five_seeds_each(tmp_path: Path) -> None:
    example = Path(__file__).parents[1] / "examples" / "sweep.py"
    (tmp_path / example.name).write_text(example.read_text())
    done = run_script(tmp_path, example.name, limit=600)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "sweep: 15 of 15 done" in done.stdout.splitlines()
    key = done.stdout.splitlines()[0].split()[1].rstrip(",")
    groups = json.loads(stats(tmp_path, key, "--json"))["groups"]
    assert [group["seeds"] for group in groups] == [[0, 1, 2, 3, 4]] * 3
    assert max(group["metrics"]["eval_acc"]["mean"] for group in groups) > 0.9
    shown = (Path(__file__).parents[1] / "docs" / "sweeps.md").read_text()
    shown = shown[shown.index("### An example") : shown.index("## Engines")]
    means, tests = tables(stats(tmp_path, key, "--markdown"))
    shown_means, shown_tests = tables(shown)
    for name in ("metric", "group", "optim.lr", "n", "seeds"):
        assert [row[name] for row in shown_means] == [row[name] for row in means]
    paired = [row for row in tests if row["test"] == "paired t"]
    for name in ("metric", "groups", "test", "n"):
        assert [row[name] for row in shown_tests] == [row[name] for row in paired]
    assert [list(rows[0]) for rows in (shown_means, shown_tests)] == [
        list(rows[0]) for rows in (means, tests)
    ]


def stats(folder: Path, key: str, form: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "thexp_pl", "stats", key, "--metrics", "eval_acc", form],
        cwd=folder, capture_output=True, text=True, timeout=100, env=environment(folder),
        check=True,
    ).stdout  # fmt: skip


def tables(text: str) -> list[list[dict[str, str]]]:
    """Read the tables of a text in Markdown: of each its rows, by the names of the columns."""
    found: list[list[dict[str, str]]] = []
    for block in text.split("\n\n"):
        lines = [line.strip("| ").split(" | ") for line in block.splitlines() if line[:1] == "|"]
        if lines:
            found.append([dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]])
    return found
