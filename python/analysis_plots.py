"""Pictures of what `dualdiff analyze` stores: gate and experts over the plane, over timesteps, over modes, over training."""
import functools

from drawing import (GATE, MANY, Key, Normalize, Panel, Picture, bars, common_limits, expert_colour, expert_handles, expert_keys, gate_colours, matplotlib,
                     np, plt, shown, single, wrapped)
from coordinates import stored_components
from runs import REGIONS

WARM = matplotlib.colors.LinearSegmentedColormap.from_list("warm", ["#fbf7ef", "#f0c987", "#d9753b", "#7d2318"])
WEIGHT = matplotlib.colors.LinearSegmentedColormap.from_list("weight", ["#f7f8f9", "#b3bdca", "#566a84", "#141d2a"])
LOSS = {"loss_gated": ("own mixture", "#222222", "-"), "loss_equal": ("equal weights", "#8a8f98", "--")}
EMPTY = "#dddddd"
REGION, TIMESTEP = "#0072b2", "#d9a300"
COARSE_TICKS = [mantissa * 10**power for power in range(-2, 5) for mantissa in (1, 2, 5)]
FINE_TICKS = [0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2]


def analysed(result):
    return result.has("/analysis/by_timestep/disagreement")


def mapped(result):
    """Points of two coordinates have maps."""
    return result.has("/analysis/map/disagreement")


def gate_analysed(result):
    return result.has("/analysis/information/sampling_region")


def heading(study, result, what):
    return f"{shown(result.dataset)}, {shown(result.run, 30)} ({wrapped(study.description[result.run], 70, 1)}), seed {result.seed}: {what}"


def expert_legend(figure, experts):
    """The legend below the panels; with two experts it is a scale of the gate's colours."""
    if experts > 2:
        figure.legend(*expert_handles(experts), loc="outside lower center", ncols=experts, columnspacing=1.2)


def colour_bar(figure, axes, scale, colours, words, **options):
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(scale, colours), ax=axes, **options)
    bar.set_label(words)
    bar.outline.set_visible(False)


def region_words(result):
    """The words for a region: ("mode", "modes")."""
    return REGIONS[result.attributes("/analysis")["regions"]]


def sampled_timesteps(read):
    """The timesteps of sampling."""
    t = read("by_timestep/sampling_timestep")
    return read("by_timestep/timestep") if t is None else t


def edges(values):
    """Edges of cells around ascending values."""
    middle = (values[1:] + values[:-1]) / 2
    return np.array([values[0] - 0.5, *middle, values[-1] + 0.5])


def coarse(values, most=100):
    """Rows over timesteps. More than `most` are averaged over neighbours, to remove the noise of few points."""
    if len(values) <= most:
        return values
    return np.stack([mean_of_numbers(part) for part in np.array_split(values, most)])


def mean_of_numbers(rows):
    """The mean without NaN; NaN if all values are NaN."""
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.where(count, np.where(known, rows, 0).sum(axis=0, dtype=float) / np.maximum(count, 1), np.nan)


def extent(values):
    """The smallest and the greatest finite value; (0, 0) if there is none."""
    finite = values[np.isfinite(values)]
    return (finite.min(), finite.max()) if finite.size else (0, 0)


# ---- over the plane ----


def arrow_panel(axis, x1, x2, arrow, colour):
    """A field of arrows (x2, x1, 2), as networks see them. The longest would hide the others, so they are cut to length 3. Angles are those on
    paper: the axes may have other units."""
    every = slice(4, None, 9)
    arrow = arrow[every, every]
    arrow = arrow * np.minimum(1, 3 / np.maximum(np.linalg.norm(arrow, axis=-1, keepdims=True), 1e-9))
    axis.quiver(x1[every], x2[every], arrow[..., 0], arrow[..., 1], color=colour, angles="uv", scale=3 * 14, scale_units="width",
                width=0.006, headwidth=3.5, headlength=4)


def map_rows(result):
    """(names of the rows above the last, how many of them are weights): the gate; with more than two experts the weight of each; the noise
    that each predicts, if there is room."""
    experts, gated = result.analysis("map/weight").shape[-1], gate_analysed(result)
    names = [] if not gated else ["gating weight"] if experts == 2 else ["greatest weight", *(f"expert {e + 1}" for e in range(experts))]
    return names + [f"noise, expert {e + 1}" for e in range(experts) if experts == 2 or not gated], len(names)


