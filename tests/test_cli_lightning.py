"""LightningModules on the command line, and `ThexpCLI` in a user's own script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from cli_helpers import (
    PACKAGE,
    QUIET,
    CommandLine,
    environment,
    in_process,
    manifest,
    metrics,
    project,
    thexp_pl,
)

from thexp_pl import ThexpCLI
from thexp_pl.runs import ExperimentViewer
from thexp_pl.runs.run import Run

pytestmark = [
    # jsonargparse deprecates what Lightning calls
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # what Lightning says of loaders as small as these
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*no logger configured"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]
__all__ = ["project", "thexp_pl"]  # fixtures

ONE_EPOCH = ("--trainer.max_epochs=1", *QUIET)


def runs() -> list[Run]:
    return ExperimentViewer(["experiment"]).runs() if Path("experiment").exists() else []


def test_fit_trains_and_records_any_module_with_any_data(thexp_pl: CommandLine) -> None:
    ended = thexp_pl("fit", "--model=lit.Bare", "--data=lit.Data", "--model.lr=0.2", *ONE_EPOCH)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1].endswith(f" show {ended.run.name}")
    assert ended.run.parent.name == "Bare"
    facts = manifest(ended.run)
    assert facts["status"] == "finished"
    assert facts["params"]["lr"] == 0.2
    assert {name for _, _, name, _ in metrics(ended.run)} >= {"loss_epoch", "val_loss"}
    names = {path.name for path in (ended.run / "modules").iterdir()}
    assert {"0000001.ckpt", "0000001.ckpt.json", "model.0000001.pth"} <= names
    config = yaml.safe_load((ended.run / "config.yaml").read_text())
    assert config["model"] == {"class_path": "lit.Bare", "init_args": {"lr": 0.2, "hidden": 3}}
    assert config["data"]["class_path"] == "lit.Data"
    assert config["trainer"]["max_epochs"] == 1


def test_its_config_given_back_gives_the_very_same_metrics(thexp_pl: CommandLine) -> None:
    first = thexp_pl("fit", "--model=lit.Model", "--model.lr=0.2", *ONE_EPOCH)
    again = thexp_pl("fit", "--config", str(first.run / "config.yaml"))
    assert again.code == 0, again.err
    assert metrics(first.run) == metrics(again.run)
    printed = thexp_pl("fit", "--model=lit.Model", "--model.lr=0.2", *ONE_EPOCH, "--print_config")
    Path("a.yaml").write_text(printed.out)
    assert thexp_pl("fit", "--config=a.yaml", "--print_config").out == printed.out


def test_validate_test_predict_and_fit_take_its_checkpoint(thexp_pl: CommandLine) -> None:
    first = thexp_pl("fit", "--model=lit.Model", "--model.lr=0.2", *ONE_EPOCH)
    checkpoint = f"--ckpt_path={first.run / 'modules' / '0000001.ckpt'}"
    for command, name in (("validate", "val_loss"), ("test", "test_loss")):
        ended = thexp_pl(command, "--model=lit.Model", checkpoint, *QUIET)
        assert ended.code == 0, ended.err
        (value,) = {value for _, _, one, value in metrics(ended.run) if one == name}
        (known,) = {value for _, _, one, value in metrics(first.run) if one == "val_loss"}
        assert float(value) == pytest.approx(float(known))
    ended = thexp_pl("predict", "--model=lit.Model", checkpoint, *QUIET)
    assert ended.code == 0, ended.err
    ended = thexp_pl("fit", "--model=lit.Model", checkpoint, "--trainer.max_epochs=3", *QUIET)
    assert ended.code == 0, ended.err
    epochs = {epoch for _, epoch, name, _ in metrics(ended.run) if name == "loss_epoch"}
    assert epochs == {"1", "2"}
    if hasattr(pl.cli.LightningCLI, "_parse_ckpt_path"):  # Lightning 2.5 takes no values from it
        assert manifest(ended.run)["params"]["lr"] == 0.2


def test_forgetting_the_data_is_one_line(thexp_pl: CommandLine) -> None:
    with pytest.warns(UserWarning, match="no `val_dataloader`"):
        ended = thexp_pl("fit", "--model=lit.Bare", *ONE_EPOCH)
    assert ended.code == 2
    assert ended.line().startswith("`train_dataloader` must be implemented")
    assert manifest(ended.run)["status"] == "failed"


# -- a module that takes Params ------------------------------------------------------------------


def test_a_module_that_takes_params_gets_their_flags(thexp_pl: CommandLine) -> None:
    words = ["--optim.lr=0.3", "--kind=slow", "--epoch=3", "--model.extra=5", *QUIET]
    ended = thexp_pl("fit", "--model=lit.WithParams", *words)
    assert ended.code == 0, ended.err
    params = manifest(ended.run)["params"]
    assert (params["optim"]["lr"], params["kind"], params["epoch"]) == (0.3, "slow", 3)
    state = torch.load(ended.run / "modules" / "0000003.ckpt", weights_only=True)
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == 0.3
    config = yaml.safe_load((ended.run / "config.yaml").read_text())
    assert config["model"]["init_args"] == {"extra": 5}
    assert config["optim"]["lr"] == 0.3
    again = thexp_pl("fit", "--config", str(ended.run / "config.yaml"))
    assert again.code == 0, again.err
    assert manifest(again.run)["params"] == params


def test_its_checkpoint_keeps_the_params_beneath_the_flags(thexp_pl: CommandLine) -> None:
    words = ["fit", "--model=lit.WithParams", *QUIET]
    first = thexp_pl(*words, "--optim.lr=0.3", "--kind=slow")
    checkpoint = f"--ckpt_path={first.run / 'modules' / '0000002.ckpt'}"
    again = thexp_pl(*words, checkpoint, "--epoch=3", "--kind=quick")
    assert again.code == 0, again.err
    params = manifest(again.run)["params"]
    assert (params["optim"]["lr"], params["kind"], params["epoch"]) == (0.3, "quick", 3)
    assert [path.name for path in (again.run / "modules").glob("*.ckpt")] == ["0000003.ckpt"]


def test_epoch_is_max_epochs_and_device_the_accelerator(thexp_pl: CommandLine) -> None:
    from lit import WithParams

    cli = ThexpCLI(WithParams, args=["--device=cpu", "--epoch=7", *QUIET], run=False)
    assert cli.trainer.max_epochs == 7
    assert isinstance(cli.trainer.accelerator, pl.accelerators.CPUAccelerator)
    cli = ThexpCLI(WithParams, args=["--trainer.max_epochs=4", *QUIET], run=False)
    assert (cli.trainer.max_epochs, cli.model.params.epoch) == (4, 4)
    line = thexp_pl("fit", "--model=lit.WithParams", "--epoch=3", "--trainer.max_epochs=4")
    assert "--epoch and --trainer.max_epochs are the same" in line.refusal()
    line = thexp_pl(
        "fit", "--model=lit.WithParams", "--device=cpu", "--trainer.accelerator=gpu"
    ).refusal()
    assert "contradicts device 'cpu'" in line


# -- what is recorded, and how -------------------------------------------------------------------


def test_our_logger_and_callbacks_are_set_in_yaml_by_class_or_name(thexp_pl: CommandLine) -> None:
    Path("a.yaml").write_text(
        """
