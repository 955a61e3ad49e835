"""Simulated micrographs with known pores."""
