"""`make bench-peers`: what a QAOA layer takes in other simulators and in `ketscale evaluate`, on this machine, one after the other.

A layer is (T(p = 10) − T(p = 2))/8 with ⟨C⟩ in T on both sides. T is the median of seven, in memory that an earlier run has warmed:
of the peer in a process of its own, of Ketscale by `evaluate --repeat`. Reading files, making circuits, translating and fusing where
that is a step of its own, and the table of costs are left out on both sides. ⟨C⟩ must be equal. Each peer is first tried in several
settings; Ketscale is measured anew beside every peer, for a machine has better and worse minutes.

What a peer does in every call stays in its time: Aer translates and fuses the circuit, Lightning goes over its gates in Python. That is
about 5 ms and below 1 ms a dense layer, measured on 14 and 20 qubits.

Exit: 0 all peers were measured and agree, 1 one of them failed or disagrees, 2 usage, 3 there is no ketscale or no environment to
install into.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

import problem
import record
from peers import PEERS, Peer
from problem import Model
from record import FailedRow, Row

HERE = Path(__file__).resolve().parent
DEPTHS = (2, 10)
# Settings are tried on one layer, once after warming up: a peer's best is ahead by more than what two runs differ.
SCAN_QUBITS = 22
SCAN_DEPTH = 1


class Failure(Exception):
    """What goes into a row in place of numbers."""


@dataclass(frozen=True)
class Bench:
    """Where things are, and how long to measure."""

    ketscale: Path
    environment: Path
    folder: Path
    repeats: int
    row_seconds: float
    threads: int

    def python(self) -> Path:
        return self.environment / "bin" / "python"


def layer_ms(seconds: dict[int, float]) -> float:
    first, last = DEPTHS
    return (seconds[last] - seconds[first]) / (last - first) * 1e3


def run(command: list[object], stdin: str = "", environment: dict[str, str] | None = None) -> str:
    """What a command prints, or a failure with the end of its complaint."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, input=stdin, env=environment)
    if done.returncode != 0:
        complaint = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failure("; ".join(complaint[-3:]) or f"ended with status {done.returncode}")
    return done.stdout


def make_environment(folder: Path) -> None:
    """The scratch environment, kept between runs."""
    if not (folder / "bin" / "python").exists():
        venv.EnvBuilder(with_pip=True).create(folder)


def install(bench: Bench, peer: Peer) -> None:
    """Installs a peer's packages in the versions of requirements.txt; what is there already needs no network."""
    pins = HERE / "requirements.txt"
    run([bench.python(), "-m", "pip", "install", "--quiet", "--constraint", pins, "numpy", *peer.packages])


def of_ketscale(bench: Bench, model: Model, precision: str) -> tuple[dict[int, float], dict[int, float]]:
    """Median seconds and ⟨C⟩ at each depth."""
    model_file, angles_file = bench.folder / "model.json", bench.folder / "angles.json"
    model.write(model_file)
    seconds, values = {}, {}
    for depth in DEPTHS:
        gamma, beta = problem.angles(depth)
        angles_file.write_text(json.dumps({"gamma": gamma, "beta": beta}))
        options = ["--precision", precision, "--repeat", bench.repeats, "--output", "json"]
        report = json.loads(run([bench.ketscale, "evaluate", model_file, "--angles", angles_file, *options]))
        seconds[depth], values[depth] = report["seconds"]["repeat"], report["expectation"]
    return seconds, values


def of_peer(bench: Bench, model: Model, peer: Peer, settings: dict, depths: tuple[int, ...], repeats: int) -> dict:
    """The worker's answer."""
    job = {
        "peer": peer.key,
        "model": model.to_json(),
        "depths": depths,
        "settings": settings,
        "repeats": repeats,
        "limit_seconds": bench.row_seconds,
        "packages": peer.packages,
    }
    answer = json.loads(run([bench.python(), "-B", HERE / "worker.py"], json.dumps(job), openmp(settings)))
    answer["seconds"] = {int(depth): taken for depth, taken in answer["seconds"].items()}
    answer["values"] = {int(depth): value for depth, value in answer["values"].items()}
    return answer


def openmp(settings: dict) -> dict[str, str]:
    """OpenMP reads its settings once, when a process starts."""
    variables = {"OMP_NUM_THREADS": str(settings["threads"])}
    if settings.get("pinned"):
        variables["OMP_PROC_BIND"] = "true"
    return {**os.environ, **variables}


