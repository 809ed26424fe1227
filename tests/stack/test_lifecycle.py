"""Apply, and a second plan without changes. What a destroy leaves is seen in `test_checkpoints`."""

from __future__ import annotations

from workbook.terraform.hcl import layers_of


def test_every_layer_has_resources(stack) -> None:
    counts = stack.workbook.deployed()
    assert list(counts) == layers_of(stack.workbook.settings.directory)
    assert all(counts.values()), counts


def test_the_second_plan_has_no_changes(stack) -> None:
    plan = stack.workbook.plan()
    assert plan.empty, plan.rendered().text


def test_terraform_and_python_agree_on_the_prefix(stack) -> None:
    outputs = stack.workbook.outputs()
    assert outputs["resource_prefix"] == stack.workbook.settings.prefix
    assert outputs["application_url"].startswith("http://")


def test_a_change_outside_terraform_is_detected_and_reverted(stack) -> None:
    repository = f"{stack.scope.prefix}-app"
    with stack.branch() as branch:
        ecr = branch.client("ecr")
        ecr.put_image_scanning_configuration(
            repositoryName=repository, imageScanningConfiguration={"scanOnPush": False}
        )
        plan = branch.workbook.plan("ecr")
        (change,) = plan.changes
        assert change.action == "update" and change.drift
        assert "image_scanning_configuration" in change.what[0]
        branch.workbook.apply(plan)
        (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert found["imageScanningConfiguration"]["scanOnPush"] is True


def test_every_resource_has_the_name_prefix_and_the_tags(stack) -> None:
    found = [
        resource
        for region in {stack.scope.region, stack.scope.replica_region}
        for page in stack.client("resourcegroupstaggingapi", region).get_paginator("get_resources").paginate()
        for resource in page["ResourceTagMappingList"]
    ]
    assert len(found) > 30
    for resource in found:
        tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
        assert tags.get("ManagedBy") == "terraform" and tags.get("Environment") == "dev", resource
        assert tags.get("Name", stack.scope.prefix).startswith(stack.scope.prefix), resource
