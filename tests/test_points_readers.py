"""Files of points that users have: written by common tools, or damaged by power cuts and wrong exports."""

import gzip
import os
import resource
import zipfile

import h5py
import numpy as np
import pytest
import small_job
from datasets import points, run

CASES = os.path.join(os.path.dirname(__file__), "cases")
GOOD = np.array([[1.5, -2.0], [0.25, 1e-3], [-3.0, 4.0], [1 / 3, 2e5]])
ROWS = [(1.5, -2.25), (3.5, 4.125)]

DATA, IO, CONFLICT = 4, 5, 6  # exit codes: error.h


def case(name):
    return os.path.join(CASES, name)


def written(tmp_path, content, name="points.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def same(path, expected=GOOD, **options):
    assert np.array_equal(points(path, **options), np.asarray(expected, np.float32).astype(float))


def refused(path, status, *say, **options):
    done = run(path, **options)
    message = done.stderr.decode()
    assert done.returncode == status, message
    for part in say:
        assert part in message, message
    assert done.stdout == b""


# ---- headers ----


def test_pandas_without_names():
    rows = np.loadtxt(case("plain.csv"), delimiter=",")
    refused(case("pandas_head01.csv"), DATA, "row 1, '0,1'", "counts from 0", "--header no", "--header yes")
    same(case("pandas_head01.csv"), rows, header="yes")
    same(case("pandas_head01.csv"), np.vstack([[0, 1], rows]), header="no")
    same(case("plain.csv"), rows)
    same(case("plain.csv"), rows, header="no")
    same(case("plain.csv"), rows[1:], header="yes")


@pytest.mark.parametrize(
    "first, rest, say",
    [
        ("20,21", "1.5,2.5\n3.5,4\n", "whole numbers, and every other row has decimals"),
        ("2020,2021", "1.5,2.5\n3.5,4\n", "looks like years, and no other row does"),
        ("2020,2021", "3,4\n5,6\n", "looks like years, and no other row does"),
        ("1,2", "1.5,2.5\n3.5,4.5\n", "whole numbers"),
        ("-1;1", "1,5;2\n3;4,5\n", "whole numbers"),
        ("0,1", "2,3\n4,5\n", "counts from 0"),
        ('"0","1"', "2,3\n4,5\n", "counts from 0"),
        ('"10","20"', "1,2\n4,5\n", "no other row is in quotes"),
        ('"1.5","20"', "1.5,2\n4,5.5\n", "no other row is in quotes"),
    ],
)
def test_first_row_of_another_kind(tmp_path, first, rest, say):
    path = written(tmp_path, f"{first}\n{rest}")
    refused(path, DATA, str(path), "row 1, ", "--header no", "--header yes", say)
    assert len(points(path, header="no")) == 3
    assert len(points(path, header="yes")) == 2


@pytest.mark.parametrize(
    "text",
    ["1,2\n1.5,2.5\n3,4\n", "0,0\n1.5,2.5\n", "5,6\n7,8\n", "2020,2021\n2022,2023\n", "1.5,2\n3,4\n",
     '"1","2"\n"3.5","4"\n"1","7"\n', "1e3,2.\n1.5,2.5\n"],
)
def test_first_row_of_the_same_kind(tmp_path, text):
    expected = [[float(x) for x in line.replace('"', "").split(",")] for line in text.split()]
    same(written(tmp_path, text), expected)


def test_whole_numbers_that_count_down_are_a_point(tmp_path):
    """No tool names columns 1,0, so this row is a point. If all other rows have decimals, the user must say what it is, as with other whole numbers."""
    same(written(tmp_path, "1,0\n3,4\n5,6\n"), [[1, 0], [3, 4], [5, 6]])
    refused(written(tmp_path, "1,0\n3.5,4.5\n5.5,6.5\n"), DATA, "row 1, '1,0'", "--header no", "--header yes")
    same(written(tmp_path, "NA,N/A\n3,4\n5,6\n"), [[3, 4], [5, 6]], header="yes")


def test_header_by_order(tmp_path):
    refused(written(tmp_path, "x,y\n1,2\n3,4\n"), DATA, "row 1, column 1: 'x' is not a number", header="no")
    refused(written(tmp_path, "2020,growth\n1,2\n3,4\n"), DATA, "row 1", "not a row of numbers", "--header yes")
    same(written(tmp_path, "2020,growth\n1.5,2\n3,4\n"), [[1.5, 2], [3, 4]], header="yes")
    same(written(tmp_path, "my points\n1.5;2\n3;4\n"), [[1.5, 2], [3, 4]])
    refused(written(tmp_path, ",x,y\n0,1.5,2\n1,3,4\n"), DATA, "first column has no name", "--columns 2-3", "index=False")
    refused(written(tmp_path, '"","x","y"\n"1",1.5,2\n"2",3,4\n'), DATA, "first column has no name", "row.names = FALSE")
    refused(written(tmp_path, ",\n1,2\n3,4\n"), DATA, "row 1, column 1: an empty field")


# ---- text ----


@pytest.mark.parametrize(
    "text",
    [
        '"1.5","-2.25"\n"3.5","4.125"\n',
        '1.5,"-2.25"\n"3.5" , 4.125\n',
        '"x ""position""","y, in m"\n1.5,-2.25\n3.5,4.125\n',
        '" 1.5 "\t"-2.25"\n"3.5"\t4.125\n',
        "1,5;-2,25\n3,5;4,125\n",
        '"1,5";"-2,25"\n"3,5";"4,125"\n',
        "x;y\n1,5;-2,25\n3,5;4,125\n",
        "1,5\t-2,25\n3,5\t4,125\n",
        "sep=;\nx;y\n1,5;-2,25\n3,5;4,125\n",
        "1.5,-2.25,\n3.5,4.125,\n",
        "1.5\t\t-2.25\n3.5\t4.125\n",
        "  1.5   -2.25  \n 3.5 \t 4.125\n",
        "# made by hand\n# x y\n1.5 -2.25\n# between\n3.5 4.125\n# end\n",
        "1.5,-2.25\r\r\n3.5,4.125\r\r\n",
        "\ufeff# x\n1.5,-2.25\n3.5,4.125",
        "0x1.8p0,-0x2.4p0\n+3.5,+4125e-3\n",
        "1.5,\t-2.25\n3.5,\t4.125\n",
        "1.5\t,-2.25\n3.5\t,4.125\n",
        "x,\ty\n1.5,\t\t-2.25\n3.5,\t4.125\n",
    ],
)
def test_text(tmp_path, text):
    same(written(tmp_path, text), ROWS)
    same(written(tmp_path, gzip.compress(text.encode()), "points.csv.gz"), ROWS)
    for end in ["tsv", "txt", "dat"]:
        same(written(tmp_path, text, f"points.{end}"), ROWS)
    same("-", ROWS, input=text.encode())


@pytest.mark.parametrize(
    "text, say",
    [
        ("1,2\n3,\n", ["row 2, column 2: an empty field", "--drop-incomplete"]),
        ("1.5,2\n,4\n", ["row 2, column 1: an empty field"]),
        ('1.5,2\n"3,4\n', ["row 2", "has 1 column;"]),
        ('1.5,2\n"3"5,4\n', ["row 2"]),
        ("1,5;2\n3.5;4\n", ["row 1 has a decimal comma", "row 2 a decimal point"]),
        ("1.5;2\n3,5;4\n", ["row 2 has a decimal comma", "row 1 a decimal point"]),
        ("1.234,5;2\n1;1\n", ["row 1", "not a row of numbers"]),
        ("1,5,2,5\n3,5,4,5\n", ["column 2 is 5 in every row"]),
        ("1.5,2\n1e400,4\n", ["row 2, column 1", "too large"]),
        ("1.5,2\n3,4\r5,6\n", ["row 2", "carriage return", "tr '\\r' '\\n'"]),
        ("1.5,2\r3,4\r5,6\r", ["row 1", "carriage return"]),
        ("x,y\r3,4\r5,6\r", ["row 1", "carriage return"]),
        ("# x\r3,4\r5,6\r", ["row 1", "carriage return"]),
        ("1.5,2\n" + "3" * 3_000_000, ["row 2 is longer than"]),
        ("1.5,2\n3,4\n" + "\0" * 3_000_000, ["row 3", "zero byte"]),
        ("\u22121.5,2\n3,4\n", ["row 1", "not a row of numbers"]),
        ("NA,NA\n3,4\n5,6\n", ["row 1: 'NA,NA' is not a row of numbers", "missing values", "--header yes"]),
        ("-;n/a\n3;4\n5;6\n", ["row 1: '-;n/a' is not a row of numbers", "missing values"]),
        ("1,\t2,5\n3,\t4,5\n", ["row 1", "not a row of numbers"]),
        ("\u22121.5,\u22122\n3,4\n5,6\n", ["row 1", "not a row of numbers", "--header yes"]),
        ("1.2.3,-4.5.6\n3,4\n5,6\n", ["row 1", "not a row of numbers", "--header yes"]),
        ('"1,234.5","2,345.5"\n"5","6"\n"7","8"\n', ["row 1", "not a row of numbers", "--header yes"]),
    ],
)
def test_bad_text(tmp_path, text, say):
    path = written(tmp_path, text)
    refused(path, DATA, str(path), *say)
    refused("-", DATA, "standard input", *say, input=text.encode())


def test_what_power_cuts_leave():
    refused(case("zero_tail.csv"), DATA, "row 6: a zero byte", "restore it from a copy")
    refused(case("nul.csv"), DATA, "row 1: a zero byte")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["1.5,2\n3,4\n", "x,y\r\n1.5,2\r\n3,4\r\n"])
