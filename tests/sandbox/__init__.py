"""The embedded AWS, asked over HTTP by the clients that people use."""
