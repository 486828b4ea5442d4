"""The parts of the report's page: figures, tables, legends. A page is one file: pictures are in it, and it needs no network."""
import base64
from html import escape

from drawing import GATE, Key, matplotlib, np, plt, png_bytes, svg_bytes
from progress import Progress
from workers import Failed, in_parallel

DPI = 192  # of PNG pictures: twice the pixels that they take on the page

CSS = """
:root { --ink: #1d2530; --soft: #525c69; --line: #dfe3e8; --shade: #f5f7f9; --link: #1c5a9c; color-scheme: light; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; color: var(--ink); background: #fff; font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header, footer, nav > div { max-width: 78rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.6rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .6rem; padding-top: .6rem; border-top: 2px solid var(--ink); overflow-wrap: anywhere; }
h3 { font-size: 1.08rem; margin: 2rem 0 .3rem; overflow-wrap: anywhere; }
p { max-width: 50rem; margin: .4rem 0; }
.soft, figcaption { color: var(--soft); }
.outcome-words { font-size: 1.1rem; max-width: 60rem; }
nav { margin: 1rem 0 0; background: var(--shade); border: solid var(--line); border-width: 1px 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: 0; padding: .4rem 0; list-style: none; }
nav a { display: inline-block; padding: .3rem 0; }
a { color: var(--link); text-underline-offset: .15em; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid #d55e00; outline-offset: 2px; }
.wide { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1.1rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; white-space: normal; }
thead a { color: inherit; overflow-wrap: normal; }
tbody th { font-weight: 600; }
tbody th small, thead th small { display: block; font-weight: 400; color: var(--soft); white-space: normal; }
tbody th small { min-width: 9rem; max-width: 18rem; }
tr.group th { padding-top: 1rem; font-size: 1rem; border-bottom: 1px solid var(--ink); }
tr.bound > * { background: var(--shade); }
tr.bound th { font-weight: 400; padding-left: .5rem; }
td.number, th.number { text-align: right; }
td b { font-weight: 700; }
figure { margin: 0; min-width: 0; }
img { display: block; max-width: 100%; height: auto; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, min(100%, var(--panel))); gap: 1rem 1.4rem; margin: .8rem 0 .4rem; }
.panels img { width: 100%; }
.panels figcaption { font-size: .9rem; line-height: 1.4; margin-top: .15rem; overflow-wrap: anywhere; }
.panels figcaption b { color: var(--ink); }
.outcome { display: grid; grid-template-columns: 13.5rem 13.5rem minmax(0, 1fr); gap: 1rem 1.4rem; align-items: start; margin: .8rem 0 .6rem; }
.outcome.tall { grid-template-columns: 20rem minmax(0, 1fr); grid-template-rows: auto 1fr; }
.outcome.tall .animation { grid-column: 2; grid-row: 1 / span 2; }
.outcome.still { grid-template-columns: 22rem 22rem; }
.outcome figcaption { font-size: .9rem; line-height: 1.4; overflow-wrap: anywhere; }
.outcome figcaption b { color: var(--ink); }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .2rem 0 .6rem; padding: 0; list-style: none; font-size: .9rem; }
.keys li { display: flex; align-items: center; gap: .4rem; overflow-wrap: anywhere; }
.keys svg { flex: none; }
.caption { margin-top: .1rem; }
dl { margin: .4rem 0; max-width: 56rem; }
dt { font-weight: 600; margin-top: .7rem; }
dd { margin: 0; }
:target { background: #fff3c9; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .7rem 0; }
summary { cursor: pointer; padding: .6rem .9rem; font-weight: 600; background: var(--shade); border-radius: 6px; overflow-wrap: anywhere; }
details > div { padding: .2rem .9rem .6rem; }
pre { overflow-x: auto; font-size: .82rem; line-height: 1.45; background: var(--shade); padding: .8rem; border-radius: 4px; }
footer { margin-top: 3rem; padding-bottom: 3rem; }
@media (max-width: 66rem) { .outcome, .outcome.tall { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .outcome .animation, .outcome.tall .animation { grid-column: 1 / -1; grid-row: auto; } }
@media (max-width: 40rem) { h1 { font-size: 1.4rem; } h2 { font-size: 1.2rem; } main, header, footer, nav > div { padding-left: .9rem; padding-right: .9rem; }
  .outcome, .outcome.tall, .outcome.still { grid-template-columns: minmax(0, 1fr); }
  .outcome > figure:not(.animation) img { width: 17rem; } }
@media print { nav { display: none; } }
"""


