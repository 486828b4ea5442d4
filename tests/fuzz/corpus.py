"""The seeds that fuzzing begins with: small good files of every kind, made here, and nothing large is kept."""
import gzip
import io
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np

SOURCE = Path(__file__).resolve().parents[2]
RUN = SOURCE / "tests/cases/run.h5"
POINTS = np.array([[1.5, -2.0], [0.25, 1e-3], [-3.0, 4.0], [1 / 3, 2e3]])
CURRENT = ("v110", "v110")  # of HDF5's file format: checksums in every part
TINY = {"model.hidden_width": 4, "model.hidden_depth": 0, "model.embedding_width": 4, "model.gate_layers": "[4]", "diffusion.timesteps": 4,
        "training.steps": 20, "training.batch": 8, "training.checkpoint_every": 10, "evaluation.samples": 20, "evaluation.heldout": 8,
        "data.points": 50}


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def configurations(folder):
    for path in (SOURCE / "configs").glob("run_*.toml"):
        write(folder, path.name, path.read_bytes())
    for i, text in enumerate([b'model.experts = 1\n', b'[model]\ngate_layers = [1, 2]\n"activation" = "relu"\n', b"a.b.c = {d = [{e = 1}]}\n",
                              b'training.steps=20', b'model.activation=silu', b"x = '''\na'''\ny = 1979-05-27T07:32:00Z\n"]):
        write(folder, f"small_{i}.toml", text)


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def table(columns):
    """Two rows, with names x0, x1, ..."""
    lines = [[f"x{i}" for i in range(columns)], [f"{i}.5" for i in range(columns)], [str(7 * i + 1) for i in range(columns)]]
    return "".join(",".join(line) + "\n" for line in lines)


def point_files(folder):
    """The first two bytes are the kind's number and the options in fuzz_points.c."""
    rows = "".join(f"{x!r},{y!r}\n" for x, y in POINTS.tolist())
    texts = [rows, "x,y\n" + rows, "0,1\n" + rows, rows.replace(",", ";"), rows.replace(",", " "), '"1.5","2"\n"3","4"\n', "1,5;2,5\n3,5;4,5\n",
             "\ufeffx,y\r\n1,2\r\n3,4\r\n", "# a\n1\t2\n\n3\t4\n", "t\n1.5\n2\n", "a,b,c,gate1,gate2\n1,2,3.5,.2,.8\n4,5,7,1,0\n",
             '"a, b";"c ""d""";\n1,5;NA;3\n;5;7\n2;3;4\n5;6;8\n', "a,city\n1,Rome\n2,\n", table(1), table(40)]
    for i, text in enumerate(texts):
        for kind in (0, 2, 3):
            write(folder, f"text_{i}_{kind}", bytes([kind, 0]) + text.encode())
        write(folder, f"drop_{i}", bytes([0, 1]) + text.encode())
    for i, (choice, text) in enumerate([("1", rows), ("y,x", "x,y\n" + rows), ("1-2,4", "a,b,,d\n1,2,x,3\n4,5,y,7\n"), ("x39,2-5", table(40))]):
        for options in (8, 11, 13):
            write(folder, f"choice_{i}_{options}", bytes([0, options]) + choice.encode() + b"\n" + text.encode())
    for i, odd in enumerate([rows.encode("utf-16"), b"1,2\n" + bytes(64)]):
        write(folder, f"odd_{i}", b"\0\0" + odd)
    arrays = [POINTS, POINTS.astype("f4"), POINTS.astype(">f8"), np.asfortranarray(POINTS), POINTS.astype("i4"), POINTS.astype("f2"), POINTS.T.copy(),
              POINTS.ravel(), np.arange(120.0).reshape(3, 40)]
    for i, array in enumerate(arrays):
        write(folder, f"npy_{i}", b"\1\0" + npy(array))
    write(folder, "npy_chosen", b"\1\x092-5,40\n" + npy(np.arange(120.0).reshape(3, 40)))
    write(folder, "npy_version_3", b"\1\0" + npy(POINTS, version=(3, 0)))
    write(folder, "gz", b"\4\0" + gzip.compress(rows.encode(), mtime=0))
    stream = io.BytesIO()
    np.savez(stream, POINTS)
    write(folder, "npz", b"\5\0" + stream.getvalue())


FILTERS: dict[str, dict] = {
    "plain": {}, "chunked": {"chunks": (2, 2)}, "packed": {"chunks": (2, 2), "compression": "gzip", "shuffle": True, "fletcher32": True}}


def users_hdf5(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for libver in ("earliest", "latest"):
        for name, options in FILTERS.items():
            for kind in ("f4", ">f8", "i2"):
                bounds = "earliest" if libver == "earliest" else CURRENT
                with h5py.File(folder / f"{libver}_{name}_{kind.strip('>')}.h5", "w", libver=bounds) as file:
                    file.create_dataset("xy", data=POINTS.astype(kind), **options).attrs["names"] = ["a", "b"]
                    file.attrs["made_by"] = "somebody"


def wide_hdf5(folder):
    for columns in (1, 40):
        with h5py.File(folder / f"wide_{columns}.h5", "w", libver=CURRENT) as file:
            file.create_dataset("xy", data=np.arange(3.0 * columns).reshape(3, columns), chunks=(2, columns))
            file["coordinate"] = np.arange(columns)
            file["coordinate"].attrs["names"] = [f"x{i}" for i in range(columns)]


def own_files(folder, program):
    """A result, and the log, checkpoint and samples that a run of it would have; and what `program` writes today."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(RUN, folder / "result.h5")
    for kind in ("log", "checkpoint", "samples"):
        with h5py.File(RUN) as run, h5py.File(folder / f"{kind}.h5", "w", libver=CURRENT) as file:
            file.attrs.update(dict(run.attrs) | {"kind": kind})
            run.copy("config", file)
            for name in {"log": ["train", "gate"], "checkpoint": ["parameters"], "samples": ["samples"]}[kind]:
                run.copy(name, file)
            if kind == "checkpoint":
                file.attrs.update(step=np.uint64(10), complete=np.uint64(1))
                file["training_time"] = 1.0
                for part in ("exp_avg", "exp_avg_sq"):
                    run.copy("parameters/ema", file, name=f"optimizer/{part}")
    out = folder.parent / "trained"
    sets = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    subprocess.run([program, "train", SOURCE / "configs/run_1.toml", *sets, "--dataset", "line", "--threads", "1", "--quiet", "--backend", "cpu",
                    "--out", out], check=True)
    for path in out.rglob("seed_0*"):
        if path.is_file():
            shutil.copy(path, folder / f"today_{path.name}")


def make(folder, program):
    """Seeds of each fuzzer in folder/NAME."""
    configurations(folder / "fuzz_config")
    point_files(folder / "fuzz_points")
    users_hdf5(folder / "fuzz_user_h5")
    wide_hdf5(folder / "fuzz_user_h5")
    own_files(folder / "fuzz_own_h5", program)


def words():
    """A dictionary of the configuration's words, which chance would not find."""
    text = (SOURCE / "configs/run_1.toml").read_text()
    keys = {line.split("=")[0].strip() for line in text.splitlines() if "=" in line and not line.startswith("#")}
    sections = {line.strip() for line in text.splitlines() if line.startswith("[")}
    return "".join(f'"{word}"\n' for word in sorted(keys | sections | {"= ", "true", "inf", "nan", "[[", "{", "'''"}))
