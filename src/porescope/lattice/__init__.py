"""The crystal's lattice: found in an image, as a ruler, as a map, as sites of atoms."""
