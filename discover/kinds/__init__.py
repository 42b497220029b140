"""Clusters of vectors: how they are found, chosen, placed, traced and scored."""
