"""Tests against a real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager.

`enter` makes the network namespace, `controlplane` runs the three programs in it, `node` plays the machine
that runs the pods, `workloads` holds what a test says to the cluster, `conftest` ties them together.
"""
