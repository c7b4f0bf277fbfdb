"""The main job: what fit and its kin do with a facade Trainer, and what they leave."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from cli_helpers import (
    CommandLine,
    Ended,
    environment,
    in_process,
    manifest,
    metrics,
    project,
    thexp_pl,
)

from thexp_pl.globvars import globs

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures


# -- the built-in demo, in a process of its own ---------------------------------------------------


@pytest.fixture(scope="module")
def demo(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Run ``thexp-pl fit --optim.lr=0.01`` in an empty folder; paths are made absolute."""
    folder = tmp_path_factory.mktemp("demo")
    ended = in_process(project, "fit", "--optim.lr=0.01", cwd=folder)
    assert ended.code == 0, ended.err
    ended.out = ended.out.replace("run:  ", f"run:  {folder}/")
    return ended


def test_with_nothing_named_fit_says_so_and_trains_the_demo(demo: Ended) -> None:
    first, *lines = demo.out.splitlines()
    assert first == (
        "no trainer named: training the built-in demo on handwritten digits; "
        "name yours with --trainer_class MODULE:CLASS or --model CLASS"
    )
    assert demo.err == ""
    epochs = [line for line in lines if "/44 |" in line]
    assert len(epochs) == 10
    number = r"\d\.\d{4}\(\d\.\d{4}\)"
    percent = r"\d+\.\d\d%\(\d+\.\d\d%\)"
    for index, line in enumerate(epochs, 1):
        values = rf"@loss={number}  @acc={percent}"
        assert re.fullmatch(rf".* - {index}/10 \| 44/44 \| {values}", line), line


def test_the_last_lines_say_where_the_run_is_and_how_to_look_at_it(
    demo: Ended, project: Path
) -> None:
    where, how = demo.out.splitlines()[-2:]
    assert where == f"run:  {demo.run}"
    assert how.startswith("look: ")
    assert how.endswith(f" show {demo.run.name}")
    words = [*shlex.split(how[6:]), "--exps_dir", str(demo.run.parents[1])]  # the home is another's
    looked = subprocess.run(
        words, env=environment(project), capture_output=True, text=True, check=True
    )
    assert demo.run.name in looked.stdout
    assert (demo.run / "run.json").is_file()


def test_the_demo_reads_19_of_20_held_out_digits(demo: Ended) -> None:
    accuracies = [float(value) for _, _, name, value in metrics(demo.run) if name == "eval_acc"]
    assert accuracies[-1] >= 0.95


def test_the_run_holds_params_command_status_metrics_logs_and_modules(demo: Ended) -> None:
    facts = manifest(demo.run)
    assert facts["status"] == "finished"
    assert facts["params"]["optim"] == {"lr": 0.01, "momentum": 0.9}
    assert facts["argv"][-2:] == ["fit", "--optim.lr=0.01"]
    assert facts["start"] < facts["end"]
    assert facts["metrics"]["loss"]["count"] == 10
    names = {path.name for path in (demo.run / "modules").iterdir()}
    assert {"0000008.ckpt", "0000009.ckpt", "0000010.ckpt", "model.0000010.pth"} <= names
    assert {f"{name}.json" for name in names if name.endswith((".ckpt", ".pth"))} <= names
    (log,) = (demo.run / "logs").glob("[0-9]*.log")
    assert "10/10 | 44/44 | @loss=" in log.read_text()


def test_the_whole_resolved_configuration_is_config_yaml(demo: Ended) -> None:
    config = yaml.safe_load((demo.run / "config.yaml").read_text())
    assert (config["epoch"], config["optim"]["lr"], config["width"]) == (10, 0.01, 32)
    assert config["trainer"]["max_epochs"] is None
    assert config["seed_everything"] == 0


# -- a run done again ----------------------------------------------------------------------------


def test_the_config_of_a_run_given_back_gives_the_very_same_metrics(
    thexp_pl: CommandLine,
) -> None:
    first = thexp_pl.mine("--optim.lr=0.02", "--optim.betas=0.1,0.2", "--label=007")
    again = thexp_pl("fit", "--config", str(first.run / "config.yaml"))
    assert (first.code, again.code) == (0, 0)
    assert first.run != again.run
    assert metrics(first.run) == metrics(again.run)
    assert manifest(first.run)["params"] == manifest(again.run)["params"]
    assert (first.run / "config.yaml").read_text() == (again.run / "config.yaml").read_text()
    other = thexp_pl("fit", "--config", str(first.run / "config.yaml"), "--seed_everything=1")
    assert metrics(other.run) != metrics(first.run)


