"""Queries about runs: Python-like expressions, read with `ast`, carried out as SQL, never run.

::

    params.optim.lr < 0.1 and metrics.acc.max > 0.9 and status == 'finished'

The rules, each of which ``docs/querying.md`` shows:

- What a run does not have equals None, and every other comparison with it is false, ``!=`` and
  ``not in`` too; ``not`` turns a false one into a true one, as everywhere.
- A number, a text, a truth value and a list are never equal to one another, and none of them comes
  before another.
- NaN is there, and equals nothing. Numbers are compared as doubles.
- A name alone is true where it is there and neither False, 0 nor empty.
"""

from __future__ import annotations

from thexp_pl.runs.query.checking import check_names
from thexp_pl.runs.query.compiling import compile_query
from thexp_pl.runs.query.condition import Condition
from thexp_pl.runs.query.functions import functions_in
from thexp_pl.runs.query.sorting import compile_sort

__all__ = [
    "Condition",
    "check_names",
    "compile_query",
    "compile_sort",
    "functions_in",
]
