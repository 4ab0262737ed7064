"""The command line of clipdex: one module a command; each parses, makes one engine call, and prints."""
