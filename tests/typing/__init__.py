"""What a type checker tells the users of the public API."""
