"""The C and C++ code passes clang-tidy's checks (.clang-tidy)."""
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SOURCE, BUILD = Path(os.environ["DUALDIFF_SOURCE"]).resolve(), Path(os.environ["DUALDIFF_BUILD"])
FOLDERS = [SOURCE / "host", SOURCE / "bench"]

pytestmark = pytest.mark.skipif(not shutil.which("clang-tidy"), reason="no clang-tidy: Debian's package clang-tidy")


def faults(*arguments):
    """What clang-tidy prints if it finds a fault, else ""."""
    done = subprocess.run(["clang-tidy", "--quiet", f"--config-file={SOURCE / '.clang-tidy'}", *arguments], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def test_checks(tmp_path):
    commands = (BUILD / "compile_commands.json").read_text().replace(" -ftree-loop-vectorize", "")  # gcc's alone
    (tmp_path / "compile_commands.json").write_text(commands)
    compiled = {Path(command["file"]) for command in json.loads(commands)}
    files = sorted(file for file in compiled if file.suffix in (".c", ".cpp") and any(folder in file.parents for folder in FOLDERS))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        found = [text for text in workers.map(lambda file: faults("-p", tmp_path, file), files) if text]
    assert files and not found, "\n".join(found)


def test_a_fault_is_found(tmp_path):
    (tmp_path / "planted.c").write_text("int same(int a, int b)\n{\n    return a == b || a == b;\n}\n")
    assert "misc-redundant-expression" in faults(tmp_path / "planted.c", "--")
