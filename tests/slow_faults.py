"""Calls that fail at about 150 places, evenly spread over the commands and kinds. With DUALDIFF_THOROUGH=1 at every place (of the many writes and
allocations, at some dozens); `pytest -s` prints the table."""
import faults
import pytest
from thorough import sized


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return faults.Bench(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", ["train", "resume", "sample", "sample h5", "analyze", "compare", "evaluate"])
def test_every_call_fails_once(bench, name):
    faults.assert_told(faults.try_all(bench, ["close", "sync", "rename", "open"], sized(3, None), names=[name]))
    faults.assert_told(faults.try_all(bench, ["write"], sized(4, 60), names=[name]))


@pytest.mark.parametrize("name", ["train", "resume", "sample", "sample h5", "analyze", "compare", "evaluate"])
def test_memory_runs_out(bench, name):
    faults.assert_told(faults.try_all(bench, ["alloc"], sized(3, 60), modes=("once", "on"), names=[name]))
