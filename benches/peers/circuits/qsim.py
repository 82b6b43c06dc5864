"""qsim through Cirq: ZZ, Z and X powers in single precision. The first qubit is the highest bit there.

Cirq's powers are up to a phase e^{-iθP/2} with θ = π·exponent. The translated circuit is kept from the run that warms up.
"""

from collections.abc import Callable
from math import pi

import cirq
import numpy as np
import qsimcirq

from circuits import expectation
from problem import Angles, Model


def circuit_of(model: Model, angles: Angles, qubits: list[cirq.LineQubit]) -> cirq.Circuit:
    circuit = cirq.Circuit(cirq.H.on_each(*qubits))
    for gamma, beta in zip(*angles, strict=True):
        circuit.append(cirq.ZZ(qubits[i], qubits[j]) ** (2.0 * gamma * weight / pi) for i, j, weight in model.pairs)
        circuit.append(cirq.Z(qubits[i]) ** (2.0 * gamma * weight / pi) for i, weight in enumerate(model.linear))
        circuit.append(cirq.X(qubit) ** (2.0 * beta / pi) for qubit in qubits)
    return circuit


def prepare(model: Model, angles: Angles, settings: dict, cost: np.ndarray) -> Callable[[], float]:
    qubits = cirq.LineQubit.range(model.qubits)
    circuit = circuit_of(model, angles, qubits)
    options = qsimcirq.QSimOptions(max_fused_gate_size=settings["max_fused"], cpu_threads=settings["threads"])
    simulator = qsimcirq.QSimSimulator(options, circuit_memoization_size=1)

    def run() -> float:
        _, amplitudes, _ = simulator.simulate_into_1d_array(circuit, qubit_order=qubits[::-1])
        return expectation.of_amplitudes(amplitudes, cost)

    return run
