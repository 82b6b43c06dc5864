"""The record of a comparison as Markdown, in the manner of benches/records."""

import datetime
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peers import Peer
from problem import Model

HEADER = [
    "workload",
    "peer",
    "precision",
    "peer, ms a layer",
    "Ketscale, ms a layer",
    "ratio",
    "peer's best settings",
    "runs",
    "⟨C⟩ at p = 10, peer",
    "⟨C⟩ at p = 10, Ketscale",
]


@dataclass(frozen=True)
class Row:
    """A peer on a model, next to Ketscale."""

    model: Model
    peer: Peer
    settings: dict
    repeats: int
    versions: dict[str, str]
    peer_ms: float
    ketscale_ms: float
    peer_value: float
    ketscale_value: float


@dataclass(frozen=True)
class FailedRow:
    """A peer that could not be measured, and why."""

    model: Model | None
    peer: Peer
    reason: str


def spelled(settings: dict) -> str:
    """Settings in words."""
    words = [f"{settings['threads']} thread{'s' if settings['threads'] > 1 else ''}"]
    if "max_fused" in settings:
        size = settings["max_fused"]
        words.append(f"fused up to {size} qubits" if size else "not fused")
    if settings.get("pinned"):
        words.append("OMP_PROC_BIND")
    return ", ".join(words)


def cells(row: Row) -> list[str]:
    return [
        row.model.name,
        row.peer.name,
        row.peer.precision,
        f"{row.peer_ms:.1f}",
        f"{row.ketscale_ms:.2f}",
        f"{row.peer_ms / row.ketscale_ms:.1f}",
        spelled(row.settings),
        str(row.repeats),
        f"{row.peer_value:.12g}",
        f"{row.ketscale_value:.12g}",
    ]


def table(rows: list[Row]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *(cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    """The processor as /proc/cpuinfo has it: its first core's name, family and model, and how many there are."""
    fields: dict[str, str] = {}
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    for line in lines:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    cores = sum(line.startswith("processor") for line in lines)
    name = fields.get("model name", platform.processor() or "unknown")
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}), {cores} cores"


def said(command: list[str]) -> str:
    """What a command says in one line, or that it does not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def versions(rows: list[Row]) -> str:
    found = {name: version for row in rows for name, version in row.versions.items()}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def text(qubits: int, seed: int, repeats: int, rows: list[Row | FailedRow]) -> str:
    """The whole record: where, what, the table, and what failed."""
    measured = [row for row in rows if isinstance(row, Row)]
    failed = [row for row in rows if isinstance(row, FailedRow)]
    commit = said(["git", "describe", "--always", "--dirty", "--exclude", "*"])
    expectations = sorted({f"{row.peer.name} {row.peer.expectation}" for row in measured})
    parts = [
        f"# A QAOA layer in other simulators, {datetime.date.today().isoformat()}",
        f"`make bench-peers` with {qubits} qubits, seed {seed}, on {processor()}; commit {commit}, {said(['rustc', '--version'])},"
        f" Python {platform.python_version()}; {versions(measured)}.",
        "A layer is (T(p = 10) − T(p = 2))/8 with ⟨C⟩ in T on both sides, both with linear terms, set-up left out on both. T is a median"
        f" of {repeats} for Ketscale, and of as many runs as the table says for the peer. The settings are the best of those tried"
        f" at p = 1 on {min(qubits, 22)} qubits. ⟨C⟩ is equal to 1e-9 in f64 and 1e-4 in f32, at p = 2 and p = 10. Of a peer it"
        f" is one pass of numpy over what it hands out, faster than its sum over Pauli terms: {'; '.join(expectations)}. Translating"
        " the circuit is in Aer's time, going over the gates in Python in Lightning's, for they do so in every call.",
        table(measured),
    ]
    parts += [f"**{row.peer.name}{f', {row.model.name}' if row.model else ''}: {row.reason}**" for row in failed]
    return "\n\n".join(parts) + "\n"
