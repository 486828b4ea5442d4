"""One hundred kills with SIGKILL at random points. What such a job takes is its checkpoints; with DUALDIFF_THOROUGH=1 it has 13 instead of 4."""
import kill_trials
from thorough import sized

JOB = sized({"training.steps": 300, "training.checkpoint_every": 75}, {})


def test_a_hundred_kills(tmp_path):
    assert kill_trials.kill_until_done(tmp_path, 100, seed=2, threads=("1", "2"), settings=JOB) == 100
