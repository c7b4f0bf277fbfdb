"""What a run keeps of files and code: held parts, data that it uses, key code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from thexp_pl.errors import UsageError
from thexp_pl.record import keycode
from thexp_pl.record.facts import Inputs
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.files import FileChanges, Listener
from thexp_pl.record.files.own import write_own
from thexp_pl.record.folders import record_error
from thexp_pl.record.names import shown
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.record.run_writer import RunWriter

__all__ = ["RunParts"]


class RunParts:
    """The part of an `Experiment` that is about files and code; it may be used before the start.

    Args:
        root: The experiment root.
        redactor: Takes secrets out of all that is written.
        tolerant: Takes the faults that come after the start.
    """

    def __init__(self, root: Path, redactor: Redactor, tolerant: Tolerant) -> None:
        self.root = root
        self._redactor = redactor
        self._tolerant = tolerant
        self._writer: RunWriter | None = None
        self._sources: dict[str, str] = {}
        self._held: list[tuple[Path, tuple[str, ...], bool]] = []
        self._listeners: list[tuple[Listener, tuple[str, ...]]] = []
        self._used_before: list[dict[str, Any]] = []
        self._make_parts()

    @property
    def paths(self) -> RunPaths:
        """The run's files."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether the run has started and not ended, and this is its process."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Go on with a run that has paused."""
        raise NotImplementedError

    def hold_exp_part(
        self,
        dir: str | os.PathLike[str],
        exts: Iterable[str] = (),
        observe: bool = True,
    ) -> Path:
        """Make a folder in the run's folder and have its files recorded.

        Args:
            dir: The folder, as seen from the run's.
            exts: Suffixes of the files to record, such as ``[".ckpt"]``; they count for all parts.
            observe: Whether files of this part are recorded.

        Returns:
            The folder.

        Raises:
            RecordError: It cannot be made.
            UsageError: It would be outside the run's folder, or a suffix has no dot.
        """
        part = Path(dir)
        if not part.parts or part.is_absolute() or ".." in part.parts or "\0" in str(part):
            name = shown(str(dir))
            raise UsageError(f"no part {name}: name a folder inside the run, such as 'log'")
        folder = self.paths.folder / part
        suffixes = (exts,) if isinstance(exts, str) else tuple(exts)
        self._wake()
        try:
            self._changes.hold(folder, suffixes, observe)
            self._held.append((folder, suffixes, observe))
        except OSError as error:
            raise record_error("make the part", folder, error) from error
        return folder

    def add_event_listener(self, func: Listener, exts: Iterable[str]) -> None:
        """Have a function told of the files in held parts that come, change or go.

        Args:
            func: Called as it happens, in a thread, with the file's path and ``"created"``,
                ``"modified"`` or ``"deleted"``; a moved file was deleted where it was.
            exts: The suffixes that it wants, such as ``[".png"]``.

        Raises:
            UsageError: A suffix does not begin with a dot.
        """
        suffixes = (exts,) if isinstance(exts, str) else tuple(exts)
        self._changes.listen(func, suffixes)
        self._listeners.append((func, suffixes))

    def uses(self, path: str | os.PathLike[str]) -> Path:
        """Record that the run uses a data file or a folder of them: its size and SHA-256.

        Args:
            path: The file or folder; it is read in the background.

        Returns:
            The path, to be opened.

        Raises:
            RecordError: There is no such file.
        """
        self._wake()
        self._inputs.uses(path)
        return Path(path)

    def keycode(self, member: Any = None) -> Any:
        """Keep the source of a function, a class or a module with the run.

        Args:
            member: The function, class or module; without it the result is a decorator.

        Returns:
            The member itself, or the decorator.
        """
        if member is None:
            return self.keycode
        self._tolerant(self._keep_source, member)
        return member

    def _keep_source(self, member: Any) -> None:
        name, source = keycode.source_of(member)
        self._sources[name] = source
        if self.running:
            keycode.write_source(self.paths.keycode, name, self._redactor.text(source))

    def _make_parts(self) -> None:
        self._changes = FileChanges(self._report_change, self._tolerant.tell)
        self._inputs = Inputs(self.root, self._redactor, self._report_inputs)

    def _renew_parts(self) -> None:
        """Begin anew where the parts were closed."""
        self._used_before = self._uses()
        self._make_parts()
        for folder, suffixes, observe in dict.fromkeys(self._held):
            self._tolerant(self._changes.hold, folder, suffixes, observe)
        for listener, suffixes in self._listeners:
            self._changes.listen(listener, suffixes)
        self._tolerant(self._changes.start)

    def _uses(self) -> list[dict[str, Any]]:
        return [*self._used_before, *self._inputs.facts()]

    def _start_parts(self) -> None:
        for name, source in self._sources.items():
            text = self._redactor.text(source)
            self._tolerant(keycode.write_source, self.paths.keycode, name, text)
        self._tolerant(self._changes.start)

    def _close_parts(self, *, is_end: bool) -> None:
        self._tolerant(self._changes.close)
        self._tolerant(self._inputs.close)
        if is_end:
            self._tolerant(write_own, self.paths, self._report_change)

    def _report_change(self, event: str, facts: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self._tolerant(self._writer.add_event, event, facts)

    def _report_inputs(self) -> None:
        if self._writer is not None:
            self._tolerant(self._writer.update, {"uses": self._uses()})
