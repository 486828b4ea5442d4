"""Limits for pictures and pages of many runs: enough to compare, but not so much that drawing takes minutes and nobody can read the
result."""
import math

PANELS = 24  # runs that have a separate panel or curve in one picture
ANIMATED = 9  # runs in one animation
CORNERS = 4  # runs whose pairs of coordinates a page shows
ANALYSES, ANALYSES_OF_MANY = 24, 6  # results whose gate and experts a page draws: all, if there are at most this many; else only so many


def best(results, most):
    """`results` in the same order, with only the `most` trained ones (None: all) of the lowest KL divergence. Results without a network are
    kept."""
    trained = [result for result in results if not result.untrained]
    if most is None or len(trained) <= most:
        return results
    divergence = {result: result.metrics.get("kl_divergence", math.nan) for result in trained}
    kept = set(sorted(trained, key=lambda result: (not math.isfinite(divergence[result]), divergence[result]))[:most])
    return [result for result in results if result.untrained or result in kept]


def of_how_many(shown, results):
    """Text for a title about results that `best` removed; "" if it removed none."""
    return f" (the {len(shown)} of the lowest KL divergence, of {len(results)})" if len(shown) < len(results) else ""


def drawn_in_full(by_dataset):
    """{dataset: results whose analyses a page draws}, from {dataset: analysed results}."""
    count = sum(map(len, by_dataset.values()))
    each = count if count <= ANALYSES else max(1, ANALYSES_OF_MANY // len(by_dataset))
    left = ANALYSES if count <= ANALYSES else ANALYSES_OF_MANY
    chosen = {}
    for dataset, results in by_dataset.items():
        chosen[dataset] = best(results, min(each, left)) if left else []
        left -= len(chosen[dataset])
    return chosen
