"""Exact denoisers and densities of sets of any dimensions against quadrature, sums over the training distribution and
closed forms."""
import itertools
import os
import subprocess

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from datasets import points
from test_oracle_sets import BUILD, SOURCE
from test_truth_dimensions import Shape, mixture, settings

T = (0, 20, 99)


def oracle(name, t, x, data):
    """E[eps | x] (n, D) and the log density (n)."""
    words = [os.path.join(BUILD, "tests", "dump_oracle"), name, os.path.join(SOURCE, "configs", "run_0.toml"), str(t), *data]
    done = subprocess.run(words, input=np.ascontiguousarray(x, float).tobytes(), capture_output=True, timeout=60,
                          env=os.environ | {"DUALDIFF_LOG_DENSITY": "1"})
    assert done.returncode == 0, done.stderr.decode()
    out = np.frombuffer(done.stdout)
    return (out, None) if t < 0 else (out[:x.size].reshape(x.shape), out[x.size:])


ALPHA_BAR = oracle("dino", -1, np.zeros((0, 2)), [])[0]


def levels(t):
    return np.sqrt(ALPHA_BAR[t]), np.sqrt(1 - ALPHA_BAR[t])


def noised(x, t, seed=1):
    signal, noise = levels(t)
    return signal * x + noise * np.random.default_rng(seed).normal(size=x.shape)


def gaussians_from(x, t, weight, centre, covariance):
    """The definition for a mixture: the gradient of the log density, by dense matrices."""
    signal, noise = levels(t)
    logs, gradients = [], []
    for w, c, s in zip(weight, centre, covariance):
        of_t = signal**2 * s + noise**2 * np.eye(x.shape[1])
        logs.append(np.log(w) + stats.multivariate_normal(signal * c, of_t, allow_singular=True).logpdf(x))
        gradients.append(np.linalg.solve(of_t, (x - signal * c).T).T)
    logs = np.array(logs).reshape(len(weight), -1)
    total = logsumexp(logs, axis=0)
    return noise * np.einsum("kn,knd->nd", np.exp(logs - total), gradients), total


def cube_components(dimensions, sides):
    corners = np.array(list(itertools.product([-1., 1.], repeat=sides)))
    centre = np.pad(corners, ((0, 0), (0, dimensions - sides)))
    return np.full(len(centre), 1 / len(centre)), centre, np.tile(.01 * np.eye(dimensions), (len(centre), 1, 1))


def ring_components(dimensions, seed):
    """embedded:eight_gaussians: in its plane 3 (cos, sin) with N(0, .03^2), .02 in the other directions."""
    rotation = Shape(seed, 0).axes(dimensions, dimensions)
    angle = np.arange(8) * np.pi / 4
    centre = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ rotation[:2]
    variance = np.array([.03, .03] + [.02] * (dimensions - 2)) ** 2
    return np.full(8, 1 / 8), centre, np.tile(rotation.T * variance @ rotation, (8, 1, 1))


@pytest.mark.parametrize("name, dimensions, modes, rank", [
    ("gaussians", 1, 4, 0), ("gaussians", 3, 16, 0), ("gaussians", 32, 16, 0), ("subspaces", 3, 8, 1), ("subspaces", 3, 8, 2),
    ("subspaces", 32, 8, 4), ("hypercube", 3, 8, 0), ("hypercube", 32, 64, 0), ("hypercube", 4, 1, 0),
    ("embedded:eight_gaussians", 3, 0, 0), ("embedded:eight_gaussians", 32, 0, 0)])
