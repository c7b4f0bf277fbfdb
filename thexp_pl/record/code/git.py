"""Calling git: with a time limit, in an environment of our own, several at once."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["Git", "GitError", "NoGitError"]

SECONDS = 120.0  # a file system that hangs must not hang the training
_ENDING_SECONDS = 1.0


class NoGitError(RecordError):
    """There is no git program on this machine."""


class GitError(RecordError):
    """git could not do what it was asked for."""


class Git:
    """git at work in one folder, on the repository that its options and variables name.

    Nothing that the caller's environment says to git is passed on, and no command takes a lock
    that it could do without: the user's index stays as it is, byte for byte.

    Args:
        folder: Where the commands run.
        options: Options before the command, such as ``-c name=value``.
        variables: Environment variables for git.

    Raises:
        NoGitError: There is no git program.
    """

    def __init__(
        self, folder: Path, options: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> None:
        program = shutil.which("git")
        if program is None:
            raise NoGitError(
                "there is no git program on this machine, so no snapshot of the code can be taken;"
                " install git"
            )
        self._command = (program, *options)
        self._folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_")
        }
        self._environment |= {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",  # messages are read
            **(variables or {}),
        }

    @classmethod
    def of_user(cls, folder: Path, tree: Path | None = None) -> Git:
        """Ask the user's own repository, with the user's own settings.

        Args:
            folder: A folder in its working tree.
            tree: The top of the working tree; None to let git find it. Where it is named, git
                neither goes on to a repository above if this one is damaged, nor refuses one of
                another owner.

        Returns:
            git there; no hook and no watching daemon is started.
        """
        places = () if tree is None else (f"--git-dir={tree / '.git'}", f"--work-tree={tree}")
        return cls(folder, (*places, "-c", "core.fsmonitor=false", "-c", "safe.directory=*"))

    def __call__(
        self, *words: str | bytes, feed: bytes = b"", may_end_with: Sequence[int] = (0,)
    ) -> bytes:
        """Run a command to its end.

        Args:
            *words: The command and its arguments.
            feed: What it reads from its standard input.
            may_end_with: The exit codes that mean success.

        Returns:
            What it wrote to its standard output.

        Raises:
            GitError: It failed, or took longer than two minutes.
        """
        with self.started(*words) as command:
            return command.result(feed, may_end_with)

    @contextlib.contextmanager
    def started(self, *words: str | bytes) -> Iterator[Running]:
        """Start a command that works while others do.

        Args:
            *words: The command and its arguments.

        Yields:
            The command; it is ended with the block.

        Raises:
            GitError: It cannot be started.
        """
        import subprocess  # 4 ms

        try:
            process = subprocess.Popen(
                [*self._command, *words],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise GitError(
                f"cannot start git in {str(self._folder)!r}: {error.strerror or error};"
                " see that the folder and the program can be used"
            ) from error
        try:
            yield Running(process, f"git {os.fsdecode(words[0])}", self._folder)
        finally:
            _end(process)


class Running:
    """A command of git that was started.

    Args:
        process: Its process.
        name: What a message calls it.
        folder: Where it runs.
    """

    def __init__(self, process: Popen[bytes], name: str, folder: Path) -> None:
        self._process = process
        self._name = name
        self._folder = folder

    def result(self, feed: bytes = b"", may_end_with: Sequence[int] = (0,)) -> bytes:
        """Wait for its end.

        Args:
            feed: What it reads from its standard input.
            may_end_with: The exit codes that mean success.

        Returns:
            What it wrote to its standard output.

        Raises:
            GitError: It failed, or took longer than two minutes.
        """
        import subprocess

        where = f"`{self._name}` in {str(self._folder)!r}"
        try:
            output, errors = self._process.communicate(feed, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise GitError(
                f"{where} took more than {SECONDS:.0f} s; is the file system slow or away?"
            ) from None
        if self._process.returncode not in may_end_with:
            raise GitError(
                f"{where} failed with {self._process.returncode}: {_first_fault(errors)};"
                " see what `git status` says there, and whether the disk is full"
            )
        return output


def _first_fault(errors: bytes) -> str:
    lines = os.fsdecode(errors).splitlines()
    faults = [line for line in lines if line.startswith(("error:", "fatal:"))]
    return repr((faults or lines or ["no message"])[0][:500])[1:-1]


def _end(process: Popen[bytes]) -> None:
    import subprocess

    if process.poll() is None:
        process.kill()
        # A process that waits for a dead file server cannot be killed: it is left behind.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING_SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
