"""What a value of a summary is, in all the forms in which it is written.

The oldest tools write fields of their own (``simple_value``, ``image``, ``histo``), TensorFlow 2
writes tensors and names the plugin that shows them.
"""

# mypy: disable-error-code="import-untyped,no-untyped-call"
# tensorboard has no types

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from tensorboard.compat.proto.summary_pb2 import Summary

__all__ = ["histogram_of", "images_of", "kind_of", "scalar_of", "text_of"]

_FIELDS = {"simple_value": "scalars", "image": "images", "histo": "histograms"}
_PLUGINS = {"scalars": "scalars", "images": "images", "histograms": "histograms", "text": "texts"}
_MAX_ELEMENTS = 1 << 24  # a shape that claims more than its data hold would be filled up
_MAX_COUNT = 1e100  # their sum has to be finite


def kind_of(value: Summary.Value, plugin: str) -> str | None:
    """Say what a value is.

    Args:
        value: The value.
        plugin: The plugin that its tag belongs to.

    Returns:
        One of `thexp_pl.report.board.values.KINDS`; None for what none of them shows, such as audio
        and the line of the HParams tab.
    """
    field = value.WhichOneof("value")
    return _PLUGINS.get(plugin) if field == "tensor" else _FIELDS.get(field or "")


def scalar_of(value: Summary.Value) -> float:
    """Read a scalar.

    Args:
        value: One of the kind ``scalars``.

    Returns:
        The number.

    Raises:
        ValueError: It holds none, or several.
    """
    if value.HasField("simple_value"):
        return float(value.simple_value)
    return float(_array_of(value, 1).reshape(-1)[0])


def images_of(value: Summary.Value) -> list[bytes]:
    """Read the images of a value, as they were encoded.

    Args:
        value: One of the kind ``images``.

    Returns:
        The images; a tensor holds width, height and then any number of them.
    """
    if value.HasField("image"):
        return [value.image.encoded_image_string]
    return list(value.tensor.string_val)[2:]


def histogram_of(value: Summary.Value) -> tuple[NDArray[float64], NDArray[float64]]:
    """Read a histogram.

    Args:
        value: One of the kind ``histograms``.

    Returns:
        The limits of its bins (bins + 1,), and the counts (bins,).

    Raises:
        ValueError: It is none.
    """
    if value.HasField("histo"):
        limits, counts = _histo(value)
    else:
        array = _array_of(value, _MAX_ELEMENTS)
        if array.ndim != 2 or array.shape[1] != 3:
            raise ValueError(f"not rows of left, right and count but {array.shape}")
        limits = np.append(array[:, 0], array[-1:, 1])
        counts = array[:, 2]
    if np.any(np.diff(limits) < 0) or not np.all(np.isfinite(limits)):
        raise ValueError("the limits of its bins do not rise")
    if not np.all((counts >= 0) & (counts < _MAX_COUNT)):
        raise ValueError("its counts are none")
    return limits, counts


def _histo(value: Summary.Value) -> tuple[NDArray[float64], NDArray[float64]]:
    """Leave out the empty bins at both ends: the outermost reach to the largest of all doubles."""
    counts = np.array(value.histo.bucket, dtype=np.float64)
    rights = np.array(value.histo.bucket_limit, dtype=np.float64)
    filled = np.flatnonzero(counts)
    if len(counts) != len(rights):
        raise ValueError(f"{len(counts)} counts for {len(rights)} limits")
    if not len(filled):
        return np.zeros(0), np.zeros(0)
    first, last = filled[0], filled[-1]
    inner = rights[first:last]
    limits = np.concatenate([[value.histo.min], inner, [value.histo.max]])
    return limits, counts[first : last + 1]


def text_of(value: Summary.Value) -> str:
    """Read a text.

    Args:
        value: One of the kind ``texts``.

    Returns:
        The text; those of a vector one after another, those of a matrix as a table.
    """
    texts = [item.decode("utf-8", "backslashreplace") for item in value.tensor.string_val]
    sizes = [dim.size for dim in value.tensor.tensor_shape.dim]
    if len(sizes) != 2 or not texts or math.prod(sizes) != len(texts):
        return "\n\n".join(texts)
    width = sizes[1]
    rows = [texts[start : start + width] for start in range(0, len(texts), width)]
    return "\n".join([_line(rows[0]), _line(["---"] * width), *map(_line, rows[1:])])


def _line(cells: Iterable[str]) -> str:
    plain = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(plain)} |"


def _array_of(value: Summary.Value, most: int) -> NDArray[float64]:
    from tensorboard.util.tensor_util import make_ndarray

    sizes = [dim.size for dim in value.tensor.tensor_shape.dim]
    if any(size < 0 for size in sizes) or math.prod(sizes) > most:
        raise ValueError(f"a tensor of the shape {sizes}")
    try:
        array = make_ndarray(value.tensor)
    except (TypeError, ValueError) as error:
        raise ValueError(f"no tensor ({error})") from None
    if array.dtype.kind not in "biuf" or array.size != math.prod(sizes):
        raise ValueError(f"a tensor of the type {array.dtype}")
    return np.asarray(array, dtype=np.float64)
