"""Terraform: the binary, the provider, the configuration, saved plans, and what is deployed."""
