"""The network as a detector: what it sees, its scale, its file, its confidence."""
