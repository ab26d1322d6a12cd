"""What a search makes small: metrics by name, their sums, constraints, functions of one's own."""

from autobalance.tasks.objectives._blend import GROUPS_FROM as GROUPS_FROM
from autobalance.tasks.objectives._blend import Blend as Blend
from autobalance.tasks.objectives._constrained import Constrained as Constrained
from autobalance.tasks.objectives._constrained import Constraint as Constraint
from autobalance.tasks.objectives._constrained import of_largest as of_largest
from autobalance.tasks.objectives._constrained import standing as standing
from autobalance.tasks.objectives._make import make_objective as make_objective
from autobalance.tasks.objectives._make import objective_names as objective_names
from autobalance.tasks.objectives._objective import Objective as Objective
from autobalance.tasks.objectives._objective import Standing as Standing
from autobalance.tasks.objectives._own import Own as Own
from autobalance.tasks.objectives._own import OwnFunction as OwnFunction
