"""The inventory as data: tables, names, order, JSON, policy statements. No AWS."""

from __future__ import annotations

import copy
import importlib
import json
import pickle

import pandas as pd
import pytest

from workbook import display
from workbook.errors import WorkbookError
from workbook.inventory import STATEMENT, TABLES, Inventory, Scope
from workbook.inventory.schema import DICT, ID, IDS, TEXT, Column, Table, Type
from workbook.inventory.snapshot import frame, natural
from workbook.inventory.statements import document, statements, summary
from workbook.layers import BY_KEY

SCOPE = Scope("alloy-test-shop", "eu-west-1", "eu-central-1")


def test_every_table_is_there_with_its_columns_and_types_when_empty() -> None:
    inventory = Inventory.from_tables({})
    assert set(inventory) == set(TABLES)
    for name, table in TABLES.items():
        frame = inventory[name]
        assert list(frame.columns) == list(table.columns)
        assert [str(t) for t in frame.dtypes] == [column.type.dtype for column in table.columns.values()], name


def test_tables_are_declared_beside_their_layers_reader() -> None:
    for layer in BY_KEY:
        declared = importlib.import_module(f"workbook.inventory.{layer}").TABLES
        assert [table.name for table in declared] == [name for name, table in TABLES.items() if table.layer == layer]


def test_every_column_has_a_type_and_identifiers_are_hidden() -> None:
    for table in TABLES.values():
        assert all(isinstance(column.type, Type) for column in table.columns.values())
        assert table.key in ("", *table.columns)
        shown = display.readable_columns(Inventory.from_tables({})[table.name])
        assert not set(shown) & set(table.hidden)
        assert set(table.order) <= set(table.columns) - set(table.hidden)


def test_a_column_is_displayed_by_its_type_and_not_by_its_name() -> None:
    table = Table("t", "vpc", "T", {"paid": ID, "valid_id": Column(TEXT, "shown"), "arns": IDS, "said": DICT})
    shown = frame(table, [{"paid": "x-1", "valid_id": "shown", "arns": ["x"], "said": {}}])
    assert display.readable_columns(shown) == ["valid_id"]


def test_types_are_the_same_with_rows_and_without() -> None:
    empty = Inventory.from_tables({})["subnets"]
    full = Inventory.from_tables({"subnets": [{"name": "a", "free_addresses": 5, "public_ip_on_launch": True}]})[
        "subnets"
    ]
    unread = Inventory.from_tables({"subnets": [{"name": "a", "free_addresses": None, "public_ip_on_launch": None}]})[
        "subnets"
    ]
    assert list(empty.dtypes) == list(full.dtypes) == list(unread.dtypes)


def test_what_a_row_does_not_name_is_empty_by_type() -> None:
    row = Inventory.from_tables({"buckets": [{"name": "b"}]}).rows("buckets")[0]
    assert (row.encryption, row.replicates_to, row.tags, row.block_public_acls) == ("", [], {}, None)


def test_rows_are_read_by_attribute_and_by_what_they_equal() -> None:
    inventory = Inventory.from_tables(
        {"buckets": [{"name": n, "region": r} for n, r in (("b", "x"), ("a", "x"), ("c", "y"))]}
    )
    assert [row.name for row in inventory.rows("buckets")] == ["a", "b", "c"]
    assert [row.name for row in inventory.rows("buckets", region="x", encryption="")] == ["a", "b"]
    assert inventory.rows("buckets")[0] is inventory.rows("buckets", name="a")[0] is inventory.by_key("buckets")["a"]
    assert inventory.rows("buckets", name="a")[0].mfa_delete is None


def test_a_misspelt_column_of_a_row_is_named_with_its_neighbours() -> None:
    inventory = Inventory.from_tables({"buckets": [{"name": "b"}]})
    with pytest.raises(AttributeError, match=r"buckets has no column 'encription'\. Did you mean encryption"):
        inventory.rows("buckets")[0].encription  # noqa: B018
    with pytest.raises(WorkbookError, match=r"no column of buckets named 'encription'[\s\S]*encryption"):
        inventory.rows("buckets", encription="AES256")
    with pytest.raises(AttributeError, match="no column 'encription'"):
        inventory.rows("buckets")[0].replaced(encription="AES256")


def test_a_row_cannot_be_changed_but_copied_with_other_cells() -> None:
    (row,) = Inventory.from_tables({"buckets": [{"name": "b"}]}).rows("buckets")
    with pytest.raises(AttributeError, match="cannot be changed"):
        row.name = "c"
    assert (row.replaced(name="c").name, row.name) == ("c", "b")
    assert copy.deepcopy(row) == pickle.loads(pickle.dumps(row)) == row != row.replaced(name="c")


