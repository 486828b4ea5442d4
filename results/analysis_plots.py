"""Pictures of what `dualdiff analyze` stores: gate and experts over the plane, over timesteps, over modes, over training."""
import io

from drawing import COLOURS, GATE, Image, Normalize, Picture, common_limits, gate_colours, matplotlib, np, plt, shown

WARM = matplotlib.colors.LinearSegmentedColormap.from_list("warm", ["#fbf7ef", "#f0c987", "#d9753b", "#7d2318"])
LOSS = {"loss_gated": ("own mixture", "#222222", "-"), "loss_equal": ("equal weights", "#8a8f98", "--")}
COARSE_TICKS = [mantissa * 10**power for power in range(-2, 5) for mantissa in (1, 2, 5)]
FINE_TICKS = [0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2]


def analysed(result):
    return result.has("/analysis/map/weight")


def heading(study, result, what):
    description = study.description[result.run].replace("$", r"\$")
    return f"{shown(result.dataset)}, {shown(result.run, 30)} ({description}), seed {result.seed}: {what}"


def expert_colour(expert, experts):
    """The colour of expert 1, 2, ...: of two, the ends of the gate's colours."""
    return (GATE(1.0), GATE(0.0))[expert - 1] if experts == 2 else COLOURS[(expert - 1) % len(COLOURS)]


def expert_handles(experts):
    """Arguments of a legend of the experts."""
    numbers = range(1, experts + 1)
    return [matplotlib.patches.Patch(color=expert_colour(e, experts)) for e in numbers], [f"expert {e}" for e in numbers]


def region_words(result):
    """What a region is: ("mode", "modes")."""
    return ("mode", "modes") if result.attributes("/analysis")["regions"] == "modes" else ("grid cell", "grid cells")


# ---- over the plane ----


def gate_map(study, result):
    """Columns: timesteps. Rows: weights, what each of two experts predicts, and how far the experts are apart."""
    read = result.analysis
    weight, noise, apart = read("map/weight"), read("map/noise"), read("map/disagreement")
    x1, x2, timesteps, data = read("map/x1"), read("map/x2"), read("map/timestep"), read("data/x")
    experts = weight.shape[-1]
    arrows = experts if experts == 2 else 0
    aspect = min(max((x2[-1] - x2[0]) / (x1[-1] - x1[0]), 0.5), 1.8)
    rows = 2 + arrows
    figure, axes = plt.subplots(rows, len(timesteps), figsize=(2.1 * len(timesteps) + 1.6, rows * (2.1 * aspect + 0.12) + 0.8),
                                sharex=True, sharey=True, squeeze=False, layout="compressed")
    extent = (x1[0], x1[-1], x2[0], x2[-1])
    few = data[:: max(1, len(data) // 500)]
    highest = np.percentile(apart, 99.5)
    every = slice(4, None, 9)
    for k, t in enumerate(timesteps):
        image = gate_colours(weight[k].reshape(-1, experts)).reshape(*weight[k].shape[:2], 3)
        axes[0, k].imshow(image, origin="lower", extent=extent, interpolation="nearest")
        axes[0, k].scatter(*few.T, s=1.2, color="white", linewidths=0, alpha=0.7)
        axes[0, k].set_title(f"t = {t}")
        for e in range(arrows):
            axis = axes[1 + e, k]
            axis.scatter(*few.T, s=1.2, color="#c4c7cc", linewidths=0)
            arrow = noise[k][every, every, e]
            length = np.linalg.norm(arrow, axis=-1, keepdims=True)
            arrow = arrow * np.minimum(1, 3 / np.maximum(length, 1e-9))  # the longest would hide all else
            axis.quiver(x1[every], x2[every], arrow[..., 0], arrow[..., 1], color=expert_colour(e + 1, experts), angles="xy",
                        scale=3 * 14, scale_units="width", width=0.006, headwidth=3.5, headlength=4)
        shade = axes[-1, k].imshow(apart[k], origin="lower", extent=extent, cmap=WARM, vmin=0, vmax=highest)
    for axis in axes.flat:
        axis.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
        axis.grid(False)
    names = ["gating weight" if experts == 2 else "weights"] + [f"noise, expert {e + 1}" for e in range(arrows)] + ["disagreement"]
    for axis, name in zip(axes[:, 0], names):
        axis.set_ylabel(name)
    if experts == 2:
        bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), ax=list(axes[0]), aspect=14, pad=0.01)
        bar.set_label("weight of expert 1")
        bar.outline.set_visible(False)
    else:
        axes[0, -1].legend(*expert_handles(experts), loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=8)
    bar = figure.colorbar(shade, ax=list(axes[-1]), aspect=14, pad=0.01, extend="max")
    bar.set_label("distance")
    bar.outline.set_visible(False)
    figure.suptitle(heading(study, result, "gate and experts over the plane"))
    return figure


