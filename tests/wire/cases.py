"""The request of each row of behaviour.tsv: (area, case, request) -> what to send. Rows are played in order; a few remember something for later ones."""
import re
import struct
import sys
import time
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "figures"))
from wire import crc32c, varint  # noqa: E402

UNKNOWN_ID = bytes.fromhex("11" * 16)
ZERO = b"\0" * 16


_last = [0]


def now():
    """The clock, later each time: the newest record is then the only one of its time."""
    _last[0] = max(_last[0] + 1, int(time.time() * 1000))
    return _last[0]


# --- record batches ----------------------------------------------------------------------------------------------------

def record(delta, value=b"v", key=None):
    body = b"\0" + varint(0) + varint(delta) + (varint(-1) if key is None else varint(len(key)) + key) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(values=(b"v",), key=None, keys=None, base=0, epoch=-1, magic=2, attributes=0, last=None, time_first=None, time_max=None, pid=-1,
          pepoch=-1, seq=-1, count=None, payload=None, length_by=0, crc_by=0):
    keys = keys or [key] * len(values)
    records = payload if payload is not None else b"".join(record(i, v, k) for i, (v, k) in enumerate(zip(values, keys)))
    stamp = now() if time_first is None else time_first
    tail = struct.pack(">hiqqqhii", attributes, len(values) - 1 if last is None else last, stamp, stamp if time_max is None else time_max,
                       pid, pepoch, seq, len(values) if count is None else count) + records
    crc = (crc32c(tail) + crc_by) & 0xFFFFFFFF
    return struct.pack(">qi", base, len(tail) + 9 + length_by) + struct.pack(">ibI", epoch, magic, crc) + tail


def magic1():
    import zlib
    body = struct.pack(">bbq", 1, 0, now()) + struct.pack(">i", -1) + struct.pack(">i", 1) + b"v"
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message


PRODUCE = {
    "corrupt crc": lambda: batch(crc_by=1),
    "acks=0 corrupt": lambda: batch(crc_by=1),
    "batch larger than max.message.bytes=200": lambda: batch((b"x" * 300,)),
    "zero-length records": lambda: b"",
    "null records": lambda: None,
    "magic 3": lambda: batch(magic=3),
    "magic 1 byte in v2 layout": lambda: batch(magic=1),
    "magic 0 byte in v2 layout": lambda: batch(magic=0),
    "magic -1": lambda: batch(magic=-1),
    "real magic-1 message set": magic1,
    "real magic-1 message set, v3": magic1,
    "record count too high (2 announced, 1 present)": lambda: batch(count=2, last=1),
    "record count too low (1 announced, 2 present)": lambda: batch((b"a", b"b"), count=1, last=0),
    "record count 0": lambda: batch(count=0),
    "record count -1": lambda: batch(count=-1),
    "lastOffsetDelta mismatch": lambda: batch(last=5),
    "two batches in one partition": lambda: batch() + batch(),
    "truncated batch (10 bytes cut)": lambda: batch((b"v" * 20,))[:-10],
    "trailing garbage 5 bytes": lambda: batch() + b"\1\2\3\4\5",
    "batch length field too small": lambda: batch((b"v" * 20,), length_by=-5),
    "batch length field too large": lambda: batch(length_by=50),
    "base offset 100 in batch": lambda: batch(base=100),
    "partitionLeaderEpoch 77 in batch": lambda: batch(epoch=77),
    "compression attr 5": lambda: batch(attributes=5),
    "gzip attr, not gzip data": lambda: batch(attributes=1),
    "zstd attr, bad data": lambda: batch(attributes=4),
    "timestamp -1": lambda: batch(time_first=-1),
    "timestamp in the future (+2 h)": lambda: batch(time_first=now() + 7_200_000),
    "timestamp 0": lambda: batch(time_first=0),
    "client sets LogAppendTime attr bit": lambda: batch(attributes=8),
    "control batch attr": lambda: batch(attributes=0x20),
    "transactional attr without transactional id, pid -1": lambda: batch(attributes=0x10),
    "compacted topic, key": lambda: batch(key=b"k"),
    "compacted topic, one of two null key": lambda: batch((b"a", b"b"), keys=[b"k", None]),
    "no such pid, seq 0 (idempotent, unknown producer)": lambda: batch(pid=999999, pepoch=0, seq=0),
    "unknown pid, seq 5": lambda: batch(pid=999998, pepoch=0, seq=5),
    "pid 999999 duplicate seq 0": lambda: batch(pid=999999, pepoch=0, seq=0),
    "pid 999999 gap seq 7": lambda: batch(pid=999999, pepoch=0, seq=7),
    "pid 999999 epoch 1 seq 3": lambda: batch(pid=999999, pepoch=1, seq=3),
    "pid 999999 epoch 1 seq 0": lambda: batch(pid=999999, pepoch=1, seq=0),
    "pid 999999 old epoch 0": lambda: batch(pid=999999, pepoch=0, seq=1),
    "pid set, epoch -1": lambda: batch(pid=777777, pepoch=-1, seq=0),
    "pid set, seq -1": lambda: batch(pid=777777, pepoch=0, seq=-1),
    "transactional batch of unknown txn": lambda: batch(attributes=0x10, pid=888888, pepoch=0, seq=0),
}
PRODUCE_TOPIC = {
    "acks=0 unknown topic": "wnone", "unknown topic": "wnone", "invalid topic name": "a b", "empty topic name": "",
    "batch larger than max.message.bytes=200": "wsmall", "LogAppendTime topic": "wlat", "compacted topic, null key": "wcomp",
    "compacted topic, key": "wcomp", "compacted topic, one of two null key": "wcomp",
    "internal topic __consumer_offsets": "__consumer_offsets", "internal topic __transaction_state": "__transaction_state",
}


