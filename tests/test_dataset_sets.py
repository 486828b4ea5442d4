"""The generated sets of the literature on mode capture, and the drawings, against their definitions.

Seeds are fixed, so a test passes always or never; bounds are where a right generator would fall outside once in 10,000
seeds.
"""

import os
import re

import numpy as np
import pytest
from datasets import P, normal, points, uncorrelated, uniform
from scipy import stats

N = 100_000
DRAWINGS = {"bunny": 517, "cat": 263, "dog": 542, "gorilla": 1511, "music": 1137, "panda": 689, "pi": 304, "python": 745,
            "sheep": 452, "soccer_ball": 2219, "superdatascience": 2061}


def gaussians(name, centres, sd):
    """Equal shares, normal noise about the centres."""
    p = points(name)
    offset = p[:, None, :] - centres
    mode = np.square(offset).sum(axis=2).argmin(axis=1)
    assert stats.chisquare(np.bincount(mode, minlength=len(centres))).pvalue > P
    own = offset[np.arange(N), mode]
    normal(own[:, 0], sd)
    normal(own[:, 1], sd)
    uncorrelated(own[:, 0], own[:, 1])
    uncorrelated(mode.astype(float), own[:, 0])


def test_eight_gaussians():
    angle = np.arange(8) * np.pi / 4
    gaussians("eight_gaussians", 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.03)


def test_twentyfive_gaussians():
    side = np.array([-4, -2, 0, 2, 4])
    gaussians("twentyfive_gaussians", np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2), 0.05)


def test_checkerboard():
    p = points("checkerboard")
    assert np.abs(p).max() <= 4
    column, row = np.minimum((p + 4) // 2, 3).astype(int).T
    assert np.all((column + row) % 2 == 0)
    counts = np.bincount(4 * column + row, minlength=16)
    assert stats.chisquare(counts[counts > 0]).pvalue > P and np.count_nonzero(counts) == 8
    inside = (p + 4) % 2
    uniform(inside[:, 0], 0, 2)
    uniform(inside[:, 1], 0, 2)
    uncorrelated(*inside.T)


def test_rings():
    """Across a ring the noise is normal but for its curvature, which shows in the smallest: there the distance from the
    origin is Rice distributed."""
    p = points("rings")
    radius, angle = np.hypot(*p.T), np.arctan2(p[:, 1], p[:, 0])
    ring = np.clip(np.round(radius / 0.75).astype(int), 1, 4)
    assert stats.chisquare(np.bincount(ring, minlength=5)[1:]).pvalue > P
    for r in (1, 2, 3, 4):
        of = radius[ring == r]
        assert stats.kstest(of, "rice", args=(0.75 * r / 0.08, 0, 0.08)).pvalue > P
        uniform(angle[ring == r], -np.pi, np.pi)


def against_curve(p, curve, density, sd):
    """Every point lies on the curve plus noise: compare projections on many directions with simulated ones."""
    rng = np.random.default_rng(7)
    other = curve(density(rng)) + rng.normal(0, sd, p.shape)
    for angle in np.linspace(0, np.pi, 12, endpoint=False):
        direction = [np.cos(angle), np.sin(angle)]
        assert stats.ks_2samp(p @ direction, other @ direction).pvalue > P / 12
    cells = [np.histogram2d(*q.T, bins=30, range=[[-4.5, 4.5]] * 2)[0].ravel() for q in (p, other)]
    full = sum(cells) > 20
    assert stats.chi2_contingency(np.stack(cells)[:, full]).pvalue > P
    assert all(np.hypot(*q.T).max() < 5 for q in (p, other))


def test_swiss_roll():
    def curve(t):
        return np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 4

    against_curve(points("swiss_roll"), curve, lambda rng: rng.uniform(1.5 * np.pi, 4.5 * np.pi, N), 0.1)


def test_two_spirals():
    def curve(t):
        return np.stack([-np.abs(t) * np.cos(t) * np.sign(t), t * np.sin(np.abs(t))], axis=1) / 3

    against_curve(points("two_spirals"), curve,
                  lambda rng: rng.choice([-1, 1], N) * 3 * np.pi * np.sqrt(rng.uniform(size=N)), 0.1)


def test_pinwheel():
    def curve(place):
        arm, r = place
        angle = 2 * np.pi * arm / 5 + r / 3
        return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)

    against_curve(points("pinwheel"), curve,
                  lambda rng: (rng.integers(5, size=N), 0.4 + 3.6 * rng.uniform(size=(3, N)).mean(axis=0)), 0.15)


def table(name):
    """The table of host/data/shapes/<name>.h in scaled coordinates, (n, 2)."""
    with open(os.path.join(os.environ["DUALDIFF_SOURCE"], "host", "data", "shapes", name + ".h")) as file:
        return np.array(re.findall(r"\{(-?\d+), (-?\d+)\}", file.read()), dtype=float) / 1000


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings(name):
    raw = table(name)
    assert len(raw) == DRAWINGS[name]
    low, high = raw.min(axis=0), raw.max(axis=0)
    assert np.allclose(low, -high, atol=1.5e-3) and high.max() == 4 and high.min() > 2  # the rule of shapes.h
    p = points(name)
    # If each point is far from all others, its noise and its share can be measured.
    distance = np.hypot(*(raw[:, None] - raw[None]).transpose(2, 0, 1)) + 9 * np.eye(len(raw))
    alone = raw[distance.min(axis=1) > 0.12][:40]
    counts, offsets = [], []
    for centre in alone:
        near = p[np.abs(p - centre).max(axis=1) < 0.06] - centre
        counts.append(len(near))
        offsets.append(near)
    if len(alone) > 1:
        assert stats.chisquare(counts, np.full(len(alone), np.mean(counts))).pvalue > P
        assert abs(np.mean(counts) * len(raw) / N - 1) < 4 * np.sqrt(len(raw) / N / len(alone))
        own = np.concatenate(offsets)
        normal(own[:, 0], 0.012)
        normal(own[:, 1], 0.012)
        uncorrelated(*own.T)
    # All of them together: variance of the table plus the noise's.
    for c in (0, 1):
        spread = np.var(np.square(raw[:, c] - raw[:, c].mean()))
        assert abs(p[:, c].var() - raw[:, c].var() - 0.012**2) < 4 * np.sqrt(spread / N)
        assert abs(p[:, c].mean() - raw[:, c].mean()) < 4 * np.sqrt(raw[:, c].var() / N)
