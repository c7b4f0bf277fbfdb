"""The file names of a Saver: thexp's, spelt in this one place."""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

from thexp_pl.errors import UsageError

__all__ = ["CHECKPOINT", "KEYPOINT", "MODEL", "Kind", "checked_epoch", "kind_of", "sidecar_path"]

EPOCH_DIGITS = 6
MAX_EPOCH = 10**EPOCH_DIGITS - 1


@dataclass(frozen=True)
class Kind:
    """One of the three kinds of file that a Saver keeps.

    Args:
        noun: What messages and sidecars call it.
        prefix: What its file names begin with.
        suffix: What its file names end with.

    >>> CHECKPOINT.file_name(3, repeat=0), KEYPOINT.file_name(3, repeat=12)
    ('0000003.ckpt', 'keep.12000003.ckpt')
    >>> MODEL.parse("model.1000003.pth")
    (3, 1)
    """

    noun: str
    prefix: str
    suffix: str

    def file_name(self, epoch: int, repeat: int) -> str:
        """Spell the name of the `repeat`-th file (from 0) of one epoch."""
        return f"{self.prefix}{repeat}{epoch:0{EPOCH_DIGITS}d}{self.suffix}"

    def parse(self, name: str) -> tuple[int, int] | None:
        """Read (epoch, repeat) from a file name, or None where it is no name of this kind."""
        found = self._pattern.fullmatch(name)
        return (int(found[2]), int(found[1])) if found else None

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        prefix, suffix = re.escape(self.prefix), re.escape(self.suffix)
        return re.compile(rf"{prefix}(0|[1-9][0-9]*)([0-9]{{{EPOCH_DIGITS}}}){suffix}")


CHECKPOINT = Kind("checkpoint", "", ".ckpt")
KEYPOINT = Kind("keypoint", "keep.", ".ckpt")
MODEL = Kind("model", "model.", ".pth")
KINDS = (CHECKPOINT, KEYPOINT, MODEL)


def kind_of(name: str) -> Kind | None:
    """Tell which kind a file name is of, or None for a name that no Saver gives."""
    return next((kind for kind in KINDS if kind.parse(name)), None)


def sidecar_path(path: Path) -> Path:
    """The JSON file beside a checkpoint, keypoint or model."""
    return path.with_name(path.name + ".json")


def checked_epoch(epoch: SupportsIndex) -> int:
    """Check that a file name can carry this epoch.

    Raises:
        UsageError: `epoch` is not an integer from 0 to 999999; a seventh digit would read as the
            count of repeats.
    """
    rule = f"file names hold an integer from 0 to {MAX_EPOCH}"
    try:
        number = operator.index(epoch)
    except TypeError:
        raise UsageError(f"epoch {epoch!r} is no epoch: {rule}") from None
    if isinstance(epoch, bool) or not 0 <= number <= MAX_EPOCH:
        raise UsageError(f"epoch {epoch!r} is no epoch: {rule}")
    return number
