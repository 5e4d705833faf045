"""What every candidate's process needs, imported once in the server they are forked from."""

import matplotlib.backends.backend_agg  # noqa: F401
import matplotlib.figure  # noqa: F401
import numpy  # noqa: F401
import scipy.sparse  # noqa: F401
import sklearn.calibration  # noqa: F401
import sklearn.compose  # noqa: F401
import sklearn.ensemble  # noqa: F401
import sklearn.impute  # noqa: F401
import sklearn.linear_model  # noqa: F401
import sklearn.pipeline  # noqa: F401
import sklearn.preprocessing  # noqa: F401
import skops.io  # noqa: F401

import training.finish
import training.fit
import training.worker  # noqa: F401
