"""Prints what BuildGrid, an REAPI client and server in Python, makes of a step.

stdin: {"root": folder, "argv": [...], "env": {...}, "outputs": [...],
"platform": {...}, "no_cache": bool}. stdout: {"root", "command", "action",
"tree"}: digests as "<sha256>/<size>".
"""
import json
import sys

from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as re
from buildgrid.server.client.cas import merkle_tree_maker
from buildgrid.server.utils.digests import create_digest

step = json.load(sys.stdin)
for node, _, path in merkle_tree_maker(step["root"]):
    if isinstance(node, re.DirectoryNode) and path == step["root"]:
        root = node.digest

command = re.Command(arguments=step["argv"], output_paths=sorted(o[1:] if o.startswith("/") else "out/" + o for o in step["outputs"]))
for name in sorted(step["env"]):
    command.environment_variables.add(name=name, value=step["env"][name])
command_digest = create_digest(command.SerializeToString(deterministic=True))

action = re.Action(command_digest=command_digest, input_root_digest=root, do_not_cache=step["no_cache"])
for name in sorted(step["platform"]):
    action.platform.properties.add(name=name, value=step["platform"][name])
action_digest = create_digest(action.SerializeToString(deterministic=True))

json.dump({k: f"sha256:{d.hash}/{d.size_bytes}" for k, d in
           {"root": root, "command": command_digest, "action": action_digest}.items()}, sys.stdout)
