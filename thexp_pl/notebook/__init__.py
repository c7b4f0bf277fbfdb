"""Runs in the cells of a notebook: `watch` follows one until it has ended.

`ExperimentViewer` and `Run` draw themselves, and a training of the facade shows its curves by
itself (`thexp_pl.callbacks.NotebookCallback`).
"""

from __future__ import annotations

from thexp_pl.notebook.watching import watch

__all__ = ["watch"]
