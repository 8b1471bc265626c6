"""The benchmarks keep working; how fast anything is, no test says."""
