"""The rules, one small class each, in the rooms of the policies: about the volunteer, the child, the two, the plan.

`constraints.py` lists them. A rule judges whole columns at once; its reasons speak of one pair.
Sources: CA Children Act 1989 s.23ZB, NS National Standards 2016, S Surrey policy, N Northamptonshire policy and NP its
information for professionals, R Rotherham procedures.
"""
