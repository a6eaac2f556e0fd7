"""Random faults against real processes and a real control plane, and a checker that believes nobody."""
