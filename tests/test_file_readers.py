"""What readers see of the store's files: h5py, xarray with both engines, h5dump, h5ls, NumPy; and of a log that is
being written by another process, or was left by a killed one. The contents are made up in stored_run.h."""
import os
import re
import shutil
import signal
import subprocess
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pyfive
import pytest
import xarray as xr

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "tests" / "dump_store"
SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
STEPS, BATCH, TIMESTEPS, SAMPLES = 23, 8, 10, 40
KINDS = ["log", "result", "x.ckpt", "samples"]
VARIANTS = {  # name: configuration, overrides
    "run_0": ("run_0", []),
    "run_1": ("run_1", []),
    "run_4": ("run_4", []),
    "stride": ("run_1", ["training.gate_every=3"]),
    "four": ("run_1", ["model.experts=4", "sampling.steps=4"]),
    "five": ("run_4", ["model.experts=5", "model.gate=hard", "training.gate_every=3"]),
    "fixed": ("run_1", ["model.gate=fixed", "sampling.steps=4"]),
}
EXPERTS = {"run_0": 1, "four": 4, "five": 5}  # others have two
GATES = {"run_0": 0, "fixed": 0, "four": 4, "five": 5}  # stored weights a point; others have one
EVERY = {"stride": 3, "five": 3}
USED = {"four": [2, 4, 7, 9], "fixed": [2, 4, 7, 9]}  # timesteps; others all ten


@pytest.fixture(scope="module", params=VARIANTS)
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    config, overrides = VARIANTS[request.param]
    subprocess.run([PROGRAM, "files", folder, SOURCE / "configs" / f"{config}.toml", *overrides], check=True, timeout=60)
    return request.param, folder


