"""Trainings that say of themselves what one process has to reach on the joined batch.

What is trained and how is written once, in plain torch, by `build` and `step`; the facade runs them
on each rank's share, and `reference` in a loop of its own on all shares together.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_

from thexp_pl import Params, Trainer

EPOCHS, BATCHES, STEPS = 2, 10, 20
_Share = tuple[int, torch.Tensor, torch.Tensor]  # rank, inputs, targets

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.05),
    "momentum": lambda ps: torch.optim.SGD(ps, lr=0.03, momentum=0.9, weight_decay=1e-3),
    "adam": lambda ps: torch.optim.Adam(ps, lr=0.01, foreach=False),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.01, amsgrad=True),
    "rmsprop": lambda ps: torch.optim.RMSprop(ps, lr=0.005, centered=True),
}


@dataclass(frozen=True)
class Case:
    """What one training does."""

    seed: int = 0
    optimizer: str = "sgd"
    widths: tuple[int, ...] = (6,)
    batch: int = 3  # of a rank
    double: bool = True
    accumulate: int = 1
    clip: bool = False
    gan: bool = False
    critic_first: bool = False
    two_backwards: bool = False
    lone_head: bool = False
    trained_tensor: bool = False
    plain_tensor: bool = False
    ema: bool = False
    peek: bool = False  # a second forward, without gradients
    thaw: bool = False  # a layer is frozen at first
    create_graph: bool = False
    tied: bool = False
    zero_in_place: bool = False

    @property
    def tolerance(self) -> float:
        """How far a weight may be from that of one process."""
        return 1e-10 if self.double else 1e-6


def random_case(seed: int) -> Case:
    """Give the same case for the same seed."""
    chance = random.Random(seed)
    switches = [one.name for one in fields(Case) if one.type == "bool" and one.name != "double"]
    chosen: dict[str, Any] = {name: chance.random() < 0.4 for name in switches}
    optimizer = chance.choice(list(OPTIMIZERS))
    return Case(
        seed=seed,
        optimizer=optimizer,
        widths=tuple(chance.randint(1, 9) for _ in range(chance.randint(1, 3))),
        batch=chance.randint(1, 5),
        # dividing by a small root makes of float32's rounding more than it is
        double=optimizer not in ("sgd", "momentum") or chance.random() < 0.3,
        accumulate=chance.choice([1, 1, 2, 3]),
        **chosen,
    )


# -- what is trained, in plain torch -------------------------------------------------------------


def build(own: Any, case: Case, rank: int) -> None:
    """Make models and optimizers, with other weights on each rank."""
    torch.manual_seed(case.seed * 100 + rank)
    dtype = torch.float64 if case.double else torch.float32
    own.model, own.critic = (_network(case.widths).to(dtype) for _ in range(2))
    own.head = nn.Linear(2, 2, dtype=dtype)
    if case.tied:
        own.head.weight = own.model[-1].inner.weight
    own.teacher = copy.deepcopy(own.model).requires_grad_(False)
    own.offset = torch.randn(2, dtype=dtype) if case.plain_tensor else torch.zeros(2, dtype=dtype)
    own.scale = torch.randn(2, dtype=dtype, requires_grad=case.trained_tensor)
    trained = [*own.model.parameters(), own.head.bias, *([own.scale] * case.trained_tensor)]
    trained += [] if case.tied else [own.head.weight]
    own.optim = OPTIMIZERS[case.optimizer](trained)
    own.critic_optim = OPTIMIZERS[case.optimizer](own.critic.parameters())
    own.model[0].requires_grad_(not case.thaw)


class Square(nn.Module):
    """A layer whose weights fit those of the lone head."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def forward(self, xs: torch.Tensor) -> torch.Tensor:
        return self.inner(xs)


def _network(widths: tuple[int, ...]) -> nn.Sequential:
    sizes = [2, *widths, 2]
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers, Square())


def step(own: Any, case: Case, shares: list[_Share], idx: int, global_step: int) -> torch.Tensor:
    """Train on one batch, of which there are one or more shares."""
    xs, ys = (torch.cat([share[place] for share in shares]) for place in (1, 2))
    if case.thaw and global_step == 5:
        own.model.requires_grad_(True)
    if case.gan and case.critic_first:
        train_critic(own, xs, ys)
    loss = _loss(own, case, xs, ys)
    for rank, own_xs, own_ys in shares if case.lone_head and idx % 2 == 0 else []:
        if rank == 0:
            loss = loss + mse_loss(own.head(own.model(own_xs)), own_ys) / len(shares)
    loss.backward(create_graph=case.create_graph)
    if case.two_backwards:
        (0.1 * own.model(xs * 2).square().mean()).backward()
    if (global_step + 1) % case.accumulate == 0:
        if case.clip:
            clip_grad_norm_([*own.model.parameters(), *own.head.parameters()], 0.05)
        own.optim.step()
        own.optim.zero_grad(set_to_none=not case.zero_in_place)
    if case.gan and not case.critic_first:
        train_critic(own, xs, ys)
    if case.ema:
        with torch.no_grad():
            for slow, fast in zip(own.teacher.parameters(), own.model.parameters(), strict=True):
                slow.mul_(0.8).add_(fast, alpha=0.2)
    return loss.detach()


