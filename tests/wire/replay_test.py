#!/usr/bin/env python3
"""Plays every row of behaviour.tsv against a broker and compares the answer, byte of text for byte of text.

A row that we answer otherwise on purpose stands in differences.tsv with our answer and the reason; a row that differs without standing
there fails, and so does one that stands there and does not differ.
"""
import pathlib
import re
import socket
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "figures")]
import cases  # noqa: E402
import codec  # noqa: E402
import wire  # noqa: E402
from harness import Broker  # noqa: E402
from rendering import NAMES, masked, render  # noqa: E402

WAIT = 1.0


class Only:
    """A struct of one field, for rendering it alone."""

    def __init__(self, field):
        self.fields = [field]


class State:
    """What later rows need of earlier ones."""

    def __init__(self, bootstrap, messages):
        self.bootstrap, self.messages, self.session, self.ids = bootstrap, messages, 0, {}
        self.producer = None  # of "wtx": its id and epoch

    def ask(self, name, version, values):
        api = codec.Api(self.messages, name, version)
        connection = wire.Connection(self.bootstrap)
        answer = api.response(connection.ask(api.request(values)))
        connection.close()
        return answer

    def wait_for(self, what):
        deadline = time.monotonic() + 20
        while not what():
            if time.monotonic() > deadline:
                raise TimeoutError("what a row needs did not come")
            time.sleep(0.02)

    def find_transactions(self):
        """The topic of transactions is made, and its partition of "wtxn" answers."""
        self.wait_for(lambda: self.ask("FindCoordinator", 1, {"Key": "wtxn", "KeyType": 1})["ErrorCode"] == 0)
        self.wait_for(lambda: self.ask("DescribeTransactions", 0, {"TransactionalIds": ["wtxn", "wtx", "wtx3"]})["TransactionStates"][0]["ErrorCode"]
                      == 105)

    def begin_transaction(self):
        its = dict(zip(("V3AndBelowProducerId", "V3AndBelowProducerEpoch"), self.producer))
        self.ask("AddPartitionsToTxn", 3, {**its, "V3AndBelowTransactionalId": "wtx", "V3AndBelowTopics": [{"Name": "w1", "Partitions": [0]}]})

    def end_transaction(self):
        its = dict(zip(("ProducerId", "ProducerEpoch"), self.producer))
        self.ask("EndTxn", 3, {**its, "TransactionalId": "wtx", "Committed": False})
        self.wait_for(lambda: self.ask("DescribeTransactions", 0, {"TransactionalIds": ["wtx"]})["TransactionStates"][0]["TransactionState"]
                      == "CompleteAbort")

    def ask(self, name, version, values):
        api = codec.Api(self.messages, name, version)
        connection = wire.Connection(self.bootstrap)
        answer = api.response(connection.ask(api.request(values)))
        connection.close()
        return answer

    def find_coordinator(self, group):
        """The topic of the groups is made with the first look-up, and takes a while to be there."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.ask("FindCoordinator", 3, {"Key": group, "KeyType": 0})["ErrorCode"] == 0:
                if self.ask("OffsetFetch", 7, {"GroupId": group, "Topics": None})["ErrorCode"] == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"no coordinator for {group}")

    def topic_id(self, name):
        if name not in self.ids:
            api = codec.Api(self.messages, "Metadata", 12)
            connection = wire.Connection(self.bootstrap)
            answer = api.response(connection.ask(api.request({"Topics": [{"Name": name}], "AllowAutoTopicCreation": False})))
            connection.close()
            self.ids[name] = answer["Topics"][0]["TopicId"]
        return self.ids[name]


def exchange(connection, frame, count=1):
    """The answers, or CLOSED, or NO-REPLY."""
    connection.socket.settimeout(WAIT if count == 1 else 3)
    try:
        connection.socket.sendall(frame)
        return [connection.receive() for _ in range(count)]
    except (TimeoutError, socket.timeout):
        return "NO-REPLY"
    except (ConnectionError, OSError):
        return "CLOSED"


def connection_state(connection):
    """`open` when an ApiVersions v0 afterwards is answered."""
    probe = cases.sized(cases.header(18, 0, correlation=99))
    answer = exchange(connection, probe)
    return "closed" if answer == "CLOSED" else "open" if isinstance(answer, list) else answer


def play_frame(state, case):
    connection = wire.Connection(state.bootstrap)
    pipelined = case == "three pipelined ApiVersions"
    answer = exchange(connection, cases.FRAMES[case](), 3 if pipelined else 1)
    if answer == "NO-REPLY":
        return answer, "open (waits for more)"
    if answer == "CLOSED":
        return answer, "closed"
    if pipelined:
        order = [struct.unpack_from(">i", a)[0] for a in answer]
        return ("3 replies in order" if order == [1, 2, 3] else f"order {order}"), connection_state(connection)
    return "reply", connection_state(connection)


def play_versions(state, case, request):
    if case == "ApiVersions v4 list":
        api = codec.Api(state.messages, "ApiVersions", 4)
        answer = api.response(wire.Connection(state.bootstrap).ask(api.request({"ClientSoftwareName": "w", "ClientSoftwareVersion": "1"})))
        return " ".join(f"{k['ApiKey']}:{k['MinVersion']}-{k['MaxVersion']}" for k in answer["ApiKeys"]), "open"
    if case == "supported features":
        api = codec.Api(state.messages, "ApiVersions", 4)
        answer = api.response(wire.Connection(state.bootstrap).ask(api.request({"ClientSoftwareName": "w", "ClientSoftwareVersion": "1"})))
        fields = {field.name: field for field in api.response_message.root.fields}
        supported, finalized = (render({name: answer[name]}, Only(fields[name]))[len(name) + 2:-1] for name in ("SupportedFeatures", "FinalizedFeatures"))
        return f"{supported} finalized {finalized} epoch={answer['FinalizedFeaturesEpoch']} zkMigrationReady=None", "open"
    key, version = int(re.match(r"key (-?\d+)", case)[1]), int(request.split()[1])
    connection = wire.Connection(state.bootstrap)
    answer = exchange(connection, cases.version_frame(key, version))
    if isinstance(answer, list):
        error = struct.unpack_from(">h", answer[0], 4)[0]
        return f"reply, int16 after correlation id = {error} {NAMES[error]}; first bytes", connection_state(connection)
    return answer, "closed" if answer == "CLOSED" else connection_state(connection)


# What has to be so before a row is played.
BEFORE = {"transactional batch of unknown txn": State.find_transactions, "transactional produce ok": State.begin_transaction,
          "re-init bumps epoch": State.end_transaction}


def play_request(state, area, case, request):
    if case in BEFORE:
        BEFORE[case](state)
    name, version = re.match(r"(\w+) v(\d+)", request).groups()
    api = codec.Api(state.messages, name, int(version))
    connection = wire.Connection(state.bootstrap)
    answer = exchange(connection, api.request(cases.BUILDERS[name](case, int(version), request, state)))
    if not isinstance(answer, list):
        return answer, "closed" if answer == "CLOSED" else connection_state(connection)
    # An ApiVersions request that fails is answered in the form of its own version, an unknown version in that of 0.
    values = api.response(answer[0])
    if case in ("transactional", "re-init bumps epoch"):
        state.producer = (values["ProducerId"], values["ProducerEpoch"])
    if name == "Fetch" and values.get("SessionId"):
        state.session = values["SessionId"]
    if name == "Fetch":
        for topic in values["Responses"]:
            for partition in topic["Partitions"]:
                partition.setdefault("Records", None)
                if partition["Records"] is None:
                    partition["Records"] = b""
    return render(values, api.response_message.root), connection_state(connection)


def rows():
    for line in (HERE / "behaviour.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def differences():
    table = {}
    for line in (HERE / "differences.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            area, case, request, ours, reason = line.split("\t")
            table[(area, case, request)] = (ours, reason)
    return table


def main():
    known = differences()
    counts = {"equal": 0, "known": 0, "failed": 0}
    with Broker() as broker:
        state = State(broker.bootstrap, codec.messages())
        state.find_coordinator("wcg")
        for area, case, request, expected, after in rows():
            try:
                if area == "frame":
                    answer, still = play_frame(state, case)
                elif area == "versions":
                    answer, still = play_versions(state, case, request)
                else:
                    answer, still = play_request(state, area, case, request)
            except Exception as error:  # a row that cannot be played is a failed row
                answer, still = f"{type(error).__name__}: {error}", "?"
            ours, theirs = f"{masked(answer)} | {still}", f"{masked(expected)} | {after}"
            key = (area, case, request)
            if key in known:
                matches = known[key][0] == "*" or ours == known[key][0]
                if ours == theirs or not matches:
                    counts["failed"] += 1
                    print(f"FAIL {area}: {case} ({request}): {'differs no more' if ours == theirs else 'differs otherwise'}\n  known {known[key][0]}\n  ours  {ours}")
                else:
                    counts["known"] += 1
            elif ours == theirs:
                counts["equal"] += 1
            else:
                counts["failed"] += 1
                print(f"FAIL {area}: {case} ({request})\n  kafka {theirs}\n  ours  {ours}", flush=True)
    print(f"{counts['equal']} rows equal, {counts['known']} differ for a reason that is written down, {counts['failed']} differ without one")
    print(f"{counts['equal'] + counts['known']} passed, {counts['failed']} failed, 0 skipped")
    return 1 if counts["failed"] or not counts["equal"] else 0


if __name__ == "__main__":
    sys.exit(main())
