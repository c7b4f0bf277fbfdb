"""Params on the command line: flags, files, the environment, and what comes before what."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import yaml
from cli_helpers import CommandLine, project, thexp_pl

from thexp_pl import BaseParams, Params, ThexpCLI, Trainer
from thexp_pl.params.flags import flags_of
from thexp_pl.runs import ExperimentViewer

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--epoch=3", "epoch", 3),
        ("--epoch 3", "epoch", 3),
        ("--epoch=1_0", "epoch", 10),
        ("--optim.lr=1e-3", "optim.lr", 1e-3),
        ("--optim.lr=1", "optim.lr", 1.0),
        ("--optim.lr=inf", "optim.lr", float("inf")),
        ("--optim.lr=-.5", "optim.lr", -0.5),
        ("--optim.lr -0.5", "optim.lr", -0.5),
        ("--optim.nesterov", "optim.nesterov", True),
        ("--optim.nesterov=yes", "optim.nesterov", True),
        ("--optim.nesterov off", "optim.nesterov", False),
        ("--optim.betas=0.1,0.2", "optim.betas", [0.1, 0.2]),
        ("--optim.betas=(1,0.2)", "optim.betas", [1.0, 0.2]),
        ('--optim={"lr":0.2,"nesterov":true}', "optim", {"lr": 0.2, "nesterov": True}),
        ("--label=123", "label", "123"),
        ("--label=null", "label", "null"),
        ("--label=a:b=#{c}", "label", "a:b=#{c}"),
        ("--label=", "label", ""),
        ("--label=模型", "label", "模型"),
        ("--maybe=yes", "maybe", "yes"),
        ("--maybe=3", "maybe", 3),
        ("--maybe=None", "maybe", None),
        ("--maybe=[1,'a']", "maybe", [1, "a"]),
        ("--kind=slow", "kind", "slow"),
        ("--size=2.5", "size", 2.5),
        ("--drop=1", "drop", 1.0),
        ("--device=cpu", "device", "cpu"),
    ],
)
def test_a_flag_is_typed_by_its_parameter(
    thexp_pl: CommandLine, flag: str, name: str, value: Any
) -> None:
    found: Any = thexp_pl.mine(*flag.split(" "), "--print_config").yaml()
    for part in name.split("."):
        found = found[part]
    if isinstance(value, dict):
        found = {key: found[key] for key in value}
    assert found == value
    assert type(found) is type(value)


def test_environment_then_words_from_left_to_right_and_files_where_they_stand(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.yaml").write_text("optim:\n  lr: 0.3\n")

    def lr(*words: str) -> float:
        return thexp_pl.mine(*words, "--print_config").yaml()["optim"]["lr"]

    assert lr() == 0.05
    monkeypatch.setenv("PL_FIT__OPTIM__LR", "0.2")
    assert lr() == 0.2
    assert lr("--config=a.yaml") == 0.3
    assert lr("--config=a.yaml", "--optim.lr=0.4") == 0.4
    assert lr("--optim.lr=0.4", "--config", "a.yaml") == 0.3
    assert lr("--optim.lr=0.4", '--optim={"lr": 0.5}', "--optim.lr=0.6") == 0.6
    monkeypatch.delenv("PL_FIT__OPTIM__LR")
    monkeypatch.setenv("PL_FIT__CONFIG", "a.yaml")
    assert lr() == 0.3
    monkeypatch.setenv("PL_FIT__OPTIM__LR", "0.2")
    assert lr() == 0.2


def test_a_file_before_the_subcommand_has_a_section_for_it(thexp_pl: CommandLine) -> None:
    Path("a.yaml").write_text("fit:\n  trainer_class: mine:MyTrainer\n  optim:\n    lr: 1e-3\n")
    config = thexp_pl("--config", "a.yaml", "fit", "--epoch=7", "--print_config").yaml()
    assert (config["optim"]["lr"], config["epoch"]) == (0.001, 7)


def test_a_file_can_hold_one_group(thexp_pl: CommandLine) -> None:
    Path("optim.yaml").write_text("lr: 0.3\nnesterov: true\n")
    Path("trainer.yaml").write_text("max_steps: 7\n")
    config = thexp_pl.mine("--optim=optim.yaml", "--trainer=trainer.yaml", "--print_config").yaml()
    assert (config["optim"]["lr"], config["optim"]["nesterov"]) == (0.3, True)
    assert config["optim"]["betas"] == [0.9, 0.99]
    assert config["trainer"]["max_steps"] == 7
    config = thexp_pl.mine("--label=optim.yaml", "--print_config").yaml()
    assert config["label"] == "optim.yaml"  # a text stays one
    Path("model.yaml").write_text("class_path: lit.Model\ninit_args:\n  lr: 0.7\n")
    Path("a.yaml").write_text("model: model.yaml\ntrainer: trainer.yaml\n")
    for words in (["--model=model.yaml"], ["--config=a.yaml"]):
        config = thexp_pl("fit", *words, "--print_config").yaml()
        assert config["model"]["class_path"] == "lit.Model"
        assert config["model"]["init_args"]["lr"] == 0.7


def test_a_printed_config_given_back_prints_the_same(thexp_pl: CommandLine) -> None:
    words = ["--optim.betas=0.1,0.2", "--maybe=(1,'a')", "--label=true", "--epoch=3", "--drop=0"]
    first = thexp_pl.mine(*words, "--print_config").out
    Path("a.yaml").write_text(first)
    assert thexp_pl("fit", "--config=a.yaml", "--print_config").out == first


def test_a_misspelt_variable_is_reported(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PL_FIT__OPTIM__LRR", "3")
    monkeypatch.setenv("PL_EPOCH", "3")
    monkeypatch.setenv("PL_TEST__EPOHC", "3")  # not of this subcommand
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")  # Lightning's own
    ended = thexp_pl.mine("--print_config")
    assert ended.err.splitlines() == [
        "warning: environment variable PL_EPOCH is no flag of fit; did you mean 'PL_FIT__EPOCH'?",
        "warning: environment variable PL_FIT__OPTIM__LRR is no flag of fit; "
        "did you mean 'PL_FIT__OPTIM__LR'?",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("PL_FIT__EPOCH", "abc", "'abc' is not an int"),
        ("PL_FIT__DROP", "7", "it must be a number from 0 to 1"),
        ("PL_FIT__TRAINER__MAX_STEPS", "x", "'x' is not allowed; it must be an int"),
        ("PL_FIT__TRAINER_CLASS", "min:T", "there is no module 'min'"),
    ],
)
def test_a_bad_variable_is_refused_by_its_name(
    thexp_pl: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    rule: str,
) -> None:
    monkeypatch.setenv("PL_FIT__TRAINER_CLASS", "mine:MyTrainer")
    monkeypatch.setenv(variable, value)
    line = thexp_pl("fit").refusal()
    assert line.startswith(variable)
    assert rule in line


@pytest.mark.parametrize(
    ("flag", "near"),
    [
        ("--epohc=3", "--epoch"),
        ("--epo=3", "--epoch"),  # no abbreviation
        ("--optim.l=3", "--optim.lr"),
        ("--optm.lr=3", "--optim.lr"),
        ("--trainer.max_stps=3", "--trainer.max_steps"),
        ("--trainer.max_step=3", "--trainer.max_steps"),
        ("--exp_dir=x", "--exps_dir"),
    ],
)
def test_an_unknown_flag_is_refused_with_the_near_miss(
    thexp_pl: CommandLine, flag: str, near: str
) -> None:
    line = thexp_pl.mine(flag).refusal()
    name = flag.partition("=")[0]
    assert line.startswith(f"there is no flag {name}; did you mean '{near}'?")
    assert ("--allow_new" in line) == (not name.startswith("--trainer."))


@pytest.mark.parametrize(
    ("flag", "line"),
    [
        ("--epoch=abc", "--epoch: 'abc' is not an int"),
        ("--epoch=1.5", "--epoch: '1.5' is not an int"),
        ("--optim.lr=x", "--optim.lr: 'x' is not a float"),
        ("--optim.nesterov=maybe", "--optim.nesterov: 'maybe' is neither true nor false"),
        ('--optim={"lr":"x"}', "--optim.lr: 'x' is not a float"),
        ('--optim={"lrr":1}', "--optim: there is no parameter 'optim.lrr'; did you mean"),
        ("--optim=3", "--optim: 3 is no group of values"),
        ("--optim.lr", "--optim.lr needs a value: --optim.lr=VALUE"),
        ("--drop=2", "--drop: 2.0 is out of bounds; it must be a number from 0 to 1"),
        ("--kind=slo", "--kind: 'slo' is not allowed; it must be one of 'quick', 'slow'; did you"),
        ("--size=3", "--size: '3' is not allowed; it must be one of 1, 2.5"),
        ("--eidx=3", "--eidx is progress"),
        ("--epoch.x=3", "there is no flag --epoch.x: epoch is a value without parts"),
        ("epoch=3", "'epoch' is no flag; flags look like --name=value"),
        ("--device=tpu", "device 'tpu' is unknown"),
        ("--device=cuda:99", "device 'cuda:99' is not on this machine"),
    ],
)
def test_a_bad_value_is_refused_with_value_and_rule(
    thexp_pl: CommandLine, flag: str, line: str
) -> None:
    assert thexp_pl.mine(flag).refusal().startswith(line)
    assert list(Path().iterdir()) == []


def test_a_contradicting_accelerator_is_refused(thexp_pl: CommandLine) -> None:
    line = thexp_pl.mine("--device=cpu", "--trainer.accelerator=gpu").refusal()
    assert "accelerator 'gpu' contradicts device 'cpu'" in line


# -- new names -----------------------------------------------------------------------------------


def test_new_names_come_in_with_allow_new_alone(thexp_pl: CommandLine) -> None:
    words = ["--temperature=2e-3", "--nested.deep.name=hello", "--optim.wd=1", "--on"]
    assert "--temperature" in thexp_pl.mine(*words).refusal()
    config = thexp_pl.mine(*words, "--allow_new", "--print_config").yaml()
    assert config["temperature"] == 0.002
    assert config["nested"] == {"deep": {"name": "hello"}}
    assert config["optim"]["wd"] == 1
    assert config["on"] is True
    config = thexp_pl.mine('--optim={"wd": [1]}', "--allow_new", "--print_config").yaml()
    assert config["optim"]["wd"] == [1]


def test_new_names_in_a_file_need_allow_new_too_and_are_kept_in_the_config(
    thexp_pl: CommandLine,
) -> None:
    Path("a.yaml").write_text("temperature: [1, a]\nnested:\n  name: 'true'\n")
    line = thexp_pl.mine("--config=a.yaml").refusal()
    assert line.startswith("a.yaml, line 3: nested.name: there is no such option")
    assert "--allow_new" in line
    printed = thexp_pl.mine("--config=a.yaml", "--allow_new", "--print_config")
    config = printed.yaml()
    assert (config["temperature"], config["nested"]) == ([1, "a"], {"name": "true"})
    Path("b.yaml").write_text(printed.out)
    assert thexp_pl("fit", "--config=b.yaml", "--print_config").out == printed.out


def test_a_new_name_that_cannot_be_one_is_refused(thexp_pl: CommandLine) -> None:
    line = thexp_pl.mine("--allow_new", "--my-name=3").refusal()
    assert "'my-name' cannot name a parameter" in line
    line = thexp_pl.mine("--allow_new", "--trainer.foo=3").refusal()
    assert line.startswith("there is no flag --trainer.foo")


# -- names that collide --------------------------------------------------------------------------

COLLIDING = [
    *("model", "trainer", "config", "data", "ckpt_path", "exps_dir", "exp_name", "trainer_class"),
    *("allow_new", "help", "print_config", "seed_everything", "subcommand", "traceback"),
    *("weights_only", "verbose", "return_predictions"),
]


def facade_with(name: str, value: Any = 3) -> type[Trainer]:
    class OwnParams(Params):
        def __init__(self) -> None:
            super().__init__()
            self[name] = value

    class Own(Trainer):
        def initial_trainer(self, params: Any) -> None:
            raise AssertionError("no work before the refusal")

    Own.initial_trainer.__annotations__["params"] = OwnParams
    return Own


@pytest.mark.parametrize("name", COLLIDING)
def test_a_parameter_with_the_name_of_a_flag_is_refused(
    thexp_pl: CommandLine, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(SystemExit) as ending:
        ThexpCLI(trainer_class=facade_with(name), args=["fit"])
    assert ending.value.code == 2
    assert capsys.readouterr().err == (
        f"error: OwnParams.{name} collides with the command line's own --{name}; "
        "rename the parameter\n"
    )
    assert list(Path().iterdir()) == []


def test_a_group_with_the_name_of_a_flag_is_refused(
    thexp_pl: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        ThexpCLI(trainer_class=facade_with("trainer", {"max_epochs": 3}), args=["fit"])
    assert "OwnParams.trainer collides" in capsys.readouterr().err


def test_a_facade_has_no_optimizer_flag_and_may_have_a_parameter_of_that_name(
    thexp_pl: CommandLine,
) -> None:
    assert "there is no flag --optimizer" in thexp_pl.mine("--optimizer=Adam").refusal()
    facade = facade_with("optimizer", "sgd")
    with pytest.raises(AssertionError, match="no work before"):
        ThexpCLI(trainer_class=facade, args=["fit", "--optimizer=adam"])
    (run,) = ExperimentViewer(["experiment"]).runs()
    assert run.params["optimizer"] == "adam"


def test_empty_params_take_new_names(thexp_pl: CommandLine) -> None:
    class Bare(pl.LightningModule):
        def __init__(self, params: BaseParams) -> None:
            super().__init__()
            self.params = params

    Bare.__init__.__annotations__["params"] = BaseParams
    words = ["--allow_new", "--foo=1", "--trainer.max_epochs=1", "--trainer.logger=false"]
    assert ThexpCLI(Bare, args=words, run=False).model.params.to_dict() == {"foo": 1}


def test_every_flag_of_the_command_line_is_among_those_that_collide(
    thexp_pl: CommandLine,
) -> None:
    from thexp_pl.cli.parser import RESERVED, RESERVED_FOR_MODULES
    from thexp_pl.cli.training import parsers

    def heads(*words: str) -> set[str]:
        options = [
            option.removeprefix("--").partition(".")[0]
            for parser in parsers(list(words)).values()
            for action in parser._actions
            for option in action.option_strings
            if option.startswith("--")
        ]
        return set(options)

    own = {flag.name.partition(".")[0] for flag in flags_of(Params())}
    own |= {"seed"}  # a flag of the command line only where the Params have no parameter of it
    assert heads("--trainer_class=mine:MyTrainer") - own <= {
        *RESERVED,
        *("kind", "size", "drop", "optim", "label", "maybe", "width"),
    }
    assert heads("--model=lit.Model") - {"seed"} <= RESERVED_FOR_MODULES


# -- what Params hold beside plain values --------------------------------------------------------


class Color(enum.Enum):
    RED = 1


class OddParams(Params):
    """Values of kinds that YAML does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path("/data")
        self.kinds = {"a", "b"}
        self.table = {1: "one"}
        self.color = Color.RED
        self.size = (28, 28)
        self.Upper = 3
        self.pop = self.clone = 1  # names of jsonargparse's own


