"""What the manifest tells of the machine and of the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from thexp_pl.record.facts import cgroup, environment_facts, gpus, machine_facts
from thexp_pl.record.redact import Redactor

GATHER = """
import json, os, sys, tempfile
from pathlib import Path
from thexp_pl.record.facts import environment_facts, machine_facts, package_facts, random_facts
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
paths = RunPaths(Path(sys.argv[1]), "e", "k")
paths.folder.mkdir(parents=True)
facts = machine_facts() | package_facts(paths, Redactor()) | environment_facts(Redactor())
facts |= random_facts(paths)
heavy = {"torch", "numpy", "pytorch_lightning", "psutil", "importlib.metadata"}
print(json.dumps({"facts": facts, "imported": sorted(heavy & sys.modules.keys())}))
"""


def test_gathering_everything_imports_no_library_that_the_script_did_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GATHER, str(tmp_path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told = json.loads(output)
    assert told["imported"] == []
    assert told["facts"]["platform"]["system"] == os.uname().sysname
    assert told["facts"]["random_states"]["generators"] == ["python"]


def test_the_machine_is_as_other_tools_see_it() -> None:
    facts = machine_facts()
    assert facts["platform"]["machine"] == os.uname().machine
    assert facts["cpu"]["memory"] == psutil.virtual_memory().total
    assert facts["cpu"]["model"]
    if facts["cpu"]["logical"] == os.cpu_count():
        assert facts["cpu"]["physical"] == psutil.cpu_count(logical=False)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_only_processors_that_the_process_may_use_are_counted() -> None:
    one = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{one}}})\n"
        "from thexp_pl.record.facts import machine_facts\n"
        "cpu = machine_facts()['cpu']; print(cpu['logical'], cpu['physical'])"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert output == b"1 1\n"


# control groups, of which this machine has only one kind


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroup, "_PROC", tmp_path / "cgroup")
    monkeypatch.setattr(cgroup, "_SYSTEM", tmp_path / "system")
    return tmp_path / "system"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_tightest_limit_of_the_groups_around_a_process_counts(groups: Path) -> None:
    put(groups.parent / "cgroup", "0::/slurm/job_1/step_0\n")
    put(groups / "slurm/job_1/step_0/cpu.max", "max 100000\n")
    put(groups / "slurm/job_1/cpu.max", "250000 100000\n")
    put(groups / "slurm/cpu.max", "800000 100000\n")
    put(groups / "slurm/job_1/memory.max", "4294967296\n")
    put(groups / "slurm/memory.max", "max\n")
    assert cgroup.cpu_limit() == 2.5
    assert cgroup.memory_limit() == 4 << 30


def test_limits_of_the_first_version_are_read_inside_a_container(groups: Path) -> None:
    # /proc names the group as the host sees it; the container has it at the top
    put(groups.parent / "cgroup", "4:memory:/docker/4f0c\n3:cpu,cpuacct:/docker/4f0c\n0::/\n")
    put(groups / "cpu,cpuacct/cpu.cfs_quota_us", "150000\n")
    put(groups / "cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    put(groups / "memory/memory.limit_in_bytes", "1073741824\n")
    assert cgroup.cpu_limit() == 1.5
    assert cgroup.memory_limit() == 1 << 30


@pytest.mark.parametrize("text", ["-1", "max 100000", "", "nonsense", "1 0", "\xff"])
def test_no_limit_and_nonsense_are_no_limit(groups: Path, text: str) -> None:
    put(groups.parent / "cgroup", "4:memory:/\n3:cpu:/\n0::/\nnonsense\n")
    put(groups / "cpu/cpu.cfs_quota_us", text)
    put(groups / "cpu.max", text)
    put(groups / "memory.max", text.replace("1 0", "max"))
    put(groups / "cpu/cpu.cfs_period_us", "100000")
    put(groups / "memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert cgroup.cpu_limit() is None
    assert cgroup.memory_limit() is None


# GPUs, where there is none


@pytest.fixture
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gpus, "_NVIDIA", tmp_path / "nvidia")
    monkeypatch.setattr(gpus, "_from_torch", list)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    return tmp_path


def test_gpus_are_read_from_the_driver(no_gpu: Path) -> None:
    put(
        no_gpu / "nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version: 12\n",
    )
    for number in (2, 1):
        put(
            no_gpu / f"nvidia/gpus/0000:0{number}:00.0/information",
            f"Model: \t\t NVIDIA H100\nIRQ: 1\nGPU UUID: \t GPU-{number}\nBus Type: PCIe\n",
        )
    assert gpus.gpu_list() == [
        {"name": "NVIDIA H100", "uuid": "GPU-1", "driver": "535.104.05"},
        {"name": "NVIDIA H100", "uuid": "GPU-2", "driver": "535.104.05"},
    ]


def smi(folder: Path, script: str) -> None:
    program = folder / "bin" / "nvidia-smi"
    put(program, f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_where_the_driver_shows_none_its_program_is_asked(no_gpu: Path) -> None:
    assert gpus.gpu_list() == []
    smi(no_gpu, "echo 'NVIDIA A100, GPU-1, 40960, 535.1'; echo 'NVIDIA T4, GPU-2, [N/A], 535.1'")
    assert gpus.gpu_list() == [
        {"name": "NVIDIA A100", "uuid": "GPU-1", "memory": 40 << 30, "driver": "535.1"},
        {"name": "NVIDIA T4", "uuid": "GPU-2", "driver": "535.1"},
    ]


@pytest.mark.parametrize("script", ["exit 9", "echo nonsense", "exec sleep 60", "kill -9 $$"])
def test_a_program_that_fails_or_hangs_is_no_gpu(
    no_gpu: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "_SMI_SECONDS", 0.3)
    smi(no_gpu, script)
    assert gpus.gpu_list() == []


@pytest.mark.gpu
def test_memory_is_told_once_torch_has_initialised_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    assert gpus.gpu_list()
    torch.cuda.init()
    total = torch.cuda.get_device_properties(0).total_memory
    assert total in [gpu.get("memory") for gpu in gpus.gpu_list()]


# environment variables


def test_variables_that_matter_are_there_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {
        "CUDA_VISIBLE_DEVICES": "0,1", "NCCL_DEBUG": "INFO", "OMP_NUM_THREADS": "4",
        "SLURM_JOB_ID": "17", "PL_GLOBAL_SEED": "1", "PYTHONHASHSEED": "0", "LOCAL_RANK": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "TORCHELASTIC_RUN_ID": "none", "MASTER_PORT": "1",
        "TZ": "Asia/Shanghai", "THEXP_NOTE": "数据",
    }  # fmt: skip
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOSTNAME", "here")
    monkeypatch.setenv("MAIL", "/var/mail")
    environment = environment_facts(Redactor())["environment"]
    assert kept.items() <= environment.items()
    assert not {"HOSTNAME", "MAIL", "PATH"} & environment.keys()


def test_secrets_among_them_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_TOKEN", "planted-1")
    monkeypatch.setenv("SLURM_COMMENT", "see https://me:planted-2@host, api_key=planted-3")
    monkeypatch.setenv("HF_TOKEN", "planted-4")
    monkeypatch.setenv("PYTHONPATH", "/home/planted-4/lib")
    environment = environment_facts(Redactor())["environment"]
    assert "planted" not in json.dumps(environment)
    assert environment["SLURM_COMMENT"].startswith("see https://")


def test_a_very_long_variable_does_not_fill_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/x" * 50_000)
    assert len(environment_facts(Redactor())["environment"]["PYTHONPATH"]) < 11_000
