"""The corner plot of a run: each pair of coordinates and each coordinate alone, the data next to the samples."""
import functools

from coordinates import names_of, view
from drawing import (DATA, GATE, NEUTRAL, Normalize, Panel, Picture, bars, common_limits, expert_colour, gate_colours, in_frame, matplotlib, np, plt, shown,
                     ticks_between, wrapped)
from limits import CORNERS
from sample_plots import data_cloud, run_cloud

MOST = 6  # coordinates; of more, so many principal components
MOST_POINTS = 2000  # in a panel
SIDE = {1: 4.4, 2: 2.7, 3: 2.2, 4: 1.8, 5: 1.6, 6: 1.45}  # inches of a panel, by the number of coordinates
LOADINGS = 3  # coordinates that are named for a principal component


class Corner:
    """What a corner plot shows of one run: places of data and samples, and names of the axes."""

    def __init__(self, study, result):
        cloud, data = run_cloud(study, result), data_cloud(study, result.dataset, MOST_POINTS)
        samples = cloud.x[:MOST_POINTS]
        data = data.x if data and data.x.shape[1] == samples.shape[1] else None
        self.coordinates, self.count = samples.shape[1], len(cloud.x)
        self.view = view(study, result.dataset, samples if data is None else data, MOST)
        self.scaled = result.scaling is not None
        self.names = names_of(study, result.dataset, self.coordinates)
        self.samples, self.data = self.view.project(samples), None if data is None else self.view.project(data)
        self.weight = None if cloud.weight is None else cloud.weight[:MOST_POINTS]
        self.limits = common_limits([x for x in (self.data, self.samples) if x is not None])
        self.colours = np.full((len(samples), 3), matplotlib.colors.to_rgb(NEUTRAL)) if self.weight is None else gate_colours(self.weight)
        self.axes = len(self.view.labels)

    def outside(self):
        return np.count_nonzero(~in_frame(self.samples, self.limits))

    def samples_in_words(self):
        some = "" if len(self.samples) == self.count else f"{len(self.samples):,} of "
        return f"{some}{self.count:,} samples" + (f", {self.outside():,} outside of the panels" if self.outside() else "")

    def about(self):
        """What the axes are, if they are no coordinates."""
        if self.view.share is None:
            return ""
        return f"the first {self.axes} principal components of {self.coordinates} coordinates: {self.view.share.sum():.0%} of the variance"

    def loadings(self):
        """A line for each principal component: the coordinates that it is mostly made of."""
        lines = [f"Each component is a sum of {'scaled ' if self.scaled else ''}coordinates. The largest parts:"]
        for k, (axis, share) in enumerate(zip(self.view.axes, self.view.share)):
            most = np.argsort(-np.abs(axis))[:LOADINGS]
            lines.append(f"component {k + 1} ({share:.0%} of the variance): " + "  ".join(f"{'+' if axis[c] >= 0 else '−'} {abs(axis[c]):.2f} {self.names[c]}" for c in most) + " …")
        return lines


def pair_panel(axis, x, colours, corner, column, row):
    most = max(len(points) for points in (corner.samples, corner.data) if points is not None)
    size = float(np.clip(2500 * SIDE[corner.axes] / most, 1.5, 12))
    order = np.random.default_rng(0).permutation(len(x))  # so that no expert is drawn on top of the others
    axis.scatter(x[order, column], x[order, row], s=size, linewidths=0, rasterized=True, color=colours if isinstance(colours, str) else colours[order])
    axis.set(xlim=corner.limits[column], ylim=corner.limits[row])