def test_wide_encodings(tmp_path, encoding, text):
    path = written(tmp_path, text.encode(encoding))
    refused(path, DATA, str(path), f"iconv -f {encoding[:6].upper()}", "UTF-8")
    refused(case("utf16.csv"), DATA, "iconv -f UTF-16 ")


def test_what_fills_memory(tmp_path):
    """The content is a thousand times larger than the file: points do not compress so well."""
    text = written(tmp_path, gzip.compress(b"1.5,2\n3.5,4\n" * 4_000_000), "points.csv.gz")
    refused(text, DATA, str(text), "memory", "gunzip")
    np.savez_compressed(tmp_path / "zeros.npz", np.zeros((5_000_000, 2), np.float32))
    refused(tmp_path / "zeros.npz", DATA, "zeros.npz", "memory", "unzip")


def test_values_in_another_file(tmp_path):
    """A file from elsewhere must not make the program read other files of this computer; a read from a pipe would never end."""
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("xy", shape=(8, 2), dtype="i1", external=[(str(tmp_path / "pipe"), 0, 16)])
    refused(f"{tmp_path / 'a.h5'}:xy", DATA, "a.h5:xy", "another file", ".npy")


def test_links_to_other_files(tmp_path):
    """A link to a file in the same folder is followed; a link to another folder, a pipe or a missing file is not."""
    other = tmp_path / "other"
    other.mkdir()
    for folder in tmp_path, other:
        with h5py.File(folder / "b.h5", "w") as file:
            file["xy"] = GOOD
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, target in ("near", "b.h5"), ("far", str(other / "b.h5")), ("up", "other/b.h5"), ("pipe", "pipe"), ("none", "none.h5"):
            file[name] = h5py.ExternalLink(target, "/xy")
    same(f"{tmp_path / 'a.h5'}:near")
    for name in "far", "up":
        refused(f"{tmp_path / 'a.h5'}:{name}", DATA, "a link leads to the file", "other/b.h5", "another folder")
    for name in "pipe", "none":
        refused(f"{tmp_path / 'a.h5'}:{name}", DATA, f"a link leads to the file {tmp_path}/{name}", "not a regular file")


