"""The verbs of the command `discover`, one file each. Light: heavy imports are in the functions."""
