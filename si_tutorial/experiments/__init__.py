"""The paper's experiments: named runs, a resumable runner, and a store of results."""
