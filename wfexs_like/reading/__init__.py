"""Reading: what any maker's crate holds and tells, taken in without believing it.

``contents`` are its files, ``metadata`` its entities, ``account`` what these tell of workflow, runs and steps.
"""
