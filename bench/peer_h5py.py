"""peer_h5py.py RUN.h5: the same result file written by h5py, for bench.py to compare with dualdiff's. Everything in
RUN.h5 is read into memory at the start. `result` answers with the seconds to write it as RUN.h5.h5py: the same groups,
datasets, chunks, checksums, attributes and dimension scales, whole datasets at a time, flushed to disk and renamed;
`differences` with how many of the file's objects are not what they are in RUN.h5.
"""
import os
import sys
import time

import h5py
import numpy as np

SCALES = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid"}  # what h5py's own scale functions write


def properties(dataset):
    """The properties with which to create an equal dataset."""
    p = dataset.id.get_create_plist()
    found = {"shape": dataset.shape, "dtype": dataset.dtype}
    if dataset.chunks:
        found |= {"chunks": dataset.chunks, "maxshape": dataset.maxshape, "fletcher32": dataset.fletcher32}
    elif p.get_layout() == h5py.h5d.COMPACT:
        found["compact"] = True
    if p.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        found["fillvalue"] = dataset.fillvalue
    return found


def create(file, name, data, how):
    if "compact" not in how:
        return file.create_dataset(name, data=data, **how)
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)  # the high-level interface knows no compact layout
    p.set_layout(h5py.h5d.COMPACT)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(how["dtype"], logical=True),
                                           h5py.h5s.create(h5py.h5s.SCALAR), p))
    dataset[()] = data
    return dataset


def attributes(item):
    return {name: value for name, value in item.attrs.items() if name not in SCALES}


def read(path):
    """Groups and datasets in the file's order: (name, attributes, None or (properties, data, its scales' names))."""
    items: list[tuple] = []
    with h5py.File(path, "r") as file:
        items.append(("/", attributes(file), None))

        def take(name, item):
            if isinstance(item, h5py.Group):
                items.append((name, attributes(item), None))
            else:
                scales = [[s.name for s in dimension.values()] for dimension in item.dims]
                items.append((name, attributes(item), (properties(item), item[()], item.is_scale, scales)))

        file.visititems(take)
    return items


def write(path, items):
    temporary = path + ".tmp"
    with h5py.File(temporary, "w") as file:
        for name, given, dataset in items:
            if dataset is None:
                item = file.require_group(name)
            else:
                how, data, is_scale, _ = dataset
                item = create(file, name, data, how)
                if is_scale:
                    item.make_scale(name.rsplit("/", 1)[-1])
            for key, value in given.items():
                item.attrs[key] = value
        for name, _, dataset in items:
            for axis, scales in enumerate(dataset[3] if dataset else []):
                for scale in scales:
                    file[name].dims[axis].attach_scale(file[scale])
    for target in (temporary, None):
        if target is None:
            os.replace(temporary, path)
            target = os.path.dirname(os.path.abspath(path))
        descriptor = os.open(target, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return np.array_equal(a, b, equal_nan=np.issubdtype(np.asarray(a).dtype, np.floating))
    return a == b


def differences(path, copy):
    ours, theirs = ({name: rest for name, *rest in read(p)} for p in (path, copy))
    return sum(name not in ours or name not in theirs or not equal(ours[name], theirs[name])
               for name in ours.keys() | theirs.keys())


def main():
    path = sys.argv[1]
    copy, items = path + ".h5py", read(path)
    print(f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}", flush=True)
    for line in sys.stdin:
        if line.strip() == "differences":
            print(differences(path, copy), flush=True)
            continue
        began = time.perf_counter()
        write(copy, items)
        print(time.perf_counter() - began, flush=True)


main()