def test_words_after_the_config_change_it(thexp_pl: CommandLine) -> None:
    first = thexp_pl.mine("--trainer.max_epochs=3")
    assert manifest(first.run)["params"]["epoch"] == 3
    config = str(first.run / "config.yaml")
    assert yaml.safe_load(Path(config).read_text())["epoch"] == 3
    again = thexp_pl("fit", "--config", config, "--epoch=1", "--exp_name=again")
    assert manifest(again.run)["params"]["epoch"] == 1
    assert [line for line in again.out.splitlines() if " - 1/1 | 8/8 | " in line]
    assert again.run.parent.name == "again"


def test_new_parameters_are_recorded_and_given_back(thexp_pl: CommandLine) -> None:
    first = thexp_pl.mine("--allow_new", "--note.text=yes", "--topk=(1,5)", "--epoch=1")
    assert manifest(first.run)["params"]["note"] == {"text": "yes"}
    assert manifest(first.run)["params"]["topk"] == [1, 5]
    again = thexp_pl("fit", "--config", str(first.run / "config.yaml"))
    assert manifest(again.run)["params"] == manifest(first.run)["params"]


# -- Lightning's own options ---------------------------------------------------------------------


def test_max_steps_stops_after_so_many_batches(thexp_pl: CommandLine) -> None:
    run = thexp_pl.mine("--trainer.max_steps=11", "--epoch=5").run
    (last,) = sorted((run / "modules").glob("model.*.pth"))
    assert last.name == "model.0000002.pth"
    assert (run / "modules" / "model.0000002.pth.json").read_text().count('"step": 11') == 1


def test_limits_fast_runs_and_no_checkpoints_work_as_in_lightning(thexp_pl: CommandLine) -> None:
    ended = thexp_pl.mine("--trainer.limit_train_batches=3", "--epoch=1")
    assert " - 1/1 | 3/3 | " in ended.out
    ended = thexp_pl.mine("--trainer.fast_dev_run=1")
    assert " - 1/1 | 1/1 | " in ended.out
    ended = thexp_pl.mine("--trainer.enable_checkpointing=false", "--epoch=1")
    assert list((ended.run / "modules").iterdir()) == []


def test_callbacks_and_loggers_are_set_in_yaml_by_class_or_name(thexp_pl: CommandLine) -> None:
    Path("a.yaml").write_text(
        """
trainer_class: mine:MyTrainer
epoch: 4
trainer:
  callbacks:
    - class_path: thexp_pl.callbacks.SaverCallback
      init_args:
        max_to_keep: 1
    - class_path: EarlyStopping
      init_args:
        monitor: loss
        patience: 10
  logger:
    class_path: pytorch_lightning.loggers.CSVLogger
    init_args:
      save_dir: csv
"""
    )
    ended = thexp_pl("fit", "--config=a.yaml")
    assert ended.code == 0, ended.err
    names = sorted(path.name for path in (ended.run / "modules").glob("*.ckpt"))
    assert names == ["0000004.ckpt"]
    assert list(Path("csv").rglob("metrics.csv"))
    assert metrics(ended.run)


# -- where the trainer comes from ----------------------------------------------------------------

WORKERS = """
import torch
from torch.utils.data import DataLoader, Dataset
from mine import MyParams, MyTrainer

class OwnData(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.ones(4), torch.ones(1)

class Own(MyTrainer):
    def initial_trainer(self, params: MyParams):
        super().initial_trainer(params)
        loader = DataLoader(
            OwnData(), 4, num_workers=2, multiprocessing_context="spawn", persistent_workers=True
        )
        self.regist_databundler(train=loader)
"""


