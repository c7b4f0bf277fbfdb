"""Bad input: one line, the exit code, nothing half-written; and exceptions of the user's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import (
    QUIET,
    CommandLine,
    Ended,
    environment,
    in_process,
    manifest,
    project,
    thexp_pl,
)

from thexp_pl.runs import ExperimentViewer

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

MODEL = "--model=lit.Model"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("epoch: 1\noptim: {lr: 0.1\n", "a.yaml, line 3: while parsing a flow mapping: expected"),
        ("epoch: 1\n\tx: 2\n", "a.yaml, line 2: while scanning"),
        ("epoch: 1\noptim:\n  lr: 0.1\n  lrr: 3\n", "a.yaml, line 4: optim.lrr: there is no such"),
        ("optim:\n  lr: abc\n", "a.yaml, line 2: optim.lr: 'abc' is not a float"),
        ("epoch: 1\ndrop: 7\n", "a.yaml, line 2: drop: 7.0 is out of bounds; it must be a number"),
        ("kind: c\n", "a.yaml, line 1: kind: 'c' is not allowed; it must be one of"),
        ("optim: 3\n", "a.yaml, line 1: optim: 3 is no group of values"),
        ("optim:\n  lr:\n    x: 1\n", "a.yaml, line 2: optim.lr: {'x': 1} is not a float"),
        ("trainer:\n  max_stps: 3\n", "a.yaml, line 2: trainer.max_stps: there is no such option"),
        ("trainer:\n  max_steps: abc\n", "a.yaml, line 2: trainer.max_steps: 'abc' is not allowed"),
        ("epoch: 1\nepoch: 2\n", "a.yaml, line 2: epoch is given twice, first in line 1"),
        ("- 1\n- 2\n", "a.yaml is a list; it must map names to values"),
        ("epoch\n", "a.yaml is a mere text; it must map names to values"),
        ("", "a.yaml is empty; it must map names to values"),
        ("[a]: 1\n", "a.yaml, line 1: the key is no name"),
        ("a: &x\n  b: *x\n", "a.yaml, line 1: found unconstructable recursive node"),
        ("trainer_class: mine:Nope\n", "a.yaml, line 1: trainer_class 'mine:Nope': there is no"),
        ("exp_name: 'a\\0b'\n", "the experiment name"),
        ('exp_name: "a\\0b"\n', "the experiment name 'a\\x00b' holds a character"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_rule(
    thexp_pl: CommandLine, text: str, line: str
) -> None:
    Path("a.yaml").write_text(text)
    words = [] if "trainer_class" in text else ["--trainer_class=mine:MyTrainer"]
    if text == "exp_name: 'a\\0b'\n":  # single quotes: a backslash and a 0, which can be a name
        assert thexp_pl("fit", *words, "--config=a.yaml", "--epoch=1").code == 0
        return
    assert thexp_pl("fit", *words, "--config=a.yaml").refusal().startswith(line)
    assert [path.name for path in Path().iterdir()] == ["a.yaml"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xfe\x00epoch", "'a.yaml' is no text file in UTF-8 (byte 0)"),
        (b"epoch: \x00", "a.yaml is no YAML"),
    ],
)
def test_a_file_that_is_no_text_is_refused(
    thexp_pl: CommandLine, content: bytes, line: str
) -> None:
    Path("a.yaml").write_bytes(content)
    assert thexp_pl.mine("--config=a.yaml").refusal().startswith(line)


def test_a_missing_file_and_a_folder_are_refused(thexp_pl: CommandLine) -> None:
    assert thexp_pl.mine("--config=a.yaml").refusal() == "--config: there is no file 'a.yaml'"
    assert "Is a directory" in thexp_pl.mine("--config", ".").refusal()
    assert thexp_pl.mine("--config").refusal() == "--config needs a value: --config=VALUE"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--trainer.max_steps=x"], "--trainer.max_steps: 'x' is not allowed; it must be an int"),
        (["--trainer.precision=bf16-mixd"], "did you mean 'bf16-mixed'?"),
        (["--trainer.callbacks=EarlyStoping"], "did you mean 'EarlyStopping'?"),
        (["--trainer.callbacks=Nope"], "it must be a list of Callback, a Callback class or null"),
        (["--trainer.callbacks=EarlyStopping"], "'monitor' is required, and was not given"),
        (
            ["--trainer.callbacks=ModelSummary", "--trainer.callbacks.max_dept=3"],
            "did you mean '--trainer.callbacks.max_depth'?",
        ),
        (["--trainer.accelerator=nope"], "accelerator 'nope' is not supported"),
        (["--trainer.max_steps=-7"], "You passed in -7"),
        (["--trainer.max_time=soon"], "'soon'"),
        (["--trainer.strategy=fsdp"], "strategy='fsdp'"),
        (["--trainer.logger=false"], "always records its run"),
        (["--trainer.logger=WandbLogger"], "Requirement 'wandb"),
        (["--seed_everything=x"], "--seed_everything: 'x' is not allowed; it must be"),
    ],
)
def test_a_bad_option_of_the_lightning_trainer_is_refused_before_the_run_begins(
    thexp_pl: CommandLine, words: list[str], line: str
) -> None:
    assert line in thexp_pl.mine(*words).refusal()
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--model=lit.Nope"], "--model 'lit.Nope': there is no 'Nope' in lit"),
        (["--model=lit.Modl"], "did you mean 'Model'?"),
        (
            ["--model=lit.NoModule"],
            "--model: 'lit.NoModule' is not allowed; it must be a",
        ),
        (["--model=Modl"], "did you mean 'Model'?"),
        (["--model=lit:Model"], "Lightning's form is 'lit.Model'"),
        (["--model=nolit.Model"], "there is no module 'nolit'"),
        ([MODEL, "--model.lr=abc"], "--model.lr: 'abc' is not allowed; it must be of type float"),
        ([MODEL, "--model.lrr=1"], "there is no flag --model.lrr; did you mean '--model.lr'?"),
        ([MODEL, "--model.init_args.lrr=1"], "did you mean '--model.init_args.lr'?"),
        ([MODEL, "--data=lit.Nope"], "--data: lit.Nope: module 'lit' has no attribute 'Nope'"),
        ([MODEL, "--data=lit.Data", "--data.size=x"], "--data.size: 'x' is not allowed"),
        ([MODEL, "--data=lit.Data", "--data.sie=3"], "did you mean '--data.size'?"),
        ([MODEL, "--trainer_class=mine:MyTrainer"], "--model and --trainer_class both say"),
        ([MODEL, "--trainer.accelerator=nope"], "`accelerator='nope'`"),
        ([MODEL, "--trainer.strategy=nope"], "`strategy='nope'`"),
        ([MODEL, "--trainer.max_steps=-7"], "You passed in -7"),
        ([MODEL, "--epoch=3"], "there is no flag --epoch"),
        ([MODEL, "--exp_name=a/b"], "the experiment name 'a/b' holds a '/'"),
        (["--model=lit.WithParams", "--optm.lr=3"], "did you mean '--optim.lr'?"),
        (["--model=lit.WithParams", "--kind=c"], "--kind: 'c' is not allowed"),
        (["--model=lit.WithParams", "--model.params=3"], "--model.params"),
    ],
)
def test_a_mistake_about_a_lightning_module_is_refused(
    thexp_pl: CommandLine, words: list[str], line: str
) -> None:
    assert line in thexp_pl("fit", *words, *QUIET).refusal()
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "mine:MyTraine",
            "there is no 'MyTraine' in mine; did you mean 'MyTrainer'?",
        ),
        ("mine:NoTrainer", "'mine:NoTrainer' is no thexp_pl.Trainer; name a LightningModule with"),
        ("mine:make_loader", "'mine:make_loader' is no thexp_pl.Trainer"),
        ("minee:MyTrainer", "there is no module 'minee'"),
        ("mine.sub:MyTrainer", "there is no module 'mine.sub'"),
        ("no/such.py:MyTrainer", "there is no file 'no/such.py'"),
        ("mine", "'mine' names no class; write MODULE:CLASS or FILE.py:CLASS"),
        ("mine.py:", "names no class"),
        (":MyTrainer", "names no class"),
        ("..mine:MyTrainer", "'..mine' is no module name"),
        ("my-own.py:MyTrainer", "a file's name is an identifier"),
        ("json.py:MyTrainer", "has the name of the module 'json', which is already loaded"),
    ],
)
def test_a_trainer_that_does_not_import_is_refused(
    thexp_pl: CommandLine, name: str, line: str
) -> None:
    for file in ("my-own.py", "json.py"):
        Path(file).write_text("")
    refused = thexp_pl("fit", f"--trainer_class={name}").refusal()
    assert refused.startswith("--trainer_class")
    assert line in refused


@pytest.mark.parametrize(
    ("source", "error"),
    [("1 / 0", ZeroDivisionError), ("import no_such_thing", ModuleNotFoundError)],
)
def test_a_module_that_fails_by_itself_keeps_its_exception(
    thexp_pl: CommandLine, source: str, error: type[Exception]
) -> None:
    Path("failing_module.py").write_text(source)
    with pytest.raises(error):
        thexp_pl("fit", "--trainer_class=failing_module.py:Own")


# -- where the runs shall lie --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("a_file/runs", "Not a directory"),
        ("a_file", "Not a directory"),
        ("/proc/runs", "No such file or directory"),
        ("/sys/runs", ""),
        ("", "give a path such as './experiment'"),
    ],
)
@pytest.mark.parametrize("subject", ["--trainer_class=mine:MyTrainer", MODEL])
def test_a_root_that_cannot_be_written_is_refused(
    thexp_pl: CommandLine, subject: str, folder: str, reason: str
) -> None:
    Path("a_file").write_text("")
    refused = thexp_pl("fit", subject, f"--exps_dir={folder}", *QUIET).refusal()
    assert reason in refused
    assert folder in refused
    assert "choose an experiment root that you may write to" in refused or not folder
    assert [path.name for path in Path().iterdir()] == ["a_file"]


WITHOUT_ROOM = """
import resource, sys
import pytorch_lightning  # torch 2.6 writes a file of its own when it is imported
from thexp_pl.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
sys.exit(main(["fit", "--trainer_class=mine:MyTrainer"]))
"""


def test_a_full_disk_is_refused_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM],
        cwd=tmp_path, env=environment(project), capture_output=True, text=True, check=False,
    )  # fmt: skip
    ended = Ended(done.returncode, done.stdout, done.stderr)
    assert "File too large" in ended.refusal()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a/b", "holds a '/'"),
        ("..", "begins with a dot"),
        ("x" * 300, "at most 255"),
        ("数" * 100, "at most 255"),
        (" ", "is empty"),
    ],
)
def test_a_name_that_no_folder_can_have_is_refused(
    thexp_pl: CommandLine, name: str, rule: str
) -> None:
    assert rule in thexp_pl.mine(f"--exp_name={name}").refusal()
    assert list(Path().iterdir()) == []


def test_a_chinese_name_is_a_name(thexp_pl: CommandLine) -> None:
    ended = thexp_pl.mine("--exp_name=手写 数字", "--epoch=1")
    assert ended.code == 0
    assert ended.run.parent.name == "手写 数字"


# -- tracebacks ----------------------------------------------------------------------------------


def test_debugging_shows_where_a_mistake_came_from(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thexp_pl.errors import ParamsError

    with pytest.raises(ParamsError, match="'abc' is not an int"):
        thexp_pl.mine("--epoch=abc", "--traceback")
    monkeypatch.setenv("THEXP_DEBUG", "1")
    ended = thexp_pl.mine("--trainer.max_steps=x")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: --trainer.max_steps: 'x'")


OWN = """
import sys
from mine import MyParams, MyTrainer
from thexp_pl import Trainer

