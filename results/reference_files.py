"""Write OUT/<run>/all_results.pkl as the reference does, from results listed on standard input.

{dataset: {"train_losses": [float, ...] a value a step, "images": (n, 2) array, "gating_weights": (n, 1) array}} of the
lowest seed; a run without a gate has no "gating_weights", like the reference's baseline, and samples without a network no
"train_losses".
"""
import argparse
import os
import pickle
import sys

from runs import fail, in_order, lowest_seeds, read_list, write_whole


def reference_form(result):
    form = {"images": result.read("/samples/x")}
    losses = result.read("/train/loss")
    if losses is not None:
        form["train_losses"] = [float(loss) for loss in losses]
    gate = result.read("/samples/gate")
    if gate is not None:
        form["gating_weights"] = gate.reshape(-1, 1)
    return form


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="the directory that holds one directory a run")
    out = parser.parse_args().out
    results = read_list(sys.stdin.buffer)
    lowest = lowest_seeds(results)
    for run in in_order(result.run for result in results):
        content = {dataset: reference_form(result) for (name, dataset), result in lowest.items() if name == run}
        write_whole(os.path.join(out, run, "all_results.pkl"), pickle.dumps(content))


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        fail(problem)