# ---- over timesteps and training ----


def band(axis, t, quantiles, colour, label):
    """Median, and the bands of half and nine tenths of the points; quantiles (T, 5)."""
    axis.fill_between(t, quantiles[:, 0], quantiles[:, 4], color=colour, alpha=0.13, linewidth=0)
    axis.fill_between(t, quantiles[:, 1], quantiles[:, 3], color=colour, alpha=0.28, linewidth=0)
    axis.plot(t, quantiles[:, 2], color=colour, linewidth=1.6, label=label)


def quantile_panel(axis, t, quantiles, title):
    experts = quantiles.shape[1]
    for e in [1] if experts == 2 else range(1, experts + 1):
        band(axis, t, quantiles[:, e - 1], expert_colour(e, experts), f"expert {e}")
    axis.set(ylim=(-0.02, 1.02), xlabel="timestep t", ylabel="weight of expert 1" if experts == 2 else "weight")
    axis.set_title(f"{title}: median, 50 % and 90 % of points", loc="left", fontsize=10)
    if experts > 2:
        axis.legend(fontsize=8, ncols=2)


def phase_panel(figure, axis, t, phase, median):
    """The median weight of expert 1 (phase, timestep) while training."""
    edges = [*phase, 2 * phase[-1] - phase[-2] if len(phase) > 1 else phase[0] + 1]
    mesh = axis.pcolormesh(edges, np.arange(len(t) + 1) - 0.5, median.T, cmap=GATE, vmin=0, vmax=1, rasterized=True)
    axis.set(xlabel="training step", ylabel="timestep t")
    axis.grid(False)
    axis.set_title("median weight of expert 1 while training", loc="left", fontsize=10)
    figure.colorbar(mesh, ax=axis, pad=0.02).outline.set_visible(False)


def entropy_panel(axis, read, experts):
    step = read("training/step")
    axis.plot(step, read("training/entropy_of_mean"), color="#8a8f98", linestyle="--", label="of the mean weights")
    axis.plot(step, read("training/entropy"), color="#222222", label="at a point, mean")
    axis.set(ylim=(0, 1.05 * np.log2(experts)), xlabel="training step", ylabel="entropy of the weights [bit]")
    axis.set_title("how undecided the gate is", loc="left", fontsize=10)
    axis.legend(fontsize=8.5, loc="lower left")


def loss_panel(axis, read, t, experts):
    """Losses over the loss of the run's own mixture."""
    gated = read("by_timestep/loss_gated")
    for name, (label, colour, line) in LOSS.items():
        axis.plot(t, read(f"by_timestep/{name}") / gated, color=colour, linestyle=line, linewidth=1.5, label=label)
    for e in range(1, experts + 1):
        axis.plot(t, read("by_timestep/loss_alone")[:, e - 1] / gated, color=expert_colour(e, experts), linewidth=1.2,
                  label=f"expert {e} alone")
    axis.set(xlabel="timestep t", ylabel="loss / loss of the own mixture", yscale="log")
    low, high = axis.get_ylim()
    ticks = [tick for tick in (COARSE_TICKS if high > 3 else FINE_TICKS) if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_title("what the experts lose alone, on fresh points", loc="left", fontsize=10)
    axis.legend(fontsize=8.5)


def gate_over_time(study, result):
    read = result.analysis
    t, trained, sampled = read("by_timestep/timestep"), read("training/weight_quantile"), read("by_timestep/weight_quantile")
    experts = sampled.shape[1]
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.6))
    quantile_panel(axes[0, 0], t, trained[-1], "last tenth of training")
    quantile_panel(axes[0, 1], t, sampled, "sampling")
    phase_panel(figure, axes[0, 2], t, read("training/phase"), trained[:, :, 0, 2])
    entropy_panel(axes[1, 0], read, experts)
    loss_panel(axes[1, 1], read, t, experts)
    axes[1, 2].plot(t, read("by_timestep/disagreement"), color="#7d2318", linewidth=1.6)
    axes[1, 2].set(xlabel="timestep t", ylabel="distance of the predictions")
    axes[1, 2].set_ylim(bottom=0)
    axes[1, 2].set_title("disagreement of the experts, on fresh points", loc="left", fontsize=10)
    figure.suptitle(heading(study, result, "gate and experts over timesteps and training"))
    return figure


# ---- over modes ----


