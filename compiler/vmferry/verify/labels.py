"""Label selectors in Kubernetes' text form."""

import re
from collections.abc import Mapping

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<no>!)\s*(?P<absent>[^\s,=!()]+)"
    r"|(?P<key>[^\s,=!()]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[^\s,()]*)"
    r"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Return whether ``selector``, such as ``a=b,c in (d,e),!f``, selects ``labels``; never if it is malformed.

    Upstream: apimachinery pkg/labels/selector.go.
    """
    position = 0
    while position < len(selector):
        match = _REQUIREMENT.match(selector, position)
        if match is None or not _holds(match, labels):
            return False
        position = match.end()
    return True


def _holds(match: re.Match[str], labels: Mapping[str, str]) -> bool:
    if match["no"]:
        return match["absent"] not in labels
    key = match["key"]
    if match["op"]:
        return (labels.get(key) == match["value"]) is (match["op"] != "!=")
    if match["set"]:
        values = {value.strip() for value in match["values"].split(",")}
        return (labels.get(key) in values) is (match["set"] == "in")
    return key in labels
