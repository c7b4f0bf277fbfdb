"""What Lightning and other libraries refuse, as mistakes of the command."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException

from thexp_pl.cli.messages import gist
from thexp_pl.cli.report import is_users_own
from thexp_pl.errors import ThexpError, UsageError
from thexp_pl.record import Experiment
from thexp_pl.record.redact import REDACTED

__all__ = ["failed_in_one_line", "refuse_redacted", "refused_in_one_line"]


@contextmanager
def refused_in_one_line(*more: type[Exception]) -> Iterator[None]:
    """Take a MisconfigurationException for a mistake in the command.

    What passed through the user's own code is its author's, and stays.

    Args:
        *more: Other exceptions that mean the same here.

    Raises:
        UsageError: With the library's message.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, (MisconfigurationException, *more)):
            raise
        if isinstance(error, ThexpError) or is_users_own(error):
            raise
        raise UsageError(gist(str(error)) or type(error).__name__) from error


@contextmanager
def failed_in_one_line(experiment: Experiment) -> Iterator[None]:
    """End with one line and code 1 where a run fails outside the user's own code.

    Args:
        experiment: The run, which has kept the traceback.

    Raises:
        SystemExit: With code 1.
    """
    try:
        yield
    except Exception as error:
        is_told = isinstance(error, ThexpError) or is_users_own(error)
        if is_told or os.environ.get("THEXP_DEBUG") == "1":
            raise
        kind, reason = type(error).__name__, " ".join(str(error).split())
        where = experiment.paths.traceback
        sys.stderr.write(f"error: {kind}: {reason}; its traceback is in {where}\n")
        raise SystemExit(1) from None


def refuse_redacted(config: Any, name: str = "-") -> None:
    """Refuse to train with what a record has in place of a secret.

    Args:
        config: A configuration.
        name: The flag that leads to it.

    Raises:
        UsageError: A value was redacted.
    """
    if isinstance(config, Namespace):
        config = vars(config)
    if isinstance(config, str) and REDACTED in config:
        raise UsageError(
            f"-{name}: the configuration holds {REDACTED}, as a record keeps no secrets; give it"
            " on the command line"
        )
    if isinstance(config, list | tuple):
        for value in config:
            refuse_redacted(value, name)
    elif isinstance(config, Mapping):
        for key, value in config.items():
            refuse_redacted(value, f"{name}.{key}" if name != "-" else f"-{key}")
