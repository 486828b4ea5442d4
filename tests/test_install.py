"""What `cmake --install` puts where, and that the installed program works from any folder: configurations by name,
manual pages, shell completion."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = os.environ["DUALDIFF_BUILD"]
USAGE, IO = 2, 5
SMALL = [word for setting in ("model.hidden_width=8", "model.hidden_depth=1", "model.gate_layers=[8]", "diffusion.timesteps=5",
                              "training.batch=16", "training.steps=5", "evaluation.samples=50", "evaluation.heldout=50",
                              "data.points=100") for word in ("--set", setting)]


def run(*words, status=0, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", prefix)
    return prefix


@pytest.fixture
def program(prefix):
    return prefix / "bin" / "dualdiff"


def test_files_in_place(prefix):
    commands = [line.split()[0] for line in run(prefix / "bin" / "dualdiff", "--help").split("Commands\n")[1].split("\n\n")[0].splitlines()]
    assert "train" in commands and "completion" in commands
    pages = {path.name for path in (prefix / "share/man/man1").iterdir()}
    assert pages == {"dualdiff.1", *(f"dualdiff-{name}.1" for name in commands)}
    for path in ("share/bash-completion/completions/dualdiff", "share/zsh/site-functions/_dualdiff",
                 "share/fish/vendor_completions.d/dualdiff.fish", "share/dualdiff/configs/run_1.toml",
                 "share/dualdiff/plot.py", "share/dualdiff/requirements.txt"):
        assert (prefix / path).stat().st_size > 0, path


def test_configurations_by_name(program, prefix, tmp_path):
    listed = run(program, "configs", cwd=tmp_path)
    assert listed.rstrip().endswith(str((prefix / "share/dualdiff/configs").resolve()))
    source = {path.stem for path in Path(os.environ["DUALDIFF_SOURCE"], "configs").glob("*.toml")}
    assert {line.split()[0] for line in listed.split("\n\n")[0].splitlines()[1:]} == source
    run(program, "train", "run_1", "--dataset", "dino", *SMALL, "--backend", "cpu", "--threads", "1", cwd=tmp_path)
    assert (tmp_path / "runs/run_1/dino/seed_0.h5").exists()
    assert "experts = 1 " in run(program, "info", "run_0", cwd=tmp_path / "runs")
    assert "input_scale = 300.0 " in run(program, "info", "mode_capture_single", cwd=tmp_path)  # from its base's base
    # A folder of results that has the name is no file.
    assert "experts = 2 " in run(program, "info", "run_1", cwd=tmp_path / "runs")
    for words in (["oracle", "run_1", "--dataset", "line"], ["floor", "run_1", "--dataset", "line"]):
        run(program, *words, "--draws", "1", *SMALL[8:], cwd=tmp_path)
    run(program, "cost", "run_1", cwd=tmp_path)
    run(program, "evaluate", "runs/run_1/dino/seed_0.h5", "--config", "run_1", *SMALL, "--backend", "cpu", cwd=tmp_path)


@pytest.mark.parametrize("name", ["run_1", "run_1.toml"])
def test_a_file_here_wins(program, tmp_path, name):
    (tmp_path / name).write_text("[model]\nexperts = 3\n")
    assert "experts = 3 " in run(program, "info", "run_1", cwd=tmp_path)
    assert "experts = 3 " in run(program, "info", tmp_path / name)


def test_unknown_configuration(program, prefix, tmp_path):
    for word in ("runn_1", "run_1.toml"):
        message = run(program, "train", word, status=IO, cwd=tmp_path)
        for fragment in (f"{word}: No such file", "did you mean 'run_1'?", str(prefix), "dualdiff configs"):
            assert fragment in message
    assert "did you mean" not in run(program, "train", "/none/run_1.toml", status=IO)


def test_info_of_an_unknown_word(program, tmp_path):
    message = run(program, "info", "spirals", status=IO, cwd=tmp_path)
    assert "spirals: No such file" in message and "dualdiff configs" in message and "dualdiff datasets" in message


def test_help_and_version(program):
    assert run(program, "help", "train") == run(program, "train", "--help") == run(program, "train", "-h")
    assert run(program, "help") == run(program, "--help") == run(program, "-h")
    assert run(program, "-V") == run(program, "--version")
    assert "did you mean 'train'?" in run(program, "help", "trian", status=USAGE)
    assert "bash, zsh and fish" in run(program, "completion", "tcsh", status=USAGE)


@needs("groff")
def test_manual_pages(prefix):
    for page in sorted((prefix / "share/man/man1").iterdir()):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, (page, done.stderr)
        text = " ".join(re.sub(".\b", "", done.stdout).split())  # bold is a letter struck twice
        assert "NAME" in text and "EXIT STATUS" in text
        if page.name == "dualdiff-train.1":
            assert "--set" in text and "`dualdiff datasets`" in text, text


def complete(prefix, cwd, *words):
    """What bash offers for the last word."""
    script = prefix / "share/bash-completion/completions/dualdiff"
    quoted = " ".join(f"'{word}'" for word in ("dualdiff", *words))
    text = f"source '{script}'; compopt() {{ :; }}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _dualdiff; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return run("bash", "-c", text, cwd=cwd, env=os.environ | {"PATH": f"{prefix}/bin:{os.environ['PATH']}"}).split("\n")[:-1]


def test_bash_completion(prefix, tmp_path):
    run("bash", "-n", prefix / "share/bash-completion/completions/dualdiff")
    (tmp_path / "mine.csv").touch()
    (tmp_path / "my runs").mkdir()
    for words, found in [(["tr"], ["train"]), (["train", "run_"], [f"run_{i}" for i in range(6)]),
                         (["train", "run_1", "--da"], ["--dataset"]),
                         (["train", "run_1", "--dataset", "di"], ["dino"]),
                         (["train", "run_1", "--dataset", "dino", "m"], ["moons", "music", "mine.csv", "my runs"]),
                         (["train", "run_1", "--backend", ""], ["auto", "cpu", "cuda"]),
                         (["train", "run_1", "--set", "training.st"], ["training.steps="]),
                         (["train", "run_1", "--out", "m"], ["my runs"]),
                         (["train", "--quiet", "run_5"], ["run_5"]),
                         (["train", "--out", "runs", "run_5"], ["run_5"]),
                         (["train", "run_1", "--seeds", ""], [""]),
                         (["compare", "m"], ["my runs"]),
                         (["compare", "runs", "--metric", "kl_d"], ["kl_divergence"]),
                         (["help", "sam"], ["sample"]), (["completion", "z"], ["zsh"]),
                         (["sample", "m"], ["mine.csv", "my runs"]), (["info", "two_"], ["two_spirals"])]:
        assert sorted(complete(prefix, tmp_path, *words)) == sorted(found), words


@pytest.mark.parametrize("shell, script", [pytest.param("zsh", "zsh/site-functions/_dualdiff", marks=needs("zsh")),
                                           pytest.param("fish", "fish/vendor_completions.d/dualdiff.fish", marks=needs("fish"))])
def test_other_completions(prefix, shell, script):
    run(shell, "-n", prefix / "share" / script)
