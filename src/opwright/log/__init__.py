"""Reading the log of commands: what other processes have committed reaches this one."""
