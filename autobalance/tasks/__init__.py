"""What is asked: to tell classes apart, with or without groups, or to predict a number; objectives and metrics."""

from autobalance.tasks._fairness import fairness_report as fairness_report
from autobalance.tasks._goals import Classify as Classify
from autobalance.tasks._goals import Goal as Goal
from autobalance.tasks._goals import Regress as Regress
from autobalance.tasks._goals import goal_of as goal_of
from autobalance.tasks._goals import numbers as numbers
from autobalance.tasks._group_metrics import group_metrics as group_metrics
from autobalance.tasks._metrics import balanced_error_of as balanced_error_of
from autobalance.tasks._metrics import classification_metrics as classification_metrics
from autobalance.tasks._metrics import evaluate as evaluate
from autobalance.tasks._metrics import outputs as outputs
from autobalance.tasks._metrics import predict as predict
from autobalance.tasks._regression_metrics import regression_metrics as regression_metrics
