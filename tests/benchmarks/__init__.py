"""Figures that the documents quote, printed by commands, each beside what it is compared to. Never asserted on time."""