# Batches of the open transaction of "wtx", made of the producer's id and epoch.
IN_TRANSACTION = {
    "transactional produce ok": lambda pid, epoch: batch(attributes=0x10, pid=pid, pepoch=epoch, seq=0),
    "transactional produce to partition not added (v11: tv1)": lambda pid, epoch: batch(attributes=0x10, pid=pid, pepoch=epoch, seq=0),
    "transactional produce to partition not added, v12 (tv2 adds it)": lambda pid, epoch: batch(attributes=0x10, pid=pid, pepoch=epoch, seq=0),
    "transactional produce wrong epoch": lambda pid, epoch: batch(attributes=0x10, pid=pid, pepoch=epoch + 1, seq=1),
    "non-transactional batch of same pid in open txn": lambda pid, epoch: batch(pid=pid, pepoch=epoch, seq=5),
    "produce with fenced epoch": lambda pid, epoch: batch(attributes=0x10, pid=pid, pepoch=epoch - 1, seq=1),
}


def produce(case, version, request, state):
    acks = int((re.search(r"acks=(-?\d+)", request) or [0, "-1"])[1])
    partition = {"unknown partition": 99, "negative partition": -1}.get(case, 0)
    partition = 1 if "partition not added" in case else partition
    records = IN_TRANSACTION[case](*state.producer) if case in IN_TRANSACTION else PRODUCE.get(case, batch)()
    body = {"Index": partition, "Records": records}
    topic = {"PartitionData": [body] * (2 if case == "same partition twice" else 1)}
    if version >= 13:
        topic["TopicId"] = {"v13 unknown topic id": UNKNOWN_ID, "v13 zero topic id": ZERO}.get(case) or state.topic_id("w1")
    else:
        topic["Name"] = PRODUCE_TOPIC.get(case, "w1")
    values = {"Acks": acks, "TimeoutMs": 0 if case == "timeout 0 acks -1" else 5000, "TopicData": [] if case == "no topics" else [topic]}
    if case in ("transactional id given, non-transactional batch", "transactional batch of unknown txn"):
        values["TransactionalId"] = "wtxn"
    if case in IN_TRANSACTION:
        values["TransactionalId"] = "wtx"
    return values


# --- fetch and offsets ---------------------------------------------------------------------------------------------------

