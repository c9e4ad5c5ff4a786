"""Unmodified servers and clients from the distribution, hopping, with every byte checked."""
