"""PennyLane's lightning.qubit: IsingZZ, RZ and RX on a tape that the device executes as it is. Wire 0 is the highest bit there."""

from collections.abc import Callable

import numpy as np
import pennylane as qml

from problem import Angles, Model


def tape_of(model: Model, angles: Angles) -> qml.tape.QuantumScript:
    def wire(variable: int) -> int:
        return model.qubits - 1 - variable

    gates = [qml.Hadamard(wire(i)) for i in range(model.qubits)]
    for gamma, beta in zip(*angles, strict=True):
        gates += [qml.IsingZZ(2.0 * gamma * weight, [wire(i), wire(j)]) for i, j, weight in model.pairs]
        gates += [qml.RZ(2.0 * gamma * weight, wire(i)) for i, weight in enumerate(model.linear)]
        gates += [qml.RX(2.0 * beta, wire(i)) for i in range(model.qubits)]
    return qml.tape.QuantumScript(gates, [qml.probs(wires=range(model.qubits))])


def prepare(model: Model, angles: Angles, settings: dict, cost: np.ndarray) -> Callable[[], float]:
    device = qml.device("lightning.qubit", wires=model.qubits, c_dtype=np.complex128)
    tape = tape_of(model, angles)

    def run() -> float:
        (probabilities,) = device.execute([tape])
        return float(np.dot(probabilities, cost))

    return run
