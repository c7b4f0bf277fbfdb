"""The environment variables that change what a training does."""

from __future__ import annotations

import os
from typing import Any

from thexp_pl.record.names import cut
from thexp_pl.record.redact import Redactor

__all__ = ["environment_facts"]

_MAX_VALUE = 10_000  # characters
_LEFT_OUT = "THEXP_INDEX"  # it holds a password, and says nothing of the training
_PREFIXES = (
    *("CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "NCCL_", "GLOO_", "UCX_", "HIP_", "ROCR_", "HSA_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "VECLIB_"),
    *("TORCH_", "TORCHELASTIC_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_", "PL_", "XLA_"),
    *("SLURM_", "PBS_", "LSB_", "MASTER_", "THEXP_", "PYTHON", "CONDA_", "TOKENIZERS_"),
)
_NAMES = frozenset(
    [
        *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "LANG", "LC_ALL", "TZ"),
    ]
)


def environment_facts(redactor: Redactor) -> dict[str, Any]:
    """Read the variables of CUDA, of math libraries, launchers, Python, the locale and thexp.

    HOSTNAME is not among them: the manifest's ``process`` names the host.

    Args:
        redactor: Takes secrets out.

    Returns:
        ``environment``: the values by name, sorted; the middle of a very long one is left out.
    """
    found = {
        name: cut(value, _MAX_VALUE)
        for name, value in sorted(os.environ.items())
        if name in _NAMES or (name.startswith(_PREFIXES) and name != _LEFT_OUT)
    }
    return {"environment": redactor.tree(found)}