def region_panel(axis, result, colours, title):
    """The regions where they are: modes as discs whose area follows their share, cells as tiles."""
    centre, data = result.analysis("by_region/centre"), result.analysis("data/x")
    points = result.analysis("by_region/points")
    if region_words(result)[0] == "mode":
        size = np.clip(9000 * points / points.sum() / np.sqrt(len(points)), 14, 160)
        axis.scatter(*centre.T, s=size, c=colours, edgecolor="#333333", linewidth=0.4, zorder=3)
    else:
        step = [np.diff(np.unique(np.round(centre[:, c], 5))).min() for c in range(2)]
        for place, colour, n in zip(centre, colours, points):
            if n:
                axis.add_patch(matplotlib.patches.Rectangle(place - np.array(step) / 2, *step, facecolor=colour, edgecolor="white",
                                                            linewidth=0.5))
        axis.scatter(*data[:: max(1, len(data) // 800)].T, s=1.5, color="black", alpha=0.35, linewidths=0)
    limits = common_limits([data, centre[points > 0]])
    axis.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    axis.grid(False)
    axis.set_title(title, fontsize=10)


def better_panel(figure, axis, result, alone):
    """Which expert alone has the smaller loss in each region; alone (region, expert)."""
    experts = alone.shape[1]
    if experts > 2:
        better = np.nan_to_num(alone, nan=np.inf).argmin(axis=1)
        region_panel(axis, result, [expert_colour(e + 1, experts) for e in better], "which expert alone has the smallest loss")
        figure.legend(*expert_handles(experts), loc="outside right upper")
        return
    ratio = np.log2(alone[:, 1] / alone[:, 0])  # above 0: expert 1 has the smaller loss
    top = max(np.nanmax(np.abs(ratio)), 0.1)
    norm = Normalize(-top, top)
    region_panel(axis, result, GATE(norm(np.nan_to_num(ratio))), "which expert alone has the smaller loss")
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(norm, GATE), ax=axis, pad=0.02, shrink=0.85)
    bar.set_label("log2(loss of expert 2 / loss of expert 1)")


def gate_by_region(study, result):
    read = result.analysis
    weight, sampling, points = read("by_region/weight"), read("by_region/weight_sampling"), read("by_region/points")
    one, many = region_words(result)
    experts = weight.shape[1]
    figure, axes = plt.subplots(2, 2, figsize=(11.5, 9.6))
    region_panel(axes[0, 0], result, gate_colours(np.nan_to_num(weight, nan=0.5)), f"mean weight by {one}, over all t")
    if experts == 2:
        bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), ax=axes[0, 0], pad=0.02, shrink=0.85)
        bar.set_label("weight of expert 1")
    better_panel(figure, axes[0, 1], result, read("by_region/loss_alone"))

    axis = axes[1, 0]
    seen = np.flatnonzero(points > 0)
    order = seen[np.argsort(np.nan_to_num(sampling[0, seen, 0], nan=0.5))]
    mesh = axis.pcolormesh(np.arange(len(order) + 1), np.arange(len(sampling) + 1) - 0.5, sampling[:, order, 0], cmap=GATE, vmin=0,
                           vmax=1, rasterized=True)
    axis.set(xlabel=f"{many} by their weight at t = 0", ylabel="timestep t", facecolor="#dddddd")
    axis.grid(False)
    axis.set_title(f"weight of expert 1 while sampling, by final {one}", loc="left", fontsize=10)
    figure.colorbar(mesh, ax=axis, pad=0.02, shrink=0.85).set_label("weight of expert 1")

    axis = axes[1, 1]
    t, information = read("by_timestep/timestep"), read("by_timestep/information_region")
    for e in [1] if experts == 2 else range(1, experts + 1):
        axis.plot(t, information[:, e - 1], color="#222222" if experts == 2 else expert_colour(e, experts), linewidth=1.6)
    axis.set(xlabel="timestep t", ylabel="mutual information [bit]")
    axis.set_ylim(bottom=min(0, np.nanmin(information)))
    axis.set_title(f"what the gate tells of the final {one}, while sampling", loc="left", fontsize=10)
    figure.suptitle(heading(study, result, f"gate and experts by {one}"))
    return figure


# ---- mode or timestep? ----


def gate_information(study, dataset):
    """Bars: bits that the gate tells of the mode and of the timestep, on data and while sampling, one panel each."""
    results = [result for result in study.trained(dataset) if analysed(result)]
    one = region_words(results[0])[0]
    figure, axes = plt.subplots(1, 2, figsize=(max(9.0, 2.7 * len(results) + 3), 4.6), sharey=True)
    for axis, source, title in ((axes[0], "data", "fresh noised points"), (axes[1], "sampling", "sampling")):
        for offset, what, colour in ((-0.2, "region", "#2c9a6c"), (0.2, "timestep", "#8a6fd1")):
            bits = [result.analysis(f"information/{source}_{what}").mean() for result in results]
            bars = axis.bar(np.arange(len(results)) + offset, bits, 0.36, color=colour, label=one if what == "region" else what)
            axis.bar_label(bars, [f"{value:.2f}" for value in bits], fontsize=8, padding=2)
        axis.set_xticks(range(len(results)), [study.name[result.run].replace(", ", ",\n") for result in results], fontsize=8)
        axis.tick_params(axis="x", length=0)
        axis.set_xlim(-0.6, max(len(results), 2) - 0.4)
        axis.grid(axis="x", visible=False)
        axis.margins(y=0.12)
        axis.set_title(title, loc="left")
    axes[0].set_ylabel("mutual information with the gate [bit]")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    figure.suptitle(f"{shown(dataset)}: does the gate follow the {one} or the timestep?")
    return figure


