"""Synaptic Intelligence and its relatives, for PyTorch: the package behind the book."""
