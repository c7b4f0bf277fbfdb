"""A SLURM of one machine, for tests: its programs are this file under their names.

Real processes, whose states lie as files in the folder that FAKE_SLURM names: ``JOB_TASK`` holds a
state, ``JOB_TASK.step`` the number of the task's process, ``JOB_TASK.again`` asks for a requeue,
``calls`` what was called. An array runs as many tasks at a time as its ``%N`` says.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(os.environ.get("FAKE_SLURM", "."))
TICK = 0.02
IDLE = 400  # seconds: nothing of a test outlives it
LONGEST = 60  # the same, of what a job does once it is to end


def sbatch(words):
    if refusal := _text("refuses"):
        sys.exit(f"sbatch: error: {refusal}")
    text = Path(words[-1]).read_text()
    option = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.M))
    last, _, limit = option.get("array", "0-0%1").strip("'").partition("-")[2].partition("%")
    number = 100 + len(list(HERE.glob("*.sh")))
    script = HERE / f"{number}.sh"
    script.write_text(text)
    tasks = [f"{number}_{k}" for k in range(int(last) + 1)] if "array" in option else [f"{number}"]
    for task in tasks:
        _write(task, "PENDING")
    command = [sys.executable, __file__, "_controller", str(script), limit, *tasks]
    devnull = subprocess.DEVNULL
    subprocess.Popen(command, start_new_session=True, stdin=devnull, stdout=devnull, stderr=devnull)
    print(f"Submitted batch job {number}")


def _controller(words):
    script, limit, *tasks = words
    running, deadline = {}, time.monotonic() + IDLE
    while time.monotonic() < deadline:
        for task, process in list(running.items()):
            if process.poll() is not None:
                _ended(task, process.returncode)
                del running[task]
        waiting = [task for task in tasks if _text(task) == "PENDING"]
        if not waiting and not running:
            return
        if not (HERE / "full").exists():  # the cluster has room
            for task in waiting[: int(limit) - len(running)]:
                running[task] = _begun(task, script)
        time.sleep(TICK)


def _begun(task, script):
    array, _, index = task.partition("_")
    names = {"SLURM_JOB_ID": array, "SLURM_JOB_NAME": "sweep", "FAKE_SLURM_TASK": task}
    if index:
        names |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": index}
    _write(task, "RUNNING")
    log = (HERE / f"{task}.log").open("ab")
    return subprocess.Popen(["bash", script], env=os.environ | names, stdout=log, stderr=log)


def _ended(task, code):
    (HERE / f"{task}.step").unlink(missing_ok=True)
    again = HERE / f"{task}.again"
    if again.exists():
        again.unlink()
        _write(task, "PENDING")
    elif _text(task) != "CANCELLED":
        _write(task, "COMPLETED" if code == 0 else "FAILED")


def srun(words):
    files = {}
    while words[0].startswith("-"):
        name = words.pop(0)
        if name in ("--output", "--error"):
            files[name] = words.pop(0)
    task = os.environ["FAKE_SLURM_TASK"]
    array, _, index = task.partition("_")
    for number, name in ((1, "--output"), (2, "--error")):
        pattern = files[name].replace("%A", array).replace("%a", index)
        path = pattern.replace("%j", array).replace("%t", "0")
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    for name in ("PROCID", "LOCALID", "NODEID"):
        os.environ[f"SLURM_{name}"] = "0"
    os.environ |= {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "1"}
    _write(f"{task}.step", str(os.getpid()))
    os.execvp(words[0], words)


def squeue(words):
    if (HERE / "down").exists():
        sys.exit("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    name = next((word.removeprefix("--name=") for word in words if "--name" in word), "")
    for path in sorted(HERE.glob("[0-9]*")):
        batch = _text(f"{path.name.partition('_')[0]}.sh")
        if not path.suffix and (not name or f"--job-name={name}\n" in batch):
            print(f"{path.name}|{path.read_text()}")


def sacct(words):
    print(_text(words[words.index("-j") + 1]))


def scontrol(words):
    if words[:2] == ["show", "config"]:
        print(f"MaxArraySize            = {_text('largest_array') or 1001}")
    else:
        _write(f"{words[1]}.again", "")


def scancel(words):
    names = [word for word in words if word[0].isdigit()]
    number = next((word.removeprefix("--signal=") for word in words if "--signal" in word), "")
    for path in sorted(HERE.glob("[0-9]*")):
        if path.suffix or not {path.name, path.name.partition("_")[0]} & set(names):
            continue
        if not number:
            _write(path.name, "CANCELLED")
        if step := _text(f"{path.name}.step"):
            os.kill(int(step), signal.Signals[f"SIG{number}"] if number else signal.SIGTERM)
            if not number:
                _kill_after(path.name, 3)


def _kill_after(task, seconds):
    """Kill what is left of a job, wherever its processes have gone, as a control group does.

    On a busy machine its run may need longer than it is given to hear that it is to end.
    """
    if os.fork():
        return
    begun = time.monotonic()
    while step := _text(f"{task}.step"):
        over = time.monotonic() - begun
        if over > LONGEST or (over > seconds and not _has_child(step)):
            break
        time.sleep(TICK)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"FAKE_SLURM_TASK={task}\0".encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue
    os._exit(0)


def _has_child(number):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == number:
                return True
        except OSError:
            continue
    return False


def _text(name):
    try:
        return (HERE / name).read_text().strip()
    except FileNotFoundError:
        return ""


def _write(name, text):
    aside = HERE / f".{name}.{os.getpid()}"
    aside.write_text(text)
    aside.rename(HERE / name)


if __name__ == "__main__":
    program, *given = sys.argv[1:]
    if program[0] != "_":
        with (HERE / "calls").open("a") as file:
            file.write(f"{program} {' '.join(given)}\n")
    globals()[program](given)
