"""All of one run, as a page shows it."""

from __future__ import annotations

from typing import Any

from thexp_pl.record.notes import read_notes
from thexp_pl.report.page.changes import files_of, log_text
from thexp_pl.report.page.checkpoints import saved_of
from thexp_pl.report.page.code import code_of
from thexp_pl.report.page.difference import difference_data
from thexp_pl.report.page.plain import plain
from thexp_pl.report.page.rows import run_id
from thexp_pl.runs.facts import causes_of, facts_of
from thexp_pl.runs.flat import flat
from thexp_pl.runs.run import Run

__all__ = ["run_data"]

_FACTS = (
    *("parent", "sweep", "command", "cwd", "start", "duration", "git", "code"),
    *("earlier code", "earlier params", "seeds", "world size", "data", "folder", "not read"),
)
_ENVIRONMENT = ("host", "python", "platform", "cpu", "gpu", "environment")


def run_data(run: Run, parent: Run | None = None, code: bool = True) -> dict[str, Any]:
    """Give all of a run but its curves.

    Args:
        run: The run, damaged or not; it may still go on.
        parent: The run that it came from; None where it began anew, and where that one is gone.
        code: Give the sources and patches too.

    Returns:
        Texts and JSON values: the fields of `row_data` that name the run, ``cause``, ``facts``,
        ``params``, ``tags``, ``notes``, ``metrics``, ``checkpoints``, ``files`` and
        ``files_left``, ``environment``, ``packages``, ``code`` and ``code_left``, ``diff``,
        ``log``, ``ranks``. HTML, escaped, is in the fields ``html`` of ``code`` and of the patches.

    Raises:
        UsageError: There is no Pygments, and code to be shown.
    """
    data: dict[str, Any] = plain(
        {
            **_named(run),
            "cause": "\n".join(f"{name}: {text}" for name, text in causes_of(run).items()),
            "facts": list(facts_of(run, *_FACTS)),
            "params": flat(run.params),
            **read_notes(run.paths),
            "metrics": run.metrics,
            "checkpoints": saved_of(run),
            **_pair("files", "files_left", files_of(run)),
            "environment": list(facts_of(run, *_ENVIRONMENT)),
            "packages": run.manifest.get("packages") or {},
            **_pair("code", "code_left", code_of(run) if code else ([], [])),
            "diff": difference_data(run, parent, code=code),
            "log": log_text(run.paths),
            "ranks": list(facts_of(run, "ranks")),
        }
    )
    return data


def _named(run: Run) -> dict[str, Any]:
    return {
        "id": run_id(run.paths),
        "key": run.key,
        "experiment": run.paths.experiment,
        "root": run.paths.root,
        "status": run.status,
        "started": run.started,
        "seconds": run.seconds,
        "damage": run.damage,
    }


def _pair(name: str, rest: str, pair: tuple[Any, Any]) -> dict[str, Any]:
    return {name: pair[0], rest: pair[1]}
