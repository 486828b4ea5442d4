"""Checks that a result contains everything that pictures need: every array exists, has its shape, and can be read completely.

Parts that the checksums of HDF5 do not cover (attributes, text, scalars) may contain anything in a damaged file or in a file from
another program. A file is checked once, in a separate process (workers.py). After that, all code can rely on the layout of
docs/file-format.md.
"""
from runs import REGIONS, claims_too_much, h5py, np, open_result, settings_of, words_of
from workers import Failed

# Arrays and their axes. An axis has the same size in all arrays; numbers are sizes.
MAP = {  # only of two coordinates
    "map/x1": ("x1",), "map/x2": ("x2",), "map/timestep": ("shown",), "map/weight": ("shown", "x2", "x1", "expert"),
    "map/noise": ("shown", "x2", "x1", "expert", 2), "map/disagreement": ("shown", "x2", "x1"),
}
PRINCIPAL = {"principal/axis": ("component", "coordinate"), "principal/centre": ("coordinate",), "principal/share": ("component",)}  # of more than two
ANALYSIS = {
    "by_timestep/timestep": ("timestep",), "by_timestep/loss_gated": ("timestep",), "by_timestep/loss_equal": ("timestep",),
    "by_timestep/loss_alone": ("timestep", "expert"), "by_timestep/disagreement": ("timestep",),
    "by_region/centre": ("region", "coordinate"), "by_region/points": ("region",), "by_region/weight": ("region", "expert"),
    "by_region/loss_gated": ("region",), "by_region/loss_alone": ("region", "expert"),
    "information/data_region": ("expert",), "information/data_timestep": ("expert",), "data/x": ("point", "coordinate"),
    "trajectory/x": ("row", "path", "place"), "trajectory/weight": ("row", "path", "expert"), "trajectory/step": ("row",),
}
LEARNED = {  # only with a learned gate
    "by_timestep/weight_quantile": ("sampled", "expert", 5), "by_timestep/weight_mean": ("sampled", "expert"),
    "by_timestep/information_region": ("sampled", "expert"), "by_region/weight_sampling": ("sampled", "region", "expert"),
    "information/sampling_region": ("expert",), "information/sampling_timestep": ("expert",), "training/phase": ("phase",),
    "training/step": ("window",), "training/weight_quantile": ("phase", "timestep", "expert", 5), "training/entropy": ("window",),
    "training/entropy_of_mean": ("window",),
}
BY_COORDINATE = {  # not in files of older programs
    "by_coordinate/timestep": ("few",), "by_coordinate/centre": ("coordinate", "bin"), "by_coordinate/points": ("coordinate", "bin"),
    "by_coordinate/weight": ("few", "coordinate", "bin", "expert"), "by_coordinate/weight_mean": ("coordinate", "bin", "expert"),
    "information/data_coordinate": ("coordinate", "expert"),
}
EXACT = "by_timestep/excess_loss", "by_timestep/excess_loss_error", "by_timestep/denoiser_error"  # only of a generated set
OPTIONAL = {"by_timestep/sampling_timestep": ("sampled",), **dict.fromkeys(EXACT, ("timestep",)), "training/weight_mean": ("phase", "timestep", "expert"), "trajectory/timestep": ("row",)}
RISING = ("map/x1", "map/x2", "by_coordinate/timestep", "by_timestep/timestep", "by_timestep/sampling_timestep", "training/phase", "trajectory/step")


def damaged(name, what):
    return Failed(f"damaged: {name} {what}")


def read_array(file, name):
    """A whole dataset of numbers."""
    try:
        array = file[name] if name in file else None
    except (OSError, KeyError) as problem:
        raise damaged(name, f"cannot be opened: {words_of(problem)}") from problem
    if array is None:
        raise damaged(name, "is missing")
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "iuf" or array.shape is None:
        raise damaged(name, "does not hold numbers")
    try:
        if claims_too_much(array):
            raise damaged(name, f"claims {array.size} numbers and holds fewer")
        return array[()]
    except (OSError, RuntimeError) as problem:
        raise damaged(name, "cannot be read: its checksum is wrong, or its bytes are not there") from problem


def check_shape(name, shape, axes, sizes):
    """Adds new axes to `sizes` {axis: size}."""
    wanted = [sizes.setdefault(axis, size) if isinstance(axis, str) else axis for axis, size in zip(axes, shape)]
    if len(shape) != len(axes) or list(shape) != wanted:
        raise damaged(name, f"has the shape {shape}, which does not fit the rest of the file")


def check_arrays(file, group, arrays, sizes):
    """Read the arrays; values whose name is in RISING must be ascending."""
    for name, axes in arrays.items():
        values = read_array(file, f"{group}/{name}")
        check_shape(f"{group}/{name}", values.shape, axes, sizes)
        if name in RISING and not (len(values) and np.isfinite(values).all() and (np.diff(values) > 0).all()):
            raise damaged(f"{group}/{name}", "does not rise")


