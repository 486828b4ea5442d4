"""Write OUT/<run>/all_results.pkl as the reference does, from results listed on standard input.

{dataset: {"train_losses": [float, ...] one value per step, "images": (n, 2) array, "gating_weights": (n, 1) array}}
of the lowest seed; a run without a gate has no "gating_weights", like the reference's baseline, and samples without a
network have no "train_losses".
"""
import os
import pickle

from files import write_whole
from loading import load, run_script, script_parser
from runs import in_order, lowest_seeds


def reference_form(result):
    form = {"images": result.read("/samples/x")}
    losses = result.read("/train/loss")
    if losses is not None:
        form["train_losses"] = losses.tolist()
    gate = result.read("/samples/gate")
    if gate is not None:
        form["gating_weights"] = gate.reshape(-1, 1)
    return form


def main():
    parser = script_parser(__doc__)
    parser.add_argument("--out", required=True, help="the directory that holds one directory a run")
    arguments = parser.parse_args()
    results = load(arguments)
    lowest = lowest_seeds(results)
    for run in in_order(result.run for result in results):
        content = {dataset: reference_form(result) for (name, dataset), result in lowest.items() if name == run}
        write_whole(os.path.join(arguments.out, run, "all_results.pkl"), pickle.dumps(content))


if __name__ == "__main__":
    run_script(main)