def gate_rows(step, gates):
    """Gating weights (step, batch) or, of more than one, (step, batch, expert), and timesteps of stored_run.h."""
    row = np.arange(BATCH)
    s = np.asarray(step)[:, None]
    missing = (s % 5 == 4) & (row >= BATCH * 5 // 8)
    weight = ((7 * s + row)[:, :, None] + 100 * np.arange(gates)) % 1000 / 1000
    weight = np.where(missing[:, :, None], np.nan, weight).astype(np.float32)
    return weight if gates > 1 else weight[:, :, 0], np.where(missing, -1, (3 * s + row) % TIMESTEPS)


def scale_of(item, axis):
    (scale,) = item.dims[axis].values()
    return scale[:]


def all_groups(file):
    groups = ["/"]
    file.visititems(lambda name, item: groups.append("/" + name) if isinstance(item, h5py.Group) else None)
    return groups


def all_sets(file):
    sets = []
    file.visititems(lambda name, item: sets.append(item) if isinstance(item, h5py.Dataset) else None)
    return sets


# ---- every file ----


@pytest.mark.parametrize("kind", KINDS)
def test_self_description(run, kind):
    with h5py.File(run[1] / f"{kind}.h5") as file:
        for item in all_sets(file):
            text = item.name == "/config"
            assert isinstance(item.attrs["long_name"], str) and item.attrs["long_name"], item.name
            assert text or item.attrs["units"] in ("s", "1", "bit"), item.name
            assert item.dtype.kind in ("S" if text else "if")
            if item.ndim:
                assert item.chunks and item.fletcher32, item.name
            if item.is_scale:
                continue
            scales = [dict(axis.items()) for axis in item.dims]
            names = [s.name for axis in scales for s in axis.values()]
            assert all(len(axis) == 1 for axis in scales) and len(set(names)) == item.ndim, item.name
            for axis, size in zip(scales, item.shape):
                (scale,) = axis.values()
                assert len(scale) == size
                assert item.name.startswith(scale.parent.name.rstrip("/") + "/"), "scale in the group or an ancestor"


@pytest.mark.parametrize("kind", KINDS)
def test_root_attributes(run, kind):
    with h5py.File(run[1] / f"{kind}.h5") as file:
        attributes = dict(file.attrs)
        config = file["config"].asstr()[()]
        names = file["data/coordinate"].attrs["names"]
    assert list(names) == ["x1", "x2"]
    commit = attributes.pop("git_commit")
    assert isinstance(commit, str) and commit
    assert re.fullmatch(r"\d+\.\d+\.\d+", attributes.pop("program_version"))
    expected = dict(schema_version=1, kind={"x.ckpt": "checkpoint"}.get(kind, kind), backend="cpu", device="a processor",
                    threads=3, config_name="run_x", dataset="díno", seed=2**64 - 1, points=1000, replicas=2,
                    data_checksum="fedcba9876543210", dimensions=2)
    if kind == "x.ckpt":
        expected |= dict(step=15, complete=1)
    assert attributes == expected
    assert "hidden_width = 16" in config and "timesteps = 10" in config


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_variable_length_utf8(run, kind):
    def check(attributes):
        for name in attributes:
            if name in ("CLASS", "NAME"):
                continue  # HDF5's own, of a dimension scale
            string = h5py.check_string_dtype(attributes.get_id(name).dtype)
            assert string is None or string == ("utf-8", None), name
            assert attributes.get_id(name).dtype.kind != "b"

    with h5py.File(run[1] / f"{kind}.h5") as file:
        check(file.attrs)
        for item in all_sets(file):
            check(item.attrs)
        text = h5py.check_string_dtype(file["config"].dtype)
        assert text.encoding == "ascii" and text.length == len(file["config"][()])


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("run, kind", [("run_1", kind) for kind in KINDS] +
                         [("run_0", "result"), ("stride", "log"), ("four", "log"), ("four", "result"), ("four", "samples"),
                          ("five", "result"), ("fixed", "result")],
                         indirect=["run"])
def test_xarray_opens_every_group(run, kind, engine):
    path = run[1] / f"{kind}.h5"
    with h5py.File(path) as file:
        groups = {name: [k for k, v in file[name].items() if isinstance(v, h5py.Dataset)] for name in all_groups(file)}
        for name, members in groups.items():
            with xr.open_dataset(path, group=name, engine=engine) as opened:
                assert set(members) <= set(opened.variables), name
                for member in members:
                    stored = file[name][member]
                    assert opened[member].shape == stored.shape
                    if member != "config":
                        fill = np.isnan(opened[member]) & ~np.isnan(stored[()].astype(float))
                        assert np.array_equal(np.where(fill, stored.attrs.get("_FillValue", 0), opened[member]), stored,
                                              equal_nan=True)
                        assert (opened[member].attrs | opened[member].encoding)["units"] == stored.attrs["units"]
    with xr.open_datatree(path, engine=engine) as tree:
        assert set(tree.groups) == set(groups)


@pytest.mark.parametrize("tool", [["h5dump"], ["h5dump", "-H", "-p"], ["h5ls", "-r", "-v"]])
@pytest.mark.parametrize("kind", KINDS)
def test_tools(run, kind, tool):
    if not shutil.which(tool[0]):
        pytest.skip(f"{tool[0]} is not installed")
    out = subprocess.run([*tool, run[1] / f"{kind}.h5"], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0 and not out.stderr and "config" in out.stdout


# ---- readers that know no format but that of HDF5 1.8 ----

LASTING = ["result", "samples"]  # what users keep; a log needs HDF5 1.10 for SWMR


@pytest.mark.parametrize("kind", LASTING)
def test_format_is_that_of_hdf5_1_8(run, kind, tmp_path):
    assert (run[1] / f"{kind}.h5").read_bytes()[8] == 2, "version of the superblock"
    if not shutil.which("h5repack"):
        pytest.skip("h5repack is not installed")
    packed = tmp_path / "packed.h5"
    subprocess.run(["h5repack", "-k", "1", run[1] / f"{kind}.h5", packed], check=True, timeout=60)
    with h5py.File(run[1] / f"{kind}.h5") as ours, h5py.File(packed) as theirs:
        for item in all_sets(ours):
            assert item[()].tobytes() == theirs[item.name][()].tobytes()


def plain(value):
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("kind", LASTING)
def test_pyfive_reads_everything(run, kind):
    with h5py.File(run[1] / f"{kind}.h5") as ours, pyfive.File(run[1] / f"{kind}.h5") as theirs:
        assert {name: plain(value) for name, value in theirs.attrs.items()} == dict(ours.attrs)
        for item in all_sets(ours):
            other = theirs[item.name]
            assert np.asarray(other[()]).tobytes() == np.asarray(item[()]).tobytes(), item.name
            assert plain(other.attrs["long_name"]) == item.attrs["long_name"]


@pytest.mark.parametrize("kind", KINDS)
def test_values_by_themselves_have_a_checksum(run, kind):
    with h5py.File(run[1] / f"{kind}.h5") as file:
        values = [item for item in all_sets(file) if not item.ndim]
        assert values and all(item.attrs["crc32"] == zlib.crc32(item[()]) for item in values)


def chunk_key(data, set):
    """Where the chunk index of a dataset with one chunk holds the chunk's place (HDF5 File Format Specification, III.A.1):
    node head, then size and filter mask, the place, and the chunk's address."""
    head, places = 24 + 8, 8 * (set.ndim + 1)
    address = set.id.get_chunk_info(0).byte_offset.to_bytes(8, "little")
    nodes = [match.start() for match in re.finditer(b"TREE\x01", data)]
    (key,) = [node + head for node in nodes if data[node + head + places:][:8] == address]
    return key


def dualdiff(*arguments):
    return subprocess.run([PROGRAM.parent.parent / "dualdiff", *arguments], capture_output=True, text=True, timeout=60)


def test_a_chunk_that_the_index_lost_is_not_zeros(run, tmp_path):
    damaged = tmp_path / "result.h5"
    data = bytearray((run[1] / "result.h5").read_bytes())
    with h5py.File(run[1] / "result.h5") as file:
        name = next(iter(file["parameters/ema"].values())).name
        for lost in (file[name], file["samples/x"]):
            data[chunk_key(data, lost)] = lost.chunks[0]  # the first chunk becomes the second
    damaged.write_bytes(data)
    with h5py.File(damaged) as file:
        assert np.isnan(file["samples/x"]).all()
    refused = dualdiff("sample", damaged, "--n", "3")
    assert refused.returncode and f"{name} is damaged" in refused.stderr


def test_a_value_with_a_flipped_bit_is_refused(run, tmp_path):
    damaged = tmp_path / "run_x" / "dino" / "seed_0.h5"
    damaged.parent.mkdir(parents=True)
    with h5py.File(run[1] / "result.h5") as file:
        places = {name: file[name].id.get_offset() for name in ("metrics/kl_divergence", "config")}
    for name, place in places.items():
        data = bytearray((run[1] / "result.h5").read_bytes())
        data[place] ^= 1
        damaged.write_bytes(data)
        refused = dualdiff("compare", tmp_path, "--metric", "kl_divergence")
        assert refused.returncode and f"{damaged}: " in refused.stderr and f"/{name} is missing" in refused.stderr


# ---- contents ----


@pytest.mark.parametrize("kind", ["log", "result"])
def test_training_rows(run, kind):
    with h5py.File(run[1] / f"{kind}.h5") as file:
        step = np.arange(STEPS)
        assert np.array_equal(file["train/step"], step)
        for base, name in enumerate(["mse", "loss", "diversity", "grad_norm"], 1):
            assert np.array_equal(file[f"train/{name}"], (base + step.astype(np.float32) / 1000).astype(np.float32))
        assert np.allclose(file["train/learning_rate"], 3e-4 * 0.5 * (1 + np.cos(np.pi * step / STEPS)), rtol=1e-14)
        gates, every = GATES.get(run[0], 1), EVERY.get(run[0], 1)
        if not gates:
            assert "gate" not in file
            return
        gate_step = step[::every]
        weight, timestep = gate_rows(gate_step, gates)
        stored = file["gate/train/weight"]
        assert np.array_equal(file["gate/train/step"], gate_step)
        assert stored.shape == weight.shape and np.array_equal(stored, weight, equal_nan=True)
        assert np.array_equal(file["gate/train/timestep"], timestep)
        assert file["gate/train/timestep"].dtype == np.int16 and file["gate/train/timestep"].attrs["_FillValue"] == -1
        assert np.isnan(stored.attrs["_FillValue"]) and stored.dtype == np.float32
        assert stored.chunks == (1 if every > 1 else 5, BATCH, gates)[:stored.ndim]
        assert file["train/loss"].chunks == (5,)
        if gates > 1:
            assert np.array_equal(scale_of(stored, 2), np.arange(1, gates + 1))


def test_result_contents(run):
    gates, used = GATES.get(run[0], 1), np.array(USED.get(run[0], range(TIMESTEPS)))
    with h5py.File(run[1] / "result.h5") as file:
        i = np.arange(SAMPLES, dtype=np.float32)
        x = np.stack([i, i + 0.5], axis=1)
        assert np.array_equal(file["samples/x"], x) and np.array_equal(file["samples/initial_noise"], -x)
        if not gates:
            assert "gate" not in file["samples"] and "gate" not in file
        else:
            gate = (i / SAMPLES)[:, None] + 10 * np.arange(gates, dtype=np.float32)
            sampling = used.astype(np.float32)[:, None, None] + gate
            for name, values in (("samples/gate", gate), ("gate/sample/weight", sampling)):
                values = values if gates > 1 else values[..., 0]
                assert file[name].shape == values.shape and np.array_equal(file[name], values), name
                if gates > 1:
                    assert np.array_equal(scale_of(file[name], values.ndim - 1), np.arange(1, gates + 1)), name
            assert np.array_equal(file["gate/sample/timestep"], used)
            assert np.array_equal(scale_of(file["gate/sample/weight"], 0), used)
        metrics = {name: value[()] for name, value in file["metrics"].items()}
        assert metrics == dict(training_time=31.5, eval_loss=0.75, inference_time=2.25, kl_divergence=-0.125,
                               kl_zero_distances=3, modes_captured=141)
        assert file["metrics/training_time"].attrs["units"] == "s" and file["metrics/kl_divergence"].attrs["units"] == "bit"


@pytest.mark.parametrize("run", ["four"], indirect=True)
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_weights_by_the_number_of_the_expert(run, engine):
    for group, name in (("gate/train", "weight"), ("gate/sample", "weight"), ("samples", "gate")):
        with xr.open_dataset(run[1] / "result.h5", group=group, engine=engine) as opened:
            weights = opened[name]
            assert list(opened["expert"]) == [1, 2, 3, 4] and weights.dims[-1] == "expert"
            assert np.array_equal(weights.sel(expert=3), weights[..., 2], equal_nan=True)
    with xr.open_dataset(run[1] / "result.h5", group="gate/sample", engine=engine) as opened:
        assert np.array_equal(opened["weight"].sel(timestep=7, expert=2), opened["weight"][2, :, 1])


def reference_shapes(variant):
    """Names and shapes of the reference's state_dict at hidden width 16 and embedding width 8, in the order of dd_model.
    With more than two experts there are more names, and the gate has an output for each expert."""
    config, experts, gates = VARIANTS[variant][0], EXPERTS.get(variant, 2), GATES.get(variant, 1)
    layers = []

    def expert(prefix):
        layers.append((f"{prefix}.0", 16, 24))
        layers.extend((f"{prefix}.{i}.ff", 16, 16) for i in (1, 2, 3))
        layers.extend([(f"{prefix}.5", 2, 16)] if config in ("run_0", "run_1")
                      else [(f"{prefix}.5", 128, 16), (f"{prefix}.7", 2, 128)])

    if experts == 1:
        expert("network")
    for number in range(1, experts + 1) if experts > 1 else []:
        expert(f"expert{number}")
    if gates:
        layers.append(("gating_network.0", 256, 24))
        layers.extend([("gating_network.2", gates, 256)] if config == "run_1"
                      else [("gating_network.2", 128, 256), ("gating_network.4", gates, 128)])
    return {f"{name}.{part}": shape for name, out, width in layers for part, shape in
            (("weight", (out, width)), ("bias", (out,)))}


@pytest.mark.parametrize("kind, group, part", [("result", "parameters/online", 0), ("result", "parameters/ema", 1),
                                               ("x.ckpt", "parameters/online", 0), ("x.ckpt", "parameters/ema", 1),
                                               ("x.ckpt", "optimizer/exp_avg", 2), ("x.ckpt", "optimizer/exp_avg_sq", 3)])
def test_tensors_are_the_references(run, kind, group, part):
    with h5py.File(run[1] / f"{kind}.h5") as file:
        tensors = {name: tensor[:] for name, tensor in file[group].items()}
    shapes = reference_shapes(run[0])
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())
    flat = np.concatenate([tensors[name].ravel() for name in shapes])
    assert np.array_equal(flat, part + (np.arange(flat.size) % 4096) / np.float32(8192))


def test_samples_alone(run):
    x = np.array([[1, 2], [3, 4], [5, 1 / 3]], dtype=np.float32)
    gates = GATES.get(run[0], 1)
    gate = np.float32(0.1) * np.arange(3, dtype=np.float32)[:, None] + np.arange(gates, dtype=np.float32)
    names = {0: "x1,x2", 1: "x1,x2,gate"}.get(gates, "x1,x2" + "".join(f",gate{k + 1}" for k in range(gates)))
    table = np.loadtxt(run[1] / "samples.csv", delimiter=",", skiprows=1, dtype=np.float32)
    header = (run[1] / "samples.csv").read_text().splitlines()[0]
    loaded = np.load(run[1] / "samples.npy", allow_pickle=False)
    assert loaded.dtype == np.float32 and np.array_equal(loaded, x)
    with h5py.File(run[1] / "samples.h5") as file:
        assert np.array_equal(file["samples/x"], x)
        assert header == names and np.array_equal(table, np.column_stack([x, gate]))
        if gates:
            assert np.array_equal(file["samples/gate"], gate if gates > 1 else gate[:, 0])
        else:
            assert "gate" not in file["samples"]


def test_documented_example(tmp_path, monkeypatch, capsys):
    example = re.search(r"```python\n(.*?)```", (SOURCE / "docs" / "file-format.md").read_text(), re.S).group(1)
    assert len(example.splitlines()) == 5
    subprocess.run([PROGRAM, "files", tmp_path, SOURCE / "configs" / "run_1.toml"], check=True, timeout=60)
    target = tmp_path / "runs" / "run_1" / "dino" / "seed_0.h5"
    target.parent.mkdir(parents=True)
    (tmp_path / "result.h5").rename(target)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example, names)
    names["run"].close()
    printed = capsys.readouterr().out
    assert printed.startswith("díno -0.125 2.011") and printed.rstrip().endswith("]")  # the last: a row of weights
    assert len(names["model"]) == 24
    assert names["model"]["expert1.2.ff.weight"].shape == (16, 16)


