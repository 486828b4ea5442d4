"""`dualdiff report`: what the page contains, that it needs no other file, and how headless Chromium lays it out."""
import base64
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from result_files import write_result
from small_job import CONFIG, PROGRAM, command, run

sys.path.append(os.path.join(os.environ["DUALDIFF_SOURCE"], "python"))
from report_table import Metric, spread  # noqa: E402

ERR_IO = 5
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
ODD = 'run <b>&"odd'  # a folder may have any name


def report(*arguments, status=0):
    done = subprocess.run([PROGRAM, "report", *map(str, arguments)], capture_output=True, text=True, timeout=200)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Trained and analysed runs, one of two seeds, one of four experts that samples in ten of forty steps, one with a fixed gate; one
    without gate under an odd name; true points and the exact denoiser's."""
    out = tmp_path_factory.mktemp("runs")
    four = {"model.experts": 4, "diffusion.timesteps": 40, "diffusion.prediction": "x0", "sampling.steps": 10}
    for name, seeds, settings in ("run_3", "0-1", {}), ("four", "0", four), ("fixed", "0", {"model.gate": "fixed"}):
        config = out / f"{name}.toml"
        config.write_bytes(Path(CONFIG).read_bytes())
        run(command(out, "--dataset", "circle", "--seeds", seeds, config=config, settings={"training.steps": 300} | settings))
        subprocess.run([PROGRAM, "analyze", out / name / "circle" / "seed_0.h5", "--threads", "1"], check=True, capture_output=True)
    write_result(out, ODD, "circle", 0, {"kl_divergence": 0.4321, "eval_loss": 0.5, "training_time": 0.01})
    for command_name in "floor", "oracle":
        subprocess.run([PROGRAM, command_name, CONFIG, "--dataset", "circle", "--draws", "2", "--out", out, "--threads", "1", "--set",
                        "data.points=500", "evaluation.samples=100", "diffusion.timesteps=5"], check=True, capture_output=True)
    report(out, "--out", out / "pages" / "page.html")
    return (out / "pages" / "page.html").read_text()


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def test_stands_alone(page):
    elements = Elements(page)
    assert not elements.open
    for tag, attributes in elements.found:
        assert tag not in ("script", "link", "iframe")
        for name in ("src", "href"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/", "#")), attributes[name][:80]
    assert "url(" not in page and "@import" not in page


def pictures_of(text):
    """Each image: (attributes, kind, content)."""
    for attributes in (attributes for tag, attributes in Elements(text).found if tag == "img"):
        kind, content = re.match(r"data:image/(png|gif|svg\+xml);base64,(.*)", attributes["src"]).groups()
        yield attributes, kind, base64.b64decode(content)


def test_images(page):
    """Each can be decoded, and has its size and a description for those who cannot see it; PNG pictures have twice the pixels that they take; one animation moves."""
    moving, kinds = 0, set()
    for attributes, kind, content in pictures_of(page):
        width, height = int(attributes["width"]), int(attributes["height"])
        kinds.add(kind)
        if kind == "svg+xml":
            found = re.search(rb'width="([0-9.]+)pt"', content)
            assert float(found.group(1)) * 96 / 72 == pytest.approx(width, abs=1)
        else:
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.width == pytest.approx((2 if kind == "png" else 1) * width, abs=2) and picture.height > height - 2
                if kind == "gif":
                    moving += picture.n_frames > 8 and picture.width >= 720
        assert len(attributes["alt"]) > 30 and "nan" not in attributes["alt"]
    assert moving == 1 and kinds == {"png", "gif", "svg+xml"}


def test_opens_with_the_outcome(page):
    """Figures in a sentence, the data, the best samples and the animation; then one table; then pictures, each with a caption."""
    headings = re.findall(r"<h([123])[^>]*>(.*?)</h", page)
    assert [text for level, text in headings if level == "2"] == ["Outcome", "Runs and metrics", "Pictures: circle", "Configurations", "Machine"]
    assert [level for level, _ in headings][:2] == ["1", "2"]
    outcome, table = page[page.index('id="outcome"'):page.index('id="figures"')], page[page.index('id="figures"'):page.index("Pictures: circle</h2>")]
    sentence = re.sub("<[^>]*>", "", outcome[:outcome.index("<img")])
    assert re.search(r"KL divergence from the data in bits.*2 experts \(run_3\) [0-9.]+.*; a perfect network \(oracle_run_3\) .*; perfect samples \(floor\) [−0-9.]+", sentence), sentence
    names = [re.sub("<[^>]*>", "", name) for name in re.findall(r"<figcaption>(<b>.*?</b>)", outcome)]
    assert names[0] == "data" and names[1].startswith("best samples: ") and names[2:] == ["From noise to samples"]
    assert "500 training points" in outcome and "fresh points" not in outcome
    assert table.count("<table") == 2 and "<details" in table[:table.rindex("<table")], "the second table is folded up"
    parts = re.findall(r"<h3>(.*?)</h3>(.*?)(?=<h3>|</section>)", page[page.index("Pictures: circle</h2>"):page.index('id="configurations"')], re.DOTALL)
    assert len(parts) > 10 and all('class="soft' in part for _, part in parts)
    assert "no gate" not in re.sub(r'src="[^"]*"', "", page)


def test_best_in_bold(page):
    """The best run is bold; floor and oracle are at the bottom and never bold."""
    table = re.search(r'<div class="wide"[^>]*aria-label="Runs and metrics".*?</table>', page, re.DOTALL).group()
    heads = [re.sub("<small>.*?</small>|<[^>]*>", "", cell) for cell in re.findall(r"<th scope=\"col\".*?</th>", table)]
    rows = [[re.search(r'scope="row">([^<]*)', row).group(1), *re.findall(r'<td class="number">(.*?)</td>', row)] for row in re.findall(r"<tr.*?</tr>", table)[1:]]
    assert [row[0] for row in rows][-2:] == ["oracle_run_3", "floor"]
    for name in "KL divergence", "off support", "training":
        column = heads.index(name)
        bold = [row for row in rows if "<b>" in row[column]]
        values = [float(re.sub(r"<[^>]*>|%| ±.*", "", row[column]).replace("−", "-")) for row in rows[:-2] if row[column] != "–"]
        assert bold and all(float(re.sub(r"<[^>]*>|%| ±.*", "", row[column]).replace("−", "-")) == min(values) for row in bold), name
        assert not [row for row in bold if row[0] in ("floor", "oracle_run_3")]
    assert "0.432" in next(row[1] for row in rows if row[0] == html.escape(ODD))
    assert re.search(r">\d+(\.\d ± [0-9.]+)? of 17<", table) and ".0 of 17" not in table.replace(" ± 0.0", "")
    assert not [row for row in rows if "<b>" in row[heads.index("training loss")]], "runs that predict different things"
    assert not re.search("± 0(\\.0+)?[ <]", table), "no spread where there is none"


@pytest.mark.parametrize("name, unit, mean, deviation, text", [
    ("training_time", "s", .0123, 4.9e-5, "0.012300 ± 0.000049"),
    ("training_time", "s", 124.9, 1e-14, "125"),
    ("off_support", "%", 5e-4, 2.2e-5, "0.050 ± 0.002 %"),
    ("kl_divergence", "bit", -.02512, 2.1e-4, "\N{MINUS SIGN}0.0251 ± 0.0002"),
    ("eval_loss", "", 2e-5, None, "0.0000200")])
def test_digits(name, unit, mean, deviation, text):
    """A deviation that is not zero is not shown as zero; the rounding of equal values is no deviation."""
    assert spread(Metric(name, 1, name, unit, "low", ""), (mean, deviation, 2)) == text


def test_links_lead_somewhere(page):
    found = Elements(page).found
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for tag, attributes in found if tag == "a"]
    assert links and set(links) <= set(ids)


