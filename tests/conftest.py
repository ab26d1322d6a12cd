import pytest
import torch
from hypothesis import settings

# The same cases in every run, few enough to be quick, whatever the machine is busy with.
settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True, database=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors of a few numbers gain nothing from threads, which on a busy machine wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_page(monkeypatch):
    """Runs without the report, which takes longest."""
    monkeypatch.setattr("autobalance.cli._run.write_report", lambda directory: None)


@pytest.fixture
def no_figure(monkeypatch):
    """Comparisons without their figure, which takes longer than the table."""
    monkeypatch.setattr("autobalance.study.report.draw_comparison", lambda results, path: None)
