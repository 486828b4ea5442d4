"""The bits of short runs on the CPU are those of the committed table, bits.json.

A change that should not touch the numbers of training, sampling or measuring must leave the table as it is. A change
that should: make the table again, with a program that was built from the commit, and say why in the commit message:

    DUALDIFF_BUILD=build DUALDIFF_SOURCE=. .venv/bin/python tests/test_bits.py PROGRAM

What the table depends on beyond the program's source:
- the instruction set (DUALDIFF_ISA): sums have one order for each vector width, so each instruction set has separate rows;
- the compiler: it chooses where a product and a sum become one operation (-ffp-contract=fast in host/backend/cpu/kernels.c);
- the C library: exp, log, sin, cos and pow of other versions may differ in the last bit, and so even the datasets differ.
The number of threads is not among them.
"""
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import pytest

import small_job

SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
BUILD = Path(os.environ["DUALDIFF_BUILD"])
TABLE = SOURCE / "tests/bits.json"

# Every run on another dataset, as long as the experiment has enough of them.
RUNS = {"run_0": "circle", "run_1": "dino", "run_2": "line", "run_3": "moons", "run_4": "dino", "run_5": "moons",
        "mode_capture": "twentyfive_gaussians"}
THREADS = {"plain": [2], "avx2": [1, 2], "avx512": [1]}  # of each instruction set; the table is made with one
# More than one epoch, with its shorter last batch; a checkpoint on the way; the moving average at work.
SETTINGS = {"training.steps": 14, "training.checkpoint_every": 10, "training.gate_every": 2, "training.ema_start": 4,
            "training.ema_every": 3, "sampling.steps": 60, "evaluation.samples": 60, "evaluation.heldout": 200,
            "data.points": 1500}
GROUPS = {"losses": ["train"], "gate": ["gate/train"], "parameters": ["parameters/online"], "average": ["parameters/ema"],
          "samples": ["samples", "gate/sample"], "metrics": ["metrics"]}


def checksum(file, names):
    """Of every number under the named groups, in the order of their paths; times are left out."""
    found = {}
    for name in names:
        if name in file:
            file[name].visititems(lambda path, item, name=name: found.update({f"{name}/{path}": item})
                                  if isinstance(item, h5py.Dataset) and not path.endswith("_time") else None)
    total = hashlib.sha256()
    for path in sorted(found):
        total.update(path.encode() + b"\0" + found[path][()].tobytes())
    return total.hexdigest()[:16]


def short_run(program, run, isa, threads, out):
    """{group: checksum}, or None where this machine lacks the instruction set."""
    sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    done = subprocess.run([program, "train", SOURCE / f"configs/{run}.toml", "--dataset", RUNS[run], "--seeds", "3", *sets,
                           "--backend", "cpu", "--threads", str(threads), "--out", out], capture_output=True, text=True,
                          env={**os.environ, "DUALDIFF_ISA": isa}, timeout=120)
    if "does not have this instruction set" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    with h5py.File(Path(out) / run / RUNS[run] / "seed_3.h5") as file:
        return {group: checksum(file, names) for group, names in GROUPS.items()}


def surroundings():
    """What the bits depend on beyond the source, in words."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    compiler = re.search(r"CMAKE_C_COMPILER:\w+=(.*)", cache)[1]
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    return f"{platform.machine()}, {version}, {' '.join(platform.libc_ver())}"


@pytest.fixture(scope="module")
def table():
    table = json.loads(TABLE.read_text())
    if small_job.sanitized():
        pytest.skip("with the sanitizers the compiler contracts other operations")
    if platform.machine() != table["machine"]:
        pytest.skip(f"bits.json is of {table['machine']}")
    return table


@pytest.mark.parametrize("isa", THREADS)
@pytest.mark.parametrize("run", RUNS)
def test_short_run(tmp_path, table, run, isa):
    for threads in THREADS[isa]:
        bits = short_run(BUILD / "dualdiff", run, isa, threads, tmp_path / str(threads))
        if bits is None and isa != "plain":
            pytest.skip(f"no {isa} here")
        assert bits == table["bits"][run][isa], (
            f"{run} with {isa} and {threads} threads no longer gives the bits of bits.json, which was made with "
            f"{table['surroundings']}. Here: {surroundings()}. With the same compiler and C library a change of the source "
            "changed a result. With another one, build the commit that last changed bits.json here and compare with it "
            "before you look for a fault (the first lines of test_bits.py say how)")


def make_table(program):
    bits = {}
    for run in RUNS:
        bits[run] = {}
        for isa in THREADS:
            with tempfile.TemporaryDirectory() as out:
                bits[run][isa] = short_run(program, run, isa, 1, out)
            assert bits[run][isa], f"{isa}: make the table on a machine that has it"
    TABLE.write_text(json.dumps({"machine": platform.machine(), "surroundings": surroundings(), "bits": bits}, indent=1) + "\n")


if __name__ == "__main__":
    make_table(sys.argv[1])
