"""`inlier reproduce`: published experiments, repeated with this project's
detectors.
"""
