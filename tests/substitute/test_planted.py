"""Faults planted in copies of the CUDA backend's own sources: the substitute runtime must catch each, and say why.

The library is linked from the objects of the checked build, all but the one file that a fault is planted in. The
settings come from CMake (PLANTED_SETTINGS, a JSON file).
"""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from thorough import sampled, sized  # noqa: E402

settings = json.loads(Path(os.environ["PLANTED_SETTINGS"]).read_text())
CUDA = Path(settings["source"]) / "cuda"

RACE = "a race: without a barrier between, another thread"
BLOCKS = "a race: an earlier block of the launch"
UNWRITTEN = "reads what nobody wrote"

# name: file that is changed, old text, new text, what must be said; and the file that is compiled, where a header is
# changed.
FAULTS = {
    "missing barrier": ("reduce.cuh", "= value;\n    __syncthreads();", "= value;", UNWRITTEN + ": shared memory",
                        "norm.cu"),
    "missing last barrier": ("reduce.cuh", "    __syncthreads();\n    return sum;", "    return sum;", RACE, "step.cu"),
    "missing barrier before shared keys": ("gather.cu", "batch.epoch, n);\n    __syncthreads();", "batch.epoch, n);",
                                           UNWRITTEN + ": shared memory"),
    "one lane too few in the mask": ("reduce.cuh", "0xffffffffu, value, offset", "0x7fffffffu, value, offset",
                                     "not in the mask", "mixture.cu"),
    "barrier that some threads miss": ("diversity.cu", "        __syncthreads();\n        for (int j = lane;",
                                       "        if (own[0] != 0.f)\n            __syncthreads();\n        for (int j = lane;",
                                       RACE + "|waits in __syncthreads"),
    "off by one, rows": ("bias.cu", "row < rows; row += LANES", "row <= rows; row += LANES",
                         UNWRITTEN + "|past the end|gradients differ"),
    "off by one, tile": ("diversity.cu", "int j = lane; j < rows;", "int j = lane; j <= rows;",
                         UNWRITTEN + "|leaves a variable"),
    "wrong stride between threads": ("adamw.cu", "i += 4 * DD_BLOCK", "i += 2 * DD_BLOCK", RACE),
    "replicas share a result": ("norm.cu", "partial[(size_t)blockIdx.y * gridDim.x + blockIdx.x]", "partial[blockIdx.x]",
                                BLOCKS),
    "too few threads": ("norm.cu", "(unsigned)replicas), dim3(DD_BLOCK)", "(unsigned)replicas), dim3(DD_BLOCK / 2)",
                        UNWRITTEN + ": shared memory"),
    "too few blocks": ("mixture.cu", "(args->rows + DD_WARPS - 1) / DD_WARPS", "(args->rows - 1) / DD_WARPS",
                       UNWRITTEN + "|differ"),
    "missing memset": ("ensemble.cu", "DD_CUDA(cudaMemsetAsync(e->state[part], 0, e->layout.length",
                       "if (part < DD_STATE_MOMENT1) DD_CUDA(cudaMemsetAsync(e->state[part], 0, e->layout.length", UNWRITTEN),
    "copy that waits for nothing": ("log.cu",
                                    "    DD_CUDA(cudaStreamWaitEvent(e->context->copies, e->computed[slot], 0));\n", "",
                                    "was changed before the queued copy|losses differ"),
    "log read before it is there": ("graph.cu", "    if (steps <= e->block)\n"
                                    "        DD_CUDA(cudaEventSynchronize(e->copied[before]));\n",
                                    "    (void)before;\n", "losses differ"),
    "recipes overwritten on their way": (
        "graph.cu", "    fill_recipes(e, first_step, steps, recipe);\n    DD_CUDA(cudaMemcpyAsync(e->recipe + row, recipe, "
        "(size_t)steps * sizeof *recipe, cudaMemcpyHostToDevice, stream));\n",
        "    DD_CUDA(cudaMemcpyAsync(e->recipe + row, recipe, (size_t)steps * sizeof *recipe, cudaMemcpyHostToDevice, "
        "stream));\n    fill_recipes(e, first_step, steps, recipe);\n", "was changed before the queued copy"),
    "host pointer for a kernel": ("graph.cu", "s.update = e->update;", "s.update = (dd_cuda_update *)&s;",
                                  "writes to: host memory"),
    "weights read before they are there": ("mixture.cu", "    __syncwarp();\n", "", RACE + "|" + UNWRITTEN),
    "wrong stride of gating weights": ("step.cu", "s.gate_out[first * gates + i]", "s.gate_out[first + i]",
                                       "gating weights differ|" + UNWRITTEN),
    "recipe missing outside a graph": (
        "graph.cu", "    DD_CUDA(cudaMemcpyAsync(e->recipe + row, recipe, sizeof *recipe, cudaMemcpyHostToDevice, stream));\n",
        "", UNWRITTEN),
    "bias of the wrong step": ("sample.cu", "e->time_bias + (size_t)i *", "e->time_bias + (size_t)(i / 2) *", "samples differ"),
    "bias of the wrong timestep": ("time_bias.cu", "b.schedule.timestep[s] *", "s / 2 *", "samples differ"),
    "bias of the first call": ("sample.cu", "    DD_TRY(fill_time_bias(e, part));\n",
                               "    if (e->sample_graph[part].size != w.rows)\n        DD_TRY(fill_time_bias(e, part));\n",
                               UNWRITTEN + "|samples differ"),
    "optimiser that does not wait": ("network.cu", "    DD_CUDA(cudaStreamWaitEvent(c->stream, c->merged, 0));\n", "",
                                     UNWRITTEN + "|unjoined|differ"),
    "wrong number of a sample": ("sample.cu", "e->replicas, (int)first, 0, stream", "e->replicas, (int)first + 1, 0, stream",
                                 "samples differ"),
    "lengths read from where factors are written": ("hidden_diversity.cu", "own + square[j]",
                                                    "own + d.gram[(member * d.rows + j) * d.rows + j]", BLOCKS + "|" + RACE),
    "rows beyond a short batch": ("hidden_diversity.cu", "if (j < others)", "if (j < d.rows)", UNWRITTEN + "|differ"),
    "members share their lengths": ("hidden_diversity.cu", "d.length[member * d.rows + row] =", "d.length[row] =", BLOCKS),
    "kernel that never waits": ("adamw.cu", "    dd_grid_begin();\n", "", "before griddepcontrol.wait touches"),
    "next kernel allowed before the wait": ("adamw.cu", "    dd_grid_begin();\n", "    dd_grid_launch_dependents();\n"
                                            "    dd_grid_wait();\n", "launch_dependents before griddepcontrol.wait"),
    "pull against the factors left out": ("hidden_diversity.cu", "gram[row] = -sum;", "gram[row] = sum;", "gradients differ"),
}
# The same, for points of many coordinates.
WIDE_FAULTS = {
    "off by one, wide tile": ("diversity.cu", "if (lane < rows)", "if (lane <= rows)", UNWRITTEN + "|leaves a variable|differ"),
    "wide tile overwritten too early": ("diversity.cu", "own, tile, s);\n        __syncthreads();", "own, tile, s);", RACE),
    "wide tile read too early": ("diversity.cu", "dimensions, tile);\n        __syncthreads();", "dimensions, tile);",
                                 RACE + "|" + UNWRITTEN),
    "slope of another row": ("diversity.cu", "slope_j * (kind ==", "slope * (kind ==", "gradients differ"),
    "last coordinates left out": ("diversity.cu", "PARTS = DD_MAX_DIMENSIONS / DD_WARP }", "PARTS = 1 }", UNWRITTEN + "|differ"),
    "wrong stride of coordinates": ("gather.cu", "(size_t)index * dimensions", "(size_t)index * 2", "gradients differ"),
    "wrong stride of the experts' products": ("mixture.cu", "* m.rows + row) * dimensions + c]",
                                              "* m.rows + row) * (dimensions - 1) + c]", UNWRITTEN + "|differ"),
    "shared x read before the barrier": ("gather.cu", "    __syncwarp();\n", "", RACE + "|" + UNWRITTEN),
    "shared x of a sample read before the barrier": ("sample.cu", "    __syncwarp();\n", "", RACE + "|" + UNWRITTEN),
    "normals of another pair": ("random.cuh", "pair > 0 && pair % 2 == 0", "pair > 0 && pair % 2 == 1", "gradients differ",
                                "gather.cu"),
    "directions of another replica": ("embedding.cuh", "(size_t)r * e.dimensions * half", "0", "gradients differ", "gather.cu"),
    "gradient inside overwritten": ("product.cu", "if (p.before.at)", "if (false)", "gradients differ"),
}


