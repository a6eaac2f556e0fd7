"""The machine of the test cluster: runs every pod as a live HTTP server on an address of its own.

It stands where kubelet, scheduler, container runtime, kube-proxy and an ingress controller stand in a real
cluster, and talks to the API server as they do:

- `behaviour`: what the tag of an image makes its container do; pure, the place for new behaviours;
- `bookstore`: the HTTP service inside a container;
- `kubelet`: containers, probes, restarts and the status of the pods;
- `kubernetes`: raw calls and watches;
- `logs`, `ingress`, `admin`: what the node serves to the API server, to users and to the tests;
- `__main__`: the process; `process`: its handle for the tests.

Not imitated: images are not pulled, commands and volumes are ignored, resources are not counted, exec probes
and liveness probes are not run, and init containers are taken as done.
"""
