"""The documents say only what is true."""
