"""Questions to the node's API server, without kubectl, which is slow to start."""
import base64
import json
import ssl
import urllib.error
import urllib.request

from layout import KUBECONFIG


class Api:
    """As the administrator. Thread-compatible."""

    def __init__(self):
        config = json.loads(KUBECONFIG.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server, self.token = cluster["server"], config["users"][0]["user"]["token"]
        self.context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())

    def get(self, path):
        """The object; None when there is no such one. Raises OSError."""
        request = urllib.request.Request(self.server + path, headers={"Authorization": "Bearer " + self.token})
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def items(self, path):
        return (self.get(path) or {"items": []})["items"]
