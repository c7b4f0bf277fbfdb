"""The Saver: one folder of checkpoints, keypoints and models."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, SupportsIndex

from thexp_pl.errors import CheckpointError, UsageError
from thexp_pl.saver.best import Best
from thexp_pl.saver.holdings import Holdings
from thexp_pl.saver.listing import as_path
from thexp_pl.saver.lock import locked
from thexp_pl.saver.names import CHECKPOINT, KEYPOINT, MODEL
from thexp_pl.saver.pair import leftovers
from thexp_pl.saver.shelf import Request, Rows, Shelf
from thexp_pl.saver.snapshot import Snapshot, Stage

__all__ = ["Saver"]


class Saver(Holdings):
    """Saves states as checkpoints, keypoints and models, and loads only what is undamaged.

    The three take the same arguments. Only checkpoints rotate; a keypoint or a model stays until it
    is cleared. Names are thexp's: ``0000003.ckpt``, ``keep.0000003.ckpt``, ``model.0000003.pth``,
    each with ``<name>.json`` beside it; the digits before the last six count the repeats of an
    epoch. "Oldest" and "newest" go by the order of saving that the sidecars record, whatever the
    epochs, steps and file times are. A kill at any moment leaves every earlier pair, and the one
    being written either whole or not at all.

    With `background` a save returns once the state is copied, and a thread writes the copies in
    order. One may wait while one is written, the next save waits for that: the memory for it is
    at most two copies of the state's tensors on the CPU (pinned where they come from CUDA), kept
    for the saves to come until `close`. The file of a CUDA tensor then names the CPU. An error of
    a write is raised by the next save, which is made all the same, by `flush` or by `close`, and
    told on stderr where the process ends before. What only reads waits for the writes before it.
    A forked process writes nothing of what its parent gave; a process that ends by itself writes
    all.

    Args:
        dir: The folder; made if it is missing. Several processes may save into it, in turns.
        max_to_keep: How many checkpoints stay; None keeps all.
        run_key: The run to name in the sidecars.
        background: Write in a thread.
        on_commit: Called with the path of each file once it is there, in the thread if there is
            one.
        rows: Called at each save: which part of the run's metrics has been written by then, for the
            sidecar; `Experiment.kept_rows`.

    Raises:
        UsageError: `max_to_keep` is not None and not an integer of at least 1, or `dir` is no path.
        CheckpointError: The folder cannot be made or read.

    >>> import tempfile
    >>> saver = Saver(tempfile.mkdtemp(), max_to_keep=2)
    >>> for epoch in range(4):
    ...     path = saver.save_checkpoint(epoch, {"a": epoch}, {"loss": 1 / (epoch + 1)})
    >>> [path.name for path in saver.find_checkpoints()]
    ['0000002.ckpt', '0000003.ckpt']
    >>> saver.load_checkpoint(2), saver.checkpoint_info(-1, byindex=True)
    ({'a': 2}, {'loss': 0.25})
    """

    def __init__(
        self,
        dir: str | os.PathLike[str],
        max_to_keep: int | None = 3,
        *,
        run_key: str | None = None,
        background: bool = False,
        on_commit: Callable[[Path], object] | None = None,
        rows: Rows | None = None,
    ) -> None:
        if max_to_keep is not None and (type(max_to_keep) is not int or max_to_keep < 1):
            raise UsageError(
                f"max_to_keep={max_to_keep!r}: give an integer of at least 1, or None to keep all"
            )
        given = as_path(dir)
        try:
            self.dir = given.absolute()  # a later chdir must not move it
            self.dir.mkdir(parents=True, exist_ok=True)
            unfinished = bool(leftovers(self.dir))
        except OSError as error:
            raise CheckpointError(f"cannot make or read {given}: {error.strerror}") from error
        super().__init__(
            Shelf(self.dir, CHECKPOINT, run_key, on_commit, rows, max_to_keep),
            Shelf(self.dir, KEYPOINT, run_key, on_commit, rows),
            Shelf(self.dir, MODEL, run_key, on_commit, rows),
        )
        self._in_background = background
        self._stage = Stage()
        if unfinished:
            # while someone writes, or where only reading is allowed, this waits for the next save
            with contextlib.suppress(CheckpointError), locked(self.dir, "tidy", timeout_s=0):
                pass

    def save_checkpoint(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a checkpoint, then remove the oldest ones beyond `max_to_keep`.

        Args:
            epoch: 0 to 999999; it names the file.
            state: Whatever `torch.save` takes, tensors on any device.
            info: What goes into the sidecar; values that JSON has no word for are converted as
                `thexp_pl.jsonable` describes.
            replacement: Overwrite the latest checkpoint of this epoch instead of adding one.
            step: The number of training batches so far, for the record.

        Returns:
            The path of the new file. In the background it is the one that the file will have,
            unless another process takes the name first: then it gets the next repeat's.

        Raises:
            UsageError: The epoch or the info cannot be saved; nothing was written.
            CheckpointError: The disk refuses, or the state cannot be pickled; what was there
                before is still there. In the background also what went wrong with earlier saves.
        """
        return self._save(self._shelves[0], state, epoch, info, replacement, step)

    def save_keypoint(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a checkpoint that rotation never removes; see `save_checkpoint`."""
        return self._save(self._shelves[1], state, epoch, info, replacement, step)

    def save_model(
        self,
        epoch: SupportsIndex,
        state: Any,
        info: Mapping[str, Any] | None = None,
        replacement: bool = False,
        *,
        step: int | None = None,
    ) -> Path:
        """Save a final model, which rotation never removes; see `save_checkpoint`."""
        return self._save(self._shelves[2], state, epoch, info, replacement, step)

    def keep_best(self, monitor: str, mode: str = "min", n: int = 1) -> None:
        """Keep the best checkpoints besides the `max_to_keep` newest, from the next save on.

        The sidecars record it, so that another process finds the best one too.

        Args:
            monitor: The key of the info that says how good a checkpoint is. Its value counts if
                `float` takes it and it is finite: a Decimal, a Fraction, a tensor or an array of
                one element too, but neither truth nor text. The info then holds it as a plain
                number. A checkpoint without such a value is never the best.
            mode: ``"min"`` where smaller is better, ``"max"`` where greater is.
            n: How many of the best to keep.

        Raises:
            UsageError: An argument is none of these.

        >>> import tempfile
        >>> saver = Saver(tempfile.mkdtemp(), max_to_keep=1)
        >>> saver.keep_best("loss")
        >>> for epoch, loss in enumerate([0.5, 0.2, 0.4, 0.3]):
        ...     path = saver.save_checkpoint(epoch, {}, {"loss": loss})
        >>> [path.name for path in saver.find_checkpoints()], saver.best_checkpoint().name
        (['0000001.ckpt', '0000003.ckpt'], '0000001.ckpt')
        """
        if type(n) is not int or n < 1:
            raise UsageError(f"n={n!r}: give an integer of at least 1")
        self._checkpoints.keep_best(Best(monitor, mode), n)

    def flush(self) -> None:
        """Wait until all that was given is written.

        Raises:
            CheckpointError: Something of it could not be; told once. Or a signal handler, or the
                state's own pickling, asks for it in the midst of a save.
        """
        self._background.wait()
        self.check()

    def check(self) -> None:
        """Tell what could not be written so far, without waiting.

        Raises:
            CheckpointError: As `flush`.
        """
        self._background.surface()

    def close(self) -> None:
        """Flush, end the thread and let go of its memory; a later save begins anew.

        Raises:
            CheckpointError: As `flush`.
        """
        self._background.end()
        self._stage.clear()
        self.check()

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:  # that is the one to raise; what goes wrong here is told at the end of the process
            self._background.end()
            self._stage.clear()

    def __getstate__(self) -> dict[str, Any]:
        self._background.wait()
        return dict(self.__dict__)

    def _save(
        self,
        shelf: Shelf,
        state: Any,
        epoch: SupportsIndex,
        info: Mapping[str, Any] | None,
        replacement: bool,
        step: int | None,
    ) -> Path:
        request = shelf.request(epoch, info, replacement, step)
        if not self._in_background or self._background.is_current:
            return shelf.write(request, state)
        path = self._background.submit(
            partial(shelf.target, request), partial(self._prepare, shelf, request, state)
        )
        self.check()
        return path

    def _prepare(
        self, shelf: Shelf, request: Request, state: Any, path: Path
    ) -> Callable[[], None]:
        try:
            snapshot = self._stage.take(state)
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise CheckpointError(
                f"cannot save {path}: the state cannot be copied: {reason}"
            ) from error
        return partial(_write, shelf, request, snapshot, self._stage, path)


def _write(shelf: Shelf, request: Request, snapshot: Snapshot, stage: Stage, path: Path) -> None:
    try:
        shelf.write(request, snapshot.state(), path)
    finally:
        stage.give_back(snapshot)
