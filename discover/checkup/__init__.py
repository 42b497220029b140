"""The checks of `discover doctor`: the computer, and a survey, which is only read."""