def fetch(case, version, request, state):
    session = re.search(r"session=(\S+)/(-?\d+)", request)
    session_id = state.session if session[1] == "<id>" else int(session[1])
    topic = "w2" if ("at end" in case or case in ("offset = high watermark (waits)", "min_bytes -1", "max_wait -1")) else \
        "wnone" if case == "unknown topic v12" else "w1"
    partition = {
        "Partition": 99 if "unknown partition" in case else 0,
        "FetchOffset": {"offset out of range (huge)": 10**9, "negative offset -1": -1}.get(case, 0),
        "PartitionMaxBytes": {"partition_max_bytes 0": 0, "partition_max_bytes 1 (first batch returned whole)": 1}.get(case, 1 << 20),
    }
    if version >= 9:
        partition["CurrentLeaderEpoch"] = {"leader epoch too high": 99, "leader epoch 0": 0}.get(case, -1)
    entry = {"Partitions": [partition]}
    if version >= 13:
        entry["TopicId"] = {"unknown topic id v13": UNKNOWN_ID, "zero topic id v13": ZERO}.get(case) or state.topic_id("w1")
    else:
        entry["Topic"] = topic
    none = case == "no topics, sessionless" or "no topics" in case or "epoch" in case and "session" in request and session[1] != "0"
    values = {
        "MaxWaitMs": {"offset = high watermark (waits)": 300, "max_wait -1": -1}.get(case, 300),
        "MinBytes": {"min_bytes 0, at end": 0, "min_bytes -1": -1}.get(case, 1),
        "MaxBytes": {"max_bytes 0": 0, "max_bytes -1": -1, "max_bytes 1": 1}.get(case, 1 << 20),
        "IsolationLevel": {"isolation 9": 9, "read_committed in open txn": 1}.get(case, 0),
        "Topics": [] if none else [entry],
    }
    if version >= 7:
        values.update(SessionId=session_id, SessionEpoch=int(session[2]))
    replica = {"replica id 5 (not a replica) v12": 5, "replica id -2 (debug consumer)": -2}.get(case)
    if version <= 14:
        values["ReplicaId"] = -1 if replica is None else replica
    return values


def list_offsets(case, version, request, state):
    stamp = int((re.search(r"ts=(-?\d+)", request) or [0, "-1"])[1])
    topic = {"empty partition": "w2", "empty partition max timestamp": "w2", "empty partition ts 0": "w2", "unknown topic": "wnone"}.get(case, "w1")
    partition = {"PartitionIndex": {"unknown partition": 99, "negative partition": -1}.get(case, 0), "Timestamp": stamp}
    if case == "leader epoch too high":
        partition["CurrentLeaderEpoch"] = 99
    values = {"ReplicaId": -1, "Topics": [{"Name": topic, "Partitions": [partition] * (2 if case == "duplicate partition" else 1)}]}
    if version >= 2:
        values["IsolationLevel"] = {"isolation 9": 9, "last stable offset in open txn": 1}.get(case, 0)
    return values


def offset_for_leader_epoch(case, version, request, state):
    return {"ReplicaId": -1, "Topics": [{"Topic": "wnone" if case == "unknown topic" else "w1",
                                         "Partitions": [{"Partition": 0, "CurrentLeaderEpoch": -1, "LeaderEpoch": 99 if case == "epoch 99" else 0}]}]}


# --- topics --------------------------------------------------------------------------------------------------------------

def topic(name, partitions=1, factor=1, assignments=None, configs=None):
    return {"Name": name, "NumPartitions": partitions, "ReplicationFactor": factor,
            "Assignments": [{"PartitionIndex": p, "BrokerIds": b} for p, b in assignments or []],
            "Configs": [{"Name": k, "Value": v} for k, v in (configs or {}).items()]}


