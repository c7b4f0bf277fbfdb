"""The built-in demo: a small network on handwritten digits."""

from thexp_pl.demo.digits import load_digits
from thexp_pl.demo.trainer import DigitsParams, DigitsTrainer

__all__ = ["DigitsParams", "DigitsTrainer", "load_digits"]
