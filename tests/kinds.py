"""Every importance measure, for tests that hold for all of them."""

import pytest

from si_tutorial.importance import (
    ElasticWeightConsolidation,
    MemoryAwareSynapses,
    SynapticIntelligence,
    UniformImportance,
)

KINDS = [ElasticWeightConsolidation, MemoryAwareSynapses, SynapticIntelligence, UniformImportance]
EVERY = pytest.mark.parametrize("kind", KINDS)
