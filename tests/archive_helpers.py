"""Archives that nobody exported."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

KEY = "26-01-01-000000-abcd"
MANIFEST = json.dumps(
    {
        "schema": 2,
        "key": KEY,
        "experiment": "a",
        "status": "finished",
        "start": "2026-01-01T00:00:00+00:00",
        "process": {},
        "params": {},
        "metrics": {},
    }
).encode()


def forged(
    files: dict[str, bytes],
    *,
    links: tuple[tuple[str, str], ...] = (),
    runs: tuple[tuple[str, str], ...] = (("a", KEY),),
    change: Callable[[dict[str, Any]], object] = lambda table: None,
) -> bytes:
    """Make an archive whose table fits its files, whatever these are called."""
    table: dict[str, Any] = {
        "format": "thexp_pl runs",
        "version": 1,
        "runs": [{"experiment": name, "key": key, "trees": []} for name, key in runs],
        "files": [
            {
                "path": name,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "program": False,
            }
            for name, content in files.items()
        ],
        "links": [{"path": path, "target": target} for path, target in links],
    }
    change(table)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.writestr("thexp_pl.json", json.dumps(table))
    return data.getvalue()


def own(name: str) -> str:
    return f"runs/a/{KEY}/{name}"
