"""Answers to "which weights matter?", and the one penalty they share."""

from si_tutorial.importance.diagnosis import Finding, diagnose
from si_tutorial.importance.elastic_weight_consolidation import ElasticWeightConsolidation
from si_tutorial.importance.memory_aware_synapses import MemoryAwareSynapses
from si_tutorial.importance.penalty import QuadraticPenalty
from si_tutorial.importance.synaptic_intelligence import SynapticIntelligence
from si_tutorial.importance.uniform import UniformImportance

__all__ = ["ElasticWeightConsolidation", "Finding", "MemoryAwareSynapses", "QuadraticPenalty",
           "SynapticIntelligence", "UniformImportance", "diagnose"]
