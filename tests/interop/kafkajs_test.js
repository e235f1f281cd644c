// kafkajs of npm: producer, admin, groups, transactions. Usage: node kafkajs_test.js HOST:PORT (kafkajs found through NODE_PATH)
const { Kafka, CompressionTypes, logLevel, ConfigResourceTypes } = require('kafkajs');

const stories = require('./kafkajs_groups.js');

const topic = 'kafka-js';
let passed = 0, failed = 0;
function check(what, ok, detail = '') {
  if (ok) { passed++; console.log(`ok   kafkajs: ${what}`); } else { failed++; console.log(`FAIL kafkajs: ${what} ${detail}`); }
}

async function main() {
  const kafka = new Kafka({ clientId: 'interop', brokers: [process.argv[2]], logLevel: logLevel.ERROR, retry: { retries: 3 } });
  const admin = kafka.admin();
  await admin.connect();
  check('create a topic', await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }], waitForLeaders: true }));
  check('list topics', (await admin.listTopics()).includes(topic));
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  check('metadata', metadata.topics[0].partitions.length === 2);
  check('describe the cluster', (await admin.describeCluster()).brokers.length === 1);
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] });
  const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] });
  const retention = configs.resources[0].configEntries.find((entry) => entry.configName === 'retention.ms');
  check('alter and describe configs', retention && retention.configValue === '3600000', JSON.stringify(retention));
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });

  for (const idempotent of [false, true]) {
    const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 });
    await producer.connect();
    for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
      const messages = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: `v${i}`, partition: 0, headers: { h: 'x' } }));
      const answered = await producer.send({ topic, acks: -1, compression, messages });
      check(`produce, idempotent ${idempotent}, compression ${compression}`, answered[0].errorCode === 0, JSON.stringify(answered));
    }
    await producer.disconnect();
  }
  const offsets = await admin.fetchTopicOffsets(topic);
  check('offsets', offsets.find((o) => o.partition === 0).high === '800', JSON.stringify(offsets));
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '10' }] });
  const after = await admin.fetchTopicOffsets(topic);
  check('delete records', after.find((o) => o.partition === 0).low === '10', JSON.stringify(after));
  await admin.deleteTopics({ topics: [topic] });
  check('delete the topic', !(await admin.listTopics()).includes(topic));
  await admin.disconnect();
  await stories.groups(kafka, check);
  await stories.transactions(kafka, check);
}

main().catch((error) => check('no exception', false, error.stack)).finally(() => {
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed || !passed ? 1 : 0);
});
