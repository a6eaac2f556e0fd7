"""Small configurations that the tests share."""

from __future__ import annotations

SMALLEST = 'targets: {api: {signals: {health: {http: "http://api/health"}}}}\n'
TWO = """\
mode: enforce
targets:
  api:
    kubernetes: {namespace: shop, deployment: api}
    signals:
      health: {http: {url: "http://api/health", headers: {X-Token: {env: TOKEN}}}}
      workload: {}
    data: compatible
  web:
    kubernetes: {namespace: shop, deployment: web}
    signals:
      home: {http: "http://web/", rule: {above: 5%, for: 2m}}
    data: none
groups:
  shop: {order: [api, web]}
notify:
  team: {stdout: {}}
  oncall: {stdout: {}}
"""
