"""Calling git: with a time limit, in an environment of our own, several at once.

A command has a session of its own, so that it is ended with all that it has started; a key at the
terminal reaches the process that called it, which ends it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thexp_pl.errors import RecordError

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["Git", "GitError", "NoGitError"]

SECONDS = 120.0  # a file system that hangs must not hang the training
_ENDING_SECONDS = 1.0
_FAULTS = ("error:", "fatal:", "missing ")  # the last is what a check of objects prints
_ASIDE = ("notice:", "hint:", "warning:")


class NoGitError(RecordError):
    """There is no git program on this machine."""


class GitError(RecordError):
    """git could not do what it was asked for.

    Args:
        message: One line for the user.
        said: What git said, or how it ended, for a message of the caller's own.
    """

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said or message


class Git:
    """git at work in one folder, on the repository that its options and variables name.

    Nothing that the caller's environment says to git is passed on, and no command takes a lock
    that it could do without: the user's index stays as it is, byte for byte.

    Args:
        folder: Where the commands run.
        options: Options before the command, such as ``-c name=value``.
        variables: Environment variables for git.
        held: Descriptors that a command and all that it starts keep open, whatever becomes of this
            process: those of locks. It is asked for them when a command starts.
        patient: Wait for a command as long as it takes; False gives it two minutes.

    Raises:
        NoGitError: There is no git program.
    """

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        *,
        held: Collection[int] = (),
        patient: bool = False,
    ) -> None:
        program = shutil.which("git")
        if program is None:
            raise NoGitError(
                "there is no git program on this machine, so no snapshot of the code can be taken;"
                " install git"
            )
        self._command = (program, *options)
        self._folder = folder
        self._held = held
        self._patient = patient
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
            GitError: It failed, or took too long.
        """
        with self.started(*words) as command:
            return command.result(feed, may_end_with)

    @contextlib.contextmanager
    def started(self, *words: str | bytes) -> Iterator[Running]:
        """Start a command that works while others do.

        Args:
            *words: The command and its arguments.

        Yields:
            The command; it is ended with the block, and so is what it has started.

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
                pass_fds=tuple(self._held),
                start_new_session=True,
            )
        except OSError as error:
            raise GitError(
                f"cannot start git in {str(self._folder)!r}: {error.strerror or error};"
                " see that the folder and the program can be used"
            ) from error
        try:
            name = f"git {os.fsdecode(words[0])}"
            yield Running(process, name, self._folder, None if self._patient else SECONDS)
        finally:
            _end(process)


class Running:
    """A command of git that was started.

    Args:
        process: Its process.
        name: What a message calls it.
        folder: Where it runs.
        seconds: How long it may take; None for as long as it takes.
    """

    def __init__(
        self, process: Popen[bytes], name: str, folder: Path, seconds: float | None
    ) -> None:
        self._process = process
        self._name = name
        self._folder = folder
        self._seconds = seconds

    def result(self, feed: bytes = b"", may_end_with: Sequence[int] = (0,)) -> bytes:
        """Wait for its end.

        Args:
            feed: What it reads from its standard input.
            may_end_with: The exit codes that mean success.

        Returns:
            What it wrote to its standard output.

        Raises:
            GitError: It failed, or took too long.
        """
        import subprocess

        where = f"`{self._name}` in {str(self._folder)!r}"
        try:
            output, errors = self._process.communicate(feed, timeout=self._seconds)
        except subprocess.TimeoutExpired:
            raise GitError(
                f"{where} took more than {self._seconds:.0f} s; is the file system slow or away?"
            ) from None
        code = self._process.returncode
        if code not in may_end_with:
            said = _first_fault(code, errors, output)
            raise GitError(
                f"{where} failed: {said}; see whether the file system is full or limited", said
            )
        return output


def _first_fault(code: int, errors: bytes, output: bytes) -> str:
    if code < 0:  # a message, if any, is of before
        return f"it was ended by {_signal(-code)}"
    told, printed = (os.fsdecode(part[:100_000]).splitlines() for part in (errors, output))
    told = [line for line in told if not line.startswith(_ASIDE)]
    faults = [line for line in (*told, *printed) if line.startswith(_FAULTS)]
    return repr((faults or told or [f"it ended with {code}, and said nothing"])[0][:500])[1:-1]


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # one of those without a name
        return f"signal {number}"
    return f"{name} ({(signal.strsignal(number) or name).lower()})"


def _end(process: Popen[bytes]) -> None:
    import subprocess

    # Asked first: git removes what is half written. A process that waits for a dead file server
    # cannot be killed: it is left behind.
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, kind)
                process.wait(_ENDING_SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
