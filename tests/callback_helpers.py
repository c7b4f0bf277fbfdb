"""A callback in thexp's style that hears all calls, for the tests of what is told."""

from __future__ import annotations

from typing import Any

from trainer_helpers import TinyTrainer

from thexp_pl.callbacks import BaseCallback


class Listening(BaseCallback):
    """Notes the names of all calls, in the order of their beginnings and ends."""

    def __init__(self, heard: list[Any] | None = None) -> None:
        self.heard: list[Any] = [] if heard is None else heard

    def on_begin(self, trainer, func, params, *args, **kwargs):
        self.heard.append(f"{func.__name__}(")

    def on_end(self, trainer, func, params, meter, *args, **kwargs):
        self.heard.append(f"){func.__name__}")

    def count(self, what: str) -> int:
        return self.heard.count(what)


class Silent(TinyTrainer):
    def initial_callback(self) -> None:
        pass