class Odd(Trainer):
    def initial_trainer(self, params: OddParams) -> None:
        pass


def read_odd(*words: str) -> OddParams:
    cli = ThexpCLI(trainer_class=Odd, args=[*words, "--exps_dir=runs"], run=False)
    assert cli.facade is not None
    cli.facade.experiment.end_exp()
    return cli.facade.params


def test_defaults_that_yaml_does_not_know_stay_what_they_are(thexp_pl: CommandLine) -> None:
    params, default = read_odd(), OddParams()
    for name in default.settings():
        if name != "device":
            assert params[name] == default[name], name
            assert type(params[name]) is type(default[name]), name


def test_they_can_be_given_all_the_same(thexp_pl: CommandLine) -> None:
    params = read_odd("--path=/tmp", "--kinds=c", "--size=3,4", "--Upper=4", "--pop=2")
    assert params.path == Path("/tmp")
    assert params.kinds == {"c"}
    assert params["size"] == (3, 4)
    assert (params.Upper, params["pop"]) == (4, 2)


# -- epochs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["word", "variable", "file"])
def test_epoch_and_max_epochs_together_are_refused_by_name(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    words = ["--trainer.max_epochs=4"]
    if source == "word":
        words.append("--epoch=3")
    elif source == "variable":
        monkeypatch.setenv("PL_FIT__EPOCH", "3")
    else:
        Path("a.yaml").write_text("epoch: 3\n")
        words.append("--config=a.yaml")
    line = thexp_pl.mine(*words).refusal()
    assert "--epoch and --trainer.max_epochs are the same; give one of them" in line


# -- help ----------------------------------------------------------------------------------------


def test_help_begins_with_the_parameters_their_meaning_type_bounds_choices_and_defaults(
    thexp_pl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = thexp_pl.mine("--help").out
    assert page.startswith("usage: thexp-pl fit [--NAME=VALUE ...]\n")
    assert "--optim.lr of fit is PL_FIT__OPTIM__LR" in page
    lines = " ".join(page.split())
    for entry in (
        "--epoch EPOCH Number of epochs to train. (int; default: 2)",
        "--kind {quick,slow} Which way. (one of 'quick', 'slow'; default: quick)",
        "--drop DROP The rate of dropout, 50% by %(default)s. (a number from 0 to 1; default: 0.5)",
        "--optim.nesterov {true,false} (bool; default: False)",
        "(str; default: cuda:0 where there is one, else cpu)",
        "--exps_dir EXPS_DIR The folder for recorded runs.",
        "--trainer.max_steps MAX_STEPS",
    ):
        assert entry in lines
    assert page.index("--epoch") < page.index("--exps_dir") < page.index("--trainer.max_steps")
    assert "eidx" not in page


def test_from_args_and_the_command_line_read_the_same(thexp_pl: CommandLine) -> None:
    import mine

    words = ["--maybe=010", "--label=1e3", "--optim.betas=[0,1]", "--epoch=0_7", "--kind=slow"]
    config = thexp_pl.mine(*words, "--print_config").yaml()
    params = mine.MyParams().from_args(words)
    params.device = "cpu"
    expected = yaml.safe_load(json.dumps(params.settings()))
    assert {name: config[name] for name in expected} == {**expected, "device": None}
