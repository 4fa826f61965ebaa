"""The seal: crypt4gh files for named researchers that can be shared again without touching their body."""
