"""Progress bars on real pseudo-terminals: the console log holds what remained visible of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

START = """
import atexit, os, signal, sys, time
from pathlib import Path
from thexp_pl.record.output import ConsoleCapture
if "plain" not in sys.argv:
    capture = ConsoleCapture(Path("console.log"), str)
    capture.start()
    atexit.register(capture.stop)
def wait_for(text):
    deadline = time.monotonic() + 180
    while text not in Path("console.log").read_text():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
"""


def shown_on_terminal(folder: Path, script: str, *arguments: str, code: int = 0) -> str:
    """Run a script on a terminal of 80 columns; give the bytes that came out."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(script), *arguments],
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(slave)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the last one has closed the terminal
        while piece := os.read(master, 65536):
            data += piece
    os.close(master)
    output = data.decode("utf-8")
    assert child.wait(timeout=180) == code, output
    return output


def kept(folder: Path) -> list[str]:
    return (folder / "console.log").read_text(encoding="utf-8").splitlines()


def test_a_tqdm_bar_leaves_its_last_state_below_its_messages(tmp_path: Path) -> None:
    output = shown_on_terminal(
        tmp_path,
        """
        from tqdm import tqdm
        for i in tqdm(range(50), desc="训练", mininterval=0, bar_format="{desc} {n}/{total} {bar}"):
            if i % 10 == 0:
                tqdm.write(f"message {i}")
        print("end")
        """,
    )
    assert output.count("\r训练") >= 50
    lines = kept(tmp_path)
    assert lines[:5] == [f"message {i}" for i in range(0, 50, 10)]
    assert lines[5].startswith("训练 50/50 ██████")
    assert lines[6:] == ["end"]


def test_several_tqdm_bars_leave_one_line_each(tmp_path: Path) -> None:
    shown_on_terminal(
        tmp_path,
        """
        from tqdm import tqdm
        form = {"mininterval": 0, "bar_format": "{desc} {n}/{total}"}
        for i in tqdm(range(3), desc="outer", **form):
            for j in tqdm(range(20), desc=f"inner {i}", position=1, leave=False, **form): pass
        print("then")
        bars = [tqdm(total=10, desc=f"bar {n}", position=n, **form) for n in range(3)]
        for step in range(10):
            for bar in bars: bar.update()
        for bar in bars: bar.close()
        print("end")
        """,
    )
    assert kept(tmp_path) == [
        "outer 3/3",
        "then",
        "bar 0 10/10",
        "bar 1 10/10",
        "bar 2 10/10",
        "end",
    ]


def test_rich_leaves_its_last_picture(tmp_path: Path) -> None:
    output = shown_on_terminal(
        tmp_path,
        """
        from rich.live import Live
        from rich.progress import Progress, TextColumn
        columns = TextColumn("[red]{task.description}"), TextColumn("{task.completed}")
        with Progress(*columns) as bars:
            one, other = bars.add_task("[b]one", total=50), bars.add_task("训练", total=50)
            for step in range(50):
                bars.update(one, advance=1)
                bars.update(other, advance=2)
                bars.refresh()
                if step % 25 == 0:
                    bars.console.print(f"[bold]note[/bold] {step}")
                    print("printed", step)
        with Live("a\\nb\\nc", transient=True) as live:
            for step in range(20):
                live.update(f"only\\nfor a time\\n{step}", refresh=True)
        print("end")
        """,
    )
    assert "\x1b[1A" in output
    assert "\x1b[31m" in output
    notes = ["note 0", "printed 0", "note 25", "printed 25"]
    assert kept(tmp_path) == [*notes, "one  50", "训练 100", "end"]


def test_our_own_inline_line_leaves_its_last_state(tmp_path: Path) -> None:
    output = shown_on_terminal(
        tmp_path,
        """
        from thexp_pl import Logger
        logger, other = Logger(adddate=False), Logger(adddate=False)
        for step in range(100):
            logger.inline("损失", step, prefix=f"{step}/100")
            if step % 50 == 0:
                other.info("message", step)
        logger.newline()
        print("end")
        """,
    )
    assert "\x1b[K" in output
    assert kept(tmp_path) == ["message - 0", "message - 50", "99/100 - 损失 - 99", "end"]


def test_a_bar_that_is_killed_leaves_its_last_state(tmp_path: Path) -> None:
    shown_on_terminal(
        tmp_path,
        """
        from tqdm import tqdm
        print("begin")
        form = {"mininterval": 0, "bar_format": "{n} of {total}"}
        bars = [tqdm(total=9, position=n, **form) for n in (0, 1)]
        for step in range(7):
            for bar in bars: bar.update()
        wait_for("7 of 9\\n7 of 9")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        code=-signal.SIGKILL,
    )
    assert kept(tmp_path) == ["begin", "7 of 9", "7 of 9"]


def test_the_terminal_sees_the_same_bytes_with_a_capture_and_without(tmp_path: Path) -> None:
    script = """
    from tqdm import tqdm
    from rich.console import Console
    print(sys.stdout.isatty(), sys.stderr.isatty(), sys.stdout.fileno(), sys.stderr.encoding)
    for i in tqdm(range(20), mininterval=0, bar_format="{desc} {n} {bar}"): tqdm.write(str(i))
    Console().print("[red]red[/red]", Console().size)
    import subprocess
    subprocess.run([sys.executable, "-c", "import sys; print(sys.stdout.isatty())"])
    sys.stdout.write("no end")
    """
    copied = shown_on_terminal(tmp_path, script)
    assert copied == shown_on_terminal(tmp_path, script, "plain")
    assert copied.startswith("True True 1 utf-8\r\n")


def test_a_terminal_that_hangs_up_takes_nothing_from_the_log(tmp_path: Path) -> None:
    master, slave = os.openpty()
    script = """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    print("begin")
    sys.stdin.read()
    for step in range(100):
        try:
            sys.stdout.write(f"step {step}\\n")
        except OSError:
            pass
    """
    child = subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=slave,
        stderr=subprocess.DEVNULL,
    )
    os.close(slave)
    seen = b""
    while not seen.endswith(b"\n"):
        seen += os.read(master, 1000)
    os.close(master)
    child.communicate(timeout=180)
    lines = kept(tmp_path)
    assert lines == ["begin", *(f"step {step}" for step in range(100))]


def test_bars_that_go_to_a_file_leave_one_line_each_too(tmp_path: Path) -> None:
    script = """
    from tqdm import tqdm
    for epoch in range(500):
        for _ in tqdm(range(5), desc=str(epoch), mininterval=0, bar_format="{desc} {n}"): pass
    """
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    assert done.stderr.count(b"\r") >= 5 * 500
    assert kept(tmp_path) == [f"{epoch} 5" for epoch in range(500)]