def check_text(file, name):
    """Check that text attributes are text, so that tables and titles can show them."""
    for key, value in file[name].attrs.items():
        check_words(key, name, [value])


def check_words(key, name, words):
    """Values of the attribute `key` of an object."""
    try:
        for word in words:
            str(word).encode()
    except UnicodeEncodeError:
        raise damaged(f"attribute {key} of {name}", "is not UTF-8") from None


def check_config(file):
    """Returns {"section.key": value}."""
    try:
        config = settings_of(file["/config"][()].decode())
    except (KeyError, ValueError, AttributeError, TypeError) as problem:
        raise damaged("/config", f"is no configuration ({problem})") from problem
    experts, weight = config.get("model.experts"), config.get("training.diversity_weight")
    if not isinstance(experts, int) or experts < 1 or not isinstance(weight, (int, float)):
        raise damaged("/config", "lacks model.experts or training.diversity_weight")
    return config


def check_samples(file, config, trained):
    sizes = {"expert": config["model.experts"]}
    check_arrays(file, "/samples", {"x": ("sample", "coordinate")}, sizes)
    if not sizes["sample"]:
        raise damaged("/samples/x", "is empty")
    learned = config["model.experts"] > 1 and config["model.gate"] != "fixed"
    if "/samples/gate" in file or trained and learned:
        check_arrays(file, "/samples", {"gate": ("sample",) if config["model.experts"] <= 2 else ("sample", "expert")}, sizes)
    return sizes["coordinate"]


def check_names(file, coordinates):
    """Files of older programs have no names, and two coordinates."""
    names = file["/data/coordinate"].attrs.get("names") if "/data/coordinate" in file else None
    if names is None and coordinates != 2:
        raise damaged("/data/coordinate", "lacks the names of the coordinates")
    if names is not None and np.shape(names) != (coordinates,):
        raise damaged("attribute names of /data/coordinate", f"does not have a name for each of {coordinates} coordinates")
    check_words("names", "/data/coordinate", [] if names is None else names)


def check_metrics(file):
    if not isinstance(file.get("/metrics"), h5py.Group):
        raise damaged("/metrics", "is missing")
    for name in file["/metrics"]:
        check_text(file, f"/metrics/{name}")
        check_shape(f"/metrics/{name}", read_array(file, f"/metrics/{name}").shape, (), {})


def check_analysis(file, config, coordinates):
    experts = config["model.experts"]
    if file["/analysis"].attrs.get("regions") not in REGIONS:
        raise damaged("attribute regions of /analysis", f"is none of {', '.join(REGIONS)}")
    check_text(file, "/analysis")
    sizes = {"expert": experts, "coordinate": coordinates, "place": min(coordinates, 2)}
    shown = {"x1": 2, "x2": 2} if coordinates == 2 else {"component": 2} if coordinates > 2 else {}
    check_arrays(file, "/analysis", (MAP if coordinates == 2 else PRINCIPAL if coordinates > 2 else {}) | ANALYSIS, sizes)
    if "/analysis/by_timestep/sampling_timestep" not in file:
        sizes["sampled"] = sizes["timestep"]
    if "/analysis/information/sampling_region" in file or experts > 1 and config["model.gate"] != "fixed":
        check_arrays(file, "/analysis", LEARNED, sizes)
    if "/analysis/by_coordinate" in file:
        check_arrays(file, "/analysis", BY_COORDINATE, sizes)
    check_arrays(file, "/analysis", {name: axes for name, axes in OPTIONAL.items() if f"/analysis/{name}" in file}, sizes)
    for axis, least in (shown | {"region": 1, "point": 1, "path": 1}).items():
        if sizes[axis] < least:
            raise damaged(f"the axis {axis} of /analysis", "is too short")


def check_result(file):
    check_text(file, "/")
    config = check_config(file)
    trained = "/train" in file
    if not trained and "/parameters" in file:
        raise damaged("/train", "is missing")
    if trained:
        check_arrays(file, "/train", {"loss": ("step",), "mse": ("step",)}, {})
    coordinates = check_samples(file, config, trained)
    check_names(file, coordinates)
    if "/data/x" in file:
        check_arrays(file, "/data", {"x": ("point", "coordinate")}, {"coordinate": coordinates})
    check_metrics(file)
    if "/analysis" in file:
        check_analysis(file, config, coordinates)


def check_file(path):
    """Returns None; raises Failed with the reason."""
    try:
        with open_result(path) as file:
            check_result(file)
    except BlockingIOError as problem:
        raise Failed(words_of(problem)) from problem
    except (OSError, KeyError, RuntimeError) as problem:
        raise Failed(f"damaged: {words_of(problem)}") from problem
