"""Many devices of some types: one store of windows, one budget, on Dask."""
