"""What the tests of bits share: short runs on the CPU, digests of what they store, and what the bits depend on."""
import hashlib
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import h5py
import pytest

import small_job

SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
BUILD = Path(os.environ["DUALDIFF_BUILD"])
ISAS = ["plain", "avx2", "avx512"]

# Every run on another dataset, as long as the experiment has enough of them.
RUNS = {"run_0": "circle", "run_1": "dino", "run_2": "line", "run_3": "moons", "run_4": "dino", "run_5": "moons",
        "mode_capture": "twentyfive_gaussians"}
# More than one epoch, with its shorter last batch; a checkpoint on the way; the moving average at work.
SETTINGS = {"training.steps": 14, "training.checkpoint_every": 10, "training.gate_every": 2, "training.ema_start": 4,
            "training.ema_every": 3, "sampling.steps": 60, "evaluation.samples": 60, "evaluation.heldout": 200,
            "data.points": 1500}


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def datasets(file):
    """{path: values} of a file's datasets. Times and texts are left out."""
    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset) and not path.endswith("_time") and item.dtype.kind not in "OS":
            found[path] = item[()]

    file.visititems(visit)
    return found


def call(words, isa=None):
    """The finished process, or None where this machine lacks the instruction set."""
    environment = {**os.environ, **({"DUALDIFF_ISA": isa} if isa else {})}
    done = subprocess.run([str(word) for word in words], capture_output=True, env=environment, timeout=120)
    if b"does not have this instruction set" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr.decode()
    return done


def changed(settings):
    """The options that change a configuration."""
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def short_run(program, run, dataset, settings, isa, threads, out):
    """The path of its result, or None where this machine lacks the instruction set."""
    done = call([program, "train", SOURCE / f"configs/{run}.toml", "--dataset", dataset, "--seeds", "3", *changed(settings),
                 "--backend", "cpu", "--threads", threads, "--out", out], isa)
    return done and Path(out) / run / dataset / "seed_3.h5"


def surroundings():
    """What the bits depend on beyond the source, in words."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    compiler = re.search(r"CMAKE_C_COMPILER:\w+=(.*)", cache)[1]
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    return f"{platform.machine()}, {version}, {' '.join(platform.libc_ver())}"


def here():
    """The part of a table that says where its bits are from."""
    return {"machine": platform.machine(), "surroundings": surroundings()}


def read(path):
    """A table of bits; the test is skipped where its bits cannot be expected."""
    table = json.loads(path.read_text())
    if small_job.sanitized():
        pytest.skip("with the sanitizers the compiler contracts other operations")
    if platform.machine() != table["machine"]:
        pytest.skip(f"{path.name} is of {table['machine']}")
    return table


def advice(path, table):
    """What to think of bits that are not those of the table."""
    return (f"{path.name} was made with {table['surroundings']}. Here: {surroundings()}. With the same compiler and C library a "
            f"change of the source changed a result. With another one, build the commit that last changed {path.name} here and "
            "compare with it before you look for a fault (the first lines of the test say how)")
