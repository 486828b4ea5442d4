"""Stop anywhere and resume: the result has the same bits as a run that was never stopped."""
import signal
import subprocess
import time

import h5py
import pytest

import kill_trials
import small_job


LONG = {"training.steps": small_job.LONG}


def log(out, seed=0, dataset="dino"):
    return out / f"run_3/{dataset}/seed_{seed}.h5"


def checkpoint_step(out, seed=0, dataset="dino"):
    with h5py.File(out / f"run_3/{dataset}/seed_{seed}.checkpoint") as file:
        return int(file.attrs["step"])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_leaves_a_checkpoint_and_the_same_command_resumes(tmp_path, name):
    job = ["--dataset", "dino"]
    words = small_job.command(tmp_path / "stopped", *job, settings=LONG)
    code, errors = small_job.interrupt(words, small_job.appears(log(tmp_path / "stopped")), small_job.SIGNALS[name])
    assert code == 130 and "run the same command to resume" in errors
    step = checkpoint_step(tmp_path / "stopped")
    assert 0 < step < small_job.LONG
    assert f"resuming from step {step}" in small_job.run(words)
    small_job.run(small_job.command(tmp_path / "whole", *job, settings=LONG))
    small_job.assert_equal_results(log(tmp_path / "stopped"), log(tmp_path / "whole"))


@pytest.mark.parametrize("name, folder, settings", [
    ("dino", "dino", {"model.experts": 4, "training.gate_every": 3, "sampling.start": "data", "sampling.steps": 5}),
    ("dino", "dino", {"model.experts": 4, "model.gate": "hard", "diffusion.prediction": "x0", "training.min_snr_gamma": 5}),
    ("dino", "dino", {"model.gate": "fixed", "training.diversity_weight": 0.1, "training.diversity_course": "cosine"}),
    ("gaussians", "gaussians_d10", {"data.dimensions": 10, "model.embedding": "fourier", "training.diversity_weight": 0.1}),
], ids=["four experts", "hard gate", "fixed gate", "ten dimensions"])
def test_other_settings_resume_to_the_same_end(tmp_path, name, folder, settings):
    job, settings, stopped = ["--dataset", name], {**LONG, **settings}, log(tmp_path / "stopped", dataset=folder)
    words = small_job.command(tmp_path / "stopped", *job, settings=settings)
    code, errors = small_job.interrupt(words, small_job.appears(stopped), signal.SIGINT)
    assert code == 130 and 0 < checkpoint_step(tmp_path / "stopped", dataset=folder) < small_job.LONG, errors
    assert "resuming from step" in small_job.run(words)
    small_job.run(small_job.command(tmp_path / "whole", *job, settings=settings))
    small_job.assert_equal_results(stopped, log(tmp_path / "whole", dataset=folder))


def test_random_kills(tmp_path):
    assert kill_trials.kill_until_done(tmp_path, 12, seed=1, numbers=(signal.SIGKILL, signal.SIGKILL, signal.SIGTERM),
                                       settings={"training.steps": 500}) == 12


def test_a_checkpoint_written_but_not_renamed_resumes(tmp_path):
    """Killed between two renames: one replica's newest state is in .next. Both hold the same step."""
    words = small_job.command(tmp_path, "--dataset", "dino", "--seeds", "0-1", settings=LONG)
    code, errors = small_job.interrupt(words, small_job.appears(log(tmp_path, 1)), signal.SIGINT)
    assert code == 130, errors
    checkpoint = tmp_path / "run_3/dino/seed_1.checkpoint"
    unnamed = checkpoint.with_name(checkpoint.name + ".next")
    checkpoint.rename(unnamed)
    step = checkpoint_step(tmp_path)
    errors = small_job.run(words)
    assert errors.count("resuming from step") == 1 and f"resuming from step {step}" in errors
    assert f"{small_job.LONG}/{small_job.LONG} x 2 networks" in errors, "in one ensemble"
    assert not checkpoint.exists() and not unnamed.exists()


