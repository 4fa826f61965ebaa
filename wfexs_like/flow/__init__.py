"""The flow: each verb that changes something, one module a verb, strung together by the session."""
