"""A folder of the sources is a layer: it includes only layers below it, and no circle of files include each other.

Only this file states the order of the layers; docs/architecture.md says what each contains.
"""
import os
import re
from pathlib import Path

import pytest

SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
LAYERS = ["host/cli", "host/analysis", "host/run", "host/compare", "host/store", "cuda", "host/backend", "host/oracle",
          "host/metrics", "host/model", "host/data", "host/hdf5", "host/config", "host/base"]  # top first
ENDINGS = (".c", ".h", ".cpp", ".cu", ".cuh")
GENERATED = {"version.h"}


def read_sources(root):
    """Every source file of host/ and cuda/ by its path below root, with its text."""
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for folder in ("host", "cuda")
            for path in sorted((root / folder).rglob("*")) if path.suffix in ENDINGS}


def included(path, sources):
    """The project's own files that one includes, and what it includes that is none."""
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', sources[path], re.MULTILINE):
        near, below_host = (Path(path).parent / name).as_posix(), f"host/{name}"
        if name not in GENERATED:
            yield name, near if near in sources else below_host if below_host in sources else None


def layer_of(path):
    return next((layer for layer in LAYERS if path.startswith(layer + "/")), None)


def module_of(path):
    """A module is a header and the source file of the same name: a circle through one of them is a circle of the module."""
    return path.rsplit(".", 1)[0]


def faults(sources):
    found = [f"{path}: lies in no layer" for path in sources if not layer_of(path)]
    for path in sources:
        for name, target in included(path, sources):
            if not target:
                found.append(f'{path}: "{name}" is no file of host/ or cuda/')
            elif layer_of(path) and layer_of(target) and LAYERS.index(layer_of(target)) < LAYERS.index(layer_of(path)):
                found.append(f"{path} includes {target}, of a layer above its own")
            elif target.startswith("host/") and f"host/{name}" != target:
                found.append(f'{path}: "{name}" does not say the layer; write "{target.removeprefix("host/")}"')
    return found


def circle(sources):
    """Modules that include each other in a circle, the first one again at the end; [] where there is none."""
    arrows = {}
    for path in sources:
        arrows.setdefault(module_of(path), set()).update(
            module_of(target) for _, target in included(path, sources) if target and module_of(target) != module_of(path))
    done, way = set(), []

    def visit(module):
        if module in way:
            return way[way.index(module):] + [module]
        if module in done:
            return []
        way.append(module)
        for other in sorted(arrows[module]):
            if found := visit(other):
                return found
        way.pop()
        done.add(module)
        return []

    return next((found for module in sorted(arrows) if (found := visit(module))), [])


@pytest.fixture(scope="module")
def sources():
    return read_sources(SOURCE)


def test_every_include_points_down(sources):
    assert len(sources) > 150 and {layer_of(path) for path in sources} == set(LAYERS)
    assert faults(sources) == []


def test_no_circle(sources):
    assert circle(sources) == []


def test_an_upward_include_is_found(sources):
    planted = sources | {"host/base/error.h": sources["host/base/error.h"] + '#include "data/points.h"\n'}
    assert faults(planted) == ["host/base/error.h includes host/data/points.h, of a layer above its own"]


def test_a_folder_that_is_no_layer_is_found(sources):
    assert faults(sources | {"host/util/all.c": ""}) == ["host/util/all.c: lies in no layer"]


def test_an_include_without_its_layer_is_found(sources):
    planted = sources | {"host/data/truth.c": '#include "truth.h"\n'}
    assert faults(planted) == ['host/data/truth.c: "truth.h" does not say the layer; write "data/truth.h"']


@pytest.mark.parametrize("header, other", [("data/truth.h", "data/generators.h"), ("data/points.h", "data/points_file.h"),
                                           ("analysis/scene.h", "analysis/parts.h")])
def test_a_circle_is_found(sources, header, other):
    """The three that there were before the layers."""
    planted = sources | {f"host/{header}": sources[f"host/{header}"] + f'#include "{other}"\n'}
    assert set(circle(planted)) >= {f"host/{module_of(header)}", f"host/{module_of(other)}"}
