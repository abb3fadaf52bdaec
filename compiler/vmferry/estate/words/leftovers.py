"""Words in names, folders and notes that mark a VM as left over, in several languages."""

import re
from functools import lru_cache

LEFT = re.compile(
    r"(?<![^\W\d_])(?:old|rip|decom[a-z]*|to[-_ ]?(?:be[-_ ])?deleted?|delete[-_ ]?me|deleted?|retired|obsolete[d]?"
    r"|deprecated|unused|graveyard|cemetery|trash|end[-_ ]of[-_ ]life|eol|offline|switched[-_ ]off"
    # German
    r"|(?:zu[m]?[-_ ])?(?:loeschen|löschen)|geloescht|gelöscht|stillgelegt[a-z]*|stilllegung|abgeschaltet[a-z]*"
    r"|ausser[-_ ]?betrieb|außer[-_ ]?betrieb|abgekündigt|ausgemustert|altsysteme?|altlasten|weg[-_ ]?damit"
    r"|kann[-_ ]weg|friedhof|papierkorb|nicht[-_ ]mehr[-_ ]benötigt"
    # French
    r"|(?:[aà][-_ ])?supprimer|suppr|supprim[eé]e?s?|obsol[eè]tes?|hors[-_ ]?service|d[eé]commission[a-zé]*"
    r"|ancien(?:ne)?s?|corbeille|cimeti[eè]re|[aà][-_ ]d[eé]truire|d[eé]sactiv[eé]e?s?|arr[eê]t[eé]e?s?"
    # Spanish and Portuguese
    r"|(?:a[-_ ]|para[-_ ])?(?:borrar|eliminar|excluir|apagar)|obsolet[oa]s?|antigu[oa]s?|antig[oa]s?|baja|papelera"
    r"|lixeira|desmantelad[oa]s?|desativad[oa]s?|desactivad[oa]s?|retirad[oa]s?|fuera[-_ ]de[-_ ]servicio"
    # Italian, Dutch, Polish, the North
    r"|vecchi[oae]|dismess[oiae]|(?:da[-_ ])?(?:eliminare|cancellare|dismettere)|cestino"
    r"|oude?|(?:te[-_ ])?verwijderen|verwijderd|uitgeschakeld|prullenbak|uitgefaseerd"
    r"|(?:do[-_ ])?usuni[eę]cia|usun|star[yae]|wy[lł][aą]czon[yae]|gammal|gammel|slettes|ta[-_ ]bort|poistettava)"
    r"(?:[0-9]{0,8})(?![^\W\d_])"
    r"|(?<=[-_. ])alt[0-9]{0,8}$",
    re.IGNORECASE,
)
"""Finds such a word; `alt`, German for old, only at the end of a name."""

_COPY = re.compile(
    r"^(?:copy|kopie|copie|copia|c[oó]pia|clone?|klon|restore|backup)[-_ ](?:of|von|de|di|van|z)?[-_ ]*", re.IGNORECASE
)
_STAMP = re.compile(r"(?<!\d)(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?[0-3]\d)?(?!\d)")


@lru_cache(maxsize=16384)
def bare(name: str) -> str:
    """Return a name as it was before the VM was marked: without such words, dates and brackets."""
    name = _COPY.sub("", name)
    text = _STAMP.sub("", LEFT.sub("", re.sub(r"^zz+[-_ ]", "", name, flags=re.IGNORECASE)))
    return re.sub(r"\(\s*\)", "", text).strip(" -_.()") or name
