"""Proofs over all requests, on random small accounts: nothing that is PROVEN has a counterexample, and what refutes is
allowed by the simulator too. `python -m audit.proof_soundness` looks at many more.
"""

from __future__ import annotations

from typing import Any

import pytest

from audit.proof_soundness import run
from workbook.access.requests import Space

SEED, ACCOUNTS = 11, 90

pytestmark = pytest.mark.usefixtures("simulator")


def test_proofs_are_sound() -> None:
    wrong, answers = run(SEED, ACCOUNTS)
    assert wrong == []
    assert min(answers["PROVEN"], answers["REFUTED"]) >= ACCOUNTS / 6
    assert answers["CANNOT TELL"] <= ACCOUNTS / 2
    assert answers["requests"] >= 500
    assert answers["simulated"] >= 50


def test_a_proof_that_leaves_values_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Space.values

    def first_only(self: Space, key: str, known: Any) -> list[Any]:
        return whole(self, key, known)[:1] if not key.startswith("aws:principalarn") else whole(self, key, known)

    monkeypatch.setattr(Space, "values", first_only)
    monkeypatch.setattr("audit.proof_soundness.every_value", whole)
    wrong, _ = run(SEED, ACCOUNTS)
    assert any(line.startswith("PROVEN, but") for line in wrong)
