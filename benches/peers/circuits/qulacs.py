"""Qulacs: Pauli rotations, RotZ and RotX, qubit 0 in the lowest bit as in Ketscale.

Qulacs's rotations by θ are e^{+iθP/2}, so every angle changes its sign.
"""

from collections.abc import Callable

import numpy as np
import qulacs
from qulacs.circuit import QuantumCircuitOptimizer

from circuits import expectation
from problem import Angles, Model


def circuit_of(model: Model, angles: Angles) -> qulacs.QuantumCircuit:
    circuit = qulacs.QuantumCircuit(model.qubits)
    for gamma, beta in zip(*angles, strict=True):
        for i, j, weight in model.pairs:
            circuit.add_multi_Pauli_rotation_gate([i, j], [3, 3], -2.0 * gamma * weight)
        for i, weight in enumerate(model.linear):
            circuit.add_RZ_gate(i, -2.0 * gamma * weight)
        for i in range(model.qubits):
            circuit.add_RX_gate(i, -2.0 * beta)
    return circuit


def prepare(model: Model, angles: Angles, settings: dict, cost: np.ndarray) -> Callable[[], float]:
    circuit = circuit_of(model, angles)
    if settings["max_fused"] > 0:
        QuantumCircuitOptimizer().optimize(circuit, settings["max_fused"])
    state = qulacs.QuantumState(model.qubits)
    start = qulacs.QuantumState(model.qubits)
    for i in range(model.qubits):
        qulacs.gate.H(i).update_quantum_state(start)

    def run() -> float:
        state.load(start)
        circuit.update_quantum_state(state)
        return expectation.of_amplitudes(state.get_vector(), cost)

    return run
