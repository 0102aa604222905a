"""`inlier report`: one HTML file that shows what a model saw: scores,
thresholds, alarms and what they rest on.
"""
