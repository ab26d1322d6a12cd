"""Methods, problems and seeds: cells that are done once, here, in several processes or on a cluster."""

from autobalance.study._cell import Cell as Cell
from autobalance.study._cell import Desk as Desk
from autobalance.study._cell import Result as Result
from autobalance.study._cluster import Cluster as Cluster
from autobalance.study._executor import Executor as Executor
from autobalance.study._executor import InProcess as InProcess
from autobalance.study._executor import Unfinished as Unfinished
from autobalance.study._processes import Processes as Processes
from autobalance.study._run import run_cells as run_cells
from autobalance.study._store import Directory as Directory
from autobalance.study._store import Kept as Kept
from autobalance.study._store import Store as Store
