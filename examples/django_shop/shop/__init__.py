"""A shop whose orders are confirmed and invoiced by operations."""
