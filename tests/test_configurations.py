"""What Python reads of a configuration is what the program reads (python/configurations.py)."""
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from result_files import SOURCE, read_configuration

PROGRAM = Path(os.environ["DUALDIFF_BUILD"]) / "dualdiff"


RUN_1 = read_configuration(SOURCE / "configs" / "run_1.toml")


@pytest.mark.parametrize("path", sorted((SOURCE / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_same_as_the_program(path):
    """run_1.toml has every key. A key that another file lacks has the program's default, which is the value of run_1.toml."""
    told = subprocess.run([PROGRAM, "info", path], capture_output=True, text=True, timeout=60, check=True).stdout
    sections = read_configuration(path)
    if path.stem != "run_1":
        sections = {section: keys | sections.get(section, {}) for section, keys in RUN_1.items()}
    assert sections == tomllib.loads(told[told.index("[model]"):])


def test_only_the_runs_are_whole():
    whole = {path.stem for path in (SOURCE / "configs").glob("*.toml") if "base" not in tomllib.loads(path.read_text())}
    assert whole == {f"run_{i}" for i in range(6)}


def test_circle(tmp_path):
    (tmp_path / "one.toml").write_text("base = 'two.toml'\n")
    (tmp_path / "two.toml").write_text("base = 'one.toml'\n")
    with pytest.raises(ValueError, match="one.toml: a circle: .*two.toml"):
        read_configuration(tmp_path / "one.toml")
