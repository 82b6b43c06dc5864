"""One file a peer, each with `prepare(model, angles, settings, cost)`: everything that a run needs once, and the run itself.

`cost` holds the cost of every basis state. The run that is returned applies all layers to |+…+⟩ and gives ⟨C⟩.
"""
