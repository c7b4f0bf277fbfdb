"""What makes a Lightning Callback one of thexp's: `hook`."""

from __future__ import annotations

from typing import Any, TypeVar

from thexp_pl.errors import TrainerError

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

        Raises:
            TrainerError: It is no such trainer; or as `Trainer.add_callback`.
        """
        if isinstance(trainer, type) or not hasattr(trainer, "add_callback"):
            kind = trainer if isinstance(trainer, type) else type(trainer)
            home = kind.__module__.partition(".")[0]
            raise TrainerError(
                f"hook takes a thexp_pl.Trainer, not {'the class' if kind is trainer else 'a'} "
                f"{home}.{kind.__name__}; to a pytorch_lightning.Trainer give callbacks=[...]"
            )
        trainer.add_callback(self)
        return self
