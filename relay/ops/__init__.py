"""The operators' work: what staff may do, each act checked, written to the audit log and then done.

The console, the HTTP calls and the command line all go through here, so there is one place that
says who may do what and none that leaves no trace.
"""
