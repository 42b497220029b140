"""Supervised half: what floor and which element a frame shows."""