BLAS_FAULTS = {
    "weight gradients that do not wait": ("network.cu", "        DD_TRY(branch(e->context));\n    }", "    }",
                                          UNWRITTEN + "|differ"),
    "wrong leading dimension": ("blas.cu", "(int)a->pitch,", "(int)a->pitch - 1,", "an unsupported value or parameter"),
    "wrong stride of a product": ("blas.cu", "stride_of(c->replica, c->member, p->members)",
                                  "stride_of(c->replica, c->member, p->members) - 1", "the outputs of the batch overlap"),
}

OTHER_ORDER = "summed in another order"

# They are caught by the test of the products alone.
PRODUCT_FAULTS = {
    "another order in large tiles": ("product.cu", "int k = share * SHARE + step;",
                                     "int k = TILE == LARGE_TILE ? step * SHARES + share : share * SHARE + step;", OTHER_ORDER),
    "shares added in another order": ("product.cu", "add(add(four[0], four[1]), add(four[2], four[3]))",
                                      "add(add(add(four[0], four[1]), four[2]), four[3])", OTHER_ORDER),
    "missing barrier between stages": ("product.cu", "        __syncthreads(); /* the next stage", "        /* the next stage",
                                       RACE + "|" + UNWRITTEN),
    "one stage for all": ("product.cu", "turn ^= 1", "turn ^= 0", RACE),
    "shares written too early": ("product.cu", "        __syncthreads(); /* the stages and", "        /* the stages and", RACE),
    "unmasked edge of a width": ("product.cu", "f.width - i)", "4)", "elements are summed|past the end|" + UNWRITTEN),
    "unmasked end of a sum": ("product.cu", "f.inner - k)", "4)", "elements are summed|past the end|" + UNWRITTEN),
    "unmasked edge of a result": ("product.cu", "int valid = p.columns - column;", "int valid = 4;",
                                  BLOCKS + "|past the end|outside of the result|" + OTHER_ORDER),
    "rows beyond the result": ("product.cu", "if (to_row >= t.product->rows)", "if (to_row > t.product->rows)",
                               BLOCKS + "|past the end|outside of the result"),
    "products of a launch mixed up": ("product.cu", "block -= blocks_of<TILE>(p.product[i]);",
                                      "block -= blocks_of<TILE>(p.product[0]);", "never written|elements are summed|past the end"),
    "residual left out": ("product.cu", "v.y, along.y)", "v.y, 0.f)", "results are"),
    "bias of the first columns": ("product.cu", "load_from(p.bias, member, 0, column, valid)",
                                  "load_from(p.bias, member, 0, 0, valid)", "results are"),
    "activation without the bias": ("product.cu", "dd_activate(kind, v.x)", "dd_activate(kind, v.x - along.x)",
                                    "activations are"),
    "one member too few": ("product.cu", "blocks += (size_t)p->product[i].members", "blocks += (size_t)1",
                           "never written|elements are summed"),
}


