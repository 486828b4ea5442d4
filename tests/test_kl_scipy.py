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
    nats = np.log(len(generated)) - np.log(len(real) - 1) + real.shape[1] * np.mean(np.log(nu[good]) - np.log(rho[good]))
    return nats / np.log(2), np.count_nonzero(~good)


def by_program(tmp_path, real, generated, k):
    real.tofile(tmp_path / "real")
    generated.tofile(tmp_path / "generated")
    out = subprocess.run([PROGRAM, tmp_path / "real", tmp_path / "generated", str(k), str(real.shape[1])], check=True,
                         text=True, capture_output=True, timeout=60).stdout.split()
    return float(out[0]), int(out[1]), float(out[2])


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("points", [uniform, blobs, ring, on_a_grid])
def test_against_scipy(tmp_path, points, k):
    rng = np.random.default_rng(1)
    real, generated = (points(rng, n).astype(np.float32) for n in (REAL, GENERATED))
    begin = time.perf_counter()
    bits, zero = estimate(real, generated, k)
    scipy_seconds = time.perf_counter() - begin
    got, left_out, seconds = by_program(tmp_path, real, generated, k)
    print(f"{points.__name__}, k = {k}: {got} bit, {seconds} s (scipy {scipy_seconds:.3f} s)")
    assert got == pytest.approx(bits, abs=1e-12)
    assert left_out == zero


@pytest.mark.parametrize("dimensions", [1, 3, 8, 32])
def test_other_dimensions(tmp_path, dimensions):
    rng = np.random.default_rng(dimensions)
    real, generated = (rng.normal(size=(n, dimensions)).astype(np.float32) for n in (2000, 700))
    real[100:104] = real[7]
    bits, zero = estimate(real, generated, 4)
    got, left_out, _ = by_program(tmp_path, real, generated, 4)
    assert got == pytest.approx(bits, abs=1e-12 * dimensions)
    assert left_out == zero == 5


@pytest.mark.parametrize("dimensions", [1, 4])
def test_closed_form(tmp_path, dimensions):
    """Normal distributions, one moved by .5 in each coordinate: d .5^2 / 2 nat. In four dimensions the estimate's
    deviation is .03 bit."""
    rng = np.random.default_rng(5)
    real, generated = (rng.normal(at, 1, (20_000, dimensions)).astype(np.float32) for at in (0, 0.5))
    assert by_program(tmp_path, real, generated, 5)[0] == pytest.approx(dimensions / 8 / np.log(2), abs=0.1)
