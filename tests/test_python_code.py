"""The Python code passes the linter's checks (ruff.toml)."""
import os
import subprocess
import sys


def test_linter():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", os.environ["DUALDIFF_SOURCE"]],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