# ---- a log that is being written ----

WATCHED = ["training.steps=400", "training.batch=64", "training.checkpoint_every=10"]


def watch(path, milliseconds, start=0, overrides=WATCHED):
    return subprocess.Popen([PROGRAM, "watch", path, str(milliseconds), str(start), *overrides])


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.001)


def check_rows(file, names=("train/mse", "gate/train/weight", "gate/train/timestep")):
    """Every complete row is right; returns their number."""
    scales = {"train": file["train/step"], "gate/train": file["gate/train/step"]}
    for scale in scales.values():
        scale.id.refresh()
    rows = {group: len(scale) for group, scale in scales.items()}
    for name in names:
        file[name].id.refresh()
        n = rows[name.rsplit("/", 1)[0]]
        step, values = np.arange(n), file[name][:n]
        assert np.array_equal(scales[name.rsplit("/", 1)[0]][:n], step)
        if name == "train/mse":
            assert np.array_equal(values, (1 + step.astype(np.float32) / 1000).astype(np.float32))
        else:
            row, s = np.arange(64), step[:, None]
            missing = (s % 5 == 4) & (row >= 40)
            if name.endswith("weight"):
                expected = np.where(missing, np.nan, ((7 * s + row) % 1000) / 1000).astype(np.float32)
            else:
                expected = np.where(missing, -1, (3 * s + row) % TIMESTEPS)
            assert np.array_equal(values, expected, equal_nan=True)
    return rows["train"]


