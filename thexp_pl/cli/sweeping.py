"""The points of a sweep of ``fit``, checked before anything starts: by the Params and the parser.

Imported late, for it imports torch and Lightning.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thexp_pl.cli.given import Given, Setting, Word, given_by
from thexp_pl.cli.lightning_cli import ThexpCLI
from thexp_pl.cli.params_given import GivenParams
from thexp_pl.cli.params_group import plain_value
from thexp_pl.cli.parser import RESERVED, RESERVED_FOR_MODULES
from thexp_pl.cli.seeding import Seed
from thexp_pl.cli.subject import choose_subject
from thexp_pl.cli.sweep_configuration import Contents, is_configuration
from thexp_pl.cli.sweep_points import named, plain_literal
from thexp_pl.errors import ParamsError, ThexpError, UsageError
from thexp_pl.params import BaseParams
from thexp_pl.params.plain import stable_hash
from thexp_pl.sweeps.point import Point

__all__ = ["FitPoints", "plain_settings"]

_FIT = "fit"
# options that say what is trained: what the others may be follows from them
_DECIDING = ("trainer_class", "model", "allow_new", "ckpt_path")
# options that change nothing of what is trained
_OUTSIDE = frozenset({"config", "exps_dir", "trainer_class", "model", "allow_new"})
_MOST_PARSED = 100  # values of one option, 15 ms each


class FitPoints:
    """What the points of one command mean: their Params and their digests.

    Args:
        words: The words that all points share, ``fit`` first.
        own: The sweep's own options that were given, which no parameter may be called.
        facade: The facade Trainer, where a script names it.
    """

    def __init__(self, words: Sequence[str], own: Collection[str] = (), facade: Any = None) -> None:
        self._words = list(words)
        self._own = own
        self._facade = facade
        self._trainings: dict[tuple[str, ...], _Training] = {}

    def digest(self, values: Mapping[str, str]) -> str:
        """Check a point by its Params, and hash what its run is trained with.

        Args:
            values: The options that vary, as they are typed.

        Returns:
            The same for the same Params and the same rest of the command, however they are spelt.

        Raises:
            UsageError: The Params refuse a value, or what is to be trained cannot be imported.
            CheckpointError: The checkpoint to begin from is none.
        """
        return self._training(values).digest(values)

    def settings(self, values: Mapping[str, str]) -> dict[str, Any] | None:
        """Give the parameters of a point.

        Args:
            values: As for `digest`.

        Returns:
            By dotted name the plain value; None where what is trained has no Params.

        Raises:
            UsageError: As `digest`.
        """
        return self._training(values).settings(values)

    def check(self, points: Iterable[Point]) -> None:
        """Check by the parser what is no parameter: each value of each option once.

        Of more than 100 values of one option the first 100 are checked.

        Args:
            points: The points; the first of each thing that is trained is checked as a whole.

        Raises:
            UsageError: An option or a value is refused; it says of which point.
        """
        for point in points:
            try:
                self._training(point.values).parse(point.values)
            except UsageError as error:
                is_own = any(f"--{name}" in str(error) for name in point.values)
                raise UsageError(named(point, error) if is_own else str(error)) from None

    def _training(self, values: Mapping[str, str]) -> _Training:
        deciding = {name: text for name, text in values.items() if _decides(name, text)}
        key = tuple(f"--{name}={value}" for name, value in deciding.items())
        if key not in self._trainings:
            words = [*self._words, *key]
            self._trainings[key] = _Training(words, self._own, self._facade)
        return self._trainings[key]


def _decides(name: str, text: str) -> bool:
    return name in _DECIDING or is_configuration(text)  # what is in a file counts, not its name


class _Training:
    """What is trained, once for all points that share the words that say it."""

    def __init__(self, words: Sequence[str], own: Collection[str], facade: Any) -> None:
        given = given_by(words)
        subject = choose_subject(given, None, facade)
        self._words, self._facade = list(words), facade
        self._reserved = Seed(given, subject).reserved | (
            RESERVED if subject.facade is not None else RESERVED_FOR_MODULES
        )
        self._params: BaseParams | None = None
        if subject.params is not None:
            self._params = GivenParams(subject.params, given, self._reserved).params
            self._refuse_own(own, self._params)
        allow_new = given.find("allow_new")
        self._always = [] if allow_new is None else [allow_new]
        rest = (one for one in given.settings if self._is_rest(one, given))
        self._contents = Contents()
        self._rest = {one.name: self._counted(one.value) for one in rest}
        self._trained = given.text("model") or _class_name(subject.facade)
        self._parsing: _Parsing | None = None
        self._parsed: dict[str, set[str]] = {}

    def _refuse_own(self, own: Collection[str], params: BaseParams) -> None:
        for name in own:
            if name in params:
                raise UsageError(
                    f"--{name} is an option of sweep, and a parameter of {type(params).__name__}"
                    f" too: write --fit.{name} for the parameter, --sweep.{name} for the option"
                )

    def _is_rest(self, one: Setting, given: Given) -> bool:
        """Say whether a setting tells something that neither the Params nor the subject tell."""
        is_opened = isinstance(one.value, Mapping) and one.value
        name = one.name
        if one.is_variable and self._params is not None:  # in small letters, as it may be
            names = {given.variable(each) for each in (*self._params.flat(), *self._params.keys())}
            if one.place in names:
                return False
        return not is_opened and name not in _OUTSIDE and not self._is_parameter(name)

    def _is_parameter(self, name: str) -> bool:
        return self._params is not None and name in self._params

    def _takes(self, name: str) -> bool:
        """Say whether an option that varies is the Params'."""
        is_new = bool(self._always) and name.partition(".")[0] not in self._reserved
        return self._is_parameter(name) or (self._params is not None and is_new)

    def settings(self, values: Mapping[str, str]) -> dict[str, Any] | None:
        """Give the parameters of a point in plain form; None where nothing has Params."""
        own = [_setting(name, values[name]) for name in values if self._takes(name)]
        if self._params is None or not own:
            return None if self._params is None else plain_settings(self._params)
        try:
            given = Given([], _FIT, [*self._always, *own])
            return plain_settings(GivenParams(self._params, given, self._reserved).params)
        except ParamsError as error:
            raise UsageError(str(error)) from error

    def digest(self, values: Mapping[str, str]) -> str:
        rest = dict(self._rest)
        for name, text in values.items():
            if name not in _OUTSIDE and not self._takes(name):
                rest[name] = self._counted(text)
        if "seed" in rest:
            rest["seed_everything"] = rest.pop("seed")  # one by two names
        params = self.settings(values)
        if params is not None:
            params = {name: self._contents.of(value, value) for name, value in params.items()}
        return stable_hash({"fit": self._trained, "params": params, "rest": rest})

    def _counted(self, value: Any) -> Any:
        """Give a value as it counts for the digest: a file by what is in it."""
        return self._contents.of(value, plain_literal(value))

    def parse(self, values: Mapping[str, str]) -> None:
        """Parse a point, unless each of its values that the parser has to see has been before."""
        seen = [name for name in values if not self._takes(name)]
        if self._parsing is None:
            typed = [f"--{name}={value}" for name, value in values.items()]
            self._parsing = _Parsing.made([*self._words, *typed], self._facade)
            self._parsing.check(())
            self._parsed = {name: {values[name]} for name in seen}
            return
        for name in seen:
            known = self._parsed.setdefault(name, set())
            if values[name] not in known and len(known) < _MOST_PARSED:
                known.add(values[name])
                self._parsing.check((_setting(name, values[name]),))


