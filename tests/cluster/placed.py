"""Accounts, containers and objects on the devices where the rings want them, without a proxy."""
import struct

from tests.cluster.objectd_node import timestamp


class World:
    def __init__(self, nodes):
        self.nodes = nodes

    def devices(self, account, container=None, obj=None, policy=0):
        _, primaries = self.nodes.placement.nodes(account, container, obj, policy)
        return [self.nodes.device_of(p) for p in primaries]

    def part(self, account, container=None, obj=None, policy=0):
        return self.nodes.placement.nodes(account, container, obj, policy)[0]

    def first(self, account, container=None):
        return self.devices(account, container)[0]

    def put_account(self, account, ts=None):
        for d in self.devices(account):
            res = d.request("PUT", account, {"X-Timestamp": ts or timestamp()},
                            part=self.part(account))
            assert res.status in (201, 202), res

    def delete_account(self, account, ts=None):
        ts = ts or timestamp()
        for d in self.devices(account):
            res = d.delete(account, {"X-Timestamp": ts}, part=self.part(account))
            assert res.status == 204, res

    def put_container(self, account, container, policy=0, ts=None, devices=None):
        owners = self.devices(account)
        ts = ts or timestamp()
        for i, d in enumerate(self.devices(account, container)):
            if devices is not None and i not in devices:
                continue
            owner = owners[i % len(owners)]
            res = d.request("PUT", account + "/" + container, {
                "X-Timestamp": ts, "X-Backend-Storage-Policy-Index": str(policy),
                "X-Account-Host": owner.host, "X-Account-Device": owner.name,
                "X-Account-Partition": str(self.part(account))},
                part=self.part(account, container))
            assert res.status in (201, 202), res

    def row_headers(self, account, container, places):
        """For the container's devices in these places."""
        devices = self.devices(account, container)
        told = [devices[i] for i in places if i < len(devices)]
        return {"X-Container-Host": ",".join(d.host for d in told),
                "X-Container-Device": ",".join(d.name for d in told),
                "X-Container-Partition": str(self.part(account, container))} if told else {}

    def change(self, method, account, container, obj, policy=0, body=b"", ts=None, headers=None,
               rows=None):
        """On all devices; rows: which of the container's devices hear of it."""
        ts = ts or timestamp()
        part = self.part(account, container, obj, policy)
        devices = self.devices(account, container, obj, policy)
        rows = range(len(self.devices(account, container))) if rows is None else rows
        for i, d in enumerate(devices):
            h = dict(headers or {}, **{"X-Timestamp": ts})
            h.update(self.row_headers(account, container, rows[i::len(devices)]))
            res = d.request(method, "/".join((account, container, obj)), h, body, part=part,
                            policy=policy)
            assert res.status in (201, 202, 204, 404), res
        return ts

    def put(self, account, container, obj, body=b"data", policy=0, **kw):
        return self.change("PUT", account, container, obj, policy, body, **kw)

    def delete(self, account, container, obj, policy=0, **kw):
        return self.change("DELETE", account, container, obj, policy, **kw)

    def statuses(self, account, container=None, obj=None, policy=0):
        path = "/".join(x for x in (account, container, obj) if x)
        part = self.part(account, container, obj, policy)
        return {d.head(path, part=part, policy=policy).status
                for d in self.devices(account, container, obj, policy)}

    def bodies(self, account, container, obj, policy=0):
        part = self.part(account, container, obj, policy)
        return [d.get("/".join((account, container, obj)), part=part, policy=policy).body
                for d in self.devices(account, container, obj, policy)]

    def add_rows(self, account, container, names, policy=0):
        """Rows without objects (objectd/updater/row_wire.c)."""
        def text(s):
            return struct.pack("<I", len(s)) + s.encode()
        ticks = int(float(timestamp()) * 100000)
        body = b"".join(
            struct.pack("<IIIQQQQQQQ", 0, self.part(account, container), policy, ticks, 0, 0, 0,
                        0, 0, 1) + text(account) + text(container) + text(name) +
            text("a/b") + text("d41d8cd98f00b204e9800998ecf8427e") for name in names)
        for d in self.devices(account, container):
            res = d.request("POST", "", body=body,
                            raw_path="/%s/0/.needletail/rows" % d.name)
            assert res.status == 200 and set(res.body[i:i + 3] for i in
                                             range(0, len(res.body), 3)) == {b"201"}, res