CREATE = {
    "ok": lambda: [topic("w1", 2)],
    "exists": lambda: [topic("w1", 2)],
    "0 partitions": lambda: [topic("wa", 0)],
    "-1 partitions, -1 replication (defaults)": lambda: [topic("wb", -1, -1)],
    "-2 partitions": lambda: [topic("wa", -2)],
    "replication 2 on one broker": lambda: [topic("wa", 1, 2)],
    "replication 0": lambda: [topic("wa", 1, 0)],
    "unknown config key": lambda: [topic("wa", configs={"no.such": "x"})],
    "bad config value": lambda: [topic("wa", configs={"retention.ms": "x"})],
    "null config value": lambda: [topic("wa", configs={"retention.ms": None})],
    "duplicate topic names": lambda: [topic("wdup"), topic("wdup")],
    "count and assignment both": lambda: [topic("wa", 1, 1, [(0, [1])])],
    "assignment ok": lambda: [topic("was", -1, -1, [(0, [1])])],
    "assignment not starting at 0": lambda: [topic("wa", -1, -1, [(1, [1])])],
    "assignment duplicate partition": lambda: [topic("wa", -1, -1, [(0, [1]), (0, [1])])],
    "assignment unknown broker": lambda: [topic("wa", -1, -1, [(0, [9])])],
    "assignment empty broker list": lambda: [topic("wa", -1, -1, [(0, [])])],
    "validate only ok": lambda: [topic("wval")],
    "validate only existing": lambda: [topic("w1")],
    "empty name": lambda: [topic("")],
    "name .": lambda: [topic(".")],
    "name with space": lambda: [topic("a b")],
    "name 250 chars": lambda: [topic("x" * 250)],
    "name collides (w.1 after w_1)": lambda: [topic("w_1")],
    "name collides (w.1)": lambda: [topic("w.1")],
    "internal name __consumer_offsets": lambda: [topic("__consumer_offsets")],
    "reserved name __cluster_metadata": lambda: [topic("__cluster_metadata")],
    "no topics": lambda: [],
    "timeout 0": lambda: [topic("wt0")],
    "timeout -1": lambda: [topic("wt1")],
    "1000000 partitions": lambda: [topic("wbig", 1_000_000)],
    "small max.message.bytes": lambda: [topic("wsmall", configs={"max.message.bytes": "200"})],
    "compacted": lambda: [topic("wcomp", configs={"cleanup.policy": "compact"})],
    "w2": lambda: [topic("w2", 2)],
    "wdel": lambda: [topic("wdel")],
    "wlat LogAppendTime": lambda: [topic("wlat", configs={"message.timestamp.type": "LogAppendTime"})],
}


def create_topics(case, version, request, state):
    return {"Topics": CREATE[case](), "timeoutMs": {"timeout 0": 0, "timeout -1": -1}.get(case, 10000), "validateOnly": case.startswith("validate only")}


def delete_topics(case, version, request, state):
    if version < 6:
        return {"TopicNames": ["wnone"], "TimeoutMs": 10000}
    topics = {
        "unknown name": [{"Name": "wnone"}],
        "unknown id": [{"Name": None, "TopicId": UNKNOWN_ID}],
        "name and id": [{"Name": "wdel", "TopicId": UNKNOWN_ID}],
        "null name, zero id": [{"Name": None}],
        "duplicate": [{"Name": "wdel"}, {"Name": "wdel"}],
        "invalid name": [{"Name": "a b"}],
        "ok": [{"Name": "wdel"}], "again": [{"Name": "wdel"}], "none": [],
    }[case]
    return {"Topics": topics, "TimeoutMs": 10000}


def create_partitions(case, version, request, state):
    count = {"smaller": 1, "same": 2, "0": 0, "-1": -1, "assignment count mismatch": 4, "assignment unknown broker": 3, "validate only": 3, "ok": 3,
             "duplicate topic": 4, "unknown topic": 3}[case]
    entry = {"Name": "wnone" if case == "unknown topic" else "w2", "Count": count, "Assignments": None}
    if case == "assignment count mismatch":
        entry["Assignments"] = [{"BrokerIds": [1]}]
    if case == "assignment unknown broker":
        entry["Assignments"] = [{"BrokerIds": [9]}]
    return {"Topics": [entry] * (2 if case == "duplicate topic" else 1), "TimeoutMs": 10000, "ValidateOnly": case == "validate only"}