def test_a_file_is_imported_by_its_stem_so_that_loader_workers_find_it(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my code"
    folder.mkdir()
    (folder / "with_workers.py").write_text(WORKERS)
    ended = in_process(
        project, "fit", "--trainer_class", "my code/with_workers.py:Own", "--epoch=1", cwd=tmp_path
    )
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert manifest(tmp_path / ended.run)["status"] == "finished"


def test_a_project_s_variable_trainer_class_is_its_default(thexp_pl: CommandLine) -> None:
    assert thexp_pl("init").code == 0
    assert thexp_pl("config", "--local", "trainer_class", "mine:MyTrainer").code == 0
    ended = thexp_pl("fit", "--epoch=1")
    assert "no trainer named" not in ended.out
    assert ended.run.parent.name == "MyTrainer"
    assert "Odd" not in thexp_pl("fit", "--trainer_class=mine:NoTrainer").err
    globs.update("local", "trainer_class", "mine:Gone")
    line = thexp_pl("fit").refusal()
    assert line.startswith("the variable trainer_class (thexp-pl config) 'mine:Gone': there is no")


def test_exps_dir_and_exp_name_say_where_the_run_lies(thexp_pl: CommandLine) -> None:
    ended = thexp_pl.mine("--exps_dir=here/runs", "--exp_name=first", "--epoch=1")
    assert ended.run.parent == Path("here/runs/first")
    assert (ended.run / "run.json").is_file()


# -- from checkpoints ----------------------------------------------------------------------------


def test_fit_goes_on_from_a_checkpoint_with_its_params_beneath_the_flags(
    thexp_pl: CommandLine,
) -> None:
    whole = thexp_pl.mine("--width=7", "--epoch=4")
    first = thexp_pl.mine("--width=7")
    checkpoint = str(first.run / "modules" / "0000002.ckpt")
    again = thexp_pl.mine("--ckpt_path", checkpoint, "--epoch=4")
    assert again.code == 0, again.err
    assert manifest(again.run)["params"]["width"] == 7
    assert re.findall(r"(\d/4) \| 8/8", again.out) == ["3/4", "4/4"]
    means = {row for row in metrics(again.run) if row[2] == "loss"}
    assert len(means) == 2
    assert {(step, epoch) for step, epoch, _, _ in means} <= {
        (step, epoch) for step, epoch, _, _ in metrics(whole.run)
    }


@pytest.fixture(scope="module")
def trained(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the modules of a trained run, with a width that is not the default."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["fit", "--trainer_class=mine:MyTrainer", "--width=7", "--device=cpu"]
    ended = in_process(project, *words, cwd=folder)
    assert ended.code == 0, ended.err
    return folder / ended.run / "modules"


@pytest.mark.parametrize("file", ["0000002.ckpt", "model.0000002.pth"])
@pytest.mark.parametrize(("command", "name"), [("validate", "eval_loss"), ("test", "test_loss")])
def test_validate_and_test_evaluate_a_checkpoint_or_a_model(
    thexp_pl: CommandLine, trained: Path, command: str, name: str, file: str
) -> None:
    ended = thexp_pl(command, "--trainer_class=mine:MyTrainer", f"--ckpt_path={trained / file}")
    assert ended.code == 0, ended.err
    assert "never trained" not in ended.out
    config = yaml.safe_load((ended.run / "config.yaml").read_text())
    assert (config["width"], config["device"]) == (7, None)  # where to compute is asked anew
    (value,) = {value for _, _, one, value in metrics(ended.run) if one == name}
    trained_values = [value for _, _, one, value in metrics(trained.parent) if one == "eval_loss"]
    assert value == trained_values[-1]


def test_predictions_are_kept_in_the_run(thexp_pl: CommandLine, trained: Path) -> None:
    checkpoint = f"--ckpt_path={trained / 'model.0000002.pth'}"
    ended = thexp_pl("predict", "--trainer_class=mine:MyTrainer", checkpoint)
    assert ended.code == 0, ended.err
    batches = torch.load(ended.run / "predictions.pt", weights_only=True)
    assert [tuple(batch.shape) for batch in batches] == [(8, 1)] * 8


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_without_a_checkpoint_a_warning_says_that_the_weights_are_untrained(
    thexp_pl: CommandLine, command: str
) -> None:
    ended = thexp_pl(command, "--trainer_class=mine:MyTrainer")
    assert ended.code == 0
    assert f"{command} of weights that were never trained; give --ckpt_path" in ended.out


def test_a_missing_or_damaged_checkpoint_is_refused_and_nothing_is_recorded(
    thexp_pl: CommandLine, trained: Path
) -> None:
    for command in ("fit", "test"):
        words = [command, "--trainer_class=mine:MyTrainer"]
        line = thexp_pl(*words, "--ckpt_path=gone.ckpt").refusal()
        assert line == "--ckpt_path: there is no file 'gone.ckpt'"
        for name in ("0000002.ckpt", "0000002.ckpt.json"):
            Path(name).write_bytes((trained / name).read_bytes())
        content = bytearray(Path("0000002.ckpt").read_bytes())
        content[len(content) // 2] ^= 1
        Path("0000002.ckpt").write_bytes(content)
        ended = thexp_pl(*words, "--ckpt_path=0000002.ckpt")
        assert ended.code == 1
        assert "0000002.ckpt is damaged" in ended.line()
    assert not Path("experiment").exists()


def test_a_checkpoint_of_another_trainer_is_refused(thexp_pl: CommandLine, trained: Path) -> None:
    checkpoint = f"--ckpt_path={trained / '0000002.ckpt'}"
    ended = thexp_pl("test", "--trainer_class=mine:OtherTrainer", checkpoint)
    assert ended.code == 1
    assert "0000002.ckpt does not fit OtherTrainer" in ended.line()
    assert manifest(ended.run)["status"] == "failed"
