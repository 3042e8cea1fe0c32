"""Starting and ending an instance: embedded servers, the supervisor and its programs, readiness.

Everything but `prepare` runs before, beside and after Django, and does without it.
"""
