"""Measurements of the whole system against its goals; bench/README.md says how to read them."""
