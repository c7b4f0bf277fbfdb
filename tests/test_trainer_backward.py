"""Every form of backward within `train_batch` equals the same in a loop written by hand."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from precision_helpers import FIRST_SCALE, assert_same, cross, half
from torch.optim import SGD
from torch.utils.checkpoint import checkpoint
from trainer_helpers import (
    BATCHES,
    ended_runs,  # noqa: F401 - a fixture of every test here
    make_loader,
    make_model,
    start,
)

from thexp_pl import Params, Trainer

EPOCHS = 2
KINDS = ("32-true", "bf16-mixed", "16-mixed")


class Form:
    """The user's part: the same code trains in the facade and by hand."""

    kinds = KINDS

    def build(self) -> None:
        self.model = make_model()
        self.optim = SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def loss(self, batch: Any) -> torch.Tensor:
        return cross(self.model(batch[0]), batch[1])

    def backward(self, batch: Any) -> None:
        raise NotImplementedError


class SeveralTensors(Form):
    def backward(self, batch: Any) -> None:
        logits = self.model(batch[0])
        weights = torch.full_like(logits, 0.01)
        torch.autograd.backward([cross(logits, batch[1]), logits], [None, weights])


class ThreeLosses(Form):
    def backward(self, batch: Any) -> None:
        losses = [self.loss(batch) * factor for factor in (1.0, 0.5, 0.25)]
        torch.autograd.backward(losses)


class OneInAList(Form):
    def backward(self, batch: Any) -> None:
        torch.autograd.backward([self.loss(batch)], grad_tensors=[torch.tensor(0.5)])


class VectorJacobian(Form):
    def backward(self, batch: Any) -> None:
        logits = self.model(batch[0])
        logits.backward(torch.full_like(logits, 0.01))
        logits = self.model(batch[0])
        logits.backward(gradient=torch.full_like(logits, 0.02))


# newer releases of torch do
TAKES_NAMES = "dict" in str(signature(torch.autograd.backward).parameters["inputs"].annotation)


class SomeInputs(Form):
    def backward(self, batch: Any) -> None:
        first, last = self.model[0], self.model[2]
        self.loss(batch).backward(inputs=list(first.parameters()))
        torch.autograd.backward(self.loss(batch), inputs=last.weight)
        named = dict(last.named_parameters())
        self.loss(batch).backward(inputs=named if TAKES_NAMES else list(named.values()))


class KeptGraph(Form):
    def backward(self, batch: Any) -> None:
        loss = self.loss(batch)
        loss.backward(retain_graph=True)
        loss.backward(None, True)
        (loss * 0.5).backward()


class PenaltyByGrad(Form):
    kinds = ("32-true", "bf16-mixed")

    def backward(self, batch: Any) -> None:
        xs = batch[0].clone().requires_grad_()
        loss = self.loss((xs, batch[1]))
        (gradient,) = torch.autograd.grad(loss, xs, create_graph=True)
        (loss + gradient.square().sum()).backward()


class PenaltyByBackward(Form):
    kinds = ("32-true", "bf16-mixed")

    def backward(self, batch: Any) -> None:
        weight = self.model[2].weight
        self.loss(batch).backward(create_graph=True, inputs=[weight])
        penalty = weight.grad.square().sum()
        weight.grad = None
        (self.loss(batch) + penalty).backward()


class Reentrant(Form):
    use_reentrant = True

    def backward(self, batch: Any) -> None:
        xs = batch[0].clone().requires_grad_()
        logits = checkpoint(self.model, xs, use_reentrant=self.use_reentrant)
        cross(logits, batch[1]).backward()


class NotReentrant(Reentrant):
    use_reentrant = False


class WithinNoGrad(Form):
    """A teacher's forward without gradients, and a backward that is called there."""

    def backward(self, batch: Any) -> None:
        loss = self.loss(batch)
        with torch.no_grad():
            loss = loss if self.model(batch[0]).isfinite().all() else None
            loss.backward()


