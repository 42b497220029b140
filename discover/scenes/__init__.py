"""Which frames show one scene: candidates, proof, groups, order."""
