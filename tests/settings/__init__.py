"""What each setting means, and where its value comes from."""
