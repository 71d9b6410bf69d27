"""The metrics that the project exports, as its documents list them, and those that a query uses."""
import re

ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
NAME = re.compile(r"\b((?:millrace|process|workqueue|controller_runtime|rest_client|leader_election)_[a-z_]+)\b")
RECORD = re.compile(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9]+\b")



def exported(root):
    """{name: type}; a histogram also under the names of its series."""
    found = {name: kind for page in ("metrics", "operator") for name, kind in ROW.findall((root / f"docs/{page}.md").read_text())}
    for name, kind in list(found.items()):
        if kind == "histogram":
            found.update({f"{name}_{part}": "counter" for part in ("sum", "count", "bucket")})
    return found


def used(query):
    return set(NAME.findall(RECORD.sub("", query)))
