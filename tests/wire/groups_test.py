#!/usr/bin/env python3
"""Groups in every version of every API: what Apache Kafka 4.3.1 answered stands in groups.tsv, line by line.

  groups_test.py                            replays it against a broker of its own
  groups_test.py --record HOST:PORT         writes groups.tsv anew from a fresh Apache Kafka whose configuration has SETTINGS
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "figures")]
import codec  # noqa: E402
import wire  # noqa: E402
from harness import Broker  # noqa: E402
from rendering import masked, render  # noqa: E402

RECORDED = HERE / "groups.tsv"
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offset.metadata.max.bytes": "100", "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1"}
MEMBER = re.compile(r"\b(w|inst\w*)-[0-9a-f]{8}-[0-9a-f-]{27}")
LONGEST = re.compile("n{32767}")
# A subscription to the topic "gt" (ConsumerProtocolSubscription 0). It has to be a sound one: on any other, Kafka 4.3.1 gives up the
# rebalance and never answers those who joined.
SUBSCRIPTION = b"\0\0" + b"\0\0\0\1" + b"\0\2gt" + b"\xff\xff\xff\xff"
# Versions of 4.4 only, which 4.3.1 does not have.
NEWER = {("DeleteGroups", 3)}
# The first version that is served, where the schema knows older ones.
SERVED_FROM = {"OffsetCommit": 2, "OffsetFetch": 1}


class Story:
    def __init__(self, bootstrap):
        self.messages = codec.messages()
        self.bootstrap, self.lines = bootstrap, []
        self.connection = wire.Connection(bootstrap)
        self.ids = {}

    def ask(self, name, version, values, say=None, sort=None):
        """One request; its answer is a line when `say` names it. `sort`: puts it in order."""
        api = codec.Api(self.messages, name, version)
        self.connection.socket.settimeout(20)
        frame = api.request(values)
        try:
            answer = api.response(self.connection.ask(frame))
        except (ConnectionError, OSError) as error:
            self.lines.append(f"{name} v{version}\t{say}\t{type(error).__name__}")
            self.connection = wire.Connection(self.bootstrap)
            return {}
        if sort:
            sort(answer)
        if say:
            for key in ("Groups", "Results", "Members"):
                if isinstance(answer.get(key), list):
                    answer[key].sort(key=lambda each: each.get("GroupId") or each.get("MemberId") or "")
            text = LONGEST.sub("<longest>", MEMBER.sub(r"\1-<uuid>", masked(render(answer, api.response_message.root))))
            self.lines.append(f"{name} v{version}\t{say}\t{text}")
        return answer

    def versions(self, name):
        its = self.messages[name + "Request"]
        return [v for v in range(SERVED_FROM.get(name, its.versions.low), its.versions.high + 1) if (name, v) not in NEWER]

    def topic_id(self, name):
        if name not in self.ids:
            answer = self.ask("Metadata", 12, {"Topics": [{"Name": name}], "AllowAutoTopicCreation": False})
            self.ids[name] = answer["Topics"][0]["TopicId"]
        return self.ids[name]

    # --- calls ---------------------------------------------------------------------------------------------------------

    def join(self, version, group, member="", say=None, **more):
        return self.ask("JoinGroup", version,
                        {"GroupId": group, "SessionTimeoutMs": 30000, "RebalanceTimeoutMs": 30000, "MemberId": member, "ProtocolType": "consumer",
                         "Protocols": [{"Name": "range", "Metadata": SUBSCRIPTION}], **more}, say)

    def member_of(self, group):
        """A new group with one member, generation 1, synced."""
        member = self.join(3, group)["MemberId"]
        self.ask("SyncGroup", 3, {"GroupId": group, "GenerationId": 1, "MemberId": member,
                                  "Assignments": [{"MemberId": member, "Assignment": b"mine"}]})
        return member

    def offset_topic(self, version, name, partitions):
        topic = {"TopicId": self.topic_id(name)} if version >= 10 else {"Name": name}
        return {**topic, "Partitions": partitions}

    def commit(self, version, group, member="", generation=-1, say=None, topic="gt", partition=0, offset=7, metadata="m"):
        return self.ask("OffsetCommit", version,
                        {"GroupId": group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
                         "Topics": [self.offset_topic(version, topic, [
                             {"PartitionIndex": partition, "CommittedOffset": offset, "CommittedLeaderEpoch": 0, "CommittedMetadata": metadata}])]}, say)

    def fetch(self, version, group, topics, say=None):
        if version < 8:
            named = None if topics is None else [{"Name": t, "PartitionIndexes": [0, 1]} for t in topics]
            return self.ask("OffsetFetch", version, {"GroupId": group, "Topics": named}, say)
        named = None if topics is None else [
            {**({"TopicId": self.topic_id(t)} if version >= 10 else {"Name": t}), "PartitionIndexes": [0, 1]} for t in topics]
        return self.ask("OffsetFetch", version, {"Groups": [{"GroupId": group, "Topics": named}]}, say)

    # --- chapters ------------------------------------------------------------------------------------------------------

    def prepare(self):
        self.ask("CreateTopics", 5, {"Topics": [{"Name": "gt", "NumPartitions": 2, "ReplicationFactor": 1}], "timeoutMs": 10000})
        for _ in range(200):
            found = self.ask("FindCoordinator", 0, {"Key": "g"})
            if found["ErrorCode"] == 0 and self.ask("OffsetFetch", 5, {"GroupId": "g", "Topics": []})["ErrorCode"] == 0:
                return
            import time
            time.sleep(0.1)

    def find(self):
        for version in self.versions("FindCoordinator"):
            def ask(kind, key, say):
                keys = {"Key": key} if version < 4 else {"CoordinatorKeys": [key]}
                if kind == 0 or version >= 1:
                    self.ask("FindCoordinator", version, {**keys, "KeyType": kind}, say)
            ask(0, "g", "group")
            ask(0, "", "no name")
            ask(9, "g", "unknown kind")
            if version < 6:
                ask(2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", "share before it is known")

    def joins(self):
        for version in self.versions("JoinGroup"):
            group = f"join-{version}"
            self.join(version, "", say="no group")
            self.join(version, group, "nobody", say="unknown member of no group")
            self.join(version, group, say="session too short", SessionTimeoutMs=10)
            self.join(version, group, say="session too long", SessionTimeoutMs=2_000_000_000)
            self.join(version, group, say="no protocols", Protocols=[])
            self.join(version, group, say="no protocol type", ProtocolType="")
            first = self.join(version, group, say="a first member")
            if version >= 4:
                first = self.join(version, group, first["MemberId"], say="with the id it got")
            member = first["MemberId"]
            self.join(version, group, "nobody", say="unknown member")
            self.join(version, group, say="other protocol type", ProtocolType="connect")
            self.join(version, group, say="other protocol", Protocols=[{"Name": "other", "Metadata": b""}])
            self.join(version, group, member, say="the leader joins again")
            if version >= 5:
                self.join(version, group, "nobody", say="unknown member with an instance", GroupInstanceId="inst")
                self.join(version, group + "-static", say="static member", GroupInstanceId="inst")
                self.join(version, group + "-static", "nobody", say="fenced static member", GroupInstanceId="inst")

    def syncs(self):
        for version in self.versions("SyncGroup"):
            group = f"sync-{version}"
            names = {"ProtocolType": "consumer", "ProtocolName": "range"} if version >= 5 else {}
            member = self.join(3, group)["MemberId"]

            def sync(say, **values):
                self.ask("SyncGroup", version, {"GroupId": group, "GenerationId": 1, "MemberId": member, "Assignments": [], **names, **values}, say)
            sync("no group", GroupId="")
            sync("unknown group", GroupId="sync-none")
            sync("unknown member", MemberId="nobody")
            sync("wrong generation", GenerationId=5)
            if version >= 5:
                sync("no protocol", ProtocolType=None)
                sync("other protocol", ProtocolName="other")
            sync("the leader", Assignments=[{"MemberId": member, "Assignment": b"mine"}])
            sync("again")

    def heartbeats(self):
        member = self.member_of("beat")
        for version in self.versions("Heartbeat"):
            def beat(say, **values):
                self.ask("Heartbeat", version, {"GroupId": "beat", "GenerationId": 1, "MemberId": member, **values}, say)
            beat("alive")
            beat("no group", GroupId="")
            beat("unknown group", GroupId="beat-none")
            beat("unknown member", MemberId="nobody")
            beat("wrong generation", GenerationId=2)
            if version >= 3:
                beat("unknown instance", GroupInstanceId="inst")

    def offsets(self):
        for version in self.versions("OffsetCommit"):
            group = f"commit-{version}"
            self.commit(version, group, say="without a group")
            self.commit(version, group, say="a member of no group", member="nobody", generation=1)
            self.commit(version, "", say="no name")
            self.commit(version, group, say="partition that is not there", partition=9)
            self.commit(version, group, say="metadata too large", metadata="m" * 101)
            self.commit(version, group, say="no metadata", partition=1, metadata=None)
            if version < 10:
                self.commit(version, group, say="topic that is not there", topic="none")
            else:
                self.ids["ghost"] = b"\1" * 16
                self.commit(version, group, say="topic id that is not there", topic="ghost")
            member = self.member_of(group + "-live")
            self.commit(version, group + "-live", member, 1, say="by a member")
            self.commit(version, group + "-live", member, 2, say="wrong generation")
            self.commit(version, group + "-live", "nobody", 1, say="unknown member")
            self.commit(version, group + "-live", say="by nobody, while there are members")
            self.ask("OffsetCommit", version, {"GroupId": group, "GenerationIdOrMemberEpoch": -1, "Topics": []}, "nothing")
        for version in self.versions("OffsetFetch"):
            self.fetch(version, "commit-5", ["gt"], say="named")
            self.fetch(version, "commit-none", ["gt"], say="unknown group")
            self.fetch(version, "commit-5", [], say="nothing")
            if version < 10:
                self.fetch(version, "commit-5", ["none"], say="topic that is not there")
            else:
                self.fetch(version, "commit-5", ["ghost"], say="topic id that is not there")
            if version >= 2:
                self.fetch(version, "commit-5", None, say="all")
                self.fetch(version, "commit-none", None, say="all of an unknown group")
            if version >= 8:
                self.ask("OffsetFetch", version, {"Groups": [{"GroupId": "commit-5", "Topics": None}, {"GroupId": "commit-none", "Topics": None},
                                                             {"GroupId": "", "Topics": None}]}, "several groups")
            if version >= 9:
                self.ask("OffsetFetch", version, {"Groups": [{"GroupId": "commit-5-live", "MemberId": "nobody", "MemberEpoch": 3, "Topics": None}]},
                         "by a member of another protocol")

        def delete(group, topics, say):
            self.ask("OffsetDelete", 0, {"GroupId": group, "Topics": [{"Name": t, "Partitions": [{"PartitionIndex": p} for p in (0, 5)]} for t in topics]}, say)
        delete("commit-5", ["gt", "none"], "offsets")
        delete("commit-5", ["gt"], "offsets that are not there")
        delete("commit-none", ["gt"], "unknown group")
        delete("", ["gt"], "no name")
        delete("commit-5-live", ["gt"], "of a group with members")

    def admin(self):
        self.member_of("admin-live")
        for version in self.versions("DescribeGroups"):
            more = {"IncludeAuthorizedOperations": True} if version >= 3 else {}
            for group, say in (("admin-live", "stable"), ("commit-4", "only offsets"), ("admin-none", "unknown"), ("", "no name")):
                self.ask("DescribeGroups", version, {"Groups": [group], **more}, say)
        for version in self.versions("ListGroups"):
            answer = self.ask("ListGroups", version, {})
            answer["Groups"] = [each for each in answer["Groups"] if each["GroupId"] in ("admin-live", "commit-4")]
            answer["Groups"].sort(key=lambda each: each["GroupId"])
            api = codec.Api(self.messages, "ListGroups", version)
            self.lines.append(f"ListGroups v{version}\tall\t{masked(render(answer, api.response_message.root))}")
            if version >= 4:
                self.ask("ListGroups", version, {"StatesFilter": ["nonsense"]}, "no such state")
            if version >= 5:
                self.ask("ListGroups", version, {"TypesFilter": ["share"]}, "no share groups")
        for version in self.versions("LeaveGroup"):
            group = f"leave-{version}"
            member = self.member_of(group)

            def leave(say, group, member, instance=None):
                who = {"MemberId": member} if version < 3 else {"Members": [{"MemberId": member, "GroupInstanceId": instance}]}
                self.ask("LeaveGroup", version, {"GroupId": group, **who}, say)
            leave("no group", "", member)
            leave("unknown group", "leave-none", member)
            leave("unknown member", group, "nobody")
            if version >= 3:
                leave("unknown instance", group, "", "inst")
            leave("a member", group, member)
            leave("again", group, member)
        for version in self.versions("DeleteGroups"):
            for group, say in (("admin-live", "with members"), (f"leave-{version}", "empty"), (f"leave-{version}", "again"), ("", "no name"),
                               (f"commit-{2 + version}", "only offsets")):
                self.ask("DeleteGroups", version, {"GroupsNames": [group]}, say)

    def extremes(self):
        """The ends of every number and the longest names, in the newest version and the oldest one."""
        longest, least, most = "n" * 32767, -2**31, 2**31 - 1
        for version in (2, 9):
            group = f"end-{version}"
            for timeout in (least, -1, 0, most):
                self.join(version, group, say=f"session {timeout}", SessionTimeoutMs=timeout)
            member = self.member_of(group)
            self.join(version, group, longest, say="longest member id")
            self.join(version, longest, "nobody", say="longest group, unknown member")
            self.join(version, group, say="no name of a type", ProtocolType=longest)
            self.join(version, group, say="longest protocol", Protocols=[{"Name": longest, "Metadata": b""}])
            for timeout in (least, -1, 0):
                alone = f"end-{version}-{timeout}"
                first = self.join(version, alone, say=f"rebalance {timeout}", RebalanceTimeoutMs=timeout)
                if version >= 4:
                    self.join(version, alone, first["MemberId"], say=f"rebalance {timeout}, with the id", RebalanceTimeoutMs=timeout)
            for generation in (least, -1, 0, most):
                self.ask("SyncGroup", version // 2, {"GroupId": group, "GenerationId": generation, "MemberId": member, "Assignments": []}
                         if version < 9 else {"GroupId": group, "GenerationId": generation, "MemberId": member, "ProtocolType": "consumer",
                                              "ProtocolName": "range"}, f"generation {generation}")
                self.ask("Heartbeat", version // 3, {"GroupId": group, "GenerationId": generation, "MemberId": member}, f"generation {generation}")
                self.commit(version, group, member, generation, say=f"generation {generation}")
                self.commit(version, group + "-none", "nobody", generation, say=f"generation {generation} of no group")
            self.ask("Heartbeat", version // 3, {"GroupId": longest, "GenerationId": 1, "MemberId": longest}, "longest names")
            self.ask("LeaveGroup", version // 2, {"GroupId": longest, **({"MemberId": longest} if version < 9 else {"Members": [
                {"MemberId": longest, "GroupInstanceId": longest}]})}, "longest names")
            for offset in (-2**63, -1, 2**63 - 1):
                self.commit(version, f"end-offsets-{version}", offset=offset, say=f"offset {offset}")
                self.fetch(version, f"end-offsets-{version}", ["gt"], say=f"after offset {offset}")
            for partition in (least, -1, most):
                self.commit(version, group + "-none", partition=partition, say=f"partition {partition}")
        self.commit(9, longest, say="longest group")
        self.fetch(9, longest, ["gt"], say="longest group")
        self.ask("DescribeGroups", 5, {"Groups": [longest, longest, ""]}, "longest group twice")
        self.ask("DeleteGroups", 2, {"GroupsNames": [longest]}, "longest group")
        self.ask("DeleteGroups", 2, {"GroupsNames": [longest]}, "longest group again")

    def tell(self):
        self.prepare()
        chapters = (self.find, self.joins, self.syncs, self.heartbeats, self.offsets, self.extremes, self.admin)
        for chapter in chapters:
            chapter()
        return self.lines


# What we answer otherwise: the beginning of a line, and why.
DIFFERENCES = {
    "DescribeGroups v5\tlongest group twice": "named again, it is answered once: else a short request could ask for any amount of memory",
}


def main():
    if sys.argv[1:2] == ["--record"]:
        RECORDED.write_text("".join(line + "\n" for line in Story(sys.argv[2]).tell()))
        return 0
    with Broker(SETTINGS) as broker:
        told = Story(broker.bootstrap).tell()
    expected = RECORDED.read_text().splitlines()
    passed = failed = 0
    for number in range(max(len(told), len(expected))):
        ours = told[number] if number < len(told) else "nothing"
        theirs = expected[number] if number < len(expected) else "nothing"
        named = "\t".join(theirs.split("\t")[:2])
        if (ours == theirs) != (named in DIFFERENCES):
            passed += 1
            continue
        failed += 1
        print(f"FAIL {named}\n  Kafka {theirs.split(chr(9))[-1]}\n  ours  {ours.split(chr(9), 1)[-1]}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
