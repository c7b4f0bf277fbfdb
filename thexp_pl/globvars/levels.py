"""`Globs`: the variables of the project over those of the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thexp_pl.errors import GlobsError, near_miss
from thexp_pl.globvars.file import changing, read
from thexp_pl.globvars.places import (
    CONFIG_FILE,
    MARK_FOLDER,
    absolute,
    find_project,
    real,
    thexp_home,
)

__all__ = ["Globs", "globs"]

_LEVELS = ("global", "local")


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
            flag = " --global" if self.local_fn is None else ""  # else the project's is meant
            raise GlobsError(
                f"no variable {name!r} in the project or the user's home"
                f"{near_miss(name, found)}; set it with `thexp-pl config{flag} NAME VALUE`"
            )
        return found[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise GlobsError(
            f"globs.{name} = ... does not say for whom: use globs.update('local', {name!r}, ...)"
            " for this project, or 'global' for the user"
        )

    def __delattr__(self, name: str) -> None:
        raise GlobsError(
            f"del globs.{name} does not say for whom: use globs.unset('local', {name!r}) for this"
            " project, or 'global' for the user"
        )

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
            levels["global"] = read(self.glob_fn)
        if local:
            path = self.local_fn
            levels["local"] = {} if path is None else read(path)
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
                " with `thexp-pl init`, or use the global level (`thexp-pl config --global`)"
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
        if not name.isprintable():
            raise GlobsError(
                f"{name!r} cannot name a variable: it holds a control character; take it out"
            )
        if not name.strip():
            raise GlobsError(f"{name!r} cannot name a variable: use at least one visible character")
        with changing(self.file(level)) as variables:
            variables[name] = value

    def unset(self, level: str, name: str) -> None:
        """Remove a variable from one level.

        Args:
            level: ``"local"`` (the project) or ``"global"`` (the user).
            name: The variable.

        Raises:
            GlobsError: It is not set there, or the file cannot be written.
        """
        with changing(self.file(level)) as variables:
            if name not in variables:
                raise GlobsError(
                    f"no variable {name!r} at the {level} level{near_miss(name, variables)};"
                    f" `thexp-pl config --{level} -l` lists them"
                )
            del variables[name]

    def init(
        self, folder: str | os.PathLike[str] = ".", variables: Mapping[str, Any] | None = None
    ) -> Path:
        """Make a folder a project; one that is a project already keeps what it has.

        Args:
            folder: The project's folder, made where it is missing.
            variables: Variables that it begins with.

        Returns:
            The file of its variables.

        Raises:
            GlobsError: The file cannot be written, the folder is the home of thexp's own home, or
                one of the variables has another value there.
            UsageError: It is a relative path, and the working directory was deleted.
        """
        path = absolute(folder) / MARK_FOLDER / CONFIG_FILE
        if real(path.parent) == real(thexp_home()):
            raise GlobsError(
                f"{str(path.parent)!r} holds the user's variables, so its folder cannot be a"
                " project; choose another folder"
            )
        with changing(path) as kept:
            for name, value in (variables or {}).items():
                if kept.setdefault(name, value) != value:
                    raise GlobsError(
                        f"{str(path)!r} says already what {name!r} is; unset it first, or choose"
                        " another folder"
                    )
        return path


globs = Globs()
