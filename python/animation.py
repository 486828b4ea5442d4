"""The animation of a dataset: the data, and next to it the samples of every analysed run, from noise to the end."""
import io

from drawing import (DATA, GATE, NEUTRAL, Image, Normalize, Picture, common_limits, expert_colour, expert_handles, matplotlib, np, plt, shown,
                     to_rgb)
from limits import ANIMATED, best
from PIL import ImageDraw, ImageFont
from sample_plots import data_cloud, height_over_width
from coordinates import in_plane, scaling_of, stored_components

WIDTH = 800  # pixels
POINTS = 800  # a panel
FRAMES, FRAME_MS, HOLD_MS = 28, 120, 2500
GREYS, SHADES, MOST_EXPERTS = 64, 96, 40  # of the palette
DISC = [(dx, dy) for dx in range(-2, 3) for dy in range(-2, 3) if dx * dx + dy * dy <= 4.5]


def palette():
    """One palette for all frames, (256, 3) bytes: greys from white to black, the gate's shades, experts, points without a weight, the
    data."""
    greys = np.repeat(np.linspace(1, 0, GREYS)[:, None], 3, axis=1)
    shades = GATE(np.linspace(0, 1, SHADES))[:, :3]
    experts = [to_rgb(expert_colour(e + 1, 3)) for e in range(MOST_EXPERTS)]
    colours = np.concatenate([greys, shades, experts, [to_rgb(NEUTRAL), to_rgb(DATA)]])
    return np.concatenate([np.round(255 * colours), np.zeros((256 - len(colours), 3))]).astype(np.uint8)


NEUTRAL_INDEX = GREYS + SHADES + MOST_EXPERTS
DATA_INDEX = NEUTRAL_INDEX + 1


def indices(weight):
    """Palette indices of points with these weights (n, experts)."""
    if weight.shape[1] == 2:
        return (GREYS + np.round((SHADES - 1) * np.clip(np.nan_to_num(weight[:, 0]), 0, 1))).astype(np.uint8)
    return (GREYS + SHADES + weight.argmax(axis=1) % MOST_EXPERTS).astype(np.uint8)


class Journey:
    """The trajectory of a run, of at most POINTS samples."""

    def __init__(self, result):
        read = result.analysis
        self.run = result.run
        self.gated = result.has("/analysis/information/sampling_region")
        self.x, self.weight, step, t = (read(f"trajectory/{name}") for name in ("x", "weight", "step", "timestep"))
        self.x, self.weight = self.x[:, :POINTS], self.weight[:, :POINTS]
        self.t = step[-1] - 1 - step if t is None else t.astype(int)  # analyses of older programs: all timesteps

    def frame(self, share):
        """(points, palette indices, words) at this fraction of the animation. The last steps, in which samples reach their modes, are shown
        longer."""
        last = len(self.x) - 1
        row = round(last * (1 - (1 - share) ** 1.5))
        index = indices(self.weight[row]) if self.gated else np.full(len(self.x[row]), NEUTRAL_INDEX, np.uint8)
        return self.x[row], index, f"t = {self.t[row]}" if row < last else "samples"


def animated(study, dataset):
    """The analysed runs; if they are many, the best. Only runs whose trajectories lie in the plane of the first one."""
    found = [result for result in study.trained(dataset, None) if result.has("/analysis/trajectory")]
    return best([result for result in found if same_plane(stored_components(result), stored_components(found[0]))], ANIMATED)


def same_plane(one, other):
    """Whether two pairs of principal axes are the same, except for rounding and a few other points."""
    if one is None or other is None:
        return one is other
    return one[1].shape[1] == other[1].shape[1] and ((one[1][:2] * other[1][:2]).sum(axis=1) > 0.99).all()


def journeys_of(study, dataset):
    return [Journey(result) for result in animated(study, dataset)]


def in_one_plane(study, dataset, journeys, data):
    """The data in the plane of the trajectories, which are what networks see; of more than two coordinates their principal components. Points of
    one coordinate get a height."""
    if data and data.x.shape[1] <= 2:
        shift, scale = scaling_of(study, dataset, data.x.shape[1])
        data.x = (data.x - shift) / scale
    elif data:
        data.x = in_plane(study, dataset, data.x).project(data.x)
    if journeys[0].x.shape[2] == 1:
        line = in_plane(study, dataset, data.x if data else journeys[0].x[-1])
        for journey in journeys:
            journey.x = np.stack([line.project(x) for x in journey.x])
        if data:
            data.x = line.project(data.x)


def columns_of(count):
    return {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 3}.get(count, 4)


