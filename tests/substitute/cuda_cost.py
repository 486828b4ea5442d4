"""What `dualdiff cost` says about a training step is what the CUDA backend does, counted by the substitute runtime."""
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.environ["DUALDIFF_SOURCE"], "tests"))
from thorough import sized  # noqa: E402

BUILD, SOURCE = os.environ["DUALDIFF_BUILD"], os.environ["DUALDIFF_SOURCE"]
SMALL = ["training.batch=8", "model.hidden_width=16", "model.embedding_width=8"]
CUBLAS = ["training.products=cublas"]
STEPS = 1


def predicted(config, replicas, settings):
    words = [f"{BUILD}/dualdiff", "cost", config, "--replicas", str(replicas)]
    text = subprocess.run(words + [w for s in settings for w in ("--set", s)], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    kernels, products = map(int, re.search(r"starts (\d+) kernels and (\d+) products", text).groups())
    row = next(line.split() for line in text.splitlines() if re.match(rf" *{replicas}( +[\d.]+){{5}}$", line))
    launches = int(re.search(r"is (\d+) graph launches", text)[1])
    return {"kernels": kernels, "products": products, "flops": float(row[1]) * 1e6, "bytes_to_device": int(row[4]),
            "bytes_to_host": int(row[5]), "graph_launches": launches}


def counted(config, replicas, steps, settings):
    words = [f"{BUILD}/tests/substitute/count_cost", config, str(replicas), str(steps), "data.points=600", *settings]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    values = {words[0]: int(words[1]) for words in map(str.split, out.splitlines()) if words[0] != "kernel"}
    own = sum(int(line.split()[-1]) for line in out.splitlines() if line.startswith("kernel product_kernel"))
    return {**values, "kernels": values["kernels"] - own, "products": values["products"] + own}


@pytest.mark.parametrize("run", range(6))
def test_runs(run):
    """Networks of full size. With a batch of full size only when thorough: the substitute takes ten times as long then."""
    check(f"{SOURCE}/configs/run_{run}.toml", 1, sized(["training.batch=16"], []))


def test_cublas():
    """Its products are counted with their arithmetic. They are the same as those of the program's own kernels."""
    check(f"{SOURCE}/configs/run_3.toml", 2, [*SMALL, *CUBLAS])


@pytest.mark.parametrize("settings", [["model.experts=4"], ["model.experts=8", "model.gate=hard"],
                                      ["model.experts=3", "model.gate=fixed"], ["training.precision=tf32x3"],
                                      ["model.experts=3", "training.diversity_layer=hidden"]])
def test_experts(settings):
    check(f"{SOURCE}/configs/run_3.toml", 2, SMALL + settings)


@pytest.mark.parametrize("settings", [["data.dimensions=4", *CUBLAS], ["data.dimensions=5"],
                                      ["data.dimensions=20", "model.experts=1", "model.embedding=linear"],
                                      ["data.dimensions=5", "training.diversity_layer=hidden", "model.embedding=fourier", *CUBLAS]])
def test_dimensions(settings):
    """From five coordinates on, the experts' last layers are products."""
    check(f"{SOURCE}/configs/run_3.toml", 2, SMALL + settings)


@pytest.mark.parametrize("replicas", [20, 400])
def test_many_replicas(replicas):
    check(f"{SOURCE}/configs/run_3.toml", replicas, SMALL)


def check(config, replicas, settings):
    one, more = (counted(config, replicas, steps, settings) for steps in (1, 1 + STEPS))
    said = predicted(config, replicas, settings)
    step = {name: (more[name] - one[name]) / STEPS for name in more}
    print(f"{os.path.basename(config)}, R = {replicas}: {step['kernels']:.0f} kernels + {step['products']:.0f} products, "
          f"{step['flops'] / 1e6:.3f} MFLOP, {step['bytes_to_device']:.0f} bytes to the device, {step['bytes_to_host']:.0f} back")
    assert step["kernels"] == said["kernels"]
    assert step["products"] == said["products"]
    assert step["flops"] == pytest.approx(said["flops"] if CUBLAS[0] in settings else 0, abs=1)
    assert step["bytes_to_device"] == said["bytes_to_device"]
    assert step["bytes_to_host"] == said["bytes_to_host"]
    assert step["kernels"] + step["products"] == step["graph_nodes"] <= 42
    assert step["early_kernels"] >= 4, "mixture to diversity, squares to optimiser, and to the next step"
    assert step["copies"] == step["memsets"] == step["launches"] == 0, "the same number, however many steps"
    assert step["allocations"] == 0 and more["synchronizations"] == 0


def test_an_older_device(monkeypatch):
    """It has no tensor cores for TF32, which is said, and no kernel begins early."""
    monkeypatch.setenv("DUALDIFF_SUBSTITUTE_CAPABILITY", "75")
    config = f"{SOURCE}/configs/run_1.toml"
    assert counted(config, 1, 1, SMALL)["early_kernels"] == 0
    for precision in ("tf32", "tf32x3"):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            counted(config, 1, 1, [*SMALL, f"training.precision={precision}"])
        assert "need a device of compute capability 8.0 or later" in refused.value.stderr


def test_a_run_in_blocks():
    """A run of 100 steps in blocks of 50, as the trainer starts it: two graphs, no synchronisation, no allocation."""
    config = f"{SOURCE}/configs/run_1.toml"
    settings = [*SMALL, "training.steps=100"]
    run = counted(config, 2, 50, settings + ["training.checkpoint_every=50"])
    assert predicted(config, 2, settings)["graph_launches"] == 2 and run["graph_launches"] == 1
    assert run["synchronizations"] == 0 and run["allocations"] == 0
