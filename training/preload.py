# ruff: noqa: F401
"""What every candidate's process needs, imported once in the server they are forked from."""

import matplotlib.backends.backend_agg
import matplotlib.figure
import numpy
import scipy.sparse
import sklearn.calibration
import sklearn.compose
import sklearn.ensemble
import sklearn.impute
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
import skops.io

import training.finish
import training.fit
import training.worker
