"""The registrar: a process of its own that registers our accounts through pjsua2 (ADR 0004).

`lifecycle` decides, `engine` is pjsua2 and nothing else is, `service` puts them together. What an
account receives in pjsua2 goes to the journal by `inbox`; the gateway's answers come by `link`.
"""
