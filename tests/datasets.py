"""What the tests of datasets share: run dump_dataset, read its points."""

import os
import subprocess

import numpy as np

PROGRAM = os.path.join(os.environ["DUALDIFF_BUILD"], "tests", "dump_dataset")


def run(name, n=100_000, seed=42, stream=0):
    return subprocess.run([PROGRAM, str(name), str(n), str(seed), str(stream)], capture_output=True, timeout=60)


def points(name, n=100_000, seed=42, stream=0):
    """(n, 2) in float64."""
    done = run(name, n, seed, stream)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, np.float32).reshape(-1, 2).astype(np.float64)