def test_what_ifs_take_rows_and_dicts_side_by_side() -> None:
    inventory = Inventory.from_tables({"buckets": [{"name": "a", "tags": {"k": "v"}}]})
    more = inventory.replace(buckets=[*inventory.rows("buckets"), {"name": "b"}])
    assert [(row.name, row.tags) for row in more.rows("buckets")] == [("a", {"k": "v"}), ("b", {})]


def test_rows_that_nothing_tells_apart_have_no_key() -> None:
    inventory = Inventory.from_tables({"subnets": [{"name": "same", "subnet_id": n} for n in ("subnet-1", "subnet-2")]})
    assert list(inventory.by_key("subnets")) == ["subnet-1", "subnet-2"]
    with pytest.raises(ValueError, match="The table containers has no key column"):
        inventory.by_key("containers")


def test_layers_cover_every_table() -> None:
    inventory = Inventory.from_tables({})
    assert [name for layer in BY_KEY for name in inventory.layer(layer)] == list(TABLES)


def test_rows_come_in_the_natural_order_of_their_names() -> None:
    rows = [{"name": f"subnet-{n}"} for n in (10, 2, 1)]
    frame = Inventory.from_tables({"subnets": rows})["subnets"]
    assert list(frame["name"]) == ["subnet-1", "subnet-2", "subnet-10"]
    assert list(frame.index) == [0, 1, 2]


def test_acl_entries_come_in_the_order_they_are_tried() -> None:
    rows = [{"network_acl": "a", "direction": "ingress", "rule_number": n} for n in (32767, 100, 90)]
    assert list(Inventory.from_tables({"nacl_entries": rows})["nacl_entries"]["rule_number"]) == [90, 100, 32767]


def test_statements_of_one_policy_keep_the_order_of_the_document() -> None:
    rows = [{"bucket": b, "sid": sid} for b, sid in (("b", "Z"), ("b", "A"), ("a", "M"))]
    table = Inventory.from_tables({"bucket_policy_statements": rows})["bucket_policy_statements"]
    assert list(table["sid"]) == ["M", "Z", "A"]


def test_natural_order_takes_every_kind_of_cell() -> None:
    values = [None, False, True, 3, 10, 2.5, "a2", "a10", ["a", "b"], ["a"]]
    ordered = sorted(values, key=natural)
    assert ordered.index(2.5) < ordered.index(3) < ordered.index(10)
    assert ordered.index("a2") < ordered.index("a10")
    assert ordered.index(["a"]) < ordered.index(["a", "b"])


def test_a_misspelt_table_is_named_with_its_neighbours() -> None:
    with pytest.raises(WorkbookError, match=r"no table named 'subnet'[\s\S]*subnets"):
        Inventory.from_tables({})["subnet"]
    with pytest.raises(WorkbookError, match="no layer named 'vcp'"):
        Inventory.from_tables({}).layer("vcp")


def test_a_misspelt_table_or_column_in_rows_is_refused() -> None:
    with pytest.raises(WorkbookError, match="bucket"):
        Inventory.from_tables({"bucket": []})
    with pytest.raises(WorkbookError, match="encryption"):
        Inventory.from_tables({"buckets": [{"name": "b", "encription": "AES256"}]})


def test_a_table_can_be_changed_without_changing_the_inventory() -> None:
    inventory = Inventory.from_tables({"vpcs": [{"name": "v"}]})
    frame = inventory["vpcs"]
    frame["name"] = "other"
    assert list(inventory["vpcs"]["name"]) == ["v"]


def test_replace_changes_one_table_of_a_copy() -> None:
    inventory = Inventory.from_tables(
        {"vpcs": [{"name": "v"}], "buckets": [{"name": "b", "versioning": "Enabled"}]}, SCOPE
    )
    buckets = inventory["buckets"].assign(versioning="Suspended")
    changed = inventory.replace(buckets=buckets)
    assert list(changed["buckets"]["versioning"]) == ["Suspended"]
    assert list(inventory["buckets"]["versioning"]) == ["Enabled"]
    assert changed.rows("vpcs") == inventory.rows("vpcs")
    assert (changed.scope, changed.taken_at) == (inventory.scope, inventory.taken_at)


def test_json_round_trip_keeps_everything() -> None:
    inventory = Inventory.from_tables(
        {
            "subnets": [
                {"name": "s", "free_addresses": None, "public_ip_on_launch": False},
                {"name": "r", "free_addresses": 7},
            ],
            "nacl_entries": [{"network_acl": "n", "rule_number": 100, "from_port": None, "to_port": 443}],
            "bucket_policy_statements": [
                {"bucket": "b", **statements({"Statement": {"Effect": "Deny", "Action": "s3:*"}})[0]}
            ],
        },
        SCOPE,
        problems=[{"table": "roles", "call": "iam list_roles", "error": "AccessDenied: no"}],
    )
    text = inventory.to_json()
    again = Inventory.from_json(text)
    assert again.to_json() == text
    assert (again.scope, again.taken_at) == (inventory.scope, inventory.taken_at)
    pd.testing.assert_frame_equal(again.problems, inventory.problems)
    for name in inventory:
        pd.testing.assert_frame_equal(again[name], inventory[name])


