"""Check that the peers compute the same. Otherwise their times could not be compared."""
import json
import os
import subprocess
import sys
import tempfile

from contestants import HERE, our_python, read_configuration

STEPS = 20


def losses(field, config, activation):
    """{who: losses of the first steps} from dualdiff's batches and initial parameters."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        arrays = os.path.join(folder, "arrays.npz")
        commands = {"dualdiff": [our_python(), os.path.join(HERE, "losses.py"), field.build, field.device, config, activation,
                                 str(STEPS), arrays]}
        for peer, script in (("PyTorch", "peer_torch.py"), ("JAX", "peer_jax.py")):
            if field.python[peer]:
                commands[peer] = [field.python[peer], os.path.join(HERE, script), "--check", arrays, config, activation,
                                  field.device]
        for name, command in commands.items():
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name} did not compute its losses: {done.stderr.strip()}")
            found[name] = json.loads(done.stdout)
    return found


def check_losses(field, name, config):
    """[{config, peer, activation, first, greatest}] relative differences in float32; the program stops at one too large. Without
    ReLUs the losses agree to rounding for all steps. With them rounding flips a few and AdamW amplifies it, so that only
    the first step agrees so well."""
    if not field.python["PyTorch"] and not field.python["JAX"]:
        return []
    configured = read_configuration(config)["model"]["activation"]
    checks = []
    for activation, bound_first, bound in (("silu", 1e-5, 1e-4), (configured, 1e-5, 3e-3)):
        found = losses(field, config, activation)
        ours = found.pop("dualdiff")
        for peer, theirs in found.items():
            far = [abs(a / b - 1) for a, b in zip(theirs, ours, strict=True)]
            checks.append({"config": name, "peer": peer, "activation": activation, "first": far[0], "greatest": max(far)})
            if not (far[0] <= bound_first and max(far) <= bound):
                sys.exit(f"{name}, {activation}: {peer}'s losses are not dualdiff's: they differ by {far[0]:.1e} at the "
                         f"first step, by {max(far):.1e} at most in {STEPS}")
    return checks
