"""The formats that Datumaro reads, and its old projects.

Datumaro is optional: it is imported when one of its formats is read, and kept quiet. Only this room knows it.
"""
