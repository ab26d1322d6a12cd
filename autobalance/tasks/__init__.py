"""What is asked: to tell classes apart, with or without groups, or to predict a number; metrics and objectives."""

from autobalance.tasks._classification import Classification as Classification
from autobalance.tasks._fairness import fairness_report as fairness_report
from autobalance.tasks._groups import GroupClassification as GroupClassification
from autobalance.tasks._outputs import outputs as outputs
from autobalance.tasks._outputs import predict as predict
from autobalance.tasks._regression import Regression as Regression
from autobalance.tasks._summary import summarise_figures as summarise_figures
from autobalance.tasks._tables import shot_names as shot_names
from autobalance.tasks._task import Defaults as Defaults
from autobalance.tasks._task import Task as Task
from autobalance.tasks._task_of import task_of as task_of
