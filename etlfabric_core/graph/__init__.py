"""Workflow graphs: node kinds, ports, topology and the checks a graph must pass."""
