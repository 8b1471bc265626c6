"""The tables of the model."""
