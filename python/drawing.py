"""What the pictures share: style, colours, the runs of a study and their names, and files."""
import io
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass

from files import write_whole
from limits import PANELS, best, of_how_many
from runs import MISSING_PACKAGE, fail, in_order, lowest_seeds

try:
    import numpy as np
    from mpl import matplotlib, plt
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb  # noqa: F401 (Normalize: for the other modules)
    from PIL import Image
except ImportError as missing:
    fail(missing, MISSING_PACKAGE)

NEUTRAL = "#7c8594"  # runs without a gate
UNTRAINED = {"exact denoiser": "#242c38", "fresh true points": "#a9b1bd"}
# Settings that a stored run has as its points were made in the end: they tell sets apart, not runs.
OF_POINTS = {"data.dimensions", "data.modes", "data.rank", "data.scale", "data.heldout_share"}
DATA = "#4a4f57"
# Colours of runs and experts, in this order: any two of them and NEUTRAL differ by at least 14.9 (CIEDE2000), also for
# people with protanopia, deuteranopia or tritanopia (tests/test_colours.py). Lines and markers show the difference once
# more.
COLOURS = ["#0072b2", "#d55e00", "#74b98b", "#5d175d", "#a22e46", "#b98bff", "#004600", "#ffa2d1", "#0000d1", "#b9d100"]
LINES = ["-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
MANY = 8  # runs; if there are more, each has a row, and legends have only names
# From cool to warm colours like matplotlib's coolwarm, but with a darker middle, which is visible on white.
GATE = LinearSegmentedColormap.from_list("gate", ["#173f9f", "#3f86d2", "#8f86a8", "#e8813b", "#b3131f"])
STYLE = {
    "font.size": 10, "axes.titlesize": 11, "figure.titlesize": 13, "axes.labelsize": 10, "legend.fontsize": 9.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555", "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.8, "legend.frameon": False,
    "figure.constrained_layout.use": True, "savefig.bbox": "tight", "savefig.pad_inches": 0.12, "svg.fonttype": "none", "svg.hashsalt": "dualdiff",
}


@dataclass
class Panel:
    """A part of a picture that is a separate figure on a page. On a narrow screen the panels are one below the other."""

    draw: Callable  # -> figure
    name: str
    words: str  # a line below it
    alt: str
    width: float  # inches on the page
    kind: str = "svg"  # or png, if there are many points or pixels
    least: float = 0  # inches, below which it cannot be read: on a narrower screen it scrolls


@dataclass
class Key:
    """An entry of a legend that is text on the page and not part of a picture. kind: line, patch, or scale (the gate's colours)."""

    kind: str
    label: str
    colour: str = ""
    line: object = "-"
    marker: str = ""


@dataclass
class Picture:
    """One picture of `dualdiff plot` and `dualdiff report`."""

    stem: str
    title: str
    alt: str  # what it shows, for readers who cannot see it
    draw: Callable  # -> figure, or the bytes of a GIF
    endings: tuple = ("png", "svg")
    caption: str = ""  # what to look for
    panels: Callable | None = None  # -> [Panel]; None: a page shows the whole picture
    keys: Callable = list  # -> [Key]
    width: float = 5.0  # inches of the whole picture on a page


def way(i):
    """(colour, line, marker) of the i-th run: no two are the same among the first 140."""
    return COLOURS[i % len(COLOURS)], LINES[(i + i // 20) % len(LINES)], MARKERS[i % len(MARKERS)]


class Study:
    """All results, and what is the same in every picture: order of the runs, their colours and descriptions."""

    def __init__(self, results):
        self.results = results
        self.lowest = lowest_seeds(results)
        self.runs = in_order(result.run for result in results)
        self.datasets = sorted({result.dataset for result in results})
        first = {run: next(result for result in results if result.run == run) for run in self.runs}
        self.untrained = untrained = {run: first[run].untrained for run in self.runs}
        gated = {result.run for result in self.lowest.values() if result.has("/samples/gate")}
        self.colour, self.line, self.marker = {}, {}, {}
        ways = itertools.count()
        for run in self.runs:
            plain = NEUTRAL if run not in gated and NEUTRAL not in self.colour.values() else None
            plain = UNTRAINED.get(untrained[run]) or plain
            self.colour[run], self.line[run], self.marker[run] = (plain, LINES[0], ".") if plain else way(next(ways))
        self.config = {run: first[run].config for run in self.runs}
        keys = in_order(key for config in self.config.values() for key in config if key not in OF_POINTS)
        self.varying = [key for key in keys if len({str(config.get(key)) for config in self.config.values()}) > 1]
        values = {key: [str(config.get(key)) for config in self.config.values()] for key in self.varying}
        usual = {key: max(found, key=found.count) for key, found in values.items()}
        self.description = {run: describe(self.config[run], usual, untrained[run]) for run in self.runs}
        self.name = {run: shown(run, 30) + "\n" + wrapped(self.description[run]) for run in self.runs}

    def legend(self, runs):
        """Their names in a legend."""
        return [self.name[run] if len(runs) <= MANY else shown(run, 30) for run in runs]

    def seeds(self, run, dataset):
        return [result for result in self.results if (result.run, result.dataset) == (run, dataset)]

    def of(self, dataset, most=PANELS):
        """The lowest seed of each run that has the dataset; results without a network come first. If there are many, the `most` with the
        lowest KL divergence."""
        results = [self.lowest[run, dataset] for run in self.runs if (run, dataset) in self.lowest]
        return best(sorted(results, key=lambda result: not result.untrained), most)

    def trained(self, dataset, most=PANELS):
        return [result for result in self.of(dataset, most) if not result.untrained]

    def how_many(self, dataset):
        """Text for a title if there are more runs than the picture shows, else ""."""
        return of_how_many(self.trained(dataset), self.trained(dataset, None))


def describe(config, usual, untrained="", most=4, longest=7):
    """A short description of a run: its experts, and the settings that differ between the runs of the study. If these are more than `most`,
    only those that are not the `usual` {key: value as text} of the study's runs, and at most `longest` of them. For results without a
    network only schedule and sampling can matter, and for true points not even these."""
    experts, diverse = config["model.experts"], config["training.diversity_weight"]
    network = "one network" if experts == 1 else f"{experts} experts"
    who = {"": network, "resampled": f"{network} resampled"}.get(untrained, untrained)
    untrained = "" if untrained == "resampled" else untrained
    own = {
        "model.experts": lambda value: "",
        "model.gate": lambda value: f"{value} gate" if experts > 1 and value != "learned" else "",
        "model.gate_layers": lambda value: "gate " + "-".join(map(str, value)) if experts > 1 else "",
        "model.expert_head": lambda value: "head " + "-".join(map(str, value)) if value else "",
        "model.hidden_width": lambda value: f"width {value}",
        "training.diversity_weight": lambda value: f"diversity {value:g}" if value else "",
        "diffusion.timesteps": lambda value: f"T = {value}",
        "diffusion.schedule": lambda value: f"{value} beta",
        "diffusion.terminal_snr": lambda value: "zero terminal SNR" if value == "zero" else "",
        "diffusion.prediction": lambda value: f"predicts {value}" if not untrained else "",
        "training.diversity_distance": lambda value: f"{value} distance" if diverse else "",
        "training.diversity_layer": lambda value: "of hidden layers" if diverse and value == "hidden" else "",
        "training.diversity_scale": lambda value: f"scale {value:g}" if diverse else "",
        "training.diversity_course": lambda value: "fading" if diverse and value == "cosine" else "",
        "training.min_snr_gamma": lambda value: f"min-SNR {value:g}" if value else "",
        "training.precision": lambda value: str(value),
        "sampling.steps": lambda value: f"{value} sampling steps" if value else "",
        "sampling.noise_factor": lambda value: f"noise factor {value:g}" if value != 1 else "",
        "sampling.start": lambda value: "starts from data" if value == "data" else "",
    }
    words = {}
    for key in usual:
        section, name = key.split(".", 1)
        if key in config and (not untrained or untrained == "exact denoiser" and section in ("diffusion", "sampling")):
            words[key] = own.get(key, lambda value, name=name: f"{name.replace('_', ' ')} {value}")(config[key])
    words = {key: word for key, word in words.items() if word}
    if len(words) > most:
        words = {key: word for key, word in words.items() if str(config[key]) != usual[key]}
    told = list(words.values())
    if len(told) > longest:
        told = [*told[:longest - 1], f"{len(told) - longest + 1} settings more"]
    return ", ".join([who, *told])


def wrapped(description, width=32, most=3):
    """A description in lines for a title, broken at commas; text after `most` lines is left out."""
    lines = [""]
    for word in description.split(", "):
        if lines[-1] and len(lines[-1]) + len(word) + 2 > width:
            lines[-1] += ","
            lines.append(word)
        else:
            lines[-1] += (", " if lines[-1] else "") + word
    if len(lines) > most:
        lines = [*lines[:most - 1], lines[most - 1].rstrip(",") + " …"]
    return "\n".join(lines).replace("$", r"\$")


def shown(name, longest=34):
    """A name that matplotlib can print: without mathematics, and without its middle if it is too long."""
    if len(name) > longest:
        name = name[: longest // 2 - 1] + "…" + name[-(longest // 2) :]
    return name.replace("$", r"\$")


def metric(result, name):
    return result.metrics.get(name, np.nan)


def seed_note(results):
    seeds = in_order(result.seed for result in results)
    return f"seed {seeds[0]}" if len(seeds) == 1 else "lowest seed of each run"


def panels(count, width, height, **options):
    """A figure with `count` panels of a size in inches, in a grid that is wider than high; unused places stay empty."""
    columns = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 3}.get(count, 4)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * width + 0.9, rows * height + 0.6), squeeze=False,
                                **options)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    return figure, list(axes.flat[:count])


def single(draw, width, height):
    """A figure of one panel, drawn by draw(figure, axis); inches."""
    figure, axis = plt.subplots(figsize=(width, height))
    draw(figure, axis)
    return figure


def in_frame(x, limits):
    """Which of the points are within the limits of both coordinates."""
    return np.logical_and.reduce([(x[:, c] >= low) & (x[:, c] <= high) for c, (low, high) in enumerate(limits)])


def ticks_between(low, high, most=3):
    """At most `most` + 1 round numbers within the limits, and how to write them: (numbers, words, what the axis shows of its quantity x). Numbers
    with many digits in common are written as differences, very large and very small ones without their power of ten."""
    ticks = np.array([tick for tick in matplotlib.ticker.MaxNLocator(most).tick_values(low, high) if low <= tick <= high])
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    first, largest = 0.0, np.abs(ticks).max(initial=0)
    if largest > 1e4 * step:
        unit = 10.0 ** np.ceil(np.log10(high - low))
        first = np.floor(low / unit) * unit
        largest = np.abs(ticks - first).max()
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    power = power if power > 4 or power < -2 else 0
    shown_ticks = (ticks - first) / 10.0**power
    decimals = next((n for n in range(6) if (np.abs(np.round(shown_ticks, n) - shown_ticks) < 1e-3 * step / 10.0**power).all()), 6)
    words = [f"{tick:.{decimals}f}".replace("-", "\N{MINUS SIGN}") for tick in np.round(shown_ticks, decimals) + 0.0]  # no -0
    about = (f" - {first:,.10g}" if first > 0 else f" + {-first:,.10g}" if first else "") + (f" / $10^{{{power}}}$" if power else "")
    return ticks, words, about


def few_ticks():
    """Make room for numbers with many digits, which occur if all values are close together."""
    return matplotlib.ticker.MaxNLocator(4, min_n_ticks=3)


def rows(names, titles, words, note):
    """A figure with one row per name, and panels with these titles that share the rows; `words` label the x axes; there is room for `note`
    lines of text."""
    count = len(titles)
    columns = min(count, 4)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3 * columns + 2, lines * (0.27 * len(names) + 1) + 0.4 + 0.2 * note), sharey=True,
                                squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(names)), [shown(name) for name in names])
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(len(names) - 0.4, -0.6)
    for axis, title in zip(axes.flat, titles):
        axis.set_title(shown(title), loc="left")
        axis.set_xlabel(words)
        axis.xaxis.set_major_locator(few_ticks())
    return figure, list(axes.flat[:count])


