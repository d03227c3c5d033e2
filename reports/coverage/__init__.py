"""Coverage: by what each operator of torch and each function of JAX is judged."""
