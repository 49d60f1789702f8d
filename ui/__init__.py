"""Streamlit helpers that the pages share."""
