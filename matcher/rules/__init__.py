"""The rules, one small class each, in the rooms of the policies: about the volunteer, the child, the two, the plan.

`constraints.py` lists them. A rule judges whole columns at once; its reasons speak of one pair. `catalogue.DOCUMENTS`
says what their sources stand for.
"""
