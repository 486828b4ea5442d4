"""The Python code passes a linter (ruff.toml) and a type checker (mypy.ini)."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE, BUILD = Path(os.environ["DUALDIFF_SOURCE"]), Path(os.environ["DUALDIFF_BUILD"])
# {group: (options, files)}. Folders have modules of the same name, so each group is checked alone. Only the code for users
# must handle every value that may be None: a test or a measurement may end with an exception there.
MAY_BE_NONE = "--no-strict-optional"
GROUPS = {
    "users": ([], ["python/*.py", "results/*.py"]),
    "bench": ([MAY_BE_NONE], ["bench/*.py", "tests/test_bench.py"]),
    "tests": ([MAY_BE_NONE], ["tests/*.py", "tests/substitute/*.py", "tests/fuzz/*.py", "cuda/*.py"]),
}


def types(group, paths):
    """mypy's exit status and what it prints."""
    options, _ = GROUPS[group]
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", SOURCE / "mypy.ini", "--cache-dir", BUILD / "mypy" / group,
                           *options, *paths], cwd=SOURCE, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_linter():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", SOURCE],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_types(group):
    _, patterns = GROUPS[group]
    paths = [path for pattern in patterns for path in sorted(SOURCE.glob(pattern)) if group != "tests" or path.name != "test_bench.py"]
    status, said = types(group, paths)
    assert paths and status == 0, said


@pytest.mark.parametrize("group, fault, said", [
    ("users", "import re\n\n\ndef number(text):\n    return re.match('[0-9]+', text).group()\n", '"None" of'),
    ("tests", "def number():\n    return len(5)\n", 'Argument 1 to "len"')])
def test_a_fault_is_found(tmp_path, group, fault, said):
    (tmp_path / "planted.py").write_text(fault)
    status, found = types(group, [tmp_path / "planted.py"])
    assert status == 1 and said in found
