"""Tests against programs that Debian packages; `make test-system` runs them."""
