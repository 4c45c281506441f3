"""Benchmark: stages and whole runs, beside the codec alone and other programs. See `python -m scripts.bench --help`."""