def anchor(*words):
    """An id; names of runs and datasets may contain any characters."""
    return "-".join("".join(c if c.isalnum() else f"_{ord(c):x}_" for c in word) for word in words)


# ---- pictures ----


def size(content, kind):
    """Size in CSS pixels, so that the page does not jump while it loads: a PNG's from its IHDR, a GIF's from its screen descriptor, an
    SVG's from its points."""
    if kind == "png":
        pixels = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
        return tuple(round(n * 96 / DPI) for n in pixels)
    if kind == "gif":
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    head = content[:2000].decode("utf-8", "replace")
    return tuple(round(float(head.split(f'{side}="')[1].split("pt")[0]) * 96 / 72) for side in ("width", "height"))


def render(draw, kind):
    drawn = draw()
    content = drawn if kind == "gif" else png_bytes(drawn, DPI) if kind == "png" else svg_bytes(drawn)
    plt.close("all")
    return content


class Pictures:
    """Pictures of a page: while the page is written, it gets placeholders; then the pictures are drawn in parallel and inserted."""

    def __init__(self):
        self.wanted = []  # (draw, kind, alt)

    def image(self, draw, kind, alt):
        self.wanted.append((draw, kind, alt))
        return f"\0{len(self.wanted) - 1}\0"

    def put(self, page):
        """The page with its pictures, and what could not be drawn, in words."""
        parts, failed = page.split("\0"), []
        with Progress("drawing", len(self.wanted), "pictures") as progress:
            drawn = {}
            for number, content in in_parallel(range(len(self.wanted)), lambda number: render(*self.wanted[number][:2])):
                drawn[number] = content
                progress.step()
        for i in range(1, len(parts), 2):
            _, kind, alt = self.wanted[int(parts[i])]
            content = drawn[int(parts[i])]
            if isinstance(content, Failed):
                failed.append(f"{alt[:60]}: {content}")
            parts[i] = f'<p class="soft">(not drawn: {escape(str(content))})</p>' if isinstance(content, Failed) else image(content, kind, alt)
        return "".join(parts), failed


def image(content, kind, alt):
    width, height = size(content, kind)
    form = "svg+xml" if kind == "svg" else kind
    return (f'<img src="data:image/{form};base64,{base64.b64encode(content).decode()}" width="{width}" height="{height}" '
            f'alt="{escape(alt)}">')


def panel_figure(pictures, panel, more=""):
    """more: further CSS classes."""
    words = (f"<b>{escape(panel.name)}</b>" if panel.name else "") + (f"<br>{escape(panel.words)}" if panel.words else "")
    drawn = pictures.image(panel.draw, panel.kind, panel.alt)
    if panel.least:
        drawn = f'<div class="wide" role="region" tabindex="0" aria-label="{escape(panel.name)}"><div style="min-width:{96 * panel.least:.0f}px">{drawn}</div></div>'
    return (f"<figure{more}>{drawn}" + (f"<figcaption>{words}</figcaption>" if words else "") + "</figure>")


