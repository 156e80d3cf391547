#!/usr/bin/env python3
"""Half-life from counts: fits a straight line to log(counts - background).

    decay.py COUNTS.csv [--background B] [--from T] [--to T] [--residuals FILE]

COUNTS.csv has the columns minute and counts. The line is fitted by least squares,
weighted by the counts' Poisson errors. Exit status: 0, or 2 for a wrong call or file,
3 if a count isn't above the background, 4 if the counts don't fall.
"""

import argparse
import csv
import math
import sys


def stop(status, message):
    print(f"decay.py: {message}", file=sys.stderr)
    sys.exit(status)


def read(path):
    try:
        with open(path, newline="") as f:
            return [(float(r["minute"]), float(r["counts"])) for r in csv.DictReader(f)]
    except (OSError, KeyError, TypeError, ValueError) as e:
        stop(2, f"reading {path}: {type(e).__name__}: {e}")


def fit(points):
    """Line through (x, y, weight): intercept, slope, and their standard errors."""
    s = math.fsum(w for _, _, w in points)
    sx = math.fsum(w * x for x, _, w in points)
    sy = math.fsum(w * y for _, y, w in points)
    sxx = math.fsum(w * x * x for x, _, w in points)
    sxy = math.fsum(w * x * y for x, y, w in points)
    d = s * sxx - sx * sx
    return (sxx * sy - sx * sxy) / d, (s * sxy - sx * sy) / d, math.sqrt(sxx / d), math.sqrt(s / d)


def main():
    p = argparse.ArgumentParser(description="Half-life from counts.")
    p.add_argument("counts")
    p.add_argument("--background", type=float, default=0.0)
    p.add_argument("--from", dest="start", type=float, default=0.0)
    p.add_argument("--to", dest="end", type=float, default=math.inf)
    p.add_argument("--residuals", metavar="FILE")
    a = p.parse_args()

    table = read(a.counts)
    used = [(t, n) for t, n in table if a.start <= t <= a.end]
    if len(used) < 3:
        stop(2, f"{len(used)} points are too few for a line")
    points = []
    for t, n in used:
        net = n - a.background
        if net <= 0:
            stop(3, f"at {t:g} min {n:g} counts are not above the background of {a.background:g}")
        points.append((t, math.log(net), net * net / n))
    intercept, slope, _, slope_error = fit(points)
    if slope >= 0:
        stop(4, "the counts do not fall")
    half_life = -math.log(2) / slope
    residuals = [(t, (y - intercept - slope * t) * math.sqrt(w)) for t, y, w in points]
    freedom = len(points) - 2
    tail = [n for _, n in table[-10:]]

    print(f"points      {len(points)}")
    print(f"half-life   {half_life:.4f} +- {half_life * slope_error / -slope:.4f} min")
    print(f"start       {math.exp(intercept):.1f} counts")
    print(f"chi-square  {math.fsum(r * r for _, r in residuals) / freedom:.3f} per degree of freedom ({freedom})")
    print(f"tail        {math.fsum(tail) / len(tail):.1f} counts, mean of the last {len(tail)}")
    if a.residuals:
        with open(a.residuals, "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(["minute", "residual"])
            out.writerows([f"{t:g}", f"{r:.4f}"] for t, r in residuals)


main()
