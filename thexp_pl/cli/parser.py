"""The parser of the training commands: flags in reading order, mistakes in one line."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from jsonargparse import DefaultHelpFormatter
from pytorch_lightning.cli import LightningArgumentParser

from thexp_pl.cli.given import SUBCOMMANDS
from thexp_pl.cli.params_group import Reader

__all__ = ["RESERVED", "RESERVED_FOR_MODULES", "Parser", "parser_options"]

# first parts of the flags that LightningCLI and ThexpCLI have, whatever is trained
RESERVED = frozenset(
    {
        *("help", "config", "print_config", "subcommand", "traceback"),
        *("seed_everything", "trainer", "model", "data"),
        *("ckpt_path", "weights_only", "verbose", "return_predictions"),
        *("trainer_class", "exps_dir", "exp_name", "record", "allow_new"),
    }
)
# and those that stand beside a LightningModule's
RESERVED_FOR_MODULES = RESERVED | {"optimizer", "lr_scheduler"}


class _Formatter(DefaultHelpFormatter):
    """Help without a line for each flag's variable: the description says how they are called."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return argparse.HelpFormatter._format_action_invocation(self, action)

    def _expand_help(self, action: argparse.Action) -> str:
        if isinstance(action.type, Reader):
            return action.type.describe()
        return super()._expand_help(action)


class Parser(LightningArgumentParser):
    """A LightningArgumentParser that reports a mistake in one line.

    It leaves a ``params`` argument of classes out: that is made of the Params' own flags.
    """

    has_params = False
    explain: Callable[[str], str]

    def error(self, message: str, ex: Exception | None = None) -> Any:
        """Print one line and end with code 2."""
        if os.environ.get("THEXP_DEBUG") == "1" and ex is not None:
            traceback.print_exception(ex)
        sys.stderr.write(f"error: {type(self).explain(message)}\n")
        raise SystemExit(2) from ex

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Leave ``params`` out."""
        return super().add_class_arguments(*args, **self._without_params(kwargs))

    def add_subclass_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Leave ``params`` out."""
        return super().add_subclass_arguments(*args, **self._without_params(kwargs))

    def _without_params(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        skip = {"params"} if self.has_params else set()
        return {**kwargs, "skip": {*kwargs.get("skip", ()), *skip}}

    def show_first(self, groups: int) -> None:
        """Move the groups that were added last to the top of the help."""
        shown: Any = self._action_groups
        shown[:0] = [shown.pop() for _ in range(groups)][::-1]


def parser_options(given: dict[str, Any]) -> dict[str, Any]:
    """Let the parser and each subcommand's read the environment and know no abbreviations.

    Args:
        given: LightningCLI's ``parser_kwargs``, which come first.
    """
    own = {"allow_abbrev": False, "default_env": True, "formatter_class": _Formatter}
    usage = {"usage": "%(prog)s [--NAME=VALUE ...]"}
    described = {
        name: {
            "description": f"Each flag is also an environment variable: --optim.lr of {name} is "
            f"PL_{name.upper()}__OPTIM__LR."
        }
        for name in SUBCOMMANDS
    }
    return {
        **own,
        **given,
        **{
            name: {**own, **usage, **described[name], **given.get(name, {})} for name in SUBCOMMANDS
        },
    }
