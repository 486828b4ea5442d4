"""Pictures of points: the data, what each run generates, and how its gate weighs them."""
from dataclasses import dataclass

from coordinates import RANDOM, in_plane
from drawing import (DATA, GATE, NEUTRAL, Key, Normalize, Panel, Picture, common_limits, expert_colour, expert_handles, expert_keys,
                     gate_colours, gate_key, in_frame, matplotlib, metric, np, panels, seed_note, shown, single)

MOST_POINTS = 10_000  # in a panel


@dataclass
class Cloud:
    """The points of one panel: x (n, D), in the plane (n, 2)."""

    name: str
    words: str  # what they are
    x: np.ndarray
    weight: np.ndarray | None = None  # (n, experts)
    colour: str = NEUTRAL
    kl: float = np.nan
    labels: tuple | list = ("$x_1$", "$x_2$")
    aspect: float = 1.0  # of the units of the two axes

    def about(self):
        """A line of words."""
        return self.words + ("" if np.isnan(self.kl) else f", KL {self.kl:.3f} bit")


def data_cloud(study, dataset, count=MOST_POINTS):
    """Training points, at most `count`; for results of older programs the fresh points of an analysis; None if there are neither."""
    of_dataset = [result for result in study.results if result.dataset == dataset]
    for result in of_dataset:
        x = result.read("/data/x")
        if x is not None:
            kept, all_points = min(len(x), count), int(result.attributes().get("points", len(x)))
            some = "" if kept == all_points else f"{kept:,} of "
            return Cloud("data", f"{some}{all_points:,} training points", evenly(x, count), colour=DATA)
    for result in of_dataset:
        x = result.analysis("data/x")
        if x is not None:
            return Cloud("data", f"{min(len(x), count):,} fresh points of the same distribution", evenly(x, count), colour=DATA)
    return None


def evenly(x, count):
    """At most `count` of the points, chosen from all of them."""
    return x[np.linspace(0, len(x) - 1, min(count, len(x))).astype(int)]


def run_cloud(study, result):
    colour = study.colour[result.run] if result.untrained else NEUTRAL
    return Cloud(result.run, study.description[result.run], result.read("/samples/x"), result.sample_weights(), colour,
                 metric(result, "kl_divergence"))


def clouds_of(study, dataset):
    """The data, as many points as there are samples; true points and the exact denoiser's; the runs. In the plane of coordinates.in_plane. Runs on
    points of another number of coordinates than the first cloud cannot be shown in it."""
    runs = [run_cloud(study, result) for result in study.of(dataset)]
    data = data_cloud(study, dataset, max(len(cloud.x) for cloud in runs))
    clouds = ([data] if data else []) + runs
    coordinates = clouds[0].x.shape[1]
    clouds = [cloud for cloud in clouds if cloud.x.shape[1] == coordinates]
    plane = in_plane(study, dataset, clouds[0].x)
    for cloud in clouds:
        cloud.x, cloud.labels, cloud.aspect = plane.project(cloud.x), plane.labels, plane.aspect
    return clouds


def limits_of(clouds):
    return common_limits([cloud.x for cloud in clouds])


def height_over_width(limits, aspect=1.0):
    (left, right), (bottom, top) = limits
    return min(max((top - bottom) / (right - left) * aspect, 0.4), 2.0)


def cloud_panel(axis, cloud, limits, size):
    """Points of this size, coloured by the experts' weights if there are any."""
    order = np.random.default_rng(0).permutation(len(cloud.x))  # so that no expert is drawn on top of the others
    axis.scatter(*cloud.x[order].T, s=size, linewidths=0, rasterized=True,
                 color=cloud.colour if cloud.weight is None else gate_colours(cloud.weight[order]))
    axis.set(xlim=limits[0], ylim=limits[1], aspect=cloud.aspect)
    axis.grid(False)
    if cloud.labels[1] == RANDOM:
        axis.set_yticks([])
    outside = np.count_nonzero(~in_frame(cloud.x, limits))
    axis.text(0.98, 0.015, f"{outside:,} outside" if outside else "", transform=axis.transAxes, ha="right", va="bottom", fontsize=8, color="#555555")


def point_size(clouds):
    return float(np.clip(15000 / max(1, *(len(cloud.x) for cloud in clouds)), 1.5, 14))


