"""The generated datasets against their definitions: support, moments, mode shares, distributions.

Seeds are fixed, so a test passes always or never; bounds are where a right generator would fall outside
once in 10,000 seeds.
"""

import os
import re

import numpy as np
import pytest
from datasets import P, normal, points, uncorrelated, uniform
from scipy import stats

N = 100_000


@pytest.fixture(scope="module", params=[0, 1], ids=["train", "heldout"])
def stream(request):
    return request.param


def test_line(stream):
    p = points("line", stream=stream)
    assert np.all(np.abs(p) <= [2, 4]) and np.all(np.abs(p).max(axis=0) > [1.999, 3.998])
    uniform(p[:, 0], -2, 2)
    uniform(p[:, 1], -4, 4)
    cells, _, _ = np.histogram2d(p[:, 0], p[:, 1], bins=10, range=[[-2, 2], [-4, 4]])
    assert stats.chisquare(cells.ravel()).pvalue > P
    uncorrelated(p[1:, 0], p[:-1, 0])  # neighbours in the set


def circle_modes():
    """Centres (17, 2) and probabilities, from the 5 x 5 lattice {-.4 ... .4}^2 projected on a ring of radius 3."""
    shares = {}
    for i in range(-2, 3):
        for j in range(-2, 3):
            length = np.hypot(i, j) or 1
            centre = (round(3 * i / length, 9), round(3 * j / length, 9))
            shares[centre] = shares.get(centre, 0) + 1 / 25
    return np.array(list(shares)), np.array(list(shares.values()))


def test_circle(stream):
    centres, share = circle_modes()
    assert len(centres) == 17 and sorted(np.round(25 * share)) == 9 * [1] + 8 * [2]
    p = points("circle", stream=stream)
    offset = p[:, None, :] - centres
    distance = np.hypot(offset[..., 0], offset[..., 1])
    mode = distance.argmin(axis=1)
    assert distance.min(axis=1).max() <= 0.09 + 1e-6
    counts = np.bincount(mode, minlength=17)
    assert stats.chisquare(counts, N * share).pvalue > P
    own = offset[np.arange(N), mode]
    radius, angle = np.hypot(*own.T), np.arctan2(own[:, 1], own[:, 0])
    uniform(radius, 0, 0.09)
    # float32 at 3 has steps of 2.4e-7: too coarse for the angle of the smallest offsets.
    uniform(angle[radius > 1e-3], -np.pi, np.pi)
    uncorrelated(radius, angle)
    for m in range(17):
        uniform(radius[mode == m], 0, 0.09)


def test_moons(stream):
    p = points("moons", stream=stream)
    raw = np.stack([(p[:, 0] + 1) / 2 - 0.3, (p[:, 1] + 1) / 3 - 0.3], axis=1)
    angle = np.linspace(0, np.pi, N // 2)
    outer = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    noise = raw - np.concatenate([outer, inner])
    normal(noise[:, 0], 0.03)
    normal(noise[:, 1], 0.03)
    uncorrelated(noise[:, 0], noise[:, 1])
    # The same without regard to the order of points: across the middle half of either curve. The sd of
    # 50,000 normals is within 1.3 % of theirs; the curvature adds .02 %.
    upper = raw[:, 1] > 0.25
    across = np.where(upper, np.hypot(raw[:, 0], raw[:, 1]), np.hypot(raw[:, 0] - 1, raw[:, 1] - 0.5)) - 1
    middle = np.abs(raw[:, 0] - np.where(upper, 0, 1)) < np.sqrt(0.5)
    middle &= (raw[:, 1] > 0.6) | (raw[:, 1] < -0.1)
    assert np.count_nonzero(middle) == pytest.approx(N / 2, rel=0.01)
    assert across[middle].std() == pytest.approx(0.03, rel=0.015)


def test_moons_with_an_odd_number_of_points():
    p = points("moons", n=9)
    raw = np.stack([(p[:, 0] + 1) / 2 - 0.3, (p[:, 1] + 1) / 3 - 0.3], axis=1)
    outer, inner = np.linspace(0, np.pi, 4), np.linspace(0, np.pi, 5)
    curve = np.concatenate(
        [np.stack([np.cos(outer), np.sin(outer)], 1), np.stack([1 - np.cos(inner), 0.5 - np.sin(inner)], 1)]
    )
    assert np.abs(raw - curve).max() < 0.15


def dino_points():
    """The table of host/data/dino.h, (142, 2)."""
    with open(os.path.join(os.environ["DUALDIFF_SOURCE"], "host", "data", "dino.h")) as file:
        text = file.read()
    pairs = re.findall(r"\{\s*([\d.]+),\s*([\d.]+)\s*\}", text)
    return np.array(pairs, dtype=float)


def test_the_datasaurus():
    """Its published statistics (Matejka & Fitzmaurice, CHI 2017): mean (54.26, 47.83), sd (16.76, 26.93), r -.06."""
    raw = dino_points()
    assert raw.shape == (142, 2) and len(np.unique(raw, axis=0)) == 142
    assert np.allclose(raw.mean(axis=0), [54.2633, 47.8323], atol=1e-4)
    assert np.allclose(raw.std(axis=0, ddof=1), [16.7651, 26.9354], atol=1e-4)
    assert abs(np.corrcoef(raw.T)[0, 1] + 0.0645) < 1e-4


def test_dino(stream):
    centres = 4 * (dino_points() / [54, 48] - 1)
    p = points("dino", stream=stream)
    sd = 4 * 0.15 / np.array([54, 48])
    offset = (p[:, None, :] - centres) / sd
    distance = np.square(offset).sum(axis=2)
    mode = distance.argmin(axis=1)
    counts = np.bincount(mode, minlength=142)
    assert counts.min() > 0 and stats.chisquare(counts).pvalue > P
    own = offset[np.arange(N), mode]
    # The closest two centres are 6 sd apart, so that few points go to the wrong one.
    normal(own[:, 0], 1)
    normal(own[:, 1], 1)
    uncorrelated(own[:, 0], own[:, 1])
    uncorrelated(mode.astype(float), np.hypot(*own.T))
    assert np.sqrt(distance.min(axis=1)).max() < 6


@pytest.mark.parametrize("name", ["circle", "dino", "line", "moons"])
def test_streams_and_seeds_are_independent(name):
    a, heldout, other = points(name), points(name, stream=1), points(name, seed=43)
    if name == "moons":  # the same angles: compare the noise around the curve, which is the difference
        difference = (a - heldout) / [2, 3]
        normal(difference[:, 0], 0.03 * np.sqrt(2))
        normal(difference[:, 1], 0.03 * np.sqrt(2))
        return
    for c in range(2):
        uncorrelated(a[:, c], heldout[:, c])
        uncorrelated(a[:, c], other[:, c])
