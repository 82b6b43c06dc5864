"""The models and angles that every simulator gets.

Conventions are Ketscale's: C = Σ h_i z_i + Σ J_ij z_i z_j is minimised, z = 1 − 2b, variable 0 is the lowest bit of a basis state's
index, and |ψ⟩ = Π_l e^{-iβ_l ΣX} e^{-iγ_l C} |+⟩, layer 1 first, without a hidden ½.
"""

import json
import math
import random
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

# γ and β of every layer.
Angles = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Model:
    """A quadratic polynomial in spins: h_i by i, and (i, j, J_ij)."""

    name: str
    seed: int
    linear: list[float]
    pairs: list[tuple[int, int, float]]

    @property
    def qubits(self) -> int:
        return len(self.linear)

    def write(self, path: Path) -> None:
        """Writes the model as `ketscale evaluate` reads it."""
        terms = [{"vars": [i], "coeff": h} for i, h in enumerate(self.linear)]
        terms += [{"vars": [i, j], "coeff": weight} for i, j, weight in self.pairs]
        path.write_text(json.dumps({"vartype": "SPIN", "variables": self.qubits, "terms": terms}))

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(fields: dict) -> "Model":
        return Model(fields["name"], fields["seed"], fields["linear"], [tuple(pair) for pair in fields["pairs"]])


def dense(qubits: int, seed: int) -> Model:
    """All pairs and all linear terms, uniform in [−1, 1), the pairs over √n."""
    draw = random.Random(seed)
    linear = [draw.uniform(-1.0, 1.0) for _ in range(qubits)]
    size = 1.0 / math.sqrt(qubits)
    pairs = [(i, j, size * draw.uniform(-1.0, 1.0)) for j in range(qubits) for i in range(j)]
    return Model("dense quadratic", seed, linear, pairs)


def regular(qubits: int, seed: int, ketscale: Path) -> Model:
    """A random 3-regular graph of `ketscale generate`, weights in [½, 3/2), linear terms in [−½, ½)."""
    arguments = ["generate", "maxcut-regular", "--n", str(qubits), "--seed", str(seed)]
    found = subprocess.run([ketscale, *arguments], check=True, capture_output=True, text=True)
    edges = [tuple(term["vars"]) for term in json.loads(found.stdout)["terms"]]
    draw = random.Random(seed)
    linear = [draw.uniform(-0.5, 0.5) for _ in range(qubits)]
    return Model("3-regular, weighted", seed, linear, [(i, j, draw.uniform(0.5, 1.5)) for i, j in edges])


def angles(depth: int) -> Angles:
    """γ from 0.05 to 0.3 and β from 0.6 to 0.1, as `simulator/benches` has them."""

    def ramp(first: float, last: float) -> list[float]:
        return [first + (last - first) * (layer + 0.5) / depth for layer in range(depth)]

    return ramp(0.05, 0.3), ramp(0.6, 0.1)
