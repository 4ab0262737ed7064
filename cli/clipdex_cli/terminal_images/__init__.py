"""Pictures on a terminal: which protocol it has, and the characters that draw one. The terminal is asked nothing."""
