"""Writes python.safetensors with the Python package `safetensors`, for the test that reads it; with a file name, prints what Python
finds in that file: python make.py runs/net-1/best/step-640/model.safetensors"""
import sys
from pathlib import Path

import numpy
from safetensors.numpy import load_file, save_file


def tensors():
    return {
        "fc1.weight": numpy.arange(12, dtype=numpy.float32).reshape(3, 4) / 8,
        "fc1.bias": numpy.array([0.0, -0.0, numpy.inf], dtype=numpy.float32),
        "steps": numpy.array(1 << 40, dtype=numpy.int64),
        "half": numpy.array([1.5, -2.0], dtype=numpy.float16),
        "double": numpy.array([0.1], dtype=numpy.float64),
        "mask": numpy.array([True, False, True]),
        "empty": numpy.zeros((0, 5), dtype=numpy.float32),
        'quoted "name" é': numpy.array([7], dtype=numpy.int32),
    }


if len(sys.argv) > 1:
    for name, tensor in load_file(sys.argv[1]).items():
        print(name, tensor.dtype, list(tensor.shape), float(numpy.linalg.norm(tensor.astype(numpy.float64))))
else:
    save_file(tensors(), Path(__file__).with_name("python.safetensors"), metadata={"format": "np", "note": "made by make.py"})