def metadata(case, version, request, state):
    names = {"one topic": ["w1"], "unknown topic, no auto creation": ["wnone"], "unknown topic, auto creation, first request": ["wauto"],
             "same, second request after 1 s": ["wauto"], "v3 (no flag) unknown topic auto-creates": ["wauto3"], 'invalid name "bad name"': ["bad name"],
             "invalid name with auto creation": ["bad name"], "empty name": [""], "250 chars": ["x" * 250], "duplicate names": ["w1", "w1"],
             "auto creation of reserved __cluster_metadata": ["__cluster_metadata"], "authorized operations": ["w1"]}.get(case, [])
    topics = [{"Name": name} for name in names]
    ids = {"unknown topic id": (None, UNKNOWN_ID), "known topic id, null name": (None, state.topic_id("w1")), "zero topic id, null name": (None, ZERO),
           "name and topic id both": ("w1", state.topic_id("w1")), "topic id in v10 with null name": (None, UNKNOWN_ID)}.get(case)
    if ids:
        topics = [{"Name": ids[0], "TopicId": ids[1]}]
    if case == "same, second request after 1 s":
        time.sleep(1)
    values = {"Topics": topics}
    if version >= 4:
        values["AllowAutoTopicCreation"] = "auto creation" in case and "no auto" not in case or case.startswith("same")
    if case == "authorized operations":
        values["IncludeTopicAuthorizedOperations"] = True
    return values


def delete_records(case, version, request, state):
    name = {"unknown topic": "wnone", "compacted topic": "wcomp"}.get(case, "w1")
    offset = {"offset too large": 10**9, "offset -1 (to high watermark)": -1, "offset -2": -2}.get(case, 1 if case == "compacted topic" else 0)
    return {"Topics": [{"Name": name, "Partitions": [{"PartitionIndex": 0, "Offset": offset}]}], "TimeoutMs": 5000}


# --- configs ---------------------------------------------------------------------------------------------------------------

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32


def alter_configs(case, version, request, state):
    kind, name, entries = {
        "unknown key": (TOPIC, "w1", [("no.such", "x")]), "unknown topic": (TOPIC, "wnone", [("retention.ms", "1000")]),
        "bad value": (TOPIC, "w1", [("retention.ms", "x")]), "resource type 9": (9, "x", [("a", "b")]),
        "null value": (TOPIC, "w1", [("retention.ms", None)]), "broker read-only key": (BROKER, "1", [("num.partitions", "3")]),
        "broker not a number": (BROKER, "x", [("log.cleaner.threads", "1")]), "other broker id": (BROKER, "9", [("log.cleaner.threads", "1")]),
        "validate only": (TOPIC, "w1", [("retention.ms", "1000")]),
    }[case]
    return {"Resources": [{"ResourceType": kind, "ResourceName": name, "Configs": [{"Name": k, "Value": v} for k, v in entries]}],
            "ValidateOnly": case == "validate only"}


SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def incremental_alter_configs(case, version, request, state):
    kind, name, entries = {
        "set ok": (TOPIC, "w1", [("retention.ms", SET, "604800000")]), "unknown key": (TOPIC, "w1", [("no.such", SET, "x")]),
        "operation 9": (TOPIC, "w1", [("retention.ms", 9, "1000")]), "append to non-list": (TOPIC, "w1", [("retention.ms", APPEND, "1")]),
        "append to list": (TOPIC, "w1", [("cleanup.policy", APPEND, "compact")]), "subtract from list": (TOPIC, "w1", [("cleanup.policy", SUBTRACT, "compact")]),
        "delete": (TOPIC, "w1", [("retention.ms", DELETE, None)]), "delete unknown key": (TOPIC, "w1", [("no.such", DELETE, None)]),
        "set null": (TOPIC, "w1", [("retention.ms", SET, None)]), "duplicate key": (TOPIC, "w1", [("retention.ms", SET, "1000"), ("retention.ms", SET, "2000")]),
        "no ops": (TOPIC, "w1", []), "empty topic name": (TOPIC, "", [("retention.ms", SET, "1000")]), "broker default": (BROKER, "", [("log.cleaner.threads", SET, "1")]),
        "broker logger bad level": (LOGGER, "1", [("kafka", SET, "NOPE")]), "group": (GROUP, "wg", [("consumer.session.timeout.ms", SET, "50000")]),
        "client metrics bad": (METRICS, "m", [("interval.ms", SET, "1")]),
    }[case]
    return {"Resources": [{"ResourceType": kind, "ResourceName": name,
                           "Configs": [{"Name": k, "ConfigOperation": op, "Value": v} for k, op, v in entries]}]}


