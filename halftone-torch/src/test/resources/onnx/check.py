"""ONNX's own checker and shape inference: check.py MODEL.onnx fails on what they find wrong."""

import sys

import onnx

onnx.checker.check_model(sys.argv[1], full_check=True)
