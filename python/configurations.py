"""Reads configuration files in the same way as the program."""
import tomllib
from pathlib import Path


def read_configuration(path, based=()):
    """{section: {key: value}} of a file on top of its base; `based` are the files that are based on it."""
    path = Path(path)
    if path.resolve() in based:
        raise ValueError(f"{path}: a circle: this file is itself based on {based[-1]}; remove the base of one of them")
    own = tomllib.loads(path.read_text())
    base = own.pop("base", None)
    sections = read_configuration(path.parent / base, (*based, path.resolve())) if base is not None else {}
    for section, keys in own.items():
        sections[section] = sections.get(section, {}) | keys
    return sections
