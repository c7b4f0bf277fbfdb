"""What makes a Lightning Callback one of thexp's: `hook`."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["Hookable"]

Self = TypeVar("Self", bound="Hookable")


class Hookable:
    """A callback that can be hooked into the facade Trainer."""

    def hook(self: Self, trainer: Any) -> Self:
        """Add this callback to a facade Trainer, in place of an earlier one of its class.

        Args:
            trainer: The `thexp_pl.Trainer`; call this in its `initial_callback`.

        Returns:
            This callback.
        """
        trainer.add_callback(self)
        return self
