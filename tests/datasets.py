"""Functions for the tests of datasets: run dump_dataset, read its points, compare them with distributions."""

import os
import subprocess

import numpy as np
from scipy import stats

PROGRAM = os.path.join(os.environ["DUALDIFF_BUILD"], "tests", "dump_dataset")


def run(name, n=100_000, seed=42, stream=0, header="auto", settings=(), **options):
    return subprocess.run([PROGRAM, str(name), str(n), str(seed), str(stream), header, *settings], capture_output=True,
                          timeout=60, **options)


def points(name, n=100_000, seed=42, stream=0, **options):
    """(n, D) in float64."""
    done = run(name, n, seed, stream, **options)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, np.float32).reshape(int(done.stderr.split()[-3]), -1).astype(np.float64)

def columns(name, choice="", drop=False, header="auto", **options):
    """A file of any width as --columns and --drop-incomplete read it: names, points (n, D) in float64, and the note."""
    done = subprocess.run([PROGRAM, str(name), "columns", choice, "drop" if drop else "keep", header], capture_output=True, timeout=60, **options)
    message = done.stderr.decode()
    assert done.returncode == 0, message
    *names, note = message.split("\n")[:-1]
    return names, np.frombuffer(done.stdout, np.float32).reshape(-1, len(names)).astype(float), note


P = 1e-4  # a correct generator fails with one seed in 10,000


def uniform(values, low, high):
    assert stats.kstest(values, "uniform", args=(low, high - low)).pvalue > P


def normal(values, sd):
    assert stats.kstest(values, "norm", args=(0, sd)).pvalue > P
    assert abs(np.std(values) / sd - 1) < stats.norm.isf(P / 2) / np.sqrt(2 * len(values))


def uncorrelated(a, b):
    """Neither the values nor their squares."""
    for f in (np.asarray, np.square):
        assert stats.pearsonr(f(a), f(b)).pvalue > P
