"""What is asked of a source: values that cannot be, and options that have no effect beside others."""

import pytest

from autobalance.common import InputError
from autobalance.data import DataOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "ranking"}, "no task is called 'ranking'; there are classification and regression"),
        ({"text": "note"}, "`text` is 'note': it must be a tuple of column names"),
        ({"validation": 1.0}, "`validation` is 1.0: .* between 0 and 1"),
        ({"bins": 5}, "`bins` 5 has no effect on a classification: add `task` regression"),
        ({"task": "regression", "group": ["sex"]}, "`group` sex has no effect on a regression"),
        ({"task": "regression", "imbalance": 10}, "`imbalance` 10 has no effect on a regression"),
        ({"task": "regression", "imbalance_type": "step"}, "`imbalance_type` step has no effect on a regression"),
        ({"group_as_feature": True}, "`group_as_feature` has no effect without `group`"),
    ],
)
def test_what_cannot_be_asked(options, message):
    with pytest.raises(InputError, match=message):
        DataOptions(**options)


def test_lists_of_columns_are_kept_as_tuples():
    options = DataOptions(text=["a", "b"], drop=[], group=["sex"])
    assert (options.text, options.drop, options.group) == (("a", "b"), (), ("sex",))
    assert options == DataOptions(text=("a", "b"), group=("sex",))
    options.refuse(["drop"], "anything")


def test_the_share_that_validates():
    assert DataOptions().validation_share == 0.2 and DataOptions(validation=0.3).validation_share == 0.3
