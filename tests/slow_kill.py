"""One hundred kills with SIGKILL at random points."""
import kill_trials


def test_a_hundred_kills(tmp_path):
    assert kill_trials.kill_until_done(tmp_path, 100, seed=2, threads=("1", "2")) == 100
