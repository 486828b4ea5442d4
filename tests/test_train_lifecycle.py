"""A training run from start to end, under a batch system, as a daemon, and in a terminal that closes."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import small_job
from small_job import PROGRAM, SOURCE

DATA, IO, CONFLICT, MEMORY, STOPPED = 4, 5, 6, 8, 130
LONG = {"training.steps": small_job.LONG, "training.checkpoint_every": 100000}  # no checkpoint but one that is asked for
SHORT = {"training.steps": 60}
ENDLESS = {"training.steps": 1000000}


def result(out, dataset="dino", seed=0):
    return out / f"run_3/{dataset}/seed_{seed}.h5"


def has_checkpoint(out, seed=0):
    return any((out / "run_3/dino").glob(f"seed_{seed}.c*"))


def words_of(out, settings, *more):
    return small_job.command(out, "--dataset", "dino", *more, settings=settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run of LONG."""
    out = tmp_path_factory.mktemp("whole")
    small_job.run(words_of(out, LONG))
    return result(out)


@pytest.fixture
def start():
    """Start a command; it is killed if it still runs at the end of the test."""
    processes = []

    def started(words, **options):
        processes.append(subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **options))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(process, condition):
    while process.poll() is None and not condition():
        time.sleep(.005)
    assert process.poll() is None, process.communicate()[1]


# ---- standard streams that are closed ----


def with_closed(redirection, words, **options):
    return subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", *map(str, words)], capture_output=True, text=True,
                          timeout=60, **options)


@pytest.mark.parametrize("redirection", [">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_messages_do_not_reach_files_where_streams_are_closed(tmp_path, whole, redirection):
    out = tmp_path / "out"
    done = with_closed(redirection, words_of(out, LONG))
    assert done.returncode == 0, done.stderr
    small_job.assert_equal_results(result(out), whole)


def test_a_log_is_whole_while_streams_are_closed(tmp_path, start):
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words_of(tmp_path, ENDLESS)]
    process = start(words)
    wait_for(process, lambda: has_checkpoint(tmp_path))
    with h5py.File(result(tmp_path), swmr=True) as file:
        assert file.attrs["kind"] == "log" and len(file["train/loss"]) >= 90
    process.terminate()
    assert process.wait(timeout=60) == STOPPED


def test_what_cannot_be_printed_is_said(whole):
    runs = whole.parents[2]
    done = with_closed(">&-", [PROGRAM, "compare", runs])
    assert done.returncode == IO and "be written" in done.stderr


def test_python_helpers_run_where_streams_are_closed(tmp_path, whole):
    done = with_closed("<&- >&- 2>&-", [PROGRAM, "compare", whole.parents[2], "--output", tmp_path / "table",
                                         "--reference", tmp_path / "reference"])
    assert done.returncode == 0
    assert (tmp_path / "reference/run_3/all_results.pkl").stat().st_size > 0


# ---- signals ----


@pytest.mark.parametrize("name", ["SIGHUP", "SIGXCPU", "SIGTERM"])
def test_a_signal_ends_training_with_a_checkpoint(tmp_path, whole, name):
    words = words_of(tmp_path, LONG)
    code, errors = small_job.interrupt(words, small_job.appears(result(tmp_path)), getattr(signal, name))
    assert code == STOPPED and f"stopped by {name}" in errors and "(dino) after writing a checkpoint" in errors, errors
    assert "resuming from step" in small_job.run(words)
    small_job.assert_equal_results(result(tmp_path), whole)


STOPPING = "stopping: finishing this step block and writing a checkpoint"


@pytest.mark.parametrize("name, line", [("SIGINT", f"{STOPPING}; press Ctrl-C again to end immediately\n"), ("SIGTERM", f"{STOPPING}\n")])
def test_a_signal_to_stop_is_acknowledged_at_once(tmp_path, name, line):
    words = words_of(tmp_path, ENDLESS)
    code, errors = small_job.interrupt(words, small_job.appears(result(tmp_path)), getattr(signal, name))
    assert code == STOPPED and errors.count("stopping:") == 1 and line in errors, errors
    assert errors.index(line) < errors.index(f"stopped by {name}"), errors


def test_a_quiet_program_stops_without_an_acknowledgement(tmp_path):
    words = words_of(tmp_path, ENDLESS, "--quiet")
    code, errors = small_job.interrupt(words, small_job.appears(result(tmp_path)), signal.SIGINT)
    assert code == STOPPED and "stopping:" not in errors, errors


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_shared_time_is_said_to_be_of_each(tmp_path, seeds):
    errors = small_job.run(words_of(tmp_path, SHORT, "--seeds", f"0-{seeds - 1}"))
    assert len(re.findall(r"trained in [\d.]+ s each, sampled in [\d.]+ s each", errors)) == (seeds if seeds > 1 else 0), errors
    assert len(re.findall(r"trained in [\d.]+ s", errors)) == seeds


@pytest.mark.parametrize("name", ["SIGHUP", "SIGXCPU"])
def test_the_same_signal_again_does_not_kill(tmp_path, start, name):
    """The kernel and the shell both send SIGHUP; SIGXCPU comes every second."""
    process = start(words_of(tmp_path, ENDLESS))
    wait_for(process, result(tmp_path).exists)
    while process.poll() is None:
        process.send_signal(getattr(signal, name))
    assert process.returncode == STOPPED and has_checkpoint(tmp_path)


def test_a_limit_on_cpu_time(tmp_path):
    done = subprocess.run(words_of(tmp_path, ENDLESS), capture_output=True, text=True, timeout=120,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 60)))
    assert done.returncode == STOPPED and "stopped by SIGXCPU" in done.stderr and has_checkpoint(tmp_path), done.stderr


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2"])
def test_a_signal_asks_for_a_checkpoint_alone(tmp_path, whole, start, name):
    words = words_of(tmp_path, LONG)
    process = start(words)
    wait_for(process, result(tmp_path).exists)
    process.send_signal(getattr(signal, name))
    line = next(line for line in process.stderr if "checkpoint of step" in line)
    assert name in line and "training continues" in line
    process.kill()
    process.wait()
    assert "resuming from step" in small_job.run(words)
    small_job.assert_equal_results(result(tmp_path), whole)