def marginal_panel(axis, corner, c):
    """How often each value occurs: samples as bars in the colours of their mean weights, data as a line."""
    edges = np.linspace(*corner.limits[c], 25 if corner.axes > 1 else 41)
    place = np.digitize(corner.samples[:, c], edges) - 1  # of a number that is not finite: no bin
    counts = np.array([np.count_nonzero(place == i) for i in range(len(edges) - 1)])
    colours = np.full((len(counts), 3), matplotlib.colors.to_rgb(NEUTRAL))
    for i in np.flatnonzero(counts) if corner.weight is not None else ():
        colours[i] = gate_colours(corner.weight[place == i].mean(axis=0, dtype=float)[None])[0]
    bars(axis, edges[:-1], edges[1:], np.zeros(len(counts)), counts / max(1, len(corner.samples)), colours)
    highest = counts.max() / max(1, len(corner.samples))
    if corner.data is not None:
        share = np.histogram(corner.data[:, c], edges)[0] / max(1, len(corner.data))
        axis.stairs(share, edges, color=DATA, linewidth=1.2)
        highest = max(highest, share.max())
    axis.set(xlim=corner.limits[c], ylim=(0, 1.05 * highest or 1), yticks=[])


def number(axis, corner, row, column):
    """Numbers and names at the edges of the whole. The first row has its numbers at the right, because its first panel has no second
    coordinate."""
    last, side = corner.axes - 1, SIDE[corner.axes]
    size = 8 if corner.axes > 3 else 9
    axis.tick_params(labelsize=size - 1, length=2.5, pad=2)
    ticks, words, about = ticks_between(*corner.limits[column])
    axis.set_xticks(ticks, words if row == last else [""] * len(ticks))
    if row == last:
        axis.set_xlabel(corner.view.labels[column] + about, fontsize=size, labelpad=2)
        narrowed(axis.xaxis.label, side)
    ticks, words, about = ticks_between(*corner.limits[row])
    if row != column:
        axis.set_yticks(ticks, words if column == (last if row == 0 else 0) else [""] * len(ticks))
    if row == 0 and column == last and row != column:
        axis.tick_params(axis="y", labelleft=False, labelright=True, left=False, right=True)
        axis.spines[["left", "right"]].set_visible([False, True])
    if column == 0:
        axis.set_ylabel(corner.view.labels[row] + about if last else "share of the points", fontsize=size, labelpad=3)
        narrowed(axis.yaxis.label, side)


def narrowed(label, side):
    """Make a long name as small as its panel is long."""
    box = label.get_window_extent(label.figure.canvas.get_renderer())
    longest = max(box.width, box.height) / label.figure.dpi
    label.set_fontsize(label.get_fontsize() * min(1, max(0.5, side / max(longest, 1e-3))))


def legend_entries(corner):
    """(handles, words)"""
    experts = 0 if corner.weight is None else corner.weight.shape[1]
    handles = [matplotlib.patches.Patch(color=NEUTRAL if not experts else GATE(0.5) if experts == 2 else "#bbbbbb")]
    words = [f"{corner.samples_in_words()}: {'below the diagonal, and bars' if corner.axes > 1 else 'bars'}"]
    if corner.data is not None:
        handles.append(matplotlib.lines.Line2D([], [], color=DATA, marker="o" if corner.axes > 1 else "", markersize=3, linewidth=1.2))
        words.append(f"{len(corner.data):,} points of the data: {'above the diagonal, and line' if corner.axes > 1 else 'line'}")
    if experts > 2:
        handles += [matplotlib.patches.Patch(color=expert_colour(e, experts)) for e in range(1, experts + 1)]
        words += [f"expert {e} has the greatest weight" for e in range(1, experts + 1)]
    return handles, words


