"""The child process of a run or an inspection: it starts the engine's JVM within the namespaces and stays beside it."""