def test_a_checkpoint_that_is_asked_for_in_the_last_block(tmp_path, start):
    batch = 4000 if small_job.sanitized() else 20000  # a block of some seconds
    process = start(words_of(tmp_path, {"training.steps": 40, "training.batch": batch, "data.points": batch}))
    wait_for(process, result(tmp_path).exists)
    process.send_signal(signal.SIGUSR1)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0 and "continues" not in errors, errors
    assert "checkpoint of step 40 written because of SIGUSR1; it was the last step" in errors


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGUSR1"])
def test_an_ignored_signal_stays_ignored(tmp_path, whole, start, name):
    number = getattr(signal, name)
    process = start(words_of(tmp_path, LONG), preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    wait_for(process, result(tmp_path).exists)
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and name not in errors, errors
    small_job.assert_equal_results(result(tmp_path), whole)


@pytest.mark.parametrize("pause, settings", [(0, {}), (1, {"sampling.steps": 1})], ids=["sampling", "measuring"])
def test_a_stop_does_not_wait_for_the_end_of_the_measurement(tmp_path, start, pause, settings):
    """A million samples take many seconds to make and to measure."""
    few = {"training.steps": 100, **settings}
    process = start(words_of(tmp_path / "cut", {**few, "evaluation.samples": 1000000, "data.points": 100000}))
    next(line for line in process.stderr if line.startswith("trained"))
    time.sleep(pause)
    process.terminate()
    began = time.monotonic()
    errors = process.communicate()[1]
    assert process.returncode == STOPPED and "stopped by SIGTERM after training" in errors, errors
    assert time.monotonic() - began < (30 if small_job.sanitized() else 3)
    few["data.points"] = 100000
    small_job.run(words_of(tmp_path / "cut", few))
    small_job.run(words_of(tmp_path / "whole", few))
    small_job.assert_equal_results(result(tmp_path / "cut"), result(tmp_path / "whole"))



# ---- checkpoints ----


def files(out):
    """Names in the dataset's folder, without hidden ones."""
    return sorted(path.name for path in (out / "run_3/dino").iterdir() if not path.name.startswith("."))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a run of LONG that was stopped."""
    out = tmp_path_factory.mktemp("stopped")
    code, errors = small_job.interrupt(words_of(out, LONG), small_job.appears(result(out)), signal.SIGTERM)
    assert code == STOPPED, errors
    assert files(out) == ["seed_0.checkpoint", "seed_0.h5"], "no pattern for results matches a checkpoint"
    return out


def copy_of(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "runs")
    return tmp_path / "runs"


def test_a_finished_run_has_no_checkpoint(whole):
    assert files(whole.parents[2]) == ["seed_0.h5"]


def test_a_checkpoint_is_kept_where_that_is_asked_for(tmp_path):
    keep = {**SHORT, "training.keep_checkpoint": "true"}
    small_job.run(words_of(tmp_path, keep))
    with h5py.File(tmp_path / "run_3/dino/seed_0.checkpoint") as file:
        assert file.attrs["kind"] == "checkpoint" and file.attrs["step"] == 60
    for settings in (keep, SHORT):  # keeping it or not makes no other configuration
        assert "nothing is left to do" in small_job.run(words_of(tmp_path, settings))
        assert files(tmp_path) == ["seed_0.checkpoint", "seed_0.h5"]


def test_what_a_kill_behind_the_result_leaves_is_cleared_away(tmp_path, whole):
    out = copy_of(whole.parents[2], tmp_path)
    for name in ("seed_0.checkpoint", "seed_0.checkpoint.next"):
        (out / "run_3/dino" / name).write_bytes(b"left behind")
    assert "nothing is left to do" in small_job.run(words_of(out, LONG))
    assert files(out) == ["seed_0.h5"]


def test_an_older_programs_checkpoint_of_a_finished_run_is_cleared_away(tmp_path, whole):
    out = copy_of(whole.parents[2], tmp_path)
    old = out / "run_3/dino/seed_0.ckpt.h5"
    old.write_bytes(b"of old")
    small_job.run(words_of(out, LONG))
    assert files(out) == ["seed_0.h5"]


def test_an_older_programs_checkpoint_goes_when_the_run_is_finished(tmp_path, stopped, whole):
    out = copy_of(stopped, tmp_path)
    (out / "run_3/dino/seed_0.ckpt.h5").write_bytes(b"of old")
    small_job.run(words_of(out, LONG))
    small_job.assert_equal_results(result(out), whole)
    assert files(out) == ["seed_0.h5"]


@pytest.mark.parametrize("ending", [".ckpt.h5", ".ckpt.h5.next"])
def test_a_run_resumes_from_an_older_programs_checkpoint(tmp_path, stopped, whole, ending):
    out = copy_of(stopped, tmp_path)
    checkpoint = out / "run_3/dino/seed_0.checkpoint"
    with h5py.File(checkpoint) as file:
        step = file.attrs["step"]
    checkpoint.rename(checkpoint.with_name("seed_0" + ending))
    assert f"resuming from step {step}" in small_job.run(words_of(out, LONG))
    small_job.assert_equal_results(result(out), whole)
    assert files(out) == ["seed_0.h5"]


@pytest.mark.parametrize("every", [7, 1])
def test_checkpoints_may_come_at_other_steps_when_a_run_resumes(tmp_path, stopped, whole, every):
    """Logs then have other chunks."""
    out = copy_of(stopped, tmp_path)
    words = words_of(out, {**LONG, "training.checkpoint_every": every})
    code, errors = small_job.interrupt(words, small_job.appears(result(out)), signal.SIGTERM)
    assert code == STOPPED and "resuming from step" in errors, errors
    small_job.run(words_of(out, LONG))
    small_job.assert_equal_results(result(out), whole)


# ---- a damaged file says nothing about the others ----


def damage(out, dataset="dino", seed=9):
    path = result(out, dataset, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89HDF\r\n\x1a\n and nothing more")
    return path


def summed_up(out):
    return json.loads((out / "run_3/final_info.json").read_text())


def test_a_damaged_file_does_not_fail_a_training(tmp_path):
    broken = [damage(tmp_path), damage(tmp_path, "line", 3)]
    errors = small_job.run(words_of(tmp_path, SHORT))
    for path in broken:
        assert f"warning: a result is missing in final_info.json: {path}" in errors, errors
    assert list(summed_up(tmp_path)) == ["dino"]
    again = small_job.run(words_of(tmp_path, SHORT))
    assert "nothing is left to do" in again and str(broken[0]) in again


def two_ensembles(out):
    """The command of a job in which seed 1 begins and seed 0 resumes, because they share no step."""
    code, errors = small_job.interrupt(words_of(out, LONG), small_job.appears(result(out)), signal.SIGTERM)
    assert code == STOPPED, errors
    return words_of(out, LONG, "--seeds", "0-1")


def test_a_damaged_file_does_not_stop_a_job_of_two_ensembles(tmp_path, whole):
    words = two_ensembles(tmp_path)
    broken = damage(tmp_path)
    assert str(broken) in small_job.run(words)
    small_job.assert_equal_results(result(tmp_path), whole)
    assert "stderrs" in summed_up(tmp_path)["dino"], "of two seeds"


def test_a_job_that_is_stopped_leaves_a_summary_of_what_is_finished(tmp_path, start):
    process = start(two_ensembles(tmp_path))
    next(line for line in process.stderr if line.startswith(str(result(tmp_path, seed=1))))
    process.terminate()
    errors = process.communicate()[1]
    assert process.returncode == STOPPED and "stopped by SIGTERM" in errors, errors
    assert "kl_divergence" in summed_up(tmp_path)["dino"]["means"]


def test_a_table_of_a_folder_with_a_damaged_file(tmp_path, whole):
    out = tmp_path / "runs"
    shutil.copytree(whole.parents[1], out / "run_3")
    good = subprocess.run([PROGRAM, "compare", out], capture_output=True, text=True)
    assert good.returncode == 0
    broken = [damage(out), damage(out, "line", 3)]
    done = subprocess.run([PROGRAM, "compare", out], capture_output=True, text=True)
    assert done.returncode == IO and done.stdout == good.stdout
    assert all(f"left out: {path}" in done.stderr for path in broken) and "2 files could not be read" in done.stderr


# ---- what cannot be measured ----

CASES = Path(SOURCE) / "tests/cases"


def no_result(out):
    return not list(out.rglob("seed_*.h5"))


def test_data_that_cannot_be_measured_is_told_before_training(tmp_path):
    """Copies of a few points: next to good points, whose training nobody waits for."""
    few = np.repeat(np.random.default_rng(1).normal(size=(100, 2)), 6, axis=0).astype(np.float32)
    np.save(tmp_path / "few.npy", few)
    for bad, why in (CASES / "dup.npy", "KL divergence"), (tmp_path / "few.npy", "KL divergence"), (CASES / "duplicates.npy", "column 1 is 0.5 in every row"):
        words = small_job.command(tmp_path / "out", "--dataset", CASES / "f4.npy", bad, settings=ENDLESS)
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        assert done.returncode == DATA and f"{bad}: {why}" in done.stderr and ("evaluation.k" in done.stderr or bad.stem == "duplicates"), done.stderr
        assert no_result(tmp_path / "out")
    np.save(tmp_path / "few.npy", few[1:])  # one point has four others at its place: k = 5 can be measured
    small_job.run(small_job.command(tmp_path / "out", "--dataset", tmp_path / "few.npy", settings=SHORT))


def test_evaluation_on_points_that_cannot_be_measured(whole):
    done = subprocess.run([PROGRAM, "evaluate", whole, "--dataset", CASES / "dup.npy"], capture_output=True, text=True)
    assert done.returncode == DATA and "dup.npy: KL divergence" in done.stderr


@pytest.fixture(scope="module")
def failing_malloc(tmp_path_factory):
    """A library to preload: an allocation of exactly FAIL_SIZE bytes fails."""
    if small_job.sanitized():
        pytest.skip("the sanitizers have another allocator")
    folder = tmp_path_factory.mktemp("malloc")
    (folder / "fail.c").write_text("""
        #include <errno.h>
        #include <stdlib.h>
        void *__libc_malloc(size_t size);
        void *malloc(size_t size)
        {
            const char *fail = getenv("FAIL_SIZE");
            if (fail && size == strtoul(fail, NULL, 10)) {
                errno = ENOMEM;
                return NULL;
            }
            return __libc_malloc(size);
        }""")
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", folder / "fail.c", "-o", folder / "fail.so"], check=True)
    return folder / "fail.so"


def test_a_run_that_cannot_be_measured_whole_takes_no_other_result(tmp_path, failing_malloc):
    """Memory is short for one metric of one run. Both runs are stored, and evaluate adds what is missing."""
    np.save(tmp_path / "mine.npy", np.random.default_rng(2).normal(size=(777, 2)).astype(np.float32))
    words = ["--dataset", tmp_path / "mine.npy", "dino", "--seeds", "0-1"]
    settings = SHORT | {"data.heldout_share": 0}
    small_job.run(small_job.command(tmp_path / "whole", *map(str, words), settings=settings))
    sorting = 2 * (777 + 100) * 4  # bytes that the Wasserstein distance of these points sorts in
    environment = {**os.environ, "LD_PRELOAD": str(failing_malloc), "FAIL_SIZE": str(sorting)}
    errors = small_job.run(small_job.command(tmp_path / "cut", *map(str, words), settings=settings), expect=MEMORY, env=environment)
    incomplete = [result(tmp_path / "cut", "mine", seed) for seed in (0, 1)]
    for path in incomplete:
        assert f"{path} was stored, but some metrics are missing: out of memory" in errors
        with h5py.File(path) as file:
            assert "sliced_wasserstein" not in file["metrics"] and "kl_divergence" in file["metrics"]
    assert "and 1 more" in errors.splitlines()[-1]
    again = small_job.run(small_job.command(tmp_path / "cut", *map(str, words), settings=settings))
    assert all(f"{path}: some metrics are missing" in again for path in incomplete) and again.count("some metrics are missing") == 2
    assert summed_up(tmp_path / "cut").keys() == {"dino", "mine"}
    subprocess.run([PROGRAM, "compare", tmp_path / "cut"], check=True, capture_output=True)
    for path in incomplete:
        complete = [PROGRAM, "evaluate", path, "--complete", "--dataset", tmp_path / "mine.npy"]
        done = subprocess.run(complete, capture_output=True, text=True)
        assert done.returncode == 0 and "added sliced_wasserstein" in done.stdout, done.stderr
        before = path.read_bytes()
        assert "already has all metrics" in subprocess.run(complete, capture_output=True, text=True).stdout
        assert path.read_bytes() == before
    for dataset in ("dino", "mine"):
        for seed in (0, 1):
            small_job.assert_equal_results(result(tmp_path / "cut", dataset, seed), result(tmp_path / "whole", dataset, seed))


def test_a_report_of_a_run_without_a_kl_estimate(tmp_path, whole):
    out = copy_of(whole.parents[2], tmp_path)
    with h5py.File(result(out), "a") as file:
        del file["metrics/kl_divergence"], file["metrics/kl_zero_distances"]
    done = subprocess.run([PROGRAM, "report", out], capture_output=True, text=True)
    assert done.returncode == 0 and "could not be drawn" not in done.stderr, done.stderr


def test_complete_is_about_the_file_itself(whole):
    done = subprocess.run([PROGRAM, "evaluate", whole, "--complete", "--set", "sampling.steps=3"], capture_output=True, text=True)
    assert done.returncode == 2 and "--set" in done.stderr


# ---- names ----


def refused_because_of(out, settings):
    """The name that the message suggests."""
    done = subprocess.run(words_of(out, settings), capture_output=True, text=True)
    assert done.returncode == CONFLICT and "belongs to another configuration" in done.stderr, done.stderr
    return re.search(r"use --name (\S+), or another --out", done.stderr)[1]


@pytest.mark.parametrize("changed, name", [
    ({"training.steps": 61}, "run_3_steps_61"),
    ({"training.learning_rate": "1e-05", "model.activation": "silu"}, "run_3_activation_silu_learning_rate_1e-05"),
    ({"model.gate_layers": "[16, 4]"}, "run_3_gate_layers_16-4"),
    ({"model.expert_head": "[]"}, "run_3_expert_head_none"),
    ({"training.steps": 61, "training.batch": 31, "training.beta1": 0.8, "training.beta2": 0.8}, "run_3_other"),
], ids=["one key", "two keys", "widths", "no widths", "many keys"])
def test_a_conflict_says_which_name_would_serve(tmp_path, changed, name):
    small_job.run(words_of(tmp_path, SHORT))
    before = result(tmp_path).read_bytes()
    settings = {**SHORT, **changed}
    assert refused_because_of(tmp_path, settings) == name
    small_job.run(words_of(tmp_path, settings, "--name", name))
    with h5py.File(tmp_path / name / "dino/seed_0.h5") as file:
        assert file.attrs["config_name"] == name and file.attrs["kind"] == "result"
    assert (tmp_path / name / "final_info.json").exists() and result(tmp_path).read_bytes() == before
    assert "nothing is left to do" in small_job.run(words_of(tmp_path, settings, "--name", name))


def test_other_points_may_have_a_name_too(tmp_path):
    small_job.run(words_of(tmp_path, SHORT))
    done = subprocess.run(words_of(tmp_path, {**SHORT, "data.points": 400}), capture_output=True, text=True)
    assert done.returncode == CONFLICT and "use --name run_3_points_400, or another --out" in done.stderr


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "x" * 64, "a\nb"])
def test_a_name_is_one_part_of_a_path(tmp_path, name):
    done = subprocess.run(words_of(tmp_path / "out", SHORT, "--name", name), capture_output=True, text=True)
    assert done.returncode == 2 and "--name" in done.stderr and not (tmp_path / "out").exists()
