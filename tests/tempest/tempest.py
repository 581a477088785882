"""Runs Debian's tempest against an endpoint: a workspace from the templates, tests by list."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = {
    "DYNAMIC": "false", "ADMIN_USER": "admin", "ADMIN_PASSWORD": "admin",
    "ADMIN_PROJECT": "admin",
    "REGION": "RegionOne", "KS_TRUST": "true", "KS_APPCRED": "true",
    "KS_ACCESS_RULES": "true", "KS_TAGS": "true",
    "KS_EXTENSIONS": "OS-TRUST,OS-INHERIT,OS-EP-FILTER,OS-EC2", "HAVE_SWIFT": "true",
    "HAVE_GLANCE": "false", "HAVE_NOVA": "false", "SWIFT_APIS": "all",
    "HTTP_IMAGE": "http://127.0.0.1:1/none.img",
    "GLANCE_IMPORT": "false", "GLANCE_RESERVED": "true", "IMAGE_REF": "", "IMAGE_REF_ALT": "",
    "FLAVOR_REF": "42", "FLAVOR_REF_ALT": "84", "BUILD_TIMEOUT": "120", "MICROVERSIONS": "",
    "NOVA_RESIZE": "false", "NOVA_PAUSE": "false", "NOVA_SHELVE": "false",
    "NOVA_RESCUE": "false", "NOVA_SNAPSHOT": "true", "NOVA_ADMINPASS": "true",
    "SCENARIO_IMG": "",
}


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "ST_"))}
    env.update(PATH="/usr/bin:/usr/sbin:/bin:/sbin", PYTHON="/usr/bin/python3",
               OS_LOG_CAPTURE="0")
    return env


def account(name, roles):
    lines = ["- username: '%s'" % name, "  project_name: '%s'" % name, "  password: 'secret'",
             "  user_domain_name: 'Default'", "  project_domain_name: 'Default'", "  roles:"]
    return "\n".join(lines + ["    - '%s'" % r for r in roles]) + "\n"


def fill(template, path, values):
    with open(os.path.join(HERE, template), encoding="utf-8") as f:
        text = f.read()
    for key, value in values.items():
        text = text.replace("@%s@" % key, value)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def prepare(workspace, endpoint, settings):
    """The accounts are those of users.conf: members first, as tempest takes the first free one."""
    subprocess.run(["tempest", "init", "--workspace-path", workspace + ".yaml", workspace],
                   env=environment(), check=True, capture_output=True)
    fill("accounts.yaml.in", workspace + "/etc/accounts.yaml", {
        "MEMBERS": "".join(account("tst_member_%d" % i, ["member"]) for i in (1, 2, 3)),
        "RESELLERS": account("tst_reseller_1", ["ResellerAdmin"]),
        "ADMINS": "".join(account("tst_admin_%d" % i, ["admin"]) for i in (1, 2))})
    fill("tempest.conf.in", workspace + "/etc/tempest.conf",
         dict(SETTINGS, **settings, WS=workspace, KEYSTONE=endpoint))


def results(workspace):
    """{test: (status, reason)} of the last run."""
    from subunit import ByteStreamToStreamResult
    from testtools import StreamToDict

    found = {}

    def on_test(test):
        reason = ""
        for key, content in test["details"].items():
            if key == "reason" or "traceback" in key:
                reason = (content.as_text().strip().splitlines() or [""])[-1]
        found[test["id"].split("[")[0]] = (test["status"], reason[:300])

    stream = subprocess.run(["stestr", "last", "--subunit"], cwd=workspace, env=environment(),
                            check=False, capture_output=True).stdout
    with open(workspace + "/last.subunit", "wb") as f:
        f.write(stream)
    with open(workspace + "/last.subunit", "rb") as f:
        collect = StreamToDict(on_test)
        collect.startTestRun()
        ByteStreamToStreamResult(f, non_subunit_name="stdout").run(collect)
        collect.stopTestRun()
    return found


def run(workspace, endpoint, list_name, **settings):
    """Runs the tests of lists/<list_name>: their results."""
    prepare(workspace, endpoint, settings)
    selection = workspace + "/selection"
    with open(os.path.join(HERE, "lists", list_name), encoding="utf-8") as f, \
            open(selection, "w", encoding="utf-8") as to:
        for line in f:
            to.write("^" + line.split("[")[0].strip().replace(".", r"\.") + r"(\[|$)" + "\n")
    subprocess.run(["tempest", "run", "--config-file", "etc/tempest.conf", "--concurrency", "1",
                    "--include-list", selection], cwd=workspace, env=environment(),
                   check=False, capture_output=True)
    return results(workspace)
