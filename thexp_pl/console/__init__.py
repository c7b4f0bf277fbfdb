"""Messages of a run: on the console, in log files, and to listeners; with one line in place.

::

    logger.py    Logger: levels, prefixes, the open in-place line, files and listeners
    screen.py    streams: the one in-place row of a terminal, plain lines in pipes and files
    text.py      escaping of control characters, cutting and scrolling to a number of cells
    logfile.py   the log files, each with one writer
    listeners.py functions that hear of each message
    waiting.py   a line in place while something takes long
"""

from __future__ import annotations

from thexp_pl.console.logger import Logger

__all__ = ["Logger"]
