# ruff: noqa: F401
"""What every candidate's process needs, loaded once in the server they are forked from."""

import scipy.sparse
import sklearn.calibration
import sklearn.compose
import sklearn.datasets
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.impute
import sklearn.linear_model
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing
import skops.io

import training.finish
import training.fit
import training.plots
import training.reader
import training.worker
from training.plots.chart import draw_nothing

draw_nothing()
