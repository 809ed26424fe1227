"""No sensitive value in anything that a plan or an error shows, wherever Terraform's plan JSON has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from workbook.terraform.diagnostics import Diagnostic, TerraformError, read_diagnostics
from workbook.terraform.plan import Plan
from workbook.terraform.secrets import Secrets

CANARIES = ("canary-Zq7", 'canary-"quoted"\\x', "canary-<&>", "canary-line-one\ncanary-line-two", "canary-Ünï")
PIECES = ("canary", "Zq7", "quoted", "line-one", "line-two")

plain = st.sampled_from(["open", "value", 7, True, None])
copied = st.sampled_from(CANARIES).flatmap(
    lambda secret: st.sampled_from([secret, f"see {secret}!", json.dumps({"a": secret}), "x" * 112 + secret])
)
keys = st.sampled_from(["name", "tags", "tags_all", "Name", "policy", "rules", "bucket"])
trees = st.recursive(
    plain | copied, lambda one: st.lists(one, max_size=3) | st.dictionaries(keys, one, max_size=3), max_leaves=8
)
objects = st.dictionaries(keys, trees, max_size=4)
actions = st.sampled_from(
    [["create"], ["update"], ["delete"], ["no-op"], ["delete", "create"], ["create", "delete"], ["forget"], ["read"]]
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Plan JSON with copies of the canaries anywhere, and all of them marked as sensitive in one of several places."""
    kept = {"secret": list(CANARIES)}
    marks = draw(st.sampled_from([{"secret": True}, {"secret": [True] * len(CANARIES)}]))
    marked: dict[str, Any] = {}
    where = draw(st.sampled_from(["before", "after", "output", "variable", "prior", "drift"]))
    items = [
        {
            "address": f"aws_x.a{n}",
            "mode": "managed",
            "change": {"actions": draw(actions), "before": draw(objects), "after": draw(objects)},
        }
        for n in range(draw(st.integers(1, 16)))
    ]
    items.append(
        {
            "address": 'aws_x.open["key"]',
            "mode": "managed",
            "change": {"actions": ["update"], "before": {"size": "plain-old"}, "after": {"size": "plain-new"}},
        }
    )
    side = where if where in ("before", "after") else "after"
    holder = {"address": "aws_x.holder", "mode": "managed", "change": {"actions": draw(actions), side: kept}}
    holder["change"][f"{side}_sensitive"] = marks
    outputs: dict[str, Any] = {"shown": {"actions": ["create"], "before": None, "after": draw(trees)}}
    if where in ("before", "after"):
        items.append(holder)
    elif where == "output":
        outputs["held"] = {"actions": ["create"], "before": None, "after": list(CANARIES), "after_sensitive": True}
    elif where == "variable":
        marked["variables"] = {"held": {"value": list(CANARIES)}}
        marked["configuration"] = {"root_module": {"variables": {"held": {"sensitive": True}}}}
    elif where == "prior":
        resource = {"values": kept, "sensitive_values": marks}
        marked["prior_state"] = {"values": {"root_module": {"child_modules": [{"resources": [resource]}]}}}
    drift = [
        {"address": "aws_x.a0", "change": {"actions": ["update"], "before": draw(objects), "after": draw(objects)}}
    ]
    if where == "drift":
        drift.append(holder)
    failed = {"address": {"to_display": "check.c"}, "status": "fail", "problems": [{"message": draw(copied)}]}
    checks = [{"address": {"to_display": "check.c"}, "status": "fail", "instances": [failed]}]
    return {"resource_changes": items, "output_changes": outputs, "resource_drift": drift, "checks": checks, **marked}


@settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(documents(), copied)
def test_no_view_and_no_error_shows_a_canary(document: dict[str, Any], message: str) -> None:
    plan = Plan(Path("p"), {}, ("shown",)).detailed(document)
    shown = plan.rendered()
    error = TerraformError("apply", [Diagnostic("error", message, message, code=message)], plan.secrets)
    texts = [shown.html, shown.text, repr(plan), plan.summary, plan.table().to_csv(), str(error), repr(error)]
    texts += [str(error.diagnostics), str(error.args)]
    for text in texts:
        assert not [piece for piece in PIECES if piece in text], text
    assert "plain-old → plain-new" in shown.text and "plain-new" in shown.html


def test_the_canaries_would_be_found_without_the_marks() -> None:
    change = {"actions": ["update"], "before": {"name": "a"}, "after": {"name": CANARIES[0]}}
    plan = Plan(Path("p"), {}).detailed({"resource_changes": [{"address": "aws_x.a", "change": change}]})
    assert CANARIES[0] in plan.rendered().html and CANARIES[0] in plan.rendered().text


def test_encoded_copies_are_masked_and_short_values_do_not_eat_texts() -> None:
    import base64

    secrets = Secrets(["p&ss/word", "a", True, 1])
    encoded = base64.b64encode(b"p&ss/word").decode()
    assert secrets.mask(f"p%26ss%2Fword {encoded} p\\u0026ss/word a 1") == "(sensitive) (sensitive) (sensitive) a 1"


def test_secrets_of_a_state() -> None:
    path = [{"type": "get_attr", "value": "input"}, {"type": "index", "value": {"value": "password", "type": "string"}}]
    attributes = {"input": {"value": {"user": "bob-the-user", "password": "hunter2"}, "type": ["object", {}]}}
    state = {
        "outputs": {"o": {"value": "output-secret", "sensitive": True}, "p": {"value": "public"}},
        "resources": [{"instances": [{"attributes": attributes, "sensitive_attributes": [path]}]}],
    }
    assert Secrets.of_state(state).values == {"hunter2", "output-secret"}


def test_what_was_printed_as_text_is_masked_too() -> None:
    printed = "Error: cannot log in\n\nwith hunter2-secret\n"
    error = TerraformError("apply", read_diagnostics([], "", printed), Secrets(["hunter2-secret"]))
    assert "(sensitive)" in str(error) and "hunter2" not in str(error) + repr(error.diagnostics)
