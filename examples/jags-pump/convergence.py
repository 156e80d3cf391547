"""Says how far Markov chains have converged, from the CODA files that JAGS writes.

Written for R-LAM: reads params.json, writes result.json. The draws of the blocks are put
end to end. Of each variable:

    mean   over all draws of all chains
    error  the Monte-Carlo standard error of the mean, by the means of 20 batches a chain
    rhat   the potential scale reduction of the chains' halves (Gelman et al., Bayesian
           Data Analysis, 3rd edition, section 11.4): near 1 if every half of every chain
           tells the same
"""

import json
import math

BATCHES = 20


def read_block(block):
    """The draws of a block: of each variable, a list for each chain."""
    with open(block["index"]) as f:
        index = [line.split() for line in f]
    chains = []
    for name in ("draws1", "draws2"):
        with open(block[name]) as f:
            chains.append([float(line.split()[1]) for line in f])
    return {
        variable: [chain[int(first) - 1 : int(last)] for chain in chains]
        for variable, first, last in index
    }


def mean(values):
    return math.fsum(values) / len(values)


def variance(values):
    m = mean(values)
    return math.fsum((v - m) ** 2 for v in values) / (len(values) - 1)


def rhat(chains):
    n = min(len(c) for c in chains) // 2
    halves = [half for c in chains for half in (c[:n], c[-n:])]
    within = mean([variance(h) for h in halves])
    between = variance([mean(h) for h in halves])
    return math.sqrt((n - 1) / n + between / within)


def error(chains):
    n = min(len(c) for c in chains) // BATCHES
    batches = [mean(c[i * n : (i + 1) * n]) for c in chains for i in range(BATCHES)]
    return math.sqrt(variance(batches) / len(batches))


def main():
    with open("params.json") as f:
        blocks = [read_block(b) for b in json.load(f)["blocks"]]
    variables = {}
    for variable in blocks[0]:
        chains = [sum((b[variable][c] for b in blocks), []) for c in (0, 1)]
        variables[variable] = {
            "mean": mean(chains[0] + chains[1]),
            "error": error(chains),
            "rhat": rhat(chains),
        }
    worst = max(variables, key=lambda v: variables[v]["rhat"])
    result = {
        "draws": len(chains[0] + chains[1]),
        "rhat": variables[worst]["rhat"],
        "slowest": worst,
        "variables": variables,
    }
    with open("result.json", "w") as f:
        json.dump(result, f)


main()
