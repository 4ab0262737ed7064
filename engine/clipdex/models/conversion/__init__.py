"""Dual encoders as others publish them: what a folder holds, and how its towers want images and texts."""
