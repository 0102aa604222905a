"""The command line, live views, the report, the demonstration and the repeated
experiment.
"""
