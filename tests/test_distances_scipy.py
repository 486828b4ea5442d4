"""Density, coverage, sliced Wasserstein distance, MMD and mean distance against brute force in float64."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import wasserstein_distance

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "tests" / "dump_distances"


def measured(tmp_path, real, generated):
    real.tofile(tmp_path / "real")
    generated.tofile(tmp_path / "generated")
    done = subprocess.run([PROGRAM, tmp_path / "real", tmp_path / "generated"], capture_output=True, text=True, check=True)
    return dict(zip(("density", "coverage", "wasserstein", "mmd", "distance"), map(float, done.stdout.split())))


def blobs(rng, n):
    """Narrower than the narrowest kernel, as the dino's."""
    return rng.choice([-3.0, 0.0, 0.1, 2.5], (n, 2)) + rng.normal(0, 0.0111, (n, 2))


SETS = {
    "uniform": lambda rng, n: rng.uniform([-2, -4], [2, 4], (n, 2)),
    "blobs": blobs,
    "normal": lambda rng, n: rng.normal(0.3, 1.1, (n, 2)),
    "duplicates": lambda rng, n: rng.integers(-9, 9, (n, 2)),
    "far": lambda rng, n: rng.normal(0, 1, (n, 2)) * rng.choice([1, 1000], (n, 1)),
}


@pytest.mark.parametrize("real, generated, n, m", [
    ("uniform", "uniform", 1600, 1100), ("blobs", "blobs", 1537, 1537), ("blobs", "uniform", 900, 1700),
    ("normal", "uniform", 513, 511), ("duplicates", "duplicates", 700, 900), ("far", "normal", 1000, 600),
    ("normal", "far", 6, 2)])
def test_against_brute_force(tmp_path, real, generated, n, m):
    rng = np.random.default_rng(n + m)
    a, b = (SETS[name](rng, size).astype(np.float32) for name, size in ((real, n), (generated, m)))
    got = measured(tmp_path, a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    aa, bb, ab = cdist(a, a), cdist(b, b), cdist(a, b)

    radius = np.sort(aa + np.diag(np.full(n, np.inf)), axis=1)[:, 4]
    inside = ab <= radius[:, None]
    assert got["density"] == pytest.approx(inside.sum() / (5 * m), rel=1e-14)
    assert got["coverage"] == pytest.approx(inside.any(axis=1).mean(), rel=1e-14)

    directions = [np.array([np.cos(angle), np.sin(angle)]) for angle in np.pi * np.arange(128) / 128]
    sliced = np.mean([wasserstein_distance(a @ u, b @ u) for u in directions])
    assert got["wasserstein"] == pytest.approx(sliced, rel=1e-6, abs=1e-7 * np.abs(b).max())

    def kernel(d):
        return np.mean([np.exp(-d**2 / (2 * width**2)) for width in (2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16)], axis=0)

    mmd = ((kernel(aa).sum() - n) / (n * (n - 1)) + (kernel(bb).sum() - m) / (m * (m - 1)) - 2 * kernel(ab).mean())
    assert got["mmd"] == pytest.approx(mmd, abs=1e-6)
    assert got["distance"] == pytest.approx(pdist(b).mean(), rel=1e-6)
