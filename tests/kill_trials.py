"""Kill a job at random times until it finishes, and compare the result with an undisturbed run."""
import random
import shutil
import signal
import time

import h5py

import small_job

DATASETS = ["dino", "moons"]
JOB = ["--dataset", *DATASETS, "--seeds", "0-1", "--quiet"]


def results(out):
    return [out / "run_3" / dataset / f"seed_{seed}.h5" for dataset in DATASETS for seed in (0, 1)]


def assert_readable(out):
    """After a kill: every file with the name of a checkpoint is complete, and a log can be opened."""
    for path in out.rglob("seed_*.checkpoint"):
        with h5py.File(path) as file:
            assert file.attrs["complete"] == 1
            for group in ("parameters/online", "parameters/ema", "optimizer/exp_avg", "optimizer/exp_avg_sq"):
                for name in file[group]:
                    file[group][name][()]
    for path in out.rglob("seed_?.h5"):
        with h5py.File(path, "r", swmr=True) as file:
            file["train/loss"][()]


def kill_until_done(tmp_path, kills, seed, numbers=(signal.SIGKILL,), threads=("1",), settings=None):
    """Kill the job `kills` times, in as many runs as needed; every run must end with the same result as the undisturbed one. Signals and
    threads change from one call of the program to the next."""
    chance = random.Random(seed)
    words = small_job.command(tmp_path / "whole", *JOB, settings=settings)
    began = time.monotonic()
    small_job.run(words)
    duration = time.monotonic() - began
    done = 0
    while done < kills:
        out = tmp_path / "killed"
        shutil.rmtree(out, ignore_errors=True)
        finished = False
        while not finished:
            words = small_job.command(out, *JOB, "--threads", chance.choice(threads), settings=settings)
            number = chance.choice(numbers)
            if done >= kills:
                small_job.run(words)
                break
            code, errors = small_job.interrupt(words, chance.uniform(0, duration), number)
            assert code in (0, 130, -int(number)), f"exit code {code}: {errors}"
            finished = code == 0
            done += not finished
            if number == signal.SIGKILL and out.exists():
                assert_readable(out)
        for whole, resumed in zip(results(tmp_path / "whole"), results(out)):
            small_job.assert_equal_results(whole, resumed)
    return done
