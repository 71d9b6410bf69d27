"""Where the node of this machine keeps its things, and the addresses it uses. One node runs at a time."""
import os
import pathlib

PROGRAMS = pathlib.Path(os.environ.get("MILLRACE_KUBE", pathlib.Path.home() / ".cache/millrace-kube"))
# Sockets, pid files, logs, settings: gone with the node.
RUN = pathlib.Path("/run/millrace-cluster")
# Images and pods need a real disk.
DATA = pathlib.Path("/var/lib/millrace-cluster")
CONTAINERD = RUN / "containerd.sock"
KUBECONFIG = RUN / "admin.kubeconfig"
CERTIFICATE = RUN / "certs/apiserver.crt"

NODE = "millrace-node"
BRIDGE = "millrace0"
ADDRESS = "10.244.0.1"  # of the node on the bridge: the API server's, the kubelet's, and that of names
PODS = "10.244.0.0/24"
SERVICES = "10.245.0.0/24"
API_PORT = 6443
DOMAIN = "cluster.local"
PAUSE = "localhost/pause:1"
