"""The fonts of figures, and the letters that none of them has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from thexp_pl.record.names import escaped
from thexp_pl.report.extras import needed

__all__ = ["families", "said_of_letters"]

_NAMED = 10  # letters
# looked for in this order where DejaVu Sans, which comes with matplotlib, lacks a letter
_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "Arial Unicode MS",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
)


@lru_cache(maxsize=1)
def families() -> list[str]:
    """Give the fonts to look for letters in: those of a fixed list that this machine has."""
    manager = needed("matplotlib.font_manager", "a figure")
    there = {font.name for font in manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in there)]


def said_of_letters(texts: Iterable[str]) -> Iterator[str]:
    """Say which letters a figure cannot show.

    Args:
        texts: What stands in it.

    Yields:
        A sentence without a full stop, where there are such letters.
    """
    letters = {letter for text in texts for letter in text if ord(letter) > 127}
    missing = sorted(letters - _known(frozenset(letters))) if letters else []
    if missing:
        more = ", ..." if len(missing) > _NAMED else ""
        yield (
            f"letters that no font of this machine has, boxes in PNG and PDF:"
            f" {escaped(''.join(missing[:_NAMED]))}{more}; install a font that has them, such as"
            " Noto Sans CJK"
        )


@lru_cache(maxsize=8)
def _known(letters: frozenset[str]) -> frozenset[str]:
    manager = needed("matplotlib.font_manager", "a figure")
    fonts = [manager.get_font(manager.findfont(name)) for name in families()]
    return frozenset(
        letter for letter in letters if any(font.get_char_index(ord(letter)) for font in fonts)
    )
