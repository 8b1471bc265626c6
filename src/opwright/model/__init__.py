"""The nouns of Opwright and the rules about them: no I/O, no clock, no database."""
