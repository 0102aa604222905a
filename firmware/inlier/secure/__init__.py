"""What keeps a detector from being quietly broken: signed models, updates,
state over a reboot. SECURITY.md has the threats.

Optional: a board that is flashed once, with its model frozen in, needs none of
it.
"""
