"""`BaseParams`: values with a name for the experiment, grids, files and flags."""

from __future__ import annotations

import copy
import pprint
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from thexp_pl import atomic
from thexp_pl.errors import ParamsError
from thexp_pl.params import flags, plain
from thexp_pl.params.grid import ParamsGrid
from thexp_pl.params.values import ParamsMapping, Unread

__all__ = ["BaseParams"]

Self = TypeVar("Self", bound="BaseParams")


class BaseParams(ParamsMapping):
    """Parameters that start empty.

    Values are set and read by attribute, item or dotted name; a dict becomes a group, whose values
    are reached in the same ways. A subclass sets its defaults in ``__init__`` (call
    ``super().__init__()`` first); several Params classes combine by inheritance in MRO order, the
    leftmost winning. Texts under ``Args:`` in the class docstring become the flags' help.

    Source: thexp's ``BaseParams``.

    >>> params = BaseParams()
    >>> params.optim = {"lr": 0.1}
    >>> params["optim.momentum"] = 0.9
    >>> params.optim.lr, params["optim"]["momentum"], "optim.lr" in params
    (0.1, 0.9, True)
    >>> params
    BaseParams[('optim', {'lr': 0.1, 'momentum': 0.9})]
    >>> params.optm
    Traceback (most recent call last):
    thexp_pl.errors.ParamNameError: no parameter 'optm' in BaseParams; did you mean 'optim'?
    """

    _exp_name: dict[str, Any] | None

    def __new__(cls: type[Self], *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - no public door
        self = super().__new__(cls, *args, **kwargs)
        object.__setattr__(self, "_exp_name", None)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        plain_mixins = [base for base in cls.__mro__[1:-1] if not issubclass(base, ParamsMapping)]
        for owner in (cls, *plain_mixins):
            for name, value in vars(owner).items():
                is_code = isinstance(value, type) or hasattr(value, "__get__")
                if not name.startswith("_") and not is_code:
                    raise ParamsError(
                        f"{owner.__name__}.{name}: a class attribute is no parameter; "
                        f"write 'self.{name} = {value!r}' in __init__"
                    )

    def optim_option(self, **kwargs: Any) -> Any:
        """Set the group `optim` (the optimizer's options) and return it.

        Args:
            **kwargs: The options, as ``lr=0.01, momentum=0.9``.
        """
        self["optim"] = kwargs
        return self["optim"]

    def grid_search(self: Self, name: str, values: Iterable[Any]) -> ParamsGrid[Self]:
        """Make a copy of these Params for each value; grids nest.

        Args:
            name: The (dotted) parameter that varies.
            values: Its values; all are checked before the first point is handed out.

        Returns:
            The points, an iterable with a length and a `grid_search` of its own.

        Raises:
            ParamsError: If a value, or the name, is refused.
        """
        if isinstance(values, str):  # its letters are never meant
            raise ParamsError(f"{name}: {values!r} is no list of values; write [{values!r}]")
        points = []
        for value in values:
            point = self.copy()
            point[name] = copy.deepcopy(value)  # no two points share a list
            points.append(point)
        return ParamsGrid(points)

    # -- the experiment's name -------------------------------------------------------------------

    def build_exp_name(
        self, *names: str, prefix: str = "", sep: str = "_", ignore_mode: str = "add"
    ) -> str:
        """Say how the experiment's name is made of parameters.

        Args:
            *names: Parameters, each shown as ``name=value``, a group as its values; all but the
                progress if none is given.
            prefix: Text to begin with.
            sep: What stands between the parts.
            ignore_mode: What becomes of a name that is no parameter: ``"add"`` keeps it as text,
                ``"del"`` leaves it out.

        Returns:
            The name as of now; `get_exp_name` makes it of the values at the time it is asked.

        >>> params = BaseParams()
        >>> params.lr = 0.01
        >>> params.build_exp_name("mytrainer", "lr")
        'mytrainer_lr=0.01'
        """
        if ignore_mode not in ("add", "del"):
            raise ParamsError(f"ignore_mode {ignore_mode!r} is unknown; use 'add' or 'del'")
        recipe = {"names": names, "prefix": prefix, "sep": sep, "ignore_mode": ignore_mode}
        object.__setattr__(self, "_exp_name", recipe)
        return self.get_exp_name()

    def get_exp_name(self) -> str:
        """Give the name that `build_exp_name` described, with the values of now.

        Raises:
            ParamsError: If `build_exp_name` was never called.
        """
        recipe = self._exp_name
        if recipe is None:
            raise ParamsError("the experiment has no name yet; call build_exp_name(...) first")
        parts = [recipe["prefix"]] if recipe["prefix"] else []
        for name in recipe["names"] or self.settings():
            if name in self:
                leaves = [leaf for leaf in self.flat() if f"{leaf}.".startswith(f"{name}.")]
                parts += [f"{leaf}={self[leaf]}" for leaf in leaves]
            elif recipe["ignore_mode"] == "add":
                parts.append(name)
        return str(recipe["sep"].join(parts))

    def has_exp_name(self) -> bool:
        """Say whether `build_exp_name` was called."""
        return self._exp_name is not None

    # -- files and flags -------------------------------------------------------------------------

    def from_args(self: Self, argv: list[str] | None = None) -> Self:
        """Set values from command line flags: ``--epoch=400 --optim.lr=1e-3 --verbose``.

        A value is read as the type that the parameter has; a new name takes a Python literal, else
        text, and is reported on stderr where it looks like a slip of a known one.

        Args:
            argv: The flags; by default those of the script (``sys.argv[1:]``), where ``--help``
                lists the parameters and a mistake ends the script with one line and exit code 2.

        Returns:
            These Params; nothing is set if any flag is wrong.

        Raises:
            ParamsError: For a wrong flag in an `argv` that was given.

        >>> params = BaseParams()
        >>> params.optim_option(lr=0.1)
        {'lr': 0.1}
        >>> params.from_args(["--optim.lr=1e-3", "--topk", "(1, 5)"])
        BaseParams[('optim', {'lr': 0.001}), ('topk', (1, 5))]
        """
        if argv is None:
            flags.apply_script_flags(self)
        else:
            flags.apply(self, argv)
        return self

    def from_yaml(self: Self, path: str | Path) -> Self:
        """Set values from a YAML file, typed like flags; either all is set or none.

        Args:
            path: The file, in UTF-8. Names may be dotted; ``1e-3`` is a number, a date is text.

        Returns:
            These Params.

        Raises:
            ParamsError: If it is missing, no YAML, or holds a value that its parameter refuses.
        """
        from thexp_pl.params import yamltext  # imports yaml

        source = repr(str(path))
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ParamsError(f"cannot read {source}: {error.strerror}") from None
        except ValueError as error:  # no UTF-8, or NUL in the name
            raise ParamsError(f"cannot read {source}: {error}") from None
        flags.apply_values(self, yamltext.from_yaml_text(text, source).items())
        return self

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Write the values as YAML, without the progress and without an unread device.

        Args:
            path: Where to; nowhere if None.

        Returns:
            The YAML text; read into Params of the same class it makes them equal to these.

        Raises:
            ParamsError: If a value has no plain form, or the file cannot be written.
        """
        from thexp_pl.params import yamltext  # imports yaml

        text = yamltext.to_yaml_text(
            {
                name: plain.to_plain(value, name)
                for name, value in self._values.items()
                if not self.is_progress(name) and not isinstance(value, Unread)
            }
        )
        if path is not None:
            try:
                atomic.write_text(path, text)
            except (OSError, ValueError) as error:  # ValueError: NUL in the name
                reason = getattr(error, "strerror", None) or error
                raise ParamsError(f"cannot write {str(path)!r}: {reason}") from None
        return text

    # -- settings and progress -------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Give `to_dict` without the progress: what makes two runs the same experiment."""
        values = self.to_dict()
        return {name: values[name] for name in values if not self.is_progress(name)}

    def hash(self) -> str:
        """Hash the settings, the same in every process and on every machine.

        Returns:
            16 hexadecimal digits; equal Params have equal hashes.

        Raises:
            ParamsError: If a value is an object that has no plain form.
        """
        return plain.stable_hash(self.settings())

    _compared = settings

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}{pprint.pformat(list(self.to_dict().items()), sort_dicts=False)}"
        )
