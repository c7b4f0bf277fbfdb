"""The seed of a training command: one by two names, recorded as the parameter `seed`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from cli_helpers import QUIET, CommandLine, manifest, metrics, project, thexp_pl

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

SEEDED = """
from mine import MyParams, MyTrainer

class SeededParams(MyParams):
    def __init__(self):
        super().__init__()
        self.seed = 5

class SeededTrainer(MyTrainer):
    def initial_trainer(self, params: SeededParams):
        super().initial_trainer(params)

class LockedParams(MyParams):
    def __init__(self):
        super().__init__()
        self.lock()

class LockedTrainer(MyTrainer):
    def initial_trainer(self, params: LockedParams):
        super().initial_trainer(params)
"""


def test_seed_is_seed_everything_and_both_are_recorded(thexp_pl: CommandLine) -> None:
    one = thexp_pl.mine("--seed=3")
    two = thexp_pl.mine("--seed_everything=3")
    other = thexp_pl.mine("--seed=4")
    assert [ended.code for ended in (one, two, other)] == [0, 0, 0], one.err
    assert metrics(one.run) == metrics(two.run) != metrics(other.run)
    seeds = [manifest(ended.run)["params"]["seed"] for ended in (one, two, other)]
    assert seeds == [3, 3, 4]
    config = yaml.safe_load((two.run / "config.yaml").read_text())
    assert (config["seed"], config["seed_everything"]) == (3, 3)
    told = thexp_pl("stats", "--by", "all-but-seed", "--metrics", "loss")
    assert "3, 4" in told.out  # the seeds of the one group


def test_the_default_seed_is_not_recorded_and_the_config_gives_the_same_again(
    thexp_pl: CommandLine,
) -> None:
    plain, seeded = thexp_pl.mine(), thexp_pl.mine("--seed=0")
    assert metrics(plain.run) == metrics(seeded.run)
    assert "seed" not in manifest(plain.run)["params"]
    for first in (plain, seeded):
        again = thexp_pl("fit", "--config", str(first.run / "config.yaml"))
        assert manifest(again.run)["params"] == manifest(first.run)["params"]
        assert metrics(again.run) == metrics(first.run)


def test_a_parameter_named_seed_stays_the_users_own(thexp_pl: CommandLine) -> None:
    Path("seeded.py").write_text(SEEDED)
    ended = thexp_pl("fit", "--trainer_class=seeded.py:SeededTrainer", "--seed=7")
    assert ended.code == 0, ended.err
    assert manifest(ended.run)["params"]["seed"] == 7
    config = yaml.safe_load((ended.run / "config.yaml").read_text())
    assert (config["seed"], config["seed_everything"]) == (7, 0)
    both = thexp_pl(
        "fit", "--trainer_class=seeded.py:SeededTrainer", "--seed=7", "--seed_everything=1"
    )
    assert manifest(both.run)["params"]["seed"] == 7
    assert metrics(both.run) != metrics(ended.run)


def test_locked_params_train_with_the_seed_and_say_that_it_is_no_parameter(
    thexp_pl: CommandLine,
) -> None:
    Path("locked.py").write_text(SEEDED)
    ended = thexp_pl("fit", "--trainer_class=locked.py:LockedTrainer", "--seed=7")
    assert ended.code == 0
    assert "the seed is not recorded as a parameter" in ended.err
    assert "seed" not in manifest(ended.run)["params"]


def test_a_checkpoint_keeps_the_seed_for_the_run_that_goes_on(thexp_pl: CommandLine) -> None:
    first = thexp_pl.mine("--seed=3", "--epoch=1")
    state = torch.load(first.run / "modules" / "0000001.ckpt", weights_only=True)
    assert state["thexp_pl_params"]["seed"] == 3
    on = thexp_pl.mine("--ckpt_path=last", "--epoch=2")
    assert on.code == 0, on.err
    assert manifest(on.run)["params"]["seed"] == 3
    other = thexp_pl.mine("--ckpt_path=last", "--epoch=3", "--seed=9")
    assert manifest(other.run)["params"]["seed"] == 9


def test_a_lightning_module_with_and_without_params_records_it_too(thexp_pl: CommandLine) -> None:
    words = ("--trainer.max_epochs=1", "--seed=3", *QUIET)
    plain = thexp_pl("fit", "--model=lit.Model", *words)
    assert plain.code == 0, plain.err
    params = manifest(plain.run)["params"]
    assert (params["seed"], params["lr"]) == (3, 0.1)
    own = thexp_pl("fit", "--model=lit.WithParams", *words)
    assert own.code == 0, own.err
    assert manifest(own.run)["params"]["seed"] == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--seed=3", "--seed_everything=4"], "--seed and --seed_everything are the same"),
        (["--seed=x"], "--seed: 'x' is not allowed"),
        (["--sed=3"], "did you mean '--seed'?"),
    ],
)
def test_a_seed_that_cannot_be_meant_is_refused(
    thexp_pl: CommandLine, words: list[str], why: str
) -> None:
    assert why in thexp_pl.mine(*words).refusal()


def test_a_seed_in_the_environment_or_a_file_is_given_as_well(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.yaml").write_text("seed: 6\n")
    assert manifest(thexp_pl.mine("--config=a.yaml").run)["params"]["seed"] == 6
    monkeypatch.setenv("PL_FIT__SEED_EVERYTHING", "8")
    assert manifest(thexp_pl.mine().run)["params"]["seed"] == 8