def best_settings(bench: Bench, model: Model, peer: Peer) -> dict:
    """The settings with the least T(p = 1), of the grid and then with threads pinned to their cores."""

    def seconds(settings: dict) -> float:
        taken = of_peer(bench, model, peer, settings, (SCAN_DEPTH,), 1)["seconds"][SCAN_DEPTH]
        say(f"    {taken * 1e3:9.1f} ms  {record.spelled(settings)}")
        return taken

    tried = {json.dumps(settings): seconds(settings) for settings in peer.settings(bench.threads)}
    best = json.loads(min(tried, key=tried.get))
    pinned = {**best, "pinned": True}
    return pinned if seconds(pinned) < min(tried.values()) else best


def compare(bench: Bench, model: Model, smaller: Model, peer: Peer) -> Row:
    """One row: the best settings on the smaller model, then both sides on the model."""
    say(f"{peer.name}, {model.name}: settings by T(p = 1) on {smaller.qubits} qubits")
    settings = best_settings(bench, smaller, peer)
    ketscale_seconds, ketscale_values = of_ketscale(bench, model, peer.precision)
    answer = of_peer(bench, model, peer, settings, DEPTHS, bench.repeats)
    for depth in DEPTHS:
        check_equal(peer, depth, answer["values"][depth], ketscale_values[depth])
    return Row(
        model=model,
        peer=peer,
        settings=settings,
        repeats=answer["repeats"],
        versions=answer["versions"],
        peer_ms=layer_ms(answer["seconds"]),
        ketscale_ms=layer_ms(ketscale_seconds),
        peer_value=answer["values"][DEPTHS[-1]],
        ketscale_value=ketscale_values[DEPTHS[-1]],
    )


def check_equal(peer: Peer, depth: int, found: float, expected: float) -> None:
    if not abs(found - expected) <= peer.tolerance * max(abs(found), abs(expected)):
        raise Failure(f"⟨C⟩ at p = {depth} is {found!r}, Ketscale's {expected!r}: not equal to {peer.tolerance:g}")


def say(line: str) -> None:
    """Progress goes to stderr, the record to stdout."""
    print(line, file=sys.stderr, flush=True)


def models(qubits: int, seed: int, ketscale: Path) -> list[Model]:
    return [problem.regular(qubits, seed, ketscale), problem.dense(qubits, seed)]


def all_rows(bench: Bench, qubits: int, seed: int, peers: list[Peer]) -> list[Row | FailedRow]:
    rows: list[Row | FailedRow] = []
    large = models(qubits, seed, bench.ketscale)
    small = models(min(qubits, SCAN_QUBITS), seed, bench.ketscale)
    for peer in peers:
        try:
            install(bench, peer)
        except Failure as failure:
            rows.append(FailedRow(None, peer, f"does not install: {failure}"))
            continue
        for model, smaller in zip(large, small, strict=True):
            try:
                rows.append(compare(bench, model, smaller, peer))
            except Failure as failure:
                rows.append(FailedRow(model, peer, str(failure)))
    return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares a QAOA layer of ketscale evaluate with other simulators.")
    parser.add_argument("--ketscale", type=Path, required=True, help="the built binary")
    parser.add_argument("--environment", type=Path, required=True, help="folder of the virtual environment, made if absent")
    parser.add_argument("--qubits", type=int, default=24, help="size of both models, even (default 24)")
    parser.add_argument("--seed", type=int, default=1, help="seed of both models (default 1)")
    parser.add_argument("--repeats", type=int, default=7, help="runs that the median is taken of (default 7)")
    parser.add_argument(
        "--row-seconds",
        type=float,
        default=180.0,
        help="a peer whose runs would take longer gets fewer of them, three at least (default 180)",
    )
    parser.add_argument("--peers", nargs="+", choices=[peer.key for peer in PEERS], help="these alone")
    parser.add_argument("--out", type=Path, help="write the record to this file as well")
    arguments = parser.parse_args()
    if arguments.qubits < 4 or arguments.qubits % 2:
        parser.error("--qubits: a 3-regular graph has an even number of vertices, four at least")
    if arguments.repeats < 1:
        parser.error("--repeats: one at least")
    return arguments


def main() -> int:
    arguments = parse()
    if not arguments.ketscale.exists():
        say(f"{arguments.ketscale} is missing: make build")
        return 3
    try:
        make_environment(arguments.environment)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"no virtual environment in {arguments.environment}: {error}")
        return 3
    peers = [peer for peer in PEERS if arguments.peers is None or peer.key in arguments.peers]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            ketscale=arguments.ketscale.resolve(),
            environment=arguments.environment.resolve(),
            folder=Path(folder),
            repeats=arguments.repeats,
            row_seconds=arguments.row_seconds,
            threads=len(os.sched_getaffinity(0)),
        )
        rows = all_rows(bench, arguments.qubits, arguments.seed, peers)
    text = record.text(arguments.qubits, arguments.seed, arguments.repeats, rows)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    return int(any(isinstance(row, FailedRow) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
