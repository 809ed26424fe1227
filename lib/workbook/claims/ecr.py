"""Claims about the image registry."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.claims.engine import Evidence, View, claims_of, evidence
from workbook.claims.policy_statements import allowed

claim = claims_of("ecr")

PULL = frozenset({"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"})


@claim("ECR-SCAN", "high", "Every image is scanned for known vulnerabilities on push.")
def scan(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(
            repository.name, f"scan on push {'on' if repository.scan_on_push else 'off'}", repository.scan_on_push
        )


@claim("ECR-FINDINGS", "medium", "Image scans find known vulnerabilities.", limit="ecr-lifecycle-and-scan")
def findings(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(
            repository.name, "scanned on push" if repository.scan_on_push else "not scanned", repository.scan_on_push
        )


@claim("ECR-ENCRYPTION", "high", "Images are encrypted at rest.")
def encryption(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(
            repository.name,
            repository.encryption or "not encrypted",
            repository.encryption in ("AES256", "KMS", "KMS_DSSE"),
        )


@claim("ECR-IMMUTABLE", "high", "A tag always refers to the same image, so what was scanned is what runs.")
def immutable(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(repository.name, f"tags {repository.tag_mutability}", repository.tag_mutability == "IMMUTABLE")


@claim("ECR-LIFECYCLE-UNTAGGED", "low", "Untagged images are removed within two weeks.")
def lifecycle_untagged(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        rules = [
            r
            for r in view["repository_lifecycle_rules"]
            if r.repository == repository.name and r.tag_status in ("untagged", "any")
        ]
        fine = any(r.action == "expire" and r.count_type == "sinceImagePushed" and r.count_number <= 14 for r in rules)
        yield evidence(
            repository.name,
            "; ".join(f"{r.tag_status} {r.count_type} {r.count_number}: {r.action}" for r in rules) or "no rule",
            fine,
        )


@claim("ECR-LIFECYCLE-TAGGED", "low", "Enough tagged images are kept to roll back, and older ones expire.")
def lifecycle_tagged(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        rules = [
            r
            for r in view["repository_lifecycle_rules"]
            if r.repository == repository.name and r.tag_status in ("tagged", "any")
        ]
        fine = any(
            r.action == "expire" and r.count_type == "imageCountMoreThan" and 5 <= r.count_number <= 50 for r in rules
        )
        yield evidence(
            repository.name,
            "; ".join(f"{r.tag_status} {r.count_type} {r.count_number}: {r.action}" for r in rules) or "no rule",
            fine,
        )


@claim(
    "ECR-POLICY",
    "high",
    "The repository policy lists the roles that can pull: no strangers, no other accounts, not everyone.",
)
def policy(view: View) -> Iterator[Evidence]:
    roles = {role.role_arn: role.name for role in view["roles"]}
    for repository in view["repositories"]:
        statements = allowed(s for s in view["repository_policy_statements"] if s.repository == repository.name)
        if not statements:
            yield evidence(repository.name, "no repository policy", False)
        for s in statements:
            who = [principal.removeprefix("AWS: ") for principal in s.principals]
            yield evidence(
                repository.name,
                f"{s.sid}: {', '.join(roles.get(arn, arn) for arn in who)}",
                who and all(arn in roles for arn in who),
            )


@claim("ECR-POLICY-PULL-ONLY", "high", "The repository policy allows pulling, but not pushing or deleting.")
def policy_pull_only(view: View) -> Iterator[Evidence]:
    for s in allowed(view["repository_policy_statements"]):
        yield evidence(s.repository, f"{s.sid}: {', '.join(s.actions)}", set(s.actions) <= PULL)


@claim("ECR-POLICY-ENFORCED", "medium", "Only principals that the policies name can pull.", limit="resource-policies")
def policy_enforced(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(
            repository.name, f"{repository.policy_statements} statements in its policy", repository.policy_statements
        )
