"""Sources of evidence about a target, each a `ports.Signal`. Strangers to each other."""
