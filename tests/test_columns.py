"""Tables of a user: any number of columns with names, chosen with --columns, with missing values and with text between the numbers."""

import subprocess

import h5py
import numpy as np
import pytest
import small_job
from datasets import PROGRAM, columns

USAGE, DATA = 2, 4  # exit codes: error.h

IRIS = "length,width,species,mass\n5.1,3.5,setosa,1\n4.9,3,setosa,2\n6.2,2.9,virginica,4\n"
LENGTH, WIDTH, MASS = [5.1, 4.9, 6.2], [3.5, 3, 2.9], [1, 2, 4]


def written(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, names, values, note="", **options):
    got, x, said = columns(path, **options)
    assert got == names
    assert np.array_equal(x, np.asarray(values, np.float32).astype(float))
    assert said == note


def refused(path, status, *say, choice="", drop=False, header="auto"):
    done = subprocess.run([PROGRAM, str(path), "columns", choice, "drop" if drop else "keep", header], capture_output=True, timeout=60)
    message = done.stderr.decode()
    assert done.returncode == status, message
    for part in say:
        assert part in message, message
    assert done.stdout == b""


# ---- names ----


@pytest.mark.parametrize(
    "text, names",
    [
        ("a,b,c\n1,2,3.5\n4,5,7\n", ["a", "b", "c"]),
        ("a;b;c\n1;2;3,5\n4;5;7\n", ["a", "b", "c"]),
        ('"mass, kg";"a ""b""";" c "\n1;2;3,5\n4;5;7\n', ["mass, kg", 'a "b"', "c"]),
        ('"mass, kg","x;y","a	b"\n1,2,3.5\n4,5,7\n', ["mass, kg", "x;y", "a?b"]),
        ("größe\tΔx\t长度\n1\t2\t3,5\n4\t5\t7\n", ["größe", "Δx", "长度"]),
        (b"gr\xf6\xdfe,b,\xff\n1,2,3.5\n4,5,7\n", ["gr??e", "b", "?"]),
        (b"a\x1b[31m,b\xc2\x9b,c\n1,2,3.5\n4,5,7\n", ["a?[31m", "b??", "c"]),
        ("a,,c\n1,2,3.5\n4,5,7\n", ["a", "column 2", "c"]),
        ("a,b,c,\n1,2,3.5,\n4,5,7,\n", ["a", "b", "c"]),
        ("a,b,c\n1,2,3.5,\n4,5,7,\n", ["a", "b", "c"]),
        ("a b c\n1  2 3.5\n4 5   7\n", ["a", "b", "c"]),
        ("my table\n1,2,3.5\n4,5,7\n", ["x1", "x2", "x3"]),
        ("1,2,3.5\n4,5,7\n", ["x1", "x2", "x3"]),
        ("# a b c\n1 2 3.5\n4 5 7\n", ["x1", "x2", "x3"]),
        ("\ufeffsep=;\na;b;c\n1;2;3,5\n4;5;7\n", ["a", "b", "c"]),
        ("é" * 40 + ",b," + "x" * 300 + "\n1,2,3.5\n4,5,7\n", ["é" * 31, "b", "x" * 63]),
    ],
)
def test_names(tmp_path, text, names):
    read(written(tmp_path, text), names, [[1, 2, 3.5], [4, 5, 7]])


def test_names_that_do_not_fit_the_rows(tmp_path):
    read(written(tmp_path, "a,b\n1,2,3.5\n4,5,7\n"), ["x1", "x2", "x3"], [[1, 2, 3.5], [4, 5, 7]],
         "the names of the header were not used: it has 2, and row 2 has 3 columns")
    refused(written(tmp_path, "a,b\n1,5,2,5\n3,5,4,5\n"), DATA, "row 2 has 4 columns; the header names 2", "decimal commas")
    refused(written(tmp_path, "a,b\n1,2,3.5\n4,5,7\n"), DATA, "no column 'a'", "x1, x2, x3", choice="a,b")


@pytest.mark.parametrize("width", [1, 3, 128])
def test_any_width(tmp_path, width):
    values = np.random.default_rng(width).normal(size=(50, width)).astype(np.float32)
    names = [f"x{i + 1}" for i in range(width)]
    np.savetxt(tmp_path / "a.csv", values, delimiter=",")
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "f.npy", np.asfortranarray(values.astype(">f8")))
    np.savez(tmp_path / "a.npz", values)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values
        file.create_dataset("chunks", data=values, chunks=(7, 1), compression="gzip")
    for name in "a.csv", "a.npy", "f.npy", "a.npz", "a.h5:x", "a.h5:chunks":
        read(f"{tmp_path}/{name}", names, values)
    if width > 2:
        for name in "a.csv", "a.npy", "f.npy", "a.h5:x", "a.h5:chunks":
            read(f"{tmp_path}/{name}", ["x3", "x1"], values[:, [2, 0]], choice="3,1")


