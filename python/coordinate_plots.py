"""The gate against each coordinate of the data: what it follows."""
import functools

from analysis_plots import REGION, TIMESTEP, WEIGHT, expert_legend, heading, region_words
from coordinates import names_of
from drawing import COLOURS, Panel, Picture, expert_colour, expert_keys, few_ticks, matplotlib, np, plt, single, ticks_between

COORDINATE = COLOURS[2]
MOST_BARS, MOST_CURVES = 12, 6  # coordinates


def of_coordinates(study, result):
    """(names, mean bits over the experts) of the coordinates, those with the most bits first; the third are their numbers."""
    bits = np.nan_to_num(result.analysis("information/data_coordinate").mean(axis=1, dtype=float))
    order = np.argsort(-bits, kind="stable")
    names = names_of(study, result.dataset, len(bits))
    return [names[c] for c in order], bits[order], order


def information_panel(axis, study, result):
    """Bars: the mode, the timestep, and the coordinates of which the gate tells most."""
    names, bits, _ = of_coordinates(study, result)
    rows = [(region_words(result)[0], result.analysis_number("data_region"), REGION), ("timestep", result.analysis_number("data_timestep"), TIMESTEP)]
    rows += [(name, value, COORDINATE) for name, value in zip(names[:MOST_BARS], bits)]
    drawn = axis.barh(range(len(rows)), [value for _, value, _ in rows], 0.7, color=[colour for _, _, colour in rows])
    axis.bar_label(drawn, [f"{value:.3f}" for _, value, _ in rows], fontsize=8, padding=2)
    axis.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=9 if len(rows) < 9 else 8)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.16)
    axis.xaxis.set_major_locator(few_ticks())
    more = len(names) - MOST_BARS
    axis.set_xlabel("mutual information with the gate [bit]" + (f"\n(of the other {more} coordinates it tells less)" if more > 0 else ""))
    axis.set_title("what the gate tells about", loc="left", fontsize=10)


def weight_limits(result, coordinates):
    """The same for all curves: what these coordinates need, at least a tenth."""
    read = result.analysis
    weight = read("by_coordinate/weight")[:, coordinates, :, :1] if result.experts == 2 else read("by_coordinate/weight_mean")[coordinates]
    finite = weight[np.isfinite(weight)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 1)
    wider = max(0, 0.1 - (high - low)) / 2 + 0.04 * (high - low)
    return max(low - wider, -0.02), min(high + wider, 1.02)


def curve_panel(axis, result, coordinate, name, bits, limits):
    """Mean weights against the coordinate. Of two experts that of expert 1, a curve for each timestep; of more, a curve for each expert."""
    read = result.analysis
    place, experts = result.in_units(read("by_coordinate/centre").T.astype(float)).T[coordinate], result.experts
    if experts == 2:
        weight, timesteps = read("by_coordinate/weight")[:, coordinate, :, 0], read("by_coordinate/timestep")
        curves = [(weight[k], timestep_colour(k, len(timesteps))) for k in reversed(range(len(timesteps)))]
    else:
        weight = read("by_coordinate/weight_mean")[coordinate]
        curves = [(weight[:, e], expert_colour(e + 1, experts)) for e in range(experts)]
    known = np.isfinite(place)
    for curve, colour in curves:
        axis.plot(place[known], curve[known], color=colour, linewidth=1.4, marker="o", markersize=2.6)
    low, high = (place[known].min(), place[known].max()) if known.any() else (0.0, 1.0)
    margin = 0.04 * (high - low) or max(1.0, 1e-3 * abs(high))
    ticks, words, about = ticks_between(low - margin, high + margin, 4)
    axis.set_xticks(ticks, words)
    axis.set(xlim=(low - margin, high + margin), ylim=limits, xlabel=name + about, ylabel="mean weight of expert 1" if experts == 2 else "mean weight")
    axis.set_title(f"{name}: {bits:.3f} bit", loc="left", fontsize=10)


def timestep_colour(k, count):
    """Dark: little noise."""
    return WEIGHT(1 - 0.75 * k / max(1, count - 1))


def timestep_handles(result):
    timesteps = result.analysis("by_coordinate/timestep")
    return ([matplotlib.lines.Line2D([], [], color=timestep_colour(k, len(timesteps)), linewidth=2) for k in range(len(timesteps))],
            [f"t = {t}" for t in timesteps])


def parts(study, result):
    """draw(figure, axis) of each panel."""
    names, bits, order = of_coordinates(study, result)
    limits = weight_limits(result, order[:MOST_CURVES])
    curves = [lambda figure, axis, c=c, name=name, value=value: curve_panel(axis, result, c, name, value, limits)
              for c, name, value in zip(order[:MOST_CURVES], names, bits)]
    return [lambda figure, axis: information_panel(axis, study, result), *curves]


def gate_by_coordinate(study, result):
    draws = parts(study, result)
    columns = min(4, len(draws)) if len(draws) != 5 else 3
    lines = -(-len(draws) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.6 * columns + 0.4, 3.2 * lines + 0.9), squeeze=False)
    for axis in axes.flat[len(draws):]:
        axis.set_axis_off()
    for draw, axis in zip(draws, axes.flat):
        draw(figure, axis)
    if result.experts == 2:
        figure.legend(*timestep_handles(result), loc="outside lower center", ncols=6, title="curves: timestep (dark: little noise)", title_fontsize=9)
    else:
        expert_legend(figure, result.experts)
    figure.suptitle(heading(study, result, "the gate against the coordinates"))
    return figure


# ---- what there is ----

CAPTION = ("Bars: how many bits the weight of an expert tells about each coordinate of a point before noise, and about the {one} and the timestep. The gate "
           "follows what has the longest bar. Curves: the mean weight where the coordinate has this value; each dot is the mean over a twentieth of the points. A "
           "flat curve: the gate does not follow this coordinate. A steep curve: it gives the points on both sides to different experts.")


def in_words(study, result):
    names, bits, _ = of_coordinates(study, result)
    return "; ".join(f"{name.replace('$', '')} {value:.3f}" for name, value in list(zip(names, bits))[:MOST_CURVES])


def panels(study, result, alt):
    draws = parts(study, result)
    colours = ""
    if result.experts == 2:
        colours = f"dark to light: t = {', '.join(map(str, result.analysis('by_coordinate/timestep')))}"
    return [Panel(lambda draw=draw: single(draw, 4.2, 3.4), "", colours if number > 1 else "", f"{alt} Panel {number} of {len(draws)}.", 4.2)
            for number, draw in enumerate(draws, 1)]


def of_result(study, result):
    """The picture of one analysis; not of a fixed gate, and not of an analysis of an older program."""
    if not result.has("/analysis/by_coordinate"):
        return []
    one = region_words(result)[0]
    alt = f"Mutual information in bits of the gate of {result.run} with coordinates of {result.dataset}: {in_words(study, result)}."
    keys = (lambda: expert_keys(result.experts)) if result.experts > 2 else list
    return [Picture(f"{result.dataset}_{result.run.replace('/', '_')}_gate_by_coordinate", "Gate against the coordinates", alt,
                    functools.partial(gate_by_coordinate, study, result), ("png",), CAPTION.format(one=one), lambda: panels(study, result, alt), keys)]
