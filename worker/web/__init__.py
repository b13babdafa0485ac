"""HTTP: webhooks, the operators' API, health.

Routes parse, call a room and answer; no rule of the house lives here.
"""
