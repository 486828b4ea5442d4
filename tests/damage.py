"""Damaged copies of a result, as disks, interrupted copies and other programs make them. Each is a name and the function that makes it of a
good file."""
import functools
import random
import shutil

import h5py
import numpy as np


def flipped(path, bit):
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def flips(good, count, seed=0):
    """`count` single bits anywhere in the file."""
    bits = random.Random(seed).sample(range(8 * good.stat().st_size), count)
    return {f"bit_{bit}": functools.partial(flipped, bit=bit) for bit in bits}


def truncated(path, length):
    with open(path, "r+b") as file:
        file.truncate(length)


def truncations(good, count):
    size = good.stat().st_size
    return {f"cut_{length}": functools.partial(truncated, length=length) for length in sorted({size * i // count for i in range(count)})}


def removed(path, name):
    with h5py.File(path, "a") as file:
        del file[name]


def replaced(path, name, value):
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = value


def attribute(path, name, key, value):
    with h5py.File(path, "a") as file:
        file[name].attrs[key] = value


def names_of(good):
    found = []
    with h5py.File(good) as file:
        file.visititems(lambda name, item: found.append((name, item.shape if isinstance(item, h5py.Dataset) else None)))
    return found


def changes(good, wanted):
    """Each dataset and group whose name begins with one of `wanted`: removed, with another shape, with another type, or filled with NaN.
    Returns those that must be left out, and those that may be drawn."""
    bad, odd = {}, {}
    for name, shape in names_of(good):
        if not name.startswith(wanted):
            continue
        plain = name.replace("/", ".")
        (odd if name.startswith("metrics/") else bad)[f"no_{plain}"] = functools.partial(removed, name=name)
        if shape is None:
            continue
        bad[f"text_{plain}"] = functools.partial(replaced, name=name, value="text")
        bad[f"shape_{plain}"] = functools.partial(replaced, name=name, value=np.zeros((3, 1, 2), np.float32))
        for word, value in ("nan", np.nan), ("inf", -np.inf), ("huge", 3e38):
            odd[f"{word}_{plain}"] = functools.partial(replaced, name=name, value=np.full(shape, value, np.float32))
    return bad, odd


def planted(out, good, damage):
    """OUT/<name>/line/seed_0.h5 for each; returns {name: path}."""
    paths = {}
    for name, change in damage.items():
        paths[name] = out / name / "line" / "seed_0.h5"
        paths[name].parent.mkdir(parents=True)
        shutil.copyfile(good, paths[name])
        change(paths[name])
    return paths
