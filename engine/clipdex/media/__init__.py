"""Media: where the images of items are, and how they are opened and decoded."""
