"""Pictures of points of any dimensions: the corner plot and the gate against the coordinates."""
import itertools
import os
import sys
from pathlib import Path

import h5py
import matplotlib
import numpy as np
import pytest

from result_files import write_result
from test_plot import crowded, legend_texts

sys.path.insert(0, str(Path(os.environ["DUALDIFF_SOURCE"]) / "python"))
import coordinate_plots  # noqa: E402
import coordinates  # noqa: E402
import corner  # noqa: E402
import drawing  # noqa: E402
import runs  # noqa: E402

sys.path.pop(0)


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(drawing.STYLE):
        yield
    drawing.plt.close("all")


def study_of(out, x, data=None, gate=None, names=None, **settings):
    """A study of one run with these samples, training points and weights, and its result."""
    path = write_result(out, "run_1", "table", 0, {"kl_divergence": .5}, gate, x, settings=settings)
    with h5py.File(path, "a") as file:
        if data is not None:
            file["data/x"] = np.asarray(data, dtype=np.float32)
        file["data/coordinate"] = np.arange(x.shape[1])
        file["data/coordinate"].attrs["names"] = names or [f"x{i + 1}" for i in range(x.shape[1])]
    result = runs.Result("run_1", "table", 0, str(path))
    return drawing.Study([result]), result


def overlapping_numbers(figure):
    """Pairs of numbers on the axes of a drawn figure that overlap, and numbers that a name covers."""
    numbers = []
    for axis in figure.axes:
        for line in axis.xaxis, axis.yaxis:
            low, high = sorted(line.get_view_interval())
            shown = [tick for tick in line.get_major_ticks() if low <= tick.get_loc() <= high]
            numbers += [label for tick in shown for label in (tick.label1, tick.label2) if label.get_text() and label.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in numbers]
    names = [(label.get_text(), label.get_window_extent()) for axis in figure.axes for label in (axis.xaxis.label, axis.yaxis.label) if label.get_text()]
    return [(one, other) for (one, a), (other, b) in [*itertools.combinations(boxes, 2), *itertools.product(boxes, names)] if a.overlaps(b)]


def panels_of(figure, count):
    """The panels (count, count), without the scale of colours."""
    return np.array(figure.axes[:count * count]).reshape(count, count)


def test_pairs(tmp_path):
    """Which points are where, in which colours, and that bars and line are the two distributions."""
    rng = np.random.default_rng(0)
    x, data, gate = rng.normal(size=(500, 3)), rng.normal(size=(700, 3)) + [0, 1, 2], rng.random(500)
    figure = corner.corner_figure(*study_of(tmp_path, x, data, gate, ["mass", "cost in $", "y_1"]))
    panels = panels_of(figure, 3)
    for row, column in itertools.product(range(3), repeat=2):
        axis = panels[row, column]
        if row == column:
            continue
        shown = axis.collections[0].get_offsets()
        source = x if row > column else data
        assert np.allclose(np.sort(np.asarray(shown), axis=0), np.sort(source[:, [column, row]], axis=0), atol=1e-6)
        if row > column:
            order = np.lexsort(np.asarray(shown).T)
            expected = drawing.GATE(gate.astype(np.float32))[np.lexsort(x[:, [column, row]].astype(np.float32).T)]
            assert np.allclose(axis.collections[0].get_facecolors()[order][:, :3], expected[:, :3], atol=1e-6)
    for c in range(3):
        edges = np.linspace(*panels[c, c].get_xlim(), 25)
        heights = {round(path.vertices[0, 0], 5): path.vertices[:, 1].max() for path in panels[c, c].collections[0].get_paths()}
        expected = np.histogram(x[:, c].astype(np.float32), edges)[0] / 500
        assert [heights[round(edge, 5)] for edge in edges[:-1]] == pytest.approx(list(expected))
        assert panels[c, c].patches[0].get_data().values == pytest.approx(np.histogram(data[:, c].astype(np.float32), edges)[0] / 700)
        assert panels[c, 0].get_ylabel() == panels[2, c].get_xlabel() == ["mass", r"cost in \$", "y_1"][c]
        assert all(panels[row, c].get_xlim() == panels[0, c].get_xlim() for row in range(3))
    assert legend_texts(figure)[0].startswith("500 samples") and "700 points of the data" in legend_texts(figure)[1]
    assert not crowded(figure) and not overlapping_numbers(figure)


