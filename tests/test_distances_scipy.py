"""Density, coverage, sliced Wasserstein distance, MMD, mean distance and copies against brute force in float64."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import reference
from scipy.spatial.distance import cdist, pdist
from scipy.stats import wasserstein_distance

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "tests" / "dump_distances"


def measured(tmp_path, real, generated):
    real.tofile(tmp_path / "real")
    generated.tofile(tmp_path / "generated")
    done = subprocess.run([PROGRAM, tmp_path / "real", tmp_path / "generated", str(real.shape[1])], capture_output=True,
                          text=True, check=True)
    return dict(zip(("density", "coverage", "wasserstein", "mmd", "distance", "copies"), map(float, done.stdout.split())))


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


def directions_of(dimensions):
    if dimensions == 1:
        return [np.ones(1)]
    if dimensions == 2:
        return [np.array([np.cos(angle), np.sin(angle)]) for angle in np.pi * np.arange(128) / 128]
    drawn = []
    for number in range(128):
        words = reference.philox(0, 12, number, np.arange((dimensions + 1) // 2)).astype(np.uint64)
        u, v = ((((words[:, i] << np.uint64(21)) ^ (words[:, i + 1] >> np.uint64(11))) + 0.5) * 2.0**-53 for i in (0, 2))
        radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
        normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:dimensions]
        drawn.append(normal / np.linalg.norm(normal))
    return drawn


def check(tmp_path, a, b):
    got = measured(tmp_path, a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    (n, dimensions), m = a.shape, len(b)
    aa, bb, ab = cdist(a, a), cdist(b, b), cdist(a, b)

    radius = np.sort(aa + np.diag(np.full(n, np.inf)), axis=1)[:, 4]
    inside = ab <= radius[:, None]
    assert got["density"] == pytest.approx(inside.sum() / (5 * m), rel=1e-14)
    assert got["coverage"] == pytest.approx(inside.any(axis=1).mean(), rel=1e-14)

    sliced = np.mean([wasserstein_distance(a @ u, b @ u) for u in directions_of(dimensions)])
    assert got["wasserstein"] == pytest.approx(sliced, rel=1e-6, abs=1e-7 * np.abs(b).max())

    def kernel(d):
        widths = np.sqrt(dimensions / 2) * np.array([2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
        return np.mean([np.exp(-d**2 / (2 * width**2)) for width in widths], axis=0)

    mmd = ((kernel(aa).sum() - n) / (n * (n - 1)) + (kernel(bb).sum() - m) / (m * (m - 1)) - 2 * kernel(ab).mean())
    assert got["mmd"] == pytest.approx(mmd, abs=1e-6)
    assert got["distance"] == pytest.approx(pdist(b).mean(), rel=1e-6)

    first, second = np.sort(cdist(b, a, "chebyshev"), axis=1)[:, :2].T
    assert got["copies"] == pytest.approx(((first == 0) | (3 * first < second)).mean(), rel=1e-14)


@pytest.mark.parametrize("real, generated, n, m", [
    ("uniform", "uniform", 1600, 1100), ("blobs", "blobs", 1537, 1537), ("blobs", "uniform", 900, 1700),
    ("normal", "uniform", 513, 511), ("duplicates", "duplicates", 700, 900), ("far", "normal", 1000, 600),
    ("normal", "far", 6, 2)])
def test_against_brute_force(tmp_path, real, generated, n, m):
    rng = np.random.default_rng(n + m)
    check(tmp_path, *(SETS[name](rng, size).astype(np.float32) for name, size in ((real, n), (generated, m))))


@pytest.mark.parametrize("dimensions", [1, 3, 8, 32])
def test_other_dimensions(tmp_path, dimensions):
    rng = np.random.default_rng(dimensions)
    check(tmp_path, *(rng.normal(at, 1, (size, dimensions)).astype(np.float32) for at, size in ((0, 600), (0.2, 517))))
