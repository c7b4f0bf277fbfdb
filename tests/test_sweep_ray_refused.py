"""What Ray cannot do is said in one line, before anything starts; and a Ray of a sweep's own."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from port_helpers import kept_port
from ray_helpers import driven, light_sweep, states, until, words_of

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.locks import take
from thexp_pl.sweeps.engines import engine_of
from thexp_pl.sweeps.engines.ray import RayEngine
from thexp_pl.sweeps.engines.ray.head import Head
from thexp_pl.sweeps.sweep import Sweep

SECONDS = 30.0


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return light_sweep(tmp_path, ["0.1", "0.2", "0.3"])[0]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_listens_is_refused_at_once(tmp_path: Path, scheme: str) -> None:
    with kept_port() as port:
        address = f"{scheme}127.0.0.1:{port}"
        with pytest.raises(UsageError, match="Connection refused") as refused:
            RayEngine(address=address).check(tmp_path)
    assert str(refused.value).startswith(f"no Ray cluster can be reached at '{address}': ")
    assert "\n" not in str(refused.value)


@pytest.mark.slow  # it waits in vain
def test_what_never_says_a_word_is_refused_in_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(UsageError, match=f"at '{address}': nothing answered within 20 s"):
            RayEngine(address=address).check(tmp_path)
    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("address", ["head", "http://", "127.0.0.1:port", ":1", "\x1b[31m:1x"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="it is no host:port") as refused:
        RayEngine(address=address).check(tmp_path)
    assert str(refused.value).isprintable()


def test_the_address_of_a_page_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no host:port but the address of a page; name one that"):
        RayEngine(address="http://127.0.0.1:8265").check(tmp_path)
    with pytest.raises(UsageError, match=r"^--address='': name a cluster"):
        engine_of("ray", {"address": ""})


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"cpus_per_run": "-1"}, "--cpus_per_run=-1: it is a number of at least 0"),
        ({"cpus_per_run": "nan"}, "--cpus_per_run=nan: it is a number of at least 0"),
        ({"gpus_per_run": "-0.5"}, "--gpus_per_run=-0.5: it is a number of at least 0"),
        ({"cpus_per_run": "0"}, "--cpus_per_run=0: a run without GPUs"),
    ],
)
def test_a_run_that_takes_nothing_is_refused(option: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}"):
        engine_of("ray", option)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UsageError, match=r"--engine ray needs .* 'thexp-pl\[ray\]'"):
        RayEngine().check(tmp_path)


def test_a_ray_of_its_own_runs_a_sweep_and_leaves_nothing(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    killed, alive = (Path(tempfile.mkdtemp(prefix="thexp_pl-ray-0-", dir="/tmp")) for _ in "ab")
    (killed / "thexp_pl.lock").touch()
    held = take(alive / "taken", 0)
    assert held is not None
    (alive / "taken").rename(alive / "thexp_pl.lock")  # as the engine does
    driving = driven(sweep, jobs=1)
    lines = driving.lines()
    assert (killed.exists(), alive.exists()) == (False, True)  # as another command's, see `held`
    os.close(held)
    shutil.rmtree(alive)
    assert not (home / ".ray").exists()  # no token
    happened = [name for line in lines for name in ("begun", "ended") if name in line]
    assert happened == ["begun", "ended"] * 3  # one at a time
    assert lines[-1] == {"text": "3 of 3 done", "changed": []}, lines
    assert {state.status for state in states(sweep).values()} == {"finished"}
    below = f"thexp_pl-ray-{driving.process.pid}-"
    # Ray does not wait for those that it kills
    until(
        lambda: not [each for each in psutil.process_iter() if below in " ".join(words_of(each))],
        "all of its processes end",
    )
    assert not list(Path("/tmp").glob(f"{below}*"))


def test_a_head_that_is_away_for_a_while_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        patient, hasty = (
            Head(f"127.0.0.1:{port}", "the cluster", patience=patience) for patience in (60, 0)
        )
        hasty.check()
        assert patient.is_there()
    patient.check()
    assert not patient.is_there()
    with pytest.raises(RecordError, match="the head of the cluster does not answer any more"):
        hasty.check()


@pytest.mark.slow  # it is waited for a while
def test_the_head_that_dies_amid_a_sweep_is_told_of_and_the_same_command_goes_on(
    tmp_path: Path,
) -> None:
    sweep, shared = light_sweep(tmp_path, ["0.1", "0.2", "0.3"])
    (shared / "hold").touch()
    driving = driven(sweep, jobs=1)
    driving.until((shared / "held-0.1").exists, "a run is under way")
    below = psutil.Process(driving.process.pid).children(recursive=True)
    next(each for each in below if each.name() == "gcs_server").kill()
    lines = driving.lines()
    assert "the head of Ray on this machine does not answer any more" in lines[-1]["fault"]
    assert driving.code == 1
    assert states(sweep)[0].status == "interrupted"  # it was saved
    (shared / "hold").unlink()
    assert driven(sweep).lines()[-1]["text"] == "3 of 3 done"