@pytest.mark.parametrize("dimensions, experts", [(1, 2), (2, 1), (4, 3), (64, 2)])
def test_any_dimensions(tmp_path, dimensions, experts):
    """Up to six coordinates, of more the first six principal components; nothing covers another thing, with names of any length."""
    rng = np.random.default_rng(dimensions)
    scale = np.geomspace(1, 20, dimensions)
    x, data = scale * rng.normal(size=(300, dimensions)), scale * rng.normal(size=(3000, dimensions))
    gate = {1: None, 2: rng.random(300), 3: rng.dirichlet(np.ones(3), 300)}[experts]
    names = [f"{i} {'W' * 40}" for i in range(dimensions)]
    settings = {"model.experts": experts} if experts != 2 else {}
    study, result = study_of(tmp_path, x, data, gate, names, **settings)
    figure, count = corner.corner_figure(study, result), min(dimensions, 6)
    panels = panels_of(figure, count)
    assert all(len(panels[row, column].collections[0].get_offsets()) == (300 if row > column else 2000)
               for row in range(count) for column in range(count) if row != column)
    assert not crowded(figure) and not overlapping_numbers(figure)
    assert ("expert 3 has the greatest weight" in legend_texts(figure)) == (experts == 3)
    if dimensions == 64:
        evenly = data[np.linspace(0, 2999, 2000).astype(int)].astype(np.float32).astype(float)
        variance = np.linalg.eigvalsh(np.cov(evenly.T, bias=True))[::-1]
        share = variance[:6].sum() / variance.sum()
        assert f"first 6 principal components of 64 coordinates: {share:.0%} of the variance" in figure.get_suptitle()
        spread = [panels[1, 0].collections[0].get_offsets().std(axis=0), panels[0, 1].collections[0].get_offsets().std(axis=0)]
        assert np.allclose(spread[1][::-1], np.sqrt(variance[:2]), rtol=1e-4)
        line = figure.legends[0].get_title().get_text().splitlines()[1]
        largest = np.abs(np.linalg.eigh(np.cov(evenly.T, bias=True))[1][:, -1]).argmax()
        assert line.startswith(f"component 1 ({variance[0] / variance.sum():.0%} of the variance): ") and f" {largest} W" in line


def test_stored_components(tmp_path):
    """The axes of an analysis, so that all pictures of a dataset have the same."""
    x = np.random.default_rng(0).normal(size=(40, 4))
    study, result = study_of(tmp_path, x, x)
    with h5py.File(result.path, "a") as file:
        file["analysis/principal/axis"] = np.eye(4, dtype=np.float32)[::-1]
        file["analysis/principal/centre"] = np.arange(4, dtype=np.float32)
        file["analysis/principal/share"] = np.full(4, .25, dtype=np.float32)
    plane = coordinates.in_plane(study, "table", x)
    assert plane.project(x) == pytest.approx((x - np.arange(4))[:, [3, 2]])
    assert coordinates.components_of(x[:2], 3)[1].shape == (3, 4), "also of fewer points"


@pytest.mark.parametrize("kind", ["two", "far", "damaged"])
def test_odd_points(tmp_path, kind):
    """Fewer points than coordinates; very large and small numbers, numbers of which only the last digits differ, equal numbers; infinite ones,
    without training points."""
    rng = np.random.default_rng(0)
    x = data = rng.normal(size=(60, 4))
    gate = rng.random(60)
    if kind == "two":
        x, data, gate = x[:2, :3], data[:2, :3], gate[:2]
    elif kind == "far":
        x = data = np.column_stack([1e-9 * x[:, 0], 3e7 * x[:, 1], 1e6 + x[:, 2], np.full(60, 1e6)])
    else:
        x, data = x[:, :2].copy(), None
        x[:20, 1], x[20], gate[3] = np.nan, np.inf, np.nan
    figure = corner.corner_figure(*study_of(tmp_path, x, data, gate))
    assert not crowded(figure) and not overlapping_numbers(figure) and np.asarray(figure.canvas.buffer_rgba()).std() > 10
    if kind == "far":
        labels = [axis.get_xlabel() for axis in panels_of(figure, 4)[3]]
        assert labels[0] == "$x_{1}$ / $10^{-9}$" and labels[1] == "$x_{2}$ / $10^{7}$" and labels[2].startswith("$x_{3}$ - 9")


