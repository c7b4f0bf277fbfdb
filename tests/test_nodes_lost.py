"""A machine that is lost in the midst of a training: what is told, what is kept, how it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import Ran, forked, same
from nodes_helpers import Hosts, of_torchrun, two_hosts
from nodes_torchrun import RENDEZVOUS, torchrun
from resume_nursery import Nursery, nursery

from thexp_pl.runs.facts import facts_of

HOLD = {"hold": "batch 5"}  # in the second of three epochs
GONE = "no longer answers: its machine, or the network to it, is gone"
EACH = {"variables": [of_torchrun(rank, 2, 1) for rank in (0, 1)], "places": [0, 1]}
TWO = {"variables": [of_torchrun(rank, 4, 2) for rank in range(4)], "places": [0, 0, 1, 1]}


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with two_hosts() as made:
        yield made


@pytest.fixture
def joined(hosts: Hosts) -> Iterator[Hosts]:
    yield hosts
    for host in (0, 1):
        hosts.join(host)


@pytest.fixture(scope="module")
def children(hosts: Hosts) -> Iterator[Nursery]:
    with nursery("nodes_subjects") as opened:
        yield opened


@pytest.fixture(scope="module")
def unbroken(children: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same training on two ranks of one machine, from its beginning to its end."""
    return forked(children, tmp_path_factory.mktemp("unbroken"), "pair", options={}, epoch=3)


def train(children: Nursery, hosts: Hosts, folder: Path, **how: Any) -> Ran:
    how = {"options": {}, "epoch": 3, "owner": hosts.owner, **EACH, **how}
    return forked(children, folder, "cluster", **how)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def assert_goes_on(children: Nursery, hosts: Hosts, broken: Ran, unbroken: Ran) -> None:
    """Train again, from the last checkpoint, to the same bits as those of the unbroken."""
    for host in (0, 1):
        hosts.join(host)
    first = ["load_latest_checkpoint"]
    resumed = train(children, hosts, broken.folder, first=first)

    assert resumed.codes == [0, 0], resumed.output
    assert sorted(run.status for run in resumed.runs) == ["failed", "finished"]
    for rank in (0, 1):
        assert same(resumed.state(rank), unbroken.state(rank))
        assert resumed.ended(rank)["seen"] == 12
        assert resumed.ended(rank)["metrics"] == unbroken.ended(rank)["metrics"]


# -- the cable is pulled out ---------------------------------------------------------------------


def test_a_machine_that_is_cut_off_is_named_and_the_run_goes_on_with_the_same_bits(
    children: Nursery, joined: Hosts, unbroken: Ran, tmp_path: Path
) -> None:
    ran = train(children, joined, tmp_path, deed=HOLD, lose=["cut", 1])

    assert ran.codes == [1, 1]
    assert last_line(ran.printed(0)).endswith(f"TrainerError: rank 1 on south {GONE}")
    assert ran.printed(0).count("Traceback") == 1
    assert ran.run.status == "failed"
    assert ran.run.cause["message"] == f"rank 1 on south {GONE}"
    (other,) = ran.run.ranks
    assert other["cause"]["message"] == f"rank 0 on north {GONE}", "so it looks from there"
    assert_goes_on(children, joined, ran, unbroken)


def test_where_rank_0_is_cut_off_the_others_end_and_it_writes_the_cause(
    children: Nursery, joined: Hosts, tmp_path: Path
) -> None:
    ran = train(children, joined, tmp_path, deed={"hold": "batch 1"}, lose=["cut", 0], **TWO)

    assert ran.codes == [1, 1, 1, 1]
    gone = "no longer answer: their machine, or the network to it, is gone"
    assert ran.run.status == "failed"
    assert ran.run.cause["message"].endswith(f"ranks 2, 3 on south {gone}")
    told = [last_line(ran.printed(rank)) for rank in (2, 3)]
    assert any(line.endswith(f"TrainerError: ranks 0, 1 on north {gone}") for line in told), told
    assert {rank["status"] for rank in ran.run.ranks} == {"failed"}


@pytest.mark.slow
def test_a_silent_machine_is_given_up_within_a_minute(
    children: Nursery, joined: Hosts, tmp_path: Path
) -> None:
    ran = train(children, joined, tmp_path, deed=HOLD, lose=["cut", 1], silence=None, seconds=120)

    assert ran.codes == [1, 1]
    assert GONE in last_line(ran.printed(0))
    held = (tmp_path / "go").stat().st_mtime
    ended = max((tmp_path / f"output.{rank}").stat().st_mtime for rank in (0, 1))
    assert 40 < ended - held < 60


# -- its processes are killed --------------------------------------------------------------------


def test_the_processes_of_a_machine_that_are_killed_are_missed_at_once(
    children: Nursery, joined: Hosts, unbroken: Ran, tmp_path: Path
) -> None:
    ran = train(children, joined, tmp_path, deed=HOLD, lose=["kill", 1], silence=40)

    assert ran.codes == [1, -9]
    told = "rank 1 on south has ended; its own output says why"
    assert last_line(ran.printed(0)).endswith(f"TrainerError: {told}")
    assert (ran.run.status, ran.run.cause["message"]) == ("failed", told)
    (other,) = ran.run.ranks
    assert other["status"] == "running", "only its own machine could tell"
    os.utime(ran.run.paths.ranks / "1" / ".heartbeat", (0, 0))  # as after three minutes
    assert list(facts_of(ran.run, "ranks")) == [("rank 1", "lost on south")]
    assert_goes_on(children, joined, ran, unbroken)


# -- torchrun ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_torchrun_does_not_hide_which_machine_is_lost(joined: Hosts, tmp_path: Path) -> None:
    how = {"options": {}, "epoch": 3, "deed": HOLD}
    ran = torchrun(joined, tmp_path, RENDEZVOUS, how, cut=1)

    assert ran.codes == [1]
    assert ran.run.cause["message"] == f"rank 1 on south {GONE}"
    assert f"TrainerError: rank 1 on south {GONE}" in ran.printed(0)
