"""matplotlib with its defaults, independent of the user's settings: no matplotlibrc, no window system, no hints about caches."""
import contextlib
import logging
import os
import warnings


@contextlib.contextmanager
def elsewhere():
    """A folder without a matplotlibrc, because matplotlib reads the one in the current folder before all others."""
    here = os.open(".", os.O_PATH)
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)


os.environ["MATPLOTLIBRC"] = os.devnull
os.environ["MPLBACKEND"] = "Agg"
# Tick labels of huge values can leave no room for the axes. The picture is then drawn without the layout.
warnings.filterwarnings("ignore", message="constrained_layout not applied")
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # "... is not a writable directory", "building the font cache"
with elsewhere():
    import matplotlib
    import matplotlib.pyplot as plt  # noqa: F401 (for the other modules)

matplotlib.rcdefaults()
matplotlib.use("Agg")
