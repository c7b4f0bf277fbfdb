"""after_module_hook: what is done right after a module's own hook."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.utilities.model_helpers import is_overridden
from trainer_helpers import PlainModule, lightnings_own_warnings, make_loader, plain_trainer

from thexp_pl.callbacks.after import after_module_hook

HOOK = "on_train_batch_end"


class Notes(PlainModule):
    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Any] = []

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> str:
        self.noted.append(batch_idx)
        return "result"


@lightnings_own_warnings
def test_deeds_follow_the_hook_in_the_order_given_in_a_real_training() -> None:
    class Follows(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            for word in ("one", "two"):
                undo.append(
                    after_module_hook(
                        pl_module, HOOK, lambda word=word: pl_module.noted.append(word)
                    )
                )

    undo: list[Any] = []
    module = Notes()
    plain_trainer(max_epochs=1, limit_train_batches=2, callbacks=[Follows()]).fit(
        module, make_loader()
    )

    assert module.noted == [0, "one", "two", 1, "one", "two"]
    undo[0]()
    undo[0]()
    assert module.on_train_batch_end(None, None, 2) == "result"
    assert module.noted[6:] == [2, "two"]
    undo[1]()
    assert HOOK not in vars(module)


def test_a_copy_of_the_module_has_the_hook_without_the_deeds() -> None:
    module = Notes()
    after_module_hook(module, HOOK, lambda: module.noted.append("deed"))

    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        twin.on_train_batch_end(None, None, 3)
        assert (twin.noted, module.noted) == ([3], [])


def test_the_one_deed_given_twice_is_done_twice_and_undone_once_each() -> None:
    module = Notes()
    deed = lambda: module.noted.append("deed")  # noqa: E731 - one object
    undo = [after_module_hook(module, HOOK, deed) for _ in range(2)]

    module.on_train_batch_end(None, None, 0)
    undo[0]()
    module.on_train_batch_end(None, None, 1)

    assert module.noted == [0, "deed", "deed", 1, "deed"]


def test_a_hook_of_the_module_alone_is_there_again_when_all_is_undone() -> None:
    module = Notes()
    own = lambda *args: "own"  # noqa: E731 - as a user may set it
    module.on_train_batch_end = own  # type: ignore[method-assign]
    undo = after_module_hook(module, HOOK, lambda: None)
    assert module.on_train_batch_end() == "own"

    undo()

    assert vars(module)[HOOK] is own


def test_what_another_has_put_over_it_stays_and_finds_the_hook_without_the_deed() -> None:
    module = Notes()
    undo = after_module_hook(module, HOOK, lambda: module.noted.append("deed"))
    below = module.on_train_batch_end
    module.on_train_batch_end = lambda *args: below(*args)  # type: ignore[method-assign]

    undo()
    module.on_train_batch_end(None, None, 0)

    assert module.noted == [0]


def test_lightning_still_sees_whether_the_user_has_written_a_hook() -> None:
    module = Notes()
    for hook in (HOOK, "on_train_start"):
        after_module_hook(module, hook, lambda: None)

    assert is_overridden(HOOK, module)
    assert not is_overridden("on_train_start", module)


def test_after_a_hook_that_raises_nothing_is_done() -> None:
    class Raises(Notes):
        def on_train_start(self) -> None:
            raise ValueError("on purpose")

    module = Raises()
    after_module_hook(module, "on_train_start", lambda: module.noted.append("deed"))

    with pytest.raises(ValueError, match="on purpose"):
        module.on_train_start()
    assert module.noted == []
