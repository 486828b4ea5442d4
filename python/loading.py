"""Code for every script that `dualdiff` starts: it reads the results from standard input, leaves out damaged ones, and ends with a message,
never with a traceback."""
import argparse
import os
import sys
import traceback

from checks import check_file
from progress import Progress
from runs import fail, read_list, words_of
from workers import Failed, in_parallel

STOPPED = 130  # exit status after Ctrl-C


def script_parser(description):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--left-out", type=int, metavar="FD", help="descriptor to which the paths of damaged results go, a NUL after each")
    return parser


def check(result):
    if "/" in result.dataset or result.dataset in ("", ".", "..") or not result.dataset.isprintable():
        raise Failed("damaged: the attribute dataset cannot be part of a file's name")
    check_file(result.path)


def load(arguments):
    """The undamaged results of standard input. Ends the script if there is none."""
    results, whole = read_list(sys.stdin.buffer), set()
    with Progress("checking", len(results), "results") as progress:
        for result, answer in in_parallel(results, check):
            if isinstance(answer, Failed):
                progress.say(f"dualdiff: left out: {result.path}: {answer}")
                if arguments.left_out is not None:
                    os.write(arguments.left_out, os.fsencode(result.path) + b"\0")
            else:
                whole.add(result)
            progress.step()
    if not whole:
        sys.exit(0)  # the program gets the list of these files and reports them
    return [result for result in results if result in whole]


def run_script(main):
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except MemoryError:
        fail("out of memory; draw fewer runs at once (--dataset, or a folder of one configuration)")
    except (OSError, Failed) as problem:
        fail(words_of(problem))
    except Exception as problem:
        place = traceback.extract_tb(problem.__traceback__)[-1]
        fail(f"a fault of the program's own: {type(problem).__name__}: {problem} ({os.path.basename(place.filename)}, line {place.lineno}); please report it")