def weighed(clouds):
    """The numbers of experts that colour points."""
    return {cloud.weight.shape[1] for cloud in clouds if cloud.weight is not None}


def generated_samples(study, dataset):
    """One panel per run: its points, coloured by the weight of expert 1 or, with more than two experts, by the expert of the greatest
    weight; the same axes for all. Before them the data, and samples of the exact denoiser and true points, if there are any."""
    clouds = clouds_of(study, dataset)
    limits, size, counts = limits_of(clouds), point_size(clouds), weighed(clouds)
    aspect = height_over_width(limits, clouds[0].aspect)
    width = 3.2 if aspect <= 1.3 else 2.5
    titles = [cloud_title(study, cloud) for cloud in clouds]
    lines = max(title.count("\n") for title in titles) + 1
    figure, axes = panels(len(clouds), width, width * aspect + 0.3 + 0.19 * lines, sharex=True, sharey=True, layout="compressed")
    for axis, cloud, title in zip(axes, clouds, titles):
        cloud_panel(axis, cloud, limits, size)
        axis.set_title(title, fontsize=10)
    figure.supxlabel(clouds[0].labels[0], fontsize=10)
    figure.supylabel(clouds[0].labels[1], fontsize=10)
    if 2 in counts:
        bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), ax=axes, shrink=min(1.0, 3.2 / figure.get_figheight()),
                              aspect=24, pad=0.015)
        bar.set_label("gating weight of expert 1 at t = 0")
        bar.outline.set_visible(False)
    if max(counts, default=0) > 2:
        figure.legend(*expert_handles(max(counts)), loc="outside lower center", ncols=max(counts), columnspacing=1.2,
                      title="expert of the greatest weight at t = 0" + (", of more than two" if 2 in counts else ""), title_fontsize=9.5)
    figure.suptitle(f"{shown(dataset)}: generated samples, {seed_note(study.of(dataset))}{study.how_many(dataset)}")
    return figure


def cloud_title(study, cloud):
    """Lines above a panel."""
    if cloud.name not in study.name:
        return f"{cloud.name}\n{cloud.words}"
    return study.name[cloud.name] + ("" if np.isnan(cloud.kl) else f"\nKL {cloud.kl:.3f} bit")


def one_cloud(cloud, limits, size, width=2.85):
    def draw(figure, axis):
        cloud_panel(axis, cloud, limits, size)
        axis.set_xlabel(cloud.labels[0], labelpad=1)
        axis.set_ylabel(cloud.labels[1], labelpad=-2 if cloud.labels[1].startswith("$") else 1)
    return Panel(lambda: single(draw, width, width * height_over_width(limits, cloud.aspect)), cloud.name, cloud.about(),
                 f"Scatter plot: {cloud.name}, {cloud.about()}.", width, "png")


def sample_panels(study, dataset):
    clouds = clouds_of(study, dataset)
    limits, size = limits_of(clouds), point_size(clouds)
    return [one_cloud(cloud, limits, size) for cloud in clouds]


def sample_keys(study, dataset):
    """What the colours of the points mean."""
    results = study.trained(dataset)
    weights = [result.sample_weights() for result in results]
    counts = {weight.shape[1] for weight in weights if weight is not None}
    keys = [gate_key("gating weight at t = 0")] if 2 in counts else []
    if max(counts, default=0) > 2:
        keys += expert_keys(max(counts))
    if any(weight is None for weight in weights):
        keys.append(Key("patch", "run without a gate that learns", NEUTRAL))
    return keys if len(keys) > 1 or counts else []


# ---- gating weights ----


def weight_bars(axis, weight):
    """Bars of the weight of expert 1 in the gate's colours; with more than two experts, of the greatest weight, stacked by expert. Returns
    the height of the highest bar."""
    edges, experts = np.linspace(0, 1, 51), weight.shape[1]
    centres, base = (edges[1:] + edges[:-1]) / 2, np.zeros(50)
    first, greatest, most = weight[:, 0], weight.max(axis=1), weight.argmax(axis=1)
    for e in [None] if experts == 2 else range(experts):
        share = 100 * np.histogram(np.clip(first if e is None else greatest[most == e], 0, 1), edges)[0] / len(weight)
        axis.bar(centres, share, 1 / 50, base, color=GATE(centres) if e is None else expert_colour(e + 1, experts))
        base += share
    axis.text(0.5, 0.97, weight_words(weight), transform=axis.transAxes, ha="center", va="top", fontsize=8, color="#444444")
    return base.max()


