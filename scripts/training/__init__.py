"""Training of face_plate_v2: `python -m scripts.training --help`; how the weights came about is in docs/training.md."""