def build(directory, file, old, new, compiled=None):
    """libdualdiff_cuda.so with the text replaced, and the program next to it."""
    text = (CUDA / file).read_text()
    assert text.count(old) == 1, f"{file} has changed: plant this fault again"
    (directory / file).write_text(text.replace(old, new))
    if compiled:
        shutil.copy(CUDA / compiled, directory)
    unit = compiled or file
    command = [settings["compiler"], *settings["options"], "-O1", f"-I{CUDA}", "-x", "c++", "-c", directory / unit,
               "-o", directory / "planted.o"]
    subprocess.run(command, check=True, timeout=120)
    objects = [o for o in settings["objects"] if Path(o).name != unit + ".o"]
    assert len(objects) == len(settings["objects"]) - 1
    runtime = Path(settings["runtime"])
    subprocess.run([settings["compiler"], "-shared", "-o", directory / "libdualdiff_cuda.so", *objects,
                    directory / "planted.o", runtime, f"-Wl,-rpath,{runtime.parent}"], check=True, timeout=120)
    shutil.copy(settings["program"], directory)


def run(directory, words, order, **more):
    program = directory / Path(settings["program"]).name
    result = subprocess.run([more.pop("program", program), *words], capture_output=True, text=True, timeout=120,
                            env={**os.environ, "DUALDIFF_SUBSTITUTE_ORDER": order, **more})
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("words, order", sized(
    [("", "forward"), ("inside", "reversed"), ("", "random:1"), ("wide", "random:1")],
    list(itertools.product(("", "inside", "wide", "wide inside"), ("forward", "reversed", "random:1")))))