class Stage:
    """The picture without its points (frames, names, the scale of colours), and the places of the panels in it."""

    def __init__(self, names, limits, experts):
        columns = columns_of(len(names))
        lines = -(-len(names) // columns)
        self.limits, head, foot, gap = limits, 30, 62 if experts else 10, 12
        self.width = (WIDTH - gap * (columns + 1)) // columns
        self.height = round(self.width * height_over_width(limits))
        total = lines * (self.height + head) + foot + 6
        last = len(names) - columns * (lines - 1)
        self.corners = []
        for i in range(len(names)):
            line, column = divmod(i, columns)
            inset = (columns - last) * (self.width + gap) // 2 if line == lines - 1 else 0  # a shorter last line is in the middle
            self.corners.append((gap + inset + column * (self.width + gap), line * (self.height + head) + head))
        self.font = ImageFont.truetype(matplotlib.font_manager.findfont("DejaVu Sans"), 19)
        self.base = self._draw(names, experts, total, foot)

    def _draw(self, names, experts, total, foot):
        figure = plt.figure(figsize=(WIDTH / 100, total / 100), dpi=100, layout="none")
        for left, top in self.corners:
            axis = figure.add_axes([left / WIDTH, 1 - (top + self.height) / total, self.width / WIDTH, self.height / total])
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set(visible=True, color="#b9bec6")
        if 2 in experts:
            axis = figure.add_axes([0.28, (foot - 22) / total, 0.44, 12 / total])
            bar = figure.colorbar(matplotlib.cm.ScalarMappable(Normalize(0, 1), GATE), cax=axis, orientation="horizontal", ticks=[])
            bar.outline.set_visible(False)
            for place, side, words in ((-0.02, "right", "expert 2"), (1.02, "left", "expert 1")):
                axis.text(place, 0.5, words, transform=axis.transAxes, ha=side, va="center", fontsize=14)
            axis.text(0.5, -0.6, "weight of the experts", transform=axis.transAxes, ha="center", va="top", fontsize=14)
        if max(experts, default=0) > 2:
            handles, words = expert_handles(max(experts))
            figure.legend(handles, [word.split()[1] for word in words], loc="lower center", ncols=12, title="expert of the greatest weight",
                          bbox_to_anchor=(0.5 if 2 not in experts else 0.85, 0), fontsize=12, title_fontsize=12, columnspacing=0.8, handlelength=1)
        figure.canvas.draw()
        drawn = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
        plt.close(figure)
        colours = Image.new("P", (1, 1))
        colours.putpalette(palette().tobytes())
        base = np.array(drawn.quantize(palette=colours, dither=Image.Dither.NONE))
        base[(np.asarray(drawn) == 255).all(axis=2)] = 0  # white as it is
        for (left, top), name in zip(self.corners, names):
            self.write(base, name.replace(r"\$", "$"), left, top)
        return base

    def write(self, pixels, words, left, top, right=False):
        """Words above a panel, in greys."""
        box = self.font.getbbox(words)
        mask = Image.new("L", (max(1, box[2] + 2), 28))
        ImageDraw.Draw(mask).text((0, 2), words, fill=255, font=self.font)
        dark = np.asarray(mask)
        if right:
            left = max(0, left + self.width - dark.shape[1])
        part = pixels[top - 28:top, left:left + dark.shape[1]]
        part[:] = (dark[:part.shape[0], :part.shape[1]].astype(int) * (GREYS - 8) // 255).astype(np.uint8)

    def points(self, pixels, panel, x, index):
        """Discs at the points of a panel."""
        left, top = self.corners[panel]
        (x_low, x_high), (y_low, y_high) = self.limits
        column = np.round((x[:, 0] - x_low) / (x_high - x_low) * (self.width - 1))
        row = np.round((y_high - x[:, 1]) / (y_high - y_low) * (self.height - 1))
        inside = (column >= 3) & (column < self.width - 3) & (row >= 3) & (row < self.height - 3)
        column, row, index = left + column[inside].astype(int), top + row[inside].astype(int), index[inside]
        for dx, dy in DISC:
            pixels[row + dy, column + dx] = index


def frames_of(journeys, data, limits, names, shares):
    """Images, and the words above the runs of each."""
    experts = {journey.weight.shape[2] for journey in journeys if journey.gated}
    stage = Stage(names, limits, experts)
    first = 0 if data is None else 1
    if first:
        stage.points(stage.base, 0, data.x, np.full(len(data.x), DATA_INDEX, np.uint8))
    for share in shares:
        pixels, said = stage.base.copy(), []
        for panel, journey in enumerate(journeys, first):
            x, index, words = journey.frame(share)
            stage.points(pixels, panel, x, index)
            stage.write(pixels, words, *stage.corners[panel], right=True)
            said.append(words)
        image = Image.fromarray(pixels, "P")
        image.putpalette(palette().tobytes())
        yield image, said


def reverse_process(study, dataset, frames=FRAMES):
    """A GIF that ends with a pause."""
    journeys, data = journeys_of(study, dataset), data_cloud(study, dataset, POINTS)
    in_one_plane(study, dataset, journeys, data)
    limits = common_limits([journey.x[row] for journey in journeys for row in (0, -1)] + ([data.x] if data else []))
    names = (["data"] if data else []) + [shown(journey.run, 15 if len(journeys) > 2 else 24) for journey in journeys]
    images = [image for image, _ in frames_of(journeys, data, limits, names, np.linspace(0, 1, frames))]
    out = io.BytesIO()
    images[0].save(out, format="GIF", save_all=True, append_images=images[1:], loop=0, optimize=False,
                   duration=[FRAME_MS] * (len(images) - 1) + [HOLD_MS])
    return out.getvalue()


def of_dataset(study, dataset):
    runs = [result.run for result in animated(study, dataset)]
    if not runs:
        return []
    return [Picture(f"{dataset}_reverse_process", "From noise to samples",
                    f"Animation for {dataset}: next to the data, up to {POINTS:,} points of each of {', '.join(runs)} move from noise to their "
                    "places, coloured by the experts' weights.", lambda: reverse_process(study, dataset), ("gif",),
                    caption="The runs that were analysed, from noise (t large) to samples (t = 0). Look at when a gate chooses an expert: early, for whole "
                            "regions, or late, for details.")]