def row_limits(lowest, groups):
    """Limits of the x axis: from `lowest` on, except for groups of values so far away that the others could not be distinguished."""
    low = min([lowest, *(values.min() for values in groups)])
    highs = np.array([max(values.max(), values.mean() + sd(values)) for values in groups])
    high = highs[highs <= low + 3 * (np.percentile(highs, 75) - low)].max()
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def sd(values):
    return values.std(ddof=1) if len(values) > 1 else 0.0


def row_mark(axis, y, values, colour):
    """Mean (bar), standard deviation (band) and seeds (dots). If the mean is outside the axis, draws its value and an arrow, and returns
    False."""
    mean, high = values.mean(), axis.get_xlim()[1]
    if mean > high:
        axis.annotate(f"{mean:.2f} →", (high, y), (-3, 0), textcoords="offset points", ha="right", va="center", fontsize=8.5, color=colour)
        return False
    axis.plot(mean + np.array([-1, 1]) * sd(values), [y, y], color=colour, linewidth=5, alpha=0.3, zorder=3, solid_capstyle="butt")
    axis.scatter(values, np.full(len(values), y), s=11, color="white", edgecolor=colour, linewidth=0.8, zorder=4)
    axis.plot([mean] * 2, [y - 0.28, y + 0.28], color=colour, linewidth=2.4, zorder=5, solid_capstyle="butt")
    return True