def picture_part(pictures, picture, level=3):
    """Heading, panels, legend, caption. The legend is below the plots, as words, so that it wraps."""
    kind = next(kind for kind in ("gif", "svg", "png") if kind in picture.endings)
    panels = picture.panels() if picture.panels else []
    body = "".join(panel_figure(pictures, panel) for panel in panels) or f"<figure>{pictures.image(picture.draw, kind, picture.alt)}</figure>"
    caption = f'<p class="soft caption">{escape(picture.caption)}</p>' if picture.caption else ""
    width = panels[0].width if panels else picture.width
    return (f'<h{level}>{escape(picture.title)}</h{level}><div class="panels" style="--panel:{96 * width:.0f}px">{body}</div>'
            f"{key_list(picture.keys())}{caption}")


# ---- legends ----

def dashes(line):
    return "" if line == "-" else f' stroke-dasharray="{" ".join(f"{3 * n / 1.5:g}" for n in line[1])}"'


def marker_shape(marker, colour):
    shapes = {"o": '<circle cx="18" cy="7" r="3.6"/>', "s": '<rect x="14.5" y="3.5" width="7" height="7"/>', "^": '<path d="M18 3l4 7.5h-8z"/>',
              "D": '<path d="M18 2.4l4.6 4.6-4.6 4.6-4.6-4.6z"/>', "v": '<path d="M18 11l4-7.5h-8z"/>',
              "P": '<path d="M16.4 3h3.2v2.4H22v3.2h-2.4V11h-3.2V8.6H14V5.4h2.4z"/>',
              "X": '<path d="M14.2 5.2l2-2L18 5l1.8-1.8 2 2L20 7l1.8 1.8-2 2L18 9l-1.8 1.8-2-2L16 7z"/>', ".": '<circle cx="18" cy="7" r="2"/>'}
    return f'<g fill="{colour}">{shapes.get(marker, "")}</g>'


def key_picture(key: Key):
    if key.kind == "line":
        return (f'<svg width="36" height="14" aria-hidden="true"><path d="M0 7h36" stroke="{key.colour}" stroke-width="2.2"{dashes(key.line)}/>'
                f"{marker_shape(key.marker, key.colour)}</svg>")
    return f'<svg width="14" height="14" aria-hidden="true"><rect width="14" height="14" rx="3" fill="{key.colour}"/></svg>'


def scale_picture(key):
    """The gate's colours from expert 2 to expert 1."""
    stops = "".join(f'<rect x="{4 * i}" width="4.5" height="12" fill="{matplotlib.colors.to_hex(GATE(place))}"/>' for i, place in
                    enumerate(np.linspace(0, 1, 32)))
    return f'{escape(key.label)}: expert 2 alone <svg width="128" height="12" aria-hidden="true">{stops}</svg> expert 1 alone'


def key_list(keys):
    if not keys:
        return ""
    items = "".join(f"<li>{scale_picture(key) if key.kind == 'scale' else key_picture(key) + escape(key.label)}</li>" for key in keys)
    return f'<ul class="keys" aria-label="Legend">{items}</ul>'


# ---- tables ----


def cell(text, best=False):
    words = escape(str(text))
    return f'<td class="number">{f"<b>{words}</b>" if best else words}</td>'


def row_head(name, words=""):
    return f'<th scope="row">{escape(name)}' + (f"<small>{escape(words)}</small>" if words else "") + "</th>"


def table(name, heads, bodies):
    """heads: finished cells; bodies: the finished rows of each group. A wide table scrolls in its own box, also by keyboard."""
    groups = "".join(f"<tbody>{''.join(rows)}</tbody>" for rows in bodies)
    return (f'<div class="wide" role="region" tabindex="0" aria-label="{escape(name)}"><table><caption hidden>{escape(name)}</caption>'
            f"<thead><tr>{''.join(heads)}</tr></thead>{groups}</table></div>")


def head(name, words="", link="", number=True):
    inner = f'<a href="#{link}">{escape(name)}</a>' if link else escape(name)
    return f'<th scope="col"{" class=number" if number else ""}>{inner}' + (f"<small>{escape(words)}</small>" if words else "") + "</th>"


def details(summary, content, unfolded=False):
    return f"<details{' open' if unfolded else ''}><summary>{escape(summary)}</summary><div>{content}</div></details>"
