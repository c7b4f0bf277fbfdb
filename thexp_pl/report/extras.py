"""Packages that only pictures need: they come with an extra."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from thexp_pl.errors import UsageError

__all__ = ["broken", "needed", "needs"]


def needed(module: str, what: str, extra: str = "report") -> Any:
    """Import a module of an extra.

    Args:
        module: The module.
        what: What needs it, the beginning of a sentence such as ``a figure``.
        extra: The extra of thexp-pl that it comes with.

    Returns:
        The module.

    Raises:
        UsageError: It is not installed, or broken.
    """
    package = module.partition(".")[0]
    needs(package, what, extra)
    try:
        return import_module(module)
    except ImportError as error:
        raise broken(package, what, str(error)) from error


def broken(package: str, what: str, why: str) -> UsageError:
    """Say that a package is there and of no use, such as one that was installed half.

    Args:
        package: As for `needs`.
        what: As for `needed`.
        why: What is wrong with it.

    Returns:
        The error, to be raised.
    """
    again = f"pip install --force-reinstall {package}"
    return UsageError(f"{what} needs the package {package}, which is broken ({why}); run: {again}")


def needs(package: str, what: str, extra: str = "report") -> None:
    """Say what is missing where a package of an extra is not installed.

    Args:
        package: The package, as it is imported.
        what: As for `needed`.
        extra: As for `needed`.

    Raises:
        UsageError: It is not installed.
    """
    if find_spec(package) is None:
        raise UsageError(
            f"{what} needs the package {package}; run: pip install 'thexp-pl[{extra}]'"
        )
