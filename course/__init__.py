"""What the lessons import: reference implementations, checks, data, training, plots, recorded results."""