def _loss(own: Any, case: Case, xs: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    made = own.model(xs) * own.scale + own.offset
    if case.peek:
        with torch.no_grad():
            ys = (ys + own.teacher(xs) + own.model(xs)) / 3
    loss = mse_loss(made, ys)
    return loss - 0.3 * own.critic(made).mean() if case.gan else loss


def train_critic(own: Any, xs: torch.Tensor, ys: torch.Tensor) -> None:
    own.critic_optim.zero_grad()  # what the generator's loss has left there
    (own.critic(ys) - 1).square().mean().backward()
    own.critic(own.model(xs).detach()).square().mean().backward()
    own.critic_optim.step()


def weights(own: Any) -> dict[str, torch.Tensor]:
    """Give all that is trained, or the same for all ranks."""
    modules = {name: getattr(own, name) for name in ("model", "critic", "head", "teacher")}
    state = {f"{m}.{n}": p for m, one in modules.items() for n, p in one.state_dict().items()}
    state |= {"offset": own.offset, "scale": own.scale}
    return {name: tensor.detach().clone() for name, tensor in state.items()}


# -- the data ------------------------------------------------------------------------------------


class Shares:
    """One rank's share of each batch."""

    shares_itself = True

    def __init__(self, case: Case, rank: int, world: int) -> None:
        self._args = case, rank, world

    def __len__(self) -> int:
        return BATCHES

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        case, rank, world = self._args
        for idx in range(BATCHES):
            generator = torch.Generator().manual_seed(case.seed * BATCHES + idx)
            dtype = torch.float64 if case.double else torch.float32
            both = torch.randn(2, case.batch * world, 2, generator=generator, dtype=dtype)
            yield both[0, rank::world], both[1, rank::world]


# -- by one process and by several ---------------------------------------------------------------


class Reference:
    """What one process holds."""


def reference(case: Case, world: int) -> dict[str, torch.Tensor]:
    """Train as one process that begins with rank 0's weights and sees all shares."""
    own = Reference()
    build(own, case, rank=0)
    for epoch in range(EPOCHS):
        loaders = [iter(Shares(case, rank, world)) for rank in range(world)]
        for idx in range(BATCHES):
            shares: list[_Share] = [(rank, *next(one)) for rank, one in enumerate(loaders)]
            step(own, case, shares, idx, epoch * BATCHES + idx)
    return weights(own)


class CaseTrainer(Trainer):
    """Trains a case through the facade."""

    _case = Case()  # names with an underscore are no attributes of the training
    _rank, _world = 0, 1

    def initial_trainer(self, params: Params) -> None:
        build(self, self._case, self._rank)
        self.regist_databundler(train=Shares(self._case, self._rank, self._world))

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):  # type: ignore[no-untyped-def]
        return {"loss": step(self, self._case, [(self._rank, *batch_data)], idx, global_step)}


def train(
    rank: int, folder: Path, world: int, device: str = "cpu", **options: Any
) -> dict[str, torch.Tensor]:
    """Train a case on one of several ranks."""
    case = Case(**{**options, "widths": tuple(options.get("widths", (6,)))})
    trainer = make(CaseTrainer, world, device=device, _case=case, _rank=rank, _world=world)
    begin(trainer, folder)
    trainer.train()
    return {name: tensor.cpu() for name, tensor in weights(trainer).items()}


def make(
    kind: type[Trainer], world: int, epoch: int = EPOCHS, device: str = "cpu", **members: Any
) -> Any:
    """Make a Trainer for several ranks."""
    options = {"enable_checkpointing": False, **members.pop("options", {})}
    params = Params()
    params.epoch, params.device = epoch, device
    trainer = kind(params, devices=world, strategy="ddp", **options)
    vars(trainer).update(members)
    return trainer


def begin(trainer: Any, folder: Path) -> None:
    """Begin its run without what takes long and does not count here."""
    trainer.initial_exp(folder, code=False, console=False, board=False)


def options_of(case: Case) -> dict[str, Any]:
    return asdict(case)
