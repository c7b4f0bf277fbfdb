"""The exceptions of thexp_pl, all below `ThexpError`.

::

    ThexpError
    ├── ParamsError (ValueError)            a value or a file that Params refuse
    │   ├── BoundCheckError                 outside its `arange` bounds or not among its `choice`s
    │   └── ParamNameError (AttributeError, KeyError)   no parameter of that name
    ├── MeterNameError (AttributeError, KeyError)       the Meter holds no such name
    ├── GlobsError (AttributeError, KeyError)           no global variable of that name
    ├── UsageError (ValueError)             a command line, or a call, that cannot be meant
    │   └── QueryError                      a query about runs that cannot be carried out
    ├── TrainerError (RuntimeError)         the facade was asked for what it cannot do rightly
    ├── RecordError (OSError)               a run's folder cannot be made, written or read
    │   └── ExperimentNameError (ValueError)            no folder can have that name
    └── CheckpointError (RuntimeError)      a checkpoint that is damaged or missing

A message is one line: the value, the rule, the way out and, for a misspelt name, the near miss.
`exit_code` is what the command line ends with when the error reaches it: 2 for what can be mended
in the command, 1 for what failed at run time.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "BoundCheckError",
    "CheckpointError",
    "ExperimentNameError",
    "GlobsError",
    "MeterNameError",
    "ParamNameError",
    "ParamsError",
    "QueryError",
    "RecordError",
    "ThexpError",
    "TrainerError",
    "UsageError",
    "near_miss",
]


class ThexpError(Exception):
    """The root of every error that thexp_pl raises by itself."""

    exit_code = 2

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if isinstance(self, AttributeError):
            # else Python appends a guess of its own to the message; mypy sees two bases' `name`
            setattr(self, "name", "")  # noqa: B010

    def __str__(self) -> str:
        # KeyError would print the repr of its argument; a message is a sentence.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class ParamsError(ThexpError, ValueError):
    """A value, a flag or a file that Params refuse."""


class BoundCheckError(ParamsError):
    """A value outside the bounds of `Params.arange` or not among those of `Params.choice`."""


class ParamNameError(ParamsError, AttributeError, KeyError):
    """A parameter that was read, deleted or (once locked) set, but does not exist."""


class MeterNameError(ThexpError, AttributeError, KeyError):
    """A name that nothing was stored under in a Meter."""


class GlobsError(ThexpError, AttributeError, KeyError):
    """A global variable that no level defines, or a level that cannot be written."""


class UsageError(ThexpError, ValueError):
    """A command line or a call that cannot be carried out as written."""


class QueryError(UsageError):
    """A query about runs that cannot be carried out as written.

    Args:
        message: One line.
        position: The character of the query where the fault is, from 1; None where it is not
            known yet.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (at character {position})")
        self.position = position


class TrainerError(ThexpError, RuntimeError):
    """The facade Trainer was asked for something it cannot do rightly."""


class RecordError(ThexpError, OSError):
    """A run's folder that cannot be made, written or read."""


class ExperimentNameError(RecordError, ValueError):
    """An experiment name that cannot be the name of a folder."""


class CheckpointError(ThexpError, RuntimeError):
    """A checkpoint that is missing, damaged or of another kind."""

    exit_code = 1


def near_miss(name: str, candidates: Iterable[str]) -> str:
    """Say which known name was probably meant, as the end of an error message.

    Args:
        name: The name that was not found.
        candidates: The names that exist.

    Returns:
        ``"; did you mean 'lr'?"``, or an empty string where nothing is near.

    >>> near_miss("learning_rat", ["learning_rate", "epoch"])
    "; did you mean 'learning_rate'?"
    >>> near_miss("x", ["learning_rate", "epoch"])
    ''
    """
    import difflib  # only when something went wrong

    known = [candidate for candidate in candidates if candidate != name]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not found:
        folded = {candidate.lower(): candidate for candidate in known}
        found = [folded[name.lower()]] if name.lower() in folded else []
    return f"; did you mean {found[0]!r}?" if found else ""
