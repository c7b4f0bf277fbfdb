"""The files that `thexp-pl sweep` is given: points, configurations, groups; of the code or not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine, project, thexp_pl

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

MINE = "--trainer_class=mine:MyTrainer"


def dry(thexp_pl: CommandLine, *words: str) -> list[dict[str, Any]]:
    ended = thexp_pl("sweep", *words, "--dry_run", "--json")
    assert ended.code == 0, ended.err
    points: list[dict[str, Any]] = json.loads(ended.out)["points"]
    return points


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside the project, which is marked as one."""
    Path(".thexp").mkdir()
    Path(".thexp", "config.json").write_text("{}")
    return tmp_path_factory.mktemp("elsewhere")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{config: c.yaml}", "--config is for all points: give it on the command line"),
        ("{exps_dir: out}", "exps_dir: all runs of a sweep are recorded in one folder"),
        ("{ckpt_path: last}", "--ckpt_path=last is a run's own"),
        ("{print_config: true}", "--print_config is for one run"),
        ("{trainer_class: 'none.py:MyTrainer'}", "there is no file 'none.py'"),
        ("{optim.lr: 0.1, optim: {lr: 0.2}}", "optim.lr stands there twice"),
    ],
)
def test_what_is_no_points_own_is_refused_in_a_file_of_points(
    thexp_pl: CommandLine, row: str, why: str
) -> None:
    Path("p.yaml").write_text(f"- {{epoch: 1}}\n- {row}\n")
    before = sorted(Path.cwd().rglob("*"))
    line = thexp_pl("sweep", MINE, "--points=p.yaml").refusal()
    assert why in line
    assert "point 1" in line or "line 2" in line
    assert sorted(Path.cwd().rglob("*")) == before


def test_what_a_merge_key_brings_in_gives_way_to_what_stands_in_the_point(
    thexp_pl: CommandLine,
) -> None:
    Path("p.yaml").write_text(
        "- &a {optim: {lr: 0.1}, width: 8}\n- {<<: *a, optim.lr: 0.2}\n- {<<: *a, width: 4}\n"
    )
    assert [point["values"] for point in dry(thexp_pl, MINE, "--points=p.yaml")] == [
        {"optim.lr": "0.1", "width": "8"},
        {"optim.lr": "0.2", "width": "8"},
        {"optim.lr": "0.1", "width": "4"},
    ]


def test_exps_dir_in_a_points_file_of_a_script_is_refused_too(thexp_pl: CommandLine) -> None:
    Path("train.py").write_text("raise SystemExit('it is not run')\n")
    Path("p.csv").write_text("exps_dir,lr\nout,0.1\n,0.2\n")
    line = thexp_pl("sweep", "train.py", "--points=p.csv", "--dry_run").refusal()
    assert "exps_dir: all runs of a sweep are recorded in one folder" in line


def test_files_outside_of_the_project_are_named_absolutely_wherever_they_are_typed(
    thexp_pl: CommandLine, elsewhere: Path
) -> None:
    for name in ("a.yaml", "b.yaml"):
        (elsewhere / name).write_text("max_epochs: 1\n" if name == "a.yaml" else "max_epochs: 2\n")
    Path("own.yaml").write_text("max_epochs: 3\n")
    (elsewhere / "beside.py").write_text("from mine import MyTrainer\n")
    up = os.path.relpath(elsewhere, Path.cwd())
    points = dry(thexp_pl, MINE, f"--trainer={up}/a.yaml,{up}/b.yaml,own.yaml")
    assert [point["values"]["trainer"] for point in points] == [
        str(elsewhere / "a.yaml"), str(elsewhere / "b.yaml"), "own.yaml",
    ]  # fmt: skip
    fixed, _ = dry(thexp_pl, MINE, f"--trainer={up}/a.yaml", "--seed=0,1")
    assert f" --trainer={elsewhere / 'a.yaml'} " in fixed["command"]
    rows = [{"trainer": f"{up}/a.yaml"}, {"trainer_class": f"{up}/beside.py:MyTrainer"}]
    Path("p.json").write_text(json.dumps(rows))
    first, second = dry(thexp_pl, "--points=p.json", "--epoch=1")
    assert first["values"] == {"trainer": str(elsewhere / "a.yaml")}
    assert second["values"] == {"trainer_class": f"{elsewhere / 'beside.py'}:MyTrainer"}


def test_a_file_counts_by_what_is_in_it(thexp_pl: CommandLine, elsewhere: Path) -> None:
    a, b = elsewhere / "a.yaml", elsewhere / "b.yaml"
    a.write_text("max_steps: 1\n")
    b.write_text("max_steps: 2\n")
    typed = (MINE, f"--trainer={a},{b}")
    before = [point["digest"] for point in dry(thexp_pl, *typed)]
    b.write_text("max_steps: 3\n")
    after = [point["digest"] for point in dry(thexp_pl, *typed)]
    assert before[0] == after[0]
    assert len({*before, *after}) == 3


def test_the_root_of_a_configuration_is_taken_and_that_of_the_command_line_before_it(
    thexp_pl: CommandLine,
) -> None:
    Path("c.yaml").write_text("exps_dir: of%c\nepoch: 1\n")
    # an engine that refuses the root names it
    words = ("sweep", MINE, "--config=c.yaml", "--seed=0,1", "--engine=slurm",
             "--slurm.cluster=local")  # fmt: skip
    assert "of%c" in thexp_pl(*words).refusal()
    line = thexp_pl(*words, "--exps_dir=of%line").refusal()
    assert "of%line" in line
    assert "of%c" not in line
