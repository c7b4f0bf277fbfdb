"""Where a recorded path is in the restored project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from thexp_pl.runs.run import Run

__all__ = ["Moved", "is_native"]


def is_native(text: object) -> bool:
    """Say whether the system can take what a record holds as a path, a word or a value.

    Args:
        text: Anything.

    Returns:
        Whether it is text without a NUL that can be encoded.

    >>> is_native("训练.py"), is_native("a\\ud800"), is_native(3)
    (True, False, False)
    """
    try:
        return isinstance(text, str) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


class Moved:
    """Translates paths of the recorded project into those of the folder that stands for it.

    Args:
        run: The run.
        code: The folder that stands for the project; the project itself where it is today's code
            that runs.
    """

    def __init__(self, run: Run, code: Path) -> None:
        self._root = os.path.realpath(run.paths.root)
        self.code = code
        facts: dict[str, Any] = run.manifest["code"] or {}
        self.project = self.found(facts.get("project"))
        self.working_directory = self.found(run.manifest.get("cwd"))

    def found(self, placed: Any) -> Path | None:
        """Give the place of a path as a manifest holds it.

        Args:
            placed: A path, as seen from the root or absolute, see `thexp_pl.record.places`.

        Returns:
            Its absolute path; None for what is no path.
        """
        if not placed or not is_native(placed):
            return None
        return Path(os.path.normpath(os.path.join(self._root, placed)))  # noqa: PTH118

    def name(self, path: Path) -> Path | None:
        """Name a path as seen from the project.

        Args:
            path: An absolute path of the recorded run.

        Returns:
            The relative path; None where it lies elsewhere.
        """
        if self.project is None:
            return None
        for spelling in (path, Path(os.path.realpath(path))):
            if spelling == self.project or self.project in spelling.parents:
                return spelling.relative_to(self.project)
        return None

    def place(self, path: Path) -> Path:
        """Say where a path is now.

        Args:
            path: An absolute path of the recorded run.

        Returns:
            Its place in the restored project; one that lies elsewhere is as it was.
        """
        name = self.name(path)
        return path if name is None else self.code / name

    def word(self, word: str) -> str:
        """Translate a word of a command line: a path of the project, or ``--name=`` and one.

        Args:
            word: The word.

        Returns:
            The word; one that names nothing which was restored is as it was.
        """
        name, equals, value = word.rpartition("=")
        if not os.path.isabs(value):  # noqa: PTH117 - a text
            return word
        path = Path(os.path.normpath(value))
        place = self.place(path)
        return f"{name}{equals}{place}" if place != path and os.path.lexists(place) else word
