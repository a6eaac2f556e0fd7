"""What a person types.

Role: the command ``watchdog`` and, as the composition root, the only room that may know all others. Neighbours: the API
on the unix socket (`cli.client`), `settings` for the commands about the configuration. Guarantees: nothing heavy is
imported before it is needed - ``watchdog status`` starts in a fraction of a second; what comes from outside is printed
without its control characters; exit codes are those of `cli.exits`.
"""
