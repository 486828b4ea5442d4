"""A user's own points: every kind of file that can be read, and the message for each kind of fault."""

import io
import struct

import h5py
import numpy as np
import pytest
from datasets import points, run

GOOD = np.array([[1.5, -2.0], [0.25, 1e-3], [-3.0, 4.0], [1 / 3, 2e5]])

DATA, IO, MEMORY = 4, 5, 8  # exit codes: error.h


def refused(path, status, *say):
    done = run(path)
    message = done.stderr.decode()
    assert done.returncode == status, message
    for part in say:
        assert part in message
    assert done.stdout == b""


def same(path, expected=GOOD):
    assert np.array_equal(points(path), np.asarray(expected, np.float32).astype(float))


# ---- CSV ----


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", ", ", " ; "])
@pytest.mark.parametrize("header", ["", "x{}y\n", "# x{}y\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(tmp_path, separator, header, end):
    text = header.format(separator) + "".join(f"{x!r}{separator}{y!r}\n" for x, y in GOOD.tolist())
    path = tmp_path / "points.csv"
    path.write_bytes(text.replace("\n", end).encode())
    same(path)


def test_csv_as_tools_write_it(tmp_path):
    path = tmp_path / "points.csv"
    np.savetxt(path, GOOD, delimiter=",", header="x,y")
    same(path)
    path.write_bytes("﻿x,y\n1.5,-2\n3,4".encode())  # a spreadsheet's, without a last newline
    same(path, [[1.5, -2], [3, 4]])
    path.write_bytes("﻿1.5,-2\n\n3,4\n\n".encode())
    same(path, [[1.5, -2], [3, 4]])


@pytest.mark.parametrize(
    "text, say",
    [
        ("1,2\n3,nan\n", ["row 2, column 2: NaN"]),
        ("1,2\ninf,2\n", ["row 2, column 1: infinite"]),
        ("x,y\n1,2\n3,-inf\n", ["row 3, column 2 ('y'): infinite"]),
        ("1,2\n3,1e300\n", ["row 2, column 2", "too large"]),
        ("1,2\n3,4,5\n", ["row 2 has 3 columns; row 1 has 2"]),
        ("1,2\n3\n", ["row 2 has 1 column;"]),
        ("1,2\n3,,4\n", ["row 2 has 3 columns"]),
        ("x,y\nx,y\n", ["row 2, column 1 ('x'): 'x' is not a number"]),
        ("1,2\n3,four\n", ["row 2, column 2: 'four' is not a number", "leave it out: --columns 1"]),
        ("1,2\n3,4m\n", ["row 2, column 2: '4m' is not a number"]),
        ("1,two\n3,4\n", ["row 1", "not a row of numbers", "--header yes", "--header no"]),
        ("x,y\n1,2\n", ["1 point; at least 2"]),
        ("", ["0 points"]),
    ],
)
def test_bad_csv(tmp_path, text, say):
    path = tmp_path / "points.csv"
    path.write_text(text)
    refused(path, DATA, str(path), *say)


# ---- NPY ----


def npy(array, version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
def test_npy(tmp_path, version, kind):
    path = tmp_path / "points.npy"
    path.write_bytes(npy(GOOD.astype(kind), version))
    same(path)


def test_npy_with_a_long_header(tmp_path):
    path = tmp_path / "points.npy"
    header = str({"descr": "<f8", "fortran_order": False, "shape": GOOD.shape}).ljust(70_003) + "\n"
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header.encode() + GOOD.tobytes())
    assert np.array_equal(np.load(path, max_header_size=100_000), GOOD)
    same(path)


def test_same_points_same_checksum(tmp_path):
    """The checksum of a dataset depends only on its points, not on the kind of file."""
    np.save(tmp_path / "a.npy", GOOD.astype(np.float32))
    np.savetxt(tmp_path / "b.csv", GOOD)
    last = [run(tmp_path / name).stderr.split()[-1] for name in ("a.npy", "b.csv")]
    assert last[0] == last[1]


@pytest.mark.parametrize(
    "array, say",
    [
        (GOOD > 0, ["type '|b1'", "astype('float32')"]),
        (GOOD.astype(np.longdouble), ["type '<f16'", "astype('float32')"]),
        (GOOD.astype(complex), ["type '<c16'", "astype('float32')"]),
        (np.array(["a", "b"]), ["type '<U1'"]),
        (np.array([["2020-01-01", "2020-01-02"]], "M8[D]"), ["type '<M8[D]'"]),
        (np.array([[1.5, None]], object), ["Python objects"]),
        (np.zeros(3, dtype=[("x", "<f4"), ("y", "<f4")]), ["fields", "structured_to_unstructured"]),
        (GOOD.T.copy(), ["2 points of 4 coordinates; at least 4 are needed", "exchanged", "points.T"]),
        (np.zeros((3, 2, 2)), ["shape (3, 2, 2)"]),
        (np.zeros((3, 3)), ["column 1 is 0 in every row"]),
        (np.zeros((3, 0)), ["shape (3, 0)"]),
        (np.zeros(()), ["shape ()"]),
        (np.zeros((0, 2)), ["0 points"]),
        (np.zeros((1, 2)), ["1 point;"]),
        (np.array([[0, 1], [2, np.nan]]), ["row 2, column 2: NaN"]),
        (np.array([[0, 1], [1, 2], [-np.inf, 1]]), ["row 3, column 1: infinite"]),
    ],
)
def test_bad_npy(tmp_path, array, say):
    path = tmp_path / "points.npy"
    np.save(path, array)
    refused(path, DATA, str(path), *say)


def test_damaged_npy(tmp_path):
    path = tmp_path / "points.npy"
    good = npy(GOOD, (1, 0))
    path.write_bytes(good[:-1])
    refused(path, DATA, "truncated", "row 4")
    path.write_bytes(good[:-17])
    refused(path, DATA, "truncated", "row 3")
    for length in [0, 5, 9, 10, 40]:
        path.write_bytes(good[:length])
        refused(path, DATA, str(path), "not an NPY file" if length < 10 else "truncated")
    path.write_bytes(b"PK\3\4" + good[4:])
    refused(path, DATA, "not an NPY file")
    path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFFFFFF) + good[10:])
    refused(path, DATA, "impossible length")
    header = b"'fortran_order': False, 'shape': (4, 2), 'descr'"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    refused(path, DATA, str(path), "numbers of type", "not read")
    path.write_bytes(good.replace(b"'shape'", b"'shrpe'"))
    refused(path, DATA, "malformed header")


