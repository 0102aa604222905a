"""inlier: a device notices, by itself, that its own traffic has stopped looking
like its own traffic.

Nothing is imported here: a board pays only for the modules it uses.
"""

__version__ = "0.3.0.dev0"
