"""Numbers out of their digits, for whole arrays of them.

Eight digits are one integer of 64 bits, the first digit its lowest byte, and three multiplications
give their value (D. Lemire, "Quickly parsing eight digits", 2022). A decimal with more digits than
a float has is a quotient of two integers, corrected by what its rounding left over (T. J. Dekker,
"A floating-point technique for extending the available precision", 1971).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thexp_pl.record.metrics.columns import ABSENT

__all__ = ["Words", "decimals", "integers", "picked"]

_Array = np.ndarray[Any, Any]
_MAX_SIZE = 20  # characters of a decimal, and the point among them
_ALL = (1 << 64) - 1


def _every(byte: int) -> Any:
    return np.uint64(byte * 0x0101010101010101)


def _first_bytes(count: int) -> int:
    return (1 << 8 * min(max(count, 0), 8)) - 1


def picked(spans: _Array, places: _Array) -> _Array:
    """Give the words of some spans, one line for the first of all, one for the second."""
    words: _Array = spans[places].view("<u8").reshape(-1, spans.itemsize // 8).T
    return words


def _spans(words: list[tuple[int, ...]]) -> _Array:
    spans: _Array = np.array(words, "<u8").view(f"V{8 * len(words[0])}")[:, 0]
    return spans


_ZEROS, _POINTS, _ONES = _every(ord("0")), _every(ord(".")), _every(1)
_ABOVE_NINE, _HIGH_BITS = _every(0x76), _every(0x80)
_BYTE = np.uint64(8)
# By the size of a decimal: what of its three words it fills; of the third only four digits count.
_FILLED = _spans(
    [
        (_first_bytes(size), _first_bytes(size - 8), _first_bytes(size - 16) << 32 & _ALL)
        for size in range(_MAX_SIZE + 2)
    ]
)
# By the size of an integer: what it fills of the two words before its end.
_FILLED_BEFORE = _spans(
    [(_ALL ^ _first_bytes(16 - size), _ALL ^ _first_bytes(8 - size)) for size in range(17)]
)
_DIVISORS = np.array([float(10 ** (18 - n)) for n in range(16)])  # all of them exact
_SPLITTER = 134217729.0  # 2**27 + 1, parts a float into two halves


class Words:
    """Reads eight bytes at any place as one integer.

    Args:
        data: Bytes.
    """

    def __init__(self, data: _Array) -> None:
        self._data = data

    def at(self, places: _Array, count: int = 1) -> _Array:
        """Read the words that begin at some places, and those that follow them.

        Args:
            places: Where, not so near to the end that a word would reach beyond it.
            count: How many words at each place; to read three takes no longer than one.

        Returns:
            The words, one line for the first of all places, one for the second.
        """
        shape = (len(self._data) - 8 * count + 1,)
        spans: _Array = np.ndarray(shape, f"V{8 * count}", self._data, 0, (1,))
        return picked(spans, places)


def integers(words: Words, starts: _Array, ends: _Array) -> tuple[_Array, bool]:
    """Read whole numbers of up to 16 digits.

    Args:
        words: The text; there are 16 bytes before the first number.
        starts: Where each begins.
        ends: Where each ends.

    Returns:
        The numbers, `ABSENT` for one without digits, and whether they are all such numbers.
    """
    sizes = ends - starts
    if sizes.max() > 16:
        return sizes, False
    high, low = words.at(ends - 16, 2) ^ _ZEROS
    filled = picked(_FILLED_BEFORE, sizes)
    high, low = high & filled[0], low & filled[1]
    fine = not (_no_digits(low) | _no_digits(high)).any()
    numbers = (_eight(high) * np.uint64(10**8) + _eight(low)).view(np.int64)
    numbers[sizes == 0] = ABSENT
    return numbers, fine


def decimals(words: Words, starts: _Array, ends: _Array) -> tuple[_Array, _Array]:
    """Read decimals with a point and without a sign, as `float` would.

    Args:
        words: The text; there are 24 bytes behind the start of the last decimal.
        starts: Where each begins.
        ends: Where each ends.

    Returns:
        The floats, and which of them are right; the others are to be read in another way.
    """
    sizes = np.minimum(ends - starts, _MAX_SIZE + 1)
    head, second, third = words.at(starts, 3)
    # The lowest high bit of what is left marks the first point.
    found = head ^ _POINTS
    found = (found - _ONES) & ~found & _HIGH_BITS
    point = found & (~found + np.uint64(1))
    power = point >> np.uint64(7)
    whole = power - np.uint64(1)  # the bytes before it
    filled = picked(_FILLED, sizes)
    head = (head ^ _ZEROS) & filled[0]
    # The digits before the point move up by one, into its place.
    first = ((head & whole) << _BYTE) | (head & ~((point << np.uint64(1)) - np.uint64(1)))
    second = (second ^ _ZEROS) & filled[1]
    third = ((third ^ _ZEROS) << np.uint64(32)) & filled[2]
    fine = (_no_digits(first) | _no_digits(second) | _no_digits(third)) == 0
    fine &= (point > np.uint64(0x80)) & (sizes <= _MAX_SIZE)
    number = _eight(first)
    number = number * np.uint64(10**8) + _eight(second)
    number = number * np.uint64(10**4) + _eight(third)
    return _quotients(number, _divisors(power)), fine


def _divisors(power: _Array) -> _Array:
    """Give what a number of 19 digits is divided by where 256**n stands for n before the point."""
    # The exponent of 256**n is 1023 + 8 * n, so what is above its last three bits is 127 + n.
    divisors: _Array = _DIVISORS[(power.astype(float).view(np.int64) >> 55) & 15]
    return divisors


def _no_digits(word: _Array) -> _Array:
    """Give what is not zero where a byte is more than nine."""
    high: _Array = ((word + _ABOVE_NINE) | word) & _HIGH_BITS
    return high


def _eight(word: _Array) -> _Array:
    """Give the value of eight digits."""
    word = (word * np.uint64(2561)) >> _BYTE & np.uint64(0x00FF00FF00FF00FF)
    word = (word * np.uint64(6553601)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    value: _Array = (word * np.uint64(42949672960001)) >> np.uint64(32)
    return value


def _quotients(number: _Array, divisor: _Array) -> _Array:
    """Divide integers of 64 bits by powers of ten up to 10**18; give the nearest floats.

    The correction is right to 2**-50 of a float's last place. That is enough: a quotient below
    10**7 that is no float is at least 5**-18 / 2 of a last place away from the middle of two.
    """
    top = number.astype(float)
    rest = (number - top.astype(np.uint64)).view(np.int64).astype(float)
    quotient: _Array = top / divisor
    product = quotient * divisor
    quotient_high, quotient_low = _halves(quotient)
    divisor_high, divisor_low = _halves(divisor)
    lost = quotient_high * divisor_high - product
    lost += quotient_high * divisor_low
    lost += quotient_low * divisor_high
    lost += quotient_low * divisor_low
    quotient += (top - product - lost + rest) / divisor
    return quotient


def _halves(number: _Array) -> tuple[_Array, _Array]:
    spread = number * _SPLITTER
    high = spread - (spread - number)
    return high, number - high
