"""`dualdiff analyze` on small trained runs: every array against NumPy, and that the run's file stays sound."""
import functools
import itertools
import os
import resource
import subprocess

import h5py
import numpy as np
import pytest
import tomllib
import xarray as xr

import datasets
import reference
from small_job import PROGRAM, command, contents, run

ERR_USAGE, ERR_IO, ERR_CONFLICT = 2, 5, 6
QUANTILES = [.05, .25, .5, .75, .95]
BINS = 20
SETTINGS = {"training.steps": 400, "training.learning_rate": .02, "training.checkpoint_every": 200, "evaluation.samples": 300, "data.points": 2000}
VARIANTS = {
    "two": {},
    "four": {"training.learning_rate": .002, "model.experts": 4, "diffusion.timesteps": 40, "diffusion.prediction": "x0", "sampling.steps": 10},
    "hard": {"training.learning_rate": .006, "model.experts": 3, "model.gate": "hard", "diffusion.prediction": "v", "sampling.start": "data"},
    "fixed": {"model.experts": 3, "model.gate": "fixed"},
}
LONG = {"long": {"diffusion.timesteps": 203}}  # more than trajectories and points of a timestep are kept for


def analyze(path, *more, status=0, **options):
    done = subprocess.run([PROGRAM, "analyze", path, "--backend", "cpu", "--threads", "1", *map(str, more)], capture_output=True,
                          text=True, timeout=120, **options)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def variant(tmp_path_factory):
    """Each variant's run: its path, its bytes before it was analysed, and what `analyze` said."""
    @functools.cache
    def make(name):
        out = tmp_path_factory.mktemp(name)
        run(command(out, "--dataset", "circle", "--seeds", "7", settings=SETTINGS | (VARIANTS | LONG)[name]))
        path = out / "run_3" / "circle" / "seed_7.h5"
        before = path.read_bytes()
        return path, before, analyze(path)

    return make


@pytest.fixture(scope="module")
def circle(variant):
    return variant("two")


class Run:
    """A run's file and the reference's model of it."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.stored = {}
            file.visititems(lambda name, item: self.stored.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
            self.seed = int(file.attrs["seed"])
        self.config = config = tomllib.loads(self.stored["config"].decode())
        self.model = reference.Model(config["model"])
        self.schedule = reference.Schedule.of(config)
        self.T, self.S, self.K = self.schedule.T, len(self.schedule.timestep), self.model.experts
        self.gated = self.model.gates > 0
        self.parameters = {name: self.stored[f"parameters/ema/{name}"].astype(float) for name in self.model.shapes}

    def __call__(self, name):
        return self.stored[f"analysis/{name}"]

    def weights(self, name):
        """All experts' weights (..., K) from stored ones."""
        stored = self.stored[name]
        return np.stack([stored, 1 - stored], axis=-1) if self.K == 2 else stored

    def predict(self, x, t):
        """Weights (n, K), predictions (n, K, 2) and the noise (n, K, 2) that these imply, at points and a timestep."""
        x = np.asarray(x, dtype=float)
        _, saved = self.model.forward(self.parameters, x, np.full(len(x), t))
        noise = [self.schedule.pair(x, expert, t)[1] for expert in saved["experts"]]
        return saved["weight"], np.stack(saved["experts"], axis=1), np.stack(noise, axis=1)


@pytest.fixture(scope="module", params=VARIANTS)
def both(request, variant):
    return Run(variant(request.param)[0])


@pytest.fixture
def gated(both):
    if not both.gated:
        pytest.skip("no gate was logged")
    return both


def apart(noise):
    """Mean distance (...) over pairs of experts, of (..., K, 2)."""
    pairs = itertools.combinations(range(noise.shape[-2]), 2)
    return np.mean([np.linalg.norm(noise[..., a, :] - noise[..., b, :], axis=-1) for a, b in pairs], axis=0)


def close(found, expected, tolerance=2e-4):
    """The program computes in float32."""
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def information(symbol, weight):
    """Plug-in mutual information with Miller and Madow's correction, in bits."""
    bins = np.minimum((weight.astype(np.float32) * np.float32(BINS)).astype(int), BINS - 1)
    table = np.zeros((symbol.max() + 1, BINS))
    np.add.at(table, (symbol, bins), 1)
    n = table.sum()

    def entropy(counts):
        p = counts[counts > 0] / n
        return -(p * np.log(p)).sum() + (len(p) - 1) / (2 * n)

    return (entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - entropy(table.ravel())) / np.log(2)