@pytest.mark.parametrize("low, high", [(-3, 3), (0, 1), (999_999.5, 1_000_001), (-1e6 - 1, -1e6 + 1), (0, 7e8), (1e-7, 5e-7), (-.02, .013), (12.34, 12.341), (-1e30, 1e30)])
def test_numbers_of_an_axis(low, high):
    """What an axis says and what it means: number = word * 10^power + offset."""
    ticks, words, about = drawing.ticks_between(low, high)
    assert 2 <= len(ticks) <= 4 and low <= ticks.min() and ticks.max() <= high
    assert max(map(len, words)) <= 7 and len(set(words)) == len(words)
    offset, _, power = about.partition(" / $10^{")
    first = -float(offset.replace(" ", "").replace(",", "")) if offset else 0
    factor = 10.0 ** int(power[:-2]) if power else 1
    said = np.array([float(word.replace("\N{MINUS SIGN}", "-")) for word in words]) * factor + first
    assert said == pytest.approx(ticks, abs=1e-3 * (high - low))


def analysed(out, dimensions, experts):
    """A study with an analysis of these sizes: the weight of expert 1 grows along the last coordinate only. The columns are scaled."""
    rng = np.random.default_rng(0)
    gate = rng.random(50) if experts == 2 else rng.dirichlet(np.ones(experts), 50)
    study, result = study_of(out, rng.normal(size=(50, dimensions)), gate=gate, **{"model.experts": experts})
    weight = np.full((3, dimensions, 20, experts), 1 / experts)
    weight[:, -1, :, 0] = np.linspace(.2, .8, 20) - .05 * np.arange(3)[:, None]
    weight[1, 0, 3] = np.nan
    information = np.zeros((dimensions, experts))
    information[:, 0] = np.linspace(0, .5, dimensions)
    with h5py.File(result.path, "a") as file:
        file["data/shift"], file["data/scale"] = np.full(dimensions, 10.), np.full(dimensions, 2.)
        group = file.create_group("analysis")
        group.attrs["regions"] = "corners"
        for name, values in {"weight": weight, "weight_mean": np.nanmean(weight, axis=0), "timestep": np.array([0, 5, 11]),
                             "centre": np.tile(np.linspace(-2, 2, 20), (dimensions, 1)), "points": np.full((dimensions, 20), 9.)}.items():
            group[f"by_coordinate/{name}"] = values
        for name, values in {"data_coordinate": information, "data_region": np.full(experts, .3), "data_timestep": np.full(experts, .1)}.items():
            group[f"information/{name}"] = values
    return study, result, weight


@pytest.mark.parametrize("dimensions, experts", [(1, 3), (40, 2)])
def test_gate_against_coordinates(tmp_path, dimensions, experts):
    """Bars in order, the region and the timestep before them; curves of the coordinates of which the gate tells most."""
    study, result, weight = analysed(tmp_path, dimensions, experts)
    picture = coordinate_plots.of_result(study, result)[0]
    figure = picture.draw()
    bars, *curves = [axis for axis in figure.axes if axis.axison]
    assert [text.get_text() for text in bars.get_yticklabels()][:3] == ["corner", "timestep", f"$x_{{{dimensions}}}$"]
    widths = [patch.get_width() for patch in bars.patches]
    assert widths[:3] == pytest.approx([.3, .1, .5 / experts if dimensions > 1 else 0]) and len(widths) == 2 + min(dimensions, 12)
    assert widths[2:] == sorted(widths[2:], reverse=True) and len(curves) == min(dimensions, 6)
    drawn = np.array([line.get_ydata() for line in curves[0].lines])
    expected = weight[::-1, -1, :, 0] if experts == 2 else np.nanmean(weight, axis=0)[-1].T
    assert drawn == pytest.approx(expected) and curves[0].lines[0].get_xdata() == pytest.approx(10 + 2 * np.linspace(-2, 2, 20))
    assert all(axis.get_ylim() == curves[0].get_ylim() for axis in curves)
    assert not crowded(figure) and not overlapping_numbers(figure)
    assert "nan" not in picture.alt and "corner" in picture.caption and len(picture.panels()) == len(curves) + 1
    assert ("(of the other 28 coordinates it tells less)" in bars.get_xlabel()) == (dimensions == 40)


def test_no_picture_of_an_older_analysis(tmp_path):
    study, result, _ = analysed(tmp_path, 2, 2)
    with h5py.File(result.path, "a") as file:
        del file["analysis/by_coordinate"]
    assert coordinate_plots.of_result(study, result) == [] and corner.of_dataset(study, "table") == []
