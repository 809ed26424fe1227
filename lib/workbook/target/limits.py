"""What the embedded AWS does not do, in one place: shown to the user, and the reason behind NOT TESTABLE HERE."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One thing the embedded AWS does not do.

    Attributes
    ----------
    id : short name that claims refer to.
    service : name of the service's boto3 client.
    what : what is missing or simulated, one sentence.
    shown_by : how to check it: a test against a real account.
    """

    id: str
    service: str
    what: str
    shown_by: str


LIMITS: list[Limit] = [
    Limit(
        "iam-enforcement",
        "iam",
        "Identity policies, permissions boundaries, trust policies and their conditions are stored, not enforced: "
        "any access key can call anything.",
        "Assume the task role in a real account and call something it must not.",
    ),
    Limit(
        "iam-simulate",
        "iam",
        "SimulatePrincipalPolicy and SimulateCustomPolicy are not implemented.",
        "Run aws iam simulate-principal-policy in a real account, or a policy engine on the policies read here.",
    ),
    Limit(
        "s3-policy-network-conditions",
        "s3",
        "Bucket policy statements that depend on TLS, the source address or the VPC endpoint are stored, not enforced: "
        "every call here arrives over plain HTTP on the loopback interface.",
        "Call the bucket in a real account over HTTP, and from outside the VPC: expect AccessDenied.",
    ),
    Limit(
        "s3-policy-other-conditions",
        "s3",
        "Bucket policies are enforced in part: Deny statements for every caller, Allow statements for anonymous "
        "calls. Conditions on the caller, encryption, ACL, storage class and list prefix are evaluated; a statement "
        "with any other condition is skipped.",
        "Make the call in a real account.",
    ),
    Limit(
        "endpoint-policies",
        "ec2",
        "VPC endpoint policies, security groups, network ACLs and routes are stored; no packet passes through them.",
        "From a task in a real account: curl through the endpoint, and to an address the rules do not allow.",
    ),
    Limit(
        "resource-policies",
        "ecr",
        "Repository, topic, queue, secret and key policies are stored, not enforced.",
        "Pull the image in a real account with a role the repository policy does not list.",
    ),
    Limit(
        "flow-logs-delivery",
        "ec2",
        "Flow logs exist, but no record is ever written; DeliverLogsStatus reads FAILED.",
        "Query the log group in a real account a few minutes after the first traffic.",
    ),
    Limit(
        "ecs-simulated",
        "ecs",
        "Tasks of a Fargate service are simulated: records with a network interface in the subnets. No container runs, "
        "container health stays UNKNOWN, no log is written, and a deployment never fails.",
        "Run aws ecs describe-tasks and read the log group in a real account.",
    ),
    Limit(
        "elb-simulated",
        "elbv2",
        "Load balancers are records: nothing responds at the DNS name, no access log is written, and every registered "
        "target is reported healthy without a check.",
        "curl application_url in a real account; aws elbv2 describe-target-health.",
    ),
    Limit(
        "autoscaling",
        "application-autoscaling",
        "Scaling policies and their limits are stored; no metric is measured and nothing scales.",
        "Put load on the service in a real account, then read its scaling activities.",
    ),
    Limit(
        "s3-replication",
        "s3",
        "A replication rule is stored; no object is copied to the replica bucket.",
        "Put an object in a real account and read its ReplicationStatus.",
    ),
    Limit(
        "s3-lifecycle",
        "s3",
        "Lifecycle and Intelligent-Tiering rules are stored; no object changes storage class or expires.",
        "Read the storage class of an old object in a real account.",
    ),
    Limit(
        "s3-access-logs",
        "s3",
        "Each request to a logged bucket writes a log object at once, but its caller, address, status and TLS version "
        "are made up.",
        "Read the log objects in a real account, a few hours after the requests.",
    ),
    Limit(
        "s3-public-access-block",
        "s3",
        "Public access blocks are stored, not enforced.",
        "Put a public bucket policy in a real account: expect AccessDenied.",
    ),
    Limit(
        "s3-account-block",
        "s3control",
        "The account-wide public access block cannot be called: the account id is part of its host name.",
        "Run aws s3control get-public-access-block in a real account.",
    ),
    Limit(
        "ecr-lifecycle-and-scan",
        "ecr",
        "Lifecycle policies delete nothing, moto makes up scan findings, and a pull-through cache rule pulls nothing.",
        "Run aws ecr describe-image-scan-findings in a real account.",
    ),
    Limit(
        "config-compliance",
        "config",
        "Rules are stored, not evaluated; DescribeComplianceByConfigRule is not implemented.",
        "Open the compliance page of AWS Config in a real account.",
    ),
    Limit(
        "cloudtrail-events",
        "cloudtrail",
        "A trail exists but records no calls: LookupEvents is not implemented and no log file is delivered.",
        "Run aws cloudtrail lookup-events in a real account, a few minutes after a call.",
    ),
    Limit(
        "security-services",
        "securityhub",
        "Security Hub cannot be enabled and IAM Access Analyzer is not implemented; GuardDuty finds nothing.",
        "Look at the services themselves in a real account.",
    ),
    Limit(
        "encryption",
        "s3",
        "Encryption settings are stored and reported; the data sits unencrypted in the memory of the process.",
        "Not testable from outside; AWS's own attestation covers it.",
    ),
    Limit(
        "memory-only",
        "sts",
        "The account lives in the memory of one process: when that process ends, everything in it is gone.",
        "Does not apply to AWS.",
    ),
]

LIMITS_BY_ID = {limit.id: limit for limit in LIMITS}
