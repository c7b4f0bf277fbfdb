"""The settings of a search, as they are asked for and as the sweep keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thexp_pl.compare.metric import AGGREGATES, better
from thexp_pl.errors import RecordError, UsageError, near_miss
from thexp_pl.record.names import shown

__all__ = ["DIRECTIONS", "PRUNERS", "SAMPLERS", "SearchSettings", "metric_name"]

SAMPLERS = ("tpe", "random")
PRUNERS = ("none", "median", "hyperband")
DIRECTIONS = ("min", "max")
_TEXTS = ("metric", "direction", "sampler", "pruner", "storage")


@dataclass(frozen=True)
class SearchSettings:
    """What a search is asked for.

    Args:
        metric: The recorded metric that is to become good, with ``.min``, ``.max`` or ``.mean``
            behind it where not its last value is meant.
        ranges: By option what it may be, as it is typed.
        direction: ``"min"`` or ``"max"``; empty to go by the metric's name.
        sampler: Who suggests: ``"tpe"`` learns from the trials before, ``"random"`` does not.
        pruner: Who ends trials that do worse than others did: ``"median"``, ``"hyperband"`` or
            ``"none"``.
        seed: Of the sampler.
        storage: The URL of the database that keeps the study; empty for a file of the sweep.

    Raises:
        UsageError: One of them cannot be meant.
    """

    metric: str
    ranges: Mapping[str, str]
    direction: str = ""
    sampler: str = "tpe"
    pruner: str = "none"
    seed: int = 0
    storage: str = ""

    def __post_init__(self) -> None:
        if not self.metric:
            raise UsageError(
                "a search needs to know what is to become good: give --metric, such as eval_acc"
            )
        _check_word("sampler", self.sampler, SAMPLERS)
        _check_word("pruner", self.pruner, PRUNERS)
        direction = self.direction or better(metric_name(self.metric))
        if not direction:
            raise UsageError(
                f"--metric={shown(self.metric)[1:-1]}: whether it is better large or small does not"
                " show; give --direction=max or --direction=min"
            )
        _check_word("direction", direction, DIRECTIONS)
        object.__setattr__(self, "direction", direction)
        if self.storage and "://" not in self.storage:
            raise UsageError(
                f"--storage={shown(self.storage)[1:-1]} is no URL: give one such as"
                " sqlite:////home/me/study.db or postgresql+psycopg://host/database"
            )

    def told(self) -> dict[str, Any]:
        """Give what the sweep keeps of it: all but the secrets of the URL.

        Returns:
            Plain values.
        """
        told = {name: value for name, value in vars(self).items() if name != "ranges"}
        return {**told, "space": dict(self.ranges), "storage": shown_url(self.storage)}

    @classmethod
    def of(cls, told: Mapping[str, Any], storage: str = "") -> SearchSettings:
        """Read what a sweep keeps.

        Args:
            told: What `told` gave, read back from the disk.
            storage: The URL of the storage, if it has secrets; they are not kept.

        Returns:
            The settings.

        Raises:
            RecordError: It is damaged.
        """
        try:
            texts = {name: told[name] for name in _TEXTS}
            ranges, seed = told["space"], told["seed"]
            if not all(isinstance(value, str) for value in (*texts.values(), *ranges.values())):
                raise TypeError("a setting is no text")
            texts["storage"] = storage or texts["storage"]
            return cls(ranges=ranges, seed=int(seed), **texts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(
                f"the settings of the search in sweep.json are damaged ({error}); submit it again"
                " under another root, or restore the file"
            ) from error


def metric_name(word: str) -> str:
    """Take the aggregate off a metric that is asked for.

    Args:
        word: Such as ``eval_acc.max``.

    Returns:
        Such as ``eval_acc``.
    """
    name, _, aggregate = word.removeprefix("metrics.").rpartition(".")
    return name if name and aggregate in AGGREGATES else word.removeprefix("metrics.")


def shown_url(url: str) -> str:
    """Give a URL without the secrets in it.

    Args:
        url: The URL.
    """
    from thexp_pl.record.redact import Redactor

    return Redactor().text(url) if url else ""


def _check_word(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise UsageError(
            f"--{name}={shown(word)[1:-1]} is none of {', '.join(words)}{near_miss(word, words)}"
        )
