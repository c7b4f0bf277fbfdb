"""What is known of one run in pairs of a label and a text, whatever its manifest holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from thexp_pl.jsonable import dumps
from thexp_pl.record.inside import links_out
from thexp_pl.record.notes import read_notes
from thexp_pl.runs.codes import codes_of
from thexp_pl.runs.events import events_of, when_and_size
from thexp_pl.runs.places import place
from thexp_pl.runs.run import Run
from thexp_pl.runs.words import duration_text, start_text

__all__ = ["Used", "causes_of", "facts_of", "text_of", "used_data"]

_TOLD_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning", "lightning", "numpy")
_HASH_LETTERS = 12
_GIB = 1 << 30


class Used(NamedTuple):
    """Data that a run declared to use.

    Args:
        path: The path or address.
        size: Its size in words; an empty text where it is not known.
        digest: The beginning of its hash, or why there is none.
    """

    path: str
    size: str
    digest: str


def facts_of(run: Run, *names: str) -> Iterator[tuple[str, str]]:
    """Go through what is known of a run.

    Args:
        run: The run.
        names: Which facts, in this order: the labels ``key``, ``experiment``, ``status``,
            ``damage``, ``start``, ``duration``, ``parent``, ``sweep``, ``command``,
            ``python``, ``cwd``, ``git``, ``code``, ``earlier code``, ``earlier params``,
            ``packages``, ``host``, ``cpu``, ``gpu``, ``world size``, ``data``, ``tags``, ``note``,
            ``folder``, ``not read``; and those with several labels, ``causes``, ``seeds``,
            ``platform``, ``environment`` and ``ranks``.

    Yields:
        A label and a text; nothing of what is not known.
    """
    for name in names:
        if name in _LABELLED:
            yield from _LABELLED[name](run)
        else:
            for text in _TOLD[name](run):
                yield name, text


def causes_of(run: Run) -> dict[str, str]:
    """Give what ended a run early, as texts by name; nothing where that is not known.

    Args:
        run: The run.
    """
    return {name: text_of(value) for name, value in _object(run.cause).items()}


def used_data(run: Run) -> Iterator[Used]:
    """Go through the data that a run declared to use.

    Args:
        run: The run.
    """
    for used in _objects(run.manifest.get("uses")):
        size, digest = used.get("bytes"), text_of(used.get("sha256") or "")[:_HASH_LETTERS]
        why = f": {text_of(used['error'])}" if used.get("error") else ""
        yield Used(
            text_of(used.get("path")),
            f"{size:,} bytes" if isinstance(size, int) else "",
            digest or f"{text_of(used.get('state'))}{why}",
        )


def text_of(value: Any) -> str:
    """Give a value as it is shown: a text as it stands, all else as JSON.

    Args:
        value: The value.
    """
    return value if isinstance(value, str) else dumps(value).decode("utf-8", "backslashreplace")


# -- facts of one label --------------------------------------------------------------------------


def _recorded(name: str) -> Callable[[Run], Iterator[str]]:
    def told(run: Run) -> Iterator[str]:
        if run.manifest.get(name):
            yield text_of(run.manifest[name])

    return told


def _damage(run: Run) -> Iterator[str]:
    if run.damage:
        yield run.damage


def _parent(run: Run) -> Iterator[str]:
    parent = _object(run.manifest.get("parent"))
    if parent:
        checkpoint = f", from {text_of(parent['checkpoint'])}" if parent.get("checkpoint") else ""
        yield f"{text_of(parent.get('how'))} from {text_of(parent.get('key'))}{checkpoint}"


def _sweep(run: Run) -> Iterator[str]:
    sweep = _object(run.manifest.get("sweep"))
    if sweep:
        yield f"point {text_of(sweep.get('point'))} of {text_of(sweep.get('key'))}"


def _cwd(run: Run) -> Iterator[str]:
    cwd = place(run, run.manifest.get("cwd"))
    if cwd is not None:
        yield cwd


def _git(run: Run) -> Iterator[str]:
    git = _object(run.manifest.get("git"))
    if git:
        changes = ", with uncommitted changes" if git.get("dirty") else ""
        commit = text_of(git.get("commit") or "no commit")[:_HASH_LETTERS]
        yield f"{text_of(git.get('branch') or 'detached')} {commit}{changes}"


def _code(run: Run) -> Iterator[str]:
    code = _object(run.manifest.get("code"))
    if code:
        left_out = f", {code['left_out_count']} left out" if code.get("left_out_count") else ""
        tree = text_of(code.get("tree") or "a copy")[:_HASH_LETTERS]
        count = code.get("files")
        yield f"{tree}, {count} {'file' if count == 1 else 'files'}{left_out}"


def _earlier_code(run: Run) -> Iterator[str]:
    for code in codes_of(run)[:-1]:
        yield f"{str(code.tree)[:_HASH_LETTERS]}, until {start_text(code.until)}"


def _earlier_params(run: Run) -> Iterator[str]:
    for event in events_of(run):
        changed = _object(event.get("changed")) if event["event"] == "params" else {}
        values = [
            f"{name}={text_of(value['old'])}"
            for name, value in changed.items()
            if isinstance(value, Mapping) and "old" in value
        ]
        if values:
            yield f"{', '.join(values)}, until {when_and_size(event)[0] or '?'}"


def _packages(run: Run) -> Iterator[str]:
    packages = _object(run.manifest.get("packages"))
    told = [f"{name} {text_of(packages[name])}" for name in _TOLD_PACKAGES if packages.get(name)]
    if told:
        yield f"{', '.join(told)} (of {len(packages)})"


def _host(run: Run) -> Iterator[str]:
    host = _object(run.manifest.get("process")).get("host")
    if host:
        yield text_of(host)


def _cpu(run: Run) -> Iterator[str]:
    cpu = _object(run.manifest.get("cpu"))
    if cpu:
        memory = cpu.get("memory")
        size = f", {(memory + _GIB // 2) // _GIB} GiB" if isinstance(memory, int) else ""
        yield f"{text_of(cpu.get('model'))}, {cpu.get('logical')} processors{size}"


def _gpu(run: Run) -> Iterator[str]:
    for gpu in _objects(run.manifest.get("gpus")):
        yield text_of(gpu.get("name"))


def _tags(run: Run) -> Iterator[str]:
    tags = read_notes(run.paths)["tags"]
    if tags:
        yield ", ".join(tags)


# -- facts of several labels ---------------------------------------------------------------------


def _items(field: str, prefix: str = "") -> Callable[[Run], Iterator[tuple[str, str]]]:
    def told(run: Run) -> Iterator[tuple[str, str]]:
        for name, value in _object(run.manifest.get(field)).items():
            yield f"{prefix}{name}", text_of(value)

    return told


def _causes(run: Run) -> Iterator[tuple[str, str]]:
    return ((f"ended by {name}", text) for name, text in causes_of(run).items())


def _ranks(run: Run) -> Iterator[tuple[str, str]]:
    own = _object(run.manifest.get("process")).get("host")
    for rank in run.ranks:
        causes = ", ".join(text_of(value) for value in _object(rank.get("cause")).values())
        host = _object(rank.get("process")).get("host") or own
        status = text_of(rank.get("status")) + ("" if host == own else f" on {text_of(host)}")
        yield f"rank {rank['rank']}", f"{status}: {causes}" if causes else status


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


_TOLD: Mapping[str, Callable[[Run], Iterator[str]]] = {
    "key": lambda run: iter((run.key,)),
    "experiment": lambda run: iter((run.paths.experiment,)),
    "status": lambda run: iter((run.status,)),
    "damage": _damage,
    "start": lambda run: iter((start_text(run.started),)),
    "duration": lambda run: iter((duration_text(run.seconds, run.status, run.started),)),
    "parent": _parent,
    "sweep": _sweep,
    "command": _recorded("command"),
    "python": _recorded("python"),
    "cwd": _cwd,
    "git": _git,
    "code": _code,
    "earlier code": _earlier_code,
    "earlier params": _earlier_params,
    "packages": _packages,
    "host": _host,
    "cpu": _cpu,
    "gpu": _gpu,
    "world size": _recorded("world_size"),
    "data": lambda run: (f"{used.path} ({used.digest})" for used in used_data(run)),
    "tags": _tags,
    "note": lambda run: (text_of(note["text"]) for note in read_notes(run.paths)["notes"]),
    "folder": lambda run: iter((str(run.paths.folder),)),
    "not read": lambda run: links_out(run.paths),
}
_LABELLED: Mapping[str, Callable[[Run], Iterator[tuple[str, str]]]] = {
    "causes": _causes,
    "seeds": _items("seeds", "seed "),
    "platform": _items("platform", "platform "),
    "environment": _items("environment"),
    "ranks": _ranks,
}
