"""The documents: wrapped at 100 columns, links and named files that exist, and no word that is hard to understand; the last
also in the code."""
import os
import re
from pathlib import Path

import pytest

SOURCE = Path(os.environ["DUALDIFF_SOURCE"])
FOLDERS = ("docs", "results", "bench", "cuda", "python", "tests", "host")
CODE = (".c", ".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".toml")
WIDTH = 100
# Idioms of this project's older documents, and what to write instead.
FORBIDDEN = {
    r"besides?": "next to, compared with, in addition to", r"anew": "again", r"stands?|stood": "is, are",
    r"(go|goes|going|went|gone) on": "continue, resume", r"likewise": "also, in the same way", r"on (its|their) own": "alone",
    r"an edge in": "an interface in", r"to speak of": "say how much", r"hold it against": "compare it with", r"by turns": "in turn",
    r"no lack": "enough", r"as it were": "leave it out"}
NAMED = re.compile(r"`((?:host|cuda|python|tests|docs|results|bench|configs)/[^`\s]*)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def documents(root):
    """{path below root: text} of all Markdown."""
    paths = [*root.glob("*.md"), *(path for folder in FOLDERS for path in (root / folder).rglob("*.md"))]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


def outside_code(text):
    """The text with every line of a code block empty, so that line numbers stay."""
    parts = re.split(r"^(\s*```.*)$", text, flags=re.MULTILINE)  # text, fence, code, fence, text, ...
    return "".join(re.sub(r"[^\n]", "", part) if i % 4 else part for i, part in enumerate(parts))


def anchors(text):
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", outside_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def cannot_be_wrapped(line):
    """A row of a table, a picture, the caption of a table that `dualdiff compare` prints, or one word."""
    return line.startswith(("|", "![")) or re.match(r"\*\*\w+\*\* \[", line) or " " not in line.strip().lstrip("-* ")


def too_wide(path, text):
    return [f"{path}:{number}: {len(line)} columns, {WIDTH} are the most" for number, line in enumerate(text.split("\n"), 1)
            if len(line) > WIDTH and not cannot_be_wrapped(line)]


def forbidden(path, text):
    return [f"{path}:{number}: '{found[0]}'; write: {better}" for number, line in enumerate(text.split("\n"), 1)
            for word, better in FORBIDDEN.items() for found in re.finditer(rf"\b(?:{word})\b", line, re.IGNORECASE)]


def words(path, text):
    return forbidden(path, re.sub(r"`[^`\n]*`", "", outside_code(text)))


def broken_links(path, text, root):
    for target in LINK.findall(outside_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = root / os.path.normpath(os.path.join(os.path.dirname(path), name))
        if name and not file.exists():
            yield f"{path}: there is no {target}"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8") if name else text):
            yield f"{path}: {name or 'the page'} has no heading #{anchor}"


def named_files_missing(path, text, root):
    """`host/...` and the like; a placeholder (<name>) is not looked for, and * may be any file."""
    for name in NAMED.findall(outside_code(text)):
        if not re.search(r"[<{$]", name) and not any(root.glob(name.rstrip("/"))):
            yield f"{path}: there is no {name}"


def faults(path, text, root=SOURCE):
    return [*too_wide(path, text), *words(path, text), *broken_links(path, text, root), *named_files_missing(path, text, root)]


DOCUMENTS = documents(SOURCE)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_document(path):
    found = faults(path, DOCUMENTS[path])
    assert not found, "\n".join(found)


def test_words_of_the_code():
    paths = [path for folder in (*FOLDERS, "configs") for path in sorted((SOURCE / folder).rglob("*")) if path.suffix in CODE]
    found = [line for path in paths if path.name != "test_documents.py" for line in forbidden(path.relative_to(SOURCE), path.read_text(encoding="utf-8"))]
    assert len(paths) > 300 and not found, "\n".join(found)


def test_the_documents_are_found():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "results/study/study.md",
            "tests/substitute/README.md"} <= DOCUMENTS.keys()


@pytest.mark.parametrize("planted, said", [
    ("word " * 21, "105 columns"),
    ("It stands beside the other.", "'beside'"), ("It goes on.", "'goes on'"),
    ("[page](nowhere.md)", "no nowhere.md"), ("[part](docs/metrics.md#nothing)", "no heading #nothing"),
    ("See `host/base/nothing.h`.", "no host/base/nothing.h"), ("See `host/nothing/*.h`.", "no host/nothing/*.h")])
def test_a_fault_is_found(planted, said):
    found = faults("README.md", f"# Title\n\n{planted}\n")
    assert found and any(said in line for line in found)


@pytest.mark.parametrize("fine", [
    "| " + "cell | " * 30, "![" + "long " * 30 + "](docs/dino.png)", "- https://example.org/" + "x" * 120,
    "```sh\ncd host/nothing # goes on\n```", "`stands` and `host/cli/cmd_<name>.c` and `configs/*.toml`",
    "[here](#title) and [there](docs/metrics.md#losses-and-times)"])
def test_what_is_no_fault(fine):
    assert faults("README.md", f"# Title\n\n{fine}\n") == []