def describe_configs(case, version, request, state):
    kind, name, keys = {
        "unknown topic": (TOPIC, "wnone", None), "topic one key": (TOPIC, "w1", ["retention.ms"]), "topic unknown key": (TOPIC, "w1", ["no.such"]),
        "resource type 9": (9, "x", None), "broker other id": (BROKER, "9", None), "broker name not a number": (BROKER, "x", None),
        "broker default (empty)": (BROKER, "", None), "topic invalid name": (TOPIC, "a b", None), "topic empty name": (TOPIC, "", None),
        "unknown group": (GROUP, "wgnone", ["consumer.session.timeout.ms"]), "empty key list": (TOPIC, "w1", []), "broker logger other": (LOGGER, "9", None),
    }[case]
    return {"Resources": [{"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}]}


# --- groups ------------------------------------------------------------------------------------------------------------------

MEMBER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"


def consumer_group_heartbeat(case, version, request, state):
    joins = {"GroupId": "wcg", "MemberId": MEMBER_ID, "RebalanceTimeoutMs": 60000, "SubscribedTopicNames": ["w2"], "TopicPartitions": []}
    if case.startswith("group id of a classic group"):
        state.ask("OffsetCommit", 8, {"GroupId": "wgo", "GenerationIdOrMemberEpoch": -1, "MemberId": "",
                                      "Topics": [{"Name": "w1", "Partitions": [{"PartitionIndex": 0, "CommittedOffset": 5}]}]})
    return {**joins, **{
        "empty group": {"GroupId": ""}, "empty member id": {"MemberId": ""}, "epoch -3": {"MemberEpoch": -3},
        "epoch 5 unknown member": {"MemberEpoch": 5}, "unknown assignor": {"ServerAssignor": "zzz"},
        "null subscription at epoch 0": {"SubscribedTopicNames": None}, "bad regex": {"SubscribedTopicNames": None, "SubscribedTopicRegex": "("},
        "rebalance timeout -1 at epoch 0": {"RebalanceTimeoutMs": -1},
        "owned partitions not empty at epoch 0": {"TopicPartitions": [{"TopicId": UNKNOWN_ID, "Partitions": [0]}]}, "join ok": {},
        "fenced epoch 99": {"MemberEpoch": 99}, "leave": {"MemberEpoch": -1}, "group id of a classic group with offsets (wgo)": {"GroupId": "wgo"},
    }[case]}


def join_group(case, version, request, state):
    return {"GroupId": "wcg", "SessionTimeoutMs": 30000, "RebalanceTimeoutMs": 30000, "MemberId": "", "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": b"\0\0\0\0\0\0\xff\xff\xff\xff"}]}


# --- the rest ----------------------------------------------------------------------------------------------------------------

def api_versions(case, version, request, state):
    if version < 3:
        return {}
    return {"ClientSoftwareName": {"empty software name": "", "software name with space": "a b", "software name -a": "-a"}[case], "ClientSoftwareVersion": "1"}


def init_producer_id(case, version, request, state):
    given = {"idempotent (null id)": (None, 60000, -1, -1), "transactional": ("wtx", 60000, -1, -1),
             "timeout too large (> transaction.max.timeout.ms 900000)": ("wtx2", 900001, -1, -1), "timeout 0": ("wtx2", 0, -1, -1),
             "timeout -1": ("wtx2", -1, -1, -1), "empty transactional id": ("", 60000, -1, -1), "pid given, epoch -1": ("wtx2", 60000, 5, -1),
             "unknown pid with epoch": ("wtx3", 60000, 5, 0), "null id with pid": (None, 60000, 5, -1), "null id, timeout 0": (None, 0, -1, -1),
             "re-init bumps epoch": ("wtx", 60000, -1, -1)}[case]
    return dict(zip(("TransactionalId", "TransactionTimeoutMs", "ProducerId", "ProducerEpoch"), given))


def describe_cluster(case, version, request, state):
    return {"EndpointType": {"endpoint type 2 on broker": 2, "endpoint type 9": 9}.get(case, 1)}


def describe_topic_partitions(case, version, request, state):
    return {"Topics": [{"Name": "wnone" if case == "unknown topic" else "w1"}],
            "ResponsePartitionLimit": {"limit 0": 0, "limit 1 cursor": 1}.get(case, 2000)}


def describe_log_dirs(case, version, request, state):
    return {"Topics": [{"Topic": "wnone", "Partitions": [0]}]}


BUILDERS = {
    "ApiVersions": api_versions, "CreateTopics": create_topics, "Metadata": metadata, "Produce": produce, "Fetch": fetch, "ListOffsets": list_offsets,
    "OffsetForLeaderEpoch": offset_for_leader_epoch, "InitProducerId": init_producer_id, "CreatePartitions": create_partitions,
    "DeleteTopics": delete_topics, "AlterConfigs": alter_configs, "IncrementalAlterConfigs": incremental_alter_configs, "DescribeConfigs": describe_configs,
    "DeleteRecords": delete_records, "ListPartitionReassignments": lambda *_: {"TimeoutMs": 5000, "Topics": None}, "DescribeLogDirs": describe_log_dirs,
    "ConsumerGroupHeartbeat": consumer_group_heartbeat, "ConsumerGroupDescribe": lambda *_: {"GroupIds": ["wgnone"]}, "JoinGroup": join_group,
    "ListConfigResources": lambda *_: {"ResourceTypes": []}, "DescribeCluster": describe_cluster, "DescribeTopicPartitions": describe_topic_partitions,
}


# --- raw frames ------------------------------------------------------------------------------------------------------------

def header(key, version, client=b"\0\1w", correlation=1):
    return struct.pack(">hhi", key, version, correlation) + client


def sized(body):
    return struct.pack(">i", len(body)) + body


FRAMES = {
    "size 104857601 (socket.request.max.bytes+1)": lambda: struct.pack(">i", 104857601) + b"\0" * 64,
    "size 104857600 announced, 64 bytes sent": lambda: struct.pack(">i", 104857600) + b"\0" * 64,
    "size 2147483647": lambda: struct.pack(">i", 2147483647) + b"\0" * 64,
    "size -1": lambda: struct.pack(">i", -1) + b"\0" * 64,
    "size -2147483648": lambda: struct.pack(">i", -2147483648) + b"\0" * 64,
    "size 0": lambda: struct.pack(">i", 0),
    "size 1, one byte": lambda: struct.pack(">i", 1) + b"\0",
    "size 4 (key+version only)": lambda: sized(struct.pack(">hh", 18, 0)),
    "size 8 (no client id) ApiVersions v0": lambda: sized(struct.pack(">hhi", 18, 0, 1)),
    "HTTP GET": lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS client hello bytes": lambda: bytes.fromhex("16030100c8010000c40303") + b"\0" * 200,
    "only 2 bytes of the size": lambda: b"\0\0",
    "client id null (-1) ApiVersions v0": lambda: sized(header(18, 0, b"\xff\xff")),
    "client id length -2": lambda: sized(header(18, 0, b"\xff\xfe")),
    "client id length 32767 with 1 byte": lambda: sized(header(18, 0, b"\x7f\xffx")),
    "client id empty": lambda: sized(header(18, 0, b"\0\0")),
    "client id invalid utf-8": lambda: sized(header(18, 0, b"\0\2\xff\xfe")),
    "Metadata v1 truncated body (array count 5, no items)": lambda: sized(header(3, 1) + struct.pack(">i", 5)),
    "Metadata v9 truncated tagged fields": lambda: sized(header(3, 9) + b"\0" + b"\1" + b"\1\0\0"),
    "Metadata v1 array count 2147483647": lambda: sized(header(3, 1) + struct.pack(">i", 2147483647)),
    "Metadata v1 with 10 extra trailing bytes": lambda: sized(header(3, 1) + struct.pack(">i", 0) + b"\0" * 10),
    "ApiVersions v0 with extra trailing bytes": lambda: sized(header(18, 0) + b"\0" * 10),
    "ApiVersions v3 with request header v1 (no tag byte)": lambda: sized(header(18, 3) + b"\2x\2"),
    "Produce v9 empty body": lambda: sized(header(0, 9) + b"\0"),
    "three pipelined ApiVersions": lambda: b"".join(sized(header(18, 0, correlation=n)) for n in (1, 2, 3)),
}


def version_frame(key, version):
    """What the facts were taken with: a v1 header and 40 zero bytes."""
    return sized(header(key, version) + b"\0" * 40)
