"""Expressions by name.

The emotions are FACS prototypes: table 10-1 of Ekman, Friesen & Hager, FACS Investigator's Guide (2002), on
which EMFACS (Ekman & Friesen) is built; contempt is from Matsumoto & Ekman, Motivation and Emotion 28 (2004).
Action units that OpenFace does not measure are left out; each preset's source names them. L and R are the
person's own left and right.

A preset leads a face to an expression: AU12=3.. adds what is missing to 3 and nothing to a face that smiles
as much, and AU12=..0 removes a smile that contradicts it. Speech and blinks continue. The intensities of an
expression's action units are in the proportion in which people show them (`python -m calib expressions`).
"""

from __future__ import annotations

from dataclasses import dataclass

_GUIDE = "FACS Investigator's Guide (2002)"


@dataclass(frozen=True)
class Preset:
    """An expression with a name."""

    name: str
    """The name that --target-aus and --preset take."""
    spec: str
    """The targets in the notation of --target-aus."""
    summary: str
    """What the face shows, in a few words."""
    source: str = ""
    """The source of the combination. Empty: it was made for this project."""


_ALL = (
    Preset("none", "AU12=+0", "the face as it is"),
    Preset(
        "neutral",
        "AU01=0,AU02=0,AU04=0,AU05=0,AU06=0,AU07=0,AU09=0,AU10=0,AU12=0,AU14=0,AU15=0,AU17=0,AU20=0,AU23=0,"
        "AU25=0,AU26=0,AU45=0",
        "every action unit at 0: no expression, mouth shut, eyes open",
    ),
    # The emotions.
    Preset(
        "smile",
        "AU04=..1,AU06=1.3..,AU07=0.7..,AU12=2.5..,AU14=0.4..,AU15=..0,AU17=..0",
        "happiness: cheeks and lip corners up",
        f"{_GUIDE}: 6+12, with the 7 and 14 that accompany it",
    ),
    Preset(
        "surprise",
        "AU01=1.6..,AU02=1.5..,AU04=..0,AU05=2.4..,AU06=..0,AU07=..0,AU09=..0,AU10=..0,AU12=..0,AU14=..0,"
        "AU15=0.2..,AU23=1.8..,AU25=0.5..,AU26=3..",
        "brows and upper lids up, jaw dropped, mouth narrowed",
        f"{_GUIDE}: 1+2+5B+26, with 23, since the lips round, and a little 15; 27 (mouth stretch) left out",
    ),
    Preset(
        "anger",
        "AU01=..0,AU04=3..,AU05=1.2..,AU06=..0,AU07=1.1..,AU09=0.35..,AU10=..0,AU12=..0,AU14=..0,AU15=0.65..,"
        "AU23=1.9..,AU25=..0",
        "brows down, lids tense, lips tight",
        f"{_GUIDE}: 4+5+7+23, with a little 9 and 15; 24 (lip pressor) left out",
    ),
    Preset(
        "sad",
        "AU01=2.1..,AU04=1.6..,AU06=..0,AU07=0.4..,AU09=..0,AU10=..0,AU12=..0,AU14=..0,AU15=1.1..,"
        "AU17=0.3..,AU25=..0",
        "inner brows up, lip corners down",
        f"{_GUIDE}: 1+4+15 with 17; 11 (nasolabial deepener) left out",
    ),
    Preset(
        "fear",
        "AU01=2.2..,AU02=1..,AU04=0.6..,AU05=2..,AU06=..0,AU07=..0,AU09=..0,AU10=..0,AU12=..0,AU14=..0,"
        "AU15=0.6..,AU20=0.85..,AU25=0.2..,AU26=0.8..",
        "brows up and together, eyes wide, lips stretched",
        f"{_GUIDE}: 1+2+4+5+20+25+26, with the 15 that pulls the corners down",
    ),
    Preset(
        "disgust",
        "AU01=..0,AU04=1.9..,AU06=0.2,AU07=1.2..,AU09=2..,AU10=1..,AU12=..0,AU14=..0,AU15=0.3..,AU17=0.4..,"
        "AU23=1.5..,AU25=..1.2,AU26=0.2..",
        "nose wrinkled, upper lip raised",
        f"{_GUIDE}: 9+17 and 10+17, with the 4, 6, 7, 23 and 26 that accompany it; 16 left out",
    ),
    Preset(
        "contempt",
        "AU06=..0,AU12L=0.7,AU12R=..0,AU14L=2.5..,AU25=..0",
        "one lip corner tightened",
        "Matsumoto & Ekman (2004): 12+14 on one side; here the person's left",
    ),
    Preset(
        "pain",
        "AU04=2.2..,AU06=1.5..,AU07=1.5..,AU09=1.1..,AU10=1..,AU12=..0,AU14=..0,AU25=..0.8,AU45=+2",
        "brows down, eyes narrowed, nose wrinkled",
        "Prkachin & Solomon, Pain 139 (2008): 4, 6, 7, 9, 10, 43; 43 (eyes closed) by 45",
    ),
    # For video calls and for repairing recorded expressions.
    Preset("smile-soft", "AU06=0.6..,AU12=1..,AU14=0.4..,AU15=..0,AU17=..0", "a slight smile"),
    Preset(
        "smile-open",
        "AU04=..1,AU06=1.7..,AU07=1..,AU10=0.15..,AU12=3.7..,AU14=0.4..,AU15=..0,AU17=..0,AU25=1..,AU26=0.6..",
        "a broad smile with the lips parted",
    ),
    Preset(
        "laugh",
        "AU04=..1,AU06=2..,AU07=1.3..,AU10=0.25..,AU12=4..,AU14=0.3..,AU15=..0,AU17=..0,AU25=1.3..,AU26=1.4..",
        "mouth wide open, cheeks high",
    ),
    Preset(
        "friendly",
        "AU01=0.5..,AU02=0.5..,AU04=..0,AU06=0.7..,AU12=1.2..,AU15=..0,AU17=..0",
        "brows at ease, a slight smile",
    ),
    Preset("attentive", "AU01=1.2..,AU02=1.2..,AU05=1..", "brows and lids a little up"),
    Preset(
        "relaxed",
        "AU04=..0,AU07=..0,AU09=..0,AU15=..0,AU17=..0,AU23=..0",
        "takes tension out of brows and mouth",
    ),
    Preset("serious", "AU06=..0,AU10=..0,AU12=..0,AU14=..0,AU25=..0", "takes a smile away"),
    Preset("brows-up", "AU01=2.2..,AU02=2.2..", "both brows up"),
    Preset("brows-down", "AU04=3.5..", "brows down and together"),
    Preset("frown", "AU04=3..,AU12=..0,AU15=1.8..,AU17=1..", "brows down, lip corners down"),
    Preset("worried", "AU01=2.5..,AU04=2..", "inner brows up and together"),
    Preset(
        "confused",
        "AU04=2.1..,AU07=0.5..,AU12=..0,AU14=..0,AU15=0.9..,AU23=1.2..",
        "brows down, lips drawn together",
    ),
    Preset("sneer", "AU09=1.8..,AU10=2..", "nose wrinkled, upper lip raised"),
    Preset("eyes-wide", "AU05=3..", "upper lids up"),
    Preset("squint", "AU06=1..,AU07=3..", "eyes narrowed"),
    Preset("blink", "AU45=5", "eyes closed"),
    Preset("wink", "AU06L=1..,AU12L=1..,AU45L=5", "the left eye closed, with a little smile"),
    Preset("eyes-open", "AU45=0", "eyes kept open"),
    Preset("mouth-open", "AU25=+1,AU26=+2", "lips parted, jaw dropped"),
    Preset("mouth-closed", "AU25=0,AU26=0", "lips together"),
    # Lips and gaze.
    Preset("kiss", "AU12=..0,AU14=..0,AU18=4..,AU25=..0", "lips puckered"),
    Preset("pout", "AU12=..0,AU15=0.5..,AU17=1..,AU18=2..,AU25=..0", "lips pushed forward, chin raised"),
    Preset("ooh", "AU01=0.8..,AU02=0.8..,AU12=..0,AU18=2..,AU22=2.5..", "lips round and open"),
    Preset("lips-pressed", "AU12=..0,AU24=3..,AU25=..0", "lips pressed together"),
    Preset("eye-contact", "eye_contact=1", "the eyes meet the camera"),
    Preset("look-left", "AU61=2.5", "the eyes to the person's left"),
    Preset("look-right", "AU62=2.5", "the eyes to the person's right"),
    Preset("look-up", "AU63=2", "the eyes up"),
    Preset("look-down", "AU64=2.5", "the eyes down"),
)

PRESETS = {preset.name: preset for preset in _ALL}
"""The presets by name."""
