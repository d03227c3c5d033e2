"""Many runs: a matrix of settings, one run record each in one folder, one summary of all."""
