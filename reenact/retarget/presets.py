"""Expressions by name.

The emotions are FACS prototypes: table 10-1 of Ekman, Friesen & Hager, FACS Investigator's Guide (2002), on
which EMFACS (Ekman & Friesen) is built; contempt from Matsumoto & Ekman, Motivation and Emotion 28 (2004).
Action units that OpenFace does not measure are left out, and each preset says which. L and R are the person's
own left and right.

Presets add to what the face does, so that speech and blinks go on beneath them; those that take something
away set it to 0. Intensities are clear but not extreme: 3 is FACS intensity C.
"""

from __future__ import annotations

from dataclasses import dataclass

_GUIDE = "FACS Investigator's Guide (2002)"


@dataclass(frozen=True)
class Preset:
    name: str
    spec: str
    """In the language of --target-aus."""
    summary: str
    source: str = ""
    """Where the combination comes from; empty for those made for this project."""


_ALL = (
    Preset("none", "AU12=+0", "the face as it is"),
    Preset(
        "neutral",
        "AU01=0,AU02=0,AU04=0,AU05=0,AU06=0,AU07=0,AU09=0,AU10=0,AU12=0,AU14=0,AU15=0,AU17=0,AU20=0,AU23=0,"
        "AU25=0,AU26=0,AU45=0",
        "every action unit at 0: no expression, mouth shut, eyes open",
    ),
    # The emotions.
    Preset("smile", "AU06=+2,AU12=+3", "happiness: cheeks and lip corners up", f"{_GUIDE}: 6+12"),
    Preset(
        "surprise",
        "AU01=+3,AU02=+3,AU05=+2.5,AU25=+1.5,AU26=+2",
        "brows and upper lids up, jaw dropped",
        f"{_GUIDE}: 1+2+5B+26; 27 (mouth stretch) left out",
    ),
    Preset(
        "anger",
        "AU04=+3.5,AU05=+1,AU07=+2,AU17=+1,AU23=+3",
        "brows down, lids tense, lips tight",
        f"{_GUIDE}: 4+5+7+17+23; 24 (lip pressor) left out",
    ),
    Preset(
        "sad",
        "AU01=+3,AU04=+2,AU15=+3,AU17=+1.5",
        "inner brows up, lip corners down",
        f"{_GUIDE}: 1+4+15 with 17; 11 (nasolabial deepener) left out",
    ),
    Preset(
        "fear",
        "AU01=+3,AU02=+1.5,AU04=+2,AU05=+3,AU20=+3,AU25=+2,AU26=+1",
        "brows up and together, eyes wide, lips stretched",
        f"{_GUIDE}: 1+2+4+5+20+25+26",
    ),
    Preset(
        "disgust",
        "AU04=+1.5,AU07=+1,AU09=+3.5,AU10=+2.5,AU17=+1",
        "nose wrinkled, upper lip raised",
        f"{_GUIDE}: 9+17 and 10+17, with the 4 and 7 that 9 brings along; 16 (lower lip depressor) left out",
    ),
    Preset(
        "contempt",
        "AU12L=+0.7,AU14L=+3",
        "one lip corner tightened",
        "Matsumoto & Ekman (2004): 12+14 on one side; here the person's left",
    ),
    Preset(
        "pain",
        "AU04=+2.5,AU06=+2,AU07=+2,AU09=+1.5,AU10=+1.5,AU45=+2",
        "brows down, eyes narrowed, nose wrinkled",
        "Prkachin & Solomon, Pain 139 (2008): 4, 6, 7, 9, 10, 43; 43 (eyes closed) by 45",
    ),
    # For calls and for repairing takes.
    Preset("smile-soft", "AU06=+0.5,AU12=+1.3", "a slight smile"),
    Preset("smile-open", "AU06=+2.5,AU12=+3.5,AU25=+2", "a broad smile with the lips parted"),
    Preset("laugh", "AU06=+3,AU07=+1,AU12=+4,AU25=+2,AU26=+1.5", "mouth wide open, cheeks high"),
    Preset("friendly", "AU01=+0.5,AU02=+0.5,AU04=0,AU06=+0.7,AU12=+1.2", "brows at ease, a slight smile"),
    Preset("attentive", "AU01=+1.2,AU02=+1.2,AU05=+1", "brows and lids a little up"),
    Preset("relaxed", "AU04=0,AU07=0,AU09=0,AU15=0,AU17=0,AU23=0", "takes tension out of brows and mouth"),
    Preset("serious", "AU06=0,AU12=0,AU14=0", "takes a smile away"),
    Preset("brows-up", "AU01=+3,AU02=+3", "both brows up"),
    Preset("brows-down", "AU04=+3.5", "brows down and together"),
    Preset("frown", "AU04=+3.5,AU15=+2.5,AU17=+1", "brows down, lip corners down"),
    Preset("worried", "AU01=+2.5,AU04=+2", "inner brows up and together"),
    Preset("confused", "AU04=+2.5,AU07=+1.5", "brows down, lids tight"),
    Preset("sneer", "AU09=+2.5,AU10=+2.5", "nose wrinkled, upper lip raised"),
    Preset("eyes-wide", "AU05=+3", "upper lids up"),
    Preset("squint", "AU06=+1,AU07=+3", "eyes narrowed"),
    Preset("blink", "AU45=5", "eyes closed"),
    Preset("wink", "AU06L=+1,AU12L=+1,AU45L=5", "the left eye closed, and a little smile with it"),
    Preset("eyes-open", "AU45=0", "eyes kept open"),
    Preset("mouth-open", "AU25=+2,AU26=+2", "lips parted, jaw dropped"),
    Preset("mouth-closed", "AU25=0,AU26=0", "lips together"),
)

PRESETS = {preset.name: preset for preset in _ALL}
"""By name."""
