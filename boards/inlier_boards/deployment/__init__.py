"""Puts runtime and model onto a board and tests them there."""