def test_watch_and_refresh(tmp_path):
    writer = watch(tmp_path / "log.h5", 20)
    wait_for(tmp_path / "log.h5", writer)
    seen = []
    with h5py.File(tmp_path / "log.h5", "r", swmr=True) as file:
        assert "learning_rate" in file["train"] and file.attrs["kind"] == "log"
        while writer.poll() is None:
            seen.append(check_rows(file))
            time.sleep(0.005)
        seen.append(check_rows(file))
    assert writer.returncode == 0
    assert seen == sorted(seen) and seen[-1] == 400 and all(n % 10 == 0 for n in seen)
    assert len(set(seen)) > 3, "rows become visible while the writer runs"


def test_reader_never_stops_the_writer(tmp_path):
    """Readers that open and close all the time, from before the log has its name."""
    writer = watch(tmp_path / "log.h5", 15)
    opened = refused = 0
    while writer.poll() is None:
        try:
            with h5py.File(tmp_path / "log.h5", "r", swmr=True) as file:
                check_rows(file)
            opened += 1
        except FileNotFoundError:
            continue
        try:  # a reader without SWMR is refused and does not disturb the writer
            h5py.File(tmp_path / "log.h5", "r").close()
        except OSError:
            refused += 1
    assert writer.returncode == 0 and opened > 3 and refused
    with h5py.File(tmp_path / "log.h5", "r") as file:
        assert check_rows(file) == 400


