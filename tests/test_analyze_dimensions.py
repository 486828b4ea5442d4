"""`dualdiff analyze` on points of other dimensions than two: every array that depends on them against NumPy in float64."""
import functools
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import datasets
import reference
import small_job
from test_analyze import BINS, QUANTILES, Run, analyze, apart, close, losses
from test_truth_dimensions import mixture

sys.path.append(str(Path(os.environ["DUALDIFF_SOURCE"]) / "python"))
import checks  # noqa: E402
from workers import Failed  # noqa: E402

BY_COORDINATE, CELLS = 20, 64
SETTINGS: dict[str, object] = {"training.steps": 300, "training.learning_rate": .01, "diffusion.timesteps": 8, "evaluation.samples": 200}
AS_IT_IS: dict[str, object] = {"data.scale": "none", "data.heldout_share": 0}  # all rows of a file, not scaled
GAUSSIANS = {"data.dimensions": 3, "data.modes": 5}
SHAPE = [f"{key}={value}" for key, value in GAUSSIANS.items()]


def table(dimensions):
    """Rows of correlated columns; the last has three values."""
    rng = np.random.default_rng(dimensions)
    x = rng.normal(size=(500, dimensions)) @ rng.normal(size=(dimensions, dimensions))
    x[:, -1] = np.round(np.clip(x[:, -1] / x[:, -1].std(), -1, 1)) if dimensions > 1 else x[:, -1]
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Each run: the file, what `analyze` said, the points (T, n, D) before noise, and the passes over them."""
    @functools.cache
    def make(name):
        out = tmp_path_factory.mktemp("runs")
        if name == "gaussians":
            source, settings = name, SETTINGS | GAUSSIANS | {"model.experts": 3}
        else:
            source, settings = out / "table.npy", SETTINGS | AS_IT_IS
            np.save(source, table(int(name)))
        small_job.run(small_job.command(out, "--dataset", str(source), "--seeds", "7", settings=settings))
        path = next(out.glob("run_3/*/seed_7.h5"))
        said = analyze(path)
        run, n = Dimensional(path), 4096
        points = datasets.points("gaussians", 8 * n, 42, stream=1, settings=SHAPE) if name == "gaussians" else table(int(name))
        order = reference.permutation(7, reference.EVAL_ORDER, 0, len(points))
        clean = points[order][np.arange(8 * n) % len(points)].reshape(8, n, -1).astype(float)
        return run, said, clean, passes(run, clean)

    return make


class Dimensional(Run):
    def __init__(self, path):
        super().__init__(path)
        self.path = path
        self.D = self.stored["samples/x"].shape[1]
        self.model = reference.Model(self.config["model"], self.D)


def passes(run, clean):
    """What test_analyze.losses needs, on the points noised with each timestep."""
    T, n, D = clean.shape
    noise = np.stack([reference.normals(run.seed, reference.HELDOUT, t, np.arange(n), D) for t in range(T)])
    x = np.stack([run.schedule.noised(clean[t], noise[t], np.full(n, t)) for t in range(T)])
    weight, _, implied = zip(*(run.predict(x[t], t) for t in range(T)))
    return {"noise": noise, "weight": np.stack(weight), "implied": np.stack(implied)}


def principal(x):
    """Mean, orthonormal axes (D, D) by falling variance, and variances."""
    centre = x.mean(axis=0, dtype=float)
    variance, axes = np.linalg.eigh(np.cov((x - centre).T, bias=True))
    axes = axes.T[::-1]
    return centre, axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None], variance[::-1]


def information(a, b):
    """Mutual information in bits of two arrays of whole numbers, by brute force, with Miller and Madow's correction."""
    n, bits, corrected = len(a), 0., 0
    for i in np.unique(a):
        for j in np.unique(b):
            both = np.count_nonzero((a == i) & (b == j)) / n
            if both:
                bits += both * np.log2(both / np.mean(a == i) / np.mean(b == j))
                corrected += 1
    return bits - (corrected - len(np.unique(a)) - len(np.unique(b)) + 1) / (2 * n * np.log(2))


NAMES = ["1", "5", "gaussians"]


