"""An environment for those who deploy otherwise, and for the people who switch: texts by file name. Pure."""

from sekisho.deploy.export.aws_config import aws_config
from sekisho.deploy.export.cloudformation import cloudformation
from sekisho.deploy.export.switch_links import switch_links
from sekisho.deploy.export.terraform import terraform

__all__ = ["aws_config", "cloudformation", "switch_links", "terraform"]
