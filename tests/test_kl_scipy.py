"""The KL estimate against an independent one: scipy's k-d tree in the maximum norm and NumPy's sums."""
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "tests" / "dump_kl"
REAL, GENERATED = 100_000, 10_000


def uniform(rng, n):
    return rng.uniform([-2, -4], [2, 4], (n, 2))


def blobs(rng, n):
    centres = np.random.default_rng(142).uniform(-4, 4, (142, 2))
    return centres[rng.integers(142, size=n)] + rng.normal(0, [0.0111, 0.0125], (n, 2))


def ring(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    return 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def on_a_grid(rng, n):
    return rng.integers(0, 120, (n, 2))


def estimate(real, generated, k):
    """KL(real || generated) in bits over the points without a zero distance, and how many have one."""
    real, generated = real.astype(np.float64), generated.astype(np.float64)
    rho = cKDTree(real).query(real, k=[k + 1], p=np.inf)[0][:, 0]
    nu = cKDTree(generated).query(real, k=[k], p=np.inf)[0][:, 0]
    good = (rho > 0) & (nu > 0)
    nats = np.log(len(generated)) - np.log(len(real) - 1) + 2 * np.mean(np.log(nu[good]) - np.log(rho[good]))
    return nats / np.log(2), np.count_nonzero(~good)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("points", [uniform, blobs, ring, on_a_grid])
def test_against_scipy(tmp_path, points, k):
    rng = np.random.default_rng(1)
    real, generated = (points(rng, n).astype(np.float32) for n in (REAL, GENERATED))
    real.tofile(tmp_path / "real")
    generated.tofile(tmp_path / "generated")
    begin = time.perf_counter()
    bits, zero = estimate(real, generated, k)
    scipy_seconds = time.perf_counter() - begin
    out = subprocess.run([PROGRAM, tmp_path / "real", tmp_path / "generated", str(k)], check=True, text=True,
                         capture_output=True, timeout=60).stdout.split()
    print(f"{points.__name__}, k = {k}: {out[0]} bit, {out[2]} s (scipy {scipy_seconds:.3f} s)")
    assert float(out[0]) == pytest.approx(bits, abs=1e-12)
    assert int(out[1]) == zero
