"""The pages: the console of the embedded AWS, for a browser on this machine."""

from sekisho.web.app import console

__all__ = ["console"]
