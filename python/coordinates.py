"""Where points are drawn: at their coordinates or, where there are too many, at their principal components."""
from collections.abc import Callable
from dataclasses import dataclass

from drawing import np, shown

LONGEST = 24  # characters of a name on an axis
RANDOM = "random height"  # the second axis of points of one coordinate


@dataclass
class View:
    """What the axes of a picture of points are: coordinates, or principal components."""

    labels: list  # of the axes
    project: Callable  # points (n, D) in the units of the data -> their places (n, axes)
    aspect: float = 1.0  # how high a unit of the second axis is drawn for a wide one of the first
    axes: np.ndarray | None = None  # (axes, D) of the components
    share: np.ndarray | None = None  # of the variance, of each component


def names_of(study, dataset, coordinates):
    """The names of so many coordinates: those of the first result that has as many."""
    for result in study.of(dataset):
        names = [str(name) for name in result.attributes("/data/coordinate").get("names", ())]
        if len(names) == coordinates:
            return [f"$x_{{{i}}}$" if name == f"x{i}" else shown(name, LONGEST) for i, name in enumerate(names, 1)]
    return [f"$x_{{{i + 1}}}$" for i in range(coordinates)]


def stored_components(result):
    """(centre, axes, shares of the variance) that `dualdiff analyze` has stored; None for at most two coordinates."""
    if not result.has("/analysis/principal/axis"):
        return None
    return tuple(result.analysis(f"principal/{name}").astype(float) for name in ("centre", "axis", "share"))


def scaling_of(study, dataset, coordinates):
    """(shift, scale) of so many columns, of the first result that has as many: networks see (value - shift) / scale."""
    scalings = (result.scaling for result in study.of(dataset))
    return next((found for found in scalings if found and len(found[0]) == coordinates), (np.zeros(coordinates), np.ones(coordinates)))


def components_of(x, count):
    """(centre, axes (count, D), shares of the variance) of the points x (n, D)."""
    x = x[np.isfinite(x).all(axis=1)].astype(float)
    centre = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    _, spread, axes = np.linalg.svd(np.vstack([x - centre, np.zeros((count, x.shape[1]))]), full_matrices=False)  # at least `count` axes
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # else the sign is a matter of chance
    return centre, axes[:count], spread[:count] ** 2 / max((spread**2).sum(), np.finfo(float).tiny)


def view(study, dataset, x, most=2):
    """Up to `most` coordinates as they are; of more coordinates the first `most` principal components, which an analysis has stored, or else of
    the points x (n, D)."""
    names = names_of(study, dataset, x.shape[1])
    shift, scale = scaling_of(study, dataset, x.shape[1])
    if len(names) <= most:
        return View(names, lambda points: points, float(scale[0] / scale[1]) if len(scale) == 2 else 1.0)
    stored = (stored_components(result) for result in study.of(dataset))
    fitting = (found for found in stored if found and found[1].shape[1] == len(names) and len(found[1]) >= most)
    centre, axes, share = next(fitting, None) or components_of((x - shift) / scale, most)
    return View([f"principal component {k + 1}" for k in range(most)], lambda points: ((points - shift) / scale - centre) @ axes[:most].T,
                axes=axes[:most], share=share[:most])


def in_plane(study, dataset, x):
    """The same for a picture of two axes. A random height, up to a part of the range of x, spreads the points of one coordinate."""
    if x.shape[1] > 1:
        return view(study, dataset, x)
    finite = x[np.isfinite(x)]
    height = 0.6 * float(np.ptp(np.percentile(finite, [1, 99]))) if len(finite) else 0.0
    return View([*names_of(study, dataset, 1), RANDOM],
                lambda points: np.column_stack([points[:, 0], (height or 1.0) * np.random.default_rng(0).random(len(points))]))
