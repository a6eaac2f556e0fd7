"""The gate, its checks, permits, pauses, budget, and the response machine. Pure: no await, clock, logging or I/O."""
