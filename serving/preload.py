# ruff: noqa: F401
"""What compiling a model needs, imported while this machine's registry and engine are asked."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # later than its import is too late

import onnx
import onnxruntime
import pandas
import scipy.sparse
import sklearn.compose
import sklearn.ensemble
import sklearn.impute
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
import skops.io

import serving.compile
import training.features
import training.scoring
