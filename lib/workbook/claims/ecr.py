"""Claims about the image registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbook.access.evaluation import Caller
from workbook.access.policies import Policy
from workbook.access.proofs import Prover
from workbook.access.requests import changing_actions
from workbook.claims.actions import PULL
from workbook.claims.engine import Evidence, View, cannot_tell, claims_of, evidence, proved

claim = claims_of("ecr")


def scanned_by(repository: Any) -> str:
    """What scans a repository's images when they are pushed; empty if nothing does.

    Enhanced scanning goes by the registry's rules alone. Basic scanning also knows the older setting of a repository.
    """
    rules = [rule for rule in repository.scan_rules if rule.startswith(("SCAN_ON_PUSH ", "CONTINUOUS_SCAN "))]
    if rules:
        return f"{repository.scan_type.lower()} scanning, {', '.join(rules)}"
    return "on push" if repository.scan_on_push and repository.scan_type == "BASIC" else ""


@claim("ECR-SCAN", "high", "Every image is scanned for known vulnerabilities on push.")
def scan(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        by = scanned_by(repository)
        yield evidence(repository.name, f"scanned: {by or 'no'}", by)


@claim("ECR-FINDINGS", "medium", "Image scans find known vulnerabilities.", limit="ecr-lifecycle-and-scan")
def findings(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        by = scanned_by(repository)
        yield evidence(repository.name, f"scanned {by}" if by else "not scanned", by)


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


def every_image(rule: Any) -> bool:
    """Whether a rule is for all images of its tag status: an image must match all of its patterns."""
    return all(set(pattern) == {"*"} for pattern in rule.tag_patterns)


def deciding(view: View, repository: Any, tag_status: str) -> list[Any]:
    """The lifecycle rules that can remove images with a tag, or without one.

    What a rule selects is out of reach for those of lower priority, whether or not it expires.
    """
    rules = [
        r
        for r in view["repository_lifecycle_rules"]
        if r.repository == repository.name and r.tag_status in (tag_status, "any")
    ]
    ordered = sorted(rules, key=lambda rule: rule.priority)
    last = next((place for place, rule in enumerate(ordered, start=1) if every_image(rule)), len(ordered))
    return [rule for rule in ordered[:last] if rule.action == "expire"]


def _rule(rule: Any) -> str:
    which = "" if every_image(rule) else f" {' and '.join(rule.tag_patterns)} only"
    return f"{rule.tag_status}{which} {rule.count_type} {rule.count_number}: {rule.action}"


@claim("ECR-LIFECYCLE-UNTAGGED", "low", "Untagged images are removed within two weeks.")
def lifecycle_untagged(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        rules = deciding(view, repository, "untagged")
        fine = any(r.count_type == "sinceImagePushed" and r.count_number <= 14 for r in rules)
        yield evidence(repository.name, "; ".join(map(_rule, rules)) or "no rule", fine)


@claim("ECR-LIFECYCLE-TAGGED", "low", "Enough tagged images are kept to roll back, and older ones expire.")
def lifecycle_tagged(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        rules = deciding(view, repository, "tagged")
        keeps = [r for r in rules if r.count_type == "imageCountMoreThan" and r.count_number >= 5]
        what = "; ".join(map(_rule, rules)) or "no rule"
        # Whatever is only for some tags may be for what one would roll back to.
        if [r for r in rules if r not in keeps and not every_image(r)]:
            yield cannot_tell(repository.name, f"{what}: whether one rolls back to these tags")
        fine = any(every_image(r) and r.count_number <= 50 for r in keeps)
        yield evidence(repository.name, what, fine and not [r for r in rules if r not in keeps and every_image(r)])


@claim(
    "ECR-POLICY",
    "high",
    "The repository policy lists the roles that can pull: no strangers, no other accounts, not everyone.",
)
def policy(view: View) -> Iterator[Evidence]:
    policies = view.policies
    for repository in view["repositories"]:
        arn = [repository.repository_arn]
        own = policy_of(policies, arn[0])
        callers = everyone(policies, arn[0])
        roles = [c for c in callers if c.name in policies.account.roles]
        pulls = [c.name for c in roles if own and not policies.prove(PULL, arn, [c], alone=own).proven]
        if own is None or not pulls:
            yield evidence(repository.name, "it lets no role pull", False)
        else:
            others = policies.prove(["ecr:*"], arn, [c for c in callers if c not in roles], alone=own)
            yield proved(repository.name, f"only {', '.join(pulls)}", others)


def policy_of(policies: Prover, arn: str) -> Policy | None:
    """A repository's own policy."""
    return policies.account.target(PULL[0], arn).policy


def everyone(policies: Prover, arn: str) -> list[Caller]:
    """Everyone, with own policies that allow everything, so that the repository's policy decides."""
    return [caller.with_every_permission() for caller in policies.everyone([arn], PULL[0])]


@claim("ECR-POLICY-PULL-ONLY", "high", "The repository policy allows pulling, but not pushing or deleting.")
def policy_pull_only(view: View) -> Iterator[Evidence]:
    policies = view.policies
    for repository in view["repositories"]:
        arn = [repository.repository_arn]
        own = policy_of(policies, arn[0])
        if own is None:
            yield evidence(repository.name, "no repository policy", False)
        else:
            callers = everyone(policies, arn[0])
            proof = policies.prove(changing_actions("ecr"), arn, callers, alone=own)
            yield proved(repository.name, "nothing that pushes, deletes or changes the repository", proof)


@claim("ECR-POLICY-ENFORCED", "medium", "Only principals that the policies name can pull.", limit="resource-policies")
def policy_enforced(view: View) -> Iterator[Evidence]:
    for repository in view["repositories"]:
        yield evidence(
            repository.name, f"{repository.policy_statements} statements in its policy", repository.policy_statements
        )
