"""What an operator may see and do; the command line and the console format it."""
