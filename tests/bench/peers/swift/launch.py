"""launch.py PROGRAM CONF…: a Swift server (proxy-server, object-server, …) that reads swift.conf
from the folder PEER_ETC instead of /etc/swift; the machine's own installation is not touched."""
import os
import runpy
import sys

import swift.common.utils as utils

modules = [utils] + [m for n, m in sys.modules.items() if n.startswith("swift.common.utils.")]
for module in modules:
    if hasattr(module, "SWIFT_CONF_FILE"):
        module.SWIFT_CONF_FILE = os.path.join(os.environ["PEER_ETC"], "swift.conf")
    if hasattr(module, "HASH_PATH_PREFIX"):
        module.HASH_PATH_PREFIX = module.HASH_PATH_SUFFIX = b""
utils.validate_configuration()

from swift.common import constraints, storage_policy  # noqa: E402  (they read swift.conf)

constraints.reload_constraints()
storage_policy.reload_storage_policies()
program = sys.argv[1]
sys.argv = ["swift-" + program] + sys.argv[2:]
runpy.run_path("/usr/bin/swift-" + program, run_name="__main__")
