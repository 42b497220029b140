"""Open nomenclature: how sure a name is, in the signs that taxonomists use.

Signs and places follow Horton et al. 2021 (Front. Mar. Sci. 8: 620702), for identifications from
images, and Sigovini et al. 2016 (Methods Ecol. Evol. 7: 1217-1225). Light.
"""

BEFORE_LAST = ("cf.", "aff.")  # Asterias cf. rubens
AT_END = ("indet.", "stet.", "sp.", "spp.", "sp. inc.", "gen. inc.", "fam. inc.")  # Asterias sp.
QUALIFIERS = BEFORE_LAST + AT_END


def split_qualifier(text: str) -> tuple[str, str | None]:
    """Split a name from its qualifier: "Asterias cf. rubens" is ("Asterias rubens", "cf.").

    What `with_qualifier` would not write the same again is left whole, such as "Asterias sp. 1",
    which is a name of its own.
    """
    for qualifier in sorted(QUALIFIERS, key=len, reverse=True):
        words = text.split(" ")
        signs = qualifier.split(" ")
        for at in range(len(words) - len(signs) + 1):
            if words[at : at + len(signs)] != signs:
                continue
            name = " ".join(words[:at] + words[at + len(signs) :])
            if name and with_qualifier(name, qualifier) == text:
                return name, qualifier
    return text, None


def with_qualifier(name: str, qualifier: str | None) -> str:
    """Return a name with its qualifier in its place."""
    if not qualifier:
        return name
    if qualifier in BEFORE_LAST:
        *first, last = name.split(" ")
        return " ".join([*first, qualifier, last])
    return f"{name} {qualifier}"
