#!/usr/bin/env python3
"""Loads for `ketscale replay examples/boutique/problem.yaml`, from three measured series of five-minute steps.

    benches/replay/loads.py ../shared/data/series > loads.csv

Each service of the example follows one series by position: its n-th value is the load n · 300 s after the start, whatever the series' own
times. A series is scaled so that its 95th percentile (--quantile; `mean` scales by the mean) is the load in the problem file. Only Python's
standard library is used; the output is the same for the same input.
"""

import argparse
import csv
import pathlib
import sys

START_SECONDS = 1_762_128_000  # Monday 2025-11-03 00:00 UTC
STEP_SECONDS = 300

# Service, its load in examples/boutique/problem.yaml in requests per second, and the series that it follows.
SERVICES = [
    ("shop/frontend", 1240, "elb"),
    ("shop/catalog", 1750, "elb"),
    ("shop/cart", 460, "elb"),
    ("shop/cart-store", 920, "rds"),
    ("shop/checkout", 85, "elb"),
    ("shop/payment", 55, "rds"),
    ("shop/shipping", 330, "ec2"),
    ("shop/currency", 2500, "ec2"),
    ("shop/recommendation", 400, "ec2"),
    ("shop/ads", 520, "ec2"),
    ("shop/email", 16, "rds"),
]

FILES = {
    "elb": "elb_request_count_8c0756.csv",
    "ec2": "ec2_cpu_utilization_5f5533.csv",
    "rds": "rds_cpu_utilization_cc0c53.csv",
}


def values(path):
    with open(path, newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file)]


def reference(series, quantile):
    """What becomes the load of the problem file."""
    if quantile == "mean":
        return sum(series) / len(series)
    return sorted(series)[int(float(quantile) * (len(series) - 1))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="folder of the three series")
    parser.add_argument("--quantile", default="0.95", help="share of values below the problem's load, or mean (default: 0.95)")
    parser.add_argument("--days", type=float, default=14, help="days from the start of the series (default: 14)")
    arguments = parser.parse_args()
    series = {name: values(arguments.folder / file) for name, file in FILES.items()}
    scale = {name: reference(series[name], arguments.quantile) for name in series}
    steps = min(min(len(one) for one in series.values()), int(arguments.days * 86_400 / STEP_SECONDS))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["time"] + [service for service, _, _ in SERVICES])
    for step in range(steps):
        loads = [f"{rps * series[name][step] / scale[name]:.3f}" for _, rps, name in SERVICES]
        writer.writerow([START_SECONDS + step * STEP_SECONDS] + loads)


if __name__ == "__main__":
    main()
