"""How far a check has come, in bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["Course"]

_BLOCK = 1 << 20  # after each of which `hash_file` asks whether to stop


class Course:
    """How many bytes of how many are read.

    What a part takes is known about, not to the byte: no part counts for more than that, and at its
    end all of it counts.

    Args:
        sizes: The bytes of each part.
        progress: Called with the bytes read and their number.
    """

    def __init__(self, sizes: Sequence[int], progress: Callable[[int, int], object]) -> None:
        self._sizes = sizes
        self._progress = progress
        self._total = sum(sizes)
        self._before = self._size = self._within = 0

    def begin(self, part: int) -> None:
        """Begin with a part; the one before has ended.

        Args:
            part: Its place.
        """
        self._before += self._size
        self._size, self._within = self._sizes[part], 0
        self.read(0)

    def read(self, size: int) -> None:
        """Tell that some of the part was read.

        Args:
            size: The bytes.
        """
        self._within = min(self._within + size, self._size)
        self._progress(self._before + self._within, self._total)

    def reading(self, size: int) -> Callable[[], bool]:
        """Tell of a file or folder while it is hashed.

        Args:
            size: Its bytes.

        Returns:
            What `thexp_pl.record.facts.hashing` asks whether to stop; it need not.
        """
        left = size

        def is_stopped() -> bool:
            nonlocal left
            block = min(left, _BLOCK)
            left -= block
            self.read(block)
            return False

        return is_stopped
