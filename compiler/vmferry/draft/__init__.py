"""What `vmferry init --from` proposes: each guess with its reason, the rest marked TODO."""
