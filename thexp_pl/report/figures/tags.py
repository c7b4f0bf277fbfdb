"""The metrics that a figure shows: whole names, and patterns of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from thexp_pl.errors import UsageError, near_miss
from thexp_pl.record.names import shown

__all__ = ["choose_tags", "means_tag"]

_NAMED = 5


def means_tag(word: str, name: str) -> bool:
    """Say whether a word means a metric.

    Args:
        word: Its name, or a pattern with ``*``, ``?`` and ``[...]``; ``metrics.`` may stand before
            it.
        name: The metric's name.

    >>> means_tag("eval_*", "eval_acc"), means_tag("metrics.acc", "acc"), means_tag("acc", "Acc")
    (True, True, False)
    """
    words = (word, word.removeprefix("metrics."))
    return name in words or any(fnmatchcase(name, one) for one in words)


def choose_tags(words: Sequence[str], known: Iterable[str]) -> list[str]:
    """Find the metrics that words mean.

    Args:
        words: See `means_tag`; none means all.
        known: The names that there are.

    Returns:
        The names in the order of the words, those of a pattern in the order of `known`; each once.

    Raises:
        UsageError: A word means none of them.

    >>> choose_tags(["acc", "*loss"], ["loss", "eval_loss", "acc"])
    ['acc', 'loss', 'eval_loss']
    """
    names = list(dict.fromkeys(known))
    chosen = [] if words else names
    for word in words:
        # a name may have the letters of a pattern
        own = [name for name in (word, word.removeprefix("metrics.")) if name in names][:1]
        own = own or [name for name in names if means_tag(word, name)]
        if not own:
            raise UsageError(_none(word, names))
        chosen += own
    return list(dict.fromkeys(chosen))


def _none(word: str, names: Sequence[str]) -> str:
    if not names:
        return f"there is no metric {shown(word)}: these runs have recorded none"
    more = ", ..." if len(names) > _NAMED else ""
    some = ", ".join(map(shown, names[:_NAMED]))
    return (
        f"these runs have no metric {shown(word)}{near_miss(word, names)} (they have {some}{more})"
    )
