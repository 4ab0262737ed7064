"""Hamming distances over arrays of hash keys; nothing here knows of files or items."""
