"""The settings of a run: `schema` holds the words; `load` reads them, and alone knows hydra and omegaconf.

Each is imported by its own name, none from here: hydra takes its time to import, and rooms need only the words.
"""
