"""Answers to "which weights matter?", and the one penalty they share."""

from si_tutorial.importance.penalty import QuadraticPenalty
from si_tutorial.importance.synaptic_intelligence import SynapticIntelligence

__all__ = ["QuadraticPenalty", "SynapticIntelligence"]
