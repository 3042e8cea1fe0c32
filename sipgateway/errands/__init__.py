"""Errands of the worker: fetching what messages name by URL, and reporting sources (HTTP).

`urls` reads a URL, `addresses` says where its host is and whether we go there, `trust` what both
sides must prove, `exchange` is one bounded request and answer. `fetching` and `reporting` are the
two kinds of errand, `runner` claims what is due and gives each a thread.
"""