class InBatch(MyTrainer):
    def train_batch(self, eidx, idx, *others):
        if idx == 3:
            self.fail()
        return super().train_batch(eidx, idx, *others)

class Failing(InBatch):
    def fail(self):
        raise ValueError("the user's own")

class Misspelt(InBatch):
    def fail(self):
        self.params.epohc

class Exiting(InBatch):
    def fail(self):
        sys.exit(3)

class InSetUp(Trainer):
    def initial_trainer(self, params: MyParams):
        raise KeyError("the user's own")

class MistakeInSetUp(MyTrainer):
    def initial_trainer(self, params: MyParams):
        super().initial_trainer(params)
        self.regist_databundler(trian=[])

class BadParams(MyParams):
    def __init__(self):
        super().__init__()
        self.arange("rate", 5, 0, 1)

class InParams(Trainer):
    def initial_trainer(self, params: BadParams):
        pass
"""


@pytest.fixture(autouse=True)
def own_trainers(project: Path) -> None:
    """Add the module ``own_trainers`` to the project."""
    (project / "own_trainers.py").write_text(OWN)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Failing", "the user's own"),
        ("Misspelt", "no parameter 'epohc' in MyParams; did you mean 'epoch'?"),
        ("InSetUp", "the user's own"),
        ("MistakeInSetUp", "not 'trian'; did you mean 'train'?"),
    ],
)
def test_the_users_own_exception_passes_and_its_run_is_failed_and_named(
    thexp_pl: CommandLine, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    with pytest.raises(Exception, match=re.escape(message)):
        thexp_pl("fit", f"--trainer_class=own_trainers:{name}")
    captured = capsys.readouterr()
    assert "error:" not in captured.err
    (run,) = ExperimentViewer(["experiment"]).runs()
    assert run.status == "failed"
    assert captured.out.endswith(f" show {run.key}\n")
    text = run.paths.traceback.read_text()
    assert "own_trainers.py" in text
    assert message in text


def test_an_exception_in_the_users_params_passes_and_nothing_is_recorded(
    thexp_pl: CommandLine,
) -> None:
    with pytest.raises(Exception, match="rate: 5 is out of bounds"):
        thexp_pl("fit", "--trainer_class=own_trainers:InParams")
    assert not Path("experiment").exists()


@pytest.mark.parametrize("name", ["FailingModel", "FailingStep"])
def test_the_exception_of_a_users_module_passes(thexp_pl: CommandLine, name: str) -> None:
    with pytest.raises(ValueError, match="the user's own"):
        thexp_pl("fit", f"--model=lit.{name}", "--trainer.max_epochs=1", *QUIET)


def test_sys_exit_in_the_users_code_is_the_exit_code(thexp_pl: CommandLine) -> None:
    ended = thexp_pl("fit", "--trainer_class=own_trainers:Exiting")
    assert (ended.code, ended.err) == (3, "")
    assert manifest(ended.run)["status"] == "failed"


def test_what_lightning_raises_in_a_run_is_one_line_and_code_1(thexp_pl: CommandLine) -> None:
    ended = thexp_pl.mine(
        "--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=nope", "--epoch=1"
    )
    assert ended.code == 1
    assert ended.line().startswith("RuntimeError: Early stopping conditioned on metric `nope`")
    assert "its traceback is in" in ended.line()
    assert manifest(ended.run)["status"] == "failed"
    assert (ended.run / "traceback.txt").exists()


def test_a_user_s_exception_in_a_process_has_its_traceback_and_code_1(
    project: Path, tmp_path: Path
) -> None:
    ended = in_process(project, "fit", "--trainer_class=own_trainers:Failing", cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.count("Traceback") == 1
    assert 'own_trainers.py", line' in ended.err
    assert ended.err.endswith("ValueError: the user's own\n")


# -- signals -------------------------------------------------------------------------------------

WAITING = """
from mine import MyTrainer

class Waiting(MyTrainer):
    def train_batch(self, eidx, idx, *others):
        if idx == 3:
            print("in the midst", flush=True)
            input()  # until the signal was sent; unlike signal.pause it cannot miss it
        return super().train_batch(eidx, idx, *others)
"""


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, "Detected KeyboardInterrupt, attempting graceful shutdown ..."),
        (
            signal.SIGTERM,
            143,
            "SIGTERM: training ends with a checkpoint after this batch; once more",
        ),
    ],
)
def test_a_signal_in_the_midst_of_training_ends_the_run_as_interrupted(
    project: Path, tmp_path: Path, number: signal.Signals, code: int, line: str
) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    process = subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "fit", "--trainer_class=waiting:Waiting"],
        cwd=tmp_path, text=True, env=environment(project),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    while process.stdout.readline() not in ("in the midst\n", ""):
        pass
    os.kill(process.pid, number)
    out, err = process.communicate("\n", timeout=120)
    assert process.returncode == code
    assert err.split("\n\n")[-1].strip().startswith(line)
    (run,) = ExperimentViewer([tmp_path / "experiment"]).runs()
    assert run.status == "interrupted"
    assert out.endswith(f" show {run.key}\n")
