"""The formats that Datumaro reads."""
