"""Any mixture of a Saver's calls."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from saver_helpers import (
    files,
    names,
)

from thexp_pl import Saver
from thexp_pl.saver.names import KINDS


class SaverMachine(RuleBasedStateMachine):
    """A Saver beside a list of what it must hold."""

    folders: pytest.TempPathFactory

    @initialize(max_to_keep=st.sampled_from([1, 2, 3, None]), best=st.integers(0, 2))
    def start(self, max_to_keep: int | None, best: int) -> None:
        self.folder = self.folders.mktemp("machine")
        self.max_to_keep = max_to_keep
        self.best = best
        self.kept: dict[str, list[tuple[str, int]]] = {kind.noun: [] for kind in KINDS}
        self.value = 0
        self.losses: dict[int, float] = {}
        self.reopen(background=False)

    @rule(background=st.booleans())
    def reopen(self, background: bool) -> None:
        if hasattr(self, "saver"):
            self.saver.close()
        self.saver = Saver(self.folder, self.max_to_keep, background=background)
        if self.best:
            self.saver.keep_best("loss", n=self.best)

    @rule(
        kind=st.sampled_from(KINDS),
        epoch=st.integers(0, 2),
        replacement=st.booleans(),
        loss=st.sampled_from([0.1, 0.2, 0.3]),
    )
    def save(self, kind, epoch: int, replacement: bool, loss: float) -> None:
        self.value += 1
        self.losses[self.value] = loss
        save = getattr(self.saver, f"save_{kind.noun}")
        path = save(epoch, {"value": self.value}, {"loss": loss}, replacement)
        kept = self.kept[kind.noun]
        there = [entry for entry in kept if kind.parse(entry[0])[0] == epoch]
        repeats = [kind.parse(name)[1] for name, _ in there]
        if there and replacement:
            expected = kind.file_name(epoch, max(repeats))
            kept[:] = [entry for entry in kept if entry[0] != expected]
        else:
            expected = kind.file_name(epoch, max(repeats, default=-1) + 1)
        kept.append((expected, self.value))
        if kind.noun == "checkpoint" and self.max_to_keep:
            ranked = sorted(kept, key=lambda entry: self.losses[entry[1]])[: self.best]
            newest = kept[-self.max_to_keep :]
            kept[:] = [entry for entry in kept if entry in newest or entry in ranked]
        assert path.name == expected

    @rule(kind=st.sampled_from(KINDS))
    def clear(self, kind) -> None:
        getattr(self.saver, f"clear_{kind.noun}s")()
        self.kept[kind.noun].clear()

    @rule(kind=st.sampled_from(KINDS), data=st.data())
    def load(self, kind, data: st.DataObject) -> None:
        kept = self.kept[kind.noun]
        if kept:
            index = data.draw(st.integers(-len(kept), len(kept) - 1))
            loaded = getattr(self.saver, f"load_{kind.noun}")(index, byindex=True)
            assert loaded == {"value": kept[index][1]}

    @invariant()
    def the_folder_holds_these_pairs_and_nothing_else(self) -> None:
        if not hasattr(self, "saver"):
            return
        for kind in KINDS:
            found = names(getattr(self.saver, f"find_{kind.noun}s")())
            assert found == [name for name, _ in self.kept[kind.noun]]
        best = self.saver.best_checkpoint()
        losses = {name: self.losses[value] for name, value in self.kept["checkpoint"]}
        if best or (self.best and losses):
            assert losses[best.name] == min(losses.values())
        held = {name for kept in self.kept.values() for name, _ in kept}
        assert files(self.folder) == held | {f"{name}.json" for name in held}


def test_any_mixture_of_calls_leaves_what_was_promised(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    SaverMachine.folders = tmp_path_factory
    run_state_machine_as_test(
        SaverMachine, settings=settings(max_examples=50, stateful_step_count=30, deadline=None)
    )
