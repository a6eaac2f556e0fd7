"""The benchmark of the judgement: false rollbacks, delays and their bounds, beside the rules of others."""
