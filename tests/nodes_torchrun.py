"""torchrun on two hosts of `nodes_helpers`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch_helpers import Ran, environment, kill_session
from nodes_helpers import Hosts

SECONDS = 240  # four processes import torch at once
SCRIPT = Path(__file__).with_name("nodes_subjects.py")
RENDEZVOUS = ["--rdzv_backend=c10d", "--rdzv_endpoint=north:29400", "--rdzv_id=one"]
STATIC = ["--master_addr=north", "--master_port=29400", "--node_rank={host}"]


def torchrun(
    hosts: Hosts, folder: Path, words: list[str], how: dict[str, Any], cut: int | None = None
) -> Ran:
    """Run torchrun on both machines to its end; to that of the other, where one is cut off.

    Args:
        hosts: The machines.
        folder: Where it works, and leaves the file ``output.<host>`` of each.
        words: Its own words besides the numbers of machines and processes.
        how: For `launch_subjects.main`.
        cut: The machine that is cut off, once all ranks hold.
    """
    processes = []
    for host in (0, 1):
        own = [word.format(host=host) for word in words]
        command = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1", *own]
        with (folder / f"output.{host}").open("w") as file:
            process = subprocess.Popen(
                hosts.command(host, sys.executable, *command, str(SCRIPT), json.dumps(how)),
                cwd=folder,
                env=environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        processes.append(process)
    try:
        if cut is not None:
            wait_for(lambda: len(list(folder.glob("held.*"))) == 2)
            hosts.cut(cut)
            (folder / "go").touch()
        # that of a machine without the others waits for them for minutes
        codes = [one.wait(SECONDS) for host, one in enumerate(processes) if host != cut]
    finally:
        for process in processes:
            kill_session(process.pid)
            process.wait()
    texts = [(folder / f"output.{host}").read_text() for host in (0, 1)]
    return Ran(folder, codes, "".join(texts))


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < until, "it does not come to that"
        time.sleep(0.02)
