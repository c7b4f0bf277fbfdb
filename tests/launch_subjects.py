"""A facade training that says, in files of its folder, what each of its ranks has seen.

Run as a script, or forked in pairs that know of each other as SLURM's processes do.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from port_helpers import kept_port
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from thexp_pl import Meter, Params, Trainer
from thexp_pl.cli.main import main as thexp_pl_main
from thexp_pl.saver.sidecar import world_size

torch.set_num_threads(1)
SAMPLES, BATCH = 24, 3


def own_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_PROCID", "0")))


class Shadow:
    """What keeps a tensor, and has a state."""

    def __init__(self) -> None:
        self.tensor = torch.zeros(6)

    def state_dict(self) -> dict[str, Any]:
        return {"tensor": self.tensor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.tensor.copy_(state["tensor"])


class Launched(Trainer):
    """Draws, remembers and steps a schedule; `deed` says which rank does something odd, where."""

    deed: dict[str, Any] = {}

    def initial_trainer(self, params: Params) -> None:
        self.do("initial_trainer")
        torch.manual_seed(3)
        self.model = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3)
        )
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optim, 3, 0.5)
        self.seen, self.history, self.mean = 0, [], torch.zeros(6)
        self.shadow = Shadow()
        generator = torch.Generator().manual_seed(7)
        xs = torch.randn(SAMPLES, 6, generator=generator)
        data = TensorDataset(xs, (xs.sum(1) > 0).long())
        loader = DataLoader(data, BATCH)
        self.regist_databundler(
            train=DataLoader(data, BATCH, shuffle=True), eval=loader, test=loader
        )

    def do(self, where: str) -> None:
        rank, place, what = self.deed.get("at", [None, None, None])
        if place != where or rank not in (own_rank(), "all"):
            return
        if what == "raise":
            raise ValueError("on purpose")
        if what == "exit":
            sys.exit(0)
        os.kill(os.getpid(), getattr(signal, what))
        time.sleep(0)  # Python handles a signal between two instructions

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        self.do(f"batch {global_step}")
        xs, ys = batch_data
        self.seen += 1
        params.last_seen = self.seen
        self.history.append(global_step)
        self.mean.mul_(0.9).add_(xs.mean(0), alpha=0.1)
        self.shadow.tensor.add_(self.model[0].weight.detach().sum(0))  # the same on all ranks
        meter = Meter()
        meter.loss = nn.functional.cross_entropy(self.model(xs), ys)
        meter.loss.backward()
        self.optim.step()
        self.optim.zero_grad()
        self.schedule.step()
        return meter

    def predict(self, batch_data: Any) -> torch.Tensor:
        return self.model(batch_data[0])

    def train_more(self) -> None:
        self.params.epoch += 1
        self.train()

    def hold_lambda(self) -> None:
        self.scale = lambda value: value

    def test_eval_logic(self, dataloader: Any, params: Params) -> Meter:
        meter = Meter()
        losses = [nn.functional.cross_entropy(self.model(x), y) for x, y in dataloader]
        meter.loss = torch.stack(losses).mean()
        return meter


def main(
    epoch: int = 2,
    root: str = "exp",
    options: dict[str, Any] | None = None,
    deed: dict[str, Any] | None = None,
    trainings: int = 1,
    first: list[str] | None = None,
    then: list[str] | None = None,
    look_seconds: int | float = 5,
) -> None:
    """Train, and write ``ended.<rank>.json`` and the weights of each training.

    Lightning looks for ranks that have failed every ``look_seconds``.
    """
    _ChildProcessObserver.__init__.__defaults__ = (look_seconds,)
    Launched.deed = deed or {}
    for number in range(trainings):
        params = Params()
        params.epoch, params.device = epoch, "cpu"
        trainer = Launched(params, **({"devices": 2} if options is None else options))
        trainer.initial_exp(root)
        for step in first or []:
            getattr(trainer, step)()
        trainer.train()
        trainer.do("after training")
        for step in then or []:
            getattr(trainer, step)()
        write_end(trainer, number)


def write_end(trainer: Any, number: int) -> None:
    rank = own_rank()
    state = {
        "model": trainer.model.state_dict(),
        "optim": trainer.optim.state_dict(),
        "schedule": trainer.schedule.state_dict(),
        "mean": trainer.mean,
        "shadow": trainer.shadow.tensor,
    }
    torch.save(state, f"state.{number}.{rank}.pt")
    metrics = trainer.lightning_trainer.callback_metrics
    ended = {
        "key": trainer.experiment.key,
        "eidx": trainer.params.eidx,
        "global_step": trainer.params.global_step,
        "seen": trainer.seen,
        "history": trainer.history,
        "params": trainer.params.settings(),
        "metrics": {name: float(value) for name, value in metrics.items()},
        "eval": trainer.evaluate("eval"),
        "predicted": [batch.tolist() for batch in trainer.predict_all()],
        "saved": str(trainer.save_checkpoint({"by": "hand"})),
        "found": [str(path) for path in trainer.saver.find_checkpoints()],
        "world": world_size(),
    }
    Path(f"ended.{number}.{rank}.json").write_text(json.dumps(ended))


def one_then_two() -> None:
    """Train on one device, then on two, in one script."""
    main(options={}, epoch=1)
    main()


def at_a_prompt() -> None:
    sys.ps1 = ">>> "
    main()


def command(words: list[str]) -> None:
    sys.argv = ["thexp-pl", *words]
    raise SystemExit(thexp_pl_main())


# -- forked --------------------------------------------------------------------------------------


def variables_of_slurm(rank: int, port: int) -> dict[str, str]:
    return {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "train",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def pair(folder: str, seconds: float = 200, **how: Any) -> None:
    """Train in two forked processes; their exit codes are in the file ``codes``."""
    os.chdir(folder)
    with kept_port() as port:
        children = [fork(rank, variables_of_slurm(rank, port), how) for rank in (0, 1)]
        Path("codes").write_text(json.dumps(wait(children, seconds)))


def alone(folder: str, seconds: float = 200, **how: Any) -> None:
    """Train in one forked process, which may make others."""
    os.chdir(folder)
    Path("codes").write_text(json.dumps(wait([fork(0, {}, how)], seconds)))


def fork(rank: int, variables: dict[str, str], how: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)  # left by a training of the process that this one came from
    os.environ.update(variables)
    output = os.open(f"output.{rank}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 0
    try:
        globals()[how.pop("call", "main")](**how)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter ends a script
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(children: list[int], seconds: float) -> list[int]:
    """Give exit codes, or signals as negative numbers; 1000 of what had to be killed."""
    codes: dict[int, int] = {}
    until = time.monotonic() + seconds
    while len(codes) < len(children):
        for child in set(children) - codes.keys():
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                codes[child] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                os.killpg(child, signal.SIGKILL)
                until += seconds  # the next look finds it ended
                codes[child] = 1000
        time.sleep(0.02)
    return [codes[child] for child in children]


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
