"""Figures, images and arrays as the bytes of a PNG file.

Nothing of their libraries is imported to know them: a figure is what has `savefig`, an image what
has `save` and `mode`, as PIL's have, and all else is taken for an array.
"""

from __future__ import annotations

import io
import math
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record.names import shown
from thexp_pl.report.extras import needed

__all__ = ["png_of"]

_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
_RULE = "(H, W), (H, W, 3 or 4 or 1) or (1 or 3 or 4, H, W)"


def png_of(figure: Any, tag: str) -> bytes:
    """Draw a picture.

    Args:
        figure: A matplotlib Figure, or anything with its `savefig`; a PIL image; or a NumPy array
            or tensor on any device, of shape (H, W), (H, W, C) or (C, H, W) with C one of 1, 3 and
            4, uint8 or floating-point from 0 to 1. Where both the first and the last axis could be
            the channels, the last one is.
        tag: What it is called, for messages.

    Returns:
        The content of a PNG file.

    Raises:
        UsageError: It is nothing of these, or Pillow is not installed, which draws arrays.
    """
    buffer = io.BytesIO()
    if hasattr(figure, "savefig"):
        figure.savefig(buffer, format="png")
    elif hasattr(figure, "save") and hasattr(figure, "mode"):
        _save(figure, buffer, tag)
    elif hasattr(figure, "shape") and hasattr(figure, "dtype"):
        image = needed("PIL.Image", "a picture of an array")
        _save(image.fromarray(_pixels(figure, tag)), buffer, tag)
    else:
        raise UsageError(
            f"{shown(tag)} is a {type(figure).__name__}: give a matplotlib Figure, a PIL image, or"
            " an array or tensor"
        )
    return buffer.getvalue()


def _save(image: Any, buffer: io.BytesIO, tag: str) -> None:
    try:
        image.save(buffer, format="PNG")
    except OSError:
        raise UsageError(
            f"{shown(tag)} is an image of mode {image.mode}, which PNG does not have: give"
            " image.convert('RGB')"
        ) from None


def _pixels(array: Any, tag: str) -> Any:
    """Give an array of (H, W) or (H, W, 3 or 4) in uint8."""
    numpy = needed("numpy", "a picture of an array")
    if hasattr(array, "detach"):  # a tensor
        array = array.detach().cpu()
        array = array.float().numpy() if array.is_floating_point() else array.numpy()
    pixels = _channels_last(numpy.asarray(array), tag)
    if pixels.dtype == numpy.uint8:
        return numpy.ascontiguousarray(pixels)
    if pixels.dtype.kind != "f":
        raise UsageError(
            f"the array {shown(tag)} is of {pixels.dtype}: give uint8 from 0 to 255, or floats from"
            " 0 to 1"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise UsageError(
            f"the array {shown(tag)} has floats from {low:.6g} to {high:.6g}: bring them to 0 to 1,"
            " such as (x - x.min()) / (x.max() - x.min())"
        )
    return (pixels * 255).round().astype(numpy.uint8)


def _channels_last(array: Any, tag: str) -> Any:
    shape = tuple(array.shape)
    if math.prod(shape) > 0:
        if len(shape) == 2:
            return array
        if len(shape) == 3 and shape[2] in _CHANNELS:
            return array[:, :, 0] if shape[2] == 1 else array
        if len(shape) == 3 and shape[0] in _CHANNELS:
            return array[0] if shape[0] == 1 else array.transpose(1, 2, 0)
    batch = "; of a batch give one, such as x[0]" if len(shape) == 4 else ""
    raise UsageError(f"the array {shown(tag)} has the shape {shape}, and a picture {_RULE}{batch}")