def gate_map_figure(result, columns=None):
    """Columns: timesteps (their numbers in the analysis, or all). Rows: map_rows, and the distance between the experts."""
    read = result.analysis
    weight, noise, apart = read("map/weight"), read("map/noise"), read("map/disagreement")
    x1, x2, timesteps, data = read("map/x1"), read("map/x2"), read("map/timestep"), read("data/x")
    names, first_arrows = map_rows(result)
    experts, gated = weight.shape[-1], gate_analysed(result)
    width = 1.6 if columns is not None else 2.1 if len(names) < 5 else 1.75  # a few columns on a narrow screen need larger words
    columns = range(len(timesteps)) if columns is None else columns
    aspect = min(max((x2[-1] - x2[0]) / (x1[-1] - x1[0]), 0.5), 1.8)
    rows, most = len(names) + 1, np.percentile(apart, 99.5)
    figure, axes = plt.subplots(rows, len(columns), figsize=(width * len(columns) + 1.6, rows * (width * aspect + 0.12) + 0.8),
                                sharex=True, sharey=True, squeeze=False, layout="compressed")
    x1, x2 = result.in_units(np.column_stack([x1, x2])).T
    options = {"origin": "lower", "extent": (x1[0], x1[-1], x2[0], x2[-1])}
    few = result.in_units(data[:: max(1, len(data) // 500)])
    for place, k in enumerate(columns):
        axes[0, place].set_title(f"t = {timesteps[k]}")
        for row, axis in enumerate(axes[:-1, place]):
            expert = row - first_arrows
            if expert >= 0:
                axis.scatter(*few.T, s=1.2, color="#c4c7cc", linewidths=0)
                arrow_panel(axis, x1, x2, noise[k][..., expert, :], expert_colour(expert + 1, experts))
            elif row == 0:
                axis.imshow(gate_colours(weight[k]), interpolation="nearest", **options)
                axis.scatter(*few.T, s=1.2, color="white", linewidths=0, alpha=0.7)
            else:
                axis.imshow(weight[k][..., row - 1], cmap=WEIGHT, vmin=0, vmax=1, **options)
                axis.scatter(*few.T, s=0.8, color="#d9753b", linewidths=0, alpha=0.5)
        axes[-1, place].imshow(apart[k], cmap=WARM, vmin=0, vmax=most, **options)
    for axis in axes.flat:
        axis.set(xlim=options["extent"][:2], ylim=options["extent"][2:], aspect=result.aspect)
        axis.grid(False)
    for row, (axis, name) in enumerate(zip(axes[:, 0], [*names, "disagreement"])):
        axis.set_ylabel(name, color=expert_colour(row, experts) if 0 < row < first_arrows else "black")
    bars = {"aspect": 14, "pad": 0.01}
    if gated and experts == 2:
        colour_bar(figure, list(axes[0]), Normalize(0, 1), GATE, "weight of expert 1", **bars)
    elif gated:
        colour_bar(figure, list(axes[1:-1].flat), Normalize(0, 1), WEIGHT, "weight", aspect=40, pad=0.01)
    colour_bar(figure, list(axes[-1]), Normalize(0, most), WARM, "distance", extend="max", **bars)
    return figure


def gate_map(study, result):
    figure = gate_map_figure(result)
    expert_legend(figure, result.analysis("map/weight").shape[-1])
    figure.suptitle(heading(study, result, "gate and experts over the plane" if gate_analysed(result) else "experts over the plane"))
    return figure


def map_panels(result):
    """Panels of two timesteps each."""
    timesteps = result.analysis("map/timestep")
    pairs = [range(k, min(k + 2, len(timesteps))) for k in range(0, len(timesteps), 2)]
    return [Panel(lambda pair=pair: gate_map_figure(result, pair), times, "",
                  f"Maps over the plane at {times}: {', '.join([*map_rows(result)[0], 'disagreement'])}.", 4.8, "png")
            for pair in pairs for times in [" and ".join(f"t = {timesteps[k]}" for k in pair)]]


# ---- over timesteps and training ----


def band(axis, t, quantiles, colour):
    """Median, and the bands of half and nine tenths of the points; quantiles (T, 5)."""
    axis.fill_between(t, quantiles[:, 0], quantiles[:, 4], color=colour, alpha=0.13, linewidth=0)
    axis.fill_between(t, quantiles[:, 1], quantiles[:, 3], color=colour, alpha=0.28, linewidth=0)
    axis.plot(t, quantiles[:, 2], color=colour, linewidth=1.6)


def weight_panel(axis, t, quantiles, mean, title):
    """The spread of the weights at each timestep; with more than two experts, or if all weights are 0 or 1, their means."""
    experts, t = quantiles.shape[1], coarse(t)
    if mean is None:
        band(axis, t, coarse(quantiles[:, 0]), expert_colour(1, experts))
        title += ": median, 50 % and 90 % of points"
    else:
        for e in range(experts):
            axis.plot(t, coarse(mean[:, e]), color=expert_colour(e + 1, experts), linewidth=1.6, marker="o" if len(t) < 30 else "", markersize=3.5,
                      label=f"expert {e + 1}")
        title += ": mean weights"
    axis.set(ylim=(-0.02, 1.02), xlabel="timestep t", ylabel="weight of expert 1" if mean is None else "weight")
    axis.set_title(title, loc="left", fontsize=10)
    if mean is not None and experts == 2:
        axis.legend(fontsize=8.5)


def phase_panel(figure, axis, t, phase, weight, what):
    """Weights (phase, timestep, experts) while training: with two experts that of expert 1, with more the expert of the greatest weight."""
    steps = [*phase, 2 * phase[-1] - phase[-2] if len(phase) > 1 else phase[0] + 1]
    experts, t, weight = weight.shape[2], coarse(t), coarse(weight.transpose(1, 0, 2))
    axis.set(xlabel="training step", ylabel="timestep t")
    axis.grid(False)
    if experts == 2:
        axis.pcolormesh(steps, edges(t), weight[..., 0], cmap=GATE, vmin=0, vmax=1, rasterized=True)
        colour_bar(figure, axis, Normalize(0, 1), GATE, "", pad=0.02)
        axis.set_title(f"{what} weight of expert 1 while training", loc="left", fontsize=10)
    else:
        axis.pcolormesh(steps, edges(t), gate_colours(weight), rasterized=True)
        axis.set_title("expert of the greatest mean weight in training", loc="left", fontsize=10)


def entropy_panel(axis, read, experts):
    step = read("training/step")
    axis.plot(step, read("training/entropy_of_mean"), color="#8a8f98", linestyle="--", label="of the mean weights")
    axis.plot(step, read("training/entropy"), color="#222222", label="at a point, mean")
    axis.set(ylim=(-0.02, 1.05 * np.log2(experts)), xlabel="training step", ylabel="entropy of the weights [bit]")
    axis.set_title("how undecided the gate is", loc="left", fontsize=10)
    axis.legend(fontsize=8.5, loc="lower left")


def loss_panel(axis, read, t, experts, gated):
    """Losses divided by the loss of the run's own mixture."""
    own, t = coarse(read("by_timestep/loss_gated")), coarse(t)
    for name, (label, colour, line) in LOSS.items():
        if gated or name == "loss_gated":
            axis.plot(t, coarse(read(f"by_timestep/{name}")) / own, color=colour, linestyle=line, linewidth=1.5, label=label)
    for e in range(1, experts + 1):
        axis.plot(t, coarse(read("by_timestep/loss_alone")[:, e - 1]) / own, color=expert_colour(e, experts), linewidth=1.2,
                  label=f"expert {e} alone" if experts == 2 else None)
    axis.set(xlabel="timestep t", ylabel="loss / loss of the own mixture", yscale="log")
    apart = read("by_timestep/denoiser_error")
    if apart is not None:  # 1 - this is the exact denoiser's share, with less chance in it than a quotient of two losses has
        low, high = axis.get_ylim()
        exact = np.maximum(1 - coarse(apart) / own, 1e-3)
        axis.plot(t, exact, color="#2f7d4f", linestyle=":", linewidth=1.5, label="exact denoiser")
        axis.set_ylim(min(low, max(1 / high, 0.99 * exact.min())), high)  # it takes no more room than the experts
    low, high = axis.get_ylim()
    ticks = [tick for tick in (COARSE_TICKS if high > 3 else FINE_TICKS) if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_title("loss of each expert alone, on fresh points", loc="left", fontsize=10)
    axis.legend(fontsize=8.5)


def disagreement_panel(axis, read, t):
    axis.plot(coarse(t), coarse(read("by_timestep/disagreement")), color="#7d2318", linewidth=1.6)
    axis.set(xlabel="timestep t", ylabel="distance of the predicted noises")
    axis.set_ylim(bottom=0)
    axis.set_title("disagreement of the experts, on fresh points", loc="left", fontsize=10)


def over_time_parts(result):
    """draw(figure, axis) of each panel. A fixed gate has only panels about its experts."""
    read, gated = result.analysis, gate_analysed(result)
    t, experts = read("by_timestep/timestep"), read("by_timestep/loss_alone").shape[1]
    parts = []
    if gated:
        trained, sampled = read("training/weight_quantile"), read("by_timestep/weight_quantile")
        mean = read("training/weight_mean")
        by_mean = mean is not None and (experts > 2 or result.config["model.gate"] == "hard")
        parts = [lambda figure, axis: weight_panel(axis, t, trained[-1], mean[-1] if by_mean else None, "last tenth of training"),
                 lambda figure, axis: weight_panel(axis, sampled_timesteps(read), sampled, read("by_timestep/weight_mean") if by_mean else None, "sampling"),
                 lambda figure, axis: phase_panel(figure, axis, t, read("training/phase"), mean if by_mean else trained[..., 2],
                                                  "mean" if by_mean else "median"),
                 lambda figure, axis: entropy_panel(axis, read, experts)]
    return [*parts, lambda figure, axis: loss_panel(axis, read, t, experts, gated), lambda figure, axis: disagreement_panel(axis, read, t)]


def gate_over_time(study, result):
    parts, gated = over_time_parts(result), gate_analysed(result)
    figure, axes = plt.subplots(2 if gated else 1, 3 if gated else 2, figsize=(14, 7.6) if gated else (10, 4), squeeze=False)
    for draw, axis in zip(parts, axes.flat):
        draw(figure, axis)
    expert_legend(figure, result.analysis("by_timestep/loss_alone").shape[1])
    figure.suptitle(heading(study, result, "gate and experts over timesteps and training" if gated else "experts over timesteps"))
    return figure


# ---- over modes ----


def in_places(result):
    """Whether regions can be drawn at their places in a plane. Modes of more than two coordinates would hide each other there."""
    return result.analysis("data/x").shape[1] == 2 or result.analysis("data/x").shape[1] > 2 and region_words(result)[0] == "grid cell"


def region_bars(axis, result, height, colours, order):
    """A bar for each region that has points: heights (regions, parts), stacked, with colours (regions, parts, 3). Cells of one coordinate are at
    their places, other regions in this order."""
    one, many = region_words(result)
    order = order[result.analysis("by_region/points")[order] > 0]
    gap = 0.04 if len(order) <= 100 else 0
    left, right = np.arange(len(order)) + gap, np.arange(len(order)) + 1 - gap
    if one == "grid cell":
        centre = result.in_units(result.analysis("by_region/centre"))[:, 0]
        half = (centre[-1] - centre[0]) / (len(centre) - 1) / 2
        left, right = centre[order] - half, centre[order] + half
        axis.set_xlabel("coordinate of the points")
    else:
        axis.set(xticks=[], xlabel=f"{len(order):,} {many}, sorted", xlim=(-0.5, len(order) + 0.5))
    top = np.cumsum(np.nan_to_num(height[order]), axis=1)
    for part in range(height.shape[1]):
        bars(axis, left, right, top[:, part] - np.nan_to_num(height[order, part]), top[:, part], colours[order, part])
    axis.grid(axis="x", visible=False)


def region_panel(axis, result, colours, title):
    """The regions at their places: modes as discs whose area follows their share, cells as tiles. Of more than two coordinates, cells are at
    the first two principal components."""
    centre, data = result.analysis("by_region/centre"), result.analysis("data/x")
    points, labels = result.analysis("by_region/points"), ("$x_1$", "$x_2$")
    if data.shape[1] > 2:
        middle, axes, _ = stored_components(result)
        centre, data = ((x - middle) @ axes[:2].T for x in (centre, data))
        labels = ("principal component 1", "principal component 2")
    else:
        centre, data = result.in_units(centre), result.in_units(data)
    if region_words(result)[0] != "grid cell":
        size = np.clip(9000 * points / points.sum() / np.sqrt(len(points)), 14, 160)
        axis.scatter(*centre.T, s=size, c=colours, edgecolor="#333333", linewidth=0.4, zorder=3)
    else:
        step = (centre.max(axis=0) - centre.min(axis=0)) / (np.sqrt(len(centre)) - 1)
        for place, colour, n in zip(centre, colours, points):
            if n:
                axis.add_patch(matplotlib.patches.Rectangle(place - np.array(step) / 2, *step, facecolor=colour, edgecolor="white",
                                                            linewidth=0.5))
        axis.scatter(*data[:: max(1, len(data) // 800)].T, s=1.5, color="black", alpha=0.35, linewidths=0)
    limits = common_limits([data, centre[points > 0]])
    axis.set(xlim=limits[0], ylim=limits[1], aspect=result.aspect if result.analysis("data/x").shape[1] == 2 else "auto", xlabel=labels[0], ylabel=labels[1])
    axis.grid(False)
    axis.set_title(title, fontsize=10)


def best_panel(axis, result, alone):
    """Of more than two experts, the one that alone has the smallest loss in each region; alone (region, expert)."""
    best, title = gate_colours(-np.nan_to_num(alone, nan=np.inf)), "which expert alone has the smallest loss"
    if in_places(result):
        region_panel(axis, result, best, title)
        return
    height = np.nan_to_num(100 * (alone.min(axis=1) / result.analysis("by_region/loss_gated") - 1))
    region_bars(axis, result, height[:, None], best[:, None], np.lexsort((height, alone.argmin(axis=1))))
    axis.axhline(0, color="#555555", linewidth=0.9)
    axis.set_ylabel("how much greater it is than the mixture's [%]")
    axis.set_title(title, fontsize=10)


def better_panel(figure, axis, result, alone):
    """The same of two experts, and how much smaller the loss is."""
    ratio = np.log2(alone[:, 1] / alone[:, 0])  # above 0: expert 1 has the smaller loss
    top = max(extent(np.abs(ratio))[1], 0.1)
    scale = Normalize(-top, top)
    if not in_places(result):
        region_bars(axis, result, ratio[:, None], GATE(scale(np.nan_to_num(ratio)))[:, None, :3], np.argsort(ratio))
        axis.axhline(0, color="#555555", linewidth=0.9)
        axis.set_ylabel("log2(loss of expert 2 / loss of expert 1)")
        axis.set_title("which expert alone has the smaller loss", fontsize=10)
        return
    region_panel(axis, result, GATE(scale(np.nan_to_num(ratio))), "which expert alone has the smaller loss")
    colour_bar(figure, axis, scale, GATE, "log2(loss of expert 2 / loss of expert 1)", pad=0.02, shrink=0.85)


def own_loss_panel(figure, axis, result, one):
    loss = result.analysis("by_region/loss_gated")
    scale = Normalize(*extent(loss))
    if not in_places(result):
        region_bars(axis, result, loss[:, None], WARM(scale(np.nan_to_num(loss)))[:, None, :3], np.argsort(loss))
        axis.set_ylabel("mean squared error of the noise")
        axis.set_title(f"loss of the mixture by {one}", fontsize=10)
        return
    region_panel(axis, result, WARM(scale(np.nan_to_num(loss))), f"loss of the mixture by {one}")
    colour_bar(figure, axis, scale, WARM, "mean squared error of the noise", pad=0.02, shrink=0.85)


def sampling_panel(figure, axis, read, region_names):
    """Weights by final region and timestep while sampling: with two experts that of expert 1, with more the expert of the greatest
    weight."""
    one, many = region_names
    sampling, t = read("by_region/weight_sampling"), sampled_timesteps(read)
    seen = np.flatnonzero(read("by_region/points") > 0)
    last = np.nan_to_num(sampling[0, seen], nan=0.5)
    experts = sampling.shape[2]
    order = seen[np.lexsort((last.max(axis=1), last.argmax(axis=1))) if experts > 2 else np.argsort(last[:, 0])]
    columns, rows = np.arange(len(order) + 1), edges(t)
    if experts == 2:
        axis.pcolormesh(columns, rows, sampling[:, order, 0], cmap=GATE, vmin=0, vmax=1, rasterized=True)
        colour_bar(figure, axis, Normalize(0, 1), GATE, "weight of expert 1", pad=0.02, shrink=0.85)
    else:
        none = np.isnan(sampling[:, order]).any(axis=2)
        colours = gate_colours(np.nan_to_num(sampling[:, order]))
        axis.pcolormesh(columns, rows, np.where(none[..., None], matplotlib.colors.to_rgb(EMPTY), colours), rasterized=True)
    axis.set(xlabel=f"{many} by their weight{'' if experts == 2 else 's'} at t = {t[0]}", ylabel="timestep t", facecolor=EMPTY)
    axis.grid(False)
    axis.set_title(f"{'weight of expert 1' if experts == 2 else 'expert of the greatest weight'} while sampling, by final {one}", loc="left",
                   fontsize=10)


def information_panel(axis, read, one):
    t, information = sampled_timesteps(read), read("by_timestep/information_region")
    experts = information.shape[1]
    for e in [1] if experts == 2 else range(1, experts + 1):
        axis.plot(t, information[:, e - 1], color="#222222" if experts == 2 else expert_colour(e, experts), linewidth=1.6,
                  marker="o" if len(t) < 30 else "", markersize=3.5)
    axis.set(xlabel="timestep t", ylabel="mutual information [bit]")
    axis.set_ylim(bottom=min(0, extent(information)[0]))
    axis.set_title(f"what {'the gate' if experts == 2 else 'each weight'} tells about the final {one}, while sampling", loc="left", fontsize=10)


def region_parts(result):
    """draw(figure, axis) of each panel."""
    read, gated = result.analysis, gate_analysed(result)
    weight, alone = read("by_region/weight"), read("by_region/loss_alone")
    one, many = region_words(result)
    experts = alone.shape[1]

    def weights(figure, axis):
        if not in_places(result):
            order = np.lexsort((weight.max(axis=1), weight.argmax(axis=1))) if experts > 2 else np.argsort(weight[:, 0])
            colours = np.array([matplotlib.colors.to_rgb(expert_colour(e + 1, experts)) for e in range(experts)])
            region_bars(axis, result, weight, np.broadcast_to(colours, (*weight.shape, 3)), order)
            axis.set(ylim=(0, 1), ylabel="weight of " + ("expert 1 (below) and expert 2" if experts == 2 else "the experts"))
            axis.set_title(f"mean weights by {one}, over all t", fontsize=10)
            return
        if experts > 2:
            region_panel(axis, result, gate_colours(np.nan_to_num(weight)), f"expert of the greatest mean weight by {one}, over all t")
            return
        region_panel(axis, result, gate_colours(np.nan_to_num(weight, nan=0.5)), f"mean weight by {one}, over all t")
        colour_bar(figure, axis, Normalize(0, 1), GATE, "weight of expert 1", pad=0.02, shrink=0.85)

    parts = [weights if gated else lambda figure, axis: own_loss_panel(figure, axis, result, one),
             lambda figure, axis: best_panel(axis, result, alone) if experts > 2 else better_panel(figure, axis, result, alone)]
    if gated:
        parts += [lambda figure, axis: sampling_panel(figure, axis, read, (one, many)), lambda figure, axis: information_panel(axis, read, one)]
    return parts


def gate_by_region(study, result):
    parts = region_parts(result)
    figure, axes = plt.subplots(len(parts) // 2, 2, figsize=(11.5, 4.8 * len(parts) // 2 + 0.2), squeeze=False)
    for draw, axis in zip(parts, axes.flat):
        draw(figure, axis)
    expert_legend(figure, result.analysis("by_region/loss_alone").shape[1])
    figure.suptitle(heading(study, result, f"{'gate and experts' if gate_analysed(result) else 'experts'} by {region_words(result)[0]}"))
    return figure


def part_panels(parts, width, height, alt):
    """Each part is a figure with its title."""
    return [Panel(lambda draw=draw: single(draw, width, height), "", "", f"{alt} Panel {number} of {len(parts)}.", width)
            for number, draw in enumerate(parts, 1)]


# ---- mode or timestep? ----


def gate_information(study, dataset):
    """Bars: mutual information in bits of the gate with the mode and with the timestep, on data and while sampling, one panel each. Many
    runs are drawn as rows."""
    results = [result for result in study.trained(dataset) if gate_analysed(result)]
    one, many = region_words(results[0])[0], len(results) > MANY
    figure, axes = plt.subplots(1, 2, figsize=(11.0, 0.42 * len(results) + 1.6) if many else (max(9.0, 2.7 * len(results) + 3), 4.6), sharex=many,
                                sharey=True)
    for axis, source, title in ((axes[0], "data", "fresh noised points"), (axes[1], "sampling", "sampling")):
        for offset, what, colour in ((-0.2, "region", REGION), (0.2, "timestep", TIMESTEP)):
            bits = [result.analysis_number(f"{source}_{what}") for result in results]
            bars = (axis.barh if many else axis.bar)(np.arange(len(results)) + offset, bits, 0.36, color=colour, label=one if what == "region" else what)
            axis.bar_label(bars, [f"{value:.2f}" for value in bits], fontsize=8, padding=2)
        across, along = (axis.yaxis, axis.xaxis) if many else (axis.xaxis, axis.yaxis)
        names = [name.replace(", ", ",\n") for name in study.legend([result.run for result in results])]
        across.set_ticks(range(len(results)), names, fontsize=9 if many else 8)
        across.set_tick_params(length=0)
        across.grid(False)
        if many or axis is axes[0]:
            along.set_label_text("mutual information with the gate [bit]")
        axis.margins(*((0.12, 0) if many else (0, 0.12)))
        (axis.set_ylim if many else axis.set_xlim)(*sorted((-0.6, max(len(results), 2) - 0.4), reverse=many))
        axis.set_title(title, loc="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    figure.suptitle(f"{shown(dataset)}: does the gate follow the {one} or the timestep?{study.how_many(dataset)}")
    return figure


def information_axis(axis, results, source):
    """A pair of bars for each run."""
    for offset, what, colour in ((-0.2, "region", REGION), (0.2, "timestep", TIMESTEP)):
        bits = [result.analysis_number(f"{source}_{what}") for result in results]
        bars = axis.barh(np.arange(len(results)) + offset, bits, 0.36, color=colour)
        axis.bar_label(bars, [f"{value:.2f}" for value in bits], fontsize=8, padding=2)
    axis.set_yticks(range(len(results)), [shown(result.run, 20) for result in results])
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.set_ylim(len(results) - 0.4, -0.6)
    axis.margins(x=0.14)
    axis.set_xlabel("mutual information with the gate [bit]")


def information_panels(results, one):
    found = []
    for source, title in ("data", "on fresh points with noise"), ("sampling", "while sampling"):
        bits = "; ".join(f"{result.run}: {one} {result.analysis_number(f'{source}_region'):.2f}, timestep "
                         f"{result.analysis_number(f'{source}_timestep'):.2f}" for result in results)
        found.append(Panel(lambda source=source: single(lambda figure, axis: information_axis(axis, results, source), 5.0, 0.5 * len(results) + 0.9),
                           title, "", f"Bars of the mutual information in bits {title}. {bits}.", 5.0))
    return found


# ---- what there is ----


def of_dataset(study, dataset):
    results = [result for result in study.trained(dataset) if gate_analysed(result)]
    if not results:
        return []
    one = region_words(results[0])[0]
    bits = "; ".join(f"{result.run} {one} {result.analysis_number('sampling_region'):.2f}, timestep "
                     f"{result.analysis_number('sampling_timestep'):.2f}" for result in results)
    return [Picture(f"{dataset}_gate_information", f"Does the gate follow the {one} or the timestep?",
                    f"Bars of the mutual information in bits of the gate with the {one} and with the timestep on {dataset}. While "
                    f"sampling: {bits}.", lambda: gate_information(study, dataset),
                    caption=f"Mutual information: how many bits the weight of an expert tells about the {one} (or about the timestep). The gate follows "
                            "the one with more bits; at 0 it follows neither.",
                    panels=lambda: information_panels(results, one),
                    keys=lambda: [Key("patch", one, REGION), Key("patch", "timestep", TIMESTEP)])]


def in_words(result, about, one):
    """Descriptions of the pictures of a learned gate, for readers who cannot see them: map, over time, by region."""
    read = result.analysis
    weight, entropy, by_region = read("by_timestep/weight_mean"), read("training/entropy"), read("by_region/weight")
    experts = weight.shape[1]
    first, middle, last = (", ".join(f"{value:.2f}" for value in weight[row, : 1 if experts == 2 else experts])
                           for row in (-1, len(weight) // 2, 0))
    of, colours = (("the weight of expert 1", "the gating weight") if experts == 2 else
                   ("the expert of the greatest weight", "the expert of the greatest weight"))
    detail = ("the noise each expert predicts as arrows" if experts == 2 else "the weight of each expert")
    known = np.isfinite(by_region[:, 0]).any()
    spread = ", from {:.2f} to {:.2f}".format(*extent(by_region[:, 0])) if experts == 2 and known else ""
    times = ", ".join(map(str, read("map/timestep"))) if mapped(result) else ""
    return (f"Maps over the plane at timesteps {times} for {about}: {colours}, {detail}, and the distance between the predicted noises.",
            f"Six panels for {about}. Mean weight of expert {'1' if experts == 2 else f'1 to {experts}'} while sampling: {first} at the first "
            f"step, {middle} half way, {last} at the last. Entropy of the gate at a point: {entropy[0]:.2f} bit when training began, "
            f"{entropy[-1]:.2f} bit at its end.",
            f"Four panels for {about}: {of} by {one}, mean over timesteps{spread}; which expert alone has the smallest loss there; {of} while "
            f"sampling by {one} and timestep; and the mutual information of gate and final {one} by timestep.")


def fixed_in_words(result, about, one):
    """The same without a learned gate."""
    apart = result.analysis("by_timestep/disagreement")
    return (f"Maps over the plane for {about}, whose gate is fixed: the noise each expert predicts as arrows, and the distance between them.",
            f"Two panels for {about}: the loss of each expert alone, over that of their mean; and the disagreement of the experts, from "
            f"{apart[-1]:.2f} at the last timestep to {apart[0]:.2f} at timestep 0.",
            f"Two panels for {about}: the loss of the mixture by {one}, and which expert alone has the smallest loss there.")


CAPTIONS = {
    "gate_map": "Top row: the gate's weights; a clear border means that each expert has its part of the plane. Arrows: the noise that an expert predicts. "
                "Bottom row: how much the experts' predictions differ; where it is dark, the gate's choice matters.",
    "gate_over_time": "Wide bands: the gate treats points differently at this timestep. A narrow band at one half: it only averages. An expert whose "
                      "loss curve is far above 1 is much worse alone than the mixture. No network can be below the dotted line.",
    "gate_by_region": "Each disc, tile or bar is a part of the data. Compare: does an expert get a large weight in those parts where its loss alone is the smallest?",
}


def of_result(study, result):
    """The pictures of one analysis: pixels and many points, so only PNG."""
    if not analysed(result):
        return []
    one, gated = region_words(result)[0], gate_analysed(result)
    stem = f"{result.dataset}_{result.run.replace('/', '_')}"
    words = (in_words if gated else fixed_in_words)(result, f"{result.run} on {result.dataset}", one)
    who = "Gate and experts" if gated else "Experts"
    titles = f"{who} over the plane", f"{who} over timesteps{' and training' if gated else ''}", f"{who} by {one}"
    experts = result.analysis("by_timestep/loss_alone").shape[1]
    draws = {"gate_map": (gate_map, lambda: map_panels(result)),
             "gate_over_time": (gate_over_time, lambda: part_panels(over_time_parts(result), 5.0, 3.6, words[1])),
             "gate_by_region": (gate_by_region, lambda: part_panels(region_parts(result), 5.0, 4.2, words[2]))}
    keys = (lambda: expert_keys(experts)) if experts > 2 else list
    return [Picture(f"{stem}_{kind}", title, alt, functools.partial(draw, study, result), ("png",), CAPTIONS[kind], panels, keys)
            for (kind, (draw, panels)), title, alt in zip(draws.items(), titles, words) if kind != "gate_map" or mapped(result)]
