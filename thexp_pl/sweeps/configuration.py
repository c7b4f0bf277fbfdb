"""The configuration files of a sweep: kept when it is submitted, and what its runs read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.links import link_left_out

__all__ = [
    "CONFIG_VARIABLES",
    "content_hash",
    "keep_beside",
    "keep_within",
    "kept_name",
    "kept_words",
]

CONFIG_VARIABLES = ("PL_CONFIG", "PL_FIT__CONFIG")  # name a configuration file of `fit` too
_UPWARD = re.compile(r"(?:\.\./)*\.\.(?![.\w])")


def content_hash(data: bytes) -> str:
    """Give the hash by which the content of a file is known.

    Args:
        data: The content.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(data).hexdigest()


def kept_name(file: Path, project: Path) -> str:
    """Name a configuration file as a sweep keeps it.

    Args:
        file: The file, absolute, symbolic links resolved.
        project: The project, likewise.

    Returns:
        Of a file in the project its path there, of any other its absolute path.
    """
    return file.relative_to(project).as_posix() if file.is_relative_to(project) else str(file)


def keep_within(code: Path, files: Mapping[Path, bytes], project: Path) -> None:
    """Put the configuration files of the project that its snapshot left out into its code.

    Args:
        code: The folder in which the code was restored.
        files: The content of all configuration files, by their resolved absolute paths.
        project: The project, symbolic links resolved.

    Raises:
        OSError: One cannot be written.
    """
    for file, data in files.items():
        name = kept_name(file, project)
        if not os.path.isabs(name) and not os.path.lexists(code / name):  # noqa: PTH117 - a text
            _write(code / name, data, file)


def keep_beside(paths: SweepFolder, files: Mapping[Path, bytes], project: Path) -> None:
    """Put the configuration files from outside of the project into a folder of the sweep.

    What a file calls by a relative path has to be there too. So each lies below that folder as it
    lies on this machine, and the neighbours of it, and of each folder above that it can mean by
    ``..``, are links to the originals. The folder is whole or not there; one that is, stays.

    Args:
        paths: The sweep's files.
        files: As for `keep_within`.
        project: Likewise.

    Raises:
        OSError: One cannot be written.
    """
    outside = {file: data for file, data in files.items() if not file.is_relative_to(project)}
    if not outside or paths.configuration.is_dir():
        return
    aside = paths.folder / ".keeping"
    shutil.rmtree(aside, ignore_errors=True)
    for file, data in outside.items():
        _write(_below(aside, file), data, file)
    for folder in {folder for file, data in outside.items() for folder in _seen(file, data)}:
        link_left_out(folder, _below(aside, folder), paths.root)
    aside.rename(paths.configuration)


def kept_words(words: Iterable[str], files: Iterable[str], paths: SweepFolder) -> list[str]:
    """Have the words of a command name the copies of files from outside of the project.

    Args:
        words: Words such as ``--config=/etc/a.yaml``, or paths alone.
        files: The configuration files, as `kept_name` gives them.
        paths: The sweep's files.

    Returns:
        As many words; a file of the project is found in its code by the word as it is.
    """
    outside = [name for name in files if os.path.isabs(name)]  # noqa: PTH117 - texts
    copies = {name: str(_below(paths.configuration, Path(name))) for name in outside}
    told = []
    for word in words:
        name, _, value = word.partition("=")
        told.append(f"{name}={copies[value]}" if value in copies else copies.get(word, word))
    return told


def _below(top: Path, path: Path) -> Path:
    return top / path.relative_to(path.anchor)


def _write(place: Path, data: bytes, original: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    with contextlib.suppress(OSError):  # it was removed meanwhile
        place.chmod(stat.S_IMODE(original.stat().st_mode) | stat.S_IWUSR)


def _seen(file: Path, data: bytes) -> list[Path]:
    """Give the folders whose entries a file can mean: its own, and above as far as it says."""
    text = data.decode("utf-8", "replace")
    upward = max((found.count("..") for found in _UPWARD.findall(text)), default=0)
    return list(file.parents[: upward + 1])