def bars(axis, left, right, low, high, colours):
    """Bars between two heights each; thousands are drawn as fast as a few."""
    corners = np.stack([np.column_stack(corner) for corner in ((left, low), (left, high), (right, high), (right, low))], axis=1)
    axis.add_collection(matplotlib.collections.PolyCollection(corners[np.isfinite(corners).all(axis=(1, 2))], closed=True, linewidths=0,
                                                              facecolors=np.asarray(colours)[np.isfinite(corners).all(axis=(1, 2))]))
    axis.autoscale_view()


def common_limits(clouds):
    """Limits for each coordinate that show all except the farthest points, with a margin; the same for all clouds. A cloud that is much wider
    than most is cut off, because otherwise the others would be dots."""
    limits = []
    for axis in range(clouds[0].shape[1]):
        found = [cloud[np.isfinite(cloud[:, axis]), axis] for cloud in clouds]
        found = np.array([np.percentile(values, [0.05, 99.95]) for values in found if len(values)] or [(-1.0, 1.0)], dtype=float)
        low, high = np.median(found, axis=0)
        extent = high - low
        low, high = max(found[:, 0].min(), low - extent), min(found[:, 1].max(), high + extent)
        margin = 0.06 * (high - low) or max(1.0, 1e-3 * abs(high))
        limits.append((low - margin, high + margin))
    return limits


