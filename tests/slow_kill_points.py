"""A hundred exact kills (with DUALDIFF_THOROUGH=1 more than five hundred): right before the n-th call that changes files, or at the end of a page
within a write. After every kill the same command ends with the bits of an undisturbed run, and no complete file is lost."""
import faults
import pytest
from thorough import sized


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return faults.Bench(tmp_path_factory.mktemp("kills"))


@pytest.mark.parametrize("name, points, mode", [
    ("train", 270, "kill"), ("train", 60, "torn"), ("resume", 180, "kill"), ("resume", 30, "torn"), ("analyze", 140, "kill"),
    ("sample h5", 30, "kill"), ("sample", 15, "kill"), ("evaluate", 15, "kill"), ("compare", 10, "kill"),
])
def test_kills(bench, name, points, mode):
    table = faults.try_all(bench, ["write" if mode == "torn" else "any"], sized(max(2, points // 7), points), modes=(mode,), names=[name])
    for ends in table.values():
        assert set(ends) <= {"killed", "held"}, ends
