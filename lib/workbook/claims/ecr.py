"""Claims about the image registry."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.claims.engine import Look, Seen, claims_of, seen
from workbook.claims.policies import allowed

claim = claims_of("ecr")

PULL = frozenset({"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"})


@claim("ECR-SCAN", "high", "Every image is scanned for known vulnerabilities when it is pushed.")
def scan(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        yield seen(repository.name, f"scan on push {'on' if repository.scan_on_push else 'off'}", repository.scan_on_push)


@claim("ECR-FINDINGS", "medium", "The scan finds what is vulnerable.", limit="ecr-lifecycle-and-scan")
def findings(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        yield seen(repository.name, "scanned on push" if repository.scan_on_push else "not scanned", repository.scan_on_push)


@claim("ECR-ENCRYPTION", "high", "Images are encrypted at rest.")
def encryption(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        yield seen(repository.name, repository.encryption or "not encrypted", repository.encryption in ("AES256", "KMS", "KMS_DSSE"))


@claim("ECR-IMMUTABLE", "high", "A tag means one image for ever: what was scanned is what runs.")
def immutable(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        yield seen(repository.name, f"tags {repository.tag_mutability}", repository.tag_mutability == "IMMUTABLE")


@claim("ECR-LIFECYCLE-UNTAGGED", "low", "Images without a tag are cleaned up within two weeks.")
def lifecycle_untagged(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        rules = [r for r in look["repository_lifecycle_rules"] if r.repository == repository.name and r.tag_status in ("untagged", "any")]
        fine = any(r.action == "expire" and r.count_type == "sinceImagePushed" and r.count_number <= 14 for r in rules)
        yield seen(
            repository.name, "; ".join(f"{r.tag_status} {r.count_type} {r.count_number}: {r.action}" for r in rules) or "no rule", fine
        )


@claim("ECR-LIFECYCLE-TAGGED", "low", "Of the tagged images enough stay to roll back, and no more.")
def lifecycle_tagged(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        rules = [r for r in look["repository_lifecycle_rules"] if r.repository == repository.name and r.tag_status in ("tagged", "any")]
        fine = any(r.action == "expire" and r.count_type == "imageCountMoreThan" and 5 <= r.count_number <= 50 for r in rules)
        yield seen(
            repository.name, "; ".join(f"{r.tag_status} {r.count_type} {r.count_number}: {r.action}" for r in rules) or "no rule", fine
        )


@claim("ECR-POLICY", "high", "A repository policy names the roles that may pull: no stranger, no other account, not everyone.")
def policy(look: Look) -> Iterator[Seen]:
    roles = {role.role_arn: role.name for role in look["roles"]}
    for repository in look["repositories"]:
        statements = allowed(s for s in look["repository_policy_statements"] if s.repository == repository.name)
        if not statements:
            yield seen(repository.name, "no repository policy", False)
        for s in statements:
            who = [principal.removeprefix("AWS: ") for principal in s.principals]
            yield seen(
                repository.name, f"{s.sid}: {', '.join(roles.get(arn, arn) for arn in who)}", who and all(arn in roles for arn in who)
            )


@claim("ECR-POLICY-PULL-ONLY", "high", "The repository policy allows pulling, not pushing and not deleting.")
def policy_pull_only(look: Look) -> Iterator[Seen]:
    for s in allowed(look["repository_policy_statements"]):
        yield seen(s.repository, f"{s.sid}: {', '.join(s.actions)}", set(s.actions) <= PULL)


@claim("ECR-POLICY-ENFORCED", "medium", "Whoever the policies do not name cannot pull.", limit="resource-policies")
def policy_enforced(look: Look) -> Iterator[Seen]:
    for repository in look["repositories"]:
        yield seen(repository.name, f"{repository.policy_statements} statements in its policy", repository.policy_statements)
