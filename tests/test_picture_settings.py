"""A user's settings of matplotlib, Python and the locale do not change the pictures, and the files appear complete."""
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from result_files import write_result
from small_job import PROGRAM

sys.path.insert(0, str(Path(os.environ["DUALDIFF_SOURCE"]) / "python"))
import files  # noqa: E402
import progress  # noqa: E402
import workers  # noqa: E402

sys.path.pop(0)
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MPL", "MATPLOTLIB", "LC_", "LANG"))}
RC = "backend: nonsense\nfont.family: NoSuchFont\ntext.usetex: True\naxes.facecolor: black\nnot.a.key: 3\n"


def plot(folder, out, cwd=None, **environment):
    done = subprocess.run([PROGRAM, "plot", folder, "--out", out], capture_output=True, cwd=cwd, env=CLEAN | environment, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    said = [line for line in done.stderr.splitlines() if not line.startswith((b"checking: ", b"drawing: "))]  # progress, where a machine is slow
    assert not said, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run, and its pictures {name: bytes} without any settings."""
    folder = tmp_path_factory.mktemp("runs")
    write_result(folder, "run_0", "dino", 0, {"kl_divergence": .5})
    plot(folder, folder / "plots")
    return folder, {path.name: path.read_bytes() for path in (folder / "plots").iterdir()}


def hostile(folder):
    """Settings of all kinds together: files in the current folder, in the home, and variables."""
    for place in folder, folder / ".config" / "matplotlib":
        place.mkdir(parents=True, exist_ok=True)
        (place / "matplotlibrc").write_bytes(RC.encode() + b"# \xe9\n")
    for module in "runs", "drawing", "files", "csv", "usercustomize", "random":
        (folder / f"{module}.py").write_text("raise SystemExit('the wrong module')\n")
    return {"HOME": str(folder), "MATPLOTLIBRC": str(folder / "matplotlibrc"), "MPLBACKEND": "nonsense", "MPLCONFIGDIR": "/proc/none",
            "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONHOME": "/nowhere",
            "PYTHONINSPECT": "1", "PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"}


def test_settings_do_not_reach_the_pictures(tmp_path, plain):
    folder, pictures = plain
    environment = hostile(tmp_path)
    if "DUALDIFF_PYTHON" in CLEAN or not (Path(os.environ["DUALDIFF_SOURCE"]) / ".venv").exists():
        del environment["PYTHONHOME"], environment["PYTHONPATH"]  # another Python may need them to find numpy
    plot(folder, tmp_path / "out", tmp_path, **environment)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == pictures


def test_another_python_keeps_its_packages(tmp_path, plain):
    """PYTHONPATH says where numpy is; modules there with the same names as ours are ignored."""
    folder, pictures = plain
    for module in "runs", "drawing", "files", "progress":
        (tmp_path / f"{module}.py").write_text("raise SystemExit('the wrong module')\n")
    packages = next(path for path in sys.path if (Path(path) / "numpy").exists())
    plot(folder, tmp_path / "out", tmp_path, DUALDIFF_PYTHON=sys.executable, PYTHONPATH=f"{tmp_path}:{packages}", PYTHONSAFEPATH="1")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == pictures


def test_names_that_are_no_utf8(tmp_path):
    """In the C locale too, a path is the bytes that it is."""
    write_result(tmp_path, "run_0", "dino", 0, {"kl_divergence": .5})
    folder = os.fsencode(tmp_path) + b"/r\xe9sultats"
    os.makedirs(folder)
    os.rename(os.fsencode(tmp_path) + b"/run_0", folder + b"/run_0")
    said = plot(folder, folder + b"/plots", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert b"r\xe9sultats/plots/kl_divergence_comparison.png" in said
    assert len(os.listdir(folder + b"/plots")) == 6  # three pictures, each as PNG and SVG


# ---- files ----


def test_replaced_file(tmp_path):
    """A link stays a link and a mode stays the mode; a new file gets what the umask leaves."""
    target, link = tmp_path / "real.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    files.write_whole(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new" and stat.S_IMODE(target.stat().st_mode) == 0o600
    mask = os.umask(0o027)
    try:
        files.write_whole(tmp_path / "fresh.png", b"x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "fresh.png").stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh.png", "link.png", "real.png"]


def test_two_writers_do_not_mix(tmp_path):
    """Complete at every moment; a user's file that has the name of a temporary one is not changed."""
    path, own = tmp_path / "page.html", tmp_path / "page.html.tmp"
    own.write_text("mine")
    contents = [letter * 300_000 for letter in (b"a", b"b")]
    seen, done = set(), threading.Event()
    files.write_whole(path, contents[0])

    def look():
        while not done.is_set():
            found = path.read_bytes()
            seen.add((len(found), len(set(found))))

    threads = [threading.Thread(target=lambda content=content: [files.write_whole(path, content) for _ in range(20)]) for content in contents]
    reader = threading.Thread(target=look)
    for thread in [reader, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert seen == {(300_000, 1)} and own.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "page.html.tmp"]


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    files.write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["page.html"]


# ---- workers and progress ----


def work(thing):
    if thing == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if thing == "hang":
        threading.Event().wait()
    if thing == "memory":
        return len(bytearray(1 << 40))
    if thing == "wrong":
        raise KeyError("samples")
    return thing * 2


def test_one_failure_does_not_affect_the_others():
    things = ["a", "crash", "b", "hang", "memory", "wrong", "c", "crash", "d"]
    answers = list(workers.in_parallel(things, work, limit=3))
    assert len(answers) == len(things)
    said = {thing: str(answer) for thing, answer in answers}
    assert {said[thing] for thing in "abcd"} == {"aa", "bb", "cc", "dd"}
    assert "SIGKILL" in said["crash"] and "3 s" in said["hang"] and "memory" in said["memory"] and "KeyError" in said["wrong"]


def test_progress(monkeypatch, capsys):
    """Silent for two seconds, then a line every ten, with the time that is left; on a terminal a bar that is taken away."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Progress("drawing", 40, "pictures") as bar:
        for _ in range(30):
            now[0] += 0.9
            bar.step()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "drawing: 3 of 40 pictures  0:33 left" and len(said) == 3
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Progress("drawing", 4, "pictures") as bar:
        for _ in range(4):
            now[0] += 1.5
            bar.step()
    said = capsys.readouterr().err
    assert "\n" not in said and said.count("[#") == 3 and said.endswith("\r\033[K")
