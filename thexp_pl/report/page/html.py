"""A page as HTML: one file that asks for nothing, or the frame of one that is served."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thexp_pl.report.extras import broken, needed, needs

__all__ = ["live_html", "page_html", "plotly_file"]

_ASSETS = Path(__file__).parent / "assets"
_WHAT = "a page"


def page_html(data: dict[str, Any]) -> str:
    """Make the self-contained file of a page.

    Nothing in it can ask for anything: its Content-Security-Policy allows no request. plotly and
    the data are packed by gzip and unpacked by the browser.

    Args:
        data: See `building.page_data`.

    Returns:
        HTML; but for the nonce of its scripts the same for the same data.

    Raises:
        UsageError: plotly or Jinja2 is not installed.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return _rendered(
        title=data["title"],
        nonce=secrets.token_urlsafe(16),
        data=_packed(text.encode("ascii")),
        plotly=_packed(plotly_file().read_bytes()),
    )


def live_html(
    title: str,
    *,
    nonce: str,
    data_url: str,
    plotly_url: str = "",
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
) -> str:
    """Make the frame of a page that is served: the same styles and scripts, its data elsewhere.

    Args:
        title: The page's title.
        nonce: That of the scripts in the Content-Security-Policy which the server sends.
        data_url: Where the page's data is, as JSON.
        plotly_url: Where `plotly_file` is served; an empty text for a page that draws nothing.
        styles: Sheets that come after the pages' own.
        scripts: Scripts that come after the pages' own, before ``thexp.start`` is called.

    Returns:
        HTML.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    return _rendered(
        title=title,
        nonce=nonce,
        data_url=data_url,
        plotly_url=plotly_url,
        more_styles=styles,
        more_scripts=scripts,
    )


def plotly_file() -> Path:
    """Find plotly's own script.

    Returns:
        The file; plotly itself, which takes a while, is not imported.

    Raises:
        UsageError: plotly is not installed, or broken.
    """
    needs("plotly", _WHAT)
    origin = getattr(find_spec("plotly"), "origin", None)
    path = Path(str(origin)).parent / "package_data" / "plotly.min.js"
    if not path.is_file():
        raise broken("plotly", _WHAT, "it has no package_data/plotly.min.js")
    return path


def _rendered(**values: Any) -> str:
    jinja2 = needed("jinja2", _WHAT)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((_ASSETS / "page.html").read_text("utf-8"))
    values = {"data": None, "plotly": None, "more_styles": (), "more_scripts": (), **values}
    html: str = template.render(styles=_assets(".css"), scripts=_assets(".js"), **values)
    return html


def _assets(suffix: str) -> list[str]:
    files = sorted(path for path in _ASSETS.iterdir() if path.suffix == suffix)
    return [path.read_text("utf-8") for path in files]


def _packed(data: bytes) -> str:
    # no time in it: the same data gives the same text
    return base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")
