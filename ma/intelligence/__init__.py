"""What customers are worth and what they will do next: estimators on DataFrames, no database.

`fit` returns the estimator, fitted values end in `_`, `predict` takes a frame and gives one with its index.
"""
