"""What would happen if we sent it: numpy columns in, numpy columns out, no database.

`VERSION` is stored with every launch. Raise it when the same seed and parameters would give other outcomes.
"""

VERSION = "simulation 1"
