"""What the embedded AWS does not do, in one place: shown to the person, and the reason behind NOT TESTABLE HERE."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One thing the embedded AWS does not do.

    Attributes
    ----------
    id : short name that a claim refers to.
    service : service, by the name of its boto3 client.
    what : what is missing or simulated, one sentence.
    shown_by : what would show it: a test against a real account.
    """

    id: str
    service: str
    what: str
    shown_by: str


LIMITS: list[Limit] = [
    Limit(
        "iam-enforcement",
        "iam",
        "Identity policies, permission boundaries, trust policies and their conditions are stored, not enforced: "
        "any key may call anything.",
        "Assume the task role in a real account and call what it must not.",
    ),
    Limit(
        "iam-simulate",
        "iam",
        "SimulatePrincipalPolicy and SimulateCustomPolicy are not there.",
        "aws iam simulate-principal-policy in a real account, or an evaluation engine on the policies read here.",
    ),
    Limit(
        "s3-policy-network-conditions",
        "s3",
        "Bucket policy statements that hang on TLS, the source address or the VPC endpoint are stored, not enforced: "
        "every call here arrives over plain HTTP on the loopback interface.",
        "Call the bucket in a real account over HTTP, and from outside the VPC: AccessDenied.",
    ),
    Limit(
        "s3-policy-other-conditions",
        "s3",
        "Of bucket policies, Deny statements are enforced for everyone and Allow for anonymous calls; conditions on the caller, "
        "encryption, ACL, storage class and list prefix are judged, a statement with any other condition is left out.",
        "Make the call in a real account.",
    ),
    Limit(
        "endpoint-policies",
        "ec2",
        "VPC endpoint policies, security groups, network ACLs and routes are stored; no packet passes through them.",
        "From a task in a real account: curl through the endpoint, and to an address the rules do not name.",
    ),
    Limit(
        "resource-policies",
        "ecr",
        "Repository, topic, queue, secret and key policies are stored, not enforced.",
        "Pull the image in a real account with a role the repository policy does not name.",
    ),
    Limit(
        "flow-logs-delivery",
        "ec2",
        "Flow logs exist, but no record is ever written; DeliverLogsStatus reads FAILED.",
        "A query on the log group in a real account a few minutes after the first traffic.",
    ),
    Limit(
        "ecs-simulated",
        "ecs",
        "Tasks of a Fargate service are simulated: records with a network interface in the subnets; no container runs, "
        "container health stays UNKNOWN, no log is written, a deployment never fails.",
        "aws ecs describe-tasks and the log group in a real account.",
    ),
    Limit(
        "elb-simulated",
        "elbv2",
        "Load balancers are records: nothing answers at the DNS name, no access log is written, and every registered target is called "
        "healthy without a check.",
        "curl of application_url in a real account; aws elbv2 describe-target-health.",
    ),
    Limit(
        "autoscaling",
        "application-autoscaling",
        "Scaling policies and their limits are stored; no metric is measured and nothing is scaled.",
        "Load on the service in a real account, and the scaling activities after it.",
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
        "Lifecycle and Intelligent-Tiering rules are stored; no object changes class or expires.",
        "Storage class of an old object in a real account.",
    ),
    Limit(
        "s3-access-logs",
        "s3",
        "Each request to a logged bucket gives a log object at once, but caller, address, status and TLS version in it are made up.",
        "The log objects of a real account, some hours after the requests.",
    ),
    Limit(
        "s3-public-access-block",
        "s3",
        "Public access blocks are stored, not enforced.",
        "Put a public bucket policy in a real account: AccessDenied.",
    ),
    Limit(
        "s3-account-block",
        "s3control",
        "The account-wide public access block cannot be called: its address is a host name of the account.",
        "aws s3control get-public-access-block in a real account.",
    ),
    Limit(
        "ecr-lifecycle-and-scan",
        "ecr",
        "Lifecycle policies delete nothing, scans find what moto makes up, and a pull-through cache rule pulls nothing.",
        "describe-image-scan-findings in a real account.",
    ),
    Limit(
        "config-compliance",
        "config",
        "Rules are stored, not evaluated; DescribeComplianceByConfigRule is not there.",
        "The compliance page of AWS Config in a real account.",
    ),
    Limit(
        "cloudtrail-events",
        "cloudtrail",
        "A trail exists, but records no call: LookupEvents is not there and no log file is delivered.",
        "aws cloudtrail lookup-events in a real account, some minutes after a call.",
    ),
    Limit(
        "security-services",
        "securityhub",
        "Security Hub's account switch and IAM Access Analyzer are not there; GuardDuty finds nothing.",
        "The services themselves in a real account.",
    ),
    Limit(
        "encryption",
        "s3",
        "Encryption settings are stored and reported; bytes lie unencrypted in the memory of the process.",
        "None from outside: AWS's own attestation.",
    ),
    Limit(
        "memory-only",
        "sts",
        "The account lives in the memory of one process: when it ends, everything in it is gone.",
        "Not a matter of AWS.",
    ),
]

LIMITS_BY_ID = {limit.id: limit for limit in LIMITS}
