"""Each framework is the real one, and each server a real one."""