class OutOfAutocast(Form):
    def backward(self, batch: Any) -> None:
        with torch.autocast("cpu", enabled=False):
            hidden = self.model[:2](batch[0])
        cross(self.model[2](hidden), batch[1]).backward()


FORMS = [
    SeveralTensors,
    ThreeLosses,
    OneInAList,
    VectorJacobian,
    SomeInputs,
    KeptGraph,
    PenaltyByGrad,
    PenaltyByBackward,
    Reentrant,
    NotReentrant,
    WithinNoGrad,
    OutOfAutocast,
]


class ByHand:
    """The loop that any user would write; with the scaling of torch.amp where it is asked for."""

    def __init__(self, form: type[Form], kind: str) -> None:
        self.user = form()
        self.user.build()
        dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(kind, torch.float32)
        self.autocast = torch.autocast(
            "cpu", dtype, enabled=dtype != torch.float32, cache_enabled=False
        )
        self.scaler = torch.amp.GradScaler(
            "cpu", init_scale=FIRST_SCALE, growth_interval=2, enabled=kind == "16-mixed"
        )

    def train(self, patch: pytest.MonkeyPatch) -> None:
        of_tensors = torch.autograd.backward

        def scaled(tensors: Any, *args: Any, **kwargs: Any) -> None:
            if torch._C._current_graph_task_id() == -1:  # not called by a backward that runs
                with torch.enable_grad():
                    tensors = self.scaler.scale(tensors)
            of_tensors(tensors, *args, **kwargs)

        patch.setattr(torch.autograd, "backward", scaled)
        for _ in range(EPOCHS):
            for batch in make_loader():
                with self.autocast:
                    self.user.backward(batch)
                self.scaler.step(self.user.optim)
                self.scaler.update()
                self.user.optim.zero_grad()


class Counted(pl.Callback):
    """How often Lightning's hooks around backward and step were called."""

    def __init__(self) -> None:
        self.calls = {"before": 0, "after": 0, "step": 0}

    def on_before_backward(self, *_: Any) -> None:
        self.calls["before"] += 1

    def on_after_backward(self, *_: Any) -> None:
        self.calls["after"] += 1

    def on_before_optimizer_step(self, *_: Any) -> None:
        self.calls["step"] += 1


class OfTheFacade(Trainer):
    def initial_trainer(self, params: Params) -> None:
        self.build()
        self.regist_databundler(train=make_loader())

    def train_batch(self, eidx, idx, global_step, batch_data, params, device):
        self.backward(batch_data)
        self.optim.step()
        self.optim.zero_grad()


def options_of(kind: str) -> dict[str, Any]:
    return {"plugins": half()} if kind == "16-mixed" else {"precision": kind}


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")  # torch's advice
@pytest.mark.parametrize(
    ("form", "kind"),
    [(form, kind) for form in FORMS for kind in form.kinds],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_form_of_backward_equals_the_same_by_hand_bit_for_bit(
    form: type[Form], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = ByHand(form, kind)
    with monkeypatch.context() as patch:
        by_hand.train(patch)
    trainer = start(
        type(form.__name__, (form, OfTheFacade), {}),
        tmp_path,
        EPOCHS,
        enable_checkpointing=False,
        **options_of(kind),
    )

    trainer.train()

    assert_same(trainer.model.state_dict(), by_hand.user.model.state_dict())
    assert not torch.equal(trainer.model[0].weight, make_model()[0].weight)


@pytest.mark.parametrize("kind", ["32-true", "16-mixed"])
@pytest.mark.parametrize(
    ("form", "backwards"), [(SeveralTensors, 1), (Reentrant, 1), (SomeInputs, 3)]
)
def test_lightnings_hooks_are_called_once_for_each_backward_of_the_users(
    form: type[Form], backwards: int, kind: str, tmp_path: Path
) -> None:
    counted = Counted()
    user = type(form.__name__, (form, OfTheFacade), {})
    trainer = start(user, tmp_path, 1, callbacks=[counted], **options_of(kind))

    trainer.train()

    assert counted.calls == {
        "before": backwards * BATCHES,
        "after": backwards * BATCHES,
        "step": BATCHES,
    }
