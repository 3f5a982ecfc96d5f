"""Scores and priorities, one small class each, by what they speak of; `scoring.py` lists them."""
