"""Registers, shared memory, stack and spills of every kernel, as nvcc reports them for every architecture it knows.

    python3 cuda/resources.py > cuda/resources.md       exit status 1 where a kernel has a stack or spills
    python3 cuda/resources.py 90                        for one architecture, which is quicker

Needs nvcc of the CUDA Toolkit, on the PATH or in /usr/local/cuda/bin.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

CUDA = Path(__file__).resolve().parent


def find_nvcc():
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not os.path.exists(nvcc):
        sys.exit("nvcc is not found: put the CUDA Toolkit's bin folder on the PATH")
    return nvcc


def compile_file(nvcc, file, devices):
    """nvcc's report on one file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-std=c++17", "-O3", f"-I{CUDA}", f"-I{CUDA.parent / 'host'}", *devices, "--resource-usage", "-c",
                   str(file), "-o", os.path.join(folder, "out.o")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    return done.stdout


def kernels(text):
    """[(kernel, architecture, {what: number})] of a report."""
    found = []
    for part in text.split("Compiling entry function ")[1:]:
        mangled, architecture = re.match(r"'(\w+)' for 'sm_(\w+)'", part).groups()
        names = re.findall(r"\d+([a-z]\w*?_kernel)", mangled)
        use = {"registers": int(re.search(r"Used (\d+) registers", part)[1]),
               "shared": int((re.search(r"(\d+) bytes smem", part) or (0, 0))[1]),
               "stack": int(re.search(r"(\d+) bytes stack frame", part)[1]),
               "spills": sum(map(int, re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", part).groups()))}
        found.append((names[-1] if names else mangled, architecture, use))
    return found


def span(values):
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def main():
    nvcc = find_nvcc()
    devices = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in sys.argv[1:]] or ["-arch=all"]
    files = sorted(f for f in CUDA.glob("*.cu") if "__global__" in f.read_text())
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        reports = pool.map(lambda file: compile_file(nvcc, file, devices), files)
        found = [kernel for report in reports for kernel in kernels(report)]
    if not found:
        sys.exit("nvcc reported no kernels")
    architectures = sorted({a for _, a, _ in found}, key=lambda a: (int(re.match(r"\d+", a)[0]), a))
    version = re.search(r"release ([\d.]+)", subprocess.run([nvcc, "--version"], stdout=subprocess.PIPE, text=True).stdout)[1]
    by_name = {}
    for name, _, use in found:
        by_name.setdefault(name, []).append(use)
    print(f"What nvcc {version} made of {len(by_name)} kernels; written by `python3 cuda/resources.py`.\n")
    print(textwrap.fill(f"Architectures: sm_{', sm_'.join(architectures)}. A range is over the architectures.", 100) + "\n")
    print("| kernel | registers | shared memory, bytes | stack, bytes | spills, bytes |\n|---|---|---|---|---|")
    for name, uses in sorted(by_name.items()):
        print(f"| {name} | " + " | ".join(span([use[what] for use in uses]) for what in ("registers", "shared", "stack", "spills"))
              + " |")
    worst = max(use["stack"] + use["spills"] for _, _, use in found)
    print(f"\n{len(found)} builds; the largest stack and spills: {worst} bytes.")
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(main())
