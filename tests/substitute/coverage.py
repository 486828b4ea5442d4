"""Lines of cuda/*.cu that the tests ran, counted by gcov.

    coverage.py reset DIR       forget what was counted
    coverage.py report DIR 95   print the share of each file; exit status 1 where all together are below 95 %
"""
import json
import subprocess
import sys
from pathlib import Path


def main():
    what, directory = sys.argv[1], Path(sys.argv[2])
    counts = sorted(directory.rglob("*.gcda"))
    if what == "reset":
        for file in counts:
            file.unlink()
        return 0
    least = float(sys.argv[3])
    out = subprocess.run(["gcov", "--json-format", "--stdout", *counts], cwd=directory, check=True, stdout=subprocess.PIPE).stdout
    lines = {}
    for document in out.decode().splitlines():
        for file in json.loads(document)["files"]:
            if file["file"].endswith(".cu"):
                of_file = lines.setdefault(Path(file["file"]).name, {})
                for line in file["lines"]:
                    number = line["line_number"]
                    of_file[number] = of_file.get(number, 0) + line["count"]
    total = ran = 0
    for name, of_file in sorted(lines.items()):
        missed = [number for number, count in sorted(of_file.items()) if not count]
        total += len(of_file)
        ran += len(of_file) - len(missed)
        print(f"{name:16} {1 - len(missed) / len(of_file):7.1%} of {len(of_file):4}"
              + (f"   not run: {', '.join(map(str, missed))}" if missed else ""))
    sources = {file.name for file in (Path(__file__).resolve().parents[2] / "cuda").glob("*.cu")}
    without = sources - lines.keys()
    if not lines or without:
        print(f"nothing was counted of {', '.join(sorted(without)) or 'anything'}")
        return 1
    print(f"{'all':16} {ran / total:7.1%} of {total:4}")
    return ran / total < least / 100


if __name__ == "__main__":
    sys.exit(main())