def circle_centres():
    """17 blobs: 16 directions on a ring of radius 3 and the origin."""
    steps = sorted({(2 * np.round(u, 1), 2 * np.round(v, 1)) for u in np.linspace(-.25, .25, 501)
                    for v in np.linspace(-.25, .25, 501)})
    centres = {tuple(np.round(3 * np.array(p) / (np.hypot(*p) + 1e-10), 9)) for p in steps}
    return np.array(sorted(centres))


def region_of(x, centres):
    return ((x[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)


def test_map(both):
    data = both("data/x")
    x1, x2 = both("map/x1"), both("map/x2")
    assert len(x1) == len(x2) == 128
    low, high = data.min(axis=0), data.max(axis=0)
    for axis, grid in enumerate((x1, x2)):
        extent = high[axis] - low[axis]
        np.testing.assert_allclose([grid[0], grid[-1]], [low[axis] - extent / 4, high[axis] + extent / 4], atol=.02)
    assert list(both("map/timestep")) == ([0, 1, 3, 6, 9, 11] if both.T == 12 else [0, 4, 10, 20, 30, 39])
    rows, columns = np.meshgrid(x2[::9], x1[::9], indexing="ij")
    points = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
    for k, t in enumerate(both("map/timestep")):
        weight, _, noise = both.predict(points, t)
        side = len(x1[::9])
        close(both("map/weight")[k, ::9, ::9].reshape(-1, both.K), weight)
        close(both("map/noise")[k, ::9, ::9].reshape(-1, both.K, 2), noise)
        close(both("map/disagreement")[k, ::9, ::9], apart(noise).reshape(side, side))


@pytest.fixture(scope="module")
def fresh(both):
    """Fresh points (T, n, 2) noised with each timestep, their noise, regions, weights and predictions."""
    T, n = both.T, 4096
    points = datasets.points("circle", T * n, 42, stream=1).astype(np.float32)
    order = reference.permutation(both.seed, reference.EVAL_ORDER, 0, T * n)
    x0 = points[order].reshape(T, n, 2)
    noise = np.stack([reference.normals(both.seed, reference.HELDOUT, t, np.arange(n), 2) for t in range(T)])
    x = np.stack([both.schedule.noised(x0[t], noise[t], np.full(n, t)) for t in range(T)])
    weight, _, implied = zip(*(both.predict(x[t], t) for t in range(T)))
    return {"x0": x0, "x": x, "noise": noise, "weight": np.stack(weight), "implied": np.stack(implied)}


def losses(fresh):
    """Half the squared errors of the noise (T, n) by name; `alone` (T, n, K)."""
    def half_square(noise):
        return ((noise - fresh["noise"]) ** 2).mean(axis=-1)

    weight, implied = fresh["weight"], fresh["implied"]
    return {"loss_gated": half_square((weight[..., None] * implied).sum(axis=2)),
            "loss_equal": half_square(implied.mean(axis=2)),
            "loss_alone": np.stack([half_square(implied[:, :, e]) for e in range(weight.shape[2])], axis=-1)}


def test_losses_by_timestep(both, fresh):
    for name, error in losses(fresh).items():
        close(both(f"by_timestep/{name}"), error.mean(axis=1))
    close(both("by_timestep/disagreement"), apart(fresh["implied"]).mean(axis=1))


def exact_noise(run, name, x, t, tmp_path):
    """The program's exact denoiser, which test_oracle_sets.py compares with quadrature."""
    (tmp_path / "run.toml").write_bytes(run.stored["config"])
    done = subprocess.run([os.path.join(os.environ["DUALDIFF_BUILD"], "tests/dump_oracle"), name, tmp_path / "run.toml", str(t)],
                          input=np.ascontiguousarray(x, dtype=float).tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout).reshape(x.shape)


def test_excess_by_timestep(both, fresh, tmp_path):
    n = 512
    for t in range(0, both.T, 7):
        mixed = (fresh["weight"][t, :n, :, None] * fresh["implied"][t, :n]).sum(axis=1)
        exact = exact_noise(both, "circle", fresh["x"][t, :n], t, tmp_path)
        excess = ((mixed - fresh["noise"][t, :n]) ** 2).mean(axis=1) - ((exact - fresh["noise"][t, :n]) ** 2).mean(axis=1)
        close(both("by_timestep/excess_loss")[t], excess.mean())
        close(both("by_timestep/excess_loss_error")[t], excess.std(ddof=1) / np.sqrt(n))
        close(both("by_timestep/denoiser_error")[t], ((mixed - exact) ** 2).mean())


def test_by_region(both, fresh):
    centres = both("by_region/centre")
    expected = circle_centres()
    assert len(centres) == len(expected) == 17
    assert np.linalg.norm(centres[:, None] - expected[None], axis=2).min(axis=1).max() < 1e-5
    assert both("by_region/share").sum() == pytest.approx(1)
    region = region_of(fresh["x0"].reshape(-1, 2), centres).reshape(fresh["x0"].shape[:2])
    close(both("by_region/points"), np.bincount(region.ravel(), minlength=17))
    for name, error in (losses(fresh) | {"weight": fresh["weight"]}).items():
        mean = [error[region == r].mean(axis=0) for r in range(17)]
        close(both(f"by_region/{name}"), mean)
    ends = region_of(both.stored["samples/x"], centres)
    close(both("by_region/samples"), np.bincount(ends, minlength=17))
    if both.gated:
        weight = both.weights("gate/sample/weight").astype(float)
        for r in np.unique(ends):
            close(both("by_region/weight_sampling")[:, r], weight[:, ends == r].mean(axis=1))
        assert np.isnan(both("by_region/weight_sampling")[:, both("by_region/samples") == 0]).all()


def test_information(both, fresh):
    centres, T = both("by_region/centre"), both.T
    region = region_of(fresh["x0"].reshape(-1, 2), centres)
    timestep = np.repeat(np.arange(T), fresh["x0"].shape[1])
    for e in range(both.K):
        weight = fresh["weight"][..., e].ravel()
        # A weight at a bin's edge may fall to either side in float32.
        assert both("information/data_region")[e] == pytest.approx(information(region, weight), abs=1e-3)
        assert both("information/data_timestep")[e] == pytest.approx(information(timestep, weight), abs=1e-3)
    if not both.gated:
        return
    weights = both.weights("gate/sample/weight")
    ends = region_of(both.stored["samples/x"], centres)
    n = weights.shape[1]
    for e, gate in enumerate(np.moveaxis(weights, -1, 0)):
        assert both("information/sampling_region")[e] == pytest.approx(information(np.tile(ends, both.S), gate.ravel()), abs=1e-6)
        assert both("information/sampling_timestep")[e] == pytest.approx(
            information(np.repeat(np.arange(both.S), n), gate.ravel()), abs=1e-6)
        for i in range(both.S):
            assert both("by_timestep/information_region")[i, e] == pytest.approx(information(ends, gate[i]), abs=1e-6)
    assert both("information/data_region").max() > .05  # not all of it is zero


def test_weights_while_sampling(gated):
    """Over the timesteps that sampling goes through; `timestep` itself where those are all."""
    sampled = gated.schedule.timestep
    assert np.array_equal(gated.stored["gate/sample/timestep"], sampled)
    for group in "by_timestep", "by_region":
        if gated.S < gated.T:
            assert np.array_equal(gated(f"{group}/sampling_timestep"), sampled)
        else:
            assert f"analysis/{group}/sampling_timestep" not in gated.stored
    weight = gated.weights("gate/sample/weight").astype(float)
    assert weight.shape == (gated.S, 300, gated.K)
    close(gated("by_timestep/weight_quantile"), np.quantile(weight, QUANTILES, axis=1).transpose(1, 2, 0), 1e-6)
    close(gated("by_timestep/weight_mean"), weight.mean(axis=1), 1e-5)


def test_training(gated):
    both = gated
    weight, timestep = both.weights("gate/train/weight").astype(float), both.stored["gate/train/timestep"]
    step = both.stored["gate/train/step"]
    phases = np.array_split(np.arange(len(step)), 10)
    assert list(both("training/phase")) == [step[rows[0]] for rows in phases]
    for p, rows in enumerate(phases):
        for t in range(both.T):
            values = weight[rows][timestep[rows] == t]
            close(both("training/weight_quantile")[p, t], np.quantile(values, QUANTILES, axis=0).T, 1e-6)
            close(both("training/weight_mean")[p, t], values.mean(axis=0), 1e-5)

    def entropy(g):
        return -(g * np.log2(g, where=g > 0, out=np.zeros_like(g))).sum(axis=-1)

    windows = np.array_split(np.arange(len(step)), 100)
    valid = [weight[rows][timestep[rows] >= 0] for rows in windows]
    assert list(both("training/step")) == [step[rows[0]] for rows in windows]
    close(both("training/entropy"), [entropy(g).mean() for g in valid], 1e-5)
    close(both("training/entropy_of_mean"), [entropy(g.mean(axis=0)) for g in valid], 1e-5)


def test_trajectories_end_at_the_samples(both):
    x, n = both("trajectory/x"), 300
    assert x.shape == (both.S + 1, n, 2) and list(both("trajectory/step")) == list(range(both.S + 1))
    assert list(both("trajectory/timestep")) == [*both.schedule.timestep[::-1], 0]
    assert np.array_equal(x[0], both.stored["samples/initial_noise"][:n])
    # The same operations in the same order on one machine; rounding may differ elsewhere.
    np.testing.assert_allclose(x[-1], both.stored["samples/x"][:n], atol=1e-4)
    assert both("trajectory/difference") == np.abs(x[-1] - both.stored["samples/x"][:n]).max()
    assert both("trajectory/difference") < 1e-4
    for done in 0, 4, both.S - 1:
        place = both.S - 1 - done
        t = both.schedule.timestep[place]
        weight, experts, _ = both.predict(x[done], t)
        z = reference.normals(both.seed, reference.SAMPLE, t, np.arange(n), 2)
        close(x[done + 1], both.schedule.reverse(x[done].astype(float), (weight[..., None] * experts).sum(axis=1), place, z))
        close(both("trajectory/weight")[done], weight)
        if both.gated:
            close(both("trajectory/weight")[done], both.weights("gate/sample/weight")[place, :n])
    if both.gated:
        close(both("trajectory/weight")[-1], both.weights("samples/gate")[:n])


def test_many_timesteps(variant):
    """Fewer steps of each trajectory are kept, always with its ends; fewer points are measured at each timestep."""
    both = Run(variant("long")[0])
    x = both("trajectory/x")
    assert list(both("trajectory/step")) == [*range(0, 203, 3), 203]
    assert list(both("trajectory/timestep")) == [*range(202, -1, -3), 0]
    assert np.array_equal(x[0], both.stored["samples/initial_noise"]) and np.abs(x[-1] - both.stored["samples/x"]).max() < 1e-4
    weight, _, _ = both.predict(x[1], 199)
    close(both("trajectory/weight")[1], weight)
    close(weight, both.weights("gate/sample/weight")[199])
    assert both("by_region/points").sum() == 203 * (204800 // 203)
    assert np.isfinite(both("by_timestep/loss_gated")).all() and both("by_timestep/loss_gated").shape == (203,)


def test_damaged_log(circle, tmp_path):
    """A logged timestep that does not exist is an error whose message names it."""
    path = tmp_path / "seed_7.h5"
    for wrong in 30000, 12, -2:
        path.write_bytes(circle[1])
        with h5py.File(path, "a") as file:
            file["gate/train/timestep"][7, 3] = wrong
        said = analyze(path, status=ERR_IO)
        assert "/gate/train/timestep" in said and str(wrong) in said
        with h5py.File(path) as file:
            assert "analysis" not in file


def test_fixed_gate(variant):
    """The weights are equal, and everything that is computed from logged weights is left out."""
    path, _, said = variant("fixed")
    fixed, groups = Run(path), ("training", "information/sampling", "by_timestep/weight", "by_timestep/information", "by_region/weight_sampling")
    assert not any(name.startswith(f"analysis/{group}") for name in fixed.stored for group in groups)
    assert (fixed("map/weight") == np.float32(1 / 3)).all()
    close(fixed("by_timestep/loss_gated"), fixed("by_timestep/loss_equal"), 1e-6)
    assert "the gate is fixed" in said and "bit of the" not in said


@pytest.mark.parametrize("name", ["two", "four", "hard"])
def test_summary(variant, name):
    path, _, said = variant(name)
    analysed = Run(path)
    assert f"{analysed('information/data_region').mean():.3f} bit of the mode" in said
    assert f"{analysed('information/sampling_timestep').mean():.3f} bit of the timestep" in said


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("name", ["two", "four", "fixed"])
def test_xarray(variant, name, engine):
    path = variant(name)[0]
    with h5py.File(path) as file:
        for group in file["analysis"].values():
            with xr.open_dataset(path, group=group.name, engine=engine) as opened:
                assert set(group) == set(opened.variables)
                for name, stored in group.items():
                    assert opened[name].shape == stored.shape
                    assert opened[name].dims == tuple(
                        dim.keys()[0] if dim.keys() else name for dim in stored.dims), name
                    assert opened[name].attrs["long_name"] and opened[name].attrs["units"] in ("1", "bit")
                    assert stored.chunks is None or stored.fletcher32
        assert file["analysis"].attrs["regions"] == "modes"
    with xr.open_datatree(path, engine=engine) as tree:
        assert "/analysis/map" in tree.groups


def without_analysis(path):
    return {name: value for name, value in contents(path).items() if not name.startswith("analysis")}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name], equal_nan=np.asarray(a[name]).dtype.kind == "f") for name in a)


