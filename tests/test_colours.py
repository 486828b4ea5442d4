"""Runs and experts can be distinguished by their colours, with every kind of colour vision."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from colour_vision import VISION, ciede2000, distances

sys.path.insert(0, str(Path(os.environ["DUALDIFF_SOURCE"]) / "python"))
import drawing  # noqa: E402

sys.path.pop(0)


@pytest.mark.parametrize("one, other, expected", [  # from the table of Sharma, Wu and Dalal (2005)
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644), ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461)])
def test_ciede2000(one, other, expected):
    assert ciede2000(one, other) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
def test_runs_differ(vision):
    """The first ten and the neutral one: more than 14.9, where 2.3 is just noticeable."""
    colours = np.array([drawing.to_rgb(colour) for colour in [drawing.NEUTRAL, *drawing.COLOURS]])
    apart = distances(colours, vision)[np.triu_indices(len(colours), 1)]
    print(f"{vision}: {apart.min():.1f}")
    assert len(colours) == 11 and apart.min() > 14.9


@pytest.mark.parametrize("vision", VISION)
def test_gate_scale(vision):
    """The experts at the ends of the gate's scale, and the middle between them."""
    ends = np.array([drawing.GATE(place)[:3] for place in (0.0, 0.5, 1.0)])
    assert distances(ends, vision)[np.triu_indices(3, 1)].min() > 15


def test_ways_are_unique():
    ways = [drawing.way(i) for i in range(140)]
    assert len(set(map(str, ways))) == 140
    assert len({str(way[1:]) for way in ways[:20]}) == 20, "twenty runs can be distinguished by lines and markers alone"
