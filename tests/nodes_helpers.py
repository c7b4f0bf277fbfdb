"""Two hosts on one machine: network namespaces, joined by a cable that can be cut.

Each host has an address, a name, processes and, if asked for, a folder of its own; the rest of the
file system is shared.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ("north", "south")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
CABLE = "cable"
_NAMESPACES = Path("/run/netns")
_OURS = re.compile(r"thexp-(\d+)-(north|south)")
_NEW_MOUNTS, _NEW_UTS, _NEW_NET = 0x00020000, 0x04000000, 0x40000000
_PRIVATE, _BIND, _RECURSIVE = 1 << 18, 1 << 12, 1 << 14
_libc = ctypes.CDLL(None, use_errno=True)


class Hosts:
    """Two hosts, named by 0 and 1.

    Args:
        owner: The number of the process that has made them.
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.book = Path(tempfile.gettempdir(), f"thexp-{owner}-hosts")  # names and addresses

    def namespace(self, host: int) -> str:
        return f"thexp-{self.owner}-{NAMES[host]}"

    def cut(self, host: int) -> None:
        """Pull the cable out of a host."""
        _ip("-n", self.namespace(host), "link", "set", CABLE, "down")

    def join(self, host: int) -> None:
        """Put it in again."""
        _ip("-n", self.namespace(host), "link", "set", CABLE, "up")

    def enter(self, host: int, own: Path | None = None) -> None:
        """Put this process, which has one thread, onto a host.

        Args:
            host: The host.
            own: A folder that is empty there, and not shared with the other host.
        """
        descriptor = os.open(_NAMESPACES / self.namespace(host), os.O_RDONLY)
        _checked(_libc.setns(descriptor, _NEW_NET))
        os.close(descriptor)
        _checked(_libc.unshare(_NEW_UTS | _NEW_MOUNTS))
        socket.sethostname(NAMES[host])
        _checked(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
        if own is not None:
            _checked(_libc.mount(b"tmpfs", os.fsencode(own), b"tmpfs", 0, None))

    def command(self, host: int, *words: str) -> list[str]:
        """Give the command that runs another one on a host, where the hosts know their names."""
        net = f"--net={_NAMESPACES / self.namespace(host)}"
        steps = 'hostname "$0" && mount --bind "$1" /etc/hosts && shift && exec "$@"'
        named = ["unshare", "--uts", "--mount", "sh", "-c", steps, NAMES[host]]
        return ["nsenter", net, *named, str(self.book), *words]

    def _make(self) -> None:
        lines = [f"{address} {name}\n" for address, name in zip(ADDRESSES, NAMES, strict=True)]
        self.book.write_text("".join(["127.0.0.1 localhost\n", *lines]))
        one, two = self.namespace(0), self.namespace(1)
        for namespace in (one, two):
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", one, "link", "add", CABLE, "type", "veth", "peer", CABLE, "netns", two)
        for namespace, address in zip((one, two), ADDRESSES, strict=True):
            _ip("-n", namespace, "address", "add", f"{address}/24", "dev", CABLE)
            _ip("-n", namespace, "link", "set", CABLE, "up")

    def _remove(self) -> None:
        self.book.unlink(missing_ok=True)
        for host in (0, 1):
            with contextlib.suppress(subprocess.CalledProcessError):  # it was not made
                _ip("netns", "delete", self.namespace(host))


@contextlib.contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Make two hosts for the time of a block; skip the test where this process may not."""
    missing = [word for word in ("ip", "nsenter", "unshare") if shutil.which(word) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"network namespaces need {missing[0] if missing else 'root'}")
    _remove_leftovers()
    hosts = Hosts(os.getpid())
    try:
        try:
            hosts._make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield hosts
    finally:
        hosts._remove()


def _remove_leftovers() -> None:
    """Remove the hosts of processes that were killed."""
    for place in _NAMESPACES.glob("thexp-*"):
        found = _OURS.fullmatch(place.name)
        if found is not None and not Path("/proc", found[1]).exists():
            Hosts(int(found[1]))._remove()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=120, text=True, capture_output=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# -- the environment of a rank ---------------------------------------------------------------------


PORT = 29500


def of_torchrun(rank: int, size: int, here: int) -> dict[str, str]:
    """Give the variables of a worker of torchrun."""
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank % here),
        "LOCAL_WORLD_SIZE": str(here),
        "GROUP_RANK": str(rank // here),
        "MASTER_ADDR": ADDRESSES[0],
        "MASTER_PORT": str(PORT),
        "TORCHELASTIC_RUN_ID": "none",
    }


def of_slurm(rank: int) -> dict[str, str]:
    """Give the variables of a task of srun, on two nodes with a task each."""
    return {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "train",
        "SLURM_NODELIST": ",".join(ADDRESSES),
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": str(rank),
        "MASTER_PORT": str(PORT),
    }


def by_hand(rank: int) -> dict[str, str]:
    """Give the variables of a script that is started on each machine without a launcher."""
    return {"MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": str(PORT), "NODE_RANK": str(rank)}