def test_virtual_datasets(tmp_path):
    """A virtual dataset consists of other files: all must exist, and contain as many rows as it claims."""
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["xy"] = GOOD
    os.mkfifo(tmp_path / "pipe")
    cases = {"whole": ("b.h5", (4, 2)), "absolute": (str(tmp_path / "b.h5"), (4, 2)), "none": ("none.h5", (4, 2)), "pipe": ("pipe", (4, 2)),
             "huge": ("b.h5", (2**31, 2))}
    with h5py.File(tmp_path / "a.h5", "w", libver=("earliest", "v110")) as file:
        for name, (source, shape) in cases.items():
            layout = h5py.VirtualLayout(shape, "f8")
            layout[:4] = h5py.VirtualSource(source, "xy", (4, 2))
            file.create_virtual_dataset(name, layout)
    for name in "whole", "absolute":
        same(f"{tmp_path / 'a.h5'}:{name}")
    for name in "pipe", "none":
        refused(f"{tmp_path / 'a.h5'}:{name}", DATA, f"a virtual dataset with values in the file {tmp_path}/{name}", "not a regular file")
    before = os.times().children_user
    refused(f"{tmp_path / 'a.h5'}:huge", IO, "fewer values are stored than its 2147483648 rows have")
    assert os.times().children_user - before < 2


