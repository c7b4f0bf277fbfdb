"""Pages for a browser: their data, and the file that holds all of one.

The drawing is done by the scripts in ``assets/``; what they read is written down in the functions
here, which give JSON values only.
"""

from __future__ import annotations

from thexp_pl.report.page.building import page_data, parent_of
from thexp_pl.report.page.curves import curves_data
from thexp_pl.report.page.detail import run_data
from thexp_pl.report.page.html import live_html, page_html, plotly_file
from thexp_pl.report.page.rows import row_data, run_id, runs_data
from thexp_pl.report.page.writing import write_page

__all__ = [
    "curves_data",
    "live_html",
    "page_data",
    "page_html",
    "parent_of",
    "plotly_file",
    "row_data",
    "run_data",
    "run_id",
    "runs_data",
    "write_page",
]