def weight_words(weight):
    first, greatest = weight[:, 0], weight.max(axis=1)
    if weight.shape[1] == 2:
        return f"mean {first.mean(dtype=float):.2f}; {np.mean(first < 0.1):.0%} below .1, {np.mean(first > 0.9):.0%} above .9"
    return f"mean {greatest.mean(dtype=float):.2f}; {np.mean(greatest < 0.5):.0%} below .5, {np.mean(greatest > 0.9):.0%} above .9"


def gated_results(study, dataset):
    """Those whose samples have weights."""
    return [result for result in study.trained(dataset) if result.has("/samples/gate")]


def weight_axis_words(counts):
    """The labels of the histograms' x axes, for runs with these numbers of experts."""
    greatest = "greatest weight at t = 0, by its expert"
    if 2 not in counts:
        return greatest
    return "gating weight of expert 1 at t = 0" + (f" (more than two: {greatest})" if max(counts) > 2 else "")


def histogram_axis(axis, weight):
    axis.set_xlim(0, 1)
    axis.grid(axis="x", visible=False)
    return weight_bars(axis, weight)


def gating_histogram(study, dataset):
    """One panel per run with a learned gate: the distribution of the weights of its samples; the same scale for all."""
    results = gated_results(study, dataset)
    figure, axes = panels(len(results), 3.3, 2.8, sharex=True, sharey=True)
    weights = [result.sample_weights() for result in results]
    counts = {weight.shape[1] for weight in weights}
    highest = 1.0
    for axis, result, weight in zip(axes, results, weights):
        highest = max(highest, histogram_axis(axis, weight))
        axis.set_title(study.name[result.run], fontsize=10)
    axes[0].set_ylim(0, 1.18 * highest)
    for axis in axes:
        axis.tick_params(labelbottom=True, labelleft=True)
    figure.supxlabel(weight_axis_words(counts), fontsize=10)
    if max(counts) > 2:
        figure.legend(*expert_handles(max(counts)), loc="outside right upper")
    figure.supylabel("samples [%]", fontsize=10)
    figure.suptitle(f"{shown(dataset)}: gating weights of the generated samples, {seed_note(results)}")
    return figure


def histogram_panels(study, dataset):
    found = []
    for result in gated_results(study, dataset):
        weight = result.sample_weights()

        def draw(figure, axis, weight=weight):
            axis.set_ylim(0, 1.18 * max(1.0, histogram_axis(axis, weight)))
            axis.set_xlabel(weight_axis_words({weight.shape[1]}))
            axis.set_ylabel("samples [%]")
        found.append(Panel(lambda draw=draw: single(draw, 3.6, 2.5), result.run, study.description[result.run],
                           f"Histogram of the gating weights of {result.run}: {weight_words(weight)}.", 3.6))
    return found


# ---- what there is ----


def of_dataset(study, dataset, kl_in_words):
    """Pictures of a dataset's samples and weights; kl_in_words: the runs' KL divergences, for readers who cannot see the pictures."""
    found = [Picture(
        f"{dataset}_generated_samples", "Generated samples",
        f"Scatter plots of the points that each run generates for {dataset}, coloured by the experts' weights. KL divergence in bits: {kl_in_words}.",
        lambda: generated_samples(study, dataset),
        caption="Compare each run with the data: points where the data have none are off the support, and a place of the data without "
                "points is a mode that was lost. Colours show which expert made a point.",
        panels=lambda: sample_panels(study, dataset), keys=lambda: sample_keys(study, dataset))]
    gated = gated_results(study, dataset)
    if gated:
        most = max(result.sample_weights().shape[1] for result in gated)
        found.append(Picture(
            f"{dataset}_gating_weights_histogram", "Gating weights of the samples",
            f"Histograms of the gating weights at timestep 0 on the samples of {dataset}, one for each run with a gate that learns.",
            lambda: gating_histogram(study, dataset),
            caption="Bars at 0 and 1: the gate chooses one expert for a point. Bars near the middle: it mixes them. A single bar: it does the same everywhere.",
            panels=lambda: histogram_panels(study, dataset), keys=lambda: expert_keys(most) if most > 2 else []))
    return found
