"""What the files are like at the end that a run writes itself, outside of its held parts."""

from __future__ import annotations

from thexp_pl.record.files.final import Hashes
from thexp_pl.record.files.stamps import scan, stamp_of
from thexp_pl.record.files.teller import Report, size_and_time
from thexp_pl.record.paths import RunPaths

__all__ = ["is_own", "only_grows", "write_own"]

_MAX_BYTES = 256 << 20
_MAX_SECONDS = 1.0
_MAX_FILES = 200  # a line of the journal takes half a millisecond
_GROWING = ("metrics.csv", "logs", "board")
_OTHERS = ("config.yaml", "traceback.txt", "rnd", "keycode")


def is_own(path: str) -> bool:
    """Say whether a file is one that `write_own` writes a line for.

    Args:
        path: The file as seen from the run's folder, with slashes.

    Returns:
        Whether it is.
    """
    return path.partition("/")[0] in (*_GROWING, *_OTHERS)


def only_grows(path: str) -> bool:
    """Say whether what a run has written to a file stays there, whatever is added to it later.

    Args:
        path: As for `is_own`.

    Returns:
        Whether it does.
    """
    return path.partition("/")[0] in _GROWING


def write_own(paths: RunPaths, report: Report) -> None:
    """Write a line with the hash of each such file that is there, at the end of a run.

    The small ones come first, until 256 MiB are read or a second is over: a run ends soon whatever
    it leaves behind. Of too many files in folders the newest are written.

    Args:
        paths: The run.
        report: Writes an event and its facts to the journal.
    """
    names = [str(paths.folder / name) for name in (*_GROWING, *_OTHERS)]
    files, _ = scan(names, lambda path: not path.rpartition("/")[2].startswith(".tmp-"))
    for name in names:
        stamp = stamp_of(name)
        if stamp is not None:
            files[name] = stamp
    newest = sorted(files.items(), key=lambda file: (file[0] in names, file[1].modified))
    hashes = Hashes(_MAX_BYTES, _MAX_SECONDS)
    for path, before in sorted(newest[-_MAX_FILES:], key=lambda file: file[1].size):
        stamp, content = hashes.content(path, before)
        report("modified", {"path": path, **size_and_time(stamp), **content, "final": True})
