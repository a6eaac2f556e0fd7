"""The page: what a person sees in a browser, rendered on the server.

Role: `application.PageApp` is the room's door. Neighbours: asks `ports.Control` as the API does, through `snapshots`; is
served on a TCP address of its own, off by default. Guarantees: every route reads only; no request leaves for elsewhere
(strict Content-Security-Policy, own style and script); everything of outside origin is escaped; without scripts the page
renews itself. Not here: orders - a person types them, the page says which.
"""
