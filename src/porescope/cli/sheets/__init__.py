"""The commands on what a run found: conductance, statistics, the map of a sheet."""
