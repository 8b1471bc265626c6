"""The tests: folders mirror `src/opwright`, and each test states one promise."""
