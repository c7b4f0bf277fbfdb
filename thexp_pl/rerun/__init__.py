"""Runs again: restoring a recorded run's code and state, running it anew, going on from it."""

from __future__ import annotations

from thexp_pl.rerun.code import restore_code
from thexp_pl.rerun.reproducing import Reproduction, reproduce
from thexp_pl.rerun.resuming import Resumption, resume
from thexp_pl.rerun.rolling_back import Rollback, rollback
from thexp_pl.rerun.verifying import Verdict, verify

__all__ = [
    "Reproduction",
    "Resumption",
    "Rollback",
    "Verdict",
    "reproduce",
    "restore_code",
    "resume",
    "rollback",
    "verify",
]
