#!/usr/bin/env python3
"""Build the fuzzers and run them for 10 s each, with DUALDIFF_THOROUGH=1 for a minute; --seconds 7200 for hours.

Prints a line for each: CPU time, inputs tried, new seeds, and what was found. A finding is an input that crashes, leaks past
a bound, or takes more than 100 s (on two busy cores 25 s are not enough); it is kept in BUILD/findings/NAME and can be run
alone: BUILD/tests/fuzz/NAME FILE. Findings whose first frame is in libhdf5 are counted separately: no check of ours can repair that
library, and in the program they end with a message (host/cli/main.c). The exit status is 1 if there is another. Seeds that were
found stay in BUILD/corpus and serve the next call.
"""
import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import corpus

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from thorough import sized

SOURCE = Path(__file__).resolve().parents[2]
MISSING = 77  # exit status by which ctest knows that the test was left out


def build(folder):
    if not shutil.which("clang") or not shutil.which("clang++"):
        print("left out: clang is not installed (clang and libclang-rt-dev of the distribution)")
        sys.exit(MISSING)
    subprocess.run(["cmake", "-S", SOURCE, "-B", folder, "-DDD_FUZZ=ON", "-DDD_CUDA=OFF", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                    "-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "fuzzers", "-j", str(os.cpu_count())], check=True, stdout=subprocess.DEVNULL)


def blame(program, path, environment):
    """The first frame of a finding that is neither the sanitizer's nor libc's. Too much memory is blamed on whoever asks for 1 GB."""
    limits = ["-rss_limit_mb=2048", "-malloc_limit_mb=2048"]
    if path.name.startswith("oom-"):
        limits = ["-rss_limit_mb=0", "-malloc_limit_mb=0"]
        environment = environment | {"ASAN_OPTIONS": environment["ASAN_OPTIONS"] + ":allocator_may_return_null=0:max_allocation_size_mb=1000"}
    done = subprocess.run([program, "-timeout=100", *limits, path], capture_output=True, text=True, errors="replace", env=environment)
    for line in done.stderr.splitlines():
        frame = re.match(r"\s*#\d+ 0x[0-9a-f]+ (?:in (.*))?", line)
        words = frame and (frame[1] or line)
        if words and not re.search(r"__asan|__sanitizer|__interceptor|__mem|__str|libc\.so|libasan|compiler-rt|fuzzer::|raise|abort|^[mc]alloc |^realloc ",
                                   words):
            return words.strip()
    return "not seen again"


def fuzz(name, folder, seconds):
    program, findings = folder / "tests/fuzz" / name, folder / "findings" / name
    seeds, found = folder / "seeds" / name, folder / "corpus" / name
    for path in (findings, found):
        path.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=16:allocator_may_return_null=1:handle_abort=1", "UBSAN_OPTIONS": "print_stacktrace=1",
                                "HDF5_USE_FILE_LOCKING": "FALSE"}
    words = [program, found, seeds, f"-max_total_time={seconds}", "-timeout=100", "-rss_limit_mb=2048", "-malloc_limit_mb=2048", "-max_len=100000",
             "-fork=1", "-ignore_crashes=1", "-ignore_ooms=1", "-ignore_timeouts=1", f"-artifact_prefix={findings}/", "-print_final_stats=1"]
    if name == "fuzz_config":
        (folder / "words").write_text(corpus.words())
        words.append(f"-dict={folder / 'words'}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=environment)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    (folder / f"{name}.log").write_text(done.stderr)
    tried = [int(number) for number in re.findall(r"^#(\d+): cov", done.stderr, re.M)]
    new = sorted(set(findings.iterdir()) - before)
    blamed = [(path, blame(program, path, environment)) for path in new]
    library = [path for path, frame in blamed if "libhdf5" in frame or re.match(r"H5\w+ ", frame)]
    lost = [path for path, frame in blamed if frame == "not seen again"]  # nothing can be mended without an input that shows it
    print(f"{name:14} {now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime:9.0f} {tried[-1] if tried else 0:10} "
          f"{len(list(found.iterdir())):8} {len(library):8} {len(new) - len(library) - len(lost):9}", flush=True)
    for path, frame in blamed:
        print(f"    {path}: {frame}", flush=True)
    return len(new) - len(library) - len(lost), bool(tried)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=sized(10, 60), help="for each fuzzer (default: 10, with DUALDIFF_THOROUGH=1 60)")
    parser.add_argument("--only", action="append", help="the name of one, for instance fuzz_config")
    parser.add_argument("--build", type=Path, default=SOURCE / "build/fuzz", help="where they are built (default: build/fuzz)")
    options = parser.parse_args()
    began = time.monotonic()
    build(options.build)
    names = options.only or sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.c"))
    shutil.rmtree(options.build / "seeds", ignore_errors=True)
    corpus.make(options.build / "seeds", options.build / "dualdiff")
    print(f"built in {time.monotonic() - began:.0f} s\n\n{'fuzzer':14} {'CPU s':>9} {'inputs':>10} {'seeds':>8} {'libhdf5':>8} {'findings':>9}", flush=True)
    results = [fuzz(name, options.build, options.seconds) for name in names]
    sys.exit(any(found or not ran for found, ran in results))


if __name__ == "__main__":
    main()
