"""`thexp-pl sweep` before anything starts: what it takes, what it checks, what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine, project, thexp_pl

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

MINE = "--trainer_class=mine:MyTrainer"


def dry(thexp_pl: CommandLine, *words: str) -> dict[str, Any]:
    """Give what a sweep would do, and see that it did nothing."""
    before = sorted(Path.cwd().rglob("*"))
    ended = thexp_pl("sweep", *words, "--dry_run", "--json")
    assert ended.code == 0, ended.err
    assert sorted(Path.cwd().rglob("*")) == before
    return json.loads(ended.out)


def values(told: dict[str, Any]) -> list[dict[str, str]]:
    return [point["values"] for point in told["points"]]


def digests(thexp_pl: CommandLine, *words: str) -> list[str]:
    return [point["digest"] for point in dry(thexp_pl, *words)["points"]]


# -- points ----------------------------------------------------------------------------------------


def test_a_dry_run_prints_points_and_commands_that_can_be_copied(thexp_pl: CommandLine) -> None:
    ended = thexp_pl(
        "sweep", MINE, "--optim.lr=0.1,0.2", "--label='a b',c", "--epoch=1", "--dry_run"
    )
    assert (ended.code, ended.err) == (0, "")
    table, commands = ended.out.split("\n\n")
    assert [line.split() for line in table.splitlines()] == [
        ["point", "optim.lr", "label"],
        ["0", "0.1", "a", "b"],
        ["1", "0.1", "c"],
        ["2", "0.2", "a", "b"],
        ["3", "0.2", "c"],
    ]
    assert commands.splitlines()[0] == (
        "thexp-pl fit --trainer_class=mine:MyTrainer --epoch=1 --optim.lr=0.1 '--label=a b'"
    )
    assert not list(Path.cwd().iterdir())


def test_points_of_equal_parameters_are_one_however_they_are_spelt(thexp_pl: CommandLine) -> None:
    ended = thexp_pl("sweep", MINE, "--optim.lr=0.1,1e-1,.1,0.2", "--dry_run")
    assert ended.err == "note: 2 of 4 points are the same as others, and left out\n"
    assert [line.split()[0] for line in ended.out.split("\n\n")[0].splitlines()[1:]] == ["0", "1"]


def test_digests_tell_what_is_trained_and_not_how_it_is_spelt(thexp_pl: CommandLine) -> None:
    Path("a.yaml").write_text("optim:\n  lr: 0.10\nlabel: x\n")
    two = ("--width=8,16", "--optim.lr=0.1")
    one = digests(thexp_pl, MINE, *two, "--seed=3")
    assert one == digests(thexp_pl, MINE, "--width=16,8", "--config=a.yaml", "--seed=3")[::-1]
    assert one == digests(thexp_pl, MINE, "--width=08,16", "--seed_everything=3", "--optim.lr=1e-1")
    assert one == digests(thexp_pl, MINE, *two, "--seed=3", "--exps_dir=x")
    others = [
        digests(thexp_pl, MINE, *two, "--seed=4"),
        digests(thexp_pl, MINE, *two),
        digests(thexp_pl, MINE, "--width=8,16", "--optim.lr=0.2", "--seed=3"),
        digests(thexp_pl, "--trainer_class=mine:OtherTrainer", *two, "--seed=3"),
        digests(thexp_pl, MINE, *two, "--seed=3", "--trainer.max_steps=4"),
    ]
    assert len({*one, *(each for other in others for each in other)}) == 12


def test_a_file_of_points_is_crossed_with_lists_and_zip_takes_lists_together(
    thexp_pl: CommandLine,
) -> None:
    Path("points.csv").write_text("optim.lr,width\n0.1,8\n0.2,\n")
    Path("points").mkdir()  # not in the way of the dry run's look at the folder
    told = dry(thexp_pl, MINE, "--points", "points.csv", "--seed=0..1")
    assert values(told) == [
        {"optim.lr": "0.1", "width": "8", "seed": "0"},
        {"optim.lr": "0.1", "width": "8", "seed": "1"},
        {"optim.lr": "0.2", "seed": "0"},
        {"optim.lr": "0.2", "seed": "1"},
    ]
    told = dry(thexp_pl, MINE, "--zip", "--optim.lr=0.1,0.2", "--seed=0..1", "--epoch=1")
    assert values(told) == [{"optim.lr": "0.1", "seed": "0"}, {"optim.lr": "0.2", "seed": "1"}]


def test_a_lightning_module_and_what_is_trained_may_vary_too(thexp_pl: CommandLine) -> None:
    told = dry(thexp_pl, "--model=lit.Model", "--model.lr=0.1,1e-1,0.2", "--trainer.max_epochs=1")
    assert values(told) == [{"model.lr": "0.1"}, {"model.lr": "0.2"}]
    Path("other.py").write_text("from mine import OtherTrainer\n")
    told = dry(thexp_pl, "--trainer_class=mine:MyTrainer,other.py:OtherTrainer", "--width=8,16")
    assert len({point["digest"] for point in told["points"]}) == 4


def test_a_file_of_the_project_is_named_relative_to_it_and_any_other_absolute(
    thexp_pl: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own, other = Path("own.yaml").resolve(), tmp_path_factory.mktemp("other") / "other.yaml"
    for path in (own, other):
        path.write_text("epoch: 1\n")
    Path("train.py").write_text("from mine import MyTrainer\n")
    Path(".thexp").mkdir()
    Path(".thexp", "config.json").write_text("{}")  # marks the project
    told = dry(
        thexp_pl, f"--trainer_class={Path('train.py').resolve()}:MyTrainer", f"--config={own}",
        "--config", str(other), "--width=8,16",
    )  # fmt: skip
    words = f"fit --trainer_class=train.py:MyTrainer --config=own.yaml --config={other} --width=8"
    assert told["points"][0]["command"] == f"thexp-pl {words}"


def test_the_trainer_of_the_variable_is_named_in_the_commands(thexp_pl: CommandLine) -> None:
    assert thexp_pl("config", "--global", "trainer_class", "mine:MyTrainer").code == 0
    ended = thexp_pl("sweep", "--width=8,16", "--dry_run")
    assert "thexp-pl fit --trainer_class=mine:MyTrainer --width=8\n" in ended.out


def test_a_search_has_no_points_yet_and_says_its_space_in_a_line(thexp_pl: CommandLine) -> None:
    pytest.importorskip("optuna")
    search = ("--trials=9", "--metric=eval_loss", "--optim.lr=1e-3..1e-1:log", "--width=4..8")
    told = dry(thexp_pl, MINE, *search, "--epoch=1")
    assert (told["trials"], told["metric"], told["direction"]) == (9, "eval_loss", "min")
    assert told["space"] == {"optim.lr": "1e-3..1e-1:log", "width": "4..8"}
    assert "points" not in told
    assert thexp_pl("sweep", MINE, *search, "--epoch=1", "--dry_run").out.splitlines() == [
        "search: 9 trials, optim.lr in 1e-3..1e-1:log, width in 4..8; eval_loss (min), sampler tpe",
        "thexp-pl fit --trainer_class=mine:MyTrainer --epoch=1",
    ]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "nothing varies, and `thexp-pl fit` does one run"),
        (["--epoch=3"], "nothing varies, and `thexp-pl fit` does one run"),
        (["--optim.lr="], "--optim.lr=: a value is empty"),
        (["--seed=0..9999999"], "10,000,000 points are more than the 100,000"),
        (["--seed=0..9999", "--width=1..9999", "--epoch=1..9"], "points are more"),
        (["--optim.lr=0.1,0.2", "--width=1..3", "--zip"], "--optim.lr has 2, --width has 3"),
        (["--optim.lr=0.1,x"], "point 1 (optim.lr=x): --optim.lr: 'x' is not a float"),
        (["--drop=0.5,2"], "point 1 (drop=2): --drop: 2.0 is out of bounds"),
        (["--kind=quick,slwo"], "point 1 (kind=slwo): --kind: 'slwo' is not allowed"),
        (["--optim.lrr=1,2"], "there is no flag --optim.lrr; did you mean '--optim.lr'?"),
        (["--wdith=1", "--seed=0,1"], "there is no flag --wdith; did you mean '--width'?"),
        (["--trainer.max_steps=1,x"], "point 1 (trainer.max_steps=x): --trainer.max_steps"),
        (["--trainer.max_step=1,2"], "did you mean '--trainer.max_steps'?"),
        (["--seed=0,x"], "point 1 (seed=x): --seed: 'x'"),
        (["--eidx=1,2"], "--eidx is progress"),
        (["--trainer_class=mine:MyTrainer,mine:None_"], "there is no 'None_' in mine"),
        (["--points=none.csv"], "--points: cannot read 'none.csv'"),
        (["--ckpt_path=last", "--seed=0,1"], "--ckpt_path=last is a run's own"),
        (["--print_config", "--seed=0,1"], "--print_config is for one run"),
        (["fit", "word", "--seed=0,1"], "'word' is no flag; a sweep runs `fit` or a script"),
        (["none.py", "--seed=0,1"], "there is no file 'none.py'"),
        (["--config=none.yaml", "--seed=0,1"], "there is no file 'none.yaml'"),
        (["--seed=0,1", "--jobs=0"], "--jobs=0: give 1 or more"),
        (["--seed=0,1", "--retries=-1"], "--retries=-1: give 0 or more"),
        (["--seed=0,1", "--engine=cluster"], "invalid choice: 'cluster'"),
        (["--seed=0,1", "--json"], "--json prints the points of --dry_run"),
        (["--lr=1e-3..1e-1:log"], "is for a search (--sampler tpe --trials N)"),
        (["--optim.lr=0.1..0.2", "--metric=acc"], "give --trials"),
        (["--optim.lr=0.1..2", "--trials=3"], "give --metric"),
        (["--drop=0.1..2.0", "--trials=3", "--metric=acc"], "drop=2.0"),
        (["--epoch=1", "--trials=3", "--metric=acc"], "a search needs an option that varies"),
        (["--config=a.yaml,b.yaml", "--seed=0,1"], "--config does not vary"),
        (["--seed=0,1", "--fit.seed=5,6"], "--seed is given twice"),
        (["--seed=0,1", "--fit.exps_dir=x"], "exps_dir: all runs of a sweep are recorded in one"),
        (["--label=0.1..inf,b"], "--label=0.1..inf,b: '0.1..inf' is no range"),
        (["--seed=0,1", "-j", "1,2"], "'1,2' is no whole number; a parameter that is called so"),
        (["--seed=0,1", "--sweep.jbos=2"], "sweep has no option 'jbos'; did you mean 'jobs'?"),
        (["--seed=0,1", "--storage=sqlite:///x"], "--storage is for a search, which needs to"),
        (["--seed=0,1", "--label=ghp_" + "a1B2" * 9, "--dry_run"], "takes a secret"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_in_one_line_and_leaves_nothing(
    thexp_pl: CommandLine, words: list[str], why: str
) -> None:
    is_named = any(word.startswith("--trainer_class") or word.endswith(".py") for word in words)
    ended = thexp_pl("sweep", *words, *([] if is_named else [MINE]))
    assert why in ended.refusal()
    assert ended.out == ""
    assert not list(Path.cwd().iterdir())


def test_an_option_of_sweep_that_is_a_parameter_too_is_refused_and_fit_names_it(
    thexp_pl: CommandLine, tmp_path: Path
) -> None:
    Path("jobs.py").write_text(
        "from mine import MyParams, MyTrainer\n"
        "class JobsParams(MyParams):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.jobs = 1\n"
        "class JobsTrainer(MyTrainer):\n"
        "    def initial_trainer(self, params: JobsParams):\n"
        "        super().initial_trainer(params)\n"
    )
    words = ("sweep", "--trainer_class=jobs.py:JobsTrainer", "--seed=0,1", "--dry_run")
    line = thexp_pl(*words, "--jobs=2").refusal()
    assert "--jobs is an option of sweep, and a parameter of JobsParams too" in line
    assert "write --fit.jobs for the parameter, --sweep.jobs for the option" in line
    ended = thexp_pl(*words, "--fit.jobs=3,4", "-j", "2")
    assert ended.code == 0, ended.err
    assert "--seed=1 --jobs=4" in ended.out
    ended = thexp_pl(*words, "--sweep.jobs=2", "--sweep.retries", "1", "--fit.jobs=3,4")
    assert ended.code == 0, ended.err
    assert "--seed=1 --jobs=4" in ended.out
    assert "--seed=0" in thexp_pl(*words, "--sweep.jobs=2").out


def test_the_help_names_the_own_options_and_says_where_the_others_are(
    thexp_pl: CommandLine,
) -> None:
    ended = thexp_pl("sweep", "--help")
    assert ended.code == 0
    assert "thexp-pl fit --help" in " ".join(ended.out.split())
    assert all(f"--{name}" in ended.out for name in ("engine", "jobs", "points", "dry_run", "zip"))


def test_the_points_of_a_script_are_printed_without_torch(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("raise SystemExit('it is not run')\n")
    code = (
        "import sys; from thexp_pl.cli.main import main;"
        "main(['sweep', 'train.py', '--lr=0.1,0.2', '-j', '2', '--dry_run']);"
        "print(sorted({'torch', 'pytorch_lightning', 'numpy', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    *_, first, second, heavy = done.stdout.splitlines()
    assert (first, second) == ("python train.py --lr=0.1", "python train.py --lr=0.2")
    assert heavy == "[]"
