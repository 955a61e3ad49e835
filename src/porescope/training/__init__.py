"""Training of networks: the only wing that uses PyTorch."""
