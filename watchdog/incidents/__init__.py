"""The incident bundle: where its files lie, what is captured, and how it is told."""
