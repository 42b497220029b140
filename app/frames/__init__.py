"""Frames and bursts: what the pages ask of them, their pictures, the verdicts on them."""
