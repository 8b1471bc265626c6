"""Wrong variants of what matters, and the proof that the contract suite notices each.

A variant is a file: what is wrong, where the source is edited, and the tests that must fail then. Add one for each statement
or rule on which a promise rests; give `engine` when only one engine has it.
"""
