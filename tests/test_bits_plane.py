"""What the program computes for points of the plane keeps its bits: the committed table, bits_plane.json.

The table has a digest of every dataset of short runs, of `analyze`, `oracle` and `floor`, of the generated points and of the
exact denoiser. It names each of them, so a dataset or a metric that is added later changes nothing here: unlike bits.json, the table
is not made again for one. If you change these numbers on purpose, make it again, with a program that was built from the
commit, and say why in the commit message:

    DUALDIFF_BUILD=build DUALDIFF_SOURCE=. .venv/bin/python tests/test_bits_plane.py PROGRAM

test_bits.py says what the bits depend on beyond the program's source.

A row of the table belongs to one dataset. It has an entry for each case: the digest, "-" where the case lacks the dataset, or
digests with "/" between them: of plain, avx2 and avx512, where the last one counts for those that are not written.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import bits
from thorough import THOROUGH

TABLE = bits.SOURCE / "tests/bits_plane.json"
PARTS = json.loads(TABLE.read_text())["parts"] if TABLE.exists() else {}

# A quick network with every kind of layer, and short batches. The table holds what each case changes.
SMALL = {"model.activation": "silu", "model.hidden_width": 36, "model.hidden_depth": 1, "model.embedding_width": 20,
         "model.expert_head": [], "model.gate_layers": [17], "diffusion.timesteps": 30, "training.batch": 64,
         "training.steps": 14, "training.checkpoint_every": 10, "training.gate_every": 2, "training.ema_start": 4,
         "training.ema_every": 3, "evaluation.samples": 20, "evaluation.heldout": 64, "data.points": 150}
# A term of diversity in the loss that is large enough for the last bits of its distances to count.
DIVERSE = {"training.diversity_weight": 2, "training.diversity_scale": 0.1}
DRAW = {"diffusion.timesteps": 20, "evaluation.samples": 60, "data.points": 400}
EXACT = ["circle", "dino", "line", "moons", "pinwheel", "checkerboard"]
TIMESTEPS = [0, 10, 30, 60, 99]


def digest(values):
    """Of the numbers, and of their type and shape."""
    return bits.digest(f"{values.dtype.str} {values.shape} ".encode(), values.tobytes())


def digests(path, group=""):
    with h5py.File(path) as file:
        return {name: digest(values) for name, values in bits.datasets(file).items() if name.startswith(group)}


# Each part: a function (program, case, what the case changes, instruction set, threads, folder) -> {dataset: digest}, or None
# where this machine lacks the instruction set.

def of_run(program, run, _, isa, threads, out):
    path = bits.short_run(program, run, bits.RUNS[run], bits.SETTINGS, isa, threads, out)
    return path and digests(path)


def of_setting(program, _, changes, isa, threads, out):
    path = bits.short_run(program, "run_3", "dino", {**SMALL, **changes}, isa, threads, out)
    return path and digests(path)


def of_analysis(program, dataset, _, isa, threads, out):
    path = bits.short_run(program, "run_1", dataset, SMALL, isa, threads, out)
    if path is None:
        return None
    bits.call([program, "analyze", path, "--backend", "cpu", "--threads", threads], isa)
    return digests(path, "analysis/")


def of_data(program, dataset, *_):
    """300 points of each stream, and the checksum that the program gives them."""
    found = {}
    for stream in ("0", "1", "2"):
        done = bits.call([bits.BUILD / "tests/dump_dataset", dataset, 300, 42, stream])
        found[f"points of stream {stream}"] = bits.digest(done.stdout)
        found[f"checksum of stream {stream}"] = done.stderr.decode().split()[-1]
    return found


def of_denoiser(program, dataset, *_):
    """The exact noise at the points of a grid, whose coordinates have no rounding."""
    grid = np.stack(np.meshgrid(np.arange(-16, 17, 4), np.arange(-14, 17, 4)), axis=-1) / 8
    found = {}
    for t in TIMESTEPS:
        done = subprocess.run([bits.BUILD / "tests/dump_oracle", dataset, bits.SOURCE / "configs/run_1.toml", str(t)],
                              input=grid.tobytes(), capture_output=True, check=True, timeout=60)
        found[f"noise at timestep {t}"] = bits.digest(done.stdout)
    return found


def of_draw(program, command, _, isa, threads, out):
    bits.call([program, command, bits.SOURCE / "configs/run_1.toml", "--dataset", "dino", "--draws", 1, *bits.changed(DRAW),
               "--threads", threads, "--out", out])
    return digests(next(Path(out).rglob("seed_0.h5")))


# Of each part: its function, and the instruction sets that its bits may depend on.
MAKERS = {"runs": (of_run, bits.ISAS), "settings": (of_setting, bits.ISAS), "analysis": (of_analysis, bits.ISAS),
          "data": (of_data, ["plain"]), "denoiser": (of_denoiser, ["plain"]), "draws": (of_draw, ["plain"])}


def trials(part, case):
    """The (instruction set, threads) that a case is tried with: plain, and avx2 or avx512 in turn, or all."""
    isas = MAKERS[part][1]
    if THOROUGH:
        return [(isa, threads) for isa in isas for threads in (1, 2)]
    wide = isas[1:]
    return [(isa, 1) for isa in ["plain", *wide[column_of(part, case) % 2:][:1]]]


def column_of(part, case):
    return list(PARTS[part]["cases"]).index(case)


def expected(part, case, isa):
    """{dataset: digest} of the table."""
    column = column_of(part, case)
    entries = {name: row.split()[column].split("/") for name, row in PARTS[part]["rows"].items()}
    place = bits.ISAS.index(isa)
    return {name: entry[min(place, len(entry) - 1)] for name, entry in entries.items() if entry != ["-"]}


def differences(found, known):
    """What is no longer as it was; datasets that were added are not looked at."""
    gone = [f"{name} is gone" for name in known if name not in found]
    return gone + [f"{name} differs" for name in known if found.get(name, known[name]) != known[name]]


@pytest.fixture(scope="module")
def table():
    return bits.read(TABLE)


@pytest.mark.parametrize("part, case", [(part, case) for part in PARTS for case in PARTS[part]["cases"]])
def test_bits(tmp_path, table, part, case):
    make, changes = MAKERS[part][0], PARTS[part]["cases"][case]
    for isa, threads in trials(part, case):
        found = make(bits.BUILD / "dualdiff", case, changes, isa, threads, tmp_path / f"{isa}{threads}")
        if found is None and isa != "plain":
            pytest.skip(f"no {isa} here")
        wrong = differences(found, expected(part, case, isa))
        assert not wrong, (f"{part}, {case}, with {isa}, threads {threads}: {len(wrong)} of the datasets in bits_plane.json: "
                           f"{'; '.join(wrong[:20])}. {bits.advice(TABLE, table)}")


def test_differences():
    known = {"a": "1", "b": "2", "c": "3"}
    assert differences({"a": "1", "b": "2", "c": "3", "new": "4"}, known) == []
    assert differences({"a": "1", "c": "4"}, known) == ["b is gone", "c differs"]


def all_cases(program):
    """{part: {case: what it changes}} of a table that is made now."""
    from device_parity import CASES
    listed = bits.call([program, "datasets"]).stdout.decode().splitlines()[1:]
    named = {"runs": bits.RUNS, "analysis": ["dino", "line"], "data": [line.split()[0] for line in listed], "denoiser": EXACT,
             "draws": ["oracle", "floor"]}
    settings = {case: changes | (DIVERSE if "training.diversity_weight" in changes else {}) for case, changes in CASES.items()}
    return {"settings": settings, **{part: {case: {} for case in cases} for part, cases in named.items()}}


def entries_of(program, part, case, changes):
    """{dataset: entry of its row}."""
    make, isas = MAKERS[part]
    found = []
    for isa in isas:
        with tempfile.TemporaryDirectory() as out:
            found.append(make(program, case, changes, isa, 1, out))
        assert found[-1], f"{isa}: make the table on a machine that has it"
    return {name: shortened([of_isa[name] for of_isa in found]) for name in found[0]}


def shortened(words):
    while len(words) > 1 and words[-1] == words[-2]:
        words = words[:-1]
    return "/".join(words)


def make_part(program, part, cases):
    entries = [entries_of(program, part, case, changes) for case, changes in cases.items()]
    names = sorted({name for column in entries for name in column})
    return {"cases": cases, "rows": {name: " ".join(column.get(name, "-") for column in entries) for name in names}}


def make_table(program):
    cases = all_cases(program)
    parts = {part: make_part(program, part, cases[part]) for part in MAKERS}
    TABLE.write_text(json.dumps({**bits.here(), "parts": parts}, indent=0) + "\n")


if __name__ == "__main__":
    make_table(sys.argv[1])