def test_tables(page):
    """The numbers of `compare`, names escaped, the configuration whole, every word of the table explained."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r'src="[^"]*"', "", page)))
    assert "0.432" in text and re.search(r"run_3 2 experts[^;]*; 2 seeds [−0-9.]+ ± [0-9.]+", text)
    assert html.escape(ODD) in page and 'run <b>' not in page
    assert re.search(r"fixed 2 experts, fixed gate(?: –){4} [0-9.]+ [0-9.]+ [0-9.]+ [0-9.]+ ", text)
    assert re.search(r"four 4 experts, T = 40[^–]*? (?:-?[0-9.]+ ){8}", text)
    for words in "diversity_weight = 0.0", "KL divergence", "model.experts", "trained together", "modes on data, bit", "dualdiff floor":
        assert words in text, words
    for word in "kl_divergence", "modes_captured", "off_support", "eval_loss", "heldout_loss", "training_time", "floor", "oracle", "gate", "expert", "t":
        assert f'<dt id="word-{word}">' in page, word


def test_a_folder_with_another_encoding(tmp_path):
    """Bytes of a name that are not UTF-8 are replaced; the run's numbers are there."""
    path = write_result(tmp_path, "run_x", "dino", 0, {"kl_divergence": 1.25})
    os.rename(os.fsencode(path.parents[1]), os.fsencode(tmp_path) + b"/run_\xe9")
    report(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "run_\ufffd" in text and "1.250" in text


def test_nothing_to_report(tmp_path):
    assert "no finished run" in report(tmp_path, status=ERR_IO)


def test_without_analysis(tmp_path):
    write_result(tmp_path, "run_0", "dino", 0, {"kl_divergence": 1.0})
    report(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "dualdiff analyze" in text and text.count("<img") == 4 and "gating weight" not in text.lower() and "dashed line" not in text


def test_points_of_a_file(tmp_path):
    """A user's own points are shown without an analysis, under their name, as many as there are samples; no advice that only generated sets can follow."""
    points = tmp_path / "mine.csv"
    points.write_text("".join(f"{i % 20 / 10},{i % 7 / 5}\n" for i in range(300)))
    run(command(tmp_path, "--dataset", points, settings={"training.steps": 60, "data.heldout_share": 0}))
    report(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "100 of 300 training points" in text and "fresh points of the same" not in text
    assert "dualdiff floor" not in text and "modes captured" not in text and "best samples" not in text


LOOK = """
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument, view = page.documentElement, found = [];
  for (const part of page.querySelectorAll("details")) part.open = true;
  if (view.scrollWidth > view.clientWidth) found.push("the page is wider than the window: " + view.scrollWidth);
  for (const image of page.images) if (!image.complete || !image.naturalWidth || image.clientWidth < 190 || image.clientWidth > view.clientWidth) found.push("image: " + image.alt);
  const scrolls = element => element.parentElement.closest(".wide, .picture, pre");
  for (const element of page.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (!scrolls(element) && box.width && (box.right > view.clientWidth + 1 || box.left < -1)) found.push("cut off: " + element.outerHTML.slice(0, 80));
    if (!element.closest(".wide, .picture, pre") && element.scrollWidth > element.clientWidth + 1 && element.clientWidth) found.push("too wide: " + element.outerHTML.slice(0, 80));
  }
  const boxes = [...page.querySelectorAll("h1, h2, p, .wide, .picture, summary, figcaption, pre, nav li")].map(element => [element, element.getBoundingClientRect()]);
  for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
    const [a, p] = boxes[i], [b, q] = boxes[j];
    const over = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1 && Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1;
    if (over && !scrolls(a) && !scrolls(b)) found.push("overlap: " + a.textContent.slice(0, 40) + " / " + b.textContent.slice(0, 40));
  }
  const small = [...page.querySelectorAll("p, td, th, figcaption, small, pre")].filter(element => parseFloat(page.defaultView.getComputedStyle(element).fontSize) < 11);
  if (small.length) found.push("small print: " + small[0].textContent);
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify({found, images: page.images.length, height: view.scrollHeight});
  document.body.replaceChildren(out);
});
"""


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium: Debian's package chromium")
@pytest.mark.parametrize("width", [360, 400, 820, 1400])
def test_layout(page, tmp_path, width):
    """On a phone, a tablet and a desktop: nothing is cut off, nothing overlaps, and no network is needed."""
    frame = tmp_path / "frame.html"
    frame.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin:0"><script>{LOOK}</script>'
                     f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(page)}"></iframe>')
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
                           f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,1000", "--virtual-time-budget=20000", "--dump-dom",
                           frame.as_uri()], capture_output=True, text=True, timeout=100)
    answer = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stdout[-300:] + done.stderr[-600:]
    told = json.loads(html.unescape(answer.group(1)))
    assert told["images"] == page.count("<img") and told["height"] > 3000
    assert not told["found"], told["found"][:10]
