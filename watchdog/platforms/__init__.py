"""What may be rolled back, each a `ports.Platform` and a `ports.PlatformWriter`. Strangers to each other."""
