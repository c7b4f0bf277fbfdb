"""A training over two machines is one run, whatever has started its processes.

The machines are network namespaces, see `nodes_helpers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import Ran, forked, rows_of, same
from nodes_helpers import Hosts, by_hand, of_slurm, of_torchrun, two_hosts
from nodes_torchrun import RENDEZVOUS, STATIC, torchrun
from resume_nursery import Nursery, nursery

FIT = ["fit", "--trainer_class=launch_subjects:Launched", "--trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with two_hosts() as made:
        yield made


@pytest.fixture(scope="module")
def children(hosts: Hosts) -> Iterator[Nursery]:
    with nursery("nodes_subjects") as opened:
        yield opened


@pytest.fixture(scope="module")
def beside(children: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same training on two ranks of one machine."""
    return forked(children, tmp_path_factory.mktemp("beside"), "pair", options={})


def on_both(
    children: Nursery, hosts: Hosts, folder: Path, variables: list[dict[str, str]], **how: Any
) -> Ran:
    """Train with a rank on each machine, or two."""
    each = len(variables) // 2
    places = [rank // each for rank in range(len(variables))]
    how = {"owner": hosts.owner, "variables": variables, "places": places, **how}
    return forked(children, folder, "cluster", **how)


def assert_one_run(ran: Ran, ranks: int = 2) -> None:
    assert set(ran.codes) == {0}, ran.output
    run = ran.run
    assert (run.status, run.manifest["world_size"]) == ("finished", ranks)
    assert run.manifest["process"]["host"] == "north"
    assert [rank["rank"] for rank in run.ranks] == list(range(1, ranks))
    assert {rank["status"] for rank in run.ranks} == {"finished"}
    assert run.ranks[-1]["process"]["host"] == "south"
    assert run.ranks[-1]["facts"]["node_rank"] == 1
    assert rows_of(run) == {"eval_loss": 2, "loss": 2, "test_loss": 1}


def assert_same(ran: Ran, beside: Ran) -> None:
    for rank in (0, 1):
        assert same(ran.state(rank), beside.state(rank))
        assert ran.ended(rank)["metrics"] == beside.ended(rank)["metrics"]


# -- ways to start it ----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [RENDEZVOUS, pytest.param(STATIC, marks=pytest.mark.slow)])
def test_torchrun_on_two_machines_records_one_run(
    hosts: Hosts, beside: Ran, tmp_path: Path, words: list[str]
) -> None:
    ran = torchrun(hosts, tmp_path, words, {"options": {}})

    assert_one_run(ran)
    assert_same(ran, beside)
    assert ran.output.count(" 2/2 | 4/4 | ") == 1


def test_two_ranks_on_each_of_two_machines_record_one_run(
    children: Nursery, hosts: Hosts, tmp_path: Path
) -> None:
    variables = [of_torchrun(rank, 4, 2) for rank in range(4)]
    ran = on_both(children, hosts, tmp_path, variables, options={})

    assert_one_run(ran, ranks=4)
    told = [(rank["process"]["host"], rank["facts"]["local_rank"]) for rank in ran.run.ranks]
    assert told == [("north", 1), ("south", 0), ("south", 1)]
    assert all(same(ran.state(rank)["model"], ran.state(0)["model"]) for rank in (1, 2, 3))


def test_the_command_under_slurm_records_one_run(
    children: Nursery, hosts: Hosts, tmp_path: Path
) -> None:
    words = [*FIT, "--trainer.num_nodes=2", "--trainer.devices=1", "--exps_dir=exp", "--epoch=2"]
    variables = [of_slurm(rank) for rank in (0, 1)]
    ran = on_both(children, hosts, tmp_path, variables, call="command", words=words)

    assert_one_run(ran)
    assert ran.output.count("\nrun:  ") == 1


def test_a_script_started_by_hand_on_each_machine_records_one_run(
    children: Nursery, hosts: Hosts, beside: Ran, tmp_path: Path
) -> None:
    variables = [by_hand(rank) for rank in (0, 1)]
    ran = on_both(children, hosts, tmp_path, variables, options={"num_nodes": 2})

    assert_one_run(ran)
    assert_same(ran, beside)


def test_without_a_shared_folder_the_run_is_on_the_machine_of_rank_0_and_that_is_said(
    children: Nursery, hosts: Hosts, beside: Ran, tmp_path: Path
) -> None:
    variables = [of_torchrun(rank, 2, 1) for rank in (0, 1)]
    how = {"options": {}, "own": "exp", "warned": True}
    ran = on_both(children, hosts, tmp_path, variables, **how)

    assert ran.codes == [0, 0]
    assert ran.run.status == "finished"
    assert ran.run.ranks == []
    assert_same(ran, beside)
    said = "rank 1 on south does not see the run that rank 0 records"
    assert (ran.printed(0).count(said), ran.printed(1).count(said)) == (0, 1)
    first = ["load_latest_checkpoint"]
    resumed = on_both(children, hosts, tmp_path, variables, first=first, **how)
    assert resumed.codes == [1, 1]
    assert "modules/1000002.ckpt: No such file or directory" in resumed.printed(1)


# -- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "devices", "line"),
    [
        ({}, 1, "(MASTER_ADDR, MASTER_PORT, NODE_RANK not set)"),
        ({"MASTER_ADDR": "10.77.0.1", "NODE_RANK": "1"}, 1, "(MASTER_PORT not set)"),
        ({**by_hand(0), "NODE_RANK": "2"}, 1, "NODE_RANK is '2', and num_nodes=2"),
        (by_hand(0), 2, "num_nodes=2 with 2 devices on each"),
    ],
)
def test_machines_that_could_not_find_one_another_are_refused_in_one_line(
    children: Nursery,
    hosts: Hosts,
    tmp_path: Path,
    variables: dict[str, str],
    devices: int,
    line: str,
) -> None:
    words = [*FIT, "--trainer.num_nodes=2", f"--trainer.devices={devices}", "--exps_dir=exp"]
    how = {"call": "command", "words": words, "variables": [variables], "places": [0]}
    ran = forked(children, tmp_path, "cluster", owner=hosts.owner, **how)

    assert ran.codes == [2]
    assert len(ran.output.strip().splitlines()) == 1, ran.output
    assert line in ran.output
    assert not (tmp_path / "exp").exists()
