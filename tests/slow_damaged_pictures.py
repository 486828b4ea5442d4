"""The same as test_damaged_pictures.py with more cases: dozens of damaged files of a run and of an analysed run, with all three commands. With
DUALDIFF_THOROUGH=1 thousands."""
import subprocess

import pytest

import damage
from small_job import PROGRAM, SMALL, command, run
from thorough import sampled, sized
from test_damaged_pictures import ERR_IO, GOOD, NEEDED, check_folder, dualdiff

ANALYSED = "analysis/map", "analysis/by_timestep/loss", "analysis/by_region/loss", "analysis/data/x", "analysis/trajectory/x"


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    out = tmp_path_factory.mktemp("analysed")
    run(command(out, "--dataset", "line", settings=SMALL | {"training.steps": 150}))
    path = next(out.glob("*/line/seed_0.h5"))
    subprocess.run([PROGRAM, "analyze", path, "--threads", "1"], check=True, capture_output=True)
    return path


def test_bits(tmp_path):
    """Each file with a flipped bit is either drawn or named in the message."""
    paths = damage.planted(tmp_path / "runs", GOOD, {"good": lambda path: None} | damage.flips(GOOD, sized(300, 2000)) | damage.truncations(GOOD, sized(40, 100)))
    said = dualdiff("compare", tmp_path / "runs", "--reference", tmp_path / "reference", status=ERR_IO, timeout=1000)
    named = check_folder(tmp_path, paths, [name for name in paths if name.startswith("cut_")], said)
    for name, path in paths.items():
        assert (str(path) in named) != (tmp_path / "reference" / name / "all_results.pkl").exists()


@pytest.mark.parametrize("command_name", ["plot", "report"])
def test_odd_values(tmp_path, command_name):
    """Numbers that are no numbers, or no sensible ones: drawn, without a fault."""
    bad, odd = damage.changes(GOOD, NEEDED)
    bad, odd = sampled(bad, 8), sampled(odd, 12)
    paths = damage.planted(tmp_path, GOOD, {"good": lambda path: None} | bad | odd)
    said = dualdiff(command_name, tmp_path, status=ERR_IO, timeout=1000)
    assert "could not be drawn" not in said
    check_folder(tmp_path, paths, bad, said)


@pytest.mark.parametrize("command_name", ["plot", "report"])
def test_analysed(tmp_path, analysed, command_name):
    bad, odd = damage.changes(analysed, ANALYSED)
    odd |= {name: bad.pop(name) for name in list(bad) if not any(part in name for part in ("map.x", "weight", "noise", "disagreement", "loss_gated", "data.x", "trajectory.x"))}
    bad, odd = sampled(bad, 6), sampled(odd, 7)
    paths = damage.planted(tmp_path, analysed, {"good": lambda path: None} | bad | odd | damage.flips(analysed, sized(4, 60)))
    said = dualdiff(command_name, tmp_path, status=ERR_IO, timeout=1100)
    assert "could not be drawn" not in said
    check_folder(tmp_path, paths, bad, said)