def frame(corner, title):
    """A figure with its panels (axes, axes), title and legend. Their sizes are known, so the slow search for a layout is not needed."""
    count, side = corner.axes, SIDE[corner.axes]
    handles, words = legend_entries(corner)
    columns, loadings = 1 if count < 4 else 2, corner.loadings() if corner.about() else []
    below = 0.65 + 0.21 * -(-len(words) // columns) + (0.16 * len(loadings) + 0.1 if loadings else 0)
    left, right, above = 0.75, 1.35, 0.25 * len(title) + 0.15
    width, height = left + count * side + right, below + count * side + above
    figure, axes = plt.subplots(count, count, figsize=(width, height), squeeze=False, layout="none")
    figure.subplots_adjust(left / width, below / height, 1 - right / width, 1 - above / height, 0.06, 0.06)
    figure.legend(handles, words, loc="lower center", bbox_to_anchor=((left + count * side / 2) / width, 0.02), ncols=columns, fontsize=8.5,
                  title="\n".join(loadings) or None, title_fontsize=8)
    if title:
        figure.suptitle("\n".join(title), x=(left + count * side / 2) / width, y=1 - 0.08 / height, va="top", fontsize=11 if count > 1 else 10)
    if corner.weight is not None and corner.weight.shape[1] == 2:
        high = min(3.0, count * side)
        place = figure.add_axes([1 - 0.8 / width, (below + (count * side - high) / 2) / height, 0.14 / width, high / height])
        bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), cax=place)
        bar.set_label("weight of expert 1 at t = 0", fontsize=9)
        bar.outline.set_visible(False)
        place.tick_params(labelsize=8)
    return figure, axes


def corner_figure(study, result, titled=True):
    """Below the diagonal samples, coloured by the weights of the experts; above it the data, mirrored; on it both."""
    corner = Corner(study, result)
    title = [f"{shown(result.dataset)}, {shown(result.run, 30)}, seed {result.seed}: data and samples", wrapped(study.description[result.run], 70, 1)]
    figure, axes = frame(corner, title + ([corner.about()] if corner.about() else []) if titled else [])
    for (row, column), axis in np.ndenumerate(axes):
        if row == column:
            marginal_panel(axis, corner, row)
        elif row > column:
            pair_panel(axis, corner.samples, corner.colours, corner, column, row)
        elif corner.data is not None:
            pair_panel(axis, corner.data, DATA, corner, column, row)
        else:
            axis.set_axis_off()
        axis.grid(False)
        number(axis, corner, row, column)
    return figure


# ---- what there is ----

CAPTION = ("Each panel shows two coordinates of the points; on the diagonal, bars (samples) and a line (data) show how often a value of one coordinate occurs. "
           "Above the diagonal are the data, below it the samples. In a good run, the panels below are mirror images of those above, and the bars end at the line.")
ALONE = "Bars (samples) and a line (data) show how often a value occurs. In a good run, the bars end at the line."


def drawn(study, dataset):
    """The runs whose points have another number of coordinates than two; generated_samples shows all of two."""
    return [result for result in study.trained(dataset, None) if result.dimensions != 2]


def of_result(study, result):
    """The picture of one run."""
    stem = f"{result.dataset}_{result.run.replace('/', '_')}_corner"
    return Picture(stem, "Pairs of coordinates", f"Scatter plots of each pair of coordinates of the samples of {result.run} and of the data {result.dataset}.",
                   functools.partial(corner_figure, study, result), caption=CAPTION)


def of_dataset(study, dataset):
    """All runs, for `dualdiff plot`."""
    return [of_result(study, result) for result in drawn(study, dataset)]


def panel(study, result):
    corner = Corner(study, result)
    width = corner.axes * SIDE[corner.axes] + 1.5
    about = f"; axes: {corner.about()}" if corner.about() else ""
    return Panel(lambda: corner_figure(study, result, titled=False), result.run, study.description[result.run] + about,
                 f"Corner plot of {result.run} on {result.dataset}: {corner.samples_in_words()}{about}.", width, "png", least=min(width, 7.0) if corner.axes > 1 else 0)


def of_page(study, dataset):
    """The best few runs, for the report: [Picture], or []."""
    results = [result for result in study.trained(dataset, CORNERS) if result.dimensions != 2]
    if not results:
        return []
    one = all(result.dimensions == 1 for result in results)
    return [Picture(f"{dataset}_corner", "Values of the coordinate" if one else "Pairs of coordinates", f"Corner plots of {dataset}.", lambda: None,
                    caption=ALONE if one else CAPTION, panels=lambda: [panel(study, result) for result in results])]
