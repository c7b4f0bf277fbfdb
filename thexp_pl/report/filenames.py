"""File names of pictures: by tag and step, whatever the tag holds."""

from __future__ import annotations

import unicodedata

__all__ = ["FileNames"]

_MAX_BYTES = 80  # of the tag; with a step and a number it stays far below a file system's 255
_KEPT = "-_.="


class FileNames:
    """The file names of one folder; each is given once, also where letters' case does not count.

    >>> names = FileNames()
    >>> names.fresh("acc/top1", 3), names.fresh("acc-top1", 3), names.fresh("../../x")
    ('acc-top1-3', 'acc-top1-3-2', 'x')
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def fresh(self, tag: str, step: int | None = None) -> str:
        """Give a name that was not given before.

        Args:
            tag: Any text; letters and digits of all scripts stay, all else becomes a dash.
            step: The step, a part of the name; None for none.

        Returns:
            The name of a file in whatever folder, without a suffix.
        """
        wanted = _spelt(tag) if step is None else f"{_spelt(tag)}-{step}"
        folded = wanted.casefold()
        while True:
            count = self._counts[folded] = self._counts.get(folded, 0) + 1
            name = wanted if count == 1 else f"{wanted}-{count}"
            if name.casefold() not in self._taken:
                self._taken.add(name.casefold())
                return name


def _spelt(tag: str) -> str:
    letters = unicodedata.normalize("NFC", tag)
    kept = "".join(one if one.isalnum() or one in _KEPT else "-" for one in letters).strip("-.")
    return kept.encode()[:_MAX_BYTES].decode(errors="ignore") or "picture"
