"""The exact denoiser of every generated set against quadrature in NumPy, with the set's definition written again here."""

import os
import subprocess

import numpy as np
import pytest
from test_dataset_definitions import circle_modes, dino_points
from test_dataset_sets import table

BUILD, SOURCE = os.environ["DUALDIFF_BUILD"], os.environ["DUALDIFF_SOURCE"]
LINEAR = []
COSINE = ["diffusion.schedule=cosine", "diffusion.timesteps=250"]


NO_POINTS = np.zeros((0, 2))


def program(name, t, settings, x=NO_POINTS):
    words = [os.path.join(BUILD, "tests", "dump_oracle"), name, os.path.join(SOURCE, "configs", "run_0.toml"), str(t)]
    done = subprocess.run(words + settings, input=x.tobytes(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, dtype=float)


def curve(points, sigma, weight=None):
    """A curve's points on a fine grid of its parameter, with noise: centres, weights, sigma."""
    weight = np.ones(len(points)) if weight is None else weight
    return points, weight / weight.sum(), np.broadcast_to(sigma, 2)


def polar(radius, angle):
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def nodes(low, high, panels):
    """Gauss-Legendre quadrature, 20 nodes a panel: nodes and weights, which sum to 1."""
    node, weight = np.polynomial.legendre.leggauss(20)
    start = np.arange(panels)[:, None]
    return low + (high - low) * ((start + (node + 1) / 2) / panels).ravel(), np.tile(weight / 2 / panels, panels)


def product(a, b):
    """All pairs, (n, 2), of two such rules, and their weights."""
    return np.stack(np.meshgrid(a[0], b[0]), axis=-1).reshape(-1, 2), np.outer(b[1], a[1]).ravel()


def circle_of(n):
    return 2 * np.pi * np.arange(n) / n


def atoms(name):
    """(centres, weights, sigma) of Gaussians that make up the set to about 1e-8 at the noise it is tested with."""
    if name == "circle":
        centre, share = circle_modes()
        pairs, weight = product(nodes(0, 0.09, 3), (circle_of(240), np.ones(240) / 240))
        points = (centre[:, None] + polar(pairs[:, 0], pairs[:, 1])).reshape(-1, 2)
        return points, np.outer(share, weight).ravel(), np.zeros(2)
    if name == "line":
        return *product(nodes(-2, 2, 10), nodes(-4, 4, 20)), np.zeros(2)
    if name == "checkerboard":
        points, weight = product(nodes(-4, 4, 16), nodes(-4, 4, 16))
        inside = np.floor(points / 2).sum(axis=1) % 2 == 0
        return curve(points[inside], 0, weight[inside])
    if name == "moons":
        angle, weight = nodes(0, np.pi, 60)
        outer = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
        return curve((np.concatenate([outer, inner]) + 0.3) * [2, 3] - 1, [0.06, 0.09], np.tile(weight, 2))
    if name == "swiss_roll":
        t, weight = nodes(1.5 * np.pi, 4.5 * np.pi, 120)
        return curve(polar(t / 4, t), 0.1, weight)
    if name == "two_spirals":
        t, weight = nodes(0, 3 * np.pi, 120)
        half = polar(t / 3, np.pi - t)
        return curve(np.concatenate([half, -half]), 0.1, np.tile(t * weight, 2))
    if name == "rings":
        return curve(np.concatenate([polar(0.75 * r, circle_of(1500)) for r in (1, 2, 3, 4)]), 0.08)
    if name == "pinwheel":
        u, weight = nodes(0, 1, 60)
        spread = np.minimum(u, 1 - u)
        density = np.where(spread < 1 / 3, 3 * spread**2, 0.5 - 6 * (u - 0.5) ** 2)
        r = 0.4 + 3.6 * u
        arms = [polar(r, 2 * np.pi * arm / 5 + r / 3) for arm in range(5)]
        return curve(np.concatenate(arms), 0.15, np.tile(weight * density, 5))
    if name == "dino":
        return curve(4 * (dino_points() / [54, 48] - 1), [4 * 0.15 / 54, 4 * 0.15 / 48])
    if name == "eight_gaussians":
        return curve(polar(3, np.arange(8) * np.pi / 4), 0.03)
    if name == "twentyfive_gaussians":
        return curve(2 * np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), axis=-1).reshape(-1, 2), 0.05)
    return curve(table(name), 0.012)


def exact(x, alpha_bar, centre, weight, sigma):
    """E[eps | x], by log-sum-exp over all atoms."""
    variance = alpha_bar * sigma**2 + 1 - alpha_bar
    out = np.empty_like(x)
    for i, point in enumerate(x):
        offset = point - np.sqrt(alpha_bar) * centre
        logs = np.log(weight) - 0.5 * (offset**2 / variance).sum(axis=1)
        mixture = np.exp(logs - logs.max())
        out[i] = np.sqrt(1 - alpha_bar) * (mixture @ offset) / mixture.sum() / variance
    return out


NAMES = ["circle", "dino", "line", "moons", "checkerboard", "eight_gaussians", "twentyfive_gaussians", "swiss_roll",
         "two_spirals", "rings", "pinwheel", "bunny", "pi", "music"]


@pytest.mark.parametrize("name", NAMES)
def test_against_quadrature(name):
    centre, weight, sigma = atoms(name)
    rng = np.random.default_rng(3)
    for settings, steps in ((LINEAR, [0, 3, 30, 99]), (COSINE, [0, 100, 249])):
        alpha_bar = program(name, -1, settings)
        for t in steps:
            if name in ("line", "checkerboard") and t < 30:
                continue
            a, b = np.sqrt(alpha_bar[t]), np.sqrt(1 - alpha_bar[t])
            true = centre[rng.choice(len(centre), 30, p=weight)] + sigma * rng.normal(size=(30, 2))
            x = np.concatenate([a * true + b * rng.normal(size=(30, 2)), rng.normal(size=(10, 2)) * 2])
            found = program(name, t, settings, x).reshape(-1, 2)
            error = np.abs(found - exact(x, alpha_bar[t], centre, weight, sigma)) / (1 + np.abs(found))
            # The last ten may lie ten deviations from everything, where quadrature errors (of both sides) weigh more.
            assert error[:30].max() < 1e-7 and error.max() < 3e-3, (settings, t, error.max(axis=1))
