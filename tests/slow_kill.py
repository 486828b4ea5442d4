"""Kills with SIGKILL at random points. Most of the time goes into the job's checkpoints; with DUALDIFF_THOROUGH=1 there are 100 kills
and 13 checkpoints instead of 40 and 4."""
import kill_trials
from thorough import sized

KILLS = sized(40, 100)
JOB = sized({"training.steps": 300, "training.checkpoint_every": 75}, {})


def test_many_kills(tmp_path):
    assert kill_trials.kill_until_done(tmp_path, KILLS, seed=2, threads=("1", "2"), settings=JOB) == KILLS
