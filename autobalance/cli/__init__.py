"""The commands: words of options, typed values, progress. Nothing else knows a flag.

What further commands need, those of experiments among them, is public; importing it needs no torch.
"""

from autobalance.cli._command import BAD_INPUT as BAD_INPUT
from autobalance.cli._command import DONE as DONE
from autobalance.cli._command import command_line as command_line
from autobalance.cli._command import run_command as run_command
from autobalance.cli._conditions import OpenConditions as OpenConditions
from autobalance.cli._conditions import executor_of as executor_of
from autobalance.cli._main import main as main
from autobalance.cli._option_values import names as names
from autobalance.cli._option_values import number as number
from autobalance.cli._option_values import positive as positive
from autobalance.cli._option_values import positive_float as positive_float
from autobalance.cli._option_values import seed as seed
from autobalance.cli._option_values import whole as whole
from autobalance.cli._options import GroupOptions as GroupOptions
from autobalance.cli._options import Parser as Parser
from autobalance.cli._options import ProblemOptions as ProblemOptions
from autobalance.cli._options import RunOptions as RunOptions
from autobalance.cli._options import add_group_options as add_group_options
from autobalance.cli._options import add_problem_options as add_problem_options
from autobalance.cli._options import add_run_options as add_run_options
from autobalance.cli._options import add_work_options as add_work_options
from autobalance.cli._options import adder as adder
from autobalance.cli._options import checked_values as checked_values
from autobalance.cli._options import read_options as read_options
from autobalance.cli._progress import Display as Display
from autobalance.cli._words import as_flags as as_flags
