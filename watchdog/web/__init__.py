"""The faces that speak HTTP: the API on a unix socket, and metrics and health on TCP.

Role: turns requests into calls of `ports.Control` and its answers into JSON. Neighbours: `engine.control` behind the port,
the command line in front of the socket, Prometheus and the kubelet in front of TCP. Guarantees: what changes something
exists on the unix socket only, whose file mode is the credential; every wait is bounded. Start with `web.server.Faces`.
"""