def test_compressed(tmp_path):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20_000, 2)).astype(np.float32)
    text = "".join(f"{x!r},{y!r}\n" for x, y in rows.astype(float).tolist()).encode()
    whole = gzip.compress(text)
    path = written(tmp_path, whole, "points.csv.gz")
    same(path, rows)
    assert run(path).stderr.split()[0] == b"points"
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, IO, str(path), "truncated")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 8
    path.write_bytes(damaged)
    done = run(path)
    assert done.returncode in (DATA, IO) and str(path) in done.stderr.decode()
    same(written(tmp_path, gzip.compress(text[:100_000]) + gzip.compress(text[100_000:]), "two.csv.gz"), rows)


def test_standard_input_and_pipes(tmp_path):
    text = "".join(f"{x!r},{y!r}\n" for x, y in GOOD.tolist()).encode()
    same("-", input=text)
    same("-", input=gzip.compress(text))
    assert run("-", input=text).stderr.split()[0] == b"stdin"
    read, write = os.pipe()
    os.write(write, text)
    os.close(write)
    same(f"/dev/fd/{read}", pass_fds=[read])


# ---- NPY and NPZ ----


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", "CF")
def test_types(tmp_path, kind, order, layout):
    values = np.array([[1, 2], [3, 100], [0, 7]])
    if kind[0] != "u":
        values = -values
    if kind[0] == "f":
        values = values / 4
    path = tmp_path / "points.npy"
    np.save(path, np.array(values, dtype=order + kind, order=layout))
    same(path, values)
    np.savez(tmp_path / "points.npz", np.array(values, dtype=order + kind, order=layout))
    same(tmp_path / "points.npz", values)
    with h5py.File(tmp_path / "points.h5", "w") as file:
        file["x"] = values.astype(order + kind)
    same(f"{tmp_path}/points.h5:x", values)


def test_extreme_numbers(tmp_path):
    halves = np.array([[65504, 6.1e-5], [5.96e-8, -0.0], [1 / 3, 2049]], np.float16)
    np.save(tmp_path / "half.npy", halves)
    same(tmp_path / "half.npy", halves)
    wide = np.array([[2**63 - 1, -(2**63)], [0, 1]])
    np.save(tmp_path / "wide.npy", wide)
    same(tmp_path / "wide.npy", wide.astype(float))
    np.save(tmp_path / "unsigned.npy", wide.astype(np.uint64))
    same(tmp_path / "unsigned.npy", wide.astype(np.uint64).astype(float))
    np.save(tmp_path / "half.npy", np.array([[1, np.inf], [np.nan, 1]], np.float16))
    refused(tmp_path / "half.npy", DATA, "row 1, column 2: infinite")


