"""The composition root: the only place that builds services."""
