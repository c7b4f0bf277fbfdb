"""The environment variables that decide results, as they were when a run was recorded."""

from __future__ import annotations

import os
from pathlib import Path

from thexp_pl.record.redact.secret_names import REDACTED
from thexp_pl.rerun.moved import Moved, is_native
from thexp_pl.runs.run import Run

__all__ = ["decided_variables"]

_PREFIXES = (
    *("CUBLAS_", "CUDNN_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_"),
    *("VECLIB_", "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_", "XLA_", "TOKENIZERS_", "PL_"),
)
_NAMES = frozenset(
    [
        *("CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS", "NVIDIA_TF32_OVERRIDE"),
        *("PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONUTF8", "LANG", "LC_ALL", "TZ"),
    ]
)
_PLACES = ("_HOME", "_DIR", "_PATH", "_ROOT")  # where something lies on one machine
_CUT = "…"


def decided_variables(run: Run, moved: Moved) -> dict[str, str | None]:
    """Give the variables that make this process's environment that of the run.

    Those of launchers, of devices and of places on a machine are not among them.

    Args:
        run: The run.
        moved: Where its project is now.

    Returns:
        The values by name, None for one that was not set then. ``PYTHONPATH`` names what it named,
        in the restored project; packages of the project that are installed in place come first:
        else their working tree would be imported.
    """
    recorded = {
        name: value
        for name, value in run.manifest["environment"].items()
        if is_native(value) and REDACTED not in value and _CUT not in value
    }
    names = sorted(filter(_decides, recorded.keys() | os.environ.keys()))
    kept = run.manifest["environment"].keys()  # also of values that were redacted or cut
    found = {name: recorded.get(name) for name in names if name in recorded or name not in kept}
    path = os.pathsep.join([*_installed_in_place(run, moved), *_named(recorded, moved)])
    return {**found, "PYTHONPATH": path or None}


def _decides(name: str) -> bool:
    if name.endswith(_PLACES) or not (name.isidentifier() and name.isascii()):
        return False
    return name in _NAMES or name.startswith(_PREFIXES)


def _installed_in_place(run: Run, moved: Moved) -> list[str]:
    found: list[str] = []
    for package in run.manifest["editable"].values():
        path = moved.found(package.get("path")) if isinstance(package, dict) else None
        name = None if path is None else moved.name(path)
        if name is not None:
            folders = (moved.code / name / "src", moved.code / name)
            found += [str(folder) for folder in folders if folder.is_dir()]
    return list(dict.fromkeys(found))


def _named(recorded: dict[str, str], moved: Moved) -> list[str]:
    entries = filter(None, recorded.get("PYTHONPATH", "").split(os.pathsep))
    return [
        str(moved.place(Path(entry))) if os.path.isabs(entry) else entry  # noqa: PTH117
        for entry in entries
    ]
