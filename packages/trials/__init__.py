"""What `packages/test` stands around a program that it tries: a receiver, and a registry for npm."""
