"""What confluent-kafka does with groups of the classic protocol and with transactions; see confluent_kafka_test.py."""
import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from rdkafka_members import Members

CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 6000, "heartbeat.interval.ms": 200}


def create(broker, *topics):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([NewTopic(name, partitions, 1) for name, partitions in topics]).values():
        future.result()
    return admin


def groups(checks, broker):
    admin = create(broker, ("cg-a", 4), ("cg-b", 2))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for i in range(400):
        producer.produce("cg-a", b"%d" % i, partition=i % 4)
    producer.flush(20)
    for assignor in ("range", "roundrobin", "cooperative-sticky"):
        members = Members(broker, f"cg-{assignor}", "cg-a", **CLASSIC, **{"partition.assignment.strategy": assignor})
        first = members.add()
        checks.check(f"{assignor}: a member alone has all", members.poll_until(lambda m=members: m.shared(4)))
        second = members.add()
        checks.check(f"{assignor}: two share", members.poll_until(lambda m=members: m.shared(4)))
        checks.check(f"{assignor}: all records came", members.poll_until(lambda m=members: len(m.read) == 400), len(members.read))
        offsets = [TopicPartition("cg-a", p, 10 + p) for p in range(4)]
        for member in members.all:
            mine = {each.partition for each in member.assignment()}
            member.commit(offsets=[each for each in offsets if each.partition in mine], asynchronous=False)
        committed = first.committed([TopicPartition("cg-a", p) for p in range(4)])
        checks.equal(f"{assignor}: commits come back", [10, 11, 12, 13], [each.offset for each in committed])
        members.remove(second)
        checks.check(f"{assignor}: one leaves, the other has all", members.poll_until(lambda m=members: m.shared(4)))
        described = admin.describe_consumer_groups([f"cg-{assignor}"])[f"cg-{assignor}"].result()
        checks.equal(f"{assignor}: described", ("STABLE", assignor, 1),
                     (described.state.name, described.partition_assignor, len(described.members)))
        members.remove(first)
    static_members(checks, broker)
    listed = {each.group_id for each in admin.list_consumer_groups().result().valid}
    checks.check("groups are listed", {"cg-range", "cg-roundrobin", "cg-cooperative-sticky"} <= listed, listed)
    checks.attempt("an empty group is deleted", lambda: admin.delete_consumer_groups(["cg-range"])["cg-range"].result())
    listed = {each.group_id for each in admin.list_consumer_groups().result().valid}
    checks.check("and is gone", "cg-range" not in listed, listed)


def static_members(checks, broker):
    """A static member that comes back within its session has what it had, and nobody rebalances."""
    members = Members(broker, "cg-static", "cg-a", **CLASSIC)
    members.add(**{"group.instance.id": "one"})
    members.add(**{"group.instance.id": "two"})
    checks.check("static members share", members.poll_until(lambda: members.shared(4)))
    had = {(each.topic, each.partition) for each in members.all[1].assignment()}
    kept = {(each.topic, each.partition) for each in members.all[0].assignment()}
    members.remove(members.all[1])
    again = members.add(**{"group.instance.id": "two"})
    checks.check("one comes back", members.poll_until(lambda: members.shared(4)))
    checks.equal("it has what it had", had, {(each.topic, each.partition) for each in again.assignment()})
    checks.equal("the other kept what it had", kept, {(each.topic, each.partition) for each in members.all[0].assignment()})
    for member in list(members.all):
        members.remove(member)


def read_all(broker, isolation, partitions=2):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"ct-{isolation}", "isolation.level": isolation,
                                         "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition("ct-out", p, confluent_kafka.OFFSET_BEGINNING) for p in range(partitions)])
    values, at_end = [], set()
    while len(at_end) < partitions:
        message = consumer.poll(20)
        if message is None:
            break
        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
            at_end.add(message.partition())
        elif not message.error():
            values.append(message.value().decode())
    consumer.close()
    return sorted(values)


def transactions(checks, broker):
    create(broker, ("ct-in", 1), ("ct-out", 2))
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "ct-1"})
    checks.attempt("init_transactions", lambda: producer.init_transactions(20))
    for outcome in ("committed", "aborted", "committed later"):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce("ct-out", outcome, partition=partition)
        if outcome == "aborted":
            producer.flush(10)
            checks.attempt("abort", lambda: producer.abort_transaction(20))
        else:
            checks.attempt(f"commit: {outcome}", lambda: producer.commit_transaction(20))
    checks.equal("read_committed reads what was committed", ["committed"] * 2 + ["committed later"] * 2, read_all(broker, "read_committed"))
    checks.equal("read_uncommitted reads all", ["aborted"] * 2 + ["committed"] * 2 + ["committed later"] * 2,
                 read_all(broker, "read_uncommitted"))
    offsets_in_transactions(checks, broker, producer)

    younger = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "ct-1"})
    producer.begin_transaction()
    producer.produce("ct-out", "of a zombie", partition=0)
    producer.flush(10)
    younger.init_transactions(20)
    code = None
    try:
        producer.produce("ct-out", "of a zombie", partition=1)
        producer.commit_transaction(20)
    except KafkaException as error:
        code = error.args[0]
    checks.check("the older producer of an id is fenced", code is not None and code.fatal(), code)
    younger.begin_transaction()
    younger.produce("ct-out", "of the younger", partition=0)
    checks.attempt("the younger goes on", lambda: younger.commit_transaction(20))
    read = read_all(broker, "read_committed")
    checks.check("nothing of the zombie is read", "of a zombie" not in read and "of the younger" in read, read)


def offsets_in_transactions(checks, broker, producer):
    """Offsets of a group stand when their transaction is committed, and do not when it is aborted."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "ct-group", "enable.auto.commit": False})
    consumer.subscribe(["ct-in"])
    for _ in range(100):
        consumer.poll(0.1)
        if consumer.assignment():
            break
    for offset, end in ((7, producer.commit_transaction), (9, producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce("ct-out", f"with offset {offset}", partition=0)
        producer.send_offsets_to_transaction([TopicPartition("ct-in", 0, offset)], consumer.consumer_group_metadata(), 20)
        end(20)
        committed = consumer.committed([TopicPartition("ct-in", 0)], timeout=20)
        checks.equal(f"after {end.__name__} the group's offset is", 7, committed[0].offset)
    consumer.close()
