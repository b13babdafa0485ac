"""HTTP: webhooks, the operators' API, health.

Routes parse, call a room and answer; no rule of the house lives here. Nothing is imported here, because the command
line shows ``objects`` and should not wait for a web framework.
"""