def test_the_rest_stays_and_another_time_replaces(circle, tmp_path):
    path = tmp_path / "seed_7.h5"
    path.write_bytes(circle[1])
    before = contents(path)
    sizes = []
    for _ in range(4):
        analyze(path)
        assert same(without_analysis(path), before)
        assert same(contents(path), contents(circle[0]))
        sizes.append(path.stat().st_size)
    assert sizes[3] - sizes[0] < 3 * 100_000  # a little text remains, but no second analysis
    subprocess.run([PROGRAM, "evaluate", path, "--threads", "1"], check=True, capture_output=True)
    assert "analysis/map/weight" in subprocess.run([PROGRAM, "info", path], check=True, capture_output=True, text=True).stdout


def test_a_full_disk_leaves_the_run(circle, tmp_path):
    path = tmp_path / "seed_7.h5"
    path.write_bytes(circle[1])
    for more in (-1000, 300_000):  # while the file is copied, and while the analysis is written
        limit = len(circle[1]) + more
        said = analyze(path, status=ERR_IO, preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert "what was there before is kept" in said
        assert path.read_bytes() == circle[1]
        assert [other.name for other in tmp_path.iterdir() if not other.name.startswith(".")] == ["seed_7.h5"]


def test_one_expert(tmp_path):
    config = os.path.join(os.environ["DUALDIFF_SOURCE"], "configs", "run_0.toml")
    settings = {"training.steps": 20, "model.expert_head": "[]"}
    run(command(tmp_path, "--dataset", "circle", settings=settings, config=config))
    path = tmp_path / "run_0" / "circle" / "seed_0.h5"
    before = path.read_bytes()
    assert "one expert" in analyze(path, status=ERR_USAGE)
    assert path.read_bytes() == before


def test_points_from_a_file(tmp_path):
    """Cells of a grid take the place of modes; points whose file was moved must be named, as for evaluate."""
    points = np.random.default_rng(1).normal(size=(400, 2)).astype(np.float32)
    np.savetxt(tmp_path / "mine.csv", points, delimiter=",")
    as_it_is = {"data.scale": "none", "data.heldout_share": 0}
    run(command(tmp_path, "--dataset", str(tmp_path / "mine.csv"), settings={"training.steps": 60} | as_it_is))
    path = tmp_path / "run_3" / "mine" / "seed_0.h5"
    (tmp_path / "mine.csv").rename(tmp_path / "moved.csv")
    said = analyze(path, status=ERR_IO)
    assert "mine.csv" in said and "--dataset" in said
    (tmp_path / "moved.csv").rename(tmp_path / "mine.csv")
    before = path.read_bytes()
    assert "not the points" in analyze(path, "--dataset", "moons", status=ERR_USAGE) and path.read_bytes() == before
    (tmp_path / "no_run.h5").write_bytes(b"nothing")
    said = analyze(tmp_path / "no_run.h5", path, "--dataset", tmp_path / "mine.csv", status=5)
    assert "no_run.h5" in said and "1 of 2 files" in said
    analysed = Run(path)
    low, high = points.min(axis=0), points.max(axis=0)
    cell = np.clip(((points - low) / (high - low) * 8).astype(int), 0, 7)
    counts = np.bincount(cell[:, 1] * 8 + cell[:, 0], minlength=64)
    assert np.array_equal(analysed("by_region/points") > 0, counts > 0)
    assert np.isnan(analysed("by_region/share")).all()
    assert analysed("by_region/points").sum() == 12 * 4096
    with h5py.File(path) as file:
        assert file["analysis"].attrs["regions"] == "cells"


def test_locked(circle, tmp_path):
    """If two processes analysed one run at the same time, the work of one would be lost."""
    import fcntl

    path = tmp_path / "seed_7.h5"
    path.write_bytes(circle[1])
    with open(tmp_path / ".seed_7.h5.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        analyze(path, status=ERR_CONFLICT)
