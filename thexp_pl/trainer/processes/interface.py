"""Which network interface leads to the other machines, where the machine's own name does not say.

torch's gloo binds to what the host name leads to. On many a machine that is its loopback address,
or nothing: then one rank fails, and the others wait for it.
"""

from __future__ import annotations

import os
import socket

import psutil

from thexp_pl.errors import UsageError

__all__ = ["choose_interface"]

_VARIABLE = "GLOO_SOCKET_IFNAME"
_ANY_PORT = 9


def choose_interface(main_address: str) -> None:
    """Have gloo use the interface that leads to rank 0, unless the host name or the user says it.

    Args:
        main_address: The address of rank 0's machine.

    Raises:
        UsageError: None of this machine's interfaces leads there.
    """
    if os.environ.get(_VARIABLE) or _leads_out(socket.gethostname()):
        return
    own = _address_towards(main_address)
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == own for address in addresses) and not own.startswith("127."):
            os.environ[_VARIABLE] = name
            return
    raise UsageError(
        f"the name of this machine, {socket.gethostname()!r}, does not lead to its network, and "
        f"neither does {main_address!r}: set {_VARIABLE} to the interface that leads to the other "
        "machines, such as eth0"
    )


def _leads_out(host: str) -> bool:
    """Say whether a name leads to an address of this machine that others can reach."""
    try:
        address = socket.gethostbyname(host)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return not address.startswith("127.")


def _address_towards(host: str) -> str:
    """Give the own address that packets to a host would have; none is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
