"""matplotlib as it comes, whatever this user has set: no matplotlibrc, no backend of a window system, no advice on caches."""
import contextlib
import logging
import os


@contextlib.contextmanager
def elsewhere():
    """matplotlib reads a matplotlibrc of the current folder before all others; there is none here."""
    here = os.open(".", os.O_PATH)
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)


os.environ["MATPLOTLIBRC"] = os.devnull
os.environ["MPLBACKEND"] = "Agg"
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # "... is not a writable directory", "building the font cache"
with elsewhere():
    import matplotlib
    import matplotlib.pyplot as plt

matplotlib.rcdefaults()
matplotlib.use("Agg")