def test_kill_while_a_checkpoint_is_there_but_not_renamed(tmp_path):
    """The same by a real kill, as soon as the first of four replicas has its new checkpoint next to the old one."""
    words = small_job.command(tmp_path / "cut", "--dataset", "dino", "--seeds", "0-3", "--quiet")
    folder = tmp_path / "cut/run_3/dino"
    hits = 0
    for _ in range(40):
        process = subprocess.Popen(words)
        unnamed = folder / "seed_0.checkpoint.next"
        while process.poll() is None and not unnamed.exists():
            time.sleep(.0002)
        process.kill()
        if process.wait() == 0:
            break
        hits += any(folder.glob("*.next"))
        kill_trials.assert_readable(tmp_path / "cut")
    assert hits > 0
    small_job.run(words)
    assert not any(folder.glob("*.next"))
    small_job.run(small_job.command(tmp_path / "whole", "--dataset", "dino", "--seeds", "0-3"))
    for seed in range(4):
        small_job.assert_equal_results(log(tmp_path / "cut", seed), log(tmp_path / "whole", seed))


def test_a_newer_checkpoint_of_one_replica_alone(tmp_path):
    """Killed when only seed 0 had written its newer checkpoint: both resume from the older one, and the logs are cut back
    to it. A kill then leaves nothing newer than the log behind, so that seed 0 can also resume alone."""
    settings = {"training.steps": 100000}
    words = small_job.command(tmp_path, "--dataset", "dino", "--seeds", "0-1", settings=settings)
    folder = tmp_path / "run_3/dino"
    assert small_job.interrupt(words, small_job.appears(log(tmp_path)), signal.SIGINT)[0] == 130
    older = {seed: (folder / f"seed_{seed}.checkpoint").read_bytes() for seed in (0, 1)}
    step = checkpoint_step(tmp_path)
    assert small_job.interrupt(words, small_job.appears(log(tmp_path)), signal.SIGINT)[0] == 130
    assert checkpoint_step(tmp_path) > step
    (folder / "seed_0.checkpoint").rename(folder / "seed_0.checkpoint.next")
    for seed in (0, 1):
        (folder / f"seed_{seed}.checkpoint").write_bytes(older[seed])

    cut_back = small_job.appears(log(tmp_path))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not cut_back():
        time.sleep(.0002)
    process.kill()
    assert f"resuming from step {step}\n" in process.communicate()[1]
    alone = small_job.command(tmp_path, "--dataset", "dino", settings=settings)
    code, errors = small_job.interrupt(alone, small_job.appears(log(tmp_path)), signal.SIGINT)
    assert code == 130 and "resuming from step" in errors, errors


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    settings = {"training.steps": 2 * small_job.LONG}
    words = small_job.command(tmp_path / "cut", "--dataset", "dino", settings=settings)
    code, errors = small_job.interrupt(words, small_job.appears(log(tmp_path / "cut")), signal.SIGINT)
    assert code == 130, errors
    good = tmp_path / "cut/run_3/dino/seed_0.checkpoint"
    whole, step = good.read_bytes(), checkpoint_step(tmp_path / "cut")
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        (good.parent / "seed_0.checkpoint.next").write_bytes(whole[:length])
        code, errors = small_job.interrupt(words, .2, signal.SIGKILL)
        assert code == -signal.SIGKILL or f"resuming from step {step}" in errors, errors
        if code == 0:
            break  # a fast machine was at the end before the signal
        step = checkpoint_step(tmp_path / "cut")
    small_job.run(words)
    small_job.run(small_job.command(tmp_path / "whole", "--dataset", "dino", settings=settings))
    small_job.assert_equal_results(log(tmp_path / "cut"), log(tmp_path / "whole"))


def test_replicas_of_other_steps_train_apart(tmp_path):
    """Seed 0 was stopped early; the ensemble 0-2 resumes it, and all end as if undisturbed."""
    words = small_job.command(tmp_path / "grown", "--dataset", "dino", settings=LONG)
    code, errors = small_job.interrupt(words, small_job.appears(log(tmp_path / "grown")), signal.SIGINT)
    assert code == 130, errors
    small_job.run(words + ["--seeds", "0-2"])
    small_job.run(small_job.command(tmp_path / "together", "--dataset", "dino", "--seeds", "0-2", settings=LONG))
    for seed in range(3):
        small_job.assert_equal_results(log(tmp_path / "grown", seed), log(tmp_path / "together", seed))


def test_all_done_changes_nothing(tmp_path):
    words = small_job.command(tmp_path, "--dataset", "line", settings={"training.steps": 60})
    small_job.run(words)
    result = tmp_path / "run_3/line/seed_0.h5"
    before, time = result.read_bytes(), result.stat().st_mtime_ns
    assert "nothing is left to do" in small_job.run(words)
    assert result.read_bytes() == before and result.stat().st_mtime_ns == time
