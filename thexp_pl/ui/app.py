"""The addresses of the live pages, and what is answered at each.

Reading is done in Starlette's threads: its plain functions run there. ``Guard`` stands before all.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.report.page import live_html, page_data, plotly_file, row_data
from thexp_pl.runs import ExperimentViewer, RunRow
from thexp_pl.ui.answers import data, fault_of, had_of, id_of, ids_of, moment_of, number_of
from thexp_pl.ui.catalog import Catalog
from thexp_pl.ui.editing import LARGEST, edit_notes
from thexp_pl.ui.listing import Asked, column_names, list_page
from thexp_pl.ui.sparks import Sparks
from thexp_pl.ui.updates import Updates

__all__ = ["make_app"]

_ASSETS = Path(__file__).parent / "assets"
_MOST_ROWS = 200
_MOST_SPARKS = 50
_PLOTLY = "/plotly.min.js"
_FAULTS: tuple[Any, ...] = (UsageError, RecordError, OSError, HTTPException, Exception)
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'{evaluating}; style-src 'unsafe-inline';"
    " img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


def make_app(viewer: ExperimentViewer) -> Starlette:
    """Make what answers.

    Args:
        viewer: The runs.

    Returns:
        An ASGI application.
    """
    views = _Views(Catalog(viewer))
    ask: list[tuple[str, Callable[[Request], Any]]] = [
        ("/", views.list_frame),
        ("/run/{id}", views.run_frame),
        ("/compare", views.compare_frame),
        (_PLOTLY, views.plotly),
        ("/api/list", lambda request: data(request, {"page": "list"})),
        ("/api/fault", views.fault),
        ("/api/rows", views.rows),
        ("/api/names", views.names),
        ("/api/sparks", views.sparks),
        ("/api/page", views.page),
        ("/api/curves", views.curves),
    ]
    routes = [Route(path, function, methods=["GET"]) for path, function in ask]
    routes.append(Route("/api/run/{id}/notes", views.change, methods=["POST"]))
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(_FAULTS, _faulty))


class _Views:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sparks = Sparks()
        self._updates = Updates(catalog)

    # -- pages -------------------------------------------------------------------------------------

    def list_frame(self, request: Request) -> Response:
        return _frame("Runs", "/api/list", plotly=False)

    def run_frame(self, request: Request) -> Response:
        given = id_of(request.path_params["id"])
        rows = self._catalog.rows([given])
        if not rows:
            raise HTTPException(404, "This run is gone.")
        return _frame(rows[0].key, f"/api/page?ids={given}")

    def compare_frame(self, request: Request) -> Response:
        ids = ids_of(request)
        return _frame(f"{len(ids)} runs", f"/api/page?ids={','.join(ids)}")

    def plotly(self, request: Request) -> Response:
        headers = {"cache-control": "private, max-age=3600"}
        return FileResponse(plotly_file(), media_type="text/javascript", headers=headers)

    def fault(self, request: Request) -> Response:
        return data(request, {"page": "fault", "why": request.query_params.get("why", "")})

    # -- data --------------------------------------------------------------------------------------

    def rows(self, request: Request) -> Response:
        ask = request.query_params
        asked = Asked(
            text=ask.get("text", "").strip(),
            sort=ask.get("sort", ""),
            reverse="reverse" in ask,
            limit=number_of(request, "limit", 50, _MOST_ROWS),
            skip=number_of(request, "skip", 0),
            until=moment_of(request, "until"),
        )
        return data(request, list_page(self._catalog, asked))

    def names(self, request: Request) -> Response:
        return data(request, column_names(self._catalog))

    def sparks(self, request: Request) -> Response:
        rows = self._catalog.rows(ids_of(request, _MOST_SPARKS))
        return data(request, self._sparks.of(rows, request.query_params.get("metric", "")))

    def page(self, request: Request) -> Response:
        ids = ids_of(request)
        rows = self._catalog.rows(ids)
        if not rows:
            raise HTTPException(404, "that run is gone" if len(ids) == 1 else "those runs are gone")
        found = page_data(rows)
        return data(request, {**found, "live": {"id": ids[0], "every": 2}})

    def curves(self, request: Request) -> Response:
        return data(request, self._updates.of(had_of(request), "detail" in request.query_params))

    async def change(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                raise UsageError(f"a change has at most {LARGEST} bytes; make the note shorter")
        return await run_in_threadpool(self._changed, request, body)

    def _changed(self, request: Request, body: bytes) -> Response:
        row = self._row(id_of(request.path_params["id"]))
        edit_notes(row.paths, body)
        self._catalog.changed()
        return data(request, row_data(self._row(request.path_params["id"])))

    def _row(self, given: str) -> RunRow:
        rows = self._catalog.rows([given])
        if not rows:
            raise HTTPException(404, "that run is gone")
        return rows[0]


def _frame(title: str, data_url: str, plotly: bool = True, status: int = 200) -> Response:
    nonce = secrets.token_urlsafe(16)
    html = live_html(
        title,
        nonce=nonce,
        data_url=data_url,
        plotly_url=_PLOTLY if plotly else "",
        styles=_own(".css"),
        scripts=_own(".js"),
    )
    # plotly draws parallel coordinates by code that it makes
    evaluating = " 'unsafe-eval'" if plotly else ""
    policy = _POLICY.format(nonce=nonce, evaluating=evaluating)
    return HTMLResponse(html, status, headers={"content-security-policy": policy})


def _faulty(request: Request, error: Exception) -> Response:
    status, line = fault_of(error)
    is_opened = "text/html" in request.headers.get("accept", "")
    if not is_opened or request.url.path.startswith("/api/"):
        return JSONResponse({"error": line}, status)
    return _frame("Nothing here", f"/api/fault?{urlencode({'why': line})}", False, status)


def _own(suffix: str) -> list[str]:
    files = sorted(path for path in _ASSETS.iterdir() if path.suffix == suffix)
    return [path.read_text("utf-8") for path in files]