def test_arrays_as_numpy_makes_them(tmp_path):
    same(case("i8.npy"), np.load(case("i8.npy")))
    same(case("transposed_view.npy"), np.load(case("transposed_view.npy")))
    many = np.random.default_rng(0).normal(size=(30_000, 2)).astype(np.float32)  # more than a block
    np.save(tmp_path / "many.npy", np.asfortranarray(many))
    same(tmp_path / "many.npy", many)
    np.save(tmp_path / "wide.npy", many.T.copy())
    refused(tmp_path / "wide.npy", DATA, "30000 columns", "exchanged", "points.T")
    np.save(tmp_path / "wide.npy", np.load(tmp_path / "wide.npy").T)  # the advice
    same(tmp_path / "wide.npy", many)
    np.save(tmp_path / "nan.npy", np.asfortranarray([[1, 2], [3, np.nan], [4, 5]]))
    refused(tmp_path / "nan.npy", DATA, "row 2, column 2: NaN")
    whole = (tmp_path / "many.npy").read_bytes()
    (tmp_path / "many.npy").write_bytes(whole[:-5])
    refused(tmp_path / "many.npy", DATA, "truncated: the header says 30000 rows, row 29999 is missing")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    path = tmp_path / "set.npz"
    many = np.random.default_rng(0).normal(size=(30_000, 2))
    save(path, x=many, y=GOOD)
    same(f"{path}:x", many)
    same(f"{path}:/y", GOOD)
    refused(path, DATA, str(path), "several arrays (x, y)", f"{path}:NAME")
    refused(f"{path}:z", DATA, "no array 'z'", "there is: x, y")
    save(path, GOOD)
    same(path)
    same(f"{path}:arr_0")
    assert run(path).stderr.split()[0] == b"set"
    save(path, many)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, IO, str(path), "not an NPZ file, or damaged")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 8
    path.write_bytes(damaged)
    refused(path, IO, str(path), "damaged")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no array")
    refused(path, DATA, "no array in it")


def test_samples_with_gating_weights(tmp_path):
    """What `dualdiff sample` writes; other files of more columns are refused."""
    rows = "".join(f"{x!r},{y!r},0.25,0.75\n" for x, y in GOOD.tolist())
    same(written(tmp_path, "x1,x2,gate1,gate2\n" + rows))
    same(written(tmp_path, "x1,x2,gate\n1.5,-2.25,0.5\n3.5,4.125,0.25\n"), ROWS)
    refused(written(tmp_path, "x1,x2,gate\n1,2,.5\n3,4\n"), DATA, "row 3 has 2 columns; row 2 has 3")
    same(written(tmp_path, "x1,x2,gate\n1.5,-2.25,.5\n3.5,4.125,a\n"), ROWS)
    refused(written(tmp_path, "a,b,c\n1,2,.5\n3,4,.7\n"), DATA, "2 points of 3 coordinates; at least 3 are needed")
    refused(written(tmp_path, "x,y\n1,2\n"), DATA, "1 point; at least 2")


# ---- HDF5 ----


def test_inner_names(tmp_path):
    with h5py.File(case("a.nc")) as file:
        expected = file["xy"][:]
    for name in ["a.nc:/xy", "a.nc:xy"]:
        same(case(name), expected)
    assert run(case("a.nc:xy")).stderr.split()[0] == b"a"
    refused(case("a.nc"), DATA, "name one of its datasets", "/xy")
    two = tmp_path / "two.h5"
    with h5py.File(two, "w") as file:
        file["other"] = file["group/one"] = file["group/inner/two"] = GOOD
        file["empty/words"] = "none"
    for name in ("/group", "group/"):
        refused(f"{two}:{name}", DATA, f"{two}: name one of its datasets: {two}:{name.rstrip('/')}/", "group/one", "group/inner/two")
        assert b"other" not in run(f"{two}:{name}").stderr
    refused(f"{two}:/empty", DATA, "no dataset of shape (n, D) in /empty")
    path = tmp_path / "points of 12:30"  # any name, also with a colon
    with h5py.File(path, "w", userblock_size=512) as file:
        file["group/my set"] = GOOD
    same(f"{path}:group/my set")
    refused(tmp_path / "none.h5:x", IO, f"{tmp_path}/none.h5: No such file")
    refused(tmp_path / "none.nc:/x", IO, f"{tmp_path}/none.nc: No such file")
    text = written(tmp_path, "1,2\n")
    refused(f"{text}:x", DATA, str(text), "HDF5 and NPZ")


