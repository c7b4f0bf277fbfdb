"""Metrics as they are asked for: ``acc``, ``loss.min``; and which of their values are better."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from thexp_pl.compare.values import number
from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown

__all__ = ["AGGREGATES", "Better", "Metric", "better", "choose_metrics", "find_metric"]

AGGREGATES = ("last", "min", "max", "mean")
Better = Literal["min", "max", ""]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# words of a metric's name
_SMALL = re.compile(
    r"\w*(loss|losses|error|errors|entropy)|err|cost|regret|perplexity|ppl|nll|bce|ce|kl|kld"
    r"|divergence|distance|deviance|residual|mse|rmse|mae|mape|smape|rmsle|msle|wer|cer|ter|eer|fpr"
    r"|fnr|ece|brier|fid|kid|lpips|bpc|bpd|hamming|time|seconds|duration|latency"
)
_NEITHER = {"lr", "epoch", "step"}
_NEGATED = {"neg", "negative"}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and which of its values in a run is meant.

    Args:
        name: The metric's own name.
        aggregate: ``last``, ``min``, ``max`` or ``mean``.
    """

    name: str
    aggregate: str = "last"

    @property
    def title(self) -> str:
        """How it is written: the name alone means the last value."""
        return self.name if self.aggregate == "last" else f"{self.name}.{self.aggregate}"

    def value(self, metrics: Mapping[str, Mapping[str, Any]]) -> float | None:
        """Give its value in a run.

        Args:
            metrics: The run's, as `RunRow.metrics` has them.

        Returns:
            The value, which may be NaN; None where the run has none.
        """
        cell = metrics.get(self.name)
        return None if cell is None else number(cell.get(self.aggregate))


def find_metric(word: str, known: Iterable[str]) -> Metric:
    """Find the metric that a word means.

    Args:
        word: A metric's name, with ``.min``, ``.max``, ``.mean`` or ``.last`` behind it where not
            the last value is meant; ``metrics.`` may stand before it.
        known: The names that there are. A whole name comes before one with an aggregate.

    Returns:
        The metric.

    Raises:
        UsageError: There is no such metric.

    >>> find_metric("val.acc.max", ["val.acc"])
    Metric(name='val.acc', aggregate='max')
    """
    names = dict.fromkeys(known)
    for text in (word, word.removeprefix("metrics.")):
        if text in names:
            return Metric(text)
        name, _, aggregate = text.rpartition(".")
        if aggregate in AGGREGATES and name in names:
            return Metric(name, aggregate)
    if not names:
        raise UsageError(f"there is no metric {shown(word)}: these runs have recorded none")
    hint = near_miss(word, [*names, *(f"{name}.{end}" for name in names for end in AGGREGATES)])
    some = ", ".join(shown(name) for name in list(names)[:5])
    raise UsageError(f"these runs have no metric {shown(word)}{hint} (they have {some})")


def choose_metrics(words: Sequence[str], known: Iterable[str]) -> tuple[Metric, ...]:
    """Find the metrics that words mean.

    Args:
        words: See `find_metric`; none means the last values of all.
        known: The names that there are.

    Returns:
        The metrics, each once.

    Raises:
        UsageError: There is no such metric.
    """
    names = list(dict.fromkeys(known))
    found = [find_metric(word, names) for word in words] if words else map(Metric, names)
    return tuple(dict.fromkeys(found))


def better(name: str) -> Better:
    """Guess from a metric's name whether its small values are the better ones, or its large ones.

    Args:
        name: The metric's name. Its words are looked at: a loss, an error, a perplexity, a time is
            better small, and so is what is false; ``neg`` or ``negative`` turns that round, and a
            likelihood too; a learning rate, an epoch and a step are neither; all else is better
            large.

    Returns:
        ``"min"``, ``"max"``, or ``""`` for neither.

    >>> [better(name) for name in ("val/loss", "testErr", "acc", "neg_log_loss", "lr-Adam")]
    ['min', 'min', 'max', 'max', '']
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if "lr" in words or (words and _NEITHER.issuperset(words)):
        return ""
    if "false" in words:  # positives or negatives
        return "min"
    small = any(_SMALL.fullmatch(word) for word in words)
    turned = not _NEGATED.isdisjoint(words) and (small or "likelihood" in words)
    return "max" if small == turned else "min"
