"""What may be said of SLURM's jobs, and what is refused before any is submitted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slurm_helpers import OPTIONS, start_slurm

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.engines.slurm import SlurmEngine
from thexp_pl.sweeps.engines.slurm.handed import Handed, read_jobs, read_outcome, write_jobs
from thexp_pl.sweeps.engines.slurm.options import job_options


def parameters(**given: str) -> dict[str, Any]:
    told = job_options({**OPTIONS, **given}, cpus=1, gpus=2).named("sweep-1")
    return {**told.executor, **told.parameters}


def test_values_are_of_the_kinds_that_submitit_names() -> None:
    told = parameters(
        mem_gb="7.5",
        account="0070",
        exclusive="true",
        setup='["module load cuda"]',
        additional_parameters='{"reservation": "r"}',
        max_num_timeout="50",
        signal_delay_s="120",
    )
    assert told["mem_gb"] == 7.5
    assert told["slurm_account"] == "0070"
    assert told["slurm_exclusive"] is True
    assert told["slurm_setup"] == ["module load cuda"]
    assert told["slurm_additional_parameters"] == {"requeue": True, "reservation": "r"}
    assert told["slurm_max_num_timeout"] == 50
    assert told["slurm_signal_delay_s"] == 120
    assert (told["gpus_per_node"], told["name"]) == (2, "sweep-1")


def test_jobs_that_have_a_name_keep_it() -> None:
    assert parameters(name="mine")["name"] == "mine"
    assert "name" not in parameters(job_name="mine")


def test_who_forbids_requeues_is_obeyed() -> None:
    told = parameters(additional_parameters='{"no-requeue": true}')
    assert told["slurm_additional_parameters"] == {"no-requeue": True}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("partitoin", "gpu", r"--slurm\.partitoin: .*did you mean 'partition'\?"),
        ("mem_gb", "8GB", r"--slurm\.mem_gb='8GB' is not a number"),
        ("timeout_min", "1.5", r"--slurm\.timeout_min='1\.5' is not a whole number"),
        ("use_srun", "maybe", r"--slurm\.use_srun='maybe' is not true or false"),
        ("setup", "module load", r"--slurm\.setup='module load' is not a list in JSON"),
        ("additional_parameters", "[1]", r"is not an object in JSON"),
        ("nodes", "2", r"--slurm\.nodes='2': each run has one node"),
        ("tasks_per_node", "2", r"each run is one task; --gpus_per_run"),
        ("array_parallelism", "2", r"-j N says"),
        ("cluster", "slrum", r"--slurm\.cluster='slrum' is none of .* mean 'slurm'\?"),
        ("x\x1b[31m", "1", r"--slurm\.x\\x1b\[31m: submitit has no such .* it has partition"),
        ("", "1", r"--slurm\.: submitit has no such"),
        ("setup", "[1]", r"--slurm\.setup='\[1\]' is not a list in JSON"),
        ("timeout_min", "0", r"--slurm\.timeout_min=0: .* at least 1 \(0 is no limit\)"),
        ("timeout_min", "-3", r"--slurm\.timeout_min=-3: .* at least 1"),
        ("timeout_min", "1", r"--slurm\.timeout_min=1: .* 90 s before its limit"),
        ("signal_delay_s", "300", r"--slurm\.timeout_min=5: .* 300 s before its limit"),
        ("signal_delay_s", "-1", r"--slurm\.signal_delay_s=-1: .* at least 0"),
        ("mem_gb", "-4", r"--slurm\.mem_gb=-4\.0: .* at least 0"),
        ("mem_gb", "nan", r"--slurm\.mem_gb=nan: "),
        ("max_num_timeout", "-1", r"--slurm\.max_num_timeout=-1: .* at least 0"),
        ("partition", "a\ntouch b; #", r"--slurm\.partition='a\\ntouch b; #': a line break"),
        ("name", "a\rb", r"--slurm\.name='a\\rb': a line break"),
    ],
)
def test_what_submitit_does_not_know_is_refused_in_one_line(
    name: str, text: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        parameters(**{name: text})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('{"requeue": false}', r"requeue=False: .*no-requeue"),
        ('{"signal": "USR1@3"}', r"signal is .*--slurm\.signal_delay_s"),
        ('{"array": "0-3%4"}', r"array is .*-j N"),
        ('{"output": "/tmp/x"}', "output is .*the sweep's folder"),
        ('{"open_mode": "truncate"}', "open_mode is .*the sweep's folder"),
        ('{"ntasks": 2}', "ntasks is .*one task"),
        ('{"time": 9}', r"time is .*--slurm\.timeout_min"),
        ('{"reservation": "a\\ntouch b"}', r"reservation='a\\ntouch b': a line break"),
        ('{"a\\ntouch b": "c"}', ".* is no option of sbatch"),
        ('{"hold": false}', "hold='False': it is a text, a number or true"),
    ],
)
def test_what_the_sweep_needs_of_sbatch_is_not_overridden(more: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"^--slurm\.additional_parameters: {said}"):
        parameters(additional_parameters=more)


@pytest.mark.parametrize(("cpus", "gpus"), [(0, 0), (-1, 0), (1, -1)])
def test_a_job_has_cpus_and_no_negative_gpus(cpus: int, gpus: int) -> None:
    with pytest.raises(UsageError, match=r"^--[cg]pus_per_run=(0|-1): it is a number of at least"):
        SlurmEngine(options=OPTIONS, cpus_per_run=cpus, gpus_per_run=gpus)


def test_slurm_has_to_be_told_how_long_a_job_may_last() -> None:
    with pytest.raises(UsageError, match=r"say --slurm\.timeout_min=MINUTES"):
        job_options({"partition": "gpu"}, cpus=1, gpus=0)
    assert job_options({"cluster": "local"}, cpus=1, gpus=0).cluster == "local"


def test_without_submitit_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("submitit.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "submitit", None)  # as Python finds it where there is none
    with pytest.raises(UsageError, match=r"--engine slurm needs .*pip install 'thexp-pl\[slurm\]'"):
        parameters()


def test_a_machine_without_sbatch_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"no sbatch on PATH: .*--slurm\.cluster=local"):
        SlurmEngine(options=OPTIONS).check(tmp_path)
    SlurmEngine(options={"cluster": "local"}).check(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [("100%a", "SLURM reads a % in the path"), ("a\ntouch b\n", "a line break in the path")],
)
def test_a_root_whose_path_slurm_would_change_is_refused(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        SlurmEngine(options={"cluster": "local"}).check(tmp_path / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("cluster", ["local", "debug"])
def test_gpus_that_this_machine_has_not_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    SlurmEngine(options={"cluster": cluster}, gpus_per_run=1).check(tmp_path)
    with pytest.raises(UsageError, match=r"--gpus_per_run=2: this process sees 1 GPUs \(0\)"):
        SlurmEngine(options={"cluster": cluster}, gpus_per_run=2).check(tmp_path)


def test_a_slurm_that_lacks_a_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_slurm(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin" / "scontrol").unlink()
    with pytest.raises(UsageError, match="no scontrol on PATH"):
        SlurmEngine(options=OPTIONS).check(tmp_path)


_POINTS = st.integers(0, 10**6)
_JOBS = st.from_regex(r"[0-9]{1,8}(_[0-9]{1,4})?", fullmatch=True)


@given(st.dictionaries(_POINTS, _JOBS, max_size=20))
def test_which_job_runs_which_point_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, numbers: dict[int, str]
) -> None:
    path = tmp_path_factory.mktemp("jobs") / "jobs.json"
    jobs = {point: Handed(point, job) for point, job in numbers.items()}
    write_jobs(path, jobs)
    assert read_jobs(path) == jobs


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schema", "jobs", "point", "job", "token", "code", "reason"]), inner
        )
    ),
    max_leaves=12,
)


@given(_ANYTHING)
def test_whatever_lies_there_is_read_without_harm(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.mktemp("jobs") / "jobs.json"
    path.write_text(json.dumps({"schema": 1, "jobs": value} if isinstance(value, list) else value))
    assert isinstance(read_jobs(path), dict)
    point, code, reason = read_outcome(path, 3)
    assert point == 3
    assert code is None or type(code) is int
    assert isinstance(reason, str)
