"""Saying something to whoever watches a training, and asking where someone can answer."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytorch_lightning as pl

__all__ = ["ask", "at_terminal", "say"]

logger = logging.getLogger("thexp_pl.callbacks")


def at_terminal() -> bool:
    """Say whether someone can answer: a batch job's input is no terminal."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def ask(question: str) -> str | None:
    """Ask at the terminal.

    Args:
        question: What is shown.

    Returns:
        The answer in lower case; None where the input ends.
    """
    try:
        return input(question).strip().lower()
    except EOFError:
        return None


def say(module: pl.LightningModule, line: str) -> None:
    """Say a line: in the facade to its Logger, else as a warning of this package's log.

    Args:
        module: The module that is trained.
        line: What to say.
    """
    facade: Any = getattr(module, "facade", None)
    if facade is None:
        logger.warning(line)
    else:
        facade.logger.info(line)
