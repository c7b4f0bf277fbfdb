"""What event files hold, as plain values."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thexp_pl.errors import RecordError
from thexp_pl.report.extras import needed

if TYPE_CHECKING:
    from numpy import float64, int64, uint8
    from numpy.typing import NDArray

__all__ = ["KINDS", "PNG", "Curve", "Histogram", "Picture", "Text"]

KINDS = ("scalars", "images", "histograms", "texts")
_MODES = ("L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B")  # that Pillow decodes a PNG to
PNG = b"\x89PNG\r\n\x1a\n"


class Curve(NamedTuple):
    """A scalar over the steps, all of the same length.

    Args:
        steps: int64, rising.
        times: float64, seconds since 1970.
        values: float64, NaN and the infinities included.
    """

    steps: NDArray[int64]
    times: NDArray[float64]
    values: NDArray[float64]


class Picture(NamedTuple):
    """An image of one step.

    Args:
        step: The step.
        time: Seconds since 1970.
        encoded: The file that was written, a PNG as a rule.
    """

    step: int
    time: float
    encoded: bytes

    @property
    def pixels(self) -> NDArray[uint8]:
        """The image as uint8 (height, width, channels): grey, grey and alpha, RGB or RGBA.

        Raises:
            RecordError: It cannot be decoded.
        """
        image = self._decoded()
        if image.mode.startswith("I"):  # 16 bits a pixel
            return (np.asarray(image)[:, :, None] // 257).astype(np.uint8)
        pixels: NDArray[uint8] = np.asarray(image)
        return pixels if pixels.ndim == 3 else pixels[:, :, None]

    def as_png(self) -> bytes:
        """Give the image as a PNG file: the bytes that were written where they are one.

        Raises:
            RecordError: It is none and cannot be decoded.
        """
        if self.encoded.startswith(PNG):
            return self.encoded
        buffer = io.BytesIO()
        self._decoded().save(buffer, "PNG")
        return buffer.getvalue()

    def _decoded(self) -> Any:
        reader = needed("PIL.Image", "an image")
        try:
            image = reader.open(io.BytesIO(self.encoded))
            image.load()
            if image.mode not in _MODES:
                has_alpha = "transparency" in image.info
                image = image.convert("L" if image.mode == "1" else "RGBA" if has_alpha else "RGB")
        except Exception as error:  # whatever a decoder stumbles over in a damaged file
            raise RecordError(
                f"the image of step {self.step} cannot be decoded ({type(error).__name__})"
            ) from error
        return image


class Histogram(NamedTuple):
    """How often values fell between limits, at one step.

    Args:
        step: The step.
        time: Seconds since 1970.
        limits: float64 (bins + 1,), not falling.
        counts: float64 (bins,).
    """

    step: int
    time: float
    limits: NDArray[float64]
    counts: NDArray[float64]


class Text(NamedTuple):
    """A text of one step.

    Args:
        step: The step.
        time: Seconds since 1970.
        text: Markdown, as it was written; a table of texts as a table.
    """

    step: int
    time: float
    text: str