# ---- HDF5 ----


@pytest.mark.parametrize("kind", ["<f4", ">f8", "f2"])
@pytest.mark.parametrize("options", [{}, {"chunks": (3, 1), "compression": "gzip", "fletcher32": True}])
def test_hdf5(tmp_path, kind, options):
    path = tmp_path / "set.h5"
    expected = GOOD[:3].astype(kind)
    with h5py.File(path, "w") as file:
        file.create_dataset("a/b", data=expected, **options)
    same(f"{path}:/a/b", expected.astype(np.float32))


@pytest.mark.parametrize("ending", ["h5", "hdf5"])
def test_hdf5_integers_and_endings(tmp_path, ending):
    path = tmp_path / f"set.{ending}"
    with h5py.File(path, "w") as file:
        file["points"] = np.array([[1, -2], [3, 4]])
    same(f"{path}:/points", [[1, -2], [3, 4]])


def test_bad_hdf5(tmp_path):
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file["good"] = GOOD
        file["nan"] = np.array([[0, 1], [np.nan, 1]])
        file["deep"] = np.zeros((3, 2, 1))
        file["scalar"] = 3.0
        file["text"] = np.array([[b"a", b"b"], [b"c", b"d"]])
        file["one"] = np.zeros((1, 2))
        file["group/x"] = 1
        file.create_dataset("endless", shape=(2**60, 2), chunks=(1024, 2), dtype="f4")
    refused(f"{path}:/nan", DATA, f"{path}:/nan", "row 2, column 1: NaN")
    for name in ["deep", "scalar"]:
        refused(f"{path}:/{name}", DATA, f"{path}:/{name}", "points have shape (n, D)")
    refused(f"{path}:/text", DATA, "does not hold numbers")
    refused(f"{path}:/one", DATA, "1 point;")
    refused(f"{path}:/endless", MEMORY, "1152921504606846976 rows")
    refused(f"{path}:/none", DATA, "no dataset /none", "h5ls")
    refused(f"{path}:/group", DATA, "no dataset of shape (n, D) in /group")
    refused(path, DATA, "name one of its datasets", f"{path}:/endless", "/endless, /good, /nan, /one")
    refused(f"{tmp_path}/none.h5:/good", IO, "none.h5")
    whole = path.read_bytes()
    for damaged in [whole[: len(whole) // 2], b"", b"not HDF5 at all" * 100]:
        path.write_bytes(damaged)
        refused(f"{path}:/good", IO, str(path))


def test_damaged_chunk(tmp_path):
    """A flipped bit under a checksum is an error, not a wrong point."""
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("points", data=GOOD, chunks=(4, 2), fletcher32=True)
        offset = file["points"].id.get_chunk_info(0).byte_offset
    whole = bytearray(path.read_bytes())
    whole[offset + 3] ^= 1
    path.write_bytes(whole)
    refused(f"{path}:/points", IO, str(path))


# ---- names ----


def test_neither_name_nor_file(tmp_path):
    refused("dinno", IO, "'dinno'", "did you mean 'dino'?")
    refused("Moons", IO, "did you mean 'moons'?")
    refused("nothing_like_it", IO, "nothing_like_it", "`dualdiff datasets`")
    refused(tmp_path / "dino", IO, "No such file")
    refused(tmp_path, IO, str(tmp_path), "a folder")
    (tmp_path / "points.xlsx").write_bytes(b"1,2\n3,4\n")
    refused(tmp_path / "points.xlsx", DATA, "unknown kind of file", ".npz or FILE.h5:/path", "--dataset - < FILE")