@pytest.mark.parametrize("name", NAMES)
def test_groups(analysed, name):
    run, said, _, _ = analysed(name)
    groups = {key.split("/")[1] for key in run.stored if key.startswith("analysis/")}
    assert groups == {"by_timestep", "by_region", "by_coordinate", "information", "data", "training", "trajectory"} | ({"principal"} if run.D > 2 else set())
    most = run("information/data_coordinate").mean(axis=1)
    assert f"of the coordinates, the weight tells most about x{most.argmax() + 1}: {most.max():.3f} bit" in said


@pytest.mark.parametrize("name", ["5", "gaussians"])
def test_principal_components(analysed, name):
    run, _, _, _ = analysed(name)
    x = table(5) if name == "5" else datasets.points("gaussians", 500, 42, settings=SHAPE)
    centre, axes, variance = principal(x)
    close(run("principal/axis"), axes, 1e-4)
    close(run("principal/centre"), centre, 1e-5)
    close(run("principal/share"), variance / variance.sum(), 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_losses(analysed, name):
    run, _, _, fresh = analysed(name)
    for loss, error in losses(fresh).items():
        close(run(f"by_timestep/{loss}"), error.mean(axis=1))
    close(run("by_timestep/disagreement"), apart(fresh["implied"]).mean(axis=1))
    weight = run.weights("gate/sample/weight").astype(float)
    close(run("by_timestep/weight_quantile"), np.quantile(weight, QUANTILES, axis=1).transpose(1, 2, 0), 1e-6)


def regions_of(run, name, x):
    """The region of each point (n, D) of the plain definition, and the centres (regions, D)."""
    if name == "gaussians":
        weight, centre, covariance = mixture("gaussians", 42, 3, 5)
        difference = x[:, None] - centre
        square = np.einsum("nki,kij,nkj->nk", difference, np.linalg.inv(covariance), difference)
        return (np.log(weight) - square / 2 - np.linalg.slogdet(covariance)[1] / 2).argmax(axis=1), centre
    data = table(run.D).astype(float)
    if run.D == 1:
        low, high = data.min(), data.max()
        return np.clip(((x[:, 0] - low) / (high - low) * CELLS).astype(int), 0, CELLS - 1), low + (high - low) * (np.arange(CELLS)[:, None] + .5) / CELLS
    centre, axes, _ = principal(data)
    place, all_places = (x - centre) @ axes[:2].T, (data - centre) @ axes[:2].T
    low, high = all_places.min(axis=0), all_places.max(axis=0)
    cell = np.clip(np.floor((place - low) / (high - low) * 8).astype(int), 0, 7)
    middle = np.stack([np.tile(np.arange(8), 8), np.repeat(np.arange(8), 8)], axis=1) + .5
    return cell[:, 1] * 8 + cell[:, 0], centre + (low + (high - low) * middle / 8) @ axes[:2]


@pytest.mark.parametrize("name", NAMES)
def test_regions(analysed, name):
    run, _, clean, fresh = analysed(name)
    region, centres = regions_of(run, name, clean.reshape(-1, run.D))
    close(run("by_region/centre"), centres, 1e-4)
    points = np.bincount(region, minlength=len(centres))
    assert np.abs(run("by_region/points") - points).sum() <= 2 * 17  # a point at an edge, up to 17 times
    weight = np.array([fresh["weight"].reshape(-1, run.K)[region == r].mean(axis=0) if points[r] else np.full(run.K, np.nan) for r in range(len(points))])
    seen = points > 500
    close(run("by_region/weight")[seen], weight[seen], 2e-3)
    ends, _ = regions_of(run, name, run.stored["samples/x"].astype(float))
    assert np.abs(run("by_region/samples") - np.bincount(ends, minlength=len(points))).sum() <= 2


@pytest.mark.parametrize("name", NAMES)
def test_gate_against_coordinates(analysed, name):
    """Bins, mean weights and mutual information, all counted again."""
    run, _, clean, fresh = analysed(name)
    D, weight = clean.shape[2], fresh["weight"]
    source = table(D).astype(float) if name != "gaussians" else clean.reshape(-1, D)[:20000]
    chosen = list(run("by_coordinate/timestep"))
    assert chosen == [0, 1, 2, 4, 6, 7]
    for c in range(D):
        edges = np.quantile(source[:, c], np.linspace(0, 1, BY_COORDINATE + 1))
        close(run("by_coordinate/edges")[c], edges, 1e-6)
        bins = np.searchsorted(edges[1:-1], clean[..., c], side="right")
        points = np.bincount(bins.ravel(), minlength=BY_COORDINATE)
        close(run("by_coordinate/points")[c], points)
        assert np.isnan(run("by_coordinate/weight_mean")[c, points == 0]).all()
        for b in np.flatnonzero(points):
            close(run("by_coordinate/weight_mean")[c, b], weight[bins == b].mean(axis=0))
            assert run("by_coordinate/centre")[c, b] == pytest.approx(clean[..., c][bins == b].mean(), abs=1e-5)
            for k, t in enumerate(chosen):
                close(run("by_coordinate/weight")[k, c, b], weight[t][bins[t] == b].mean(axis=0))
        for e in range(run.K):
            binned = np.minimum((weight[..., e].astype(np.float32) * np.float32(BINS)).astype(int), BINS - 1)
            # A weight at a bin's edge may fall to either side in float32.
            assert run("information/data_coordinate")[c, e] == pytest.approx(information(bins.ravel(), binned.ravel()), abs=1e-3)
    assert run("information/data_coordinate").max() > .02


@pytest.mark.parametrize("name", NAMES)
def test_trajectories(analysed, name):
    """One coordinate as it is; of more than two the first two principal components."""
    run, _, _, _ = analysed(name)
    ends, start = run.stored["samples/x"], run.stored["samples/initial_noise"]
    if run.D > 2:
        ends, start = ((x - run("principal/centre")) @ run("principal/axis")[:2].T for x in (ends, start))
    assert run("trajectory/x").shape == (9, 200, min(run.D, 2)) and run("trajectory/difference") < 1e-4
    close(run("trajectory/x")[-1], ends, 1e-4)
    close(run("trajectory/x")[0], start, 1e-4)
    close(run("trajectory/weight")[-1], run.weights("samples/gate"))


def test_fixed_gate_corners_and_subspaces(tmp_path):
    """A corner or a subspace is a region with its own word; a fixed gate follows nothing."""
    for name, settings, word, count in ("hypercube", {"data.dimensions": 4}, "corners", 16), ("subspaces", {"data.dimensions": 6}, "subspaces", 8):
        small_job.run(small_job.command(tmp_path, "--dataset", name, settings=SETTINGS | settings | {"training.steps": 20, "model.gate": "fixed"}))
        path = next(tmp_path.glob(f"run_3/{name}*/seed_0.h5"))
        analyze(path)
        with h5py.File(path) as file:
            assert file["analysis"].attrs["regions"] == word and file["analysis/by_region/points"].shape == (count,)
            assert "by_coordinate" not in file["analysis"] and "data_coordinate" not in file["analysis/information"]
            assert file["analysis/by_region/points"][:].min() > .8 / count * 8 * 4096


@pytest.mark.parametrize("name", ["1", "5"])
def test_damaged_arrays_are_found(analysed, tmp_path, name):
    """Before a picture is drawn, each array that it needs is there and has its shape. Without by_coordinate it is an older program's."""
    run, _, _, _ = analysed(name)
    path = tmp_path / "seed_7.h5"
    used = [*(checks.PRINCIPAL if name == "5" else ()), *checks.BY_COORDINATE, "by_region/centre", "data/x", "trajectory/x"]
    for damage in "missing", "shape":
        for array in used:
            path.write_bytes(run.path.read_bytes())
            with h5py.File(path, "a") as file:
                values = file["analysis"][array][:]
                del file["analysis"][array]
                if damage == "shape":
                    file["analysis"][array] = np.zeros([*values.shape, 2], dtype=values.dtype)
            with pytest.raises(Failed, match=array):
                checks.check_file(str(path))
    with h5py.File(path, "w") as file, h5py.File(run.path) as whole:
        for key in whole:
            whole.copy(key, file)
        file.attrs.update(whole.attrs)
        del file["analysis/by_coordinate"]
    checks.check_file(str(path))