def test_nothing_planted(tmp_path, words, order):
    build(tmp_path, "norm.cu", "float sum = 0.f;", "float sum = 0.f; /* as it was */")
    status, said = run(tmp_path, words.split(), order)
    assert status == 0 and said.startswith("agree"), said


def check_caught(directory, name, fault, words):
    file, old, new, says, *compiled = fault
    build(directory, file, old, new, *compiled)
    # A branch that does not wait for the other shows where it runs ahead.
    status, said = run(directory, words, "random:1" if "wait" in name else "forward")
    print(f"{name}: " + next((line for line in said.splitlines() if line.startswith("substitute:")), said[:150]))
    assert status != 0, "the fault was not noticed"
    assert re.search(says, said), said


@pytest.mark.parametrize("name", sampled(FAULTS, 12))
def test_fault_is_caught(name, tmp_path):
    check_caught(tmp_path, name, FAULTS[name], ["inside"] if FAULTS[name][0] == "hidden_diversity.cu" else [])


@pytest.mark.parametrize("name", sampled(WIDE_FAULTS, 4))
def test_wide_fault_is_caught(name, tmp_path):
    check_caught(tmp_path, name, WIDE_FAULTS[name], ["wide", *(["inside"] if "inside" in name else [])])


@pytest.mark.parametrize("name", sampled(BLAS_FAULTS, 1))
def test_blas_fault_is_caught(name, tmp_path):
    check_caught(tmp_path, name, BLAS_FAULTS[name], ["cublas"])


def run_products(directory, order):
    return run(directory, [], order, program=settings["products"], LD_PRELOAD=str(directory / "libdualdiff_cuda.so"))


@pytest.mark.parametrize("order", ["forward", "reversed", "random:1"])
def test_nothing_planted_in_products(tmp_path, order):
    build(tmp_path, "product.cu", "int k = share * SHARE + step;", "int k = step + share * SHARE;")
    status, said = run_products(tmp_path, order)
    assert status == 0, said


@pytest.mark.parametrize("name", sampled(PRODUCT_FAULTS, 5))
def test_product_fault_is_caught(name, tmp_path):
    *fault, says = PRODUCT_FAULTS[name]
    build(tmp_path, *fault)
    status, said = run_products(tmp_path, "forward")
    assert status != 0, "the fault was not noticed"
    assert re.search(says, said), said
