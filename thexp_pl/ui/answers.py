"""What the addresses share: reading what is asked, and answering in JSON, faults in one line."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import shown
from thexp_pl.ui.updates import Had

__all__ = ["data", "fault_of", "had_of", "id_of", "ids_of", "moment_of", "number_of"]

MOST_RUNS = 300  # on one page
_ID = re.compile(r"[0-9a-f]{16}")
_DIGITS = 17
_LARGEST = 10**15  # JavaScript knows each integer up to here


def data(request: Request, value: Any) -> Response:
    """Answer with JSON, or with 304 where the page has just that already.

    Args:
        request: The question.
        value: JSON values.
    """
    body = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers={"etag": mark})
    return Response(body, media_type="application/json", headers={"etag": mark})


def id_of(text: str) -> str:
    """Take a text for the id of a run.

    Args:
        text: The text.

    Returns:
        The same.

    Raises:
        UsageError: It is none.
    """
    if _ID.fullmatch(text) is None:
        raise UsageError(f"{shown(text)} is no id of a run: it has 16 letters of 0-9 and a-f")
    return text


def ids_of(request: Request, most: int = MOST_RUNS) -> list[str]:
    """Read the ids of runs.

    Args:
        request: ``ids``, with commas between.
        most: How many there may be.

    Returns:
        The ids, each once.

    Raises:
        UsageError: One is none, or there are none or too many.
    """
    words = request.query_params.get("ids", "").split(",")
    ids = list(dict.fromkeys(id_of(word) for word in words if word))
    if not 0 < len(ids) <= most:
        raise UsageError(f"ids are 1 to {most} runs, and {len(ids)} are asked for")
    return ids


def had_of(request: Request) -> list[Had]:
    """Read what a page has of the curves of runs.

    Args:
        request: ``ids``, and with commas between as many numbers ``after`` and ``back``.

    Raises:
        UsageError: They cannot be meant.
    """
    ids = ids_of(request)
    after, back = (_numbers(request, name, len(ids)) for name in ("after", "back"))
    return [Had(*each) for each in zip(ids, after, back, strict=True)]


def _numbers(request: Request, name: str, count: int) -> list[int]:
    text = request.query_params.get(name)
    if text is None:
        return [0] * count
    numbers = [_number(word, name, _LARGEST) for word in text.split(",")]
    if len(numbers) != count:
        raise UsageError(f"{name} has {len(numbers)} numbers for {count} runs; give one a run")
    return numbers


def number_of(request: Request, name: str, default: int, most: int = _LARGEST) -> int:
    """Read a whole number from 0.

    Args:
        request: The question.
        name: What it is called there.
        default: Where it is not given.
        most: The greatest that can be meant.

    Raises:
        UsageError: It is no such number.
    """
    return _number(request.query_params.get(name, str(default)), name, most)


def _number(text: str, name: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else most + 1
    if number > most:
        raise UsageError(f"{name}={shown(text)} is no whole number from 0 to {most}")
    return number


def moment_of(request: Request, name: str) -> float | None:
    """Read a moment in seconds since 1970.

    Args:
        request: The question.
        name: What it is called there.

    Returns:
        The moment; None where it is not given.

    Raises:
        UsageError: It is no number.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = float(text)
    except ValueError:
        moment = math.nan
    if not math.isfinite(moment):
        raise UsageError(f"{name}={shown(text)} is no moment: give seconds since 1970")
    return moment


def fault_of(error: Exception) -> tuple[int, str]:
    """Say what is wrong with a question.

    Args:
        error: What answering it raised.

    Returns:
        The status of HTTP, and one line.
    """
    if isinstance(error, UsageError):
        return 400, str(error)
    if isinstance(error, RecordError | OSError):
        return 409, str(error)
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    return 500, f"it cannot be shown: {type(error).__name__}: {error}"
