"""What the peers' own interpreters run: set up, submit, work. Only the peer and the standard library are there."""
