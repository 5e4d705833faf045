"""From a training's winner to Production: gates, history and a way back.

`promote.py` is the way of one promotion: read it first.
"""
