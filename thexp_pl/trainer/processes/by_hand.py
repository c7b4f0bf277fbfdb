"""Several machines without a launcher: the script is started on each by hand, with variables."""

from __future__ import annotations

import os

from thexp_pl.errors import UsageError

__all__ = ["take_place_by_hand"]

_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")


def take_place_by_hand(devices: int, nodes: int) -> None:
    """Make this process the one rank of its machine, as its variables say.

    Args:
        devices: How many devices each machine has.
        nodes: How many machines there are.

    Raises:
        UsageError: The variables do not say where the others are, or who this is; or a machine
            has several devices.

    Source: Lightning's ``LightningEnvironment``, which waits for ever where none is set.
    """
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"num_nodes={nodes}: nothing says where the other machines are; start the script with "
            "torchrun or SLURM's srun, or on each machine with MASTER_ADDR, MASTER_PORT and its "
            f"NODE_RANK set ({', '.join(missing)} not set)"
        )
    number = os.environ["NODE_RANK"]
    if not number.isdecimal() or int(number) >= nodes:
        raise UsageError(
            f"NODE_RANK is {number!r}, and num_nodes={nodes}: it is a number from 0 to {nodes - 1}"
        )
    if devices > 1:
        raise UsageError(
            f"num_nodes={nodes} with {devices} devices on each: start the script with torchrun or "
            "SLURM's srun, which start all processes of a machine"
        )
    os.environ["LOCAL_RANK"] = "0"  # which tells Lightning that all processes are there
