#!/usr/bin/env python3
"""What groups cost in memory: an idle group at most 1 KiB, a member 2 KiB, one that waits for its group 10 KiB more (the call
and its coroutines)."""
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "wire")]
import codec  # noqa: E402
import wire  # noqa: E402
from harness import Broker, Checks  # noqa: E402

GROUPS, MEMBERS, WAITING = 20_000, 10_000, 1_000
WARM = 2_000  # before the first measurement, so that tables and arenas have grown
GROUP_BYTES, MEMBER_BYTES, WAITING_BYTES = 1024, 2048, 10_240
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4", "group.max.session.timeout.ms": "1800000",
            "klamm.reactors": "1"}
SUBSCRIPTION = b"\0\0" + b"\0\0\0\1" + b"\0\2gt" + b"\xff\xff\xff\xff"


class Groups:
    def __init__(self, broker):
        self.broker, self.messages = broker, codec.messages()
        self.apis = {}
        self.connection = wire.Connection(broker.bootstrap)

    def resident(self):
        status = pathlib.Path(f"/proc/{self.broker.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024

    def api(self, name, version):
        if (name, version) not in self.apis:
            self.apis[name, version] = codec.Api(self.messages, name, version)
        return self.apis[name, version]

    def ask(self, name, version, values, connection=None):
        api = self.api(name, version)
        return api.response((connection or self.connection).ask(api.request(values, client_id="a-client-with-a-usual-name")))

    def coordinate(self):
        """Until all coordinators have loaded: there are enough names here for each of them."""
        deadline = time.monotonic() + 20
        while True:
            found = self.ask("FindCoordinator", 4, {"KeyType": 0, "CoordinatorKeys": ["first"]})["Coordinators"][0]
            if found["ErrorCode"] == 0 and all(self.commit(f"first-{i}") == 0 for i in range(32)):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"no coordinator: {found}")
            time.sleep(0.05)

    def commit(self, group):
        answer = self.ask("OffsetCommit", 7, {"GroupId": group, "GenerationIdOrMemberEpoch": -1, "MemberId": "", "Topics": [
            {"Name": "gt", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 1, "CommittedLeaderEpoch": -1, "CommittedMetadata": ""}]}]})
        return answer["Topics"][0]["Partitions"][0]["ErrorCode"]

    def join_request(self, group, member=""):
        return {"GroupId": group, "SessionTimeoutMs": 1_800_000, "RebalanceTimeoutMs": 1_800_000, "MemberId": member,
                "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": SUBSCRIPTION}]}

    def member(self, group):
        """One that leads a group of its own, in a stable state."""
        joined = self.ask("JoinGroup", 3, self.join_request(group))
        assert joined["ErrorCode"] == 0, joined
        synced = self.ask("SyncGroup", 2, {"GroupId": group, "GenerationId": joined["GenerationId"], "MemberId": joined["MemberId"],
                                           "Assignments": [{"MemberId": joined["MemberId"], "Assignment": b"\0\0\0\0\0\0\xff\xff\xff\xff"}]})
        assert synced["ErrorCode"] == 0, synced



def per_one(groups, count, action):
    for i in range(WARM):
        action(f"warm-{i}")
    before = groups.resident()
    for i in range(count):
        action(f"group-{i:06}")
    return (groups.resident() - before) / count


def main():
    checks = Checks("memory of groups")
    with Broker(SETTINGS) as broker:
        groups = Groups(broker)
        groups.connection.ask(wire.create_topic("gt"))
        groups.coordinate()

        def commit(group):
            assert groups.commit(group) == 0

        each = per_one(groups, GROUPS, commit)
        checks.check(f"an idle group with a committed offset: {each:.0f} bytes", each <= GROUP_BYTES)

        def member(group):
            groups.member("of-" + group)

        both = per_one(groups, MEMBERS, member)
        checks.check(f"a group with one member: {both:.0f} bytes", both <= GROUP_BYTES + MEMBER_BYTES)

        groups.member("waiting")  # its leader never joins again, and whoever comes waits for it
        peers = [wire.Connection(broker.bootstrap) for _ in range(WAITING)]
        for peer in peers:
            groups.ask("Heartbeat", 3, {"GroupId": "none", "GenerationId": 1, "MemberId": "none"}, peer)
        before = groups.resident()
        waiting = groups.api("JoinGroup", 3).request(groups.join_request("waiting"), client_id="a-client-with-a-usual-name")
        for peer in peers:
            peer.socket.sendall(waiting)
        deadline = time.monotonic() + 20
        while len(groups.ask("DescribeGroups", 2, {"Groups": ["waiting"]})["Groups"][0]["Members"]) < WAITING + 1:
            if time.monotonic() > deadline:
                raise RuntimeError("not all members joined")
            time.sleep(0.05)
        each = (groups.resident() - before) / WAITING
        checks.check(f"a member that waits for its group, its connection apart: {each:.0f} bytes", each <= MEMBER_BYTES + WAITING_BYTES)
        for peer in peers:
            peer.close()
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
