"""What the notebooks break on purpose, where that takes more than a line."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError


def push_image(ecr: Any, repository: str, build: str, tag: str) -> str:
    """Push a made-up image under a tag, as a pipeline would.

    Parameters
    ----------
    ecr : boto3 client of ECR.
    build : one hexadecimal digit; another digit is another image.

    Returns
    -------
    `accepted`, or `refused: ` and ECR's error code.
    """
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": f"sha256:{'0' * 64}"}
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 32, "digest": f"sha256:{build * 64}"}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
    try:
        ecr.put_image(
            repositoryName=repository, imageManifest=json.dumps(manifest), imageManifestMediaType=kind, imageTag=tag
        )
    except ClientError as error:
        return f"refused: {error.response['Error']['Code']}"
    return "accepted"
