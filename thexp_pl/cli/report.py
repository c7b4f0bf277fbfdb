"""How a command ends: a mistake in one line, a run with where it is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from thexp_pl import atomic
from thexp_pl.errors import ThexpError

if TYPE_CHECKING:
    from thexp_pl.record import Experiment

__all__ = ["is_users_own", "report_errors", "report_run", "save_config"]

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_STANDARD = str(Path(os.__file__).parent) + os.sep


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn what the user can mend into one line on stderr and an exit code.

    What passed through the user's own code keeps its traceback; so does everything with
    ``THEXP_DEBUG=1``.

    Raises:
        SystemExit: With the error's exit code.
    """
    try:
        yield
    except ThexpError as error:
        if os.environ.get("THEXP_DEBUG") == "1" or is_users_own(error):
            raise
        sys.stderr.write(f"error: {' '.join(str(error).splitlines())}\n")
        raise SystemExit(error.exit_code) from None


def is_users_own(error: BaseException) -> bool:
    """Say whether an exception, or what caused it, passed through code that is no library's."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return not all(_is_library(file) for file in files) or (
        cause is not None and is_users_own(cause)
    )


def _is_library(file: str) -> bool:
    is_installed = "site-packages" in file or "dist-packages" in file
    is_compiled = file.endswith(".pyx")  # named as seen from where it was compiled
    return is_installed or is_compiled or file.startswith(("<", _PACKAGE, _STANDARD))


def report_run(experiment: Experiment) -> None:
    """Print where a run is and how to look at it."""
    path = Path(os.path.relpath(experiment.path))
    shown = experiment.path if path.parts[:2] == ("..", "..") else path
    print(f"run:  {shown}")  # noqa: T201 - what the command prints
    print(f"look: {_program()} show {experiment.key}")  # noqa: T201


def _program() -> str:
    """Give the words that call ``thexp-pl`` from here: its environment may not be on PATH."""
    found = shutil.which("thexp-pl")
    called = Path(sys.argv[0])
    if called.name != "thexp-pl":
        return "thexp-pl" if found else f"{shlex.quote(sys.executable)} -m thexp_pl"
    return "thexp-pl" if found and called.samefile(found) else shlex.quote(str(called))


def save_config(experiment: Experiment, text: str) -> None:
    """Write the run's ``config.yaml`` without secrets; a fault is a warning, the run goes on."""
    try:
        atomic.write_text(experiment.paths.config, experiment.redact_yaml(text))
    except OSError as error:
        sys.stderr.write(f"warning: cannot write {str(experiment.paths.config)!r}: {error}\n")
