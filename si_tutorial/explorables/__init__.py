"""Interactive figures: live where a kernel is, and never a dead control where none is."""
