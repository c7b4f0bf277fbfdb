"""``--ckpt_path last|best|RUN@CHECKPOINT|PATH`` on the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from cli_helpers import QUIET, CommandLine, Ended, manifest, metrics, project, thexp_pl

pytestmark = [
    # jsonargparse deprecates what Lightning calls
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # what Lightning says of loaders as small as these
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
]
__all__ = ["project", "thexp_pl"]  # fixtures

FACADE = ("--trainer_class=mine:MyTrainer", "--device=cpu", *QUIET)
MODULE = ("--model=lit.WithParams", "--device=cpu", *QUIET)
SUBJECTS = pytest.mark.parametrize("subject", [FACADE, MODULE], ids=["facade", "module"])


def parent_of(ended: Ended) -> str | None:
    """The run from whose checkpoint a run went on."""
    parent = manifest(ended.run).get("parent")
    return parent and parent["key"]


def came_from(ended: Ended) -> Path:
    """The file that a run says it began from."""
    lines = (ended.run / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    (path,) = {event["path"] for event in events if event["event"] in ("resume", "load")}
    return ended.run / path if not path.startswith("/") else Path(path)


def same_file(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


@SUBJECTS
def test_a_job_that_is_queued_again_needs_no_other_command(
    thexp_pl: CommandLine, subject: tuple[str, ...]
) -> None:
    command = ("fit", *subject, "--ckpt_path=last")
    first = thexp_pl(*command, "--epoch=1", "--optim.lr=0.3")
    assert first.code == 0, first.err
    (line,) = [line for line in first.err.splitlines() if "ckpt_path" in line]
    assert line.startswith("warning: --ckpt_path: there is no checkpoint 'last': no run of ")
    assert line.endswith("training starts from the beginning")
    assert parent_of(first) is None

    second = thexp_pl(*command, "--epoch=2")
    assert second.code == 0, second.err
    assert "ckpt_path" not in second.err
    assert parent_of(second) == first.run.name
    checkpoint = first.run / "modules" / "0000001.ckpt"
    assert same_file(came_from(second), checkpoint)
    config = yaml.safe_load((second.run / "config.yaml").read_text())
    assert same_file(Path(config["ckpt_path"]), checkpoint)
    assert config["optim"]["lr"] == 0.3, "the checkpoint's Params lie beneath the flags"
    trained = {path.name for path in (second.run / "modules").glob("0*.ckpt")}
    assert trained == {"0000002.ckpt"}

    third = thexp_pl(*command, "--epoch=3", "--exp_name=elsewhere")
    assert third.code == 0, third.err
    assert parent_of(third) is None, "another experiment has no last one"


def test_a_facade_looks_in_the_experiment_that_its_params_name(
    thexp_pl: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "named.py").write_text(
        "from mine import MyParams, MyTrainer\n"
        "class Named(MyParams):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.build_exp_name('named', 'optim.lr')\n"
        "class NamedTrainer(MyTrainer):\n"
        "    def initial_trainer(self, params: Named):\n"
        "        super().initial_trainer(params)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    command = ("fit", "--trainer_class=named:NamedTrainer", *QUIET, "--ckpt_path=last")
    first = thexp_pl(*command, "--optim.lr=0.3", "--epoch=1")
    other = thexp_pl(*command, "--optim.lr=0.2", "--epoch=1")
    assert "no run of 'named_optim.lr=0.2'" in other.err
    again = thexp_pl(*command, "--optim.lr=0.3", "--epoch=2")
    assert again.code == 0, again.err
    assert first.run.parent == again.run.parent == Path("experiment/named_optim.lr=0.3")
    assert parent_of(again) == first.run.name


@SUBJECTS
def test_any_command_takes_a_run_and_a_checkpoint(
    thexp_pl: CommandLine, subject: tuple[str, ...]
) -> None:
    first = thexp_pl("fit", *subject, "--epoch=2", "--exp_name=mine")
    newest = thexp_pl("fit", *subject, "--epoch=1", "--exp_name=other")
    assert newest.code == 0, newest.err
    key = first.run.name
    for word, name in ((f"{key}@1", "0000001.ckpt"), ("mine@last", "0000002.ckpt")):
        ended = thexp_pl("fit", *subject, "--epoch=3", f"--ckpt_path={word}")
        assert ended.code == 0, ended.err
        assert parent_of(ended) == key
        assert same_file(came_from(ended), first.run / "modules" / name)
    if subject is FACADE:
        shown = []
        for word in (f"--ckpt_path={key}@model.0000002.pth", "--ckpt_path=last"):
            ended = thexp_pl("test", *subject, word, "--exp_name=mine")
            assert ended.code == 0, ended.err
            shown.append([row[3] for row in metrics(ended.run) if row[2] == "test_loss"])
        assert shown[0] == shown[1] != []


@SUBJECTS
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("best", "there is no checkpoint 'best': no run of "),
        ("gone@last", "no run has the key 'gone'"),
        ("@last", "write RUN@CHECKPOINT"),
        ("lost", "there is no file 'lost'; did you mean 'last'?"),
    ],
)
def test_a_word_that_names_nothing_is_refused_and_nothing_is_recorded(
    thexp_pl: CommandLine, subject: tuple[str, ...], word: str, said: str
) -> None:
    line = thexp_pl("fit", *subject, f"--ckpt_path={word}").refusal()
    assert line.startswith("--ckpt_path: ")
    assert said in line
    assert not Path("experiment").exists()


def test_a_run_without_such_a_checkpoint_is_a_name_that_can_be_mended(
    thexp_pl: CommandLine,
) -> None:
    assert thexp_pl("fit", *FACADE, "--epoch=1").code == 0
    line = thexp_pl("test", *FACADE, "--ckpt_path=@last@7").refusal()
    assert line.startswith("--ckpt_path: no checkpoint of epoch 7 in ")
    assert line.endswith("it holds epochs 1")


def test_the_last_run_and_an_experiment_are_those_of_the_given_root(
    thexp_pl: CommandLine,
) -> None:
    own = thexp_pl("fit", *FACADE, "--epoch=1", "--exp_name=mine")
    foreign = thexp_pl("fit", *FACADE, "--epoch=1", "--exp_name=mine", "--exps_dir=foreign")
    alone = thexp_pl("fit", *FACADE, "--epoch=1", "--exp_name=alone", "--exps_dir=foreign")
    beginnings = {
        "@last@1": own,
        "mine@1": own,
        "alone@1": alone,  # there is none of that name in the own root
        f"{foreign.run.name}@1": foreign,
    }
    for word, begun in beginnings.items():
        ended = thexp_pl("test", *FACADE, f"--ckpt_path={word}", "--exp_name=tests")
        assert ended.code == 0, ended.err
        assert same_file(came_from(ended), begun.run / "modules" / "0000001.ckpt"), word
        shutil.rmtree(ended.run.parent)  # else it is the last
    line = thexp_pl("test", *FACADE, "--ckpt_path=@last~1@1").refusal()
    assert line == "--ckpt_path: no run is '@last~1': 1 are recorded"
    ended = thexp_pl("test", *FACADE, "--ckpt_path=@last@1", "--exps_dir=anew")
    assert same_file(came_from(ended), alone.run / "modules" / "0000001.ckpt")


def test_only_fit_begins_anew_where_there_is_no_last(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("validate", "test", "predict"):
        line = thexp_pl(command, *FACADE, "--ckpt_path=last").refusal()
        assert line.startswith("--ckpt_path: there is no checkpoint 'last'")
    monkeypatch.setenv("PL_TEST__CKPT_PATH", "last")
    assert thexp_pl("test", *FACADE).refusal().startswith("PL_TEST__CKPT_PATH: there is no")
    assert not Path("experiment").exists()


@SUBJECTS
def test_a_damaged_checkpoint_is_refused_by_path_and_passed_over_by_word(
    thexp_pl: CommandLine, subject: tuple[str, ...]
) -> None:
    first = thexp_pl("fit", *subject, "--epoch=2")
    damaged = first.run / "modules" / "0000002.ckpt"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1  # torch.load would take it as it is
    damaged.write_bytes(content)
    before = sorted(Path("experiment").rglob("*"))
    for word in (str(damaged), f"{first.run.name}@2"):
        ended = thexp_pl("fit", *subject, f"--ckpt_path={word}")
        assert ended.code == 1
        assert "0000002.ckpt is damaged" in ended.line()
    assert sorted(Path("experiment").rglob("*")) == before
    ended = thexp_pl("fit", *subject, "--epoch=3", "--ckpt_path=last")
    assert ended.code == 0, ended.err
    assert re.search(r"warning: --ckpt_path: .*0000002\.ckpt is damaged.*; taking ", ended.err)
    assert same_file(came_from(ended), damaged.with_name("0000001.ckpt"))


@SUBJECTS
def test_a_torn_file_of_lightnings_own_is_one_line_too(
    thexp_pl: CommandLine, subject: tuple[str, ...]
) -> None:
    torch.save({"state_dict": {}}, "epoch=0.ckpt")
    Path("epoch=0.ckpt").write_bytes(Path("epoch=0.ckpt").read_bytes()[:200])
    ended = thexp_pl("fit", *subject, "--ckpt_path=epoch=0.ckpt")
    assert ended.code == 1, ended.err
    assert ended.line().startswith("--ckpt_path: epoch=0.ckpt cannot be loaded: ")
    assert not Path("experiment").exists()


def test_a_word_in_a_configuration_is_resolved_too(thexp_pl: CommandLine) -> None:
    first = thexp_pl("fit", *FACADE, "--epoch=1")
    Path("again.yaml").write_text("ckpt_path: last\nepoch: 2\n")
    again = thexp_pl("fit", *FACADE, "--config=again.yaml")
    assert again.code == 0, again.err
    assert parent_of(again) == first.run.name


def test_the_help_says_what_is_taken(thexp_pl: CommandLine) -> None:
    text = " ".join(thexp_pl("fit", *FACADE, "--help").out.split())
    assert "last (where there is none yet, fit begins anew) or best of the run's experiment" in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_offers_words_and_runs(thexp_pl: CommandLine, tmp_path: Path) -> None:
    script = thexp_pl("completion", "bash")
    assert (script.code, script.err) == (0, "")
    for key in ("26-11-22-061138-k3f9", "26-11-22-061139-aaaa"):
        (tmp_path / "experiment" / "digits" / key).mkdir(parents=True)
        (tmp_path / "experiment" / "digits" / key / "run.json").touch()
    (tmp_path / "a.ckpt").touch()

    def offered(typed: str) -> set[str]:
        source = f"""{script.out}
COMP_WORDS=(thexp-pl fit --ckpt_path {typed!r})
COMP_CWORD=3
$(complete -p thexp-pl | sed 's/.*-F \\([^ ]*\\).*/\\1/') thexp-pl {typed!r} --ckpt_path
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        done = subprocess.run(
            ["bash", "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=180,
            env=dict(os.environ),
        )  # fmt: skip
        return {line.strip() for line in done.stdout.splitlines() if line.strip()}

    assert offered("") >= {"last", "best", "a.ckpt", "26-11-22-061138-k3f9@last"}
    assert offered("la") == {"last"}
    key = "26-11-22-061139-aaaa"
    assert offered("26-11-22-061139") == {f"{key}@last", f"{key}@best"}
    shutil.rmtree(tmp_path / "experiment")
    assert offered("2") == set()
