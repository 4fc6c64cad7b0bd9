"""Recognise: which of the few faces in a picture is the one in a picture that the user gave."""
