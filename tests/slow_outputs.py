"""More races of two writers for one file than test_outputs.py has: 10, with DUALDIFF_THOROUGH=1 50 for each kind of file."""
import pytest
from test_outputs import race, run, runs  # noqa: F401 (fixtures)
from thorough import sized


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.h5"])
def test_two_writers_of_one_file(run, tmp_path, name):  # noqa: F811
    race(run, tmp_path / name, sized(10, 50), points=20000)
