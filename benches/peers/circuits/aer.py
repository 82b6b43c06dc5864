"""Qiskit Aer's state vector method: RZZ, RZ and RX gates, qubit 0 in the lowest bit as in Ketscale.

`fusion_threshold=1` lets a scan on few qubits say what fusion does on many; Aer's default is 14 qubits.
"""

from collections.abc import Callable

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from circuits import expectation
from problem import Angles, Model


def circuit_of(model: Model, angles: Angles) -> QuantumCircuit:
    circuit = QuantumCircuit(model.qubits)
    circuit.h(range(model.qubits))
    for gamma, beta in zip(*angles, strict=True):
        for i, j, weight in model.pairs:
            circuit.rzz(2.0 * gamma * weight, i, j)
        for i, weight in enumerate(model.linear):
            circuit.rz(2.0 * gamma * weight, i)
        circuit.rx(2.0 * beta, range(model.qubits))
    circuit.save_statevector()
    return circuit


def prepare(model: Model, angles: Angles, settings: dict, cost: np.ndarray) -> Callable[[], float]:
    circuit = circuit_of(model, angles)
    fusion = {"fusion_enable": settings["max_fused"] > 0, "fusion_max_qubit": max(1, settings["max_fused"])}
    simulator = AerSimulator(
        method="statevector", precision="double", max_parallel_threads=settings["threads"], fusion_threshold=1, **fusion
    )

    def run() -> float:
        result = simulator.run(circuit, shots=1).result()
        if not result.success:
            raise RuntimeError(result.status)
        return expectation.of_amplitudes(np.asarray(result.data(0)["statevector"]), cost)

    return run
