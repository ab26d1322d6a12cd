"""The progress of a search as one bar, in scripts and notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from autobalance.common import Callback


class Bar(Callback):
    """One bar from the first step of a search to the last training of its choice, on standard error, or as a widget
    where a notebook has those; within ``with`` only."""

    def __enter__(self) -> Self:
        from tqdm.auto import tqdm

        self._bar, self._steps, self._epochs = tqdm(desc="search", unit="epoch", dynamic_ncols=True), 0, 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def on_search(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._steps = self._bar.total = record["steps"]
        self._to(record["done"])

    def on_share(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._to(round(record["done"], 2))

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._bar.set_description(record["phase"], refresh=False)
        if record.get("objective") is not None:
            self._bar.set_postfix_str(f"objective {record['objective']:.3f}", refresh=False)
        self._to(record["epoch"])

    def on_choice(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._epochs = record["epochs"]
        self._bar.total = self._steps + record["trainings"] * self._epochs

    def on_training(self, record: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self._bar.set_description("choice", refresh=False)
        self._bar.set_postfix_str(record["training"], refresh=False)
        self._to(self._steps + record["done"] * self._epochs + record["epoch"])

    def _to(self, done: float) -> None:
        self._bar.update(done - self._bar.n)
