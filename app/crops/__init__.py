"""The crops of a clustering run: what stands on them, which are shown, what is decided."""
