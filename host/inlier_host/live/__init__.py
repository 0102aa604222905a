"""`inlier monitor` live: what this machine or a device says, on the terminal or
as a page on localhost.
"""
