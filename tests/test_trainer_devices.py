"""What `devices`, `num_nodes`, `strategy` and the processes that are there make of a run."""

from __future__ import annotations

from typing import Any

import pytest

from thexp_pl import Params
from thexp_pl.errors import UsageError
from thexp_pl.strategies import ManualDDPStrategy
from thexp_pl.trainer.asked.devices import device_options

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_RANK": "0",
}
SLURM = {
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "2",
    "SLURM_JOB_NAME": "train",
}


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SLURM):
        monkeypatch.delenv(name, raising=False)


def asked(**options: Any) -> dict[str, Any]:
    params = Params()
    params.device = "cpu"
    return device_options(params, options)


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        asked(**options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("devices", "count"),
    [(2, 2), ("2", 2), ([0, 1], 2), ((0, 1, 2), 3), ("0,1", 2), ("[0, 1]", 2)],
)
def test_each_form_of_several_devices_is_as_many_processes_on_the_cpu(
    devices: Any, count: int
) -> None:
    options = asked(devices=devices)

    assert isinstance(options["strategy"], ManualDDPStrategy)
    assert (options["accelerator"], options["devices"], options["num_nodes"]) == ("cpu", count, 1)


@pytest.mark.parametrize("devices", [None, "auto", 1, "1", [0], "0,"])
def test_one_device_needs_no_strategy(devices: Any) -> None:
    assert asked(devices=devices) == {"accelerator": "cpu", "devices": 1}


@pytest.mark.parametrize(
    "devices", [0, "0", -2, "two", "", [], [0, 0], [-1, 0], "0,,1", 1.5, True, [0, "1"], {}]
)
def test_what_names_no_devices_is_refused_in_one_line(devices: Any) -> None:
    line = refusal(devices=devices)

    assert line.startswith(f"devices {devices!r} are none")
    assert "[0, 1]" in line


def test_a_slip_is_told_what_it_is_near_to() -> None:
    assert "did you mean 'auto'?" in refusal(devices="atuo")


def test_all_devices_of_a_cpu_are_not_counted() -> None:
    assert "-1" in refusal(devices=-1)


@pytest.mark.parametrize("nodes", [0, -1, "2", 1.0, True])
def test_a_wrong_number_of_nodes_is_refused_in_one_line(nodes: Any) -> None:
    assert refusal(num_nodes=nodes).startswith(f"num_nodes {nodes!r} is no number")


def test_one_device_by_name_contradicts_several() -> None:
    assert "contradicts 2 devices" in refusal(devices=2, strategy="single_device")


@pytest.mark.parametrize(
    ("strategy", "start"),
    [
        ("ddp", "popen"),
        ("ddp_find_unused_parameters_true", "popen"),
        ("ddp_spawn", "spawn"),
        ("ddp_fork", "fork"),
        ("ddp_notebook", "fork"),
    ],
)
def test_a_strategy_says_how_processes_are_started(strategy: str, start: str) -> None:
    assert asked(devices=2, strategy=strategy)["strategy"]._start_method == start


# -- processes that are there already ------------------------------------------------------------


@pytest.mark.parametrize("variables", [TORCHRUN, SLURM])
@pytest.mark.parametrize("more", [{}, {"devices": 2}, {"devices": "auto", "num_nodes": 2}])
def test_the_number_of_devices_is_taken_from_what_started_the_processes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], more: dict[str, Any]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    options = asked(**more)

    assert (options["devices"], options["num_nodes"]) == (2, 2)
    assert isinstance(options["strategy"], ManualDDPStrategy)


@pytest.mark.parametrize("variables", [TORCHRUN, SLURM])
@pytest.mark.parametrize("more", [{"devices": 1}, {"devices": 4}, {"num_nodes": 1}])
def test_another_number_contradicts_what_started_the_processes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], more: dict[str, Any]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    (given,) = [f"{name}={value}" for name, value in more.items()]
    assert refusal(**more).startswith(f"{given} contradicts torchrun or SLURM")


def test_processes_that_are_there_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)

    assert "use 'ddp'" in refusal(strategy="ddp_spawn")


def test_one_process_of_torchrun_is_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)

    assert asked() == {"accelerator": "cpu", "devices": 1}


def test_a_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, "WORLD_SIZE": "many"}.items():
        monkeypatch.setenv(name, value)

    assert refusal() == "the variable WORLD_SIZE is 'many', which is no number of processes"
