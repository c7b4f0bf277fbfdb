"""The GPUs of this machine, told without waking them: no library of theirs is initialised."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from thexp_pl.atomic import read_bytes

__all__ = ["gpu_list", "smi_rows"]

_NVIDIA = Path("/proc/driver/nvidia")
_VERSION = re.compile(r"\d{3,}(\.\d+)+")  # of the driver, among the words of /proc
_SMI_SECONDS = 2.0
_MAX_BYTES = 1 << 16
_MIB = 1 << 20


def gpu_list() -> list[dict[str, Any]]:
    """List the GPUs that the system shows, whether the process uses them or not.

    NVIDIA's come from the kernel's driver, else from the program ``nvidia-smi`` where there is one;
    those that torch has initialised already tell their memory, and those of other makers are seen
    only then.

    Returns:
        Of each GPU ``name``, and where they are known ``uuid``, ``memory`` (bytes) and ``driver``
        (its version).
    """
    gpus, initialised = _from_driver() or _from_smi(), _from_torch()
    told = {gpu["uuid"]: gpu for gpu in initialised if "uuid" in gpu}
    return [told.get(gpu.get("uuid", ""), {}) | gpu for gpu in gpus] or initialised


def _from_driver() -> list[dict[str, Any]]:
    gpus = []
    version = _VERSION.search(_text(_NVIDIA / "version"))
    for information in sorted(_NVIDIA.glob("gpus/*/information")):
        lines = [line.partition(":") for line in _text(information).splitlines()]
        facts = {name.strip(): value.strip() for name, _, value in lines}
        gpus.append(
            _known(
                name=facts.get("Model", "NVIDIA"),
                uuid=facts.get("GPU UUID"),
                driver=version[0] if version else None,
            )
        )
    return gpus


def smi_rows(*columns: str, seconds: float = _SMI_SECONDS) -> list[list[str]]:
    """Ask the program ``nvidia-smi`` about the GPUs.

    Args:
        columns: What is asked, as ``--query-gpu`` calls it.
        seconds: How long its answer is waited for.

    Returns:
        Of each GPU the cells as they are printed, in the order of the columns; none where there is
        no such program, or it does not answer.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    import subprocess

    query = [f"--query-gpu={','.join(columns)}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(
            [program, *query],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=True,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):  # no driver, or one that hangs
        return []
    rows = [[cell.strip() for cell in row] for row in csv.reader(output.splitlines())]
    return [row for row in rows if len(row) == len(columns)]


def _from_smi() -> list[dict[str, Any]]:
    return [
        _known(
            name=name,
            uuid=uuid,
            memory=int(mebibytes) * _MIB if mebibytes.isdecimal() else None,
            driver=driver,
        )
        for name, uuid, mebibytes, driver in smi_rows(
            "name", "uuid", "memory.total", "driver_version"
        )
    ]


def _from_torch() -> list[dict[str, Any]]:
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "cuda") or not hasattr(torch, "backends"):  # also half imported
        return []
    if torch.cuda.is_initialized():
        devices = range(torch.cuda.device_count())
        return [_properties(torch.cuda.get_device_properties(device)) for device in devices]
    return [{"name": "Apple MPS"}] if torch.backends.mps.is_available() else []


def _properties(device: Any) -> dict[str, Any]:
    uuid = getattr(device, "uuid", None)  # torch writes it without the driver's prefix
    return _known(
        name=device.name,
        uuid=f"GPU-{uuid}" if uuid else None,
        memory=int(device.total_memory),
    )


def _text(path: Path) -> str:
    try:
        return read_bytes(path, limit=_MAX_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}
