"""The composition root: applications, hosts, targets, settings."""
