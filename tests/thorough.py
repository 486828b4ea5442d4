"""How much the slow tests try: an evenly spread sample, or, with DUALDIFF_THOROUGH=1 in the environment, everything, which takes hours."""
import os

THOROUGH = os.environ.get("DUALDIFF_THOROUGH", "0") not in ("", "0")


def sized(sample, whole):
    return whole if THOROUGH else sample


def sampled(table, count):
    """`count` entries of a dictionary, evenly spread; all of them when thorough."""
    names = list(table)
    if THOROUGH or len(names) <= count:
        return table
    return {name: table[name] for name in (names[i * len(names) // count] for i in range(count))}
