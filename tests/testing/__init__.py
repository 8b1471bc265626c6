"""What an application's own tests are given."""
