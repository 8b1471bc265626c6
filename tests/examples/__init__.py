"""Every example is run as a user runs it: a process of its own, in an empty folder."""
