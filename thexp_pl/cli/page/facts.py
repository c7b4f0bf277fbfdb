"""What is told of one run in lines of a name and a text, whatever its manifest holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from thexp_pl.runs.codes import codes_of
from thexp_pl.runs.row import RunRow
from thexp_pl.runs.run import Run
from thexp_pl.runs.words import duration_text, start_text

__all__ = ["run_facts", "used_data"]

_TOLD_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning", "lightning", "numpy")
_HASH_LETTERS = 12
_GIB = 1 << 30


def run_facts(run: Run, children: Iterable[RunRow] = ()) -> Iterator[tuple[str, str]]:
    """Go through what is known of a run, but for its parameters, metrics, data and files.

    Args:
        run: The run.
        children: The runs that came from it.

    Yields:
        A name, and what there is to say.
    """
    info = run.to_dict()
    yield "key", run.key
    yield "experiment", run.paths.experiment
    yield "status", run.status
    if run.damage:
        yield "damage", run.damage
    yield "start", start_text(run.started)
    yield "duration", duration_text(run.seconds, run.status, run.started)
    for name, value in _object(info, "cause").items():
        yield f"ended by {name}", str(value)
    parent = _object(info, "parent")
    if parent:
        yield "parent", f"{parent.get('how')} from {parent.get('key')}"
    for child in children:
        yield "child", f"{child.key}  {child.status}"
    for name in ("command", "python"):
        if info.get(name):
            yield name, str(info[name])
    if isinstance(info.get("cwd"), str):  # it may be as seen from the root
        yield "cwd", os.path.normpath(os.path.join(info["root"], info["cwd"]))  # noqa: PTH118
    yield from _code(info)
    for code in codes_of(run)[:-1]:
        yield "earlier code", f"{str(code.tree)[:_HASH_LETTERS]}, until {start_text(code.until)}"
    yield from _machine(info)
    yield from _ranks(info)
    if info["tags"]:
        yield "tags", ", ".join(info["tags"])
    for note in info["notes"]:
        yield "note", note["text"]
    yield "folder", info["folder"]


def used_data(run: Run) -> Iterator[tuple[str, str, str]]:
    """Go through the data that a run declared to use.

    Args:
        run: The run.

    Yields:
        The path or address, its size, and the beginning of its hash, or why there is none.
    """
    for used in _objects(run.manifest, "uses"):
        size = used.get("bytes")
        digest = str(used.get("sha256") or "")[:_HASH_LETTERS]
        why = f": {used['error']}" if used.get("error") else ""
        yield (
            str(used.get("path")),
            f"{size:,} bytes" if isinstance(size, int) else "",
            digest or f"{used.get('state')}{why}",
        )


def _code(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    git = _object(info, "git")
    if git:
        changes = ", with uncommitted changes" if git.get("dirty") else ""
        branch = git.get("branch") or "detached"
        yield "git", f"{branch} {str(git.get('commit'))[:_HASH_LETTERS]}{changes}"
    code = _object(info, "code")
    if code:
        left_out = code.get("left_out_count") or 0
        rest = f", {left_out} left out" if left_out else ""
        tree = str(code.get("tree") or "a copy")[:_HASH_LETTERS]
        count = code.get("files")
        yield "code", f"{tree}, {count} {'file' if count == 1 else 'files'}{rest}"
    packages = _object(info, "packages")
    if packages:
        told = [f"{name} {packages[name]}" for name in _TOLD_PACKAGES if packages.get(name)]
        yield "packages", f"{', '.join(told)} (of {len(packages)})"


def _machine(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cpu, process = _object(info, "cpu"), _object(info, "process")
    if process.get("host"):
        yield "host", str(process["host"])
    if cpu:
        memory = cpu.get("memory")
        size = f", {(memory + _GIB // 2) // _GIB} GiB" if isinstance(memory, int) else ""
        yield "cpu", f"{cpu.get('model')}, {cpu.get('logical')} processors{size}"
    for gpu in _objects(info, "gpus"):
        yield "gpu", str(gpu.get("name"))


def _ranks(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if info.get("world_size"):
        yield "world size", str(info["world_size"])
    for rank in _objects(info, "ranks"):
        cause = _object(rank, "cause")
        why = cause.get("signal") or cause.get("type") or cause.get("message")
        yield f"rank {rank.get('rank')}", f"{rank.get('status')}{f': {why}' if why else ''}"


def _object(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _objects(facts: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = facts.get(name)
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, Mapping))
