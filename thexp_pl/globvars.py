"""`globs`: variables that outlive a script, such as where the data sets are.

Two levels, as git has them: those of the project (``local``) come before those of the user
(``global``). The user's are in ``config.json`` of thexp's home (``THEXP_HOME``, by default
``~/.thexp``); the project's in ``.thexp/config.json`` of the nearest folder at or above the working
directory that has this file. It is the file that makes a project: an experiment root has a
``.thexp`` too but no ``config.json`` in it, and thexp's own home is passed over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_json, write_json
from thexp_pl.errors import GlobsError, UsageError, near_miss

__all__ = ["CONFIG_FILE", "MARK_FOLDER", "Globs", "find_project", "globs", "thexp_home"]

MARK_FOLDER = ".thexp"
CONFIG_FILE = "config.json"
_LEVELS = ("global", "local")
_LOCK_SECONDS = 30


def thexp_home() -> Path:
    """Say where thexp keeps what belongs to the user.

    Returns:
        ``THEXP_HOME`` where it is set, else ``~/.thexp``; the folder need not exist.

    Raises:
        UsageError: It is a relative path, and the working directory was deleted.
    """
    named = os.path.expanduser(os.environ.get("THEXP_HOME") or "~/.thexp")  # noqa: PTH111 - Path.expanduser raises where there is no home
    return _absolute(named)


def find_project(start: str | os.PathLike[str] | None = None) -> Path | None:
    """Find the project that a folder belongs to.

    Args:
        start: Where to begin; the working directory by default.

    Returns:
        The nearest folder at or above `start` with a ``.thexp/config.json``, or None.
    """
    try:
        folder = _real(Path(start or Path.cwd()))
    except FileNotFoundError:  # the working directory was deleted
        return None
    homes = {_real(thexp_home()), _real(Path(os.path.expanduser("~/.thexp")))}  # noqa: PTH111
    for candidate in (folder, *folder.parents):
        mark = candidate / MARK_FOLDER
        if os.path.isfile(mark / CONFIG_FILE) and _real(mark) not in homes:  # noqa: PTH113 - False, not an error, where it may not be read
            return candidate
    return None


class Globs:
    """The variables of the project over those of the user.

    Read by ``globs["name"]``, or ``globs.name`` where no method has that name; each reading sees
    the files as they are.
    """

    __slots__ = ()

    @property
    def glob_fn(self) -> Path:
        """The file of the user's variables; it need not exist."""
        return thexp_home() / CONFIG_FILE

    @property
    def local_fn(self) -> Path | None:
        """The file of the project's variables; None outside a project."""
        project = find_project()
        return None if project is None else project / MARK_FOLDER / CONFIG_FILE

    def __getitem__(self, name: str) -> Any:
        found: dict[str, Any] = {}
        for variables in self.list_config().values():
            found.update(variables)
        if name not in found:
            raise GlobsError(
                f"no variable {name!r} in the project or the user's home"
                f"{near_miss(name, found)}; set it with `thexp-pl config --global NAME VALUE`"
            )
        return found[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return any(name in variables for variables in self.list_config().values())

    def list_config(self, globa: bool = True, local: bool = True) -> dict[str, dict[str, Any]]:
        """Give all variables.

        Args:
            globa: Include the user's level.
            local: Include the project's level.

        Returns:
            The variables by level, ``"global"`` and ``"local"``; the later one holds.

        Raises:
            GlobsError: A file is damaged or cannot be read.
        """
        levels: dict[str, dict[str, Any]] = {}
        if globa:
            levels["global"] = _read(self.glob_fn)
        if local:
            path = self.local_fn
            levels["local"] = {} if path is None else _read(path)
        return levels

    def file(self, level: str) -> Path:
        """Say where the variables of a level are.

        Args:
            level: ``"local"`` (the project) or ``"global"`` (the user).

        Returns:
            The file; the user's need not exist.

        Raises:
            GlobsError: There is no such level, or no project for the local one.
        """
        if level not in _LEVELS:
            raise GlobsError(
                f"no level {level!r}: it is 'global' or 'local'{near_miss(level, _LEVELS)}"
            )
        path = self.glob_fn if level == "global" else self.local_fn
        if path is None:
            raise GlobsError(
                "this folder is in no project, and the local level belongs to one: make it one"
                " with `thexp-pl init`, or use the global level"
            )
        return path

    def update(self, level: str, name: str, value: Any) -> None:
        """Set a variable, in a file that is replaced in one step and under a lock.

        Args:
            level: ``"local"`` (the project) or ``"global"`` (the user).
            name: The variable.
            value: Its value; `thexp_pl.jsonable` says how values of other kinds are kept.

        Raises:
            GlobsError: The level or the name cannot be, or the file cannot be written.
        """
        if not name.isprintable() or not name.strip():
            raise GlobsError(f"{name!r} cannot name a variable: use at least one visible character")
        with _changing(self.file(level)) as variables:
            variables[name] = value

    def unset(self, level: str, name: str) -> None:
        """Remove a variable from one level.

        Args:
            level: ``"local"`` (the project) or ``"global"`` (the user).
            name: The variable.

        Raises:
            GlobsError: It is not set there, or the file cannot be written.
        """
        with _changing(self.file(level)) as variables:
            if name not in variables:
                raise GlobsError(
                    f"no variable {name!r} at the {level} level{near_miss(name, variables)};"
                    f" `thexp-pl config --{level} -l` lists them"
                )
            del variables[name]

    def init(self, folder: str | os.PathLike[str] = ".") -> Path:
        """Make a folder a project; one that is a project already stays as it is.

        Args:
            folder: The project's folder, made where it is missing.

        Returns:
            The file of its variables.

        Raises:
            GlobsError: The file cannot be written, or the folder is the home of thexp's own home.
        UsageError: It is a relative path, and the working directory was deleted.
        """
        path = _absolute(folder) / MARK_FOLDER / CONFIG_FILE
        if _real(path.parent) == _real(thexp_home()):
            raise GlobsError(
                f"{str(path.parent)!r} holds the user's variables, so its folder cannot be a"
                " project; choose another folder"
            )
        with _changing(path):
            return path


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    except FileNotFoundError:
        # No GlobsError: from a property, an AttributeError would ask for a variable of its name.
        raise UsageError(
            f"{os.fspath(path)!r} is below the working directory, which was deleted: change to"
            " another, or give an absolute path"
        ) from None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve fails where a link leads to itself


def _read(path: Path) -> dict[str, Any]:
    try:
        variables = read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GlobsError(f"cannot read the variables in {str(path)!r}: {error}; mend it") from error
    if not isinstance(variables, dict):
        raise GlobsError(f"cannot read the variables in {str(path)!r}: not an object; mend it")
    return variables


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Any]]:
    import filelock  # 70 ms, and reading needs no lock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            variables = _read(path)
            yield variables
            write_json(path, variables)
    except OSError as error:
        raise GlobsError(
            f"cannot write the variables in {str(path)!r}: {error.strerror or error};"
            " free it, or name another home in THEXP_HOME"
        ) from error


globs = Globs()
