"""The report: chosen campaigns as one self-contained document, for somebody who never opens the app."""