def test_transposed_hdf5(tmp_path):
    with h5py.File(tmp_path / "set.mat", "w") as file:
        file["x"] = GOOD.T
    refused(tmp_path / "set.mat:x", DATA, "2 points of 4 coordinates", "transposed", "MATLAB")
    refused(tmp_path / "set.mat", DATA, "name one of its datasets", "set.mat:/x")


@pytest.mark.parametrize("options", [{}, {"chunks": (300_000, 2), "compression": "gzip"}, {"chunks": (1000, 1)}])
def test_large_hdf5(tmp_path, options):
    """More than a block, in one chunk or in many."""
    many = np.random.default_rng(0).normal(size=(300_000, 2)).astype(np.float32)
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file.create_dataset("x", data=many, **options)
    same(tmp_path / "set.h5:x", many)


def children_memory():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def test_damaged_hdf5():
    """With these files the HDF5 library crashes or takes 8 GB."""
    for name in ["user_h5_segv_1.h5", "user_h5_slow_4GB.h5"]:
        refused(case(f"{name}:/samples/x"), IO, name, "damaged")
    refused(case("user_h5_segv_1.h5"), IO, "user_h5_segv_1.h5", "damaged")
    assert children_memory() < 2e9


def test_size_without_values(tmp_path):
    """Without the check, a damaged size would be read as zeros."""
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(2**28, 2), chunks=(1000, 2), dtype="f4", compression="gzip")[:4] = GOOD
        file.create_dataset("gz", data=np.tile(np.float32([[1, 2], [3, 4]]), (50_000, 1)), compression="gzip", chunks=(50_000, 2))
    refused(f"{path}:x", IO, f"{path}:x", "fewer values are stored")
    assert len(points(f"{path}:gz")) == 100_000


# ---- the command line ----


def test_train_with_header(tmp_path):
    settings = {"training.steps": 20, "data.points": 40, "data.heldout_share": 0, "data.scale": "none"}
    train = lambda *words: small_job.command(tmp_path, "--dataset", case("pandas_head01.csv"), *words, settings=settings)
    assert "--header yes" in small_job.run(train(), expect=DATA)
    assert "yes, no or auto" in small_job.run(train("--header", "maybe"), expect=2)
    small_job.run(train("--header", "yes"))
    with h5py.File(tmp_path / "run_3/pandas_head01/seed_0.h5") as file:
        assert file.attrs["points"] == 400


SETTINGS = {"training.steps": 20, "data.points": 40, "evaluation.samples": 20, "sampling.start": "data", "data.heldout_share": 0, "data.scale": "none"}


def train(tmp_path, *words, **options):
    return small_job.run(small_job.command(tmp_path / "runs", "--dataset", *words, settings=SETTINGS), **options)


def program(*words, expect=0, **options):
    return small_job.run([small_job.PROGRAM, *map(str, words)], expect=expect, **options)


def attributes(path):
    with h5py.File(path) as file:
        return dict(file.attrs)