model: lit.Model
trainer:
  max_epochs: 3
  enable_progress_bar: false
  enable_model_summary: false
  logger:
    - class_path: thexp_pl.RunLogger
      init_args:
        save_dir: elsewhere
        name: by_yaml
    - class_path: CSVLogger
      init_args:
        save_dir: csv
  callbacks:
    - class_path: SaverCallback
      init_args:
        max_to_keep: 1
    - class_path: LearningRateMonitor
"""
    )
    ended = thexp_pl("fit", "--config=a.yaml")
    assert ended.code == 0, ended.err
    assert ended.run.parent == Path("elsewhere/by_yaml")
    assert [path.name for path in (ended.run / "modules").glob("*.ckpt")] == ["0000003.ckpt"]
    assert list(Path("csv").rglob("metrics.csv"))
    assert runs() == []
    again = thexp_pl("fit", "--config", str(ended.run / "config.yaml"))
    assert again.code == 0, again.err
    assert metrics(again.run) == metrics(ended.run)


def test_a_misspelt_argument_in_yaml_is_refused_with_its_near_miss(thexp_pl: CommandLine) -> None:
    Path("a.yaml").write_text(
        "model: lit.Model\ntrainer:\n  callbacks:\n    - class_path: SaverCallback\n"
        "      init_args:\n        max_to_kep: 1\n"
    )
    line = thexp_pl("fit", "--config=a.yaml").refusal()
    assert line.startswith("a.yaml, line 6: trainer.callbacks.0.init_args.max_to_kep: there is no")
    assert "did you mean 'trainer.callbacks.0.init_args.max_to_keep'?" in line


@pytest.mark.parametrize("flag", ["--trainer.logger=false", "--trainer.fast_dev_run=1"])
def test_nothing_is_recorded_where_that_is_wanted(thexp_pl: CommandLine, flag: str) -> None:
    ended = thexp_pl("fit", "--model=lit.Model", flag, *ONE_EPOCH)
    assert ended.code == 0, ended.err
    assert "run: " not in ended.out
    assert runs() == []


def test_lightnings_options_mean_what_they_mean_in_lightning(thexp_pl: CommandLine) -> None:
    ended = thexp_pl("fit", "--model=lit.Model", "--trainer.max_steps=11", *QUIET)
    sidecar = json.loads((ended.run / "modules" / "model.0000002.pth.json").read_text())
    assert sidecar["_record"]["step"] == 11
    ended = thexp_pl("fit", "--model=lit.Model", "--trainer.enable_checkpointing=false", *ONE_EPOCH)
    assert not (ended.run / "modules").exists()


def test_two_devices_record_one_run(project: Path, tmp_path: Path) -> None:
    words = ["fit", "--model=lit.Model", "--trainer.devices=2", "--trainer.accelerator=cpu"]
    ended = in_process(project, *words, *ONE_EPOCH, cwd=tmp_path)
    assert ended.code == 0, ended.err
    (run,) = ExperimentViewer([tmp_path / "experiment"]).runs()
    assert run.status == "finished"
    assert ended.out.count("run: ") == 1
    assert [path.name for path in run.paths.folder.glob("modules/*.ckpt")] == ["0000001.ckpt"]
    rows = metrics(run.paths.folder)
    assert len(rows) == len({(step, name) for step, _, name, _ in rows})


# -- a script of one's own -----------------------------------------------------------------------


def test_a_script_names_module_and_data(thexp_pl: CommandLine) -> None:
    from lit import Bare, Data

    cli = ThexpCLI(Bare, Data, args=["fit", "--data.size=4", "--model.lr=0.2", *ONE_EPOCH])
    assert cli.model.hparams.lr == 0.2
    (run,) = runs()
    assert (run.status, run.paths.experiment) == ("finished", "Bare")


def test_a_script_names_a_facade(thexp_pl: CommandLine) -> None:
    from mine import MyTrainer

    cli = ThexpCLI(trainer_class=MyTrainer, args=["fit", "--epoch=1", "--exp_name=own"])
    assert cli.facade is not None
    assert cli.facade.params.epoch == 1
    (run,) = runs()
    assert (run.status, run.paths.experiment) == ("finished", "own")


def test_without_running_a_module_and_its_trainer_are_ready(thexp_pl: CommandLine) -> None:
    from lit import Model

    cli = ThexpCLI(Model, args=[*ONE_EPOCH, "--model.lr=0.2"], run=False)
    assert cli.model.hparams.lr == 0.2
    cli.trainer.fit(cli.model, cli.datamodule)
    cli.trainer.logger.experiment.end_exp()
    (run,) = runs()
    assert {name for _, _, name, _ in metrics(run.paths.folder)} >= {"loss_epoch"}
    assert yaml.safe_load(run.paths.config.read_text())["model"]["lr"] == 0.2


def test_without_running_a_facade_is_ready(thexp_pl: CommandLine) -> None:
    from mine import MyTrainer

    cli = ThexpCLI(trainer_class=MyTrainer, args=["--epoch=1"], run=False)
    assert cli.facade is not None
    cli.facade.train()
    assert cli.facade.test() is not None
    cli.facade.experiment.end_exp()
    (run,) = runs()
    assert run.status == "finished"
    assert run.paths.config.exists()


def test_a_dict_in_place_of_words_is_the_configuration(thexp_pl: CommandLine) -> None:
    from mine import MyTrainer

    inner: dict[str, Any] = {"epoch": 1, "optim": {"lr": 0.5}, "kind": "slow"}
    cli = ThexpCLI(trainer_class=MyTrainer, args={"subcommand": "fit", "fit": inner})
    assert cli.facade is not None
    params = cli.facade.params
    assert (params.epoch, params.optim.lr, params.kind) == (1, 0.5, "slow")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fit", "--modl.lr=3"], "there is no flag --modl.lr; did you mean '--model.lr'?"),
        (["fit", "--model.lr=x"], "--model.lr: 'x' is not allowed; it must be a float"),
        (["fitt"], "'fitt'"),
        ([], "subcommand"),
        (["fit", "--exp_name=a/b", *QUIET], "holds a '/'"),
    ],
)
def test_a_mistake_is_one_line_in_a_script_too(
    thexp_pl: CommandLine, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    from lit import Model

    with pytest.raises(SystemExit) as ending:
        ThexpCLI(Model, args=words)
    assert ending.value.code == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1


class Watcher(pl.Callback):
    """Counts epochs."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_train_epoch_end(self, *_: Any) -> None:
        """Count one."""
        self.epochs += 1


