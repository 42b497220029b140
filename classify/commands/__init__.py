"""The verbs of the command `classify`, one file each. Light: heavy imports are in the functions."""
