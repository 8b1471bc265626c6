"""What Opwright costs and how it compares, measured: `python -m benchmarks`."""