@pytest.mark.parametrize("is_facade", [True, False])
def test_a_script_s_trainer_defaults_count(thexp_pl: CommandLine, is_facade: bool) -> None:
    from lit import WithParams
    from mine import MyTrainer

    watcher = Watcher()
    defaults = {"callbacks": watcher, "limit_train_batches": 2}
    subject: dict[str, Any] = (
        {"trainer_class": MyTrainer} if is_facade else {"model_class": WithParams}
    )
    cli = ThexpCLI(**subject, trainer_defaults=defaults, args=["fit", "--epoch=3", *QUIET])
    assert watcher.epochs == 3
    assert cli.trainer.num_training_batches == 2


def test_params_flags_can_be_linked_to_other_flags(thexp_pl: CommandLine) -> None:
    from lit import WithParams

    class Linked(ThexpCLI):
        def add_arguments_to_parser(self, parser: Any) -> None:
            parser.link_arguments("width", "model.extra")

    cli = Linked(WithParams, args=["--width=9", *QUIET], run=False)
    assert cli.model.extra == 9


def test_the_example_script_trains_and_records(project: Path, tmp_path: Path) -> None:
    script = PACKAGE / "examples" / "existing_main.py"
    words = ["fit", "--optim.lr=0.01", "--trainer.max_steps=50", *QUIET]
    done = subprocess.run(
        [sys.executable, str(script), *words], cwd=tmp_path, env=environment(project),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = ExperimentViewer([tmp_path / "experiment"]).runs()
    assert (run.status, run.params["optim"]["lr"]) == ("finished", 0.01)
