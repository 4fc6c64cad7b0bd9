"""How well faces are changed: figures and contact sheets on people whom no training has seen."""