def test_rows_hold_plain_python_values() -> None:
    row = Inventory.from_tables({"subnets": [{"free_addresses": 7, "public_ip_on_launch": True}]}).rows("subnets")[0]
    assert type(row.free_addresses) is int
    assert row.public_ip_on_launch is True


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("alloy-test-shop", True),
        ("alloy-test-shop-data", True),
        ("alloy-test-shop2-data", False),
        ("alloy-test-shopping", False),
        ("x-alloy-test-shop", False),
        ("", False),
    ],
)
def test_a_scope_owns_what_bears_its_prefix(name: str, owned: bool) -> None:
    assert SCOPE.owns(name) is owned


def test_a_scope_finds_its_name_within_a_path() -> None:
    assert SCOPE.within("/ecs/alloy-test-shop")
    assert SCOPE.within("/aws/ecs/containerinsights/alloy-test-shop-cluster/performance")
    assert not SCOPE.within("/ecs/alloy-test-shop2")


# ── policy statements ──


def test_a_statement_is_a_row_of_sorted_lists() -> None:
    statement = {
        "Sid": "Tls",
        "Effect": "Deny",
        "Principal": {"Service": ["b.amazonaws.com", "a.amazonaws.com"], "AWS": "arn:aws:iam::1:root"},
        "Action": ["s3:PutObject", "s3:GetObject"],
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {"Bool": {"aws:SecureTransport": False}, "StringEquals": {"aws:SourceVpce": ["vpce-2", "vpce-1"]}},
    }
    assert statements({"Statement": [statement]}) == [
        {
            "sid": "Tls",
            "effect": "Deny",
            "principals": ["AWS: arn:aws:iam::1:root", "Service: a.amazonaws.com", "Service: b.amazonaws.com"],
            "actions": ["s3:GetObject", "s3:PutObject"],
            "resources": ["arn:aws:s3:::b/*"],
            "conditions": ["aws:SecureTransport Bool false", "aws:SourceVpce StringEquals vpce-1, vpce-2"],
            "statement": statement,
            "version": "2008-10-17",
        }
    ]
    assert list(statements({"Statement": [statement]})[0]) == list(STATEMENT)


@pytest.mark.parametrize(
    ("element", "value", "column", "expected"),
    [
        ("Principal", "*", "principals", ["*"]),
        ("Principal", {"AWS": "*"}, "principals", ["*"]),
        ("Principal", {"Federated": "idp"}, "principals", ["Federated: idp"]),
        ("NotPrincipal", {"AWS": "arn"}, "principals", ["!AWS: arn"]),
        ("NotPrincipal", "*", "principals", ["!*"]),
        ("NotAction", ["iam:*", "sts:*"], "actions", ["!iam:*", "!sts:*"]),
        ("NotResource", "arn", "resources", ["!arn"]),
        ("Condition", {"Null": {"aws:PrincipalTag/x": True}}, "conditions", ["aws:PrincipalTag/x Null true"]),
        ("Condition", {"NumericLessThan": {"aws:x": 5}}, "conditions", ["aws:x NumericLessThan 5"]),
    ],
)
def test_every_form_of_an_element(element: str, value: object, column: str, expected: list[str]) -> None:
    assert statements({"Statement": {"Effect": "Allow", element: value}})[0][column] == expected


def test_statements_without_sid_are_numbered() -> None:
    rows = statements({"Statement": [{"Effect": "Allow"}, {"Sid": "Named", "Effect": "Allow"}, {"Effect": "Deny"}]})
    assert [row["sid"] for row in rows] == ["1", "Named", "3"]


@pytest.mark.parametrize("nothing", [None, "", {}, "{}", {"Statement": []}])
def test_no_policy_has_no_statements(nothing: object) -> None:
    assert statements(nothing) == []  # type: ignore[arg-type]
    assert summary(nothing) == ""  # type: ignore[arg-type]


def test_a_document_may_be_a_dict_json_or_encoded_json() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}
    text = json.dumps(policy)
    assert document(policy) == document(text) == document(text.replace("{", "%7B").replace("}", "%7D")) == policy


def test_a_summary_says_who_may_do_what() -> None:
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"],
                "Resource": "arn:aws:s3:::b/*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}},
            }
        ]
    }
    assert summary(policy) == (
        "Allow * s3:DeleteObject, s3:GetObject, s3:ListBucket and 1 more on arn:aws:s3:::b/*"
        " if aws:PrincipalAccount StringEquals 123456789012"
    )
