# Freezes the runtime into a firmware: include("…/firmware/manifest.py") in the board's own manifest.
package("inlier")
