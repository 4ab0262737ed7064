"""Downloading models from the Hugging Face hub: the known models, requests to the hub, and resumable downloads.

This package writes files to a folder. It does not know what the files mean, and neither converts nor installs them.
"""
