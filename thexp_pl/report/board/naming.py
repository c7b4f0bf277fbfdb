"""Names of files for tags, whatever letters a tag has."""

from __future__ import annotations

from thexp_pl.report.filenames import FileNames

__all__ = ["TagNames"]

# a dot would let the folder `loss.csv` of the tag `loss.csv` stand in the way of a file of `loss`
_PLAIN = str.maketrans("/.", "__")


class TagNames:
    """Gives each tag a name of its own, and always the same one.

    >>> names = TagNames()
    >>> names.of("scalars", "train/Loss"), names.of("scalars", "train_loss")
    ('train_Loss', 'train_loss-2')
    >>> names.of("scalars", "train/Loss"), names.of("images", "../etc")
    ('train_Loss', '___etc')
    """

    def __init__(self) -> None:
        self._files = FileNames()
        self._names: dict[tuple[str, str], str] = {}

    def of(self, kind: str, tag: str) -> str:
        """Give the name of a tag.

        Args:
            kind: Its kind: the histograms and the curve of one tag are two.
            tag: The tag.

        Returns:
            The name, without a suffix; with a number where another tag has the plain one.
        """
        if (kind, tag) not in self._names:
            self._names[kind, tag] = self._files.fresh(tag.translate(_PLAIN))
        return self._names[kind, tag]
