"""Other systems, measured beside Opwright: one file each says what it is, its program in ``programs`` makes it work.

Nothing is imported here: the programs live in this package too, and run where Opwright is not installed.
"""
