"""Pushing a second image under an immutable tag fails with the error AWS uses for it.

moto returns ImageAlreadyExistsException, which on AWS means that the same image already has the same tag. AWS returns
ImageTagAlreadyExistsException when another image has the tag and the repository is immutable.

Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ecr"


def apply() -> None:
    from moto.core.exceptions import ServiceException
    from moto.ecr.exceptions import ImageAlreadyExistsException
    from moto.ecr.models import ECRBackend

    class TagError(ServiceException):
        """moto derives the service, and so the protocol of an error, from the module of its class."""

        __module__ = "moto.ecr.exceptions"
        code = "ImageTagAlreadyExistsException"

    original = ECRBackend._resolve_image_tag_mutability

    def validate(self: Any, repository: Any, proposed_image_tag: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, repository, proposed_image_tag, *args, **kwargs)
        except ImageAlreadyExistsException:
            raise TagError(
                f"The image tag '{proposed_image_tag}' already exists in the '{repository.name}' repository "
                "and cannot be overwritten because the repository is immutable."
            ) from None

    override(ECRBackend, _resolve_image_tag_mutability=validate)