def test_xarray_sees_a_log_that_is_written(tmp_path):
    writer = watch(tmp_path / "log.h5", 20)
    wait_for(tmp_path / "log.h5", writer)
    rows = []
    while writer.poll() is None:
        with xr.open_dataset(tmp_path / "log.h5", group="train", engine="h5netcdf", driver_kwds={"swmr": True}) as log:
            rows.append(log.sizes["step"])
    assert writer.returncode == 0 and rows == sorted(rows) and any(0 < n < 400 for n in rows)


def test_reader_keeps_the_log_when_the_file_is_replaced(tmp_path):
    writer = watch(tmp_path / "log.h5", 1)
    wait_for(tmp_path / "log.h5", writer)
    with h5py.File(tmp_path / "log.h5", "r", swmr=True) as file:
        assert writer.wait(60) == 0
        (tmp_path / "log.h5").unlink()
        assert check_rows(file) == 400


def test_killed_log_is_read_and_continued(tmp_path):
    path = tmp_path / "log.h5"
    for milliseconds in (0, 1, 25, 60, 90, 130):
        path.unlink(missing_ok=True)
        writer = watch(path, 20)
        wait_for(path, writer)
        time.sleep(milliseconds / 1000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        with h5py.File(path, "r", swmr=True) as file:
            rows = check_rows(file)
        assert rows < 400
        if not rows:
            continue
        assert watch(path, 0, rows).wait(60) == 0
        assert not (tmp_path / "log.h5.tmp").exists()
        with h5py.File(path, "r") as file:
            assert check_rows(file) == 400


def test_rows_that_are_not_there_are_nan(tmp_path):
    path = tmp_path / "log.h5"
    writer = watch(path, 1000)
    wait_for(path, writer)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    before = path.read_bytes()
    with h5py.File(path, "r", swmr=True) as file:
        rows = check_rows(file)
    assert rows < 100
    assert watch(path, 0, 100).wait(60) == 0
    assert (tmp_path / "log.h5.damaged").read_bytes() == before and not (tmp_path / "log.h5.tmp").exists()
    with h5py.File(path, "r") as file:
        mse, step = file["train/mse"][:], file["train/step"][:]
    assert np.array_equal(step, np.arange(400))
    assert np.isnan(mse[rows:100]).all() and not np.isnan(mse[:rows]).any() and not np.isnan(mse[100:]).any()
