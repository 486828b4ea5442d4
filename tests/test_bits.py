"""The bits of short runs on the CPU are those of the committed table, bits.json.

A change that should not touch the numbers of training, sampling or measuring must leave the table as it is. A change
that should: make the table again, with a program that was built from the commit, and say why in the commit message:

    DUALDIFF_BUILD=build DUALDIFF_SOURCE=. .venv/bin/python tests/test_bits.py PROGRAM

What the table depends on beyond the program's source:
- the instruction set (DUALDIFF_ISA): sums have one order for each vector width, so each instruction set has separate rows;
- the compiler: it chooses where a product and a sum become one operation (-ffp-contract=fast in host/backend/cpu/kernels.c);
- the C library: exp, log, sin, cos and pow of other versions may differ in the last bit, and so even the datasets differ.
The number of threads is not among them.
"""
import json
import sys
import tempfile

import h5py
import pytest

import bits

TABLE = bits.SOURCE / "tests/bits.json"
THREADS = {"plain": [2], "avx2": [1, 2], "avx512": [1]}  # of each instruction set; the table is made with one
GROUPS = {"losses": ["train/"], "gate": ["gate/train/"], "parameters": ["parameters/online/"], "average": ["parameters/ema/"],
          "samples": ["samples/", "gate/sample/"], "metrics": ["metrics/"]}


def checksum(found, groups):
    """Of every number under the named groups, in the order of their paths."""
    return bits.digest(*(path.encode() + b"\0" + found[path].tobytes() for path in sorted(found) if path.startswith(tuple(groups))))


def short_run(program, run, isa, threads, out):
    """{group: checksum}, or None where this machine lacks the instruction set."""
    path = bits.short_run(program, run, bits.RUNS[run], bits.SETTINGS, isa, threads, out)
    if path is None:
        return None
    with h5py.File(path) as file:
        found = bits.datasets(file)
    return {group: checksum(found, groups) for group, groups in GROUPS.items()}


@pytest.fixture(scope="module")
def table():
    return bits.read(TABLE)


@pytest.mark.parametrize("isa", THREADS)
@pytest.mark.parametrize("run", bits.RUNS)
def test_short_run(tmp_path, table, run, isa):
    for threads in THREADS[isa]:
        found = short_run(bits.BUILD / "dualdiff", run, isa, threads, tmp_path / str(threads))
        if found is None and isa != "plain":
            pytest.skip(f"no {isa} here")
        assert found == table["bits"][run][isa], (
            f"{run} with {isa} and {threads} threads no longer gives the bits of bits.json. {bits.advice(TABLE, table)}")


def make_table(program):
    found = {run: {} for run in bits.RUNS}
    for run in bits.RUNS:
        for isa in THREADS:
            with tempfile.TemporaryDirectory() as out:
                found[run][isa] = short_run(program, run, isa, 1, out)
            assert found[run][isa], f"{isa}: make the table on a machine that has it"
    TABLE.write_text(json.dumps({**bits.here(), "bits": found}, indent=1) + "\n")


if __name__ == "__main__":
    make_table(sys.argv[1])