def expert_colour(expert, experts):
    """The colour of expert 1, 2, ...: with two experts, the ends of the gate's colours."""
    return (GATE(1.0), GATE(0.0))[expert - 1] if experts == 2 else COLOURS[(expert - 1) % len(COLOURS)]


def expert_handles(experts, shape=matplotlib.patches.Patch):
    """Arguments of a legend of the experts."""
    numbers = range(1, experts + 1)
    return [shape(color=expert_colour(e, experts)) for e in numbers], [f"expert {e}" for e in numbers]


def expert_keys(experts):
    return [Key("patch", f"expert {e}", matplotlib.colors.to_hex(expert_colour(e, experts))) for e in range(1, experts + 1)]


def gate_key(what):
    return Key("scale", what)


def gate_colours(weight):
    """Colours (..., 3) of weights (..., experts): with two experts a scale, with more the colour of the expert with the greatest weight."""
    experts = weight.shape[-1]
    if experts == 2:
        return GATE(np.clip(weight[..., 0], 0, 1))[..., :3]
    return np.array([to_rgb(expert_colour(e + 1, experts)) for e in range(experts)])[weight.argmax(axis=-1)]


# ---- files ----


def png_bytes(figure, dpi):
    """Use a palette of 256 colours: the pictures have few colours, so the eye sees no difference, and the file is less than half as
    large."""
    drawn, out = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, pil_kwargs={"compress_level": 0})
    with Image.open(drawn) as picture:
        small = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(out, format="png")
    return out.getvalue()


def svg_bytes(figure):
    """Draw points as pixels in an SVG, too, and fewer of them; otherwise the file would have several megabytes."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", dpi=100, metadata={"Date": None})
    return drawn.getvalue()


def save_picture(picture, out):
    """Write the picture's files; returns their names."""
    drawn = picture.draw()
    for ending in picture.endings:
        content = drawn if ending == "gif" else png_bytes(drawn, 160) if ending == "png" else svg_bytes(drawn)
        write_whole(os.path.join(out, f"{picture.stem}.{ending}"), content)
        if ending != "gif":
            drawn.set_layout_engine("none")  # the second file keeps the layout of the first
    plt.close("all")
    return [f"{picture.stem}.{ending}" for ending in picture.endings]
