"""Telling other systems of events over HTTPS: which addresses, signed how, sent how. No database."""
