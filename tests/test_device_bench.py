"""bench/device.py, rehearsed on the substitute runtime with small sizes: every stage runs, a stage that fails does not stop the
next, and what was measured is in the files. Tools of a real device are played by scripts."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BUILD, SOURCE = Path(os.environ["DUALDIFF_BUILD"]), Path(os.environ["DUALDIFF_SOURCE"])
sys.path.insert(0, str(SOURCE / "bench"))
import device  # noqa: E402

# What ncu writes: a line for each kernel, after some that are no CSV.
NCU = """#!/bin/sh
cat >/dev/null
while [ "$1" != --log-file ]; do shift; done
{ echo "==PROF== Connected"; echo '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"'
  for kernel in warm counter_kernel first counter_kernel gather product; do
    echo "\\"0\\",\\"$kernel(int)\\",\\"gpu__time_duration.sum\\",\\"ns\\",\\"1,500\\""; done; } >"$2"
"""
SANITIZER = """#!/bin/sh
cat >/dev/null
[ "$2" = racecheck ] && exit 9
echo "========= ERROR SUMMARY: 0 errors"
"""


def rehearse(out, *options, path=""):
    done = subprocess.run([sys.executable, SOURCE / "bench" / "device.py", "--rehearse", BUILD, "--out", out, *options],
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PATH": path + os.environ["PATH"]})
    result = json.loads((out / "device-substitute-runtime.json").read_text())
    return done, {stage["name"]: stage for stage in result["stages"]}, (out / "device-substitute-runtime.md").read_text()


def tables(stage):
    return list(stage["tables"].values())


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """All stages, with the tools of a device, and a copy of SPEED.md that is filled."""
    folder = tmp_path_factory.mktemp("device")
    tools = folder / "tools"
    tools.mkdir()
    for name, text in ("ncu", NCU), ("compute-sanitizer", SANITIZER):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    speed = folder / "SPEED.md"
    speed.write_text((SOURCE / "bench" / "SPEED.md").read_text())
    return *rehearse(folder, "--fill", speed, path=f"{tools}:"), speed


def test_every_stage_runs(rehearsal):
    done, stages, text, _ = rehearsal
    assert list(stages) == list(device.STAGES)
    assert {name: stage["outcome"] for name, stage in stages.items() if stage["outcome"] != "done"} == {
        "build": "left out: the rehearsal takes a finished build"}
    assert done.returncode == 0, done.stderr
    for stage in stages.values():
        assert all(title in text for title in stage["tables"])


def test_figures(rehearsal):
    _, stages, _, _ = rehearsal
    assert tables(stages["tests"])[0]["rows"] == [["1", "0"]]
    assert [row[0] for row in tables(stages["graphs"])[0]["rows"]] == ["ordinary", "programmatic"]
    products = tables(stages["products"])[0]["rows"]
    assert len(products) == 3 * 6
    assert all(float(error) < (1e-3 if who == "cuBLAS, TF32" else 1e-6) for *_, who, _, error in products)
    speed = tables(stages["speed"])[0]["rows"]
    assert [row[:3] for row in speed] == [["run_1", r, kind] for r in (1, 2) for kind in device.KINDS]
    assert all(float(cell) > 0 for row in speed for cell in row[3:])
    calls = {row[0]: row for row in tables(stages["storing"])[0]["rows"]}
    # Two networks with two checkpoints: each flushes a file and a folder.
    assert int(calls["fsync and rename"][2]) >= 2 * 2 * 2
    assert all(int(row[2]) > 0 for row in calls.values())


def test_tools_of_a_device(rehearsal):
    _, stages, _, _ = rehearsal
    assert tables(stages["profile"])[0]["rows"] == [["gather", "1.50"], ["product", "1.50"]]
    assert [row[1] for row in tables(stages["sanitizer"])[0]["rows"]] == [
        "ERROR SUMMARY: 0 errors", "ERROR SUMMARY: 0 errors", "exit status 9: it said nothing"]


def test_estimates_are_filled(rehearsal):
    _, stages, _, speed = rehearsal
    rows = list(stages["speed"]["tables"].values())[1]["rows"]
    assert [bool(row[3]) for row in rows] == [True, False, False, False, True]
    text, before = speed.read_text(), (SOURCE / "bench" / "SPEED.md").read_text()
    for row in rows:
        assert "| " + " | ".join(row[:3]) + " |" in before
        assert "| " + " | ".join(row) + " |" in text or not row[3]


def test_a_failure_and_the_end_of_time(tmp_path):
    done, stages, _ = rehearse(tmp_path, "--stages", "graphs", "tests", path="/nowhere:")
    assert done.returncode == 0 and stages["graphs"]["outcome"] == "done"
    done, stages, text = rehearse(tmp_path, "--seconds", "0", "--stages", "graphs", "speed")
    assert done.returncode == 0 and {s["outcome"] for s in stages.values()} == {"left out: no time is left"} and "no time" in text
    machine = device.Machine(type("Arguments", (), {"rehearse": BUILD, "seconds": 100})())
    machine.bench = str(tmp_path / "missing")
    assert device.run_stage(machine, "graphs")["outcome"].startswith("failed: ")
    with pytest.raises(RuntimeError, match="stopped after 1 s"):
        machine.run(["sleep", "30"], 1)