@pytest.mark.parametrize("t", T)
def test_closed_form(name, dimensions, modes, rank, t):
    data = settings(dimensions=dimensions, modes=modes, rank=rank, seed=5)
    if name == "hypercube":
        components = cube_components(dimensions, int(np.log2(modes)))
    elif name.startswith("embedded"):
        components = ring_components(dimensions, 5)
    else:
        components = mixture(name, 5, dimensions, modes, rank)
    near = noised(points(name, 30, settings=data), t)
    x = np.concatenate([near, 2 * np.random.default_rng(2).normal(size=(10, dimensions))])
    found, log_density = oracle(name, t, x, data)
    expected, expected_log = gaussians_from(x, t, *components)
    # Far from everything, at little noise, both sides subtract logarithms of thousands.
    assert np.abs(found - expected).max() < 1e-8 * (1 + np.abs(expected).max())
    assert np.abs(log_density - expected_log).max() < 1e-8 * (1 + np.abs(expected_log).max())


@pytest.mark.parametrize("name, data", [
    ("gaussians", {}), ("subspaces", {"rank": 1}), ("hypercube", {}), ("embedded:moons", {})])
@pytest.mark.parametrize("t", [20, 99])
def test_points_of_the_set(name, data, t):
    """Monte Carlo in D = 3: the mean over points of the set, weighted by the density of the noise that leads to x."""
    words = settings(dimensions=3, seed=5, **data)
    prior = points(name, 200_000, settings=words)
    x = noised(points(name, 12, stream=1, settings=words), t)
    signal, noise = levels(t)
    found, log_density = oracle(name, t, x, words)
    for i, point in enumerate(x):
        eps = (point - signal * prior) / noise
        logs = -.5 * (eps**2).sum(axis=1)
        weight = np.exp(logs - logs.max())
        effective = weight.sum() ** 2 / (weight**2).sum()
        mean = weight @ eps / weight.sum()
        error = np.sqrt((weight**2) @ (eps - mean) ** 2) / weight.sum()
        assert np.all(np.abs(found[i] - mean) < 5 * error + 1e-9), (found[i], mean, error)
        log_mean = logsumexp(logs) - np.log(len(prior)) - 1.5 * np.log(2 * np.pi) - 3 * np.log(noise)
        assert abs(log_density[i] - log_mean) < 5 / np.sqrt(effective)


@pytest.mark.parametrize("name, dimensions, reach, cells", [
    ("gaussians", 2, 6, 300), ("hypercube", 2, 5, 200), ("dino", 2, 8, 300), ("checkerboard", 2, 8, 200),
    ("hypercube", 3, 5, 60), ("subspaces", 3, 6, 60), ("embedded:moons", 3, 8, 80)])
def test_quadrature(name, dimensions, reach, cells):
    """At the last timestep the density integrates to 1, and E[eps | x] to E[eps] = 0 and x E[eps | x] to noise I."""
    data = settings(dimensions=dimensions, seed=5)
    axis = np.linspace(-reach, reach, cells)
    x = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    found, log_density = oracle(name, 99, x, data)
    weight = np.exp(log_density) * (axis[1] - axis[0]) ** dimensions
    assert abs(weight.sum() - 1) < 1e-5
    assert np.abs(weight @ found).max() < 1e-5
    assert np.abs((x.T * weight) @ found - levels(99)[1] * np.eye(dimensions)).max() < 1e-4


@pytest.mark.parametrize("name", ["dino", "line", "moons", "checkerboard"])
def test_gradient(name):
    """E[eps | x] = -noise times the gradient of the log density: central differences, in the plane and embedded."""
    for data, place, words in (([], name, 2), (settings(dimensions=5, seed=3), f"embedded:{name}", 5)):
        x = noised(points(place, 20, settings=data), 30)
        found = oracle(place, 30, x, data)[0]
        step = 1e-4
        moved = (x[:, None, None] + step * np.array([1, -1])[:, None, None] * np.eye(words)).reshape(-1, words)
        logs = oracle(place, 30, moved, data)[1].reshape(len(x), 2, words)
        gradient = (logs[:, 0] - logs[:, 1]) / (2 * step)
        assert np.abs(found + levels(30)[1] * gradient).max() < 1e-5 * (1 + np.abs(found).max())
