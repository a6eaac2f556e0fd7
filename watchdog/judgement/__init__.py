"""Judgement: samples and what is remembered of a release in, verdicts and blame out. Pure: no await, clock, log or I/O."""