# ---- animation ----


def reverse_process(study, result, frames=38, hold=2000):
    """Samples on their way from noise to data, coloured by the gate; a GIF that ends with a pause of `hold` ms."""
    x, weight, step = (result.analysis(f"trajectory/{name}") for name in ("x", "weight", "step"))
    limits = common_limits([x[0], x[-1]])
    last = step[-1]
    # The end is where samples find their modes: frames lie closer there.
    chosen = np.unique(np.round((len(step) - 1) * (1 - (1 - np.linspace(0, 1, frames)) ** 1.5)).astype(int))
    figure, axis = plt.subplots(figsize=(4.2, 4.5), dpi=80)
    cloud = axis.scatter(*x[0].T, s=4, linewidths=0, c=gate_colours(weight[0]))
    axis.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    axis.grid(False)
    images = []
    for row in chosen:
        cloud.set_offsets(x[row])
        cloud.set_color(gate_colours(weight[row]))
        when = f"t = {last - 1 - step[row]}" if step[row] < last else "samples"
        axis.set_title(f"{shown(result.run, 20)}, {shown(result.dataset, 16)}: {when}")
        figure.canvas.draw()
        figure.set_layout_engine("none")  # the first frame's layout for all
        picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
        images.append(picture.quantize(32, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    plt.close(figure)
    out = io.BytesIO()
    images[0].save(out, format="GIF", save_all=True, append_images=images[1:], loop=0, optimize=True,
                   duration=[100] * (len(images) - 1) + [hold])
    return out.getvalue()


# ---- what there is ----


def of_dataset(study, dataset):
    results = [result for result in study.trained(dataset) if analysed(result)]
    if not results:
        return []
    one = region_words(results[0])[0]
    bits = "; ".join(f"{result.run} {one} {result.analysis('information/sampling_region').mean():.2f}, timestep "
                     f"{result.analysis('information/sampling_timestep').mean():.2f}" for result in results)
    return [Picture(f"{dataset}_gate_information", f"Does the gate follow the {one} or the timestep?",
                    f"Bars of the mutual information in bits of the gate with the {one} and with the timestep on {dataset}. While "
                    f"sampling: {bits}.", lambda: gate_information(study, dataset))]


def of_result(study, result):
    """The pictures of one analysis: pixels and many points, so PNG alone."""
    if not analysed(result):
        return []
    read, one = result.analysis, region_words(result)[0]
    stem = f"{result.dataset}_{result.run.replace('/', '_')}"
    about = f"{result.run} on {result.dataset}"
    median = read("by_timestep/weight_quantile")[:, 0, 2]
    entropy, weight = read("training/entropy"), read("by_region/weight")[:, 0]
    times = ", ".join(map(str, read("map/timestep")))
    return [
        Picture(f"{stem}_gate_map", "Gate and experts over the plane",
                f"Maps over the plane at timesteps {times} for {about}: the gating weight, the noise each expert predicts as arrows, "
                "and the distance between the predictions.", lambda: gate_map(study, result), ("png",)),
        Picture(f"{stem}_gate_over_time", "Gate and experts over timesteps and training",
                f"Six panels for {about}. Median weight of expert 1 while sampling: {median[-1]:.2f} at the first step, "
                f"{median[len(median) // 2]:.2f} half way, {median[0]:.2f} at timestep 0. Entropy of the gate at a point: "
                f"{entropy[0]:.2f} bit when training began, {entropy[-1]:.2f} bit at its end.",
                lambda: gate_over_time(study, result), ("png",)),
        Picture(f"{stem}_gate_by_region", f"Gate and experts by {one}",
                f"Four panels for {about}: the mean weight of expert 1 by {one}, from {np.nanmin(weight):.2f} to "
                f"{np.nanmax(weight):.2f}; which expert alone has the smaller loss there; the weight while sampling by {one} and "
                f"timestep; and the mutual information of gate and final {one} by timestep.",
                lambda: gate_by_region(study, result), ("png",)),
        Picture(f"{stem}_reverse_process", "From noise to samples",
                f"Animation for {about}: two thousand points move from noise to their places, coloured by the gating weight.",
                lambda: reverse_process(study, result), ("gif",)),
    ]
