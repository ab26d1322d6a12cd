"""What every room builds on: the error for bad input, files that are complete at any moment, numbers for people.

Bins of an ordered label and their smoothed density are in `autobalance.common.density`, since they need torch.
"""

from autobalance.common._errors import InputError as InputError
from autobalance.common._errors import Unfinished as Unfinished
from autobalance.common._events import Callback as Callback
from autobalance.common._events import listening as listening
from autobalance.common._events import tell as tell
from autobalance.common._fields import check_listed as check_listed
from autobalance.common._fields import check_one_of as check_one_of
from autobalance.common._fields import check_value as check_value
from autobalance.common._files import Fault as Fault
from autobalance.common._files import JsonFormat as JsonFormat
from autobalance.common._files import check_count as check_count
from autobalance.common._files import check_keys as check_keys
from autobalance.common._files import check_number as check_number
from autobalance.common._files import check_strings as check_strings
from autobalance.common._files import check_table as check_table
from autobalance.common._files import fault_in as fault_in
from autobalance.common._files import read_yaml as read_yaml
from autobalance.common._files import replacing as replacing
from autobalance.common._files import write_json as write_json
from autobalance.common._files import write_text as write_text
from autobalance.common._foreign import ForeignError as ForeignError
from autobalance.common._foreign import check_arguments as check_arguments
from autobalance.common._foreign import described as described
from autobalance.common._foreign import foreign as foreign
from autobalance.common._foreign import user_frame as user_frame
from autobalance.common._importing import import_function as import_function
from autobalance.common._memory import free_memory_mb as free_memory_mb
from autobalance.common._nearest import nearest as nearest
from autobalance.common._numbers import decimals as decimals
from autobalance.common._numbers import significant as significant
from autobalance.common._numbers import trimmed as trimmed