def plain_settings(params: BaseParams) -> dict[str, Any]:
    """Give parameters in plain form, for digests: the same on every machine.

    Args:
        params: The Params.

    Returns:
        By dotted name the value; None of one that is found out later, and of an object that no flag
        can give the name of its type.
    """
    settings = {}
    for name in params.flat():
        if not params.is_progress(name):
            try:
                settings[name] = plain_value(params, name)
            except ParamsError:
                settings[name] = type(params.stored(name)).__qualname__
    return settings


def _setting(name: str, text: str) -> Setting:
    return Setting(name, text, f"--{name}", Word([f"--{name}={text}"], name, text))


def _class_name(facade: Any) -> str:
    """Name a class as its import does, also that of the script that runs."""
    module = facade.__module__
    if module == "__main__":
        module = Path(getattr(sys.modules["__main__"], "__file__", None) or "__main__").stem
    return f"{module}:{facade.__qualname__}"


class _Made(Exception):  # noqa: N818 - no error: how `_Parsing` gets to the caller
    """The parsers are made."""


class _Refused(SystemExit):
    """What a parser refuses, which is more than an exception to it."""

    def __init__(self, line: str) -> None:
        super().__init__(2)
        self.line = line


class _Parsing(ThexpCLI):
    """A command line that parses and stops: nothing is made of what was given."""

    @classmethod
    def made(cls, words: Sequence[str], facade: Any) -> _Parsing:
        """Make the parsers.

        Args:
            words: The words of a first point.
            facade: As in `FitPoints`.
        """
        try:
            cls(args=list(words), trainer_class=facade, parser_kwargs={"prog": "thexp-pl"})
        except _Made as made:
            parsing: _Parsing = made.args[0]
            return parsing
        raise AssertionError("parse_arguments is always called")

    def init_parser(self, **kwargs: Any) -> Any:
        """Have the parsers raise what they would print."""
        self._parser_class = type("Parser", (self._parser_class,), {"error": _refuse})
        return super().init_parser(**kwargs)

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Hand the parsers over."""
        raise _Made(self)

    def check(self, settings: Iterable[Setting]) -> None:
        """Parse what was given.

        Args:
            settings: What is given besides.

        Raises:
            UsageError: It is refused.
        """
        more = list(settings)
        count = len(self.given.settings)
        self.given.settings += more
        typed = [text for one in more if one.word is not None for text in one.word.typed]
        try:
            self.parser.parse_args([*self.given.retyped(), *typed])
        except _Refused as refused:
            raise UsageError(refused.line) from None
        except ThexpError as error:
            raise UsageError(str(error)) from None
        finally:
            del self.given.settings[count:]


def _refuse(parser: Any, message: str, ex: Exception | None = None) -> Any:
    raise _Refused(type(parser).explain(message)) from ex
