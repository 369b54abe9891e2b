"""Stacks of CloudFormation that hold AWS::IAM resources: those are made here through IAM's own operations, what else a template holds by moto."""