def test_one_column_arrays(tmp_path):
    np.save(tmp_path / "a.npy", [1.5, 2, 7])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1.5, 2, 7]
    for name in "a.npy", "a.h5:x":
        read(f"{tmp_path}/{name}", ["x1"], [[1.5], [2], [7]])
    refused(tmp_path / "a.h5", DATA, f"name one of its datasets: {tmp_path}/a.h5:/x")


def test_wide_files(tmp_path):
    """A file may have more columns than points can have, if some are chosen."""
    values = np.random.default_rng(0).normal(size=(200, 129)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    np.savetxt(tmp_path / "a.csv", values, delimiter=",", header=",".join(f"n{i}" for i in range(129)), comments="")
    for name in "a.npy", "a.csv":
        refused(tmp_path / name, DATA, "129 columns; points have at most 128", "--columns")
        refused(tmp_path / name, DATA, "more than 128", choice="1-129")
    read(tmp_path / "a.csv", ["n128", "n0"], values[:, [128, 0]], choice="n128,1")
    read(tmp_path / "a.npy", [f"x{i + 2}" for i in range(128)], values[:, 1:], choice="2-129")
    np.save(tmp_path / "wide.npy", np.zeros((2, 4097)))
    refused(tmp_path / "wide.npy", DATA, "4097 columns; a file may have at most 4096", "exchanged")


# ---- choosing ----


@pytest.mark.parametrize(
    "choice, names, values",
    [
        ("length,width,mass", ["length", "width", "mass"], [LENGTH, WIDTH, MASS]),
        ("mass,length", ["mass", "length"], [MASS, LENGTH]),
        ("1-2,4", ["length", "width", "mass"], [LENGTH, WIDTH, MASS]),
        (" mass , 1 ", ["mass", "length"], [MASS, LENGTH]),
        ("4", ["mass"], [MASS]),
    ],
)
def test_choices(tmp_path, choice, names, values):
    read(written(tmp_path, IRIS), names, np.transpose(values), choice=choice)


def test_a_name_goes_before_a_number(tmp_path):
    path = written(tmp_path, "3,1,2-3\n1.5,2,3\n4.5,5,7\n")
    read(path, ["3", "2-3"], [[1.5, 3], [4.5, 7]], choice="3,2-3", header="yes")


@pytest.mark.parametrize(
    "choice, status, say",
    [
        ("lenght", DATA, ["no column 'lenght'", "did you mean 'length'?"]),
        ("colour", DATA, ["no column 'colour'", "there is: length, width, species, mass"]),
        ("5", DATA, ["there are only 4 columns"]),
        ("2-99999999999999999999", DATA, ["there are only 4 columns"]),
        ("0", DATA, ["no column '0'"]),
        ("1-", DATA, ["no column '1-'"]),
        ("1,,2", USAGE, ["a name is empty"]),
        ("1,", USAGE, ["a name is empty"]),
        ("3-2", USAGE, ["from the smaller number to the larger"]),
        ("mass,1-2,length", USAGE, ["column 1 ('length') is chosen twice"]),
        ("length,species", DATA, ["row 2, column 3 ('species'): 'setosa' is not a number"]),
        ("", DATA, ["row 2, column 3 ('species'): 'setosa' is not a number", "leave it out: --columns length,width,mass"]),
    ],
)
def test_bad_choices(tmp_path, choice, status, say):
    refused(written(tmp_path, IRIS), status, *say, choice=choice)


def test_two_columns_of_one_name(tmp_path):
    path = written(tmp_path, "a,b,a\n1,2,3.5\n4,5,7\n")
    refused(path, DATA, "columns 1 and 3 are both called 'a'")
    refused(path, DATA, "columns 1 and 3 are both called 'a'", choice="a,b")
    refused(path, DATA, "columns 1 and 3 are both called 'a'", choice="1,3")
    read(path, ["a", "b"], [[3.5, 2], [7, 5]], choice="3,b")


def test_advice_works(tmp_path):
    """A message's --columns can be given as it is."""
    path = written(tmp_path, '"a b",city,"it\'s","x,y",2\n1.5,Rome,2,5,7\n4,Bonn,3,6,8\n')
    done = subprocess.run([PROGRAM, path, "columns", "", "keep", "yes"], capture_output=True, text=True)
    assert "--columns 'a b,3,4,2'" in done.stderr, done.stderr
    read(path, ["a b", "it's", "x,y", "2"], [[1.5, 2, 5, 7], [4, 3, 6, 8]], choice="a b,3,4,2", header="yes")


def test_names_with_commas(tmp_path):
    path = written(tmp_path, '"mass, kg",b,"mass, kg, wet",mass\n1.5,2,5,7\n4,3,6,8\n')
    for choice, names, values in [("mass, kg,b", ["mass, kg", "b"], [[1.5, 2], [4, 3]]), ("mass, kg, wet,mass", ["mass, kg, wet", "mass"], [[5, 7], [6, 8]])]:
        read(path, names, values, choice=choice)
    long = "a, b" * 30
    read(written(tmp_path, f'"{long}",c\n1.5,2\n4,3\n'), ["c", long[:63]], [[2, 1.5], [3, 4]], choice="c,1")


def test_numbers_as_names(tmp_path):
    """A number that is the name of another column is no advice."""
    path = written(tmp_path, '"a,b",city,"c,d",1\n1.5,Rome,2,5\n4,Bonn,3,6\n')
    done = subprocess.run([PROGRAM, path, "columns", "", "keep", "yes"], capture_output=True, text=True)
    assert "column 2 ('city'): 'Rome' is not a number" in done.stderr and "--columns" not in done.stderr, done.stderr


# ---- columns that are left out ----


def test_gating_weights(tmp_path):
    told = "left out the gating weights of `dualdiff sample` (gate1, gate2, gate3), which --columns can choose"
    path = written(tmp_path, "a,b,c,gate1,gate2,gate3\n1,2,3.5,.2,.3,.5\n4,5,7,1,0,0\n")
    read(path, ["a", "b", "c"], [[1, 2, 3.5], [4, 5, 7]], told)
    read(path, ["a", "gate2"], [[1, .3], [4, 0]], choice="a,gate2")
    read(written(tmp_path, "a,gate\n1,.5\n4,.25\n"), ["a"], [[1], [4]], told.replace("gate1, gate2, gate3", "gate"))
    read(written(tmp_path, "gate,a\n1,.5\n4,.25\n"), ["gate", "a"], [[1, .5], [4, .25]])
    read(written(tmp_path, "gate\n1.5\n4\n"), ["gate"], [[1.5], [4]])
    read(written(tmp_path, "a,gate1,gate3\n1,.5,1\n4,.25,2\n"), ["a", "gate1", "gate3"], [[1, .5, 1], [4, .25, 2]])


def test_constant_columns(tmp_path):
    refused(written(tmp_path, "a,b,c,d\n1,2,3,0\n4,2,5,-0\n"), DATA, "column 2 ('b') is 2 in every row", "leave it out: --columns a,c")
    refused(written(tmp_path, "a,b\n1,2\n1,2\n"), DATA, "column 1 ('a') is 1 in every row")
    read(written(tmp_path, "a,b,c\n1,2,3\n4,2,5\n"), ["a", "c"], [[1, 3], [4, 5]], choice="a,c")
    np.save(tmp_path / "a.npy", [[1, 2, 3], [1, 5, 6]])
    refused(tmp_path / "a.npy", DATA, "column 1 is 1 in every row", "--columns 2-3")


# ---- missing and bad values ----


@pytest.mark.parametrize("value, what", [("", "an empty field"), ('""', "an empty field"), ("NA", "'NA' is a missing value"), ("-", "'-' is a missing value"),
                                         ("nan", "NaN"), ("#N/A", "'#N/A' is a missing value")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_missing(tmp_path, value, what, place):
    row = ["7", "8", "9"]
    row[place] = value
    path = written(tmp_path, f"a,b,c\n1,2,3.5\n{','.join(row)}\n4,5,7\n")
    refused(path, DATA, f"row 3, column {place + 1} ('{'abc'[place]}'): {what}", "--drop-incomplete")
    read(path, ["a", "b", "c"], [[1, 2, 3.5], [4, 5, 7]], "left out 1 incomplete row of 3", drop=True)
    others = [i for i in range(3) if i != place]
    read(path, ["abc"[i] for i in others], np.array([[1, 2, 3.5], [7, 8, 9], [4, 5, 7]])[:, others], choice=",".join("abc"[i] for i in others), drop=True)


@pytest.mark.parametrize("first", ["1,2,", ",2,3", "1,NA,3", "NA,NA,NA"])
@pytest.mark.parametrize("header", ["", "a,b,c\n"])
def test_missing_in_the_first_row(tmp_path, first, header):
    path = written(tmp_path, f"{header}{first}\n4,5,7\n1.5,8,9.5\n")
    if not header and first == "1,2,":
        return refused(path, DATA, "row 2 has 3 columns; row 1 has 2")
    refused(path, DATA, f"row {2 if header else 1}", "--drop-incomplete")
    read(path, ["a", "b", "c"] if header else ["x1", "x2", "x3"], [[4, 5, 7], [1.5, 8, 9.5]], "left out 1 incomplete row of 3", drop=True)


def test_missing_in_arrays(tmp_path):
    values = np.random.default_rng(0).normal(size=(30_000, 3)).astype(np.float32)
    values[[0, 777, 29_999], [2, 0, 1]] = np.nan
    np.save(tmp_path / "c.npy", values)
    np.save(tmp_path / "f.npy", np.asfortranarray(values))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values
    whole = values[np.isfinite(values).all(axis=1)]
    for name in "c.npy", "f.npy", "a.h5:x":
        refused(f"{tmp_path}/{name}", DATA, "row 1, column 3: NaN", "--drop-incomplete")
        read(f"{tmp_path}/{name}", ["x1", "x2", "x3"], whole, "left out 3 incomplete rows of 30000", drop=True)


@pytest.mark.parametrize(
    "text, say",
    [
        ("a,b,c\n1,2,3\n4,inf,6\n", ["row 3, column 2 ('b'): infinite"]),
        ("a,b,c\n1,2,3\n4,1e39,6\n", ["row 3, column 2 ('b')", "too large"]),
        ("a,b,c\n1,2,3\n4,five,6\n", ["row 3, column 2 ('b'): 'five' is not a number", "--columns a,c"]),
        ("a,b,c\n1,2,3\n4,5\n", ["row 3 has 2 columns; row 2 has 3"]),
        ("a,b,c\n1,2,3\n4,5,6,7\n", ["row 3 has 4 columns; row 2 has 3"]),
        ("a,b,c\n1,,3\n4,NA,6\n", ["0 points", "2 incomplete rows were left out"]),
        ("a,b,c\n", ["0 points"]),
        (",a,b\n0,1.5,2\n1,3,4\n", ["the first column has no name", "--columns 2-3", "index=False"]),
        ("a,b,c\n1,2,3\n".encode("utf-16"), ["iconv -f UTF-16"]),
        ("a;b;c\n1,5;2;3\n4;5.5;6\n", ["row 2 has a decimal comma", "row 3 a decimal point"]),
        (",".join("1" * 5000) + "\n", ["row 1 has 5000 columns", "at most 4096"]),
    ],
)
def test_bad_tables(tmp_path, text, say):
    path = written(tmp_path, text)
    refused(path, DATA, str(path), *say, drop=True)


def test_an_index_can_be_chosen(tmp_path):
    path = written(tmp_path, ",a,b\n0,1.5,2\n1,3,4\n")
    read(path, ["a", "b"], [[1.5, 2], [3, 4]], choice="a,b")
    read(path, ["column 1", "b"], [[0, 2], [1, 4]], choice="1,3")


def test_parquet(tmp_path):
    path = written(tmp_path, b"PAR1" + bytes(100) + b"PAR1", "table.parquet")
    refused(path, DATA, "Parquet", f"pandas.read_parquet('{path}').to_csv(")


# ---- arrays with names ----


def test_names_in_hdf5(tmp_path):
    """The attribute `names`, of the scale `coordinate` next to the dataset or of the dataset itself."""
    values = [[1, 2, 3.5], [4, 5, 7]]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for group in "own", "scale", "short", "numbers":
            file[f"{group}/x"] = values
        file["own/x"].attrs["names"] = ["a", "größe", "b\x1b"]
        file["scale/coordinate"] = [0, 1, 2]
        file["scale/coordinate"].attrs["names"] = ["a", "b", "c"]
        file["short/x"].attrs["names"] = ["a", "b"]
        file["numbers/x"].attrs["names"] = [1, 2, 3]
        file["linked/x"] = values
        file["linked/coordinate"] = h5py.ExternalLink("b.h5", "/coordinate")
    for group, names in [("own", ["a", "größe", "b?"]), ("scale", ["a", "b", "c"])] + [(other, ["x1", "x2", "x3"]) for other in ("short", "numbers", "linked")]:
        read(f"{tmp_path}/a.h5:{group}/x", names, values)
    read(f"{tmp_path}/a.h5:/scale/x", ["c", "a"], [[3.5, 1], [7, 4]], choice="c,a")


# ---- the command line ----

SETTINGS = {"training.steps": 20, "evaluation.samples": 20, "sampling.start": "data", "data.heldout_share": 0, "data.scale": "none"}


def program(*words, expect=0):
    """What it prints, with its messages."""
    done = subprocess.run([small_job.PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


def train(tmp_path, *words, expect=0):
    return small_job.run(small_job.command(tmp_path / "runs", *map(str, words), settings=SETTINGS), expect=expect)


def table(rows=80):
    """Three columns of numbers, one of text, and one incomplete row."""
    x = np.random.default_rng(3).normal(size=(rows, 3)).astype(np.float32)
    lines = [f"{a!r},{b!r},{place},{c!r}" for (a, b, c), place in zip(x.astype(float).tolist(), ["Rome", "Bonn"] * rows)]
    return x, "\n".join(['"mass, kg",b,city,"c d"', *lines[:5], "1,2,Bonn,", *lines[5:]]) + "\n"


@pytest.mark.parametrize("option", [["--columns", "1,2"], ["--drop-incomplete"], ["--header", "yes"]])
def test_a_generated_set_has_no_columns(tmp_path, option):
    said = train(tmp_path, "--dataset", "gaussians", *option, expect=2)
    assert f"{option[0]} is for files, and gaussians is made by name" in said


def test_train_on_two_columns_of_a_wide_table(tmp_path):
    """From the file to the samples: the choice and the names go with the run, and every command reads the file again."""
    x, text = table()
    path = written(tmp_path, text)
    chosen = ["--columns", "c d,1", "--drop-incomplete"]
    assert "column 3 ('city'): 'Rome' is not a number" in train(tmp_path, "--dataset", path, expect=DATA)
    assert "row 7, column 4 ('c d'): an empty field" in train(tmp_path, "--dataset", path, *chosen[:2], expect=DATA)
    assert f"{path}: left out 1 incomplete row of 81" in train(tmp_path, "--dataset", path, *chosen)
    run = tmp_path / "runs/run_3/table/seed_0.h5"
    with h5py.File(run) as file:
        assert np.array_equal(file["data/x"], x[:, [2, 0]])
        assert file["data/coordinate"].attrs["names"].tolist() == ["c d", "mass, kg"]
        assert file.attrs["dataset_columns"] == "c d,1" and file.attrs["dataset_drop"] == "incomplete rows"
    assert "columns    c d, mass, kg" in program("info", run)
    for words in ["evaluate", run], ["analyze", run], ["sample", run, "--n", 10, "--out", tmp_path / "points.csv"]:
        program(*words)
    assert (tmp_path / "points.csv").read_text().startswith('c d,"mass, kg",gate\n')
    program("evaluate", run, "--dataset", tmp_path / "points.csv")
    assert "(not the points" not in program("evaluate", run, "--dataset", path, *chosen)
    assert "(not the points" not in program("evaluate", run, "--dataset", f"{run}:/data/x")
    program("analyze", run, "--dataset", path, expect=DATA)
    program("analyze", run, "--dataset", path, *chosen)
    program("sample", run, "--dataset", path, *chosen, "--n", 10)
    train(tmp_path, "--dataset", path, *chosen)
    assert "with the columns c d, mass, kg; these have 2: c d, b." in train(tmp_path, "--dataset", path, "--columns", "c d,b", "--drop-incomplete", expect=6)


def test_options(tmp_path):
    path = written(tmp_path, "a,b\n1,2\n3,4\n")
    for option in ["--columns", "a,b"], ["--drop-incomplete"]:
        assert f"{option[0]} needs a file" in train(tmp_path, *option, expect=USAGE)
    assert "--columns needs a value" in train(tmp_path, "--dataset", path, "--columns", "", expect=USAGE)
    assert "longer than 4095 letters" in train(tmp_path, "--dataset", path, "--columns", "a," * 3000, expect=USAGE)
