"""The peers: what to install, in which precision each is met, and which settings are tried to find its best."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Peer:
    """A simulator to compare with. `key` names its file under `circuits/`."""

    key: str
    name: str
    packages: list[str]
    precision: str
    tolerance: float
    expectation: str
    grid: list[dict] = field(default_factory=list)

    def settings(self, threads: int) -> list[dict]:
        """All settings to try, each on one thread and on all of them."""
        counts = sorted({1, threads})
        return [{"threads": count, **settings} for settings in self.grid for count in counts]


def fused(*sizes: int) -> list[dict]:
    """Most qubits of a gate that others are fused into; 0 for no fusion."""
    return [{"max_fused": size} for size in sizes]


PEERS = [
    Peer(
        key="aer",
        name="Qiskit Aer",
        packages=["qiskit", "qiskit-aer"],
        precision="f64",
        tolerance=1e-9,
        expectation="saved state vector, numpy",
        grid=fused(0, 3, 4, 5),
    ),
    Peer(
        key="qulacs",
        name="Qulacs",
        packages=["qulacs", "scipy"],
        precision="f64",
        tolerance=1e-9,
        expectation="state vector, numpy",
        grid=fused(0, 2, 3),
    ),
    Peer(
        key="lightning",
        name="PennyLane Lightning",
        packages=["pennylane", "pennylane-lightning"],
        precision="f64",
        tolerance=1e-9,
        expectation="probabilities, numpy",
        grid=[{}],
    ),
    Peer(
        key="qsim",
        name="qsim",
        packages=["qsimcirq", "cirq-core"],
        precision="f32",
        tolerance=1e-4,
        expectation="state vector, numpy",
        grid=fused(2, 3, 4, 5),
    ),
]
