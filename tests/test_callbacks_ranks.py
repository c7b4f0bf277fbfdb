"""SaverCallback on two ranks: one checkpoint that both agree on, and a file of each that fails."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import ClusterEnvironment
from lightning_utilities.core.rank_zero import rank_zero_only
from port_helpers import kept_port
from pytorch_lightning.strategies import DDPStrategy
from saving_helpers import At, Module, fit, keep_all, loader, make_trainer, saved_at, sending, steps

from thexp_pl.callbacks import SaverCallback
from thexp_pl.errors import CheckpointError
from thexp_pl.saver import Saver

SECONDS = 240  # a rank that waits for ever fails the test


class ByHand(ClusterEnvironment):
    """Two processes that know of each other from their arguments alone."""

    creates_processes_externally = True
    main_address = "127.0.0.1"
    main_port = 0

    def __init__(self, rank: int, port: int) -> None:
        self.rank = rank
        self.main_port = port

    detect = staticmethod(lambda: True)

    def world_size(self) -> int:
        return 2

    def global_rank(self) -> int:
        return self.rank

    local_rank = global_rank

    def node_rank(self) -> int:
        return 0

    def set_world_size(self, size: int) -> None:
        pass

    set_global_rank = set_world_size


def on_two_ranks(script: Callable[[int, Callable[..., pl.Trainer]], None]) -> list[int]:
    """Call a script in two forked processes, and give their exit codes."""
    context = multiprocessing.get_context("fork")
    with kept_port() as port:
        ranks = [context.Process(target=_be_rank, args=(rank, port, script)) for rank in (0, 1)]
        for process in ranks:
            process.start()
        try:
            for process in ranks:
                process.join(SECONDS)
            return [process.exitcode for process in ranks]
        finally:
            for process in ranks:
                process.kill()
                process.join(SECONDS)


def _be_rank(rank: int, port: int, script: Callable[..., None]) -> None:
    rank_zero_only.rank = rank
    warnings.simplefilter("ignore")

    def trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
        strategy = DDPStrategy(
            cluster_environment=ByHand(rank, port),
            process_group_backend="gloo",
            timeout=timedelta(seconds=SECONDS),
        )
        two = {"strategy": strategy, "devices": 2}
        return make_trainer(folder, *callbacks, **{**two, **options})

    try:
        script(rank, trainer)
    except Exception:  # noqa: BLE001 - what it is can be read above the failed test
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at once, and not once the other rank has answered
    finally:
        sys.stderr.flush()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("rank_of_signal", [0, 1])
def test_a_signal_on_one_rank_stops_both_with_one_checkpoint(
    number: signal.Signals, rank_of_signal: int, tmp_path: Path
) -> None:
    def script(rank: int, trainer: Callable[..., pl.Trainer]) -> None:
        at = [At(2, sending(number))] if rank == rank_of_signal else []
        trainer(tmp_path, *at, keep_all()).fit(Module(), loader(10))

    codes = on_two_ranks(script)

    assert codes == [128 + number, 128 + number]
    assert steps(tmp_path) == [2]
    assert not list((tmp_path / "modules").glob("emergency*"))
    state = torch.load(saved_at(tmp_path, 2), weights_only=True)
    assert state["callbacks"]["RndCallback"]["ranks"].keys() == {0, 1}


def test_both_ranks_go_on_from_what_a_signal_left_with_the_same_bits(tmp_path: Path) -> None:
    def script(rank: int, trainer: Callable[..., pl.Trainer]) -> None:
        torch.manual_seed(5)
        if not list(tmp_path.glob("modules/0*.ckpt")):
            trainer(tmp_path / "whole", keep_all()).fit(Module(), loader(10))
            at = [At(7, sending(signal.SIGTERM))] if rank else []
            torch.manual_seed(5)
            trainer(tmp_path, *at, keep_all(every_n_epochs=None)).fit(Module(), loader(10))
        else:
            module, path = Module(), saved_at(tmp_path, 7)
            trainer(tmp_path, keep_all()).fit(module, loader(10), ckpt_path=path)

    assert on_two_ranks(script) == [143, 143]
    assert on_two_ranks(script) == [0, 0]

    weights = [
        torch.load(saved_at(folder, 10), weights_only=True)["state_dict"]["layer.weight"]
        for folder in (tmp_path / "whole", tmp_path)
    ]
    assert torch.equal(*weights)


def test_a_rank_that_fails_leaves_its_own_file_without_the_other(tmp_path: Path) -> None:
    def script(rank: int, trainer: Callable[..., pl.Trainer]) -> None:
        at = [At(3, lambda: 1 / 0)] if rank else []
        trainer(tmp_path, *at, keep_all(every_n_batches=2)).fit(Module(), loader(10))

    assert on_two_ranks(script) == [1, 1]

    folder = tmp_path / "modules"
    assert steps(tmp_path) == [2]
    # rank 0 lost the other in the midst of its fourth batch
    for rank in (0, 1):
        state, _ = Saver(folder).load_state_dict(folder / f"emergency.{rank}.ckpt")
        assert state["callbacks"]["RndCallback"]["ranks"].keys() == {rank}


def test_with_stop_a_fault_of_rank_0_ends_both(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()

    def script(rank: int, trainer: Callable[..., pl.Trainer]) -> None:
        saver = SaverCallback(every_n_batches=1, on_error="stop", emergency=False)
        at = [At(2, lambda: _block(tmp_path / "modules"))] if rank == 0 else []
        try:
            trainer(tmp_path, *at, saver, max_epochs=50).fit(Module(), loader(10))
        except CheckpointError as error:
            (told / str(rank)).write_text(str(error))

    assert on_two_ranks(script) == [0, 0]

    texts = [(told / str(rank)).read_text() for rank in (0, 1)]
    assert all("on_error='stop'" in text for text in texts)


def _block(folder: Path) -> None:
    folder.rename(folder.with_name("aside"))
    folder.write_text("no folder")


def test_every_rank_knows_the_best_checkpoint(tmp_path: Path) -> None:
    def script(rank: int, trainer: Callable[..., pl.Trainer]) -> None:
        saver = SaverCallback(1)
        trainer(tmp_path, saver).fit(Module(), loader(10))
        (tmp_path / f"best.{rank}").write_text(saver.best_model_path)

    assert on_two_ranks(script) == [0, 0]

    assert {(tmp_path / f"best.{rank}").read_text() for rank in (0, 1)} == {
        str(tmp_path / "modules" / "0000002.ckpt")
    }


@pytest.mark.parametrize("strategy", ["ddp_fork"])
def test_a_signal_in_processes_that_lightning_makes_ends_all_with_a_checkpoint(
    strategy: str, tmp_path: Path
) -> None:
    class Signal(At):
        def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
            if trainer.global_rank == 1:
                super().on_train_batch_end(trainer, *args)

    with pytest.raises(torch.multiprocessing.ProcessExitedException, match="exit code 143"):
        fit(
            tmp_path,
            Signal(2, sending(signal.SIGTERM)),
            keep_all(),
            strategy=strategy,
            devices=2,
        )

    assert steps(tmp_path) == [2]


def _launch(folder: Path, deed: Callable[[], None]) -> None:
    """Train on two forked ranks, in a process group of its own; rank 0 does something."""

    class Deed(At):
        def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
            if trainer.global_rank == 0:
                super().on_train_batch_end(trainer, *args)

    os.setpgid(0, 0)
    warnings.simplefilter("ignore")
    for _ in range(8):  # as each of them ends, the ranks have another parent
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    fit(folder, Deed(2, deed), keep_all(), strategy="ddp_fork", devices=2)


def _until_the_launcher_is_gone(kill: Callable[[int], None]) -> None:
    launcher, until = os.getppid(), time.monotonic() + SECONDS
    kill(launcher)
    while os.getppid() == launcher and time.monotonic() < until:
        time.sleep(0.001)


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(lambda launcher: os.killpg(launcher, signal.SIGTERM), id="SIGTERM to all"),
        pytest.param(lambda launcher: os.kill(launcher, signal.SIGTERM), id="SIGTERM to it"),
        pytest.param(lambda launcher: os.kill(launcher, signal.SIGKILL), id="SIGKILL to it"),
    ],
)
def test_ranks_whose_launcher_dies_end_with_a_checkpoint(
    kill: Callable[[int], None], tmp_path: Path
) -> None:
    end, held = os.pipe()  # held by the launcher and the ranks until they have ended
    launcher = multiprocessing.get_context("fork").Process(
        target=_launch, args=(tmp_path, lambda: _until_the_launcher_is_gone(kill))
    )
    launcher.start()
    os.close(held)
    try:
        have_ended = select.select([end], [], [], SECONDS)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.join(SECONDS)
        os.close(end)

    assert have_ended
    assert steps(tmp_path) == [2]
