"""Calls that fail at every place of each command (of the many writes and allocations, at some dozens); `pytest -s` prints the table."""
import faults
import pytest


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return faults.Bench(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", ["train", "resume", "sample", "sample h5", "analyze", "compare", "evaluate"])
def test_every_call_fails_once(bench, name):
    faults.assert_told(faults.try_all(bench, ["close", "sync", "rename", "open"], None, names=[name]))
    faults.assert_told(faults.try_all(bench, ["write"], 60, names=[name]))


@pytest.mark.parametrize("name", ["train", "resume", "sample", "sample h5", "analyze", "compare", "evaluate"])
def test_memory_runs_out(bench, name):
    faults.assert_told(faults.try_all(bench, ["alloc"], 60, modes=("once", "on"), names=[name]))
