// What kafkajs does with groups and transactions; kafkajs_test.js runs it. `check(what, ok, detail)` counts.
const { PartitionAssigners } = require('kafkajs');

const until = async (what, seconds = 20) => {
  for (let i = 0; i < seconds * 20; i++) {
    if (await what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};

async function member(kafka, groupId, topic, members) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 300, maxWaitTimeInMs: 200, partitionAssigners: [PartitionAssigners.roundRobin] });
  const state = { consumer, partitions: [], read: [] };
  members.push(state);
  consumer.on(consumer.events.GROUP_JOIN, (event) => { state.partitions = event.payload.memberAssignment[topic] || []; });
  consumer.on(consumer.events.REBALANCING, () => { state.partitions = []; });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ autoCommitInterval: 200, eachMessage: async ({ partition, message }) => { state.read.push(`${partition}/${message.offset}`); } });
  return state;
}

async function groups(kafka, check) {
  const topic = 'js-group', groupId = 'js-readers', admin = kafka.admin(), producer = kafka.producer(), members = [];
  await admin.connect();
  await producer.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 4 }], waitForLeaders: true });
  const send = (from) => producer.send({ topic, messages: Array.from({ length: 100 }, (_, i) => ({ value: `${from + i}`, partition: i % 4 })) });
  const shared = (count) => {
    const all = members.flatMap((each) => each.partitions);
    return members.every((each) => each.partitions.length) && all.length === count && new Set(all).size === count;
  };
  await send(0);
  await member(kafka, groupId, topic, members);
  check('groups: a member alone has all', await until(() => shared(4)), JSON.stringify(members.map((m) => m.partitions)));
  check('groups: it reads all', await until(() => members[0].read.length === 100), members[0].read.length);
  await member(kafka, groupId, topic, members);
  check('groups: two share', await until(() => shared(4)), JSON.stringify(members.map((m) => m.partitions)));
  await send(100);
  const read = () => new Set(members.flatMap((each) => each.read));
  check('groups: all records come', await until(() => read().size === 200), read().size);
  const described = (await admin.describeGroups([groupId])).groups[0];
  check('groups: described', described.state === 'Stable' && described.members.length === 2 && described.protocol === 'RoundRobinAssigner', JSON.stringify(described));
  check('groups: listed', (await admin.listGroups()).groups.some((each) => each.groupId === groupId && each.protocolType === 'consumer'));
  const gone = members.pop();
  await gone.consumer.disconnect();
  check('groups: one leaves, the other has all', await until(() => shared(4)), JSON.stringify(members.map((m) => m.partitions)));
  await members.pop().consumer.disconnect();
  const offsets = async () => (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions.map((each) => Number(each.offset)).sort();
  check('groups: what was read is committed', JSON.stringify(await offsets()) === '[50,50,50,50]', JSON.stringify(await offsets()));
  await admin.setOffsets({ groupId, topic, partitions: [0, 1, 2, 3].map((partition) => ({ partition, offset: '40' })) });
  const again = await member(kafka, groupId, topic, members);
  check('groups: offsets that were set are where it goes on', await until(() => again.read.length === 40), again.read.length);
  await again.consumer.disconnect();
  await admin.deleteGroups([groupId]);
  check('groups: deleted', !(await admin.listGroups()).groups.some((each) => each.groupId === groupId));
  await producer.disconnect();
  await admin.disconnect();
}

async function transactions(kafka, check) {
  const topic = 'js-transactions', admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  const producer = kafka.producer({ transactionalId: 'js-1', idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const [value, offset, end] of [['first', '5', 'commit'], ['second', '6', 'abort'], ['third', '7', 'commit']]) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value, partition: 0 }] });
    await transaction.sendOffsets({ consumerGroupId: 'js-offsets', topics: [{ topic: 'js-group', partitions: [{ partition: 0, offset }] }] });
    await transaction[end]();
  }
  const committed = await admin.fetchOffsets({ groupId: 'js-offsets', topics: ['js-group'] });
  check('transactions: the offset is that of the last commit', committed[0].partitions.find((each) => each.partition === 0).offset === '7', JSON.stringify(committed));
  for (const [readUncommitted, expected] of [[false, 'first third'], [true, 'first second third']]) {
    const consumer = kafka.consumer({ groupId: `js-${readUncommitted}`, readUncommitted, maxWaitTimeInMs: 200 }), read = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => { read.push(message.value.toString()); } });
    check(`transactions: what is read, readUncommitted ${readUncommitted}`, await until(() => read.join(' ') === expected), read.join(' '));
    await consumer.disconnect();
  }
  await producer.disconnect();
  await admin.disconnect();
}

module.exports = { groups, transactions };
