"""Quantises detectors and writes them as the model file, a Python module,
TFLite and golden vectors.
"""
