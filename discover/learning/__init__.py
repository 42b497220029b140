"""Heads that learn the kinds that people named."""
