"""What this process runs: the entry script, the modules of the project, a notebook's cells."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["entry_script", "live_cells", "running_files"]

_PACKAGE = Path(__file__).parents[2]
_STANDARD = os.path.join(os.path.dirname(os.__file__), "")  # noqa: PTH118, PTH120 - a final separator
_INSTALLED = frozenset(["site-packages", "dist-packages"])


def entry_script() -> Path | None:
    """Find the script that this process was started with.

    Returns:
        Its path, symbolic links resolved; for ``python -m`` the module's file. None for an
        interactive prompt, a notebook, ``python -c``, and for a program of the environment, such as
        pytest or ``thexp-pl``.
    """
    main = sys.modules.get("__main__")
    # The first is absolute; a debugger or profiler leaves the script's name in the second alone.
    for name in (getattr(main, "__file__", None), *sys.argv[:1]):
        if isinstance(name, str) and os.path.isfile(name):  # noqa: PTH113 - odd names are no errors
            path = Path(os.path.abspath(name))  # noqa: PTH100 - Path.absolute keeps `..`
            real = Path(os.path.realpath(path))
            if not _is_of_environment(path) and not _is_of_environment(real):
                return real
    return None


def running_files(project: Path) -> list[bytes]:
    """List the sources below a folder that this process runs: the script and loaded modules.

    Args:
        project: The folder.

    Returns:
        The files, as seen from the folder; none that was installed.
    """
    tops = tuple({os.path.join(top, "") for top in (str(project), os.path.realpath(project))})  # noqa: PTH118
    script = entry_script()
    # Not getattr: some modules import half a framework when they are asked for a name.
    names = [getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()]]
    sources = [name for name in names if isinstance(name, str) and name.endswith(".py")]
    found = set()
    for name in map(_straight, sources if script is None else [*sources, str(script)]):
        if name.startswith(tops) and not _is_installed(name):
            top = next(top for top in tops if name.startswith(top))
            found.add(os.fsencode(name[len(top) :]))
    return sorted(found)


def live_cells(redact: Callable[[str], str]) -> str | None:
    """Write down what was run in this notebook or IPython prompt, the cell that runs included.

    Args:
        redact: Takes secrets out of a cell.

    Returns:
        The cells in the order in which they ran; None where this is no IPython, or none ran.
    """
    # IPython is asked only where it is loaded: else this process cannot be one of its own.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells = getattr(shell, "user_ns", {}).get("In")
    if not isinstance(cells, list) or not any(isinstance(cell, str) and cell for cell in cells):
        return None
    ran = [(number, cell) for number, cell in enumerate(cells) if isinstance(cell, str) and cell]
    return "\n".join(f"# %% In [{number}]\n{redact(cell).rstrip()}\n" for number, cell in ran)


def _straight(name: str) -> str:
    """Take `..` out of a path, as where ``python ../train.py`` was called."""
    folder, base = os.path.split(name)  # a link keeps its own name
    return os.path.join(os.path.realpath(folder), base) if os.pardir in name else name  # noqa: PTH118


def _is_of_environment(path: Path) -> bool:
    programs = {
        os.path.dirname(sys.executable or ""),  # noqa: PTH120 - texts are compared
        *(os.path.join(prefix, "bin") for prefix in (sys.prefix, sys.base_prefix)),  # noqa: PTH118
        os.path.expanduser("~/.local/bin"),  # noqa: PTH111 - no error where there is no home
    }
    if str(path.parent) in programs | set(map(os.path.realpath, programs)):
        return True
    return _is_installed(str(path)) or _PACKAGE in path.parents


def _is_installed(name: str) -> bool:
    return name.startswith(_STANDARD) or not _INSTALLED.isdisjoint(Path(name).parts)
