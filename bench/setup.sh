#!/bin/sh
# Install the bench's peers (PyTorch, about 4 GB with what it brings; JAX; scikit-learn) into .bench-venv; h5py is in .venv already.
# The bench runs without them too and says what it left out.
set -eu
cd "$(dirname "$0")/.."
[ -x .bench-venv/bin/python3 ] || python3 -m venv .bench-venv
.bench-venv/bin/python3 -m pip install --disable-pip-version-check -r bench/requirements.txt
if command -v nvidia-smi >/dev/null; then # the same JAX, for the device
    .bench-venv/bin/python3 -m pip install --disable-pip-version-check "$(grep '^jax==' bench/requirements.txt | sed 's/==/[cuda13]==/')"
fi
