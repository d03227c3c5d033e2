"""What was run on devices, a folder for each machine, and the command that runs it."""
