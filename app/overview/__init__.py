"""What the survey holds as a whole, and what is left to do."""
