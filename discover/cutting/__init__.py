"""From frames to regions, and from regions to vectors."""
