"""The installed packages, read off the names of their folders as far as these tell."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from thexp_pl.atomic import read_bytes, read_json
from thexp_pl.record.facts.checkouts import Checkout, checkouts
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.places import placed
from thexp_pl.record.redact import Redactor

__all__ = ["package_facts"]

_TELLING = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.]*)-(?P<version>v?\d[^-]*)(-py[\d.]+)?\.(dist|egg)-info"
)
_METADATA = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_INSTALLED = ("site-packages", "dist-packages")
_MAX_BYTES = 16 << 20


class _Source(NamedTuple):
    """What a package was installed from, where its version does not tell."""

    folder: str | None
    url: str | None = None
    commit: str | None = None


def package_facts(paths: RunPaths, redactor: Redactor) -> dict[str, Any]:
    """List all installed packages; of two versions the first on ``sys.path`` counts, as at import.

    Args:
        paths: The run; folders are written as seen from its root where they can be.
        redactor: Takes passwords out of URLs.

    Returns:
        ``packages``: the versions by normalised name, such as ``pytorch-lightning``.
        ``editable``: by name those whose version does not tell their code: installed in place
        (``path``) or from a repository (``url``), the other being None; the git ``commit``, and
        whether tracked files in that folder were changed since (``dirty``), None where unknown.
    """
    versions, sources = _installed()
    found = checkouts({source.folder for source in sources.values() if source.folder})
    editable = {}
    for name, source in sorted(sources.items()):
        checkout = found[source.folder] if source.folder else Checkout(source.commit)
        editable[name] = {
            "path": placed(source.folder, paths.root) if source.folder else None,
            "url": redactor.text(source.url) if source.url else None,
            "commit": checkout.commit,
            "dirty": checkout.dirty,
        }
    return {"packages": dict(sorted(versions.items())), "editable": editable}


def _installed() -> tuple[dict[str, str], dict[str, _Source]]:
    versions: dict[str, str] = {}
    sources: dict[str, _Source] = {}
    for folder in dict.fromkeys(sys.path):
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208 - a Path an entry costs more
        except (OSError, ValueError):  # not there, or an archive
            continue
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                _add(Path(folder, entry), versions, sources)
    return versions, sources


def _add(path: Path, versions: dict[str, str], sources: dict[str, _Source]) -> None:
    told = _TELLING.fullmatch(path.name)
    name, version = (told["name"], told["version"]) if told else _from_metadata(path)
    name = _normalised(name)
    if name and name not in versions:
        versions[name] = version
        source = _source(path)
        if source is not None:
            sources[name] = source


def _from_metadata(path: Path) -> tuple[str, str]:
    """Name and version as the package itself writes them; empty where it does not."""
    file = path / _METADATA[path.suffix] if path.is_dir() else path
    try:
        text = read_bytes(file, limit=_MAX_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return "", ""
    head = text.replace("\r", "").partition("\n\n")[0]
    facts = dict(line.split(":", 1) for line in head.split("\n") if ":" in line)
    return facts.get("Name", "").strip(), facts.get("Version", "").strip()


def _source(path: Path) -> _Source | None:
    if path.suffix == ".egg-info" and path.parent.name not in _INSTALLED:
        return _Source(str(path.parent.absolute()))  # setuptools leaves it beside the sources
    try:
        told = read_json(path / "direct_url.json", limit=_MAX_BYTES)
        url, folder, repository = told["url"], told.get("dir_info"), told.get("vcs_info")
        if folder and folder.get("editable"):
            return _Source(unquote(urlsplit(url).path))
        return _Source(None, url=str(url), commit=str(repository["commit_id"]))
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None  # hardly any package has one, and this one tells nothing more


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
