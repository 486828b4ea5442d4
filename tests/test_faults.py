"""Memory that runs out and calls that fail, at some places of each command (slow_faults.py: at all): a message, a status, nothing lost."""
import signal

import faults
import pytest

import small_job


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return faults.Bench(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", ["train", "resume", "sample", "sample h5", "analyze", "compare", "evaluate"])
def test_a_call_that_fails(bench, name):
    faults.assert_told(faults.try_all(bench, ["alloc", "close", "write", "sync", "rename", "open"], 2, names=[name]))


def test_kills(bench):
    """At some exact places (slow_kill_points.py: at 500)."""
    for ends in faults.try_all(bench, ["any"], 8, modes=("kill",), names=["train", "resume", "analyze"]).values():
        assert set(ends) <= {"killed", "held"}, ends


def test_a_crash_is_told(bench, tmp_path):
    """After every crash: a message, and the exit status of the signal."""
    words = small_job.command(tmp_path, *faults.JOB, settings=faults.TINY | {"training.steps": 1000000})
    code, errors = small_job.interrupt(words, small_job.appears(faults.result_of(tmp_path)), signal.SIGSEGV)
    assert code == -signal.SIGSEGV and errors.startswith("dualdiff: a crash."), errors
