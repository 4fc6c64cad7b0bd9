"""Evaluation of methods that change faces: figures and contact sheets on the held-out split."""
