"""Hamming distances over arrays of hash keys. The kernels know arrays only: no files, no items."""
