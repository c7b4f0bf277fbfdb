"""metrics.csv: every metric of a run, one value a row.

The columns are ``step,epoch,time,name,value``: step and epoch are integers or empty, time is in
seconds since 1970, value as Python prints a float (``nan`` and ``inf`` included). It is plain CSV
with each row on one line: a name with a comma, a quote or a space at an end is quoted, and a
backslash, a line feed or a carriage return in a name is written as ``\\\\``, ``\\n`` or ``\\r``.
"""

from thexp_pl.record.metrics.columns import MetricColumns
from thexp_pl.record.metrics.history import History, read_history
from thexp_pl.record.metrics.reading import read_metrics
from thexp_pl.record.metrics.writer import MetricsWriter

__all__ = ["History", "MetricColumns", "MetricsWriter", "read_history", "read_metrics"]
