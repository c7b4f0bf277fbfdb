"""The seed of a training command, under its two names, as a parameter of the run."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from thexp_pl.cli.given import Given
from thexp_pl.cli.rank_zero import warn
from thexp_pl.cli.subject import Subject
from thexp_pl.errors import ParamsError, UsageError

__all__ = ["Seed"]

_NAME, _LIGHTNINGS = "seed", "seed_everything"


class Seed:
    """The seed of a training command.

    Where the Params have no parameter ``seed`` of their own, ``--seed`` is ``--seed_everything``,
    and what either of them gives is recorded as the parameter ``seed``: so runs that differ in it
    are known as repeats. The default is not given, and not recorded.

    Args:
        given: What the user gave.
        subject: What is trained.
    """

    def __init__(self, given: Given, subject: Subject) -> None:
        self._given = given
        self._inherited = subject.seed
        self._is_given = False
        self.is_flag = subject.params is None or _NAME not in subject.params

    @property
    def reserved(self) -> frozenset[str]:
        """The name that no new parameter may bear."""
        return frozenset({_NAME} if self.is_flag else ())

    def add(self, group: Any) -> None:
        """Add the flag to a group of a parser."""
        if self.is_flag:
            help_text = "The seed, as --seed_everything, recorded as the parameter seed."
            group.add_argument(f"--{_NAME}", type=int | None, default=None, help=help_text)

    def settle(self, config: MutableMapping[str, Any]) -> None:
        """Make one of the two names, of which the later one counts.

        Args:
            config: The subcommand's configuration as parsed.

        Raises:
            UsageError: Flags of both names give different seeds.
        """
        if not self.is_flag:
            return
        settings = self._given.settings
        both = [one for one in map(self._given.find, (_NAME, _LIGHTNINGS)) if one is not None]
        if len({str(one.value) for one in both if one.word is not None}) > 1:
            raise UsageError("--seed and --seed_everything are the same; give one of them")
        last = max(both, key=settings.index, default=None)
        if last is None and self._inherited is not None:
            config[_NAME] = self._inherited
        if last is not None and last.name == _LIGHTNINGS:
            self._is_given = True
        elif config[_NAME] is not None:
            config[_LIGHTNINGS] = config[_NAME]
            self._is_given = True

    def recorded(self, config: MutableMapping[str, Any]) -> dict[str, int]:
        """Give what is to be recorded, once Lightning has seeded by it.

        Args:
            config: The subcommand's configuration.

        Returns:
            The parameter; nothing where no seed was given.
        """
        seed = config[_LIGHTNINGS] if self._is_given else None
        if not isinstance(seed, int) or isinstance(seed, bool):
            return {}
        config[_NAME] = seed
        return {_NAME: seed}

    def put(self, config: MutableMapping[str, Any], params: Any) -> None:
        """Set it in the Params, so that checkpoints keep it.

        Args:
            config: The subcommand's configuration.
            params: The Params.
        """
        try:
            params.update(self.recorded(config))
        except ParamsError as error:
            warn(f"the seed is not recorded as a parameter: {error}")