def test_points_are_found_again(tmp_path):
    """evaluate, analyze and sample read the file that the run was trained on, as it was read then."""
    data = written(tmp_path, open(case("pandas_head01.csv"), "rb").read(), "mine.csv")
    work = tmp_path / "elsewhere"
    work.mkdir()
    small_job.run(small_job.command(tmp_path / "runs", "--dataset", "../mine.csv", "--header", "yes", settings=SETTINGS),
                  cwd=work)
    run_file = tmp_path / "runs/run_3/mine/seed_0.h5"
    assert attributes(run_file)["dataset_path"] == str(data)
    assert attributes(run_file)["dataset_header"] == "yes"
    commands = [("evaluate", run_file), ("analyze", run_file), ("sample", run_file, "--n", 10)]
    for words in commands:
        program(*words)
    program("sample", run_file, "--n", 10, "--out", tmp_path / "points.h5")
    assert attributes(tmp_path / "points.h5")["dataset_path"] == str(data)
    program("evaluate", run_file, "--out", tmp_path / "again")
    assert attributes(tmp_path / "again/run_3/mine/seed_0.h5")["dataset_path"] == str(data)

    moved = tmp_path / "moved.csv"
    data.rename(moved)
    for words in commands:
        message = program(*words, expect=IO)
        assert f"{data}, which does not exist now" in message and "--dataset" in message
        assert "--header yes" in program(*words, "--dataset", moved, expect=DATA)
        program(*words, "--dataset", moved, "--header", "yes")
    written(tmp_path, "1.5,2\n3,4\n" * 20, "mine.csv")
    for words in commands:
        message = program(*words, expect=CONFLICT)
        assert f"{data}, whose points have changed since (400 then, 39 now)" in message and "--dataset" in message
    written(tmp_path, "1.5,2\n3,four\n", "mine.csv")
    assert "cannot be read now" in program("evaluate", run_file, expect=DATA)
    assert "--header needs a file" in program("evaluate", run_file, "--header", "no", expect=2)


def test_points_of_standard_input_are_not_found_again(tmp_path):
    text = open(case("plain.csv"), "rb").read().decode()
    train(tmp_path, "-", input=text)
    run_file = tmp_path / "runs/run_3/stdin/seed_0.h5"
    assert "dataset_path" not in attributes(run_file)
    message = program("evaluate", run_file, expect=2)
    assert "'stdin'" in message and "--dataset" in message
    program("evaluate", run_file, "--dataset", "-", input=text)
    program("evaluate", run_file, "--dataset", case("plain.csv"))


def test_a_file_with_the_name_of_a_generated_set(tmp_path):
    data = written(tmp_path, open(case("plain.csv"), "rb").read(), "dino.csv")
    train(tmp_path, str(data))
    program("evaluate", tmp_path / "runs/run_3/dino/seed_0.h5")


def test_two_datasets_of_one_file(tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        for name in ["a", "group/b c"]:
            file[name] = rng.normal(size=(50, 2))
    np.savez(tmp_path / "other.npz", x=rng.normal(size=(50, 2)), y=rng.normal(size=(50, 2)))
    train(tmp_path, f"{path}:/a", f"{path}:group/b c", f"{tmp_path}/other.npz:x")
    found = sorted(p.name for p in (tmp_path / "runs/run_3").iterdir() if p.is_dir())
    assert found == ["other", "set_a", "set_group_b c"]
    for name in found:
        program("evaluate", tmp_path / f"runs/run_3/{name}/seed_0.h5")
    assert attributes(tmp_path / "runs/run_3/set_group_b c/seed_0.h5")["dataset_path"] == f"{path}:group/b c"
    assert "is given twice" in train(tmp_path, f"{path}:/a", f"{path}:/a", expect=2)
    assert "stored as 'set_a'" in train(tmp_path, f"{path}:/a", f"{path}:a", expect=2)
    (tmp_path / "d").mkdir()
    one, two = written(tmp_path, "1,2\n", "p.csv"), written(tmp_path / "d", "1,2\n", "p.csv")
    assert "rename one file" in train(tmp_path, str(one), str(two), expect=2)


@pytest.mark.parametrize(
    "word, near",
    [("spiral", "'two_spirals' or 'swiss_roll'"), ("25gaussians", "'gaussians', 'eight_gaussians', 'twentyfive_gaussians' or 'hypercube'"),
     ("2spirals", "'two_spirals'"), ("swissroll", "'swiss_roll'"), ("two_moons", "'moons'"), ("football", "'soccer_ball'"),
     ("dinno", "'dino'?")],
)
def test_near_names(word, near):
    refused(word, IO, f"no dataset and no file is called '{word}'; did you mean {near}")
