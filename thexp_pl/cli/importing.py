"""Importing a class named on the command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from thexp_pl.errors import UsageError, near_miss

__all__ = ["import_class"]


def import_class(name: str, flag: str) -> Any:
    """Import ``package.module:Class`` or ``path/to/file.py:Class``.

    A file is imported by its stem, with its folder on `sys.path`, so that the workers of a loader
    and unpickling find it again. The current folder is searched as for ``python -m``.

    Args:
        name: Where the class is; a dot may stand for the colon of a module.
        flag: What the error calls it, such as ``--trainer_class``.

    Returns:
        The class.

    Raises:
        UsageError: If there is no such module, file or class. An exception that the module itself
            raises is its author's and passes with its traceback.
    """
    place, _, attribute = name.rpartition(":" if ":" in name else ".")
    if not place or not attribute.isidentifier():
        raise UsageError(f"{flag} {name!r} names no class; write MODULE:CLASS or FILE.py:CLASS")
    module = _file_module(Path(place), flag) if place.endswith(".py") else _module(place, flag)
    found = getattr(module, attribute, None)
    if found is None:
        hint = near_miss(attribute, [one for one in vars(module) if not one.startswith("_")])
        raise UsageError(f"{flag} {name!r}: there is no {attribute!r} in {place}{hint}")
    return found


def _module(name: str, flag: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise UsageError(
                f"{flag}: there is no module {missing!r}; it is looked for in this folder and "
                "among the installed packages"
            ) from None
        raise  # the module was found; something that it imports is missing
    except (ValueError, TypeError):  # an empty part, a relative name
        raise UsageError(f"{flag}: {name!r} is no module name") from None


def _file_module(path: Path, flag: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{flag}: there is no file {str(path)!r}")
    if not path.stem.isidentifier():
        raise UsageError(
            f"{flag}: {path.name!r} cannot be imported; a file's name is an identifier"
        )
    loaded = sys.modules.get(path.stem)
    if (
        loaded is not None
        and Path(getattr(loaded, "__file__", None) or "").resolve() != path.resolve()
    ):
        raise UsageError(
            f"{flag}: {path.name!r} has the name of the module {path.stem!r}, which is already "
            "loaded; rename the file"
        )
    sys.path.insert(0, str(path.parent.resolve()))
    return importlib.import_module(path.stem)
